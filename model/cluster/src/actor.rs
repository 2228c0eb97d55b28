//! A replica as a stateright actor: the state machine with its disk.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stateright::actor::{Actor, Id, Out};
use steadfast_node::{ContentCopy, Node, Output};
use steadfast_protocol::{
    Checkpoint, ContentId, Decisions, Identity, Input, NodeId, Outcome, Packet, Parameters, Record,
    RequestId, Sealed, WriteRequest,
};

use crate::Disk;

/// The events of one node besides messages. stateright calls these timers; the world issues them
/// itself and never sets them, because stateright's timer sets hash badly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The replica hears something.
    Input(Input),
    /// A sync ends.
    Sync,
    /// A received payload is stored.
    Store,
    /// The transfer of a received payload ends, with a good content or without.
    Transfer {
        /// Whether the content is there.
        made: bool,
    },
    /// A client brings a content, which is made durable before the write that names it.
    Bring(ContentId),
    /// The node verifies the copy of the content that a write would name, if no client uploaded it for the write.
    Verify(WriteRequest),
    /// The node crashes.
    Crash {
        /// The number of unsynced records that survive.
        kept: u32,
        /// Whether the next one is half written.
        torn: bool,
    },
    /// The log loses synced records.
    Rollback {
        /// The index of the last record that remains.
        kept: u32,
    },
    /// The copy of a content is gone.
    LoseContent(ContentId),
    /// The node starts again.
    Recover,
    /// A copy goes bad unnoticed.
    Rot(ContentId),
    /// The checkpoint that the node asked for is durable.
    Checkpoint,
}

/// A node as stateright keeps it: with a hash of its whole state, and with its answers to clients.
#[derive(Clone, Debug, PartialEq)]
pub struct ActorNode {
    pub(crate) node: Node<Disk>,
    /// The answers to clients in the last step. The world takes them out at once.
    pub(crate) answers: Vec<(RequestId, Outcome)>,
    /// A hash of the replica and the disk, computed once.
    digest: u64,
}

impl ActorNode {
    fn seal(&mut self) {
        let mut hasher = ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher();
        self.node.replica().hash(&mut hasher);
        self.node.storage().hash(&mut hasher);
        self.digest = hasher.finish();
    }
}

impl Eq for ActorNode {}

/// Without the digest, which follows from the rest.
impl Serialize for ActorNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.node, &self.answers).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ActorNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (node, answers) = Deserialize::deserialize(deserializer)?;
        let mut actor = ActorNode { node, answers, digest: 0 };
        actor.seal();
        Ok(actor)
    }
}

impl Hash for ActorNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

/// A replica in its surroundings.
#[derive(Clone)]
pub struct ReplicaActor {
    pub(crate) identity: Identity,
    pub(crate) parameters: Parameters,
    pub(crate) decisions: &'static dyn Decisions,
    /// Whether syncs end one by one.
    pub(crate) pipelined: bool,
    /// Whether each start is an incarnation of its own.
    pub(crate) own_incarnations: bool,
}

/// The messages that a node sends, in order.
pub(crate) type Sent = Vec<(NodeId, Packet)>;

impl ReplicaActor {
    /// Applies an event to a node. Its answers to clients stay with it.
    pub(crate) fn react(&self, actor: &mut ActorNode, event: &Event) -> Sent {
        let mut sent = Vec::new();
        for output in self.outputs(&mut actor.node, event) {
            match output {
                Output::Send { to, packet } => sent.push((to, packet)),
                // The model decides about time: a timer may run out at any moment.
                Output::ResetElectionTimer => {}
                Output::Answer { request, outcome } => actor.answers.push((request, outcome)),
            }
        }
        actor.seal();
        sent
    }

