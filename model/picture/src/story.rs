//! A story: a run as data that every picture is drawn from.
//!
//! A story keeps differences and no states, so that its size grows with the events and not with
//! the size of the cluster's state times the number of steps.

use std::collections::BTreeMap;

use steadfast_protocol::NodeId;
use steadfast_trace::{Cut, Step};

/// A run, or the last part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// The scope, and the variant if one ran.
    pub title: String,
    /// Further facts about the run: a name and its value.
    pub about: Vec<(&'static str, String)>,
    /// The number of nodes.
    pub nodes: u8,
    /// The number of lanes that the client operations need.
    pub client_lanes: usize,
    /// The number of the last step that is left out at the beginning; 0 when none is.
    pub first: usize,
    /// The nodes where the story begins.
    pub start: Vec<NodeFacts>,
    /// The steps, in order. The first has the number `first + 1`.
    pub moments: Vec<Moment>,
    /// The messages, in the order in which they were sent.
    pub flights: Vec<Flight>,
    /// The client operations, in the order in which they were invoked.
    pub operations: Vec<Operation>,
    /// The spans: conditions that last longer than one step.
    pub spans: Vec<Span>,
    /// Where guarantees break.
    pub breaks: Vec<Break>,
    /// Why the story ends here, if the run did not.
    pub ends_early: Option<String>,
}

impl Story {
    /// The number of the last step.
    #[must_use]
    pub fn last(&self) -> usize {
        self.first + self.moments.len()
    }

    /// The step of a number.
    #[must_use]
    pub fn moment(&self, number: usize) -> Option<&Moment> {
        self.moments.get(number.checked_sub(self.first + 1)?)
    }

    /// The paths that occur in the story, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let paths = self.moments.iter().flat_map(|it| &it.paths).map(String::as_str);
        let paths: std::collections::BTreeSet<&str> = paths.collect();
        paths.into_iter().collect()
    }

    /// The first step at which two stories of the same steps differ.
    #[must_use]
    pub fn parts_from(&self, other: &Story) -> Option<usize> {
        let mut both = self.moments.iter().zip(&other.moments);
        let is_same =
            |one: &Moment, other: &Moment| one.words == other.words && one.changes == other.changes;
        let differs = both.find(|(one, other)| !is_same(one, other)).map(|(one, _)| one.number);
        let shorter = self.last().min(other.last());
        differs.or((self.last() != other.last()).then_some(shorter + 1))
    }
}

/// The role of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It follows the leader of its promise, or no leader.
    #[default]
    Follows,
    /// It asks for votes.
    Asks,
    /// It leads.
    Leads,
    /// It is up and has halted: its log contradicts the log of a peer, or cannot be written.
    Halted,
    /// It is down.
    Down,
}

/// One node, with the facts that a story shows of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeFacts {
    /// Its role.
    pub role: Role,
    /// Its promise.
    pub epoch: String,
    /// Its log.
    pub log: Vec<LogRecord>,
    /// The number of its synced records.
    pub synced: usize,
    /// Per path the versions that are shown: first the visible one, then the conflicts.
    pub shows: BTreeMap<String, Vec<String>>,
    /// The contents beside the log: `good`, `bad` or `missing`.
    pub copies: BTreeMap<String, &'static str>,
    /// The sessions that it has seen begin and not end, by peer.
    pub sessions: BTreeMap<NodeId, u64>,
}

/// A record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The record in words.
    pub words: String,
    /// The path that it is about.
    pub path: Option<String>,
}

/// One step with its changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Its number in the run, from 1.
    pub number: usize,
    /// The step.
    pub step: Step,
    /// The same in words.
    pub words: String,
    /// The nodes that took part.
    pub nodes: Vec<NodeId>,
    /// The paths that it is about.
    pub paths: Vec<String>,
    /// The steps that this one follows from directly: the last ones of the same nodes, and the one
    /// that sent the message that arrives here.
    pub causes: Vec<usize>,
    /// Its changes.
    pub changes: Vec<Change>,
}

