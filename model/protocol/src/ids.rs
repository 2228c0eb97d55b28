//! Identifiers and counters, one type for each meaning.

use std::fmt;
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The value that follows this one; the last value follows itself.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// The round of an epoch: the number of leaderships attempted so far, including this one.
    Round
);
counter!(
    /// The number of an entry among those of its origin, from 1. Zero means that there is none yet.
    Sequence
);
counter!(
    /// A Lamport counter (Lamport, "Time, Clocks, and the Ordering of Events", CACM 21(7), 1978).
    Counter
);
counter!(
    /// A number that a leader puts into its Appends and an Ack echoes. A linearizable read issues a
    /// new one, so that the leader knows which Acks were sent after the read began.
    Tag
);
counter!(
    /// The place of a record in a node's log, counted from 1. The index of the last record is also
    /// how many records the log holds; zero stands for an empty log.
    LogIndex
);
counter!(
    /// The id of a session: one connection between two nodes, from link-up to link-down. A later
    /// session between the two has a higher id.
    SessionId
);

/// One start of a node, from its recovery to its end or crash. No other start of the node has the same one, even after a
/// rollback of its log. Zero is that of entries from before there were incarnations, and of models, which have no such entries.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl SessionId {
    /// The first session between two nodes.
    pub const FIRST: SessionId = SessionId(1);
}

/// The id of a member of the cluster, from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub u8);

impl NodeId {
    /// The index of this node in an array with one element per node.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// All members of a cluster of `nodes`, in order.
    pub fn all(nodes: u8) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator {
        (0..nodes).map(NodeId)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A set of nodes. Simulator and checker ask it in every step, so its methods are inlined across
/// crates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeSet(u8);

impl NodeSet {
    /// The set of the nodes whose bits are set; bit 0 stands for node 0.
    #[must_use]
    #[inline]
    pub fn from_bits(bits: u8) -> Self {
        NodeSet(bits)
    }

    /// The members as bits, bit 0 for node 0.
    #[must_use]
    #[inline]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Adds a node; ignores ids above 7, which no cluster has.
    #[inline]
    pub fn insert(&mut self, node: NodeId) {
        self.0 |= 1_u8.checked_shl(u32::from(node.0)).unwrap_or(0);
    }

    /// Removes a node.
    pub(crate) fn remove(&mut self, node: NodeId) {
        self.0 &= !1_u8.checked_shl(u32::from(node.0)).unwrap_or(0);
    }

    /// Whether the node is a member.
    #[must_use]
    #[inline]
    pub fn contains(self, node: NodeId) -> bool {
        self.0 & 1_u8.checked_shl(u32::from(node.0)).unwrap_or(0) != 0
    }

    /// The number of members.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set has no member.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut bits = self.0;
        iter::from_fn(move || {
            let lowest = u8::try_from(bits.trailing_zeros()).ok().filter(|it| *it < 8)?;
            bits &= bits - 1;
            Some(NodeId(lowest))
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = NodeSet::default();
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|node| node.to_string()).collect();
        write!(f, "{{{}}}", names.join(","))
    }
}

/// The name of one leadership: unique, and totally ordered by the round and then by the node that
/// leads.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch {
    /// The round.
    pub round: Round,
    /// The only node that may lead this epoch.
    pub node: NodeId,
}

impl Epoch {
    /// The epoch before the first leadership.
    pub const ZERO: Epoch = Epoch { round: Round(0), node: NodeId(0) };
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Epoch::ZERO {
            write!(f, "e0")
        } else {
            write!(f, "e{}.{}", self.round, self.node)
        }
    }
}

/// The name of an entry: the node that made it, and a number. The numbers of a node have no gaps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Dot {
    /// The node that made the entry.
    pub origin: NodeId,
    /// The entry's number among those of its origin.
    pub sequence: Sequence,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.origin, self.sequence)
    }
}

