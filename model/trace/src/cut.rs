//! Cuts: which messages a broken network loses.

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{NodeId, NodeSet};

/// The largest cluster that [`NodeSet`] holds.
pub(crate) const NODES_MAX: u8 = 8;

/// A set of ordered pairs of different nodes: the directions in which messages travel.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<(NodeId, NodeId)>", into = "Vec<(NodeId, NodeId)>")]
pub struct Directions(u64);

impl Directions {
    /// Adds the direction from one node to another; none leads from a node to itself, or from or to
    /// a node beyond the largest cluster.
    pub fn insert(&mut self, from: NodeId, to: NodeId) {
        if from != to && from.0 < NODES_MAX && to.0 < NODES_MAX {
            self.0 |= bit(from, to);
        }
    }

    /// Removes the direction from one node to another.
    pub fn remove(&mut self, from: NodeId, to: NodeId) {
        if self.contains(from, to) {
            self.0 &= !bit(from, to);
        }
    }

    /// Whether messages from one node to another travel in a direction of the set.
    #[must_use]
    pub fn contains(self, from: NodeId, to: NodeId) -> bool {
        from.0 < NODES_MAX && to.0 < NODES_MAX && self.0 & bit(from, to) != 0
    }

    /// How many directions there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The directions as pairs of sender and receiver, in order.
    pub fn iter(self) -> impl Iterator<Item = (NodeId, NodeId)> {
        let pairs = NodeId::all(NODES_MAX)
            .flat_map(|from| NodeId::all(NODES_MAX).map(move |to| (from, to)));
        pairs.filter(move |(from, to)| self.contains(*from, *to))
    }

    /// The links of which the set has a direction, each as its lower and its higher end.
    pub fn links(self) -> impl Iterator<Item = (NodeId, NodeId)> {
        let is_first = move |(from, to): &(NodeId, NodeId)| from < to || !self.contains(*to, *from);
        self.iter().filter(is_first).map(|(from, to)| (from.min(to), from.max(to)))
    }

    /// Whether the set has both directions of each of its links.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        self.iter().all(|(from, to)| self.contains(to, from))
    }
}

fn bit(from: NodeId, to: NodeId) -> u64 {
    1 << (u32::from(from.0) * u32::from(NODES_MAX) + u32::from(to.0))
}

impl FromIterator<(NodeId, NodeId)> for Directions {
    fn from_iter<I: IntoIterator<Item = (NodeId, NodeId)>>(pairs: I) -> Self {
        let mut set = Directions::default();
        pairs.into_iter().for_each(|(from, to)| set.insert(from, to));
        set
    }
}

impl From<Vec<(NodeId, NodeId)>> for Directions {
    fn from(pairs: Vec<(NodeId, NodeId)>) -> Self {
        pairs.into_iter().collect()
    }
}

impl From<Directions> for Vec<(NodeId, NodeId)> {
    fn from(set: Directions) -> Self {
        set.iter().collect()
    }
}

impl fmt::Display for Directions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.links().map(|(low, high)| {
            match (self.contains(low, high), self.contains(high, low)) {
                (true, true) => format!("{low} <-> {high}"),
                (true, false) => format!("{low} -> {high}"),
                _ => format!("{high} -> {low}"),
            }
        });
        f.write_str(&named.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Debug for Directions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// A cut. [`Cut::of`] gives each set of lost directions the one form that traces use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cut {
    /// A split of the cluster: nothing leaves `side`, and unless `one_way` nothing enters it.
    Around {
        /// One side; of a split in both directions the one that node 0 is on.
        side: NodeSet,
        /// Whether the other direction still works.
        one_way: bool,
    },
    /// Any other set of directions, in which everything is lost.
    Links {
        /// The directions.
        lost: Directions,
    },
}

impl Cut {
    /// The cut of a cluster of this many nodes that loses these directions; `None` if they are none.
    #[must_use]
    pub fn of(lost: Directions, nodes: u8) -> Option<Cut> {
        let is_member = |it: &NodeId| it.0 < nodes;
        let pairs = lost.iter().filter(|(from, to)| is_member(from) && is_member(to));
        let lost: Directions = pairs.collect();
        if lost.is_empty() {
            return None;
        }
        // Every split loses at least one direction between one node and each of the others.
        if lost.len() + 1 < usize::from(nodes) {
            return Some(Cut::Links { lost });
        }
        let mut splits = Cut::splits(nodes, true);
        Some(splits.find(|it| it.lost(nodes) == lost).unwrap_or(Cut::Links { lost }))
    }

    /// All splits of a cluster of this many nodes, in a fixed order.
    pub fn splits(nodes: u8, one_way_too: bool) -> impl Iterator<Item = Cut> {
        let everyone = u8::try_from((1_u16 << nodes.min(NODES_MAX)) - 1).unwrap_or(u8::MAX);
        (1..everyone).map(NodeSet::from_bits).flat_map(move |side| {
            let both = side.contains(NodeId(0)).then_some(Cut::Around { side, one_way: false });
            let one = one_way_too.then_some(Cut::Around { side, one_way: true });
            both.into_iter().chain(one)
        })
    }

