//! The settings of a cluster, fixed for a log's life.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::NodeSet;

/// The largest cluster. Version vectors are arrays of this length.
pub const NODES_MAX: u8 = 7;

/// E, W and N: votes needed to lead, synced copies needed to acknowledge, nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Settings {
    nodes: u8,
    elect: u8,
    write: u8,
}

#[derive(Deserialize)]
struct Unchecked {
    nodes: u8,
    elect: u8,
    write: u8,
}

impl TryFrom<Unchecked> for Settings {
    type Error = SettingsError;

    fn try_from(it: Unchecked) -> Result<Self, SettingsError> {
        Settings::new(it.nodes, it.elect, it.write)
    }
}

/// Settings that no cluster can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The number of nodes is 0 or above [`NODES_MAX`].
    #[error("{0} nodes: a cluster has 1 to {NODES_MAX} nodes")]
    Nodes(u8),
    /// E is 0 or above N.
    #[error("E = {elect}: the votes needed to lead are 1 to {nodes}, the number of nodes")]
    Elect {
        /// The E that was asked for.
        elect: u8,
        /// The number of nodes.
        nodes: u8,
    },
    /// W is 0 or above N.
    #[error("W = {write}: the copies needed to acknowledge are 1 to {nodes}, the number of nodes")]
    Write {
        /// The W that was asked for.
        write: u8,
        /// The number of nodes.
        nodes: u8,
    },
}

impl Settings {
    /// Settings of a cluster of `nodes` that elects with `elect` votes and acknowledges with
    /// `write` copies.
    ///
    /// # Errors
    /// Names the value that is out of range.
    pub fn new(nodes: u8, elect: u8, write: u8) -> Result<Self, SettingsError> {
        if !(1..=NODES_MAX).contains(&nodes) {
            return Err(SettingsError::Nodes(nodes));
        }
        if !(1..=nodes).contains(&elect) {
            return Err(SettingsError::Elect { elect, nodes });
        }
        if !(1..=nodes).contains(&write) {
            return Err(SettingsError::Write { write, nodes });
        }
        Ok(Settings { nodes, elect, write })
    }

    /// N: how many nodes the cluster has.
    #[must_use]
    pub fn nodes(self) -> u8 {
        self.nodes
    }

    /// E: how many votes a leader needs, its own included.
    #[must_use]
    pub fn elect(self) -> usize {
        usize::from(self.elect)
    }

    /// W: how many nodes must have synced a write before it is acknowledged, the leader included.
    #[must_use]
    pub fn write(self) -> usize {
        usize::from(self.write)
    }

    /// Whether these nodes may elect a leader together.
    #[must_use]
    pub(crate) fn elects(self, voters: NodeSet) -> bool {
        voters.len() >= self.elect()
    }

    /// Whether a write is acknowledged once these nodes have synced it, and a linearizable read
    /// answered once they have confirmed it.
    #[must_use]
    pub(crate) fn acknowledges(self, copies: NodeSet) -> bool {
        copies.len() >= self.write()
    }

    /// E+W>N: every election meets every acknowledged write, so the store is linearizable.
    #[must_use]
    pub fn is_consistent(self) -> bool {
        self.elect() + self.write() > usize::from(self.nodes)
    }
}