/// The id of a client's request. A retry has the id of the first try.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RequestId {
    /// The client, unique among all clients.
    pub client: u64,
    /// The number of the request. A client numbers its requests in rising order: once a leader has logged
    /// one, it refuses the earlier ones that it has not logged.
    pub number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}/{}", self.client, self.number)
    }
}

/// The name of a file. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(Arc<str>);

/// Why a name is no legal path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// It has no character.
    #[error("the path is empty: a path has 1 to {PATH_BYTES_MAX} bytes")]
    Empty,
    /// It is longer than [`PATH_BYTES_MAX`].
    #[error("the path has {0} bytes: a path has 1 to {PATH_BYTES_MAX} bytes")]
    TooLong(usize),
    /// It begins or ends with `/`, or has two in a row.
    #[error("the path has an empty component: it neither begins nor ends with /, nor has // in it")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("the path has a component . or .., which would name another place")]
    Relative,
    /// It has a control character, such as NUL.
    #[error("the path has the control character U+{:04X}", u32::from(*.0))]
    Control(char),
}

/// The length of the longest legal path in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

impl Path {
    /// The path with this name, which need not be legal: the protocol does not look into names, and runs of
    /// a checker or simulator use short ones.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Path(name.into())
    }

    /// The path with a name from outside. A legal path has 1 to [`PATH_BYTES_MAX`] bytes of UTF-8 in
    /// components separated by `/`. No component is empty, `.` or `..`, and none has a control character.
    ///
    /// ```
    /// use steadfast_protocol::{Path, PathError};
    ///
    /// assert_eq!(Path::parse("photos/2026/lake.jpg").expect("legal").as_str(), "photos/2026/lake.jpg");
    /// assert_eq!(Path::parse("photos/../keys"), Err(PathError::Relative));
    /// ```
    ///
    /// # Errors
    /// The name is no legal path; the error says which rule it breaks.
    pub fn parse(name: &str) -> Result<Self, PathError> {
        if name.is_empty() {
            return Err(PathError::Empty);
        }
        if name.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong(name.len()));
        }
        if let Some(control) = name.chars().find(|it| it.is_control()) {
            return Err(PathError::Control(control));
        }
        match name.split('/').find(|it| matches!(*it, "" | "." | "..")) {
            None => Ok(Path::new(name)),
            Some("") => Err(PathError::EmptyComponent),
            Some(_) => Err(PathError::Relative),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_from_outside_follows_the_rules() {
        let longest = "a".repeat(PATH_BYTES_MAX);
        for legal in ["a", "a/b.c", "...", "a..b", ".hidden", " ", "\u{e9}/\u{4f60}", &longest] {
            assert_eq!(Path::parse(legal).expect("legal").as_str(), legal);
        }
        let too_long = "a".repeat(PATH_BYTES_MAX + 1);
        for (name, why) in [
            ("", PathError::Empty),
            (&too_long, PathError::TooLong(PATH_BYTES_MAX + 1)),
            ("/a", PathError::EmptyComponent),
            ("a/", PathError::EmptyComponent),
            ("a//b", PathError::EmptyComponent),
            (".", PathError::Relative),
            ("a/../b", PathError::Relative),
            ("a\0b", PathError::Control('\0')),
            ("a\nb", PathError::Control('\n')),
            ("a\u{9b}b", PathError::Control('\u{9b}')),
        ] {
            assert_eq!(Path::parse(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn a_set_of_nodes_is_its_bits() {
        let mut set = NodeSet::default();
        assert!(set.is_empty() && set.bits() == 0);
        [0, 2, 8].map(NodeId).into_iter().for_each(|node| set.insert(node));
        assert!(!set.is_empty() && set == NodeSet::from_bits(0b101));
        assert_eq!((set.bits(), set.len()), (0b101, 2));
        assert_eq!(set.iter().collect::<Vec<_>>(), [NodeId(0), NodeId(2)]);
        set.remove(NodeId(0));
        assert_eq!([0, 2, 8].map(|node| set.contains(NodeId(node))), [false, true, false]);
    }
}