/// One difference that a step made.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Records were appended to a log.
    Appended {
        /// The node.
        node: NodeId,
        /// The records.
        records: Vec<LogRecord>,
    },
    /// A log is synced up to a record.
    Synced {
        /// The node.
        node: NodeId,
        /// The number of synced records.
        synced: usize,
        /// The number of records of the log.
        of: usize,
    },
    /// A log lost its end.
    Truncated {
        /// The node.
        node: NodeId,
        /// The number of records that remain.
        left: usize,
        /// The number of records that are gone.
        gone: usize,
    },
    /// A log was trimmed: a checkpoint stands for its first records.
    Trimmed {
        /// The node.
        node: NodeId,
        /// All records of the log now.
        records: Vec<LogRecord>,
    },
    /// A node changes its role, or follows another epoch.
    Became {
        /// The node.
        node: NodeId,
        /// Its role now.
        role: Role,
        /// Its promise.
        epoch: String,
    },
    /// A node shows different versions of a path.
    Shows {
        /// The node.
        node: NodeId,
        /// The path.
        path: String,
        /// First the visible version, then the conflicts.
        versions: Vec<String>,
    },
    /// The copy of a content changed.
    Copy {
        /// The node.
        node: NodeId,
        /// Which content.
        content: String,
        /// `good`, `bad` or `missing`.
        state: &'static str,
    },
    /// One end of a connection saw it begin (a session) or end.
    Link {
        /// The end.
        node: NodeId,
        /// The other end.
        peer: NodeId,
        /// The session that began.
        session: Option<u64>,
    },
    /// A message was sent: its place in [`Story::flights`].
    Sent(usize),
    /// A message arrived.
    Arrived(usize),
    /// A message was lost.
    Lost(usize),
    /// A client asked: the place of its operation in [`Story::operations`].
    Invoked(usize),
    /// A client asked again.
    Retried(usize),
    /// A client heard, or lost its node.
    Answered {
        /// The operation.
        operation: usize,
        /// The answer.
        answer: String,
    },
    /// The links between two sides are cut.
    Cut(Cut),
    /// All cuts end.
    Healed,
    /// A guarantee is broken: its place in [`Story::breaks`].
    Broke(usize),
}

/// The fate of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    UnderWay,
    /// It arrived at this step.
    Arrived(usize),
    /// It was lost at this step.
    Lost(usize),
}

/// A message with its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// The step that sent it; the number before the first one if it was under way at the start.
    pub sent: usize,
    /// Steps at which it arrived and stayed under way.
    pub doubled: Vec<usize>,
    /// Its fate.
    pub fate: Fate,
    /// Its most important fields.
    pub label: String,
    /// All of it.
    pub words: String,
    /// The paths of the entries in it.
    pub paths: Vec<String>,
}

/// The result of an operation for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet.
    Pending,
    /// It was acknowledged or answered.
    Done,
    /// It was refused.
    Refused,
    /// The outcome is unknown.
    Unknown,
}

/// A client's operation: an interval on a client lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number among the requests.
    pub number: usize,
    /// The client lane.
    pub lane: usize,
    /// The node that the client asked.
    pub node: NodeId,
    /// The path.
    pub path: String,
    /// The request.
    pub asked: String,
    /// The step at which the client asked.
    pub invoked: usize,
    /// The steps at which the client asked again.
    pub retried: Vec<usize>,
    /// The step at which the client heard the answer.
    pub ended: Option<usize>,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer.
    pub answer: String,
    /// No order of the operations explains the answers of this one and others.
    pub contradicts: bool,
    /// It ended before the story begins and is not drawn.
    pub is_past: bool,
}

/// A condition that lasts longer than a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The condition.
    pub kind: SpanKind,
    /// The step that began it.
    pub begin: usize,
    /// The step that ended it.
    pub end: Option<usize>,
}

/// The condition of a span.
#[derive(Clone, Debug, PartialEq)]
pub enum SpanKind {
    /// A node leads an epoch.
    Leads {
        /// The node.
        node: NodeId,
        /// Which epoch.
        epoch: String,
    },
    /// A node is down.
    Down {
        /// The node.
        node: NodeId,
    },
    /// Links are cut.
    Cut(Cut),
}

/// Where a guarantee breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// At which step.
    pub step: usize,
    /// `G1` to `G13`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its promise.
    pub promise: &'static str,
    /// Whether it is promised with these settings.
    pub is_promised: bool,
    /// The facts that break it, with the steps that made them, in one sentence.
    pub reason: String,
    /// These steps.
    pub steps: Vec<usize>,
}
