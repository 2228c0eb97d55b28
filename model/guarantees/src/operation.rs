//! One operation of a client: its request, its effect and its answer.

use serde::{Deserialize, Serialize};
use steadfast_protocol::{
    Base, Change, Counter, Dot, Entry, Epoch, Intent, NodeId, Outcome, Path, RequestId,
};

use crate::linearizability::Time;
use crate::observation::Observation;

/// The number of an operation in its history, from 0.
pub type OperationId = usize;

/// The request of a client, with its effect so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OperationKind {
    /// A write.
    Write {
        /// The change that the client requests.
        intent: Intent,
        /// The versions that the client replaces.
        base: Base,
        /// The highest Lamport counter that the client had seen when it asked first.
        seen: Counter,
        /// The entries that leaders made for the request, each with the epoch of its leader. There is
        /// more than one only if a retry met a leader that did not know of the first entry, or that
        /// re-issued it under its own epoch.
        made: Vec<(Entry, Epoch)>,
        /// The entry that a leader acknowledged.
        acked: Option<Dot>,
    },
    /// A linearizable read.
    Read {
        /// The version that the leader returned; `None` before the answer, and for a path that was
        /// never written.
        version: Option<Entry>,
    },
    /// A stale read. An answer that does not say that it is stale makes it a linearizable one.
    StaleRead {
        /// The version that was returned; `None` before, and for a path never written.
        version: Option<Entry>,
    },
}

impl OperationKind {
    /// A write for which no leader has made an entry yet.
    #[must_use]
    pub fn write(intent: Intent, base: Base, seen: Counter) -> OperationKind {
        OperationKind::Write { intent, base, seen, made: Vec::new(), acked: None }
    }

    /// A linearizable read that has found nothing yet.
    #[must_use]
    pub fn read() -> OperationKind {
        OperationKind::Read { version: None }
    }

    /// A stale read that has found nothing yet.
    #[must_use]
    pub fn stale_read() -> OperationKind {
        OperationKind::StaleRead { version: None }
    }

    /// Whether the action takes part in the order that linearizability is about.
    pub(crate) fn is_ordered(&self) -> bool {
        !matches!(self, OperationKind::StaleRead { .. })
    }
}

/// The status of an operation, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// No answer yet.
    Pending,
    /// A leader acknowledged the write, or answered the read.
    Done,
    /// A node refused the request.
    Refused,
    /// The leader stepped down or crashed before it answered.
    Unknown,
}

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// The id of the request.
    pub request: RequestId,
    /// The path.
    pub path: Path,
    /// The node to which the client last sent it.
    pub node: NodeId,
    /// The request, and its effect so far.
    pub kind: OperationKind,
    /// The status.
    pub status: Status,
    /// Whether the client sent it more than once. The outcome of a retry does not undo an earlier try.
    pub retried: bool,
    pub(crate) invoked: Time,
    pub(crate) returned: Option<Time>,
    /// The state of the file that the refusal reveals, if that is judged.
    pub(crate) observed: Option<Observation>,
    /// The newest epoch that had a leader when a read began. Zero for writes and once the read has its
    /// answer, so that histories are equal if they differ only in epochs that no longer matter.
    pub(crate) known: Epoch,
}

impl Operation {
    /// The entries that the operation made, each with the epoch of the leader that made it.
    #[must_use]
    pub(crate) fn made(&self) -> &[(Entry, Epoch)] {
        match &self.kind {
            OperationKind::Write { made, .. } => made,
            OperationKind::Read { .. } | OperationKind::StaleRead { .. } => &[],
        }
    }

    /// Whether it is a write that may have deleted the file.
    #[must_use]
    pub(crate) fn may_delete(&self) -> bool {
        match &self.kind {
            OperationKind::Write { intent: Intent::Delete, .. } => true,
            OperationKind::Write { made, .. } => {
                made.iter().any(|(it, _)| it.change == Change::Delete)
            }
            OperationKind::Read { .. } | OperationKind::StaleRead { .. } => false,
        }
    }

    /// The entry that a leader acknowledged, with the epoch of the leader that made it; `None` of an operation that
    /// is no acknowledged write.
    #[must_use]
    pub fn acknowledged(&self) -> Option<&(Entry, Epoch)> {
        match &self.kind {
            OperationKind::Write { made, acked: Some(acked), .. } => {
                // After a crash a node may reuse the dot of an entry that it never sent.
                made.iter().rfind(|(entry, _)| entry.dot == *acked)
            }
            _ => None,
        }
    }

    /// When the client sent the request.
    #[must_use]
    pub(crate) fn invoked(&self) -> Time {
        self.invoked
    }

    /// When the client got an answer that shows the effect of its request, or the state of the file; `None`
    /// if it got none.
    #[must_use]
    pub(crate) fn returned(&self) -> Option<Time> {
        self.returned
    }

    /// The state of the file that the refusal reveals, if that is judged.
    #[must_use]
    pub fn observed(&self) -> Option<Observation> {
        self.observed
    }

    /// Whether the answer reveals the state of the file to the client.
    pub(crate) fn reveals_file(&self) -> bool {
        self.status == Status::Done || self.observed.is_some()
    }

    pub(crate) fn answer(&mut self, outcome: &Outcome, at: Time, judges_order: bool) {
        self.status = match outcome {
            Outcome::Acknowledged { .. } | Outcome::Value { .. } => Status::Done,
            Outcome::Refused(_) if !self.retried => Status::Refused,
            Outcome::Refused(_) | Outcome::Unknown => Status::Unknown,
        };
        if let Outcome::Refused(refusal) = outcome
            && self.status == Status::Refused
            && judges_order
        {
            self.observed = Observation::of(refusal);
        }
        if self.reveals_file() {
            self.returned = Some(at);
        }
        self.known = Epoch::ZERO;
        if let (OperationKind::StaleRead { .. }, Outcome::Value { stale: false, .. }) =
            (&self.kind, outcome)
        {
            self.kind = OperationKind::read();
        }
        match (&mut self.kind, outcome) {
            (OperationKind::StaleRead { version }, Outcome::Value { version: found, .. })
            | (OperationKind::Read { version }, Outcome::Value { version: found, .. }) => {
                version.clone_from(found);
            }
            (OperationKind::Write { acked, .. }, Outcome::Acknowledged { dot }) => {
                *acked = Some(*dot)
            }
            _ => {}
        }
    }
}
