//! Planned requests and faults.

use std::fmt;
use std::time::Duration;

use steadfast_protocol::NodeId;
use steadfast_trace::Cut;

/// One thing that a client, a fault or an operator does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plan {
    /// A client puts a content of this many random bytes, at a node that leads.
    Put {
        /// The number of the file.
        path: u32,
        /// How long the content is.
        bytes: usize,
    },
    /// A client deletes a file.
    Delete {
        /// The number of the file.
        path: u32,
    },
    /// A client resolves the conflict of a file, if there is one.
    Resolve {
        /// The number of the file.
        path: u32,
    },
    /// A client restores the loser of a conflict, or the visible version if there is no conflict.
    Restore {
        /// The number of the file.
        path: u32,
    },
    /// A client reads a file, linearizably.
    Read {
        /// The number of the file.
        path: u32,
    },
    /// A client reads the version of a file that a node shows.
    StaleRead {
        /// The node, which need not lead.
        node: NodeId,
        /// The number of the file.
        path: u32,
    },
    /// A client repeats a write with an unknown outcome.
    Retry,
    /// A node crashes.
    Crash {
        /// The node.
        node: NodeId,
    },
    /// A node crashes in the middle of its next sync.
    CrashInSync {
        /// The node.
        node: NodeId,
    },
    /// The disk of a node is copied while the node runs.
    BackUp {
        /// The node with the disk.
        node: NodeId,
    },
    /// A node crashes, and the last copy of its disk takes the disk's place; without one, that of a new
    /// node.
    RollBack {
        /// The node.
        node: NodeId,
    },
    /// A node trims its log.
    Trim {
        /// The node.
        node: NodeId,
    },
    /// A node starts again.
    Recover {
        /// The node.
        node: NodeId,
    },
    /// A cut begins.
    Cut(Cut),
    /// The cut ends.
    Heal,
    /// The disk of a node hangs.
    HangDisk {
        /// The node with the disk.
        node: NodeId,
        /// The length of the hang.
        lasts: Duration,
    },
    /// The disk of a node is full: the node crashes in its next sync.
    FillDisk {
        /// The node with the disk.
        node: NodeId,
    },
    /// The disk of a node has room again.
    FreeDisk {
        /// The node with the disk.
        node: NodeId,
    },
    /// The election timer of a node runs out.
    Timeout {
        /// The node.
        node: NodeId,
    },
    /// All nodes crash, the disk of one is lost, and it gets a new log from those of all others.
    Replace {
        /// The node with the lost disk.
        node: NodeId,
    },
    /// A node crashes, and a copy of a content is gone from its disk.
    LoseContent {
        /// The node with the copy.
        node: NodeId,
    },
    /// A copy of a content goes bad.
    Rot {
        /// The node with the copy.
        node: NodeId,
    },
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plan::Put { path, bytes } => write!(f, "put file {path} ({bytes} B)"),
            Plan::Delete { path } => write!(f, "delete file {path}"),
            Plan::Resolve { path } => write!(f, "resolve file {path}"),
            Plan::Restore { path } => write!(f, "restore a version of file {path}"),
            Plan::Read { path } => write!(f, "read file {path}"),
            Plan::StaleRead { node, path } => write!(f, "read file {path} at {node}, stale"),
            Plan::Retry => write!(f, "retry"),
            Plan::Crash { node } => write!(f, "{node} crashes"),
            Plan::CrashInSync { node } => write!(f, "{node} crashes in its next sync"),
            Plan::Trim { node } => write!(f, "{node} trims its log"),
            Plan::BackUp { node } => write!(f, "the disk of {node} is copied"),
            Plan::RollBack { node } => write!(f, "{node} crashes and gets the copy of its disk"),
            Plan::Recover { node } => write!(f, "{node} recovers"),
            Plan::Cut(cut @ Cut::Around { one_way: true, .. }) => write!(f, "one-way cut, {cut}"),
            Plan::Cut(cut) => write!(f, "cut {cut}"),
            Plan::Heal => write!(f, "heal"),
            Plan::HangDisk { node, lasts } => {
                write!(f, "the disk of {node} hangs for {} ms", lasts.as_secs_f64() * 1e3)
            }
            Plan::FillDisk { node } => write!(f, "the disk of {node} is full"),
            Plan::FreeDisk { node } => write!(f, "the disk of {node} has room again"),
            Plan::Timeout { node } => write!(f, "the election timer of {node} runs out"),
            Plan::Replace { node } => write!(f, "all nodes crash, and {node} gets a new disk"),
            Plan::LoseContent { node } => write!(f, "{node} crashes and loses a content"),
            Plan::Rot { node } => write!(f, "a copy at {node} rots"),
        }
    }
}
