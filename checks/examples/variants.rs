//! Two variants of the protocol, a twin and a scope of one's own, with every subcommand of `check`:
//!
//! ```sh
//! cargo run -p steadfast-checks --example variants -- run two-leaders --variant skipped-rounds
//! cargo run -p steadfast-checks --example variants -- run available --variant own-entries-only
//! cargo run -p steadfast-checks --example variants -- twins own-entries
//! cargo run -p steadfast-checks --example variants -- seeds --variant own-entries-only
//! ```

use std::process::ExitCode;

use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::twins::{Twin, Variant};
use steadfast_protocol::{Decisions, Entry, Epoch, NodeId, Settings};
use steadfast_trace::{Bounds, Scope};

/// A candidate leaves out every second round. Epochs stay unique and rise, so nothing is lost.
struct SkippedRounds;

impl Decisions for SkippedRounds {
    fn next_epoch(&self, promise: Epoch, node: NodeId) -> Epoch {
        Epoch { round: promise.round.next().next(), node }
    }
}

/// A leader sends its followers only the entries that it wrote itself.
struct OwnEntriesOnly;

impl Decisions for OwnEntriesOnly {
    fn forwards(&self, entry: &Entry, leader: NodeId) -> bool {
        entry.dot.origin == leader
    }
}

static SKIPPED_ROUNDS: Variant = Variant {
    name: "skipped-rounds",
    about: "a candidate leaves out every second round",
    decisions: &SkippedRounds,
};

static OWN_ENTRIES_ONLY: Variant = Variant {
    name: "own-entries-only",
    about: "a leader sends its followers only the entries that it wrote itself",
    decisions: &OwnEntriesOnly,
};

static OWN_ENTRIES: Twin = Twin {
    variant: Variant { name: "own-entries", ..OWN_ENTRIES_ONLY },
    caught_by: GuaranteeId::ReplicasConverge,
    scope: "two-leaders",
    on_graph: false,
};

fn main() -> ExitCode {
    let settings = Settings::new(3, 1, 1).expect("1 of 3 nodes elects and acknowledges");
    let bounds = Bounds { writes: 1, elections: 2, paths: 1, ..Bounds::default() };
    let scope = Scope::new("two-leaders", settings, bounds);
    steadfast_checks::check()
        .variant(&SKIPPED_ROUNDS)
        .variant(&OWN_ENTRIES_ONLY)
        .twin(&OWN_ENTRIES)
        .scope(scope, &["leader-change", "write-acknowledged"])
        .run()
}
