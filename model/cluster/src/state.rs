//! The state of a cluster, and how the guarantees see it.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stateright::Model;
use stateright::actor::{ActorModelAction, ActorModelState, Id, Network};
use steadfast_guarantees::{ClusterView, Did, GuaranteeSet, History, NodeView, broken_by_step};
use steadfast_node::{Cluster, ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    Checkpoint, ContentId, Decisions, NodeId, NodeSet, Packet, Replica, Sealed, Settings,
};

use steadfast_trace::{Bounds, Network as Delivery, Step, World};

use crate::parts::{Changing, Follow, HistoryChange, Parts, Touched, WorldChange};
use crate::{ActorNode, ClusterModel, Disk, Event, ReplicaActor, text};

/// The whole state of the model: the actors with the network between them, the ghost history, and
/// the world.
#[derive(Clone, PartialEq)]
pub struct ClusterState {
    pub(crate) actors: ActorModelState<ReplicaActor, History>,
    pub(crate) world: World,
}

impl Eq for ClusterState {}

impl Hash for ClusterState {
    /// Leaves out the parts of `ActorModelState` that this model never uses (timers, random
    /// choices, crash flags, storages): they hash badly and are always empty.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.actors.actor_states.hash(state);
        for ((from, to), packets) in self.channels() {
            (from.0, to.0, packets.len()).hash(state);
            packets.for_each(|packet| packet.hash(state));
        }
        self.actors.history.hash(state);
        self.world.hash(state);
    }
}

impl fmt::Debug for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::state(self, f)
    }
}

impl ClusterState {
    /// One node.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &Node<Disk> {
        &self.actors.actor_states[node.index()].node
    }

    /// All nodes as stateright keeps them, each with its hash.
    #[must_use]
    pub fn actor_nodes(&self) -> &[Arc<ActorNode>] {
        &self.actors.actor_states
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        self.actors.actor_states.iter().map(|it| &it.node)
    }

    /// The replica of a node that is up.
    #[must_use]
    pub fn replica(&self, node: NodeId) -> Option<&Replica> {
        self.node(node).replica()
    }

    /// The replicas of the nodes that are up.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes().filter_map(Node::replica)
    }

    /// The same state with this many election timeouts left.
    #[must_use]
    pub fn with_elections(&self, elections: u32) -> ClusterState {
        let mut state = self.clone();
        state.world.left.elections = elections;
        state
    }

    /// The same state with this many heartbeats left.
    #[must_use]
    pub fn with_ticks(&self, ticks: u32) -> ClusterState {
        let mut state = self.clone();
        state.world.left.ticks = ticks;
        state
    }

    /// The nodes that are up.
    #[must_use]
    pub fn up(&self) -> NodeSet {
        self.replicas().map(Replica::id).collect()
    }

    /// The nodes that are up and have not halted: those that keep connections.
    #[must_use]
    pub fn taking_part(&self) -> NodeSet {
        self.replicas().filter(|it| it.takes_part()).map(Replica::id).collect()
    }

    /// The world around the nodes.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The ghost history.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.actors.history
    }

    /// The messages under way, per ordered pair of nodes, oldest first.
    pub fn channels(
        &self,
    ) -> impl Iterator<Item = ((NodeId, NodeId), impl ExactSizeIterator<Item = &Packet>)> {
        let Network::Ordered(channels) = &self.actors.network else {
            unreachable!("the model begins with an ordered network and never replaces it");
        };
        channels.iter().map(|((from, to), packets)| {
            ((crate::actor::node_id(*from), crate::actor::node_id(*to)), packets.iter())
        })
    }

    /// The messages under way from one node to another, oldest first.
    pub fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        let packets = match &self.actors.network {
            Network::Ordered(channels) => channels.get(&channel(from, to)),
            _ => None,
        };
        packets.into_iter().flatten()
    }

    /// Replaces the messages under way from one node to another. A direction without messages has no
    /// channel, so that equal states have equal hashes.
    fn put_packets(&mut self, (from, to): (NodeId, NodeId), packets: Vec<Packet>) {
        if let Network::Ordered(channels) = &mut self.actors.network {
            match packets.is_empty() {
                true => channels.remove(&channel(from, to)),
                false => channels.insert(channel(from, to), packets.into()),
            };
        }
    }

    /// Replaces the messages under way in these directions.
    pub(crate) fn set_packets(&mut self, channels: Vec<((NodeId, NodeId), Vec<Packet>)>) {
        channels.into_iter().for_each(|(pair, packets)| self.put_packets(pair, packets));
    }

    /// A message that is under way.
    #[must_use]
    pub fn packet(&self, from: NodeId, to: NodeId, nth: u32) -> Option<&Packet> {
        self.packets(from, to).nth(usize::try_from(nth).ok()?)
    }
}

