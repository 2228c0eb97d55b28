//! Halting: a node that meets the traces of a log that was rolled back takes no further part.
//!
//! A log that loses synced records makes its node use dots again that stand for other entries
//! elsewhere. Nobody can prevent that before two nodes meet; whoever notices it when they do says
//! so and stops, so that no two nodes go on with different versions under equal vectors.

use super::{Replica, Turn};
use crate::{Halt, Input, Message, NodeId, Outcome, Refusal, RequestId};

impl Replica {
    /// What a message proves that this node cannot go on with.
    ///
    /// All three rules hold on every network, however late a message comes: an entry leaves its
    /// node only when it is synced there, so nobody knows of more own entries than a log that is
    /// whole; and a sender's entries up to its vector never change.
    // Ensures: G2, because two nodes that hold different entries under one dot do not both go on.
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
        let differs =
            |it: &&crate::Entry| self.log.entry(it.dot).is_some_and(|logged| logged != *it);
        if let Some(entry) = message.entries().iter().find(differs)
            && turn.decisions.stops_at_another_entry()
        {
            return Some(Halt::EntryDiffers { peer, dot: entry.dot });
        }
        let expected = self.log.digest_with(&vv, message.entries())?;
        turn.decisions.tells_apart(digest, expected).then_some(Halt::EntriesDiffer { peer, vv })
    }

    /// Takes no further part: clients hear that, and nothing else leaves any more.
    pub(super) fn halt(&mut self, halt: Halt, turn: &mut Turn<'_>) {
        self.step_down(turn);
        self.halted = Some(halt);
        self.outbox.clear();
        self.contents.give_up();
    }

    /// What a node that takes no part still does: it keeps its books of the disk, so that what it
    /// shows to whoever looks into it is what its log says, and refuses clients.
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
