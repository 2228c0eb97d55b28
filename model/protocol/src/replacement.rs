//! Replacement: a new log for a node whose own log is lost, made from the logs of all other nodes while all nodes
//! are down.
//!
//! A lost log held three facts that other nodes rely on: which epoch its node has promised to follow, which entries the
//! node has acknowledged, and which numbers it has given to entries. The logs of *all* other nodes hold these
//! facts as far as any node has seen them:
//!
//! - *Promises.* A candidate syncs its promise before it asks for votes, and a leader leads an epoch that it has
//!   promised. So whoever asked the lost node to promise an epoch holds a promise that is as high, unless that was the lost
//!   node itself; and an epoch that it promised to itself was seen by those nodes alone that synced the same promise.
//! - *Acknowledged entries.* A follower acknowledges what a leader has sent, and a leader sends only what it has
//!   synced. So every entry of another origin that the lost node acknowledged is in another log. Of its own entries,
//!   one that a client was told of is synced on W nodes. With W of 2 or more, one of them is not the lost node.
//! - *Numbers.* A node syncs an entry before it sends it, and a receiver syncs it before it passes it on. So whoever has
//!   shown an entry of the lost node to anybody holds it. A number that no log holds was seen by nobody and is free.
//!
//! The argument needs that all nodes are down: then no session is left, no message is under way, and no node knows
//! anything but its log. It needs every log: the one that is left out may hold the promise or the entry that matters.
//! With W = 1 the entries are lost that the node acknowledged alone.
//!
//! The join of two logs is that of state transfer: each log is joined as one [`State`] of everything in it, which
//! brings vector, lineages, heads, counter and requests. What remains of a log is considered here:
//!
//! - The promise is no part of a state. The new log has the highest one.
//! - The new log holds heads only, as after a trim, so its floor is its whole vector. Other logs may hold some
//!   entries only as state; which log could still send which entry does not matter, because a node below the floor
//!   gets state.
//! - Staged parts of states are left out. They do not count before the last part has come, and their senders' sessions
//!   have ended; the contents of their heads are not needed without them.
//! - A delete that one log has forgotten and another holds stays forgotten or comes back, by the order of the logs.
//!   Both are right, and the new log knows that it may be forgotten: all nodes hold the delete, the lost one included,
//!   and every entry that may still come has seen it.
//! - Stable vectors, roles, sessions and wants are volatile, so they are not in any log.

use thiserror::Error;

use crate::parameters::Room;
use crate::replica::replay;
use crate::{
    Checkpoint, Decisions, Dot, Entry, Epoch, Fold, Identity, Log, LogIndex, NodeId, Place, Record,
    RecoverError, Sealed, Sequence, Settings, VersionVector,
};

