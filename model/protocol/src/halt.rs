//! The reasons for which a node halts.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Dot, NodeId, Sequence, VersionVector};

/// The reason for which a node has halted, that is, takes no further part in the cluster: the node cannot
/// write its log, or a log in the cluster has lost synced records (a rollback).
///
/// After a rollback the operator replaces the log that was rolled back ([`replacement`](crate::replacement)). Started
/// again from the same log, it halts again. Where entries differ, the log of one of the two nodes was
/// rolled back, or that of the node that made the entries: the operator decides which log to keep.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Error,
)]
pub enum Halt {
    /// A peer holds entries that this node made and does not have in its log. A node syncs an entry
    /// before it sends it, so this node's log has lost synced records.
    #[error(
        "this node's log was rolled back: {peer} holds its entries up to number {held}, the log \
         ends at {logged}; replace this node"
    )]
    RolledBack {
        /// The peer that holds the entries.
        peer: NodeId,
        /// The newest of them that the peer holds.
        held: Sequence,
        /// The newest own entry in this node's log.
        logged: Sequence,
    },
    /// This node's log lacks an entry that all nodes held, as a peer knows. A node acknowledges an entry after it has
    /// synced it, so the log has lost synced records.
    #[error(
        "this node's log was rolled back: all nodes held {dot}, as {peer} knows, and the log does not; replace this node"
    )]
    LacksStable {
        /// The peer that knows it.
        peer: NodeId,
        /// The entry, the newest of its origin that all nodes held.
        dot: Dot,
    },
    /// A peer sent a new entry whose author lacked entries that all nodes held.
    #[error(
        "the author of {dot}, which {peer} sent, lacked a delete that all nodes held and this node has forgotten: the \
         log of {origin} was rolled back; replace {origin}",
        origin = .dot.origin
    )]
    AuthorLacksStable {
        /// The peer that sent the entry.
        peer: NodeId,
        /// The entry.
        dot: Dot,
    },
    /// A peer sent an entry that differs from the one in this node's log under the same dot.
    #[error(
        "{peer} and this node hold different entries under {dot}: the log of {origin} was rolled back \
         and {origin} used the number twice; compare the logs and replace the node whose log is older",
        origin = .dot.origin
    )]
    EntryDiffers {
        /// The peer that sent the entry.
        peer: NodeId,
        /// The dot of the two entries.
        dot: Dot,
    },
    /// A peer's entries up to a version vector differ from those in this node's log.
    #[error(
        "{peer} and this node hold different entries up to {vv}: a log was rolled back and its node \
         used numbers twice; compare the logs and replace the node whose log is older"
    )]
    EntriesDiffer {
        /// The peer that holds different entries.
        peer: NodeId,
        /// The version vector that covers the difference.
        vv: VersionVector,
    },
    /// The disk failed a write or a sync of the log. Only recovery at the next start shows which records
    /// are on it.
    #[error("this node cannot write its log: repair the disk and start the node again")]
    LogFailed,
}
