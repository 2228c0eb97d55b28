//! Pre-vote: a node asks whether it would be elected before it raises its round (Ongaro, "Consensus:
//! Bridging Theory and Practice", 2014, section 9.6). So a node that was cut off, or that reaches
//! only some of the others, deposes nobody.

use super::{Following, Replica, Role, Turn};
use crate::{Effect, Epoch, Message, NodeId, NodeSet, PreVote};

impl Replica {
    /// Asks the peers whether they would vote. A grant speaks of the present only, so this node forgets it
    /// when the session ends and when the timer runs out again. Where messages can be lost, it keeps
    /// grants until it hears a leader, because the grants of one round rarely all arrive.
    pub(super) fn request_pre_votes(&mut self, epoch: Epoch, turn: &mut Turn<'_>) {
        let granted = match self.role {
            Role::PreCandidate(granted) if self.parameters.retransmits => granted,
            _ => self.alone(),
        };
        self.role = Role::PreCandidate(granted);
        for peer in self.linked_set().iter().filter(|peer| !granted.contains(*peer)) {
            self.send(peer, Message::PreVoteRequest(PreVote { epoch }), turn);
        }
    }

    /// Whether these nodes suffice to elect this node and to acknowledge its writes. A leader that cannot
    /// acknowledge writes would only step down again.
    pub(super) fn would_lead(&self, granted: NodeSet) -> bool {
        self.settings().elects(granted) && self.settings().acknowledges(granted)
    }

    /// Grants a pre-vote unless this node leads or has heard its leader. The followers of a leader that
    /// stepped down still believe in it. So a follower grants the second request of a peer if it has not
    /// heard the leader since the first: an election timer is longer than the interval of heartbeats.
    // Ensures: G12, because a node without a leader does not refuse a peer that asks twice.
    pub(super) fn on_pre_vote_request(
        &mut self,
        from: NodeId,
        request: &PreVote,
        turn: &mut Turn<'_>,
    ) {
        let is_new = request.epoch > self.promise();
        let refuses = match &mut self.role {
            Role::Leader(_) => true,
            Role::Follower(following) => {
                let is_first = !following.has_asked.contains(from);
                let hears = following.leader.is_some();
                if hears {
                    following.has_asked.insert(from);
                }
                hears && is_first
            }
            Role::PreCandidate(_) | Role::Candidate(_) => false,
        };
        if !is_new {
            // The peer learns this node's promise, and then asks for a later round.
            return self.reject(from, turn);
        }
        if !(refuses && turn.decisions.refuses_pre_votes()) {
            self.send(from, Message::PreVote(request.clone()), turn);
        }
    }

    /// Counts a pre-vote, and becomes a candidate once there are enough.
    pub(super) fn on_pre_vote(&mut self, from: NodeId, vote: &PreVote, turn: &mut Turn<'_>) {
        let epoch = turn.decisions.next_epoch(self.promise(), self.id());
        let Role::PreCandidate(granted) = &mut self.role else {
            return;
        };
        if vote.epoch != epoch {
            return;
        }
        granted.insert(from);
        let granted = *granted;
        if self.would_lead(granted) {
            self.become_candidate(epoch, turn);
        }
    }

    /// The leader is alive: this node restarts its election timer and refuses pre-votes from now on.
    pub(super) fn hear_leader(&mut self, leader: NodeId, turn: &mut Turn<'_>) {
        if matches!(self.role, Role::PreCandidate(_)) {
            self.role = Role::default();
        }
        if self.parameters.guards_elections
            && let Role::Follower(Following { leader: heard, has_asked, .. }) = &mut self.role
        {
            (*heard, *has_asked) = (Some(leader), NodeSet::default());
        }
        turn.effects.push(Effect::ResetElectionTimer);
    }
}