/// Why no log can be made for a lost node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplacementError {
    /// A cluster of one node has no other logs.
    #[error("a cluster of one node has no other logs from which a new one could be made")]
    Alone,
    /// The node to be replaced is not a member.
    #[error("{node} is not a node of a cluster with {settings:?}")]
    Stranger {
        /// The node.
        node: NodeId,
        /// The settings of the cluster.
        settings: Settings,
    },
    /// A log does not begin with an identity.
    #[error(
        "log number {log} does not begin with an identity record, so it does not say which node owns it"
    )]
    NoIdentity {
        /// The place of the log among those that were given, from 1.
        log: usize,
    },
    /// A log belongs to a cluster with other settings.
    #[error("the log of {node} belongs to a cluster with {found:?}, not with {expected:?}")]
    OtherSettings {
        /// The owner of the log.
        node: NodeId,
        /// The settings in the log.
        found: Settings,
        /// The settings of the node that is replaced.
        expected: Settings,
    },
    /// The lost log is among the logs.
    #[error("there is a log of {node} itself, which is to be replaced")]
    OwnLog {
        /// The node that is replaced.
        node: NodeId,
    },
    /// Two logs have the same owner.
    #[error("there are two logs of {node}")]
    Twice {
        /// Their owner.
        node: NodeId,
    },
    /// The log of a node was not given.
    #[error("the log of {node} is missing, and the logs of all other nodes are needed")]
    Missing {
        /// The node.
        node: NodeId,
    },
    /// No node could have written a log.
    #[error("the log of {node} is damaged: {why}")]
    Damaged {
        /// The owner of the log.
        node: NodeId,
        /// The reason.
        why: RecoverError,
    },
    /// A log lacks entries that its own node made and another node holds.
    #[error(
        "the log of {node} has lost records, or was copied before the node stopped: it holds {logged} entries of \
         its own, and {peer} holds {held} of them"
    )]
    LacksOwnEntries {
        /// The owner of the log.
        node: NodeId,
        /// The node that holds more.
        peer: NodeId,
        /// How many entries of `node` the peer holds.
        held: Sequence,
        /// How many of them `node` holds.
        logged: Sequence,
    },
    /// A log lacks a promise that its own node made before another node made it.
    #[error(
        "the log of {node} has lost records, or was copied before the node stopped: {peer} follows it in epoch {held}, \
         and {node} itself has promised only {logged}"
    )]
    LacksOwnPromise {
        /// The owner of the log.
        node: NodeId,
        /// The node that has promised more.
        peer: NodeId,
        /// The promise of the peer.
        held: Epoch,
        /// The promise of `node`.
        logged: Epoch,
    },
    /// A log lacks a delete that another node has forgotten, and so knew to be in all logs.
    #[error(
        "the log of {node} has lost records, or was copied before the node stopped: it lacks {dot}, which {peer} has \
         forgotten because all nodes held it"
    )]
    LacksForgotten {
        /// The owner of the log.
        node: NodeId,
        /// The node that has forgotten the delete.
        peer: NodeId,
        /// The newest forgotten delete of its origin.
        dot: Dot,
    },
    /// Two logs hold different entries under the same dots.
    #[error("the logs of {one} and {other} hold different entries among those of {vv}")]
    EntriesDiffer {
        /// The owner of the one log.
        one: NodeId,
        /// The owner of the other.
        other: NodeId,
        /// The vector of the entries that differ.
        vv: VersionVector,
    },
}

/// Makes the log of a node whose own log is lost: its first and only record, from the logs of all other nodes, in any
/// order. Each log holds only records that are durable, and all nodes must be down until the new log is.
///
/// # Errors
/// Names the log that is missing, given twice, of another cluster, or damaged; and logs that contradict each other,
/// which means that one of them has lost records.
// Ensures: G1, G5 and G9, because everything that a node has seen of the lost log is in another log.
pub fn replacement(
    identity: Identity,
    logs: &[&[Record]],
    decisions: &dyn Decisions,
) -> Result<Sealed<Checkpoint>, ReplacementError> {
    let logs = read(identity, logs, decisions)?;
    for (at, one) in logs.iter().enumerate() {
        logs.iter().try_for_each(|other| check_complete(one, other))?;
        // For speed: a comparison of a log with itself, or of two logs again, would find nothing.
        logs[at + 1..].iter().try_for_each(|other| check_entries(one, other))?;
    }
    let mut fold = Fold::default();
    for (_, log) in logs.iter().filter(|it| decisions.joins_log_of(it.0)) {
        fold.promise = fold.promise.max(log.promise());
        fold.apply(&whole(log.fold(), decisions), decisions);
    }
    let fold = decisions.replacement(fold, identity.node);
    Ok(Sealed::new(Checkpoint { identity, length: LogIndex(1), fold }))
}

type NodeLog = (NodeId, Log);

/// The logs of all nodes but the lost one.
fn read(
    lost: Identity,
    logs: &[&[Record]],
    decisions: &dyn Decisions,
) -> Result<Vec<NodeLog>, ReplacementError> {
    let Identity { node, settings } = lost;
    let is_member = |it: NodeId| it.0 < settings.nodes();
    match is_member(node) {
        false => return Err(ReplacementError::Stranger { node, settings }),
        true if settings.nodes() == 1 => return Err(ReplacementError::Alone),
        true => {}
    }
    let mut read: Vec<NodeLog> = Vec::new();
    for (number, records) in (1..).zip(logs) {
        let owner = owner_of(number, records, lost)?;
        if read.iter().any(|it| it.0 == owner.node) {
            return Err(ReplacementError::Twice { node: owner.node });
        }
        let log = replay(owner, records, decisions);
        let log = log.map_err(|why| ReplacementError::Damaged { node: owner.node, why })?;
        read.push((owner.node, log));
    }
    let has_log = |it: &NodeId| *it == node || read.iter().any(|log| log.0 == *it);
    match NodeId::all(settings.nodes()).find(|it| !has_log(it)) {
        Some(node) => Err(ReplacementError::Missing { node }),
        None => Ok(read),
    }
}

