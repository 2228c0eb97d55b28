//! Replication: Appends, Acks and heartbeats.

use super::role::Flow;
use super::{Leadership, Progress, Replica, Role, Turn};
use crate::parameters::Room;
use crate::{Ack, Append, Digest, Entry, Message, NodeId, Payload, VersionVector};

impl Replica {
    /// A tick: a leader sends heartbeats. Where messages can be lost, it sends unacknowledged entries again,
    /// a candidate repeats its vote requests, and every node repeats its questions for contents.
    pub(super) fn on_tick(&mut self, turn: &mut Turn<'_>) {
        let retransmits = self.parameters.retransmits;
        if let Role::Leader(leadership) = &mut self.role {
            let base = leadership.base;
            if retransmits && turn.decisions.rewinds() {
                leadership.peers.iter_mut().for_each(|progress| progress.rewind(&base));
            }
            self.linked_set().iter().for_each(|peer| self.send_append(peer, turn));
        }
        if retransmits {
            self.request_votes_again(turn);
            self.ask_again(turn);
        }
    }

    /// Follows a leader whose epoch is acceptable, and rejects any other with this node's promise.
    pub(super) fn on_append(&mut self, from: NodeId, append: &Append, turn: &mut Turn<'_>) {
        if !turn.decisions.follows(append.epoch, self.promise()) {
            return self.reject(from, turn);
        }
        self.follow_append(from, append, turn);
    }

    /// Logs the promise and the entries of an Append and acknowledges it.
    pub(super) fn follow_append(&mut self, from: NodeId, append: &Append, turn: &mut Turn<'_>) {
        let promise = (append.epoch > self.promise()).then_some(append.epoch);
        // A pre-candidate follows the leader that it had promised to follow. A candidate or leader receives
        // no Append of its own epoch, unless a twin gives two nodes the same epoch.
        if promise.is_some() || !matches!(self.role, Role::Follower(_)) {
            self.step_down(turn);
        }
        if turn.decisions.is_heard(append) {
            self.hear_leader(from, turn);
        }
        self.learn(promise, &append.entries, turn);
        let (entries, payloads) = self.offer(&append.vv, turn);
        let vv = *self.log.vv();
        let (epoch, tag, digest) = (append.epoch, append.tag, self.digest(&vv));
        let ack = Ack { epoch, tag, vv, digest, entries, payloads };
        self.hold_message(from, Message::Ack(ack), turn);
    }

    /// The next entries for a leader or candidate that has `known`. Where a session loses no message, a
    /// follower offers no entry twice, and at most a window of them is under way.
    pub(super) fn offer(
        &mut self,
        known: &VersionVector,
        turn: &Turn<'_>,
    ) -> (Vec<Entry>, Vec<Payload>) {
        let limits = self.parameters.limits;
        let mut offered = *known;
        if let Role::Follower(following) = &self.role
            && !self.parameters.retransmits
        {
            offered.merge(&following.offered);
        }
        if turn.decisions.under_way(&offered, known) >= limits.window.get().into() {
            return (Vec::new(), Vec::new());
        }
        let entries = self.batch(&offered, self.log.vv(), turn, |_| true);
        let payloads = self.payloads_of(&entries, &offered);
        if let Role::Follower(following) = &mut self.role {
            entries.iter().for_each(|entry| offered.insert(entry.dot));
            following.offered = offered;
        }
        (entries, payloads)
    }

    /// Counts the copies of a follower, and logs its entries that the leader lacks.
    // Ensures: G2, because the leader logs the entries of each follower and sends its log to all others.
    pub(super) fn on_ack(&mut self, from: NodeId, ack: &Ack, turn: &mut Turn<'_>) {
        if !self.leads() || !turn.decisions.ack_counts(ack.epoch, self.promise()) {
            return;
        }
        self.note_progress(from, &ack.vv, turn);
        if self.parameters.guards_elections
            && let Role::Leader(leadership) = &mut self.role
        {
            leadership.heard.insert(from);
        }
        let is_new = self.learn(None, &ack.entries, turn);
        if self.asks_for_more(&ack.entries, is_new) {
            self.ask_for_more(from, &ack.vv, turn);
        }
        self.confirm_reads(from, ack, turn);
        self.replicate(turn);
    }

    /// Asks a peer that holds `vv` for the entries that this node still lacks, once it has synced those
    /// that it received. A leader asks with an Append, a candidate with another VoteRequest. Both carry
    /// the synced vector, which opens the peer's window again.
    pub(super) fn ask_for_more(&mut self, peer: NodeId, vv: &VersionVector, turn: &mut Turn<'_>) {
        if self.log.vv().includes(vv) {
            return;
        }
        if matches!(self.role, Role::Candidate(_)) {
            return self.request_vote(peer, turn);
        }
        let length = self.log.length();
        self.progress(peer).into_iter().for_each(|it| it.prompts_at = Some(length));
    }

