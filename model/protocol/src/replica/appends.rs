//! Replication: Appends, Acks and heartbeats.

use super::{Replica, Role, Turn};
use crate::{Ack, Append, Digest, Entry, Message, NodeId, SessionId, VersionVector};

impl Replica {
    /// Time passed: a leader keeps its followers and retransmits; everybody asks again for what
    /// is missing.
    pub(super) fn on_tick(&mut self, turn: &mut Turn<'_>) {
        if let Role::Leader(leadership) = &mut self.role {
            let base = leadership.base;
            leadership.peers.iter_mut().for_each(|progress| progress.resend(&base));
            self.linked_peers().into_iter().for_each(|peer| self.send_append(peer, turn));
        }
        self.ask_again(turn);
    }

    /// Follows a leader whose epoch is acceptable, and tells any other what was promised.
    pub(super) fn on_append(&mut self, from: NodeId, append: &Append, turn: &mut Turn<'_>) {
        if !turn.decisions.follows(append.epoch, self.promise()) {
            return self.reject(from, turn);
        }
        self.follow_append(from, append, turn);
    }

    /// Logs what an Append brings and acknowledges it.
    pub(super) fn follow_append(&mut self, from: NodeId, append: &Append, turn: &mut Turn<'_>) {
        self.step_down(turn);
        let promise = (append.epoch > self.promise()).then_some(append.epoch);
        self.learn(promise, &append.entries, turn);
        let entries = self.lacking(&append.vv, turn);
        let payloads = self.payloads_of(&entries, &append.vv);
        let vv = *self.log.vv();
        let (epoch, tag, digest) = (append.epoch, append.tag, self.digest(&vv));
        let ack = Ack { epoch, tag, vv, digest, entries, payloads };
        self.hold_message(from, Message::Ack(ack), turn);
    }

    /// Counts what a follower has, and logs what it has and the leader lacks.
    // Ensures: G2, because what one follower had becomes part of the log, which all others are sent.
    pub(super) fn on_ack(&mut self, from: NodeId, ack: &Ack, turn: &mut Turn<'_>) {
        if !self.leads() || !turn.decisions.ack_counts(ack.epoch, self.promise()) {
            return;
        }
        self.note_progress(from, &ack.vv, turn);
        self.learn(None, &ack.entries, turn);
        self.confirm_reads(from, ack, turn);
        self.replicate(turn);
    }

    /// Notes that a peer has synced this much in this epoch.
    pub(super) fn note_progress(&mut self, from: NodeId, vv: &VersionVector, turn: &Turn<'_>) {
        let has_met_before = self.session(from) > Some(SessionId::FIRST);
        let may_have_lost = has_met_before && turn.decisions.believes_lower_ack();
        if let Role::Leader(leadership) = &mut self.role
            && let Some(progress) = leadership.peers.get_mut(from.index())
        {
            match may_have_lost {
                true => progress.note_again(vv, &leadership.base),
                false => progress.note(vv, &leadership.base),
            }
        }
    }

    /// A leader answers what is decided and sends each peer what it lacks.
    pub(super) fn replicate(&mut self, turn: &mut Turn<'_>) {
        if !self.leads() {
            return;
        }
        self.acknowledge_writes(turn);
        for peer in self.linked_peers() {
            if !self.unsent(peer, turn).is_empty() {
                self.send_append(peer, turn);
            }
        }
    }

    /// The synced entries that a peer was not sent in this session.
    fn unsent(&self, peer: NodeId, turn: &Turn<'_>) -> Vec<Entry> {
        let Role::Leader(leadership) = &self.role else {
            return Vec::new();
        };
        let progress = &leadership.peers[peer.index()];
        if progress.sent.includes(&self.synced_vv) {
            return Vec::new();
        }
        let mut entries = self.log.between(&progress.sent, &self.synced_vv);
        entries.retain(|entry| turn.decisions.forwards(entry, self.id()));
        turn.decisions.order(&mut entries);
        entries
    }

    /// Sends a peer an Append with what it lacks, be that nothing.
    pub(super) fn send_append(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let entries = self.unsent(peer, turn);
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        let tag = leadership.tag;
        let payloads = self.payloads_of(&entries, &leadership.peers[peer.index()].sent);
        let sent = entries.iter().map(|entry| entry.dot).collect::<Vec<_>>();
        let (epoch, vv) = (self.promise(), self.synced_vv);
        let digest = self.digest(&vv);
        let append = Append { epoch, tag, entries, vv, digest, payloads };
        self.send(peer, Message::Append(append), turn);
        if let Role::Leader(leadership) = &mut self.role {
            sent.into_iter().for_each(|dot| leadership.peers[peer.index()].sent.insert(dot));
        }
    }

    /// What stands for the logged entries that a version vector of this node covers.
    pub(super) fn digest(&self, vv: &VersionVector) -> Digest {
        self.log.digest(vv).unwrap_or_default()
    }

    /// The logged entries that somebody with `known` lacks, in the order in which they are sent.
    pub(super) fn lacking(&self, known: &VersionVector, turn: &Turn<'_>) -> Vec<Entry> {
        let mut entries = self.log.between(known, self.log.vv());
        turn.decisions.order(&mut entries);
        entries
    }
}
