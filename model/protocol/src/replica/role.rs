//! What a node does now, and what it knows as long as it does it. Volatile: a crash forgets it.

use crate::{Dot, Entry, NodeId, NodeSet, Path, Position, RequestId, Tag, VersionVector};

/// Follower, candidate or leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Follows whoever leads its promise.
    #[default]
    Follower,
    /// Asks for votes for the epoch it promised.
    Candidate(Vec<Ballot>),
    /// Leads the epoch it promised.
    Leader(Leadership),
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
    pub counts_at: Position,
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
    /// Writes that are not acknowledged yet, oldest first.
    pub writes: Vec<PendingWrite>,
    /// Linearizable reads that are not answered yet, oldest first.
    pub reads: Vec<PendingRead>,
}

/// What a leader knows of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    /// What the peer has synced and said so in this epoch; `None` before it said anything.
    pub acked: Option<VersionVector>,
    /// What was sent in this session, or acknowledged or taken to be there before it.
    pub sent: VersionVector,
}

impl Progress {
    /// Notes that the peer has synced this much. Its first word tells whether it had what it was
    /// taken to have; if not, what was sent left a gap and was refused, and is sent again.
    pub(super) fn note(&mut self, vv: &VersionVector, base: &VersionVector) {
        if self.acked.is_none() && !vv.includes(base) {
            self.sent = VersionVector::default();
        }
        self.acked.get_or_insert_default().merge(vv);
        self.sent.merge(vv);
    }

    /// Notes what the peer says in a session after its first with this node. If that is less than
    /// it had acknowledged in this epoch, its log was rolled back since, and it is sent the rest
    /// again; or, where messages overtake each other, an old Ack comes late, and this is only too
    /// much.
    pub(super) fn note_again(&mut self, vv: &VersionVector, base: &VersionVector) {
        match self.acked {
            Some(acked) if !vv.includes(&acked) => {
                (self.acked, self.sent) = (Some(*vv), *vv);
            }
            _ => self.note(vv, base),
        }
    }

    /// Takes back the belief that what was sent arrived.
    pub(super) fn resend(&mut self, base: &VersionVector) {
        self.sent = self.acked.unwrap_or(*base);
    }
}

/// A write that waits for W synced copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PendingWrite {
    /// Whom to answer.
    pub request: RequestId,
    /// The entry.
    pub dot: Dot,
}

/// A linearizable read that waits for W confirmations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PendingRead {
    /// Whom to answer.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// The visible version when the read began.
    pub version: Option<Entry>,
    /// What the leader had synced when the read began.
    pub vv: VersionVector,
    /// The first tag issued after the read began.
    pub tag: Tag,
    /// Who confirmed, the leader included.
    pub confirmed: NodeSet,
}
