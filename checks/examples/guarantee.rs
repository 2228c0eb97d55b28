//! A guarantee of one's own, with a twin that it must catch:
//!
//! ```sh
//! cargo run -p steadfast-checks --example guarantee -- run replicate
//! cargo run -p steadfast-checks --example guarantee -- twins skipped-rounds --traces traces
//! cargo run -p steadfast-checks --example guarantee -- seeds --count 100
//! ```

use std::collections::BTreeSet;
use std::process::ExitCode;

use steadfast_guarantees::twins::{Twin, Variant};
use steadfast_guarantees::{ClusterView, GuaranteeId, OwnGuarantee};
use steadfast_protocol::{Decisions, Epoch, NodeId, Record, Round};

/// Judged in every state: a function of the cluster's view and of nothing else.
fn rounds_have_no_gap(cluster: &dyn ClusterView) -> bool {
    let records = cluster.nodes().flat_map(|(_, node)| node.records.iter());
    let rounds: BTreeSet<Round> = records
        .filter_map(|it| match it {
            Record::Promise(epoch) => Some(epoch.round),
            _ => None,
        })
        .collect();
    rounds.iter().zip(rounds.iter().skip(1)).all(|(lower, upper)| lower.next() == *upper)
}

static ROUNDS_WITHOUT_GAPS: OwnGuarantee = OwnGuarantee {
    short: "R1",
    name: "rounds-without-gaps",
    promise: "the rounds that nodes have promised follow each other",
    holds: rounds_have_no_gap,
};

/// A candidate leaves out every second round.
struct SkippedRounds;

impl Decisions for SkippedRounds {
    fn next_epoch(&self, promise: Epoch, node: NodeId) -> Epoch {
        Epoch { round: promise.round.next().next(), node }
    }
}

static SKIPPED_ROUNDS: Twin = Twin {
    variant: Variant {
        name: "skipped-rounds",
        about: "a candidate leaves out every second round",
        decisions: &SkippedRounds,
    },
    caught_by: GuaranteeId::Own1,
    scope: "replicate",
    on_graph: false,
};

fn main() -> ExitCode {
    steadfast_checks::check().guarantee(&ROUNDS_WITHOUT_GAPS).twin(&SKIPPED_ROUNDS).run()
}
