//! The messages under way between recorded nodes.

use std::collections::{BTreeMap, VecDeque};

use steadfast_protocol::{NodeId, Packet, SessionId};

/// For each direction between two nodes, the messages of each session that were sent and not received.
/// Within a session, messages arrive in the order in which they were sent, and none is left out before the
/// end of the session.
#[derive(Debug, Default)]
pub(super) struct Channels {
    under_way: BTreeMap<(NodeId, NodeId), BTreeMap<SessionId, VecDeque<Packet>>>,
}

/// Whether a message may arrive.
pub(super) enum Arrival {
    /// It is the next one of its session.
    Next,
    /// The sender has sent nothing more in the session so far.
    NotSent,
    /// The sender has sent another one.
    Other(Packet),
}

impl Channels {
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        let sessions = self.under_way.entry((from, to)).or_default();
        sessions.entry(packet.session).or_default().push_back(packet);
    }

    pub(super) fn arrival(&self, from: NodeId, to: NodeId, packet: &Packet) -> Arrival {
        let sessions = self.under_way.get(&(from, to));
        match sessions.and_then(|it| it.get(&packet.session)).and_then(VecDeque::front) {
            None => Arrival::NotSent,
            Some(next) if next == packet => Arrival::Next,
            Some(other) => Arrival::Other(other.clone()),
        }
    }

    /// The next message of a session has arrived.
    pub(super) fn receive(&mut self, from: NodeId, to: NodeId, session: SessionId) {
        let sessions = self.under_way.get_mut(&(from, to));
        if let Some(queue) = sessions.and_then(|it| it.get_mut(&session)) {
            queue.pop_front();
        }
    }

    /// A session begins at the receiver: those before it have ended, with whatever was under way.
    pub(super) fn begin(&mut self, from: NodeId, to: NodeId, session: SessionId) {
        if let Some(sessions) = self.under_way.get_mut(&(from, to)) {
            *sessions = sessions.split_off(&session);
        }
    }

    /// Whether a message of this session is under way.
    pub(super) fn has(&self, from: NodeId, to: NodeId, session: SessionId) -> bool {
        let sessions = self.under_way.get(&(from, to));
        sessions.and_then(|it| it.get(&session)).is_some_and(|it| !it.is_empty())
    }
}
