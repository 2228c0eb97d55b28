//! Why a node takes no further part.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Dot, NodeId, Sequence, VersionVector};

/// Why a node has stopped taking part: its log cannot be written, or a log in the cluster has lost
/// records that had been synced.
///
/// After a rollback an operator gives a node that was rolled back up and lets a new one take its place; to start it
/// again from the same log stops it again. Where entries differ, one of the two nodes, or the one
/// that made the entries, was rolled back: the operator decides which log to keep.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Error,
)]
pub enum Halt {
    /// A peer holds entries that this node made and has not logged. An entry is synced before it
    /// leaves its node, so this node's log has lost records that had been synced.
    #[error(
        "this node's log was rolled back: {peer} holds its entries up to number {held}, the log \
         ends at {logged}; replace this node"
    )]
    RolledBack {
        /// Who holds them.
        peer: NodeId,
        /// The newest that the peer holds.
        held: Sequence,
        /// The newest that is logged here.
        logged: Sequence,
    },
    /// A peer sent another entry than the one that is logged here under the same dot.
    #[error(
        "{peer} holds another entry {dot} than this node: a log was rolled back and {origin} used \
         the number twice; compare the logs and replace the node whose log is older",
        origin = .dot.origin
    )]
    EntryDiffers {
        /// Who sent it.
        peer: NodeId,
        /// The name that stands for two entries.
        dot: Dot,
    },
    /// A peer's entries up to a version vector are not the ones that are logged here.
    #[error(
        "{peer} does not hold the entries up to {vv} that this node holds: a log was rolled back \
         and numbers were used twice; compare the logs and replace the node whose log is older"
    )]
    EntriesDiffer {
        /// Who holds others.
        peer: NodeId,
        /// Up to where.
        vv: VersionVector,
    },
    /// The disk under the log refused to write or to sync. What is on it is known only after a
    /// restart.
    #[error("this node's log cannot be written any more: mend its disk and start the node again")]
    LogFailed,
}
