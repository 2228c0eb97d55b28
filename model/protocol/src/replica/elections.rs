//! Elections: how an epoch gets its leader.

use std::collections::BTreeSet;

use super::trims::News;
use super::{Ballot, Leadership, Progress, Replica, Role, Turn};
use crate::{
    Effect, Epoch, Log, LogIndex, Message, NodeId, NodeSet, Outcome, Record, Refusal, Reject, Tag,
    Vote, VoteRequest,
};

/// The voters all of whose entries a candidate has logged.
pub(super) fn complete(ballots: &[Ballot], log: &Log) -> NodeSet {
    ballots.iter().filter(|it| log.vv().includes(&it.vv)).map(|it| it.voter).collect()
}

impl Replica {
    /// The election timer has run out. A leader checks whether it can still acknowledge writes. Every
    /// other node tries to lead the next epoch, unless there is none after the largest round number, or
    /// its own disk lags, so that it could not sync its promise.
    pub(super) fn on_election_timeout(&mut self, turn: &mut Turn<'_>) {
        if self.leads() {
            return self.check_quorum(turn);
        }
        let epoch = turn.decisions.next_epoch(self.promise(), self.id());
        if epoch <= self.promise() {
            return;
        }
        if !self.parameters.guards_elections {
            return self.become_candidate(epoch, turn);
        }
        if self.synced < self.log.length() {
            return;
        }
        match self.would_lead(self.alone()) {
            true => self.become_candidate(epoch, turn),
            false => self.request_pre_votes(epoch, turn),
        }
    }

    /// Promises an epoch of its own and asks the peers for their votes.
    pub(super) fn become_candidate(&mut self, epoch: Epoch, turn: &mut Turn<'_>) {
        self.append(vec![Record::Promise(epoch)], turn);
        self.role = Role::Candidate(vec![Ballot {
            voter: self.id(),
            vv: *self.log.vv(),
            counts_at: self.log.length(),
        }]);
        self.peers().for_each(|peer| self.request_vote(peer, turn));
        // The promise is not synced yet, so only a twin leads at once.
        self.maybe_lead(turn);
    }

    /// Asks again for the votes that a candidate still lacks, and for the rest of those that came in part, where
    /// messages can be lost.
    pub(super) fn request_votes_again(&mut self, turn: &mut Turn<'_>) {
        if let Role::Candidate(ballots) = &self.role {
            let complete = complete(ballots, &self.log);
            let missing = self.linked_set().iter().filter(|it| !complete.contains(*it));
            missing.for_each(|peer| self.request_vote(peer, turn));
        }
    }

