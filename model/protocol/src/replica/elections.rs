//! Elections: how an epoch gets its leader.

use super::{Ballot, Leadership, Progress, Replica, Role, Turn};
use crate::{Epoch, Message, NodeId, Outcome, Record, Refusal, Reject, Tag, Vote, VoteRequest};

impl Replica {
    /// Asks for the next epoch. A leader has no election timeout, and after the last round nobody
    /// can be elected any more.
    pub(super) fn on_election_timeout(&mut self, turn: &mut Turn<'_>) {
        let epoch = turn.decisions.next_epoch(self.promise(), self.id());
        if self.leads() || epoch <= self.promise() {
            return;
        }
        self.append(vec![Record::Promise(epoch)], turn);
        self.role = Role::Candidate(vec![Ballot {
            voter: self.id(),
            vv: *self.log.vv(),
            counts_at: self.log.length(),
        }]);
        if self.settings().elect() > 1 {
            self.peers().for_each(|peer| self.request_vote(peer, turn));
        }
        self.maybe_lead(turn);
    }

    /// Asks a peer for its vote, once the candidate's own promise is synced.
    pub(super) fn request_vote(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let vv = *self.log.vv();
        let request = VoteRequest { epoch: self.promise(), vv, digest: self.digest(&vv) };
        if self.settings().elect() > 1 {
            self.hold_message(peer, Message::VoteRequest(request), turn);
        }
    }

    pub(super) fn on_vote_request(
        &mut self,
        from: NodeId,
        request: &VoteRequest,
        turn: &mut Turn<'_>,
    ) {
        let has_voted_so = request.epoch == self.promise() && request.epoch.node == from;
        if !has_voted_so && !turn.decisions.grants_vote(request.epoch, self.promise()) {
            return self.reject(from, turn);
        }
        if !has_voted_so {
            self.step_down(turn);
            if turn.decisions.logs_vote() {
                self.append(vec![Record::Promise(request.epoch)], turn);
            }
        }
        let entries = self.lacking(&request.vv, turn);
        let payloads = self.payloads_of(&entries, &request.vv);
        let vv = *self.log.vv();
        let digest = self.digest(&vv);
        let vote = Vote { epoch: request.epoch, vv, digest, entries, payloads };
        self.hold_message(from, Message::Vote(vote), turn);
    }

    /// A vote is a ballot for a candidate; for who already leads it says what the voter has.
    pub(super) fn on_vote(&mut self, from: NodeId, vote: &Vote, turn: &mut Turn<'_>) {
        let counts = turn.decisions.vote_counts(vote.epoch, self.promise());
        if !counts || matches!(self.role, Role::Follower) {
            return;
        }
        if turn.decisions.learns_from_votes() {
            self.learn(None, &vote.entries, turn);
        }
        let counts_at = self.log.length();
        match &mut self.role {
            Role::Candidate(ballots) => {
                let is_replaced =
                    |it: &Ballot| it.voter == from && turn.decisions.replaces_ballot();
                ballots.retain(|it| !is_replaced(it));
                ballots.push(Ballot { voter: from, vv: vote.vv, counts_at });
                ballots.sort_by_key(|ballot| ballot.voter);
            }
            Role::Follower | Role::Leader(_) => self.note_progress(from, &vote.vv, turn),
        }
        self.maybe_lead(turn);
        self.replicate(turn);
    }

    /// Leads once E ballots count: their promises, and all that was learned from them, are synced.
    // Ensures: G5, because a leader has all that any of its E voters had.
    pub(super) fn maybe_lead(&mut self, turn: &mut Turn<'_>) {
        let Role::Candidate(ballots) = &self.role else {
            return;
        };
        let counted =
            ballots.iter().filter(|it| turn.decisions.may_leave(it.counts_at, self.synced));
        if counted.count() >= self.settings().elect() {
            self.become_leader(turn);
        }
    }

    fn become_leader(&mut self, turn: &mut Turn<'_>) {
        let base = self.synced_vv;
        let mut peers = vec![Progress { acked: None, sent: base }; usize::from(self.nodes())];
        if let Role::Candidate(ballots) = &self.role {
            for ballot in ballots.iter().filter(|ballot| ballot.voter != self.id()) {
                peers[ballot.voter.index()] = Progress { acked: Some(ballot.vv), sent: ballot.vv };
            }
        }
        let (tag, writes, reads) = (Tag::default(), Vec::new(), Vec::new());
        self.role = Role::Leader(Leadership { tag, base, peers, writes, reads });
        self.linked_peers().into_iter().for_each(|peer| self.send_append(peer, turn));
    }

    /// A peer has promised a higher epoch: log it too and follow.
    pub(super) fn on_reject(&mut self, reject: &Reject, turn: &mut Turn<'_>) {
        if reject.promise > self.promise() {
            self.follow(reject.promise, turn);
        }
    }

    fn follow(&mut self, epoch: Epoch, turn: &mut Turn<'_>) {
        self.step_down(turn);
        if turn.decisions.logs_heard_promise() {
            self.append(vec![Record::Promise(epoch)], turn);
        }
    }

    /// Tells a peer that it speaks for an epoch lower than this node's promise.
    pub(super) fn reject(&mut self, to: NodeId, turn: &mut Turn<'_>) {
        let promise = self.promise();
        self.hold_message(to, Message::Reject(Reject { promise }), turn);
    }

    /// Becomes a follower. A leader's unfinished writes have an unknown outcome: they may be
    /// logged elsewhere. Its unfinished reads have no effect and are refused.
    // Ensures: G11, because "refused" is never said of a write that others may have logged.
    pub(super) fn step_down(&mut self, turn: &mut Turn<'_>) {
        let Role::Leader(leadership) = std::mem::take(&mut self.role) else {
            return;
        };
        let refused = Outcome::Refused(Refusal::NotLeader { leader: None });
        for write in leadership.writes {
            let admits = turn.decisions.admits_unknown_outcomes();
            let outcome = if admits { Outcome::Unknown } else { refused.clone() };
            self.answer(write.request, outcome, turn);
        }
        for read in leadership.reads {
            self.answer(read.request, refused.clone(), turn);
        }
    }
}