    /// Whether this node asks for further entries after a message that brought some. Where a message can
    /// arrive twice, it asks only if an entry was new: otherwise it would ask once for each copy, and the
    /// answers would multiply.
    pub(super) fn asks_for_more(&self, entries: &[Entry], is_new: bool) -> bool {
        is_new || (!entries.is_empty() && !self.parameters.retransmits)
    }

    /// Notes that a peer has synced `vv` in this epoch.
    pub(super) fn note_progress(&mut self, from: NodeId, vv: &VersionVector, turn: &Turn<'_>) {
        if let Some(progress) = self.progress(from) {
            progress.note(vv, turn.decisions);
        }
    }

    /// The progress of a peer, if this node leads.
    fn progress(&mut self, peer: NodeId) -> Option<&mut Progress> {
        match &mut self.role {
            Role::Leader(leadership) => leadership.peers.get_mut(peer.index()),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }

    /// A leader acknowledges the writes that enough nodes hold, and sends each peer the entries that it
    /// lacks, until the window is full. The cost does not depend on the number of entries that a peer
    /// lacks.
    pub(super) fn replicate(&mut self, turn: &mut Turn<'_>) {
        // For speed only: the steps below do nothing without a leadership.
        if !self.leads() {
            return;
        }
        self.acknowledge_writes(turn);
        for peer in self.linked_set().iter() {
            while let Some(entries) = self.next_entries(peer, turn) {
                self.send_entries(peer, entries, turn);
            }
            let synced = self.synced;
            let prompts = self.progress(peer).and_then(|it| it.prompts_at);
            if prompts.is_some_and(|at| at <= synced) {
                self.send_append(peer, turn);
            }
        }
    }

    /// The synced entries to send to a peer next; `None` if it lacks none or must acknowledge others
    /// first.
    fn next_entries(&self, peer: NodeId, turn: &Turn<'_>) -> Option<Vec<Entry>> {
        let Role::Leader(Leadership { peers, .. }) = &self.role else {
            return None;
        };
        let progress = &peers[peer.index()];
        // The first condition is for speed only: the batch would be empty.
        if progress.sent.includes(&self.synced_vv)
            || !progress.is_open(self.parameters.limits, turn.decisions)
        {
            return None;
        }
        let is_sent = |entry: &Entry| turn.decisions.forwards(entry, self.id());
        let entries = self.batch(&progress.sent, &self.synced_vv, turn, is_sent);
        // Only a twin whose `forwards` leaves all entries out gets none here.
        (!entries.is_empty()).then_some(entries)
    }

    /// Sends a peer an Append with the next entries, or with none if there are none to send.
    pub(super) fn send_append(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let entries = self.next_entries(peer, turn).unwrap_or_default();
        self.send_entries(peer, entries, turn);
    }

    fn send_entries(&mut self, peer: NodeId, entries: Vec<Entry>, turn: &mut Turn<'_>) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        let tag = leadership.tag;
        let mut sent = leadership.peers[peer.index()].sent;
        let payloads = self.payloads_of(&entries, &sent);
        entries.iter().for_each(|entry| sent.insert(entry.dot));
        let (epoch, vv, synced) = (self.promise(), self.synced_vv, self.synced);
        let digest = self.digest(&vv);
        let append = Append { epoch, tag, entries, vv, digest, payloads };
        self.send(peer, Message::Append(append), turn);
        if let Some(progress) = self.progress(peer) {
            progress.sent = sent;
            progress.prompts_at = progress.prompts_at.filter(|at| *at > synced);
            if progress.flow == Flow::Probe {
                progress.flow = Flow::ProbeSent;
            }
        }
    }

    /// The digest of the logged entries that `vv` covers. This node has logged all of them.
    pub(super) fn digest(&self, vv: &VersionVector) -> Digest {
        self.log.digest(vv).unwrap_or_default()
    }

    /// The first of the logged entries that `limit` covers and `known` does not, in sending order, as
    /// many as fit into one message.
    fn batch(
        &self,
        known: &VersionVector,
        limit: &VersionVector,
        turn: &Turn<'_>,
        is_sent: impl Fn(&Entry) -> bool,
    ) -> Vec<Entry> {
        let mut room = Room::new(self.parameters.limits);
        let goes_first = |one: &Entry, other: &Entry| turn.decisions.goes_first(one, other);
        let lacking = self.log.between(known, limit, goes_first).filter(|it| is_sent(it));
        lacking.take_while(|it| room.reserve(it)).cloned().collect()
    }
}