    /// Asks a peer for its vote, once this candidate has synced its own promise. A candidate that elects
    /// itself asks nobody.
    pub(super) fn request_vote(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.settings().elects(self.alone()) {
            return;
        }
        let vv = *self.log.vv();
        let (digest, staged) = (self.log.fold().digest(), self.log.fold().stagings());
        let request = VoteRequest { epoch: self.promise(), vv, digest, staged };
        self.hold_message(peer, Message::VoteRequest(request), turn);
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
            turn.effects.push(Effect::ResetElectionTimer);
            if turn.decisions.logs_vote() {
                self.append(vec![Record::Promise(request.epoch)], turn);
            }
        }
        let (News { entries, state, .. }, payloads) =
            self.offer(&request.vv, &request.staged, turn);
        let vv = *self.log.vv();
        let digest = self.log.fold().digest();
        let vote = Vote { epoch: request.epoch, vv, digest, entries, state, payloads };
        self.hold_message(from, Message::Vote(vote), turn);
    }

    /// For a candidate a Vote is a ballot. A leader learns from a late one which entries the voter has.
    pub(super) fn on_vote(&mut self, from: NodeId, vote: &Vote, turn: &mut Turn<'_>) {
        let counts = turn.decisions.vote_counts(vote.epoch, self.promise());
        if !counts || matches!(self.role, Role::Follower(_) | Role::PreCandidate(_)) {
            return;
        }
        let is_new = turn.decisions.learns_from_votes()
            && self.learn(None, (&vote.entries, vote.state.as_ref()), turn);
        let counts_at = self.log.length();
        match &mut self.role {
            Role::Candidate(ballots) => {
                ballots.retain(|ballot| ballot.voter != from);
                ballots.push(Ballot { voter: from, vv: vote.vv, counts_at });
                ballots.sort_by_key(|ballot| ballot.voter);
            }
            _ => self.note_progress(from, &vote.vv, None, turn),
        }
        if self.asks_for_more(vote.state.is_some() || !vote.entries.is_empty(), is_new) {
            self.ask_for_more(from, &vote.vv, turn);
        }
        self.maybe_lead(turn);
        self.replicate(turn);
    }

    /// Becomes the leader once the ballots of E voters count. A ballot counts when this candidate has
    /// synced its own promise and all entries that the voter had.
    // Ensures: G5, because a leader has every entry that any of its E voters had.
    pub(super) fn maybe_lead(&mut self, turn: &mut Turn<'_>) {
        let Role::Candidate(ballots) = &self.role else {
            return;
        };
        let counts = |it: &&Ballot| {
            turn.decisions.may_leave(it.counts_at, self.synced)
                && turn.decisions.has_learned(self.synced_vv(), self.log.vv(), &it.vv)
        };
        let voters = ballots.iter().filter(counts).map(|ballot| ballot.voter).collect();
        if self.settings().elects(voters) {
            self.become_leader(turn);
        }
    }

    fn become_leader(&mut self, turn: &mut Turn<'_>) {
        let base = *self.synced_vv();
        let mut peers = vec![Progress::taken_to_hold(&base); usize::from(self.nodes())];
        let mut heard = NodeSet::default();
        if let Role::Candidate(ballots) = &self.role {
            for ballot in ballots.iter().filter(|ballot| ballot.voter != self.id()) {
                if self.parameters.guards_elections {
                    heard.insert(ballot.voter);
                }
                let progress = Progress::taken_to_hold(&ballot.vv);
                peers[ballot.voter.index()] = Progress { acked: Some(ballot.vv), ..progress };
            }
        }
        let (tag, writes, reads) = (Tag::default(), BTreeSet::new(), Vec::new());
        let checked_at = LogIndex::default();
        let leadership = Leadership { tag, base, peers, writes, reads, heard, checked_at };
        self.role = Role::Leader(leadership);
        turn.effects.push(Effect::ResetElectionTimer);
        self.linked_set().iter().for_each(|peer| self.send_append(peer, turn));
    }

    /// Steps down if this leader's disk hangs, that is, records that were unsynced when the timer ran out
    /// last still are; or if the nodes heard since then are too few to acknowledge a write. Then its
    /// clients get their answers, and another node can lead.
    fn check_quorum(&mut self, turn: &mut Turn<'_>) {
        let (id, settings, length) = (self.id(), self.settings(), self.log.length());
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if !self.parameters.guards_elections {
            return;
        }
        let mut heard = std::mem::take(&mut leadership.heard);
        heard.insert(id);
        let disk_hangs = self.synced < leadership.checked_at;
        leadership.checked_at = length;
        if disk_hangs || !turn.decisions.suffices_to_lead(settings, heard) {
            self.step_down(turn);
        }
    }

    /// A peer has promised a higher epoch: this node logs the same promise and becomes a follower.
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

    /// Answers a peer that its epoch is too low for this node's promise.
    pub(super) fn reject(&mut self, to: NodeId, turn: &mut Turn<'_>) {
        let promise = self.promise();
        self.hold_message(to, Message::Reject(Reject { promise }), turn);
    }

    /// Becomes a follower. A leader answers its unfinished writes with "unknown", because other nodes may
    /// have logged them, and refuses its unfinished reads, which have no effect.
    // Ensures: G11, because a leader never refuses a write that other nodes may have logged.
    pub(super) fn step_down(&mut self, turn: &mut Turn<'_>) {
        let Role::Leader(leadership) = std::mem::take(&mut self.role) else {
            return;
        };
        turn.effects.push(Effect::ResetElectionTimer);
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