/// A state together with the model it belongs to.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The model.
    pub model: &'a ClusterModel,
    /// The state.
    pub state: &'a ClusterState,
}

impl View<'_> {
    /// Whether only faults, time, clients and the end of a cut can cause further steps.
    #[must_use]
    pub fn is_quiet_in_cut(&self) -> bool {
        Cluster::is_quiet_in_cut(self)
    }
}

impl ClusterView for View<'_> {
    fn settings(&self) -> Settings {
        self.model.scope().settings
    }

    fn history(&self) -> &History {
        self.state.history()
    }

    fn decisions(&self) -> &dyn Decisions {
        self.model.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        NodeView::of(self.state.node(node))
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.state.node(node).storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.state.node(node).served(content, self.model.decisions())
    }

    fn is_quiet(&self) -> bool {
        Cluster::is_quiet(self)
    }
}

impl Cluster for View<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        &self.state.world
    }

    fn network(&self) -> Delivery {
        self.model.scope().network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        self.state.nodes()
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        self.state.node(node)
    }

    fn has_messages(&self) -> bool {
        self.state.channels().next().is_some()
    }
}

impl Parts for View<'_> {
    fn left(&self) -> Bounds {
        self.state.world.left
    }

    fn next_number(&self) -> u64 {
        self.state.world.next_number()
    }

    fn history(&self) -> &History {
        self.state.history()
    }

    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        self.state.packets(from, to)
    }
}

/// A whole cluster in a step. stateright's own model lets the actors react and moves the messages.
pub(crate) struct Taking<'a> {
    model: &'a ClusterModel,
    before: &'a ClusterState,
    /// The state now, once something has changed.
    now: Option<ClusterState>,
    pub(crate) follows: VecDeque<Follow>,
    touched: Touched,
}

impl<'a> Taking<'a> {
    pub(crate) fn new(model: &'a ClusterModel, before: &'a ClusterState) -> Self {
        let touched = Touched::default();
        Taking { model, before, now: None, follows: VecDeque::new(), touched }
    }

    /// The state after the step.
    pub(crate) fn finish(self) -> ClusterState {
        let mut now = self.now.unwrap_or_else(|| self.before.clone());
        if self.model.scope().network != Delivery::Fifo {
            sort_channels(&mut now);
        }
        now
    }

    fn state(&self) -> &ClusterState {
        self.now.as_ref().unwrap_or(self.before)
    }

    fn state_mut(&mut self) -> &mut ClusterState {
        self.now.get_or_insert_with(|| self.before.clone())
    }

    fn view(&self) -> View<'_> {
        View { model: self.model, state: self.state() }
    }

    /// Lets stateright take an action of its own, which is an event of one node.
    fn act(&mut self, node: NodeId, action: ActorModelAction<Packet, Event, ()>) {
        let before = Arc::clone(&self.state().actors.actor_states[node.index()]);
        let state = self.state();
        let Some(actors) = self.model.actors.next_state(&state.actors, action) else {
            return;
        };
        let world = state.world.clone();
        let now = self.now.insert(ClusterState { actors, world });
        let after = Arc::make_mut(&mut now.actors.actor_states[node.index()]);
        let answers = std::mem::take(&mut after.answers);
        let did = Did::of(&NodeView::of(&before.node), &NodeView::of(&after.node), answers);
        self.touched.note_told(&before.node, &after.node);
        if !did.is_nothing() {
            self.change_history(HistoryChange::Did(did));
        }
    }
}

