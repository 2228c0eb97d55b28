//! What a leader knows when it makes an entry.

use crate::{Counter, Entry, Epoch, NodeId, Sequence, Settings};

/// The state of a leader that is about to make an entry.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// The settings of the cluster.
    pub settings: Settings,
    /// The id of the leader.
    pub node: NodeId,
    /// The epoch of the leader.
    pub epoch: Epoch,
    /// The highest Lamport counter in the leader's log.
    pub highest: Counter,
    /// The highest Lamport counter that the client had seen when it sent the request for the first time.
    pub seen: Counter,
    /// The sequence number of the newest entry that the leader made.
    pub sequence: Sequence,
    /// The logged heads of the path that it writes, the visible one first.
    pub heads: &'a [Entry],
}
