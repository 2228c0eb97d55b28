//! The role of a node, with the state that belongs to it. Volatile: a crash loses it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Decisions, Dot, Limits, LogIndex, NodeId, NodeSet, Outcome, Path, RequestId, Staging, Tag,
    Transfer, VersionVector,
};

/// The role of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Follows the leader of its promise.
    Follower(Following),
    /// Asks whether it would be elected. The set holds the nodes that would vote for it, including
    /// itself.
    PreCandidate(NodeSet),
    /// Asks for votes for the epoch that it promised.
    Candidate(Vec<Ballot>),
    /// Leads the epoch that it promised.
    Leader(Leadership),
}

impl Default for Role {
    fn default() -> Self {
        Role::Follower(Following::default())
    }
}

/// The state of a follower.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Following {
    /// The leader, if this node has heard it in this session and its election timer has not run out
    /// since. Only with [`Parameters::guards_elections`](crate::Parameters::guards_elections).
    pub leader: Option<NodeId>,
    /// The peers that have requested a pre-vote since this node last heard the leader.
    pub has_asked: NodeSet,
    /// The entries that this node has offered to the leader in this session and epoch since it follows, with Acks
    /// and with its vote. Unused where messages can be lost.
    pub offered: VersionVector,
    /// The state that this node is sending to the leader.
    pub transfer: Option<Box<Transfer>>,
}

/// One vote, the candidate's own included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// The node that voted.
    pub voter: NodeId,
    /// The entries that the voter had synced.
    pub vv: VersionVector,
    /// The index up to which the candidate's log must be synced before the ballot counts. It covers the
    /// candidate's promise, and all entries that it learned from the voter.
    pub counts_at: LogIndex,
}

/// The state of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leadership {
    /// The newest tag. Each linearizable read issues a new one.
    pub tag: Tag,
    /// The entries that the leader had synced when it was elected. It assumes that a peer without an Ack
    /// in this epoch holds them too; if the peer does not, its first Ack corrects the assumption.
    pub base: VersionVector,
    /// The progress of each node, by id; the leader's own element is unused.
    pub peers: Vec<Progress>,
    /// The writes that are not acknowledged yet.
    pub writes: BTreeSet<PendingWrite>,
    /// The unanswered linearizable reads, and refusals that reveal the state of a file, oldest first.
    pub reads: Vec<PendingRead>,
    /// The peers that voted, or sent an Ack since the election timer ran out last. Only with
    /// [`Parameters::guards_elections`](crate::Parameters::guards_elections).
    pub heard: NodeSet,
    /// The length of the log when the election timer ran out last.
    pub checked_at: LogIndex,
}

/// How a leader sends to one peer (the names are those of etcd's raft, `tracker/state.go`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flow {
    /// The leader has sent no Append in this session. It may send one, with entries that it assumes the
    /// peer lacks.
    #[default]
    Probe,
    /// The leader has sent that Append. It sends no more entries until an Ack says which ones the peer
    /// holds.
    ProbeSent,
    /// An Ack has arrived. The leader sends entries until the window is full.
    Stream,
}

/// The leader's knowledge of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Progress {
    /// The entries that the peer has acknowledged in this epoch; `None` before its first Ack or Vote.
    pub acked: Option<VersionVector>,
    /// The entries sent in this session, and those that the peer acknowledged, or was assumed to hold,
    /// before it.
    pub sent: VersionVector,
    /// The way in which the leader sends to the peer.
    pub flow: Flow,
    /// The index up to which the leader's log must be synced before it sends the next Append, if the peer
    /// has more entries for the leader: the peer sends them with the Ack to that Append.
    pub prompts_at: Option<LogIndex>,
    /// The state that the leader is sending to the peer.
    pub transfer: Option<Box<Transfer>>,
}

impl Progress {
    /// The progress of a peer that the leader assumes to hold `vv`.
    pub(super) fn taken_to_hold(vv: &VersionVector) -> Progress {
        Progress { sent: *vv, ..Progress::default() }
    }

    /// Notes that the peer has synced `vv`. The first Ack of a session shows which entries the peer really
    /// holds. They may be fewer than assumed, if the peer missed some or its log was rolled back. Entries
    /// sent beyond them left a gap, so the peer refused them, and the leader sends them again.
    ///
    /// `staged` says how far states have come that the peer is receiving; `None` if the message does not say
    /// so. Where messages can be lost, heartbeats send a part again; if each Ack did so, too, messages that
    /// arrive twice would multiply.
    pub(super) fn note(
        &mut self,
        vv: &VersionVector,
        staged: Option<&[Staging]>,
        decisions: &dyn Decisions,
    ) {
        let is_first = self.flow != Flow::Stream;
        // Only a twin asks this: the right protocol believes each first Ack.
        let is_lower = self.acked.is_some_and(|acked| !vv.includes(&acked));
        if is_first && (!is_lower || decisions.believes_lower_ack()) {
            (self.acked, self.sent) = (Some(*vv), *vv);
            // The peer refuses a state that builds on entries which it lacks.
            self.transfer.take_if(|it| !it.fits(vv) && decisions.drops_refused_state());
        }
        self.acked.get_or_insert_default().merge(vv);
        self.sent.merge(vv);
        self.flow = Flow::Stream;
        self.transfer = self.transfer.take().filter(|it| !it.is_covered_by(vv));
        if let Some(staged) = staged {
            let transfer = self.transfer.take();
            self.transfer = transfer.and_then(|it| it.advance(staged, is_first)).map(Box::new);
        }
    }

    /// Begins a session: only acknowledged entries count as sent.
    pub(super) fn begin_session(&mut self, base: &VersionVector) {
        self.flow = Flow::Probe;
        self.prompts_at = None;
        self.rewind(base);
    }

    /// Stops counting unacknowledged entries as sent.
    pub(super) fn rewind(&mut self, base: &VersionVector) {
        self.sent = self.acked.unwrap_or(*base);
        // State that builds on entries which may be lost would be refused again and again.
        let sent = self.sent;
        self.transfer = self.transfer.take().filter(|it| it.fits(&sent));
        self.transfer.iter_mut().for_each(|it| it.rewind());
        if self.flow == Flow::ProbeSent {
            self.flow = Flow::Probe;
        }
    }

    /// Whether the leader may send entries now.
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

/// A write that waits until W nodes have synced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PendingWrite {
    /// The entry.
    pub dot: Dot,
    /// The request to answer.
    pub request: RequestId,
}

/// An answer about the state of a file that waits until W nodes have confirmed the leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PendingRead {
    /// The request to answer.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// The answer, as of the moment at which the request came.
    pub outcome: Outcome,
    /// The entries on which the answer rests: those that the leader had synced (for a refusal, logged)
    /// when the request came.
    pub vv: VersionVector,
    /// The first tag issued after the request came.
    pub tag: Tag,
    /// The peers that echoed that tag or a later one, and so followed this leader after the request came.
    pub followed_by: NodeSet,
    /// The nodes that have confirmed: they followed, and hold all entries on which the answer rests. The
    /// leader is one of them.
    pub confirmed: NodeSet,
}
