//! Sessions: the begin and the end of a connection.

use super::elections::complete;
use super::{Replica, Role, Turn};
use crate::{Message, NodeId, NodeSet, PreVote, SessionId, VersionVector};

impl Replica {
    pub(super) fn on_link_up(&mut self, peer: NodeId, session: SessionId, turn: &mut Turn<'_>) {
        if peer == self.id() || peer.0 >= self.nodes() {
            return;
        }
        self.end_session(peer, turn);
        self.sessions[peer.index()] = Some(session);
        self.greet(peer, turn);
        self.ask_for_wants(Some(peer), turn);
    }

    pub(super) fn on_link_down(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if peer.0 < self.nodes() {
            self.end_session(peer, turn);
            self.ask_for_wants(None, turn);
        }
    }

    /// Ends the session with a peer: drops the output held for it, the messages that wait, and the offers
    /// made in it.
    // Ensures: G12, because a node does not wait for messages of a session that has ended.
    fn end_session(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.sessions[peer.index()].take().is_none() {
            return;
        }
        if turn.decisions.drops_held_output() {
            self.drop_held_for(peer);
        }
        match &mut self.role {
            Role::Follower(following) => {
                if peer == self.log.promise().node {
                    following.offered = VersionVector::default();
                    following.transfer.iter_mut().for_each(|it| it.rewind());
                }
                if following.leader == Some(peer) {
                    (following.leader, following.has_asked) = (None, NodeSet::default());
                }
                following.has_asked.remove(peer);
            }
            Role::PreCandidate(granted) => granted.remove(peer),
            Role::Leader(leadership) => leadership.heard.remove(peer),
            Role::Candidate(_) => {}
        }
        self.forget_contents_of(peer, turn);
    }

    /// Sends the first message of a new session: a leader sends the entries that the peer lacks, a
    /// candidate asks for the vote that it lacks or has in part, a pre-candidate for the pre-vote.
    // Ensures: G12, because the node sends again the messages that the last session lost.
    fn greet(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        match &mut self.role {
            Role::Follower(_) => {}
            Role::PreCandidate(_) => {
                let epoch = turn.decisions.next_epoch(self.promise(), self.id());
                self.send(peer, Message::PreVoteRequest(PreVote { epoch }), turn);
            }
            Role::Candidate(ballots) => {
                if !complete(ballots, &self.log).contains(peer) {
                    self.request_vote(peer, turn);
                }
            }
            Role::Leader(leadership) => {
                if turn.decisions.resends_on_link_up() {
                    leadership.peers[peer.index()].begin_session(&leadership.base);
                    self.send_append(peer, turn);
                }
            }
        }
    }
}
