//! The outbox: output waits until the log records on which it rests are synced.

use serde::{Deserialize, Serialize};

use super::{Replica, Turn};
use crate::{Effect, LogIndex, Message, NodeId, Outcome, Packet, RequestId, Sealed};

/// A message that waits until the log records on which it rests are synced.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The index up to which the log must be synced before the message may leave.
    pub explained_by: LogIndex,
    /// The receiver.
    pub to: NodeId,
    /// The message, with the session in which this node produced it.
    pub packet: Packet,
}

impl Replica {
    /// Sends a message once all records logged so far are synced. Drops it if there is no session.
    // Ensures: G1, because no Ack leaves before the entries that it acknowledges are synced.
    pub(super) fn hold_message(&mut self, to: NodeId, message: Message, turn: &mut Turn<'_>) {
        let Some(session) = self.session(to) else {
            return;
        };
        let packet = Packet { session, message: Sealed::new(message) };
        self.outbox.push(Held { explained_by: self.log.length(), to, packet });
        self.release(turn);
    }

    /// Sends a message at once. It must rest on synced records only.
    pub(super) fn send(&mut self, to: NodeId, message: Message, turn: &mut Turn<'_>) {
        if let Some(session) = self.session(to) {
            let message = Sealed::new(message);
            turn.effects.push(Effect::Send { to, packet: Packet { session, message } });
        }
    }

    /// Answers a client at once. The answer must rest on synced records only.
    pub(super) fn answer(&mut self, request: RequestId, outcome: Outcome, turn: &mut Turn<'_>) {
        turn.effects.push(Effect::Answer { request, outcome });
    }

    /// Sends the held messages whose records are synced, in order. A message leaves only within its own
    /// session.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>) {
        let synced = self.synced;
        let sessions = &self.sessions;
        self.outbox.retain(|held| {
            if !turn.decisions.may_leave(held.explained_by, synced) {
                return true;
            }
            let current = sessions.get(held.to.index()).copied().flatten();
            // The end of a session dropped its messages; only a twin keeps them.
            if !turn.decisions.is_of_session(held.packet.session, current) {
                return true;
            }
            turn.effects.push(Effect::Send { to: held.to, packet: held.packet.clone() });
            false
        });
    }

    /// Drops the messages held for a peer whose session ended. The next session begins with messages that
    /// carry the same information.
    pub(super) fn drop_held_for(&mut self, peer: NodeId) {
        self.outbox.retain(|held| held.to != peer);
    }
}
