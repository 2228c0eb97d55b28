//! What a node does now, and what it knows as long as it does it. Volatile: a crash forgets it.

use std::collections::BTreeSet;

use crate::{
    Decisions, Dot, Limits, LogIndex, NodeId, NodeSet, Outcome, Path, RequestId, Tag, VersionVector,
};

/// Follower, candidate or leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Follows whoever leads its promise.
    Follower(Following),
    /// Asks whether it would be elected; who has said so, itself included.
    PreCandidate(NodeSet),
    /// Asks for votes for the epoch it promised.
    Candidate(Vec<Ballot>),
    /// Leads the epoch it promised.
    Leader(Leadership),
}

impl Default for Role {
    fn default() -> Self {
        Role::Follower(Following::default())
    }
}

/// What a follower keeps track of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Following {
    /// The leader, once it was heard in this session and until a timer ran out. Only where elections
    /// are guarded.
    pub leader: Option<NodeId>,
    /// Who has asked for a pre-vote since the leader was heard last.
    pub has_asked: NodeSet,
    /// The entries that the leader was offered in this session and epoch: with Acks, and with the
    /// vote that elected it. Unused where messages can be lost.
    pub offered: VersionVector,
}

/// One vote, the candidate's own included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// Who voted.
    pub voter: NodeId,
    /// What the voter had synced.
    pub vv: VersionVector,
    /// The ballot counts once the candidate's log is synced up to here: its promise, and
    /// everything it learned from the voter.
    pub counts_at: LogIndex,
}

/// What a leader keeps track of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leadership {
    /// The newest tag issued. A linearizable read issues a new one.
    pub tag: Tag,
    /// What the leader had synced when it was elected: what a peer that has said nothing in this
    /// epoch is taken to have, too. Right unless the peer missed something, and then its first Ack
    /// says so.
    pub base: VersionVector,
    /// Per node what it is known to have; the leader's own place is unused.
    pub peers: Vec<Progress>,
    /// Writes that are not acknowledged yet.
    pub writes: BTreeSet<PendingWrite>,
    /// Linearizable reads, and refusals that tell of a file, that are not answered yet, oldest
    /// first.
    pub reads: Vec<PendingRead>,
    /// Who was heard since the election timer ran out last, or voted. Only where elections are
    /// guarded.
    pub heard: NodeSet,
    /// How long the log was when the election timer ran out last.
    pub checked_at: LogIndex,
}

/// How a leader sends to one peer (the names are those of etcd's raft, `tracker/state.go`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flow {
    /// Nothing was sent in this session. One Append may go, with entries that the peer is taken to
    /// lack.
    #[default]
    Probe,
    /// That Append went. Entries wait until the peer has said what it holds.
    ProbeSent,
    /// The peer has said what it holds. Entries follow until the window is full.
    Stream,
}

/// What a leader knows of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    /// What the peer has synced and said so in this epoch; `None` before it said anything.
    pub acked: Option<VersionVector>,
    /// What was sent in this session, or acknowledged or taken to be there before it.
    pub sent: VersionVector,
    /// How the leader sends.
    pub flow: Flow,
    /// The peer has more than the leader, and will send it with the next Ack. An Append asks for
    /// that Ack once the log is synced up to here.
    pub prompts_at: Option<LogIndex>,
}

impl Progress {
    /// A peer that is taken to hold this much.
    pub(super) fn taken_to_hold(vv: &VersionVector) -> Progress {
        Progress { sent: *vv, ..Progress::default() }
    }

    /// Notes that the peer has synced this much. Its first word in a session tells what it holds
    /// indeed: less than it was taken to have if it missed something, or if its log was rolled back.
    /// What was sent beyond that left a gap, was refused, and is sent again.
    pub(super) fn note(&mut self, vv: &VersionVector, decisions: &dyn Decisions) {
        let is_first = self.flow != Flow::Stream;
        let is_lower = self.acked.is_some_and(|acked| !vv.includes(&acked));
        if is_first && (!is_lower || decisions.believes_lower_ack()) {
            (self.acked, self.sent) = (Some(*vv), *vv);
        }
        self.acked.get_or_insert_default().merge(vv);
        self.sent.merge(vv);
        self.flow = Flow::Stream;
    }

    /// Begins a session: nothing counts as sent but what was acknowledged.
    pub(super) fn begin_session(&mut self, base: &VersionVector) {
        self.flow = Flow::Probe;
        self.prompts_at = None;
        self.rewind(base);
    }

    /// Takes back the belief that what was sent arrives.
    pub(super) fn rewind(&mut self, base: &VersionVector) {
        self.sent = self.acked.unwrap_or(*base);
        if self.flow == Flow::ProbeSent {
            self.flow = Flow::Probe;
        }
    }

    /// Whether entries may be sent now.
    pub(super) fn is_open(&self, limits: Limits, decisions: &dyn Decisions) -> bool {
        match self.flow {
            Flow::Probe => true,
            Flow::ProbeSent => false,
            Flow::Stream => {
                let acked = self.acked.unwrap_or_default();
                decisions.under_way(&self.sent, &acked) < limits.window.get().into()
            }
        }
    }
}

/// A write that waits for W synced copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PendingWrite {
    /// The entry.
    pub dot: Dot,
    /// Whom to answer.
    pub request: RequestId,
}

/// An answer about the state of a file that waits for W confirmations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PendingRead {
    /// Whom to answer.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// What is answered, as of the moment at which the request came.
    pub outcome: Outcome,
    /// What the answer is about: what the leader had synced when the request came, or logged.
    pub vv: VersionVector,
    /// The first tag issued after the request came.
    pub tag: Tag,
    /// Who has answered that tag or a later one, and so followed this leader after the request came.
    pub followed_by: NodeSet,
    /// Who confirmed: they followed, and have all that the answer is about. The leader is one.
    pub confirmed: NodeSet,
}
