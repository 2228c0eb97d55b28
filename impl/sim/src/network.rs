//! The network: connections, cuts, and the bytes under way.

use std::collections::BTreeMap;

use steadfast_node::{Cluster, Node};
use steadfast_protocol::{Decisions, NodeId, Packet, SessionId};
use steadfast_trace::{Bounds, Network as Kind, World};
use steadfast_wire::{Channel, Decoder, Local, packet};

use crate::Setup;
use crate::channels::Channels;
use crate::handshake;
use crate::nodes::Nodes;
use crate::storage::Storage;

/// The surroundings of the nodes, with everything that is under way between them. Two connections join each
/// two nodes: one carries packets, in the way of the network that was asked for, and the other one contents, in order
/// and without loss while it lasts, as TCP does. Both belong to one session.
pub(crate) struct Network {
    /// Connections with their sessions, and the cut that lasts. Its bounds are not used: nothing
    /// that a simulation does is bounded.
    pub world: World,
    pub packets: Channels<SentPacket>,
    pub contents: Channels<SentBytes>,
    /// For each sender and receiver the newest session that has lost bytes of contents. No later bytes of it
    /// arrive, even if the cut ends before both ends hear of it.
    torn: BTreeMap<(NodeId, NodeId), SessionId>,
}

/// A packet under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SentPacket {
    /// The packet as its sender knows it. The model names messages on a network without order by their place
    /// among the others.
    pub packet: Packet,
    /// Its frame, of which the receiver makes the packet again.
    pub frame: Vec<u8>,
}

/// Bytes of frames with contents under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SentBytes {
    pub session: SessionId,
    pub bytes: Vec<u8>,
}

/// Room for the frames of most packets.
const FRAME_BYTES: usize = 256;

impl SentPacket {
    /// Encodes a packet.
    ///
    /// # Panics
    /// It is too long for a frame. A simulation has short paths and inline contents.
    pub(crate) fn encode(packet: Packet) -> SentPacket {
        let mut frame = Vec::with_capacity(FRAME_BYTES);
        let encoded = packet::encode(&packet, &mut frame);
        encoded.unwrap_or_else(|error| panic!("packets-fit-into-frames: {error}"));
        SentPacket { packet, frame }
    }

    /// The packet that the receiver reads.
    ///
    /// # Panics
    /// It is another one than was sent.
    pub(crate) fn decode(&self) -> Packet {
        let mut decoder = Decoder::new(Channel::Log);
        let read =
            decoder.next(&mut &*self.frame).and_then(|frame| frame.map(packet::decode).transpose());
        match read {
            Ok(Some(packet)) if packet == self.packet => packet,
            read => panic!("packets-arrive-as-they-were-sent: {:?} as {read:?}", self.packet),
        }
    }
}

impl Network {
    pub(crate) fn new(setup: &Setup) -> Network {
        let (nodes, speed) = (setup.settings.nodes(), setup.link_bytes_per_s);
        Network {
            world: World::new(nodes, Bounds::default()),
            packets: Channels::new(nodes, setup.network == Kind::Fifo, speed),
            contents: Channels::new(nodes, true, speed),
            torn: BTreeMap::new(),
        }
    }

    /// Begins and ends connections, so that they join the nodes that take part and reach each other. The
    /// ends of a new one shake hands.
    pub(crate) fn refresh_links(&mut self, setup: &Setup, nodes: &Nodes) -> u64 {
        let before = self.world.clone();
        self.world.refresh_links(nodes.roles().participants);
        let locals: Vec<Local> = nodes.iter().map(|it| handshake::local(setup, &it.node)).collect();
        let mut refusals = 0;
        for (one, other) in pairs(setup.settings.nodes()) {
            let (first, second) = (locals[one.index()], locals[other.index()]);
            match self.world.session(one, other) {
                Some(session) if before.session(one, other) != Some(session) => {
                    handshake::agree(first, second, session);
                }
                None if first.halt.is_some() || second.halt.is_some() => {
                    refusals += u64::from(handshake::is_refused(first, second));
                }
                _ => {}
            }
        }
        refusals
    }

    /// Loses whatever no connection carries any more; returns the number of lost messages and that of lost
    /// stretches of bytes.
    pub(crate) fn lose_uncarried(&mut self, setup: &Setup, nodes: &Nodes) -> (u64, u64) {
        let scene = Scene { setup, nodes, world: &self.world, has_messages: true };
        let packets = self.packets.retain(|from, to, it| scene.carries(from, to, &it.packet));
        let torn = &mut self.torn;
        let contents = self.contents.retain(|from, to, it| {
            let is_carried = scene.carries_bytes(from, to, it.session);
            arrives(torn, (from, to), it.session, is_carried)
        });
        (packets, contents)
    }

    /// Whether bytes that are sent now arrive, if the connection carries them.
    pub(crate) fn takes_bytes(
        &mut self,
        ends: (NodeId, NodeId),
        session: SessionId,
        is_carried: bool,
    ) -> bool {
        arrives(&mut self.torn, ends, session, is_carried)
    }

    /// Loses whatever is under way to a node that crashes; returns the same numbers.
    pub(crate) fn lose_all_to(&mut self, node: NodeId) -> (u64, u64) {
        let packets = self.packets.retain(|_, to, _| to != node);
        (packets, self.contents.retain(|_, to, _| to != node))
    }
}

/// Whether bytes of a session arrive: the connection carries them, and has lost none before them.
fn arrives(
    torn: &mut BTreeMap<(NodeId, NodeId), SessionId>,
    ends: (NodeId, NodeId),
    session: SessionId,
    is_carried: bool,
) -> bool {
    let lost = torn.entry(ends).or_default();
    if !is_carried {
        *lost = session.max(*lost);
    }
    session > *lost
}

/// Every two nodes.
fn pairs(nodes: u8) -> impl Iterator<Item = (NodeId, NodeId)> {
    (0..nodes).flat_map(move |one| (one + 1..nodes).map(move |other| (NodeId(one), NodeId(other))))
}

/// Nodes and network, as the rules that concern several nodes see them.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub setup: &'a Setup,
    pub nodes: &'a Nodes,
    pub world: &'a World,
    pub has_messages: bool,
}

impl<'a> Scene<'a> {
    pub(crate) fn of(setup: &'a Setup, nodes: &'a Nodes, network: &'a Network) -> Scene<'a> {
        let has_messages = !network.packets.is_empty();
        Scene { setup, nodes, world: &network.world, has_messages }
    }

    /// Whether bytes of contents arrive: no cut loses them, and the receiver has seen their session begin
    /// and not end, or will see it begin.
    pub(crate) fn carries_bytes(self, from: NodeId, to: NodeId, session: SessionId) -> bool {
        let sessions = [self.session_seen(to, from), self.world.session(from, to)];
        self.world.reaches(from, to) && sessions.contains(&Some(session))
    }
}

impl Cluster for Scene<'_> {
    type Storage = Storage;

    fn world(&self) -> &World {
        self.world
    }

    fn network(&self) -> Kind {
        self.setup.network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.setup.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Storage>> {
        self.nodes.iter().map(|it| &it.node)
    }

    fn node(&self, node: NodeId) -> &Node<Storage> {
        &self.nodes[node].node
    }

    fn has_messages(&self) -> bool {
        self.has_messages
    }
}
