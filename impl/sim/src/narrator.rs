//! The narrator: a run in words, written beside the run.

use steadfast_guarantees::{GuaranteeId, History, Status};
use steadfast_protocol::{NodeId, Replica};

use crate::contents::Contents;
use crate::moment::Moment;
use crate::nodes::Nodes;
use crate::words::Words;
use crate::{Time, Timeline};

/// The largest number of moments that wait to be narrated.
const MOMENTS_MAX: usize = 1_000;

/// Narrates a run in words. It stands beside the run: a step leaves a [`Moment`], and the narrator
/// turns the moments into lines when the timeline is read, or when [`MOMENTS_MAX`] of them wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Narrator {
    moments: Vec<Moment>,
    /// The status of each operation as last noted.
    statuses: Vec<Status>,
    /// The number of guarantees noted as broken.
    broken: usize,
    /// The nodes after the last narrated moment.
    nodes: Vec<Option<Replica>>,
    timeline: Timeline,
}

impl Narrator {
    /// Begins with these nodes.
    pub(crate) fn begin(&mut self, nodes: &Nodes) {
        self.nodes = nodes.iter().map(|it| it.node.replica().cloned()).collect();
    }

    /// Adds a line about a node that is no moment of the cluster.
    pub(crate) fn say(&mut self, time: Time, node: NodeId, what: String, contents: &Contents) {
        self.timeline(contents);
        self.timeline.say(time, Some(node), what);
    }

    /// Adds a moment, to be narrated later.
    pub(crate) fn note(
        &mut self,
        mut moment: Moment,
        history: &History,
        broken: &[(GuaranteeId, Time)],
        contents: &Contents,
    ) {
        for (at, operation) in history.operations().iter().enumerate() {
            let old = self.statuses.get(at).copied().unwrap_or(Status::Pending);
            if ![Status::Pending, old].contains(&operation.status) {
                moment.ended.push(operation.clone());
            }
        }
        self.statuses = history.operations().iter().map(|it| it.status).collect();
        moment.broken.extend(broken.iter().skip(self.broken).map(|(id, _)| *id));
        self.broken = broken.len();
        self.moments.push(moment);
        if self.moments.len() >= MOMENTS_MAX {
            self.timeline(contents);
        }
    }

    /// Narrates the moments that wait; returns all lines so far.
    pub(crate) fn timeline(&mut self, contents: &Contents) -> &Timeline {
        for moment in std::mem::take(&mut self.moments) {
            let mut after = self.nodes.clone();
            if let Some((node, replica)) = &moment.after {
                after[node.index()].clone_from(replica);
            }
            let words = Words { before: &self.nodes, after: &after, contents };
            for (who, what) in words.told(&moment) {
                self.timeline.say(moment.time, who, what);
            }
            self.nodes = after;
        }
        &self.timeline
    }
}
