//! The settings of a cluster, which never change during the life of a log.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::NodeSet;

/// The largest cluster. Version vectors are arrays of this length.
pub const NODES_MAX: u8 = 7;

/// E, W and N: the votes needed to lead, the synced copies needed to acknowledge, and the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Settings {
    nodes: u8,
    elect: u8,
    write: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
        /// The value of E.
        elect: u8,
        /// The number of nodes.
        nodes: u8,
    },
    /// W is 0 or above N.
    #[error("W = {write}: the copies needed to acknowledge are 1 to {nodes}, the number of nodes")]
    Write {
        /// The value of W.
        write: u8,
        /// The number of nodes.
        nodes: u8,
    },
}

impl Settings {
    /// Settings of a cluster of `nodes` nodes, where a leader needs `elect` votes and acknowledges a write
    /// with `write` synced copies.
    ///
    /// # Errors
    /// A value is out of range; the error names it.
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

    /// N: the number of nodes.
    #[must_use]
    pub fn nodes(self) -> u8 {
        self.nodes
    }

    /// E: the number of votes that a leader needs, including its own.
    #[must_use]
    pub fn elect(self) -> usize {
        usize::from(self.elect)
    }

    /// W: the number of nodes, including the leader, that must have synced a write before the leader
    /// acknowledges it.
    #[must_use]
    pub fn write(self) -> usize {
        usize::from(self.write)
    }

    /// Whether the votes of these nodes suffice to lead.
    #[must_use]
    pub fn elects(self, voters: NodeSet) -> bool {
        voters.len() >= self.elect()
    }

    /// Whether a leader acknowledges a write that these nodes have synced, and answers a linearizable
    /// read that they have confirmed.
    #[must_use]
    pub fn acknowledges(self, copies: NodeSet) -> bool {
        copies.len() >= self.write()
    }

    /// E+W>N: the E voters of any election include one of the W nodes that hold an acknowledged write, so
    /// the store is linearizable.
    #[must_use]
    pub fn is_consistent(self) -> bool {
        self.elect() + self.write() > usize::from(self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |nodes, elect, write| Settings::new(nodes, elect, write).err();
        for nodes in [0, NODES_MAX + 1] {
            assert_eq!(refused(nodes, 1, 1), Some(SettingsError::Nodes(nodes)));
        }
        for it in [0, 4] {
            assert_eq!(refused(3, it, 1), Some(SettingsError::Elect { elect: it, nodes: 3 }));
            assert_eq!(refused(3, 1, it), Some(SettingsError::Write { write: it, nodes: 3 }));
        }
        for (nodes, it) in [(1, 1), (NODES_MAX, 1), (NODES_MAX, NODES_MAX)] {
            assert_eq!(refused(nodes, it, it), None);
        }
    }

    #[test]
    fn settings_are_consistent_if_every_election_meets_every_acknowledged_write() {
        for (nodes, elect, write, expected) in [
            (1, 1, 1, true),
            (2, 1, 1, false),
            (2, 1, 2, true),
            (2, 2, 1, true),
            (2, 2, 2, true),
            (3, 1, 1, false),
            (3, 1, 2, false),
            (3, 2, 1, false),
            (3, 1, 3, true),
            (3, 3, 1, true),
            (3, 2, 2, true),
            (4, 2, 2, false),
            (4, 3, 2, true),
            (7, 4, 4, true),
            (7, 3, 4, false),
        ] {
            let settings = Settings::new(nodes, elect, write).expect("legal settings");
            assert_eq!(settings.is_consistent(), expected, "{settings:?}");
        }
    }
}
