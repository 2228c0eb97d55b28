//! The outbox: ack-after-sync by construction.

use super::{Replica, Turn};
use crate::{Effect, Message, NodeId, Outcome, Packet, Position, RequestId, Sealed};

/// Output that waits for the log records that explain it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// It may leave once the log is synced up to here.
    pub explained_by: Position,
    /// What is held.
    pub effect: HeldEffect,
}

/// What the outbox holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeldEffect {
    /// A message in the session in which it was caused.
    Send {
        /// The receiver.
        to: NodeId,
        /// The message.
        packet: Packet,
    },
    /// An answer to a client.
    Answer {
        /// The request.
        request: RequestId,
        /// What became of it.
        outcome: Outcome,
    },
}

impl Replica {
    /// Sends a message once everything logged so far is synced. Without a session it is dropped.
    pub(super) fn hold_message(&mut self, to: NodeId, message: Message, turn: &mut Turn<'_>) {
        if let Some(session) = self.session(to) {
            let message = Sealed::new(message);
            self.hold(HeldEffect::Send { to, packet: Packet { session, message } }, turn);
        }
    }

    /// Answers a client once everything logged so far is synced.
    pub(super) fn hold_answer(
        &mut self,
        request: RequestId,
        outcome: Outcome,
        turn: &mut Turn<'_>,
    ) {
        self.hold(HeldEffect::Answer { request, outcome }, turn);
    }

    // Ensures: G1, because no Ack leaves before the records that it speaks of are synced.
    fn hold(&mut self, effect: HeldEffect, turn: &mut Turn<'_>) {
        let explained_by = self.log.length();
        self.outbox.push(Held { explained_by, effect });
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
            turn.effects.push(match held.effect.clone() {
                HeldEffect::Answer { request, outcome } => Effect::Answer { request, outcome },
                HeldEffect::Send { to, packet } => {
                    let current = sessions.get(to.index()).copied().flatten();
                    if !turn.decisions.is_of_session(packet.session, current) {
                        return true;
                    }
                    Effect::Send { to, packet }
                }
            });
            false
        });
    }

    /// Forgets the messages held for a peer whose session ended: the peer will be told anew.
    pub(super) fn drop_held_for(&mut self, peer: NodeId) {
        self.outbox
            .retain(|held| !matches!(held.effect, HeldEffect::Send { to, .. } if to == peer));
    }
}
