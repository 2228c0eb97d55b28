//! The faults of a run, from its seed alone.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// The names of the nodes.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];

/// A node, by its place among the names.
pub(crate) type Node = usize;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// These nodes are killed, and started at the end.
    Kill(Vec<Node>),
    /// The node stands still.
    Stop(Node),
    /// Nothing reaches the node and nothing leaves it, also to and from clients.
    Isolate(Node),
    /// Two nodes do not hear each other.
    Pair(Node, Node),
    /// The second node does not hear the first one.
    OneWay(Node, Node),
    /// The node does not hear its peers, who hear it.
    Deaf(Node),
    /// Its peers do not hear the node, which hears them.
    Mute(Node),
    /// The link of the node is slow and loses packets.
    Slow(Node),
    /// The disk of the node is full.
    FullDisk(Node),
    /// Syncs of the node fail, and it is started again at the end.
    FailingSync(Node),
    /// Bits of contents of the node are flipped, each content on one node only.
    RotContents(Node),
    /// A bit in the synced part of the log of the node is flipped while it is off.
    RotLog(Node),
    /// The node ends by SIGTERM, and is started again at the end: with the new program, if it ran an old one.
    Restart(Node),
}

impl Fault {
    /// Its kind, for the ledger.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Fault::Kill(nodes) if nodes.len() == NODES.len() => "kill -9 of all nodes",
            Fault::Kill(nodes) if nodes.len() > 1 => "kill -9 of two nodes",
            Fault::Kill(_) => "kill -9",
            Fault::Stop(_) => "stop and continue",
            Fault::Isolate(_) => "cut of a node",
            Fault::Pair(..) => "cut of a pair",
            Fault::OneWay(..) => "one-way cut of a pair",
            Fault::Deaf(_) => "one-way cut: deaf",
            Fault::Mute(_) => "one-way cut: mute",
            Fault::Slow(_) => "slow link with losses",
            Fault::FullDisk(_) => "full disk",
            Fault::FailingSync(_) => "failing syncs",
            Fault::RotContents(_) => "flipped bits in contents",
            Fault::RotLog(_) => "flipped bit in a log",
            Fault::Restart(_) => "restart",
        }
    }
}

/// Faults that begin together, last this long, and end together, before a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) faults: Vec<Fault>,
    pub(crate) lasts: Duration,
    pub(crate) pause: Duration,
}

/// The rounds of a run, without end. With an older program, the first rounds replace it on one node after the other.
pub(crate) fn rounds(seed: u64, upgrades: bool) -> impl Iterator<Item = Round> {
    let mut random = StdRng::seed_from_u64(seed);
    let upgrades = if upgrades { NODES.len() } else { 0 };
    (0..).map(move |number| {
        let mut faults = Vec::new();
        // At most one fault of a process, one of the network and one of a disk at a time. A fault of a process that ends it is
        // no fault of the disk of the same node.
        let lanes = random.random_range(1..8_u8);
        let process = match number < upgrades {
            true => Fault::Restart(number),
            false => of_process(&mut random),
        };
        let (network, disk) = (of_network(&mut random), of_disk(&mut random));
        if lanes & 1 != 0 || number < upgrades {
            faults.push(process);
        }
        if lanes & 2 != 0 {
            faults.push(network);
        }
        if lanes & 4 != 0 && !faults.iter().any(|it| ends_one_of(it, &disk)) {
            faults.push(disk);
        }
        let milliseconds = |it| Duration::from_millis(it);
        Round {
            faults,
            lasts: milliseconds(random.random_range(300..6_000)),
            pause: milliseconds(random.random_range(200..4_000)),
        }
    })
}

fn of_process(random: &mut StdRng) -> Fault {
    let node = random.random_range(0..NODES.len());
    match random.random_range(0..100) {
        0..35 => Fault::Kill(vec![node]),
        35..45 => Fault::Kill((0..NODES.len()).filter(|it| *it != node).collect()),
        45..52 => Fault::Kill((0..NODES.len()).collect()),
        52..75 => Fault::Stop(node),
        75..85 => Fault::FailingSync(node),
        85..92 => Fault::RotLog(node),
        _ => Fault::Restart(node),
    }
}

fn of_network(random: &mut StdRng) -> Fault {
    let nodes: Vec<Node> = (0..NODES.len()).collect();
    let two: Vec<Node> = nodes.choose_multiple(random, 2).copied().collect();
    let (one, other) = (two[0], two[1]);
    match random.random_range(0..6) {
        0 => Fault::Isolate(one),
        1 => Fault::Pair(one, other),
        2 => Fault::OneWay(one, other),
        3 => Fault::Deaf(one),
        4 => Fault::Mute(one),
        _ => Fault::Slow(one),
    }
}

fn of_disk(random: &mut StdRng) -> Fault {
    let node = random.random_range(0..NODES.len());
    match random.random_bool(0.5) {
        true => Fault::FullDisk(node),
        false => Fault::RotContents(node),
    }
}

/// Whether the first fault ends the node that the second one is about.
fn ends_one_of(fault: &Fault, disk: &Fault) -> bool {
    let (Fault::FullDisk(at) | Fault::RotContents(at)) = disk else { return false };
    match fault {
        Fault::Kill(nodes) => nodes.contains(at),
        Fault::FailingSync(node) | Fault::RotLog(node) | Fault::Restart(node) => node == at,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_names_its_rounds_and_others_have_others() {
        let of = |seed| rounds(seed, false).take(50).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn every_kind_of_fault_occurs_within_an_hour() {
        let rounds: Vec<Round> = rounds(3, false).take(600).collect();
        let took: Duration = rounds.iter().map(|it| it.lasts + it.pause).sum();
        assert!(took < Duration::from_secs(3_600), "{took:?}");
        let kinds: BTreeSet<&str> =
            rounds.iter().flat_map(|it| &it.faults).map(Fault::kind).collect();
        assert_eq!(kinds.len(), 15, "{kinds:?}");
    }

    #[test]
    fn an_older_program_is_replaced_on_one_node_after_the_other() {
        let first: Vec<Round> = rounds(5, true).take(3).collect();
        for (node, round) in first.iter().enumerate() {
            assert!(round.faults.contains(&Fault::Restart(node)), "{round:?}");
        }
    }
}
