//! Halting: a node that receives evidence of a rolled-back log takes no further part.
//!
//! If a log loses synced records, its node reuses dots that name other entries on other nodes. A node
//! can notice this only when it receives a message from another. The node that notices halts and gives
//! the reason, so that no two nodes go on with different versions under equal vectors.

use super::{Replica, Turn};
use crate::{
    Entry, Halt, Input, Message, NodeId, Outcome, Refusal, RequestId, State, VersionVector,
};

impl Replica {
    /// The reason to halt that a message proves, if it proves one.
    ///
    /// All rules hold on every network, however late a message arrives. A node sends an entry only after
    /// it has synced it, so no peer holds more of this node's entries than its log, if the log is whole.
    /// And neither a sender's entries up to its vector ever change, nor those that a writer had seen. The
    /// latter are compared before an entry is logged, also if the message brings only a part of the
    /// sender's entries, so that no log mixes entries from before and after a rollback.
    // Ensures: G2, because of two nodes that hold different entries under one dot at least one halts.
    pub(super) fn contradiction(
        &self,
        from: NodeId,
        message: &Message,
        turn: &Turn<'_>,
    ) -> Option<Halt> {
        let (vv, digest) = message.held()?;
        let (peer, own) = (from, self.id());
        let entries = message.entries().iter().map(|it| it.dot);
        let sent = entries.filter(|it| it.origin == own).map(|it| it.sequence).max();
        let held = vv.sequence(own).max(sent.unwrap_or_default());
        let logged = self.log.sequence(own);
        if turn.decisions.is_rolled_back(held, logged) {
            return Some(Halt::RolledBack { peer, held, logged });
        }
        let differs = |it: &&Entry| self.log.entry(it.dot).is_some_and(|logged| logged != *it);
        if let Some(entry) = message.entries().iter().find(differs)
            && turn.decisions.halts_at_differing_entry()
        {
            return Some(Halt::EntryDiffers { peer, dot: entry.dot });
        }
        if let Some(halt) = self.missing_stable(from, message, turn) {
            return Some(halt);
        }
        let held = self.log.followed_by(message.entries());
        let has_other_context = |entry: &&Entry| {
            let expected = held.digest(&entry.context);
            expected.is_some_and(|it| turn.decisions.context_differs(entry.context_digest, it))
        };
        if let Some(entry) = message.entries().iter().find(has_other_context) {
            return Some(Halt::EntriesDiffer { peer, vv: entry.context });
        }
        if let Some(state) = message.state()
            && let Some(halt) = self.contradicting_state(peer, state, turn)
        {
            return Some(halt);
        }
        let expected = held.digest(&vv)?;
        turn.decisions.digests_differ(digest, expected).then_some(Halt::EntriesDiffer { peer, vv })
    }

    /// The reason to halt if entries that all nodes held are missing: in this log, or in that of the author of a new
    /// entry.
    // Ensures: G2, because a node that lacks a delete which others have forgotten would keep the versions that it
    // replaced.
    fn missing_stable(&self, peer: NodeId, message: &Message, turn: &Turn<'_>) -> Option<Halt> {
        let logged = *self.log.vv();
        let is_lost = |stable: &&VersionVector| turn.decisions.lacks_stable(&logged, stable);
        let mut announced =
            message.stable().into_iter().chain(message.state().map(|it| &it.forgotten));
        if let Some(dot) = announced.find(is_lost).and_then(|it| it.first_beyond(&logged)) {
            return Some(Halt::LacksStable { peer, dot });
        }
        let forgotten = self.log.fold().forgotten();
        let is_unaware = |it: &&Entry| {
            !logged.covers(it.dot) && turn.decisions.lacks_stable(&it.context, forgotten)
        };
        let entry = message.entries().iter().find(is_unaware)?;
        Some(Halt::AuthorLacksStable { peer, dot: entry.dot })
    }

    /// The reason to halt that the lineages of a state prove: they can be compared origin by origin, up to the newest entry
    /// that both sides have.
    fn contradicting_state(&self, peer: NodeId, state: &State, turn: &Turn<'_>) -> Option<Halt> {
        let both = self.log.vv().meet(&state.vv);
        let alone = NodeId::all(self.nodes()).filter_map(|it| both.newest(it));
        let differs = |vv: &VersionVector| {
            let digests = state.lineages.digest(vv).zip(self.log.digest(vv));
            digests.is_some_and(|it| turn.decisions.digests_differ(it.0, it.1))
        };
        let vv = alone.map(VersionVector::up_to).find(differs)?;
        Some(Halt::EntriesDiffer { peer, vv })
    }

    /// Halts: drops all held output, and from now on only refuses clients.
    pub(super) fn halt(&mut self, halt: Halt, turn: &mut Turn<'_>) {
        self.step_down(turn);
        self.halted = Some(halt);
        self.outbox.clear();
        self.contents.give_up();
    }

    /// Handles an input of a halted node. It refuses clients, and keeps track of its disk, so that an
    /// operator who inspects the node sees the state of its log.
    pub(super) fn step_halted(&mut self, halt: Halt, input: Input, turn: &mut Turn<'_>) {
        let refuse = |request: RequestId| (request, Outcome::Refused(Refusal::Halted { halt }));
        match input {
            Input::Write(write) => {
                let (request, outcome) = refuse(write.request);
                self.answer(request, outcome, turn);
            }
            Input::Read(read) => {
                let (request, outcome) = refuse(read.request);
                self.answer(request, outcome, turn);
            }
            Input::Synced(index) => {
                self.note_synced(index, turn);
            }
            Input::LinkDown { peer } if peer.0 < self.nodes() => {
                self.sessions[peer.index()] = None;
            }
            Input::Stored { content } => self.contents.note(content, true),
            Input::Bad { content } => self.contents.note(content, false),
            _ => {}
        }
    }
}
