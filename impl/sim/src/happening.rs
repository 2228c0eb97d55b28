//! The happenings of a cluster, each with the data that is needed to apply and to narrate it.
//!
//! A [`Step`] of a trace names a happening for a reader who has the model at hand. The simulator
//! knows more about some: the message that arrives, how a content came, and the records that a crash left of a
//! real log.

use steadfast_protocol::{
    Consistency, ContentId, Epoch, LogIndex, NodeId, Packet, Path, ReadRequest, SessionId,
    WriteRequest,
};
use steadfast_trace::{Cut, Step, WriteKind};

use crate::storage::{Aftermath, Arrived};

/// A message, and its place among those under way.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub from: NodeId,
    pub to: NodeId,
    /// The place of the message among those between the two, from 0.
    pub nth: usize,
    pub packet: Packet,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Deliver(Delivery),
    Drop(Delivery),
    /// A message arrives and is still under way.
    Duplicate(Delivery),
    /// A batch is durable.
    Sync {
        node: NodeId,
        /// The last record of the batch.
        end: LogIndex,
    },
    /// The transfer of the oldest received payload ends.
    Store {
        node: NodeId,
        arrived: Arrived,
        /// Whether the model derives this end from the state of the payload's base.
        is_derived: bool,
    },
    LinkUp {
        node: NodeId,
        peer: NodeId,
        session: SessionId,
    },
    LinkDown {
        node: NodeId,
        peer: NodeId,
    },
    Write {
        node: NodeId,
        kind: WriteKind,
        write: WriteRequest,
    },
    /// A client sends a write again.
    Retry {
        node: NodeId,
        write: WriteRequest,
    },
    Read {
        node: NodeId,
        read: ReadRequest,
    },
    Timeout {
        node: NodeId,
    },
    Tick {
        node: NodeId,
    },
    /// A node crashes.
    Crash {
        node: NodeId,
        /// The rest of its log.
        aftermath: Aftermath,
        /// Whether the first record that is gone was half written.
        torn: bool,
    },
    Rollback {
        node: NodeId,
        /// The index of the last record that remains.
        kept: LogIndex,
    },
    /// A node begins to trim its log.
    Trim {
        node: NodeId,
    },
    /// The checkpoint of a node is durable.
    Checkpoint {
        node: NodeId,
    },
    /// While all nodes are down, the disk of one is lost and it gets a new log.
    Replace {
        node: NodeId,
        /// The promise in the new log.
        promise: Epoch,
    },
    Recover {
        node: NodeId,
    },
    Cut(Cut),
    Heal,
    Rot {
        node: NodeId,
        content: ContentId,
    },
    /// A copy of a content is gone from a disk.
    LoseContent {
        node: NodeId,
        content: ContentId,
    },
    /// A node finds that its copy of a content is bad.
    Scrub {
        node: NodeId,
        content: ContentId,
    },
}

impl Happening {
    /// The happening as a trace has it, with the numbers that the trace gives to paths.
    pub(crate) fn step(&self, number: impl FnOnce(&Path) -> u32) -> Step {
        match *self {
            Happening::Deliver(Delivery { from, to, nth, .. }) => {
                Step::Deliver { from, to, nth: count(nth) }
            }
            Happening::Drop(Delivery { from, to, nth, .. }) => {
                Step::Drop { from, to, nth: count(nth) }
            }
            Happening::Duplicate(Delivery { from, to, nth, .. }) => {
                Step::Duplicate { from, to, nth: count(nth) }
            }
            Happening::Sync { node, .. } => Step::Sync { node },
            Happening::Store { node, is_derived: true, .. } => Step::Store { node },
            Happening::Store { node, arrived, .. } => {
                Step::Transfer { node, made: arrived.made.is_some() }
            }
            Happening::LinkUp { node, peer, .. } => Step::LinkUp { node, peer },
            Happening::LinkDown { node, peer } => Step::LinkDown { node, peer },
            Happening::Write { node, kind, ref write } => {
                Step::Write { node, path: number(&write.path), kind }
            }
            Happening::Retry { node, ref write } => {
                Step::Retry { node, request: write.request.number }
            }
            Happening::Read { node, ref read } => {
                let path = number(&read.path);
                match read.consistency {
                    Consistency::Linearizable => Step::Read { node, path },
                    Consistency::Stale => Step::StaleRead { node, path },
                }
            }
            Happening::Timeout { node } => Step::Timeout { node },
            Happening::Tick { node } => Step::Tick { node },
            Happening::Crash { node, aftermath, torn } => {
                Step::Crash { node, kept: count(aftermath.kept), torn }
            }
            Happening::Trim { node } => Step::Trim { node },
            Happening::Checkpoint { node } => Step::Checkpoint { node },
            Happening::Replace { node, .. } => Step::Replace { node },
            Happening::Rollback { node, kept } => Step::Rollback { node, kept: count(kept.0) },
            Happening::Recover { node } => Step::Recover { node },
            Happening::Cut(cut) => Step::Cut(cut),
            Happening::Heal => Step::Heal,
            Happening::Rot { node, content } => Step::Rot { node, content },
            Happening::LoseContent { node, content } => Step::LoseContent { node, content },
            Happening::Scrub { node, content } => Step::Scrub { node, content },
        }
    }
}

/// A number of records, messages or files as a trace has it.
///
/// # Panics
/// When a run has more than `u32::MAX` of them: a trace with a smaller number would be another run.
pub(crate) fn count<N: TryInto<u32> + Copy + std::fmt::Display>(number: N) -> u32 {
    number
        .try_into()
        .unwrap_or_else(|_| panic!("traces-count-to-u32: a run has {number} of one thing"))
}