impl Cluster for Taking<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        &self.state().world
    }

    fn network(&self) -> Delivery {
        self.model.scope().network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        self.state().nodes()
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        self.state().node(node)
    }

    fn has_messages(&self) -> bool {
        self.view().has_messages()
    }
}

impl Parts for Taking<'_> {
    fn left(&self) -> Bounds {
        self.view().left()
    }

    fn next_number(&self) -> u64 {
        self.view().next_number()
    }

    fn history(&self) -> &History {
        self.state().history()
    }

    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        self.state().packets(from, to)
    }
}

impl Changing for Taking<'_> {
    fn tell(&mut self, node: NodeId, event: Event) {
        self.act(node, ActorModelAction::Timeout(Id::from(node.index()), event));
    }

    fn replace_disk(&mut self, node: NodeId, checkpoint: Sealed<Checkpoint>) {
        let actor = &self.model.actors.actors[node.index()];
        let nodes = &mut self.state_mut().actors.actor_states;
        actor.replace_disk(Arc::make_mut(&mut nodes[node.index()]), checkpoint);
        self.touched.told.insert(node);
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<()> {
        let msg = self.state().packet(from, to, nth)?.clone();
        let (src, dst) = (Id::from(from.index()), Id::from(to.index()));
        self.act(to, ActorModelAction::Deliver { src, dst, msg });
        Some(())
    }

    fn push(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        if let Network::Ordered(channels) = &mut self.state_mut().actors.network {
            channels.entry(channel(from, to)).or_default().push_back(packet);
        }
    }

    fn put_packets(&mut self, from: NodeId, to: NodeId, packets: Vec<Packet>) {
        self.state_mut().put_packets((from, to), packets);
    }

    fn change_world(&mut self, change: WorldChange) {
        change.make(&mut self.state_mut().world);
    }

    fn change_history(&mut self, change: HistoryChange) {
        self.touched.answers |= change.may_answer();
        change.make(&mut self.state_mut().actors.history);
    }

    fn then(&mut self, follow: Follow) {
        self.follows.push_back(follow);
    }

    fn touched(&self) -> Touched {
        self.touched
    }

    fn may_have_lost_its_session(&self, from: NodeId, to: NodeId) -> bool {
        self.state().packets(from, to).next().is_some()
    }

    fn has_kept_history(&self) -> bool {
        self.history() == self.before.history()
    }

    fn has_kept_node(&self, node: NodeId) -> bool {
        let at = |it: &ClusterState| Arc::as_ptr(&it.actors.actor_states[node.index()]);
        at(self.before) == at(self.state())
    }

    fn follows_up_on_all(&self) -> bool {
        true
    }

    fn broken(&self, node: NodeId, _: bool) -> GuaranteeSet {
        if self.has_kept_node(node) {
            return GuaranteeSet::default();
        }
        broken_by_step(&View { model: self.model, state: self.before }, &self.view(), node)
    }

    fn note_reached(&mut self, _: &Step) {}
}

impl Touched {
    /// Notes that a node had an event.
    pub(crate) fn note_told(&mut self, before: &Node<Disk>, after: &Node<Disk>) {
        let takes_part = |it: &Node<Disk>| it.replica().is_some_and(Replica::takes_part);
        self.told.insert(after.id());
        self.taking_part |= takes_part(before) != takes_part(after);
    }
}

fn channel(from: NodeId, to: NodeId) -> (Id, Id) {
    (Id::from(from.index()), Id::from(to.index()))
}

/// Messages that travel in any order are kept sorted, so that the same messages are the same
/// state.
fn sort_channels(state: &mut ClusterState) {
    if let Network::Ordered(channels) = &mut state.actors.network {
        channels.values_mut().for_each(|packets| packets.make_contiguous().sort());
    }
}
