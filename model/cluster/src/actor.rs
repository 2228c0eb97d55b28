//! A replica as a stateright actor: the state machine with its disk.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};

use stateright::actor::{Actor, Id, Out};
use steadfast_guarantees::{Copy, NodeView};
use steadfast_protocol::{
    ContentId, Decisions, Effect, Identity, Input, NodeId, Outcome, Packet, Record, Replica,
    RequestId, Sealed,
};

use crate::Disk;

/// What happens to one node besides messages. stateright calls these timers; they are issued by
/// the world and never set, because its timer sets hash badly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The replica hears something.
    Input(Input),
    /// A sync ends.
    Sync,
    /// A received payload is stored.
    Store,
    /// A client brings a content, which is made durable before the write that names it.
    Bring(ContentId),
    /// The node stops.
    Crash {
        /// How many unsynced records survive.
        kept: u16,
        /// Whether the next one is half written.
        torn: bool,
    },
    /// The log loses synced records.
    Rollback {
        /// How many remain.
        kept: u32,
    },
    /// The node starts again.
    Recover,
    /// A copy goes bad unnoticed.
    Rot(ContentId),
}

/// A node: its replica while it is up, and its disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub(crate) replica: Option<Replica>,
    pub(crate) disk: Disk,
    /// What clients were told in the last step. The world takes it out at once.
    pub(crate) answers: Vec<(RequestId, Outcome)>,
    /// A hash of all of this, computed once.
    digest: u64,
}

impl Node {
    /// The node as the guarantees see it.
    #[must_use]
    pub fn view(&self) -> NodeView<'_> {
        NodeView {
            replica: self.replica.as_ref(),
            records: self.disk.records(),
            synced: self.disk.synced(),
        }
    }

    /// The state machine; `None` while the node is down.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    fn seal(&mut self) {
        let mut hasher = ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher();
        self.replica.hash(&mut hasher);
        self.disk.hash(&mut hasher);
        self.digest = hasher.finish();
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

/// A replica in its surroundings.
#[derive(Clone)]
pub struct ReplicaActor {
    pub(crate) identity: Identity,
    pub(crate) decisions: &'static dyn Decisions,
    /// Whether syncs end one by one.
    pub(crate) pipelined: bool,
}

impl ReplicaActor {
    /// Feeds the replica an input and performs the effects, until nothing is left to do at once.
    fn drive(&self, node: &mut Node, input: Input, out: &mut Out<Self>) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let Some(replica) = &mut node.replica else {
                return;
            };
            replica.step(self.decisions, input, &mut effects);
            for effect in effects.drain(..) {
                self.perform(node, effect, &mut inputs, out);
            }
        }
    }

    fn perform(
        &self,
        node: &mut Node,
        effect: Effect,
        inputs: &mut VecDeque<Input>,
        out: &mut Out<Self>,
    ) {
        match effect {
            Effect::Append { records } => node.disk.append(records, self.pipelined),
            Effect::Send { to, packet } => {
                let packet = with_readable_payloads(packet, &node.disk, inputs);
                out.send(Id::from(to.index()), packet);
            }
            Effect::Answer { request, outcome } => node.answers.push((request, outcome)),
            Effect::Store { payload, .. } => node.disk.storing.push(payload),
            Effect::Fetch { content } => inputs.push_back(match node.disk.copy(content) {
                Copy::Exact => Input::Fetched { content },
                Copy::Missing | Copy::Wrong => Input::Bad { content },
            }),
        }
    }

    fn on_event(&self, node: &mut Node, event: &Event, out: &mut Out<Self>) {
        match event {
            Event::Input(input) => self.drive(node, input.clone(), out),
            Event::Sync => {
                let position = node.disk.sync();
                self.drive(node, Input::Synced(position), out);
            }
            Event::Store => self.on_store(node, out),
            Event::Bring(content) => {
                node.disk.put(*content, Copy::Exact);
                self.drive(node, Input::Stored { content: *content }, out);
            }
            Event::Crash { kept, torn } => {
                node.replica = None;
                node.disk.crash(*kept, *torn, self.decisions);
            }
            Event::Rollback { kept } => node.disk.roll_back(*kept),
            Event::Recover => node.replica = self.recover(&node.disk),
            Event::Rot(content) => node.disk.put(*content, Copy::Wrong),
        }
    }

    fn on_store(&self, node: &mut Node, out: &mut Out<Self>) {
        if node.disk.storing.is_empty() {
            return;
        }
        let payload = node.disk.storing.remove(0);
        let content = payload.content;
        let input = match node.disk.store(payload, self.decisions) {
            true => Input::Stored { content },
            false => Input::Unusable { content },
        };
        self.drive(node, input, out);
    }

    /// `None` when the log is none that a node could have written.
    fn recover(&self, disk: &Disk) -> Option<Replica> {
        let contents = disk.contents().iter().map(|(content, _)| *content);
        Replica::recover(self.identity, disk.records(), contents, self.decisions).ok()
    }
}

/// Leaves out the payloads that this disk has no good copy of, and says which they are.
fn with_readable_payloads(packet: Packet, disk: &Disk, inputs: &mut VecDeque<Input>) -> Packet {
    let payloads = packet.message.payloads().iter();
    let bad: Vec<ContentId> =
        payloads.filter(|it| disk.copy(it.content) != Copy::Exact).map(|it| it.content).collect();
    if bad.is_empty() {
        return packet;
    }
    let mut message = (*packet.message).clone();
    for content in bad {
        message = message.without_payload(content);
        inputs.push_back(Input::Bad { content });
    }
    Packet { message: Sealed::new(message), ..packet }
}

impl Actor for ReplicaActor {
    type Msg = Packet;
    type Timer = Event;
    type State = Node;
    type Storage = ();
    type Random = ();

    fn on_start(&self, _: Id, _: &Option<()>, _: &mut Out<Self>) -> Node {
        let disk = Disk::new(vec![Record::Identity(self.identity)]);
        let replica = self.recover(&disk);
        let mut node = Node { replica, disk, answers: Vec::new(), digest: 0 };
        node.seal();
        node
    }

    fn on_msg(
        &self,
        _: Id,
        node: &mut Cow<'_, Node>,
        src: Id,
        packet: Packet,
        out: &mut Out<Self>,
    ) {
        let from = node_id(src);
        let node = node.to_mut();
        self.drive(node, Input::Receive { from, packet }, out);
        node.seal();
    }

    fn on_timeout(&self, _: Id, node: &mut Cow<'_, Node>, event: &Event, out: &mut Out<Self>) {
        let node = node.to_mut();
        self.on_event(node, event, out);
        node.seal();
    }

    fn name(&self) -> String {
        self.identity.node.to_string()
    }
}

/// The node that a stateright id stands for.
pub(crate) fn node_id(id: Id) -> NodeId {
    NodeId(u8::try_from(usize::from(id)).unwrap_or(u8::MAX))
}
