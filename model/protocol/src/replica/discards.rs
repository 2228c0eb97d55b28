//! Discards: a node deletes a content once nothing names it any more, and tells the peers that ask for it.
//!
//! A peer may still wait for such a content: it holds back a message with an entry that names it, and the
//! sender has replaced and dropped the entry since. The peer then drops the message, and the sender
//! goes back to the entries that the peer has acknowledged. It lacks the dropped entry, so it sends state.
//! The session goes on: its end would cost a connection, and all that other messages of it have achieved.

use std::collections::BTreeSet;

use super::{Replica, Role, Turn};
use crate::{ContentId, Effect, Entry, Gone, Message, NodeId, VersionVector};

impl Replica {
    /// Deletes the contents that neither the log, nor a message that waits or is about to leave, nor a
    /// client's upload names. Those of messages that a lost session took with it, and of uploads that no
    /// write named before the node started again, are among them.
    pub(super) fn discard_contents(&mut self, turn: &mut Turn<'_>) {
        let leaving = self.outbox.iter().flat_map(|it| it.packet.message.payloads());
        let leaving = leaving.flat_map(|it| [it.content].into_iter().chain(it.base));
        let others: BTreeSet<ContentId> = self.contents.in_transit().chain(leaving).collect();
        let folds = (&*self.log, &self.fold);
        let is_kept = |it| turn.decisions.keeps_content(it, folds, &others);
        let dropped = self.contents.retain(is_kept);
        turn.effects.extend(dropped.into_iter().map(|content| Effect::Discard { content }));
    }

    /// Whether this node asks for a content that it lacks.
    pub(super) fn is_needed(&self, content: ContentId, turn: &Turn<'_>) -> bool {
        let is_needed = self.contents.is_awaited(content) || self.log.needs(content, &self.fold);
        turn.decisions.wants(is_needed, self.log.names(content))
    }

    /// Forgets the wants that have lost their reason: the session of a waiting message has ended; or the
    /// entries that name the content are replaced, and what is left of its copy is deleted.
    pub(super) fn review_wants(&mut self, turn: &mut Turn<'_>) {
        let wants = self.wants().iter().filter(|want| !want.storing).map(|want| want.content);
        let unneeded: Vec<_> = wants.filter(|it| !self.is_needed(*it, turn)).collect();
        for content in unneeded {
            if self.log.names(content) {
                turn.effects.push(Effect::Discard { content });
            }
            self.let_go(content, turn);
        }
    }

    /// Stops to ask for a content, and says so to the peers that have asked this node for it.
    pub(super) fn let_go(&mut self, content: ContentId, turn: &mut Turn<'_>) {
        self.contents.forget_want(content);
        for asker in self.contents.askers_of(content) {
            self.tell_gone(asker, content, turn);
        }
    }

    /// Tells a peer that nothing here names a content. If this node sent an entry that did, the peer drops the
    /// message, and everything behind it; so this node sends that again.
    pub(super) fn tell_gone(&mut self, peer: NodeId, content: ContentId, turn: &mut Turn<'_>) {
        self.send(peer, Message::Gone(Gone { content }), turn);
        // Where messages can be lost, heartbeats send again whatever is not acknowledged.
        if self.parameters.retransmits || !turn.decisions.sends_again_after_gone() {
            return;
        }
        match &mut self.role {
            Role::Leader(leadership) => {
                let base = leadership.base;
                leadership.peers[peer.index()].rewind(&base);
                self.send_append(peer, turn);
            }
            Role::Follower(following) if peer == self.log.promise().node => {
                following.offered = VersionVector::default();
                following.transfer.iter_mut().for_each(|it| it.rewind());
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => {}
        }
    }

    /// A peer has neither a copy of a content nor an entry that names it. If a message of this very peer
    /// waits for the content, this node drops it, with the later ones, and asks again for the entries that
    /// they brought. A message of another peer stays: its sender may have the content.
    pub(super) fn on_gone(&mut self, from: NodeId, content: ContentId, turn: &mut Turn<'_>) {
        self.contents.note_lacking(from, content);
        if turn.decisions.heeds_gone() && self.contents.drop_from(from, content) {
            self.review_wants(turn);
            self.ask_for_entries_of(from, turn);
        }
        self.ask_for_wants(None, turn);
    }

    /// Asks a peer that follows or elects this node for the entries that this node lacks. A leader sends them
    /// unasked.
    fn ask_for_entries_of(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        match self.role {
            _ if !turn.decisions.asks_for_dropped() => {}
            Role::Leader(_) => self.send_append(peer, turn),
            Role::Candidate(_) => self.request_vote(peer, turn),
            Role::Follower(_) | Role::PreCandidate(_) => {}
        }
    }

    /// Whether an entry names a content that this node neither has nor asks for.
    pub(super) fn has_lost_content_of(&self, entry: &Entry) -> bool {
        let content = entry.change.named();
        content.is_some_and(|it| !self.contents.has(it) && !self.contents.is_wanted(it))
    }
}
