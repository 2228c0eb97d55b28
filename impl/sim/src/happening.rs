//! What happens to a cluster, with everything that it takes to do it.
//!
//! A [`Step`] of a trace names a happening for a reader who has the model at hand. The simulator
//! knows more about some: which bytes a client brings, and what a crash left of a real log.

use steadfast_protocol::{Content, ContentId, NodeId};
use steadfast_trace::{Cut, Step, WriteKind};

use crate::storage::Aftermath;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Deliver {
        from: NodeId,
        to: NodeId,
        nth: u32,
    },
    Drop {
        from: NodeId,
        to: NodeId,
        nth: u32,
    },
    Duplicate {
        from: NodeId,
        to: NodeId,
        nth: u32,
    },
    /// A batch is durable.
    Sync {
        node: NodeId,
        /// How many records the log holds up to the end of the batch.
        end: usize,
    },
    Store {
        node: NodeId,
    },
    LinkUp {
        node: NodeId,
        peer: NodeId,
    },
    LinkDown {
        node: NodeId,
        peer: NodeId,
    },
    Write {
        node: NodeId,
        path: u32,
        kind: WriteKind,
        /// The content that a put or a resolve brings.
        content: Option<Content>,
    },
    Retry {
        node: NodeId,
        request: u64,
    },
    Read {
        node: NodeId,
        path: u32,
    },
    Timeout {
        node: NodeId,
    },
    Tick {
        node: NodeId,
    },
    /// A node has stopped.
    Crash {
        node: NodeId,
        /// What is left of its log.
        aftermath: Aftermath,
        /// Whether the first record that is gone was half written.
        torn: bool,
    },
    Rollback {
        node: NodeId,
        /// How many records remain.
        kept: usize,
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
    Scrub {
        node: NodeId,
        content: ContentId,
    },
}

impl Happening {
    /// The same as a trace has it.
    pub(crate) fn step(&self) -> Step {
        match *self {
            Happening::Deliver { from, to, nth } => Step::Deliver { from, to, nth },
            Happening::Drop { from, to, nth } => Step::Drop { from, to, nth },
            Happening::Duplicate { from, to, nth } => Step::Duplicate { from, to, nth },
            Happening::Sync { node, .. } => Step::Sync { node },
            Happening::Store { node } => Step::Store { node },
            Happening::LinkUp { node, peer } => Step::LinkUp { node, peer },
            Happening::LinkDown { node, peer } => Step::LinkDown { node, peer },
            Happening::Write { node, path, kind, .. } => Step::Write { node, path, kind },
            Happening::Retry { node, request } => Step::Retry { node, request },
            Happening::Read { node, path } => Step::Read { node, path },
            Happening::Timeout { node } => Step::Timeout { node },
            Happening::Tick { node } => Step::Tick { node },
            Happening::Crash { node, aftermath, torn } => {
                Step::Crash { node, kept: count(aftermath.kept), torn }
            }
            Happening::Rollback { node, kept } => Step::Rollback { node, kept: count(kept) },
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
/// When a run has more than `u32::MAX` of them: a trace that says less would be another run.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number)
        .unwrap_or_else(|_| panic!("traces-count-to-u32: a run has {number} of one thing"))
}
