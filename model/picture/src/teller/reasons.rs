//! The reasons why a guarantee breaks: the facts, and the steps that made them.

mod clients;
mod contents;
mod leaders;
mod logs;
mod reads;
mod settling;
mod writes;

use std::collections::BTreeSet;

use steadfast_guarantees::{ClusterView, GuaranteeId, NodeView};
use steadfast_protocol::{Entry, NodeId, Record};

use super::Teller;
use crate::{Scene, words};

/// A reason, and the steps that made its facts.
pub(super) struct Reason {
    pub words: String,
    pub steps: BTreeSet<usize>,
}

impl Reason {
    fn new(words: String, steps: impl IntoIterator<Item = Option<usize>>) -> Reason {
        Reason { words, steps: steps.into_iter().flatten().collect() }
    }
}

/// The cluster around a step.
#[derive(Clone, Copy)]
struct Around<'a> {
    number: usize,
    before: &'a dyn ClusterView,
    after: &'a dyn ClusterView,
}

impl Teller {
    /// The facts that break a guarantee at a step. Where none of those known here is found, the
    /// reason gives the promise and names the step.
    pub(super) fn reason(
        &mut self,
        id: GuaranteeId,
        number: usize,
        before: &dyn Scene,
        after: &dyn Scene,
    ) -> Reason {
        let around = Around { number, before: before.cluster(), after: after.cluster() };
        let found = match id {
            GuaranteeId::AckedWritesSurvive => self.lost_write(around),
            GuaranteeId::ReplicasConverge => self.divergence(around),
            GuaranteeId::LogBeforeApply => self.unlogged(around),
            GuaranteeId::OneLeaderPerEpoch => self.two_leaders(around),
            GuaranteeId::Linearizable => self.contradiction(around),
            GuaranteeId::VersionsNeverGoBack => self.going_back(around),
            GuaranteeId::EffectBeatsCause => self.beaten_effect(around),
            GuaranteeId::NoGaps => self.gap(around),
            GuaranteeId::DeposedLeadersDoNotOverrule => self.overruling(around),
            GuaranteeId::ContentIsExact => self.bad_content(around),
            GuaranteeId::NothingFromNowhere => self.unasked(around),
            GuaranteeId::Settles => self.unsettled(around),
            GuaranteeId::ClientsInOrder => self.late_copy(around),
            // Only its author knows which facts it is about.
            GuaranteeId::Own1 | GuaranteeId::Own2 | GuaranteeId::Own3 | GuaranteeId::Own4 => None,
        };
        found.unwrap_or_else(|| {
            let promise = id.guarantee().promise();
            Reason::new(format!("step {number} breaks its promise: {promise}"), [Some(number)])
        })
    }

    /// "n0#1 a="v0", acknowledged at step 9", and the steps of both.
    fn acknowledged(
        &self,
        entry: &Entry,
        cluster: &dyn ClusterView,
    ) -> (String, [Option<usize>; 2]) {
        let made = self.logged(entry.dot.origin, entry);
        let told = cluster.history().operations().iter();
        let place = told.into_iter().position(|it| it.request == entry.request);
        let heard = place.and_then(|it| self.story.operations[it].ended);
        let mut text = words::entry(entry);
        if let Some(made) = made {
            text += &format!(" (logged at step {made})");
        }
        match heard {
            Some(heard) => text += &format!(", acknowledged at step {heard},"),
            None => text += ", acknowledged,",
        }
        (text, [made, heard])
    }

    fn logged(&self, node: NodeId, entry: &Entry) -> Option<usize> {
        self.trail.logged.get(&(node, entry.dot)).copied()
    }
}

/// The entries that a node logged in a step.
fn fresh<'a>(before: &NodeView<'a>, after: &NodeView<'a>) -> Vec<&'a Entry> {
    after.fresh_since(before).iter().filter_map(Record::entry).collect()
}

fn listed(nodes: &[NodeId]) -> String {
    let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn at_steps(steps: &[Option<usize>]) -> String {
    let steps: Vec<String> = steps.iter().flatten().map(usize::to_string).collect();
    if steps.is_empty() { String::new() } else { format!(" (steps {})", steps.join(" and ")) }
}