    fn outputs(&self, node: &mut Node<Disk>, event: &Event) -> Vec<Output> {
        let mut outputs = Vec::new();
        let disk = node.storage_mut();
        let input = match event {
            Event::Input(input) => Some(input.clone()),
            Event::Sync => Some(Input::Synced(disk.sync())),
            Event::Store => disk.store_next(self.decisions),
            Event::Transfer { made } => disk.end_transfer(*made),
            Event::Bring(content) => {
                disk.put(*content, ContentCopy::Exact);
                Some(Input::Stored { content: *content })
            }
            Event::Verify(write) => node.verified_for(write, self.decisions),
            Event::Crash { kept, torn } => {
                disk.crash(*kept, *torn, self.decisions);
                node.stop();
                None
            }
            Event::Rollback { kept } => {
                disk.roll_back(*kept);
                self.after_loss(disk);
                None
            }
            Event::LoseContent(content) => {
                disk.remove(*content);
                None
            }
            Event::Recover => {
                if self.own_incarnations {
                    disk.renew();
                }
                self.start(node);
                None
            }
            Event::Rot(content) => {
                disk.put(*content, ContentCopy::Wrong);
                None
            }
            Event::Checkpoint => disk.end_checkpoint(),
        };
        if let Some(input) = input {
            node.hear(input, self.decisions, &mut outputs);
        }
        outputs
    }

    /// The disk of a node that is down is lost. A new one holds this log and no contents. stateright's events are
    /// ordered and a fold is not, so this is none of them.
    pub(crate) fn replace_disk(&self, actor: &mut ActorNode, checkpoint: Sealed<Checkpoint>) {
        let records = vec![Record::Checkpoint(checkpoint)];
        let disk = actor.node.storage_mut();
        *disk = disk.replaced(records);
        self.after_loss(disk);
        actor.seal();
    }

    /// Applies an event to a node, and hands out the messages that it sends.
    fn react_as_actor(&self, actor: &mut ActorNode, event: &Event, out: &mut Out<Self>) {
        for (to, packet) in self.react(actor, event) {
            out.send(Id::from(to.index()), packet);
        }
    }

    /// After a loss of synced records, the next start is another incarnation. Starts without a loss in between share one
    /// unless the scope says otherwise: whatever one of them has sent is in the log of the next, so it makes no difference,
    /// and the model has fewer states.
    fn after_loss(&self, disk: &mut Disk) {
        if !self.own_incarnations {
            disk.renew();
        }
    }

    /// A node stays down if its log could not have been written by any node.
    fn start(&self, node: &mut Node<Disk>) {
        let _ = node.start(node.storage().incarnation(), self.decisions);
    }
}

impl Actor for ReplicaActor {
    type Msg = Packet;
    type Timer = Event;
    type State = ActorNode;
    type Storage = ();
    type Random = ();

    fn on_start(&self, _: Id, _: &Option<()>, _: &mut Out<Self>) -> ActorNode {
        let disk = Disk::new(vec![Record::Identity(self.identity)], self.pipelined);
        let mut node = Node::new(self.identity, self.parameters, disk);
        self.start(&mut node);
        let mut actor = ActorNode { node, answers: Vec::new(), digest: 0 };
        actor.seal();
        actor
    }

    fn on_msg(
        &self,
        _: Id,
        actor: &mut Cow<'_, ActorNode>,
        src: Id,
        packet: Packet,
        out: &mut Out<Self>,
    ) {
        let from = node_id(src);
        let event = Event::Input(Input::Receive { from, packet });
        self.react_as_actor(actor.to_mut(), &event, out);
    }

    fn on_timeout(
        &self,
        _: Id,
        actor: &mut Cow<'_, ActorNode>,
        event: &Event,
        out: &mut Out<Self>,
    ) {
        self.react_as_actor(actor.to_mut(), event, out);
    }

    fn name(&self) -> String {
        self.identity.node.to_string()
    }
}

/// The node that a stateright id stands for.
pub(crate) fn node_id(id: Id) -> NodeId {
    NodeId(u8::try_from(usize::from(id)).unwrap_or(u8::MAX))
}