fn owner_of(
    number: usize,
    records: &[Record],
    lost: Identity,
) -> Result<Identity, ReplacementError> {
    let owner = records.first().and_then(Record::identity);
    let owner = owner.ok_or(ReplacementError::NoIdentity { log: number })?;
    let Identity { node, settings: expected } = lost;
    if owner.settings != expected {
        let (node, found) = (owner.node, owner.settings);
        return Err(ReplacementError::OtherSettings { node, found, expected });
    }
    if owner.node.0 >= expected.nodes() {
        return Err(ReplacementError::Stranger { node: owner.node, settings: expected });
    }
    match owner.node == node {
        true => Err(ReplacementError::OwnLog { node }),
        false => Ok(owner),
    }
}

/// Checks that a log has all that it must have, given another node's log: the promises and entries that came from its own
/// node, which syncs them before it sends them, and the deletes that the other node has forgotten, which all nodes held.
fn check_complete((node, log): &NodeLog, (peer, other): &NodeLog) -> Result<(), ReplacementError> {
    let (node, peer) = (*node, *peer);
    let (held, logged) = (other.sequence(node), log.sequence(node));
    if held > logged {
        return Err(ReplacementError::LacksOwnEntries { node, peer, held, logged });
    }
    let (held, logged) = (other.promise(), log.promise());
    if held.node == node && held > logged {
        return Err(ReplacementError::LacksOwnPromise { node, peer, held, logged });
    }
    match other.fold().forgotten().first_beyond(log.vv()) {
        Some(dot) => Err(ReplacementError::LacksForgotten { node, peer, dot }),
        None => Ok(()),
    }
}

/// Checks that two logs hold the same entries under the same dots, as far as they still know.
fn check_entries((one, mine): &NodeLog, (other, its): &NodeLog) -> Result<(), ReplacementError> {
    let differ = |vv| Err(ReplacementError::EntriesDiffer { one: *one, other: *other, vv });
    let both = mine.vv().meet(its.vv());
    for dot in NodeId::all(crate::NODES_MAX).filter_map(|it| both.newest(it)) {
        let vv = VersionVector::up_to(dot);
        let digests = mine.digest(&vv).zip(its.digest(&vv));
        if digests.is_some_and(|(one, other)| one != other) {
            return differ(vv);
        }
    }
    // Entries from before there were incarnations have no lineages that could differ.
    let differs = |it: &&Entry| its.entry(it.dot).is_some_and(|other| other != *it);
    match mine.entries().find(differs) {
        Some(entry) => differ(VersionVector::up_to(entry.dot)),
        None => Ok(()),
    }
}

/// A fold as one state that builds on nothing.
fn whole(fold: &Fold, decisions: &dyn Decisions) -> Record {
    let nothing = VersionVector::default();
    let state = fold.part(&nothing, &Place::Start, Room::unlimited(), decisions);
    assert!(state.until.is_none(), "whole-logs-are-joined: no room is left in the state of a log");
    Record::State(Sealed::new(state))
}

impl Fold {
    /// The fold without the entries of a node, for a twin.
    #[must_use]
    pub fn without_entries_of(mut self, node: NodeId) -> Fold {
        let kept = NodeId::all(crate::NODES_MAX).filter(|it| *it != node);
        let (vv, lineages) = (self.vv, std::mem::take(&mut self.lineages));
        self.vv = VersionVector::default();
        for origin in kept {
            self.vv.insert(Dot { origin, sequence: vv.sequence(origin) });
            self.lineages.take(origin, &lineages);
        }
        for path in self.files.iter().map(|it| it.0.clone()).collect::<Vec<_>>() {
            let heads = self.files.heads(&path).iter().filter(|it| it.dot.origin != node);
            self.files.put(&path, heads.cloned().collect());
        }
        self
    }
}
