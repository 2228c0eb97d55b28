//! The outbox: ack-after-sync by construction.

use super::{Replica, Turn};
use crate::{Effect, LogIndex, Message, NodeId, Outcome, Packet, RequestId, Sealed};

/// A message that waits for the log records that explain it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// It may leave once the log is synced up to here.
    pub explained_by: LogIndex,
    /// The receiver.
    pub to: NodeId,
    /// The message in the session in which it was caused.
    pub packet: Packet,
}

impl Replica {
    /// Sends a message once everything logged so far is synced. Without a session it is dropped.
    // Ensures: G1, because no Ack leaves before the records that it speaks of are synced.
    pub(super) fn hold_message(&mut self, to: NodeId, message: Message, turn: &mut Turn<'_>) {
        let Some(session) = self.session(to) else {
            return;
        };
        let packet = Packet { session, message: Sealed::new(message) };
        self.outbox.push(Held { explained_by: self.log.length(), to, packet });
        self.release(turn);
    }

    /// Sends a message that only synced records explain.
    pub(super) fn send(&mut self, to: NodeId, message: Message, turn: &mut Turn<'_>) {
        if let Some(session) = self.session(to) {
            let message = Sealed::new(message);
            turn.effects.push(Effect::Send { to, packet: Packet { session, message } });
        }
    }

    /// Answers a client with what only synced records explain.
    pub(super) fn answer(&mut self, request: RequestId, outcome: Outcome, turn: &mut Turn<'_>) {
        turn.effects.push(Effect::Answer { request, outcome });
    }

    /// Lets out what is explained by synced records, in order. A message leaves only within its
    /// own session.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>) {
        let synced = self.synced;
        let sessions = &self.sessions;
        self.outbox.retain(|held| {
            if !turn.decisions.may_leave(held.explained_by, synced) {
                return true;
            }
            let current = sessions.get(held.to.index()).copied().flatten();
            if !turn.decisions.is_of_session(held.packet.session, current) {
                return true;
            }
            turn.effects.push(Effect::Send { to: held.to, packet: held.packet.clone() });
            false
        });
    }

    /// Forgets the messages held for a peer whose session ended: the next session begins with what
    /// matters of them.
    pub(super) fn drop_held_for(&mut self, peer: NodeId) {
        self.outbox.retain(|held| held.to != peer);
    }
}
