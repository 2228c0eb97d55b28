//! Version vectors.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Dot, NODES_MAX, NodeId, Sequence};

const LENGTH: usize = NODES_MAX as usize;

/// For each origin a sequence number, which stands for all entries of the origin up to it (Parker et al.,
/// "Detection of Mutual Inconsistency in Distributed Systems", IEEE TSE 9(3), 1983, section III).
///
/// An array, because copying two or three elements is faster than any shared structure.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionVector([Sequence; LENGTH]);

impl VersionVector {
    /// The sequence number of an origin; zero for an origin that no cluster has.
    #[must_use]
    pub fn sequence(&self, origin: NodeId) -> Sequence {
        self.0.get(origin.index()).copied().unwrap_or_default()
    }

    /// The newest entry of an origin that the vector includes.
    pub(crate) fn newest(&self, origin: NodeId) -> Option<Dot> {
        let sequence = self.sequence(origin);
        (sequence.0 > 0).then_some(Dot { origin, sequence })
    }

    /// The vector of an entry and those of its origin before it.
    pub(crate) fn up_to(dot: Dot) -> VersionVector {
        let mut vv = VersionVector::default();
        vv.insert(dot);
        vv
    }

    /// Whether the vector includes the entry with this dot.
    #[must_use]
    pub fn covers(&self, dot: Dot) -> bool {
        dot.sequence <= self.sequence(dot.origin)
    }

    /// Whether the vector includes all entries that `other` includes.
    #[must_use]
    pub fn includes(&self, other: &VersionVector) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, its)| mine >= its)
    }

    /// Includes the entry with this dot and all before it. Ignores an origin that no cluster has.
    pub fn insert(&mut self, dot: Dot) {
        if let Some(highest) = self.0.get_mut(dot.origin.index()) {
            *highest = dot.sequence.max(*highest);
        }
    }

    /// Includes all entries that `other` includes.
    pub fn merge(&mut self, other: &VersionVector) {
        for (mine, its) in self.0.iter_mut().zip(&other.0) {
            *mine = (*its).max(*mine);
        }
    }

    /// The number of entries that this vector includes and `other` does not.
    #[must_use]
    pub fn beyond(&self, other: &VersionVector) -> u64 {
        self.0.iter().zip(&other.0).map(|(mine, its)| mine.0.saturating_sub(its.0)).sum()
    }

    /// An entry that this vector includes and `other` lacks: the newest of the first such origin.
    pub(crate) fn first_beyond(&self, other: &VersionVector) -> Option<Dot> {
        let mut dots =
            (0..).map(NodeId).zip(&self.0).map(|(origin, it)| Dot { origin, sequence: *it });
        dots.find(|it| !other.covers(*it))
    }

    /// Whether it covers no entry of a node outside a cluster of this many nodes.
    pub(crate) fn is_within(&self, nodes: u8) -> bool {
        self.significant().len() <= usize::from(nodes)
    }

    /// The entries that both vectors include.
    #[must_use]
    pub fn meet(&self, other: &VersionVector) -> VersionVector {
        let mut meet = *self;
        for (mine, its) in meet.0.iter_mut().zip(&other.0) {
            *mine = (*its).min(*mine);
        }
        meet
    }

    fn significant(&self) -> &[Sequence] {
        let length = self.0.iter().rposition(|it| it.0 > 0).map_or(0, |last| last + 1);
        &self.0[..length]
    }
}

impl fmt::Display for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.significant().iter().map(Sequence::to_string).collect();
        write!(f, "[{}]", counts.join(","))
    }
}

impl fmt::Debug for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for VersionVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.significant().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for VersionVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = Vec::<Sequence>::deserialize(deserializer)?;
        let mut vv = VersionVector::default();
        if counts.len() > LENGTH {
            return Err(serde::de::Error::invalid_length(counts.len(), &"at most 7 counts"));
        }
        vv.0[..counts.len()].copy_from_slice(&counts);
        Ok(vv)
    }
}
