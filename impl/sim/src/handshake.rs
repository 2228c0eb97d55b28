//! The handshakes of new connections: both ends run the machine of a server, and exchange their frames at once.
//!
//! The time that a handshake takes is a part of the time until an end hears of its connection. The world numbers the
//! sessions. The end with the lower id proposes that number and the other end the one before, so that they agree on
//! the world's session, as the higher proposal.

use steadfast_node::Node;
use steadfast_protocol::{NodeId, Replica, SessionId};
use steadfast_wire::{Channel, ClusterId, Decoder, Handshake, HandshakeError, Local, Progress};

use crate::Setup;
use crate::storage::Storage;

/// An end of a handshake.
struct End {
    handshake: Handshake,
    decoder: Decoder,
    /// The bytes for the peer.
    out: Vec<u8>,
    session: Option<SessionId>,
}

/// A node as its peers are to know it.
pub(crate) fn local(setup: &Setup, node: &Node<Storage>) -> Local {
    let halt = node.replica().and_then(Replica::halted).copied();
    let cluster = ClusterId(u128::from(setup.seed).to_le_bytes());
    Local { cluster, node: node.id(), settings: setup.settings, halt }
}

/// Opens the two connections of a session.
///
/// # Panics
/// The ends refuse each other, or agree on another session.
pub(crate) fn agree(one: Local, other: Local, session: SessionId) {
    for channel in [Channel::Log, Channel::Contents] {
        let agreed = shake_hands([one, other], channel, session);
        assert_eq!(agreed, Ok([session; 2]), "nodes-of-a-cluster-agree: {one:?}, {other:?}");
    }
}

/// Whether a connection is refused because one of the nodes has halted.
pub(crate) fn is_refused(one: Local, other: Local) -> bool {
    shake_hands([one, other], Channel::Log, SessionId(1)).is_err()
}

/// Runs a handshake; returns the session at each end.
fn shake_hands(
    locals: [Local; 2],
    channel: Channel,
    session: SessionId,
) -> Result<[SessionId; 2], HandshakeError> {
    let [one, other] = locals;
    let before = SessionId(session.0.saturating_sub(1));
    let mut ends = [
        End::begin(one, channel, other.node, session),
        End::begin(other, channel, one.node, before),
    ];
    loop {
        let [one, other] = &mut ends;
        if let (Some(one), Some(other)) = (one.session, other.session) {
            return Ok([one, other]);
        }
        let sent = std::mem::take(&mut one.out);
        other.receive(&sent)?;
        let sent = std::mem::take(&mut other.out);
        one.receive(&sent)?;
    }
}

impl End {
    fn begin(local: Local, channel: Channel, peer: NodeId, proposal: SessionId) -> End {
        let mut out = Vec::new();
        let handshake = Handshake::begin(local, channel, peer, proposal, &mut out);
        End { handshake, decoder: Decoder::new(channel), out, session: None }
    }

    fn receive(&mut self, mut bytes: &[u8]) -> Result<(), HandshakeError> {
        while let Some(frame) = self
            .decoder
            .next(&mut bytes)
            .unwrap_or_else(|error| panic!("handshakes-are-frames: {error}"))
        {
            if let Progress::Open { session } = self.handshake.receive(frame, &mut self.out)? {
                self.session = Some(session);
            }
        }
        Ok(())
    }
}