    /// All cuts of a cluster of this many nodes that are no splits and lose directions of up to
    /// `links` links, in a fixed order; without `one_way_too` both directions of each.
    #[must_use]
    pub fn of_links(nodes: u8, links: u32, one_way_too: bool) -> Vec<Cut> {
        let pairs =
            NodeId::all(nodes).flat_map(|high| NodeId::all(high.0).map(move |low| (low, high)));
        let mut sets = vec![(Directions::default(), 0)];
        for (low, high) in pairs {
            let both = [(low, high), (high, low)];
            let choices: &[&[(NodeId, NodeId)]] = match one_way_too {
                true => &[&both, &both[..1], &both[1..]],
                false => &[&both],
            };
            let fewer: Vec<_> = sets.iter().filter(|it| it.1 < links).copied().collect();
            for (set, count) in fewer {
                let more = choices.iter().map(|it| set.iter().chain(it.iter().copied()).collect());
                sets.extend(more.map(|it: Directions| (it, count + 1)));
            }
        }
        let cuts = sets.into_iter().filter_map(|(lost, _)| Cut::of(lost, nodes));
        cuts.filter(|it| matches!(it, Cut::Links { .. })).collect()
    }

    /// Whether it loses messages from one node to another.
    #[must_use]
    pub fn loses(self, from: NodeId, to: NodeId) -> bool {
        match self {
            Cut::Around { side, one_way } => {
                let (from, to) = (side.contains(from), side.contains(to));
                from != to && (from || !one_way)
            }
            Cut::Links { lost } => lost.contains(from, to),
        }
    }

    /// Whether it loses messages between two nodes in either direction.
    #[must_use]
    pub fn separates(self, one: NodeId, other: NodeId) -> bool {
        self.loses(one, other) || self.loses(other, one)
    }

    /// Every direction that it loses in a cluster of this many nodes.
    #[must_use]
    pub fn lost(self, nodes: u8) -> Directions {
        let pairs =
            NodeId::all(nodes).flat_map(|from| NodeId::all(nodes).map(move |to| (from, to)));
        pairs.filter(|(from, to)| self.loses(*from, *to)).collect()
    }

    /// Whether some link that it touches still works in one direction.
    #[must_use]
    pub fn is_one_way(self) -> bool {
        match self {
            Cut::Around { one_way, .. } => one_way,
            Cut::Links { lost } => !lost.is_symmetric(),
        }
    }

    /// How many links a cut loses that is no split; 0 for a split.
    #[must_use]
    pub fn lost_links(self) -> u32 {
        match self {
            Cut::Around { .. } => 0,
            Cut::Links { lost } => lost.links().map(|_| 1).sum(),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Around { side, one_way: false } => write!(f, "around {side}"),
            Cut::Around { side, one_way: true } => write!(f, "nothing leaves {side}"),
            Cut::Links { lost } => write!(f, "lost links: {lost}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directions(pairs: &[(u8, u8)]) -> Directions {
        pairs.iter().map(|(from, to)| (NodeId(*from), NodeId(*to))).collect()
    }

    #[test]
    fn every_set_of_directions_of_three_nodes_has_one_form_that_loses_just_these() {
        let all: Vec<_> = Cut::Around { side: NodeSet::from_bits(0b001), one_way: false }
            .lost(3)
            .iter()
            .chain([(NodeId(1), NodeId(2)), (NodeId(2), NodeId(1))])
            .collect();
        assert_eq!(all.len(), 6);
        for bits in 1_u32..1 << 6 {
            let chosen = all.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
            let lost: Directions = chosen.map(|(_, pair)| *pair).collect();
            let cut = Cut::of(lost, 3).expect("a cut that loses something");
            assert_eq!(cut.lost(3), lost);
            let json = serde_json::to_string(&cut).expect("JSON");
            assert_eq!(serde_json::from_str::<Cut>(&json).expect("a cut"), cut, "{json}");
        }
        assert_eq!(Cut::of(Directions::default(), 3), None);
        assert_eq!(Cut::of(directions(&[(3, 4)]), 3), None, "nodes of no cluster of three");
    }

    #[test]
    fn a_split_keeps_the_form_that_older_traces_have() {
        let json = r#"{"side":3,"one_way":true}"#;
        let cut: Cut = serde_json::from_str(json).expect("a split");
        assert_eq!(cut, Cut::Around { side: NodeSet::from_bits(3), one_way: true });
        assert_eq!(serde_json::to_string(&cut).expect("JSON"), json);
        assert_eq!(Cut::of(cut.lost(3), 3), Some(cut));
        // The same split, named by its other side.
        let other = Cut::Around { side: NodeSet::from_bits(0b110), one_way: false };
        let named = Cut::Around { side: NodeSet::from_bits(0b001), one_way: false };
        assert_eq!(Cut::of(other.lost(3), 3), Some(named));
    }

    #[test]
    fn one_link_of_three_is_lost_in_nine_ways_and_none_of_them_is_a_split() {
        let cuts = Cut::of_links(3, 1, true);
        let named: Vec<String> = cuts.iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), 9, "{named:?}");
        assert_eq!(named[..2], ["lost links: n0 <-> n1", "lost links: n0 -> n1"]);
        assert_eq!(Cut::of_links(3, 1, false).len(), 3);
        // Two links that meet in a node, both ways, are the split around that node.
        assert_eq!(Cut::of_links(3, 2, false).len(), 3);
        assert!(Cut::of_links(2, 1, true).is_empty());
    }
}
