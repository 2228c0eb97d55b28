//! Replication: Appends, Acks and heartbeats.

use super::role::Flow;
use super::trims::News;
use super::{Leadership, Progress, Replica, Role, Turn};
use crate::parameters::Room;
use crate::{Ack, Append, Entry, Fold, Message, NodeId, Payload, Staging, Transfer, VersionVector};

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
        self.learn(promise, (&append.entries, append.state.as_ref()), turn);
        self.learn_stable(append);
        let (News { entries, state, .. }, payloads) = self.offer(&append.vv, &append.staged, turn);
        let (vv, staged) = (*self.log.vv(), self.log.fold().stagings());
        let (epoch, tag, digest) = (append.epoch, append.tag, self.log.fold().digest());
        let ack = Ack { epoch, tag, vv, digest, staged, entries, state, payloads };
        self.hold_message(from, Message::Ack(ack), turn);
    }

    /// The next entries for a leader or candidate that has `known`. Where a session loses no message, a
    /// follower offers no entry twice, unless it has asked for pre-votes meanwhile, and at most a window of them is under
    /// way. `staged` says how far states have come that the other node is receiving.
    pub(super) fn offer(
        &mut self,
        known: &VersionVector,
        staged: &[Staging],
        turn: &Turn<'_>,
    ) -> (News, Vec<Payload>) {
        let limits = self.parameters.limits;
        let mut offered = *known;
        if let Role::Follower(following) = &self.role
            && !self.parameters.retransmits
        {
            offered.merge(&following.offered);
        }
        if turn.decisions.under_way(&offered, known) >= limits.window.get().into() {
            return (News::default(), Vec::new());
        }
        let transfer = self.advanced_transfer((known, staged), turn);
        let waits = transfer.as_ref().is_some_and(|it| it.is_under_way());
        // The message is held until everything logged is synced.
        let mut news = match waits {
            true => News { transfer, ..News::default() },
            false => self.news(&offered, transfer.as_deref(), self.log.fold(), turn, |_| true),
        };
        let payloads = self.payloads_of(news.all(), &offered);
        if let Role::Follower(following) = &mut self.role {
            news.add_to(&mut offered);
            following.offered = offered;
            following.transfer = news.transfer.take();
        }
        (news, payloads)
    }

    /// The state that this node is sending to a node that has `known` and has received states this far. If it does
    /// not remember one, it resumes the one that `staged` names: it has sent the parts in another role, or another node
    /// with the same entries has.
    fn advanced_transfer(
        &self,
        (known, staged): (&VersionVector, &[Staging]),
        turn: &Turn<'_>,
    ) -> Option<Box<Transfer>> {
        let sending = match &self.role {
            Role::Follower(following) => following.transfer.clone(),
            _ => None,
        };
        let advanced = sending.filter(|it| !it.is_covered_by(known)).and_then(|it| {
            let is_certain = self.parameters.retransmits || !it.is_under_way();
            it.advance(staged, is_certain)
        });
        // The first condition is for speed only: most receivers have no part of any state.
        let has_parts = !staged.is_empty() && turn.decisions.resumes_from_staged();
        let resumed = || match has_parts {
            true => Transfer::begin(self.log.fold(), known).advance(staged, true),
            false => None,
        };
        advanced.or_else(resumed).map(Box::new)
    }

    /// Counts the copies of a follower, and logs its entries that the leader lacks.
    // Ensures: G2, because the leader logs the entries of each follower and sends its log to all others.
    pub(super) fn on_ack(&mut self, from: NodeId, ack: &Ack, turn: &mut Turn<'_>) {
        if !self.leads() || !turn.decisions.ack_counts(ack.epoch, self.promise()) {
            return;
        }
        self.note_progress(from, &ack.vv, Some(&ack.staged), turn);
        if self.parameters.guards_elections
            && let Role::Leader(leadership) = &mut self.role
        {
            leadership.heard.insert(from);
        }
        let is_new = self.learn(None, (&ack.entries, ack.state.as_ref()), turn);
        if self.asks_for_more(ack.state.is_some() || !ack.entries.is_empty(), is_new) {
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
    pub(super) fn asks_for_more(&self, brings_news: bool, is_new: bool) -> bool {
        is_new || (brings_news && !self.parameters.retransmits)
    }

    /// Notes that a peer has synced `vv` in this epoch, and how far it has received states.
    pub(super) fn note_progress(
        &mut self,
        from: NodeId,
        vv: &VersionVector,
        staged: Option<&[Staging]>,
        turn: &Turn<'_>,
    ) {
        if let Some(progress) = self.progress(from) {
            progress.note(vv, staged, turn.decisions);
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
            while let Some(news) = self.next_news(peer, turn) {
                self.send_news(peer, news, turn);
            }
            let synced = self.synced;
            let prompts = self.progress(peer).and_then(|it| it.prompts_at);
            if prompts.is_some_and(|at| at <= synced) {
                self.send_append(peer, turn);
            }
        }
    }

    /// The synced entries to send to a peer next, or state; `None` if it lacks none or must acknowledge
    /// others first.
    fn next_news(&self, peer: NodeId, turn: &Turn<'_>) -> Option<News> {
        let Role::Leader(Leadership { peers, .. }) = &self.role else {
            return None;
        };
        let progress = &peers[peer.index()];
        // The first condition is for speed only: the batch would be empty.
        if progress.sent.includes(self.synced_vv())
            || !progress.is_open(self.parameters.limits, turn.decisions)
        {
            return None;
        }
        if progress.transfer.as_ref().is_some_and(|it| it.is_under_way()) {
            return None;
        }
        let is_sent = |entry: &Entry| turn.decisions.forwards(entry, self.id());
        let transfer = progress.transfer.as_deref();
        let news = self.news(&progress.sent, transfer, &self.fold, turn, is_sent);
        // Only a twin whose `forwards` leaves all entries out gets none here.
        (!news.is_empty()).then_some(news)
    }

    /// Sends a peer an Append with the next entries, or with none if there are none to send.
    pub(super) fn send_append(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let news = self.next_news(peer, turn).unwrap_or_default();
        self.send_news(peer, news, turn);
    }

    fn send_news(&mut self, peer: NodeId, news: News, turn: &mut Turn<'_>) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        let tag = leadership.tag;
        let mut sent = leadership.peers[peer.index()].sent;
        let payloads = self.payloads_of(news.all(), &sent);
        news.add_to(&mut sent);
        let (epoch, vv, synced) = (self.promise(), *self.synced_vv(), self.synced);
        let (digest, staged) = (self.fold.digest(), self.fold.stagings());
        let brings_news = !news.is_empty();
        let News { entries, state, transfer } = news;
        let stable = self.announced_stable(turn);
        let append = Append { epoch, tag, entries, state, vv, digest, staged, payloads, stable };
        self.send(peer, Message::Append(append), turn);
        if let Some(progress) = self.progress(peer) {
            progress.sent = sent;
            if brings_news {
                progress.transfer = transfer;
            }
            progress.prompts_at = progress.prompts_at.filter(|at| *at > synced);
            if progress.flow == Flow::Probe {
                progress.flow = Flow::ProbeSent;
            }
        }
    }

    /// The entries of `fold` that a peer with `known` needs next, in sending order, up to the size of one
    /// message; a part of the state instead, if this node has dropped some of them, or lost the content of a
    /// replaced one: the content may be gone everywhere, and the peer would wait for it. `fold` is that of the
    /// synced records, or of all.
    fn news(
        &self,
        known: &VersionVector,
        transfer: Option<&Transfer>,
        fold: &Fold,
        turn: &Turn<'_>,
        is_sent: impl Fn(&Entry) -> bool,
    ) -> News {
        if self.has_dropped(known) {
            return self.next_part(transfer, (fold, known), turn);
        }
        let mut room = Room::new(self.parameters.limits);
        let goes_first = |one: &Entry, other: &Entry| turn.decisions.goes_first(one, other);
        let lacking = self.log.between(known, fold.vv(), goes_first).filter(|it| is_sent(it));
        let entries: Vec<_> = lacking.take_while(|it| room.reserve(it)).cloned().collect();
        if entries.iter().any(|it| self.has_lost_content_of(it)) {
            return self.next_part(transfer, (fold, known), turn);
        }
        News { entries, ..News::default() }
    }
}
