//! The cluster as components: what the search engine searches.
//!
//! A state is a component for each node, one for each direction between two nodes, the history and
//! the world. Steps are those of [`ClusterModel`], taken over [`Parts`] that note what they read.

use std::cell::Cell;

use steadfast_guarantees::twins::Twin;
use steadfast_guarantees::witnesses::{Witness, witness};
use steadfast_guarantees::{
    ClusterView, Did, GUARANTEES, GuaranteeSet, History, NodeView, broken_by_step, holds,
    shows_wrong_content,
};
use steadfast_node::{Cluster, ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Halt, Input, NodeId, NodeSet, Packet, Replica, RequestId,
    SessionId, Settings,
};
use steadfast_search::{Effect, Look, Place, Property, Rule, Steps, System};
use steadfast_trace::{Bounds, Network, Scope, Step, StepKind, World};

use crate::actions::Source;
use crate::parts::{Changing, Follow as After, HistoryChange, Parts, Touched, WorldChange};
use crate::{ActorNode, ClusterModel, ClusterState, Disk, Event};

/// A cluster within a scope, as a system of components.
pub struct ClusterComponents {
    model: ClusterModel,
    twin: Option<&'static Twin>,
    /// The sources of steps of each rule: those that look at the same parts.
    rules: Vec<Vec<Source>>,
    /// Stands for the history where it is not looked at.
    no_history: History,
    /// Witnesses that are reached in states: properties that must hold sometimes.
    in_states: Vec<&'static Witness>,
    /// Witnesses that steps reach: marks.
    by_steps: Vec<&'static Witness>,
}

/// A part of a cluster, or the summary of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// A node.
    Node(ActorNode),
    /// What is under way in one direction, oldest first.
    Packets(Vec<Packet>),
    /// The ghost history.
    History(History),
    /// The world; as a summary, with connections or bounds only.
    World(World),
    /// Of a direction, whether something is under way.
    IsEmpty(bool),
    /// Of a node, its sessions by peer, and whether it is up and takes part.
    Sessions {
        /// Whether it is up.
        is_up: bool,
        /// Whether it has not stopped taking part, either.
        takes_part: bool,
        /// The sessions that it has seen begin and not end.
        sessions: Vec<Option<SessionId>>,
    },
    /// Of a node, whether nothing happens in it by itself.
    Stillness {
        /// Whether its disk is at rest.
        is_at_rest: bool,
        /// Whether it is up and has no bad copy to find, either.
        is_still: bool,
        /// Whether its next tick carries something.
        lags: bool,
    },
    /// Of a node, its log.
    Log(Disk),
    /// Of a node, what two guarantees ask of every node in every state.
    Judged {
        /// Why it has stopped taking part.
        halted: Option<Halt>,
        /// Whether a reader gets other bytes than a name says.
        shows_wrong_content: bool,
    },
}

/// How a component changes, whatever it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change(How);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum How {
    Push(Packet),
    World(WorldChange),
    History(HistoryChange),
}

/// What follows from a step once its changes are made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Follow(After);

/// The numbers of the summaries.
const IS_EMPTY: u16 = 0;
const SESSIONS: u16 = 1;
const LOG: u16 = 2;
const JUDGED: u16 = 3;
const LINKS: u16 = 4;
const BOUNDS: u16 = 5;
const STILLNESS: u16 = 6;

impl ClusterComponents {
    /// The cluster of a scope; of a twin, or of the protocol as it is. Witnesses that do not exist are
    /// left out.
    #[must_use]
    pub fn new(scope: Scope, twin: Option<&'static Twin>, witnesses: &[&str]) -> Self {
        let model = ClusterModel::new(scope, twin);
        let witnesses = witnesses.iter().filter_map(|id| witness(id));
        let (in_states, by_steps) = witnesses.partition(|it| it.kinds().is_none());
        let rules = rules(&model);
        let no_history = History::default();
        ClusterComponents { model, twin, rules, no_history, in_states, by_steps }
    }

    /// The same cluster as a model of stateright.
    #[must_use]
    pub fn model(&self) -> &ClusterModel {
        &self.model
    }

    /// The components of a state.
    #[must_use]
    pub fn split(&self, state: &ClusterState) -> Vec<Component> {
        let packets = |(from, to)| state.packets(from, to).cloned().collect();
        let nodes = state.actor_nodes().iter().map(|it| Component::Node((**it).clone()));
        let channels = self.model.pairs().map(packets).map(Component::Packets);
        let history = Component::History(state.history().clone());
        let world = Component::World(state.world().clone());
        nodes.chain(channels).chain([history, world]).collect()
    }

    fn nodes(&self) -> u8 {
        self.model.scope().settings.nodes()
    }

    fn node_at(node: NodeId) -> Place {
        Place(node.0.into())
    }

    /// Nodes come first, and then the directions, in the order of [`ClusterModel::pairs`].
    fn packets_at(&self, from: NodeId, to: NodeId) -> Place {
        let others = u16::from(self.nodes()) - 1;
        let nth = if to < from { u16::from(to.0) } else { u16::from(to.0) - 1 };
        Place(u16::from(self.nodes()) + u16::from(from.0) * others + nth)
    }

    fn history_at(&self) -> Place {
        Place(u16::from(self.nodes()) * u16::from(self.nodes()))
    }

    fn world_at(&self) -> Place {
        Place(self.history_at().0 + 1)
    }

    fn seen<'a>(&'a self, look: &'a Look<'a, Component>) -> Seen<'a> {
        Seen { system: self, look }
    }
}

impl System for ClusterComponents {
    type Component = Component;
    type Change = Change;
    type Step = Step;
    type Follow = Follow;

    fn name(&self) -> String {
        let twin = self.twin.map_or(String::new(), |it| format!(" as {}", it.name));
        format!("{:?}{twin}", self.model.scope())
    }

    fn initial_states(&self) -> Vec<Vec<Component>> {
        vec![self.split(&self.model.first_state())]
    }

    fn rules(&self) -> u16 {
        u16::try_from(self.rules.len()).unwrap_or(u16::MAX)
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, Component>, steps: &mut Steps<Self>) {
        let seen = self.seen(state);
        let mut possible = Vec::new();
        for source in &self.rules[usize::from(rule)] {
            self.model.steps_from(*source, &seen, &mut possible);
        }
        for step in possible {
            let mut taking = Taking::new(self, state, state);
            if self.model.take(&mut taking, &step).is_none() {
                continue;
            }
            if self.by_steps.iter().any(|it| may_reach(it, &step)) {
                taking.then(After::Reach { step, has_waited: false });
            }
            let outcome = steps.step(step);
            for follow in std::mem::take(&mut taking.follows) {
                outcome.then(Follow(follow));
            }
            for (place, change) in taking.into_changes() {
                match change {
                    Changed::To(component) => outcome.put(place, component),
                    Changed::By(how) => outcome.change(place, Change(how)),
                };
            }
        }
    }

    fn changed(&self, component: &Component, Change(how): &Change) -> Component {
        match (component, how) {
            (Component::Packets(packets), How::Push(packet)) => {
                let mut packets = packets.clone();
                let at = match self.model.scope().network {
                    Network::Fifo => packets.len(),
                    // Messages that travel in any order are kept sorted.
                    Network::Unordered | Network::Lossy => {
                        packets.partition_point(|it| it <= packet)
                    }
                };
                packets.insert(at, packet.clone());
                Component::Packets(packets)
            }
            (Component::World(world), How::World(change)) => {
                let mut world = world.clone();
                change.make(&mut world);
                Component::World(world)
            }
            (Component::History(history), How::History(change)) => {
                let mut history = history.clone();
                change.make(&mut history);
                Component::History(history)
            }
            _ => unreachable!("{component:?} does not change by {how:?}"),
        }
    }

    fn follow(
        &self,
        Follow(follow): &Follow,
        before: &Look<'_, Component>,
        now: &Look<'_, Component>,
        effect: &mut Effect<Self>,
    ) {
        let mut taking = Taking::new(self, before, now);
        self.model.follow(&mut taking, follow);
        for follow in std::mem::take(&mut taking.follows) {
            effect.then(Follow(follow));
        }
        for mark in std::mem::take(&mut taking.reached) {
            effect.mark(mark);
        }
        for (place, change) in taking.into_changes() {
            match change {
                Changed::To(component) => effect.put(place, component),
                Changed::By(how) => effect.change(place, Change(how)),
            };
        }
    }

    fn properties(&self) -> Vec<Property> {
        let guarantees = GUARANTEES.iter().map(|it| Property::always(it.id().name()));
        guarantees.chain(self.in_states.iter().map(|it| Property::sometimes(it.id))).collect()
    }

    fn holds(&self, property: usize, state: &Look<'_, Component>) -> bool {
        let seen = self.seen(state);
        match property.checked_sub(GUARANTEES.len()) {
            None => holds(GUARANTEES[property].id(), &seen),
            Some(witness) => self.in_states[witness].is_reached_in(&seen) == Some(true),
        }
    }

    fn marks(&self) -> Vec<String> {
        self.by_steps.iter().map(|it| it.id.to_owned()).collect()
    }

    fn kinds(&self) -> Vec<String> {
        StepKind::ALL.iter().map(|it| it.name().to_owned()).collect()
    }

    fn kind(&self, step: &Step) -> u16 {
        step.kind() as u16
    }

    fn summaries(&self) -> u16 {
        STILLNESS + 1
    }

    fn summary(&self, number: u16, component: &Component) -> Component {
        let decisions = self.model.decisions();
        match (number, component) {
            (IS_EMPTY, Component::Packets(packets)) => Component::IsEmpty(packets.is_empty()),
            (SESSIONS, Component::Node(ActorNode { node, .. })) => {
                let session = |peer| node.replica().and_then(|it| it.session(peer));
                Component::Sessions {
                    is_up: node.is_up(),
                    takes_part: node.replica().is_some_and(Replica::takes_part),
                    sessions: NodeId::all(self.nodes()).map(session).collect(),
                }
            }
            (STILLNESS, Component::Node(ActorNode { node, .. })) => {
                let is_at_rest = node.storage().is_at_rest();
                let finds_none = || node.undetected_rot(decisions).next().is_none();
                Component::Stillness {
                    is_at_rest,
                    is_still: is_at_rest && node.is_up() && finds_none(),
                    lags: node.replica().is_some_and(Replica::lags),
                }
            }
            (LOG, Component::Node(it)) => Component::Log(it.node.storage().log_only()),
            (JUDGED, Component::Node(ActorNode { node, .. })) => Component::Judged {
                halted: node.replica().and_then(Replica::halted).copied(),
                shows_wrong_content: node
                    .replica()
                    .is_some_and(|it| shows_wrong_content(it, |at| node.served(at, decisions))),
            },
            (LINKS, Component::World(world)) => Component::World(world.links_only()),
            (BOUNDS, Component::World(world)) => Component::World(world.bounds_only()),
            _ => unreachable!("{component:?} has no summary {number}"),
        }
    }
}

/// The sources of steps that are possible within a scope. Those that look at one node alone are one
/// rule, and so are those that look at one node and at what is left of the bounds.
fn rules(model: &ClusterModel) -> Vec<Vec<Source>> {
    let nodes = NodeId::all(model.scope().settings.nodes());
    let joined = nodes.flat_map(|it| {
        [
            vec![Source::Progress(it), Source::Recoveries(it)],
            vec![Source::Clients(it), Source::Time(it), Source::Crashes(it)],
        ]
    });
    let joined: Vec<_> = joined.collect();
    let is_alone = |it: &&Source| !joined.iter().flatten().any(|joined| joined == *it);
    let alone: Vec<_> = model.sources.iter().filter(is_alone).map(|it| vec![*it]).collect();
    let mut rules: Vec<Vec<Source>> = alone.into_iter().chain(joined).collect();
    rules.iter_mut().for_each(|rule| rule.retain(|it| it.is_possible(model)));
    rules.retain(|it| !it.is_empty());
    rules
}

/// Whether a step is of a kind that may reach a witness.
fn may_reach(witness: &Witness, step: &Step) -> bool {
    witness.kinds().is_some_and(|it| it.contains(&step.kind()))
}

/// A state of which every part that is looked at is noted.
#[derive(Clone, Copy)]
struct Seen<'a> {
    system: &'a ClusterComponents,
    look: &'a Look<'a, Component>,
}

impl<'a> Seen<'a> {
    fn actor(self, node: NodeId) -> &'a ActorNode {
        match &self.look[ClusterComponents::node_at(node)] {
            Component::Node(node) => node,
            other => unreachable!("{other:?} stands where a node does"),
        }
    }

    fn sessions(self, node: NodeId) -> (bool, bool, &'a [Option<SessionId>]) {
        match self.look.summary(ClusterComponents::node_at(node), SESSIONS) {
            Component::Sessions { is_up, takes_part, sessions } => (*is_up, *takes_part, sessions),
            other => unreachable!("{other:?} are no sessions"),
        }
    }

    fn stillness(self, node: NodeId) -> (bool, bool, bool) {
        match self.look.summary(ClusterComponents::node_at(node), STILLNESS) {
            Component::Stillness { is_at_rest, is_still, lags } => (*is_at_rest, *is_still, *lags),
            other => unreachable!("{other:?} is no stillness"),
        }
    }

    fn world_summary(self, number: u16) -> &'a World {
        match self.look.summary(self.system.world_at(), number) {
            Component::World(world) => world,
            other => unreachable!("{other:?} is no world"),
        }
    }

    fn packets_of(self, from: NodeId, to: NodeId) -> &'a [Packet] {
        match &self.look[self.system.packets_at(from, to)] {
            Component::Packets(packets) => packets,
            other => unreachable!("{other:?} stands where messages do"),
        }
    }

    fn is_empty(self, (from, to): (NodeId, NodeId)) -> bool {
        let place = self.system.packets_at(from, to);
        matches!(self.look.summary(place, IS_EMPTY), Component::IsEmpty(true))
    }

    fn judged(self, node: NodeId) -> (&'a Option<Halt>, bool) {
        match self.look.summary(ClusterComponents::node_at(node), JUDGED) {
            Component::Judged { halted, shows_wrong_content } => (halted, *shows_wrong_content),
            other => unreachable!("{other:?} is no judgement"),
        }
    }

    fn history_of(self) -> &'a History {
        match &self.look[self.system.history_at()] {
            Component::History(history) => history,
            other => unreachable!("{other:?} stands where the history does"),
        }
    }
}

impl Cluster for Seen<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        self.world_summary(LINKS)
    }

    fn network(&self) -> Network {
        self.system.model.scope().network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system.model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        NodeId::all(self.system.nodes()).map(|it| &self.actor(it).node)
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        &self.actor(node).node
    }

    fn has_messages(&self) -> bool {
        !self.system.model.pairs().all(|it| self.is_empty(it))
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.sessions(node).0
    }

    fn takes_part(&self, node: NodeId) -> bool {
        self.sessions(node).1
    }

    fn session_seen(&self, node: NodeId, peer: NodeId) -> Option<SessionId> {
        self.sessions(node).2.get(peer.index()).copied().flatten()
    }

    fn is_at_rest(&self, node: NodeId) -> bool {
        self.stillness(node).0
    }

    fn is_still(&self, node: NodeId) -> bool {
        self.stillness(node).1
    }

    fn lags(&self, node: NodeId) -> bool {
        self.stillness(node).2
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> {
        NodeId::all(self.system.nodes())
    }
}

impl Parts for Seen<'_> {
    fn left(&self) -> Bounds {
        self.world_summary(BOUNDS).left
    }

    fn next_request(&self) -> RequestId {
        self.world_summary(BOUNDS).next_request()
    }

    fn history(&self) -> &History {
        self.history_of()
    }

    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        self.packets_of(from, to).iter()
    }
}

impl ClusterView for Seen<'_> {
    fn settings(&self) -> Settings {
        self.system.model.scope().settings
    }

    fn history(&self) -> &History {
        self.history_of()
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system.model.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        NodeView::of(&self.actor(node).node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.actor(node).node.storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.actor(node).node.served(content, self.system.model.decisions())
    }

    fn is_quiet(&self) -> bool {
        Cluster::is_quiet(self)
    }

    fn disk(&self, node: NodeId) -> NodeView<'_> {
        match self.look.summary(ClusterComponents::node_at(node), LOG) {
            Component::Log(disk) => {
                NodeView { replica: None, records: disk.records(), synced: disk.synced() }
            }
            other => unreachable!("{other:?} is no log"),
        }
    }

    fn rolled_back(&self) -> NodeSet {
        match self.system.model.scope().bounds.rollbacks {
            0 => NodeSet::default(),
            _ => self.history_of().rolled_back(),
        }
    }

    fn halted(&self, node: NodeId) -> Option<&Halt> {
        self.judged(node).0.as_ref()
    }

    fn shows_wrong_content(&self, node: NodeId) -> bool {
        self.judged(node).1
    }
}

/// The state after a step, as the guarantees see it.
struct SeenAfter<'a> {
    now: Seen<'a>,
    before: Seen<'a>,
    /// Whether the step is known to have kept the history.
    keeps_history: bool,
}

impl ClusterView for SeenAfter<'_> {
    fn settings(&self) -> Settings {
        self.now.settings()
    }

    fn history(&self) -> &History {
        self.now.history_of()
    }

    fn decisions(&self) -> &dyn Decisions {
        ClusterView::decisions(&self.now)
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        ClusterView::node(&self.now, node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.now.copy(node, content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.now.served(node, content)
    }

    fn is_quiet(&self) -> bool {
        ClusterView::is_quiet(&self.now)
    }

    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        self.now.has_synced(node, entry)
    }

    fn disk(&self, node: NodeId) -> NodeView<'_> {
        self.now.disk(node)
    }

    fn rolled_back(&self) -> NodeSet {
        self.now.rolled_back()
    }

    /// The earlier state is the one before the step: no other is judged against.
    fn has_history_of(&self, _: &dyn ClusterView) -> bool {
        let place = self.now.system.history_at();
        self.keeps_history || self.now.look.has_kept(place, self.before.look)
    }

    fn halted(&self, node: NodeId) -> Option<&Halt> {
        self.now.judged(node).0.as_ref()
    }

    fn shows_wrong_content(&self, node: NodeId) -> bool {
        self.now.judged(node).1
    }
}

/// A node as the guarantees see it, without the rest of the cluster. Whatever else is looked at is
/// made up, and that it was is noted: then what the guarantees say means nothing.
struct Alone<'a> {
    system: &'a ClusterComponents,
    actor: &'a ActorNode,
    keeps_history: bool,
    looks_elsewhere: &'a Cell<bool>,
}

impl Alone<'_> {
    fn note(&self, node: NodeId) {
        if node != self.actor.node.id() {
            self.looks_elsewhere.set(true);
        }
    }
}

impl ClusterView for Alone<'_> {
    fn settings(&self) -> Settings {
        self.system.model.scope().settings
    }

    fn history(&self) -> &History {
        self.looks_elsewhere.set(true);
        &self.system.no_history
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system.model.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        self.note(node);
        NodeView::of(&self.actor.node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.note(node);
        self.actor.node.storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.note(node);
        self.actor.node.served(content, self.decisions())
    }

    fn is_quiet(&self) -> bool {
        self.looks_elsewhere.set(true);
        false
    }

    fn rolled_back(&self) -> NodeSet {
        match self.system.model.scope().bounds.rollbacks {
            0 => NodeSet::default(),
            _ => self.history().rolled_back(),
        }
    }

    fn has_history_of(&self, _: &dyn ClusterView) -> bool {
        self.keeps_history
    }
}

/// How a component changes in a step.
enum Changed {
    To(Component),
    By(How),
}

/// A step that is being taken: what it changes is kept. Nodes can be read again after they changed,
/// nothing else can.
struct Taking<'a> {
    before: Seen<'a>,
    now: Seen<'a>,
    /// The nodes that have changed.
    nodes: Vec<ActorNode>,
    changes: Vec<(Place, Changed)>,
    follows: Vec<After>,
    touched: Touched,
    /// The directions in which messages were put under way.
    pushed: Vec<(NodeId, NodeId)>,
    /// The nodes whose sessions changed.
    sessions: NodeSet,
    reached: Vec<u16>,
    /// Whether a part that is not a node has changed and must not be read any more.
    has_changed_world: bool,
    has_changed_history: bool,
}

impl<'a> Taking<'a> {
    fn new(
        system: &'a ClusterComponents,
        before: &'a Look<'a, Component>,
        now: &'a Look<'a, Component>,
    ) -> Self {
        Taking {
            before: system.seen(before),
            now: system.seen(now),
            nodes: Vec::new(),
            changes: Vec::new(),
            follows: Vec::new(),
            touched: Touched::default(),
            pushed: Vec::new(),
            sessions: NodeSet::default(),
            reached: Vec::new(),
            has_changed_world: false,
            has_changed_history: false,
        }
    }

    fn system(&self) -> &'a ClusterComponents {
        self.now.system
    }

    fn changed_node(&self, node: NodeId) -> Option<&ActorNode> {
        self.nodes.iter().find(|it| it.node.id() == node)
    }

    fn actor(&self, node: NodeId) -> &ActorNode {
        self.changed_node(node).unwrap_or_else(|| self.now.actor(node))
    }

    /// Everything that changes. Nodes are put at last, each once: no other change is about them.
    fn into_changes(self) -> impl Iterator<Item = (Place, Changed)> {
        let node = |it: ActorNode| {
            (ClusterComponents::node_at(it.node.id()), Changed::To(Component::Node(it)))
        };
        self.changes.into_iter().chain(self.nodes.into_iter().map(node))
    }

    fn change(&mut self, place: Place, how: How) {
        self.changes.push((place, Changed::By(how)));
    }
}

impl Cluster for Taking<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        assert!(!self.has_changed_world, "the world is read before it changes");
        self.now.world_summary(LINKS)
    }

    fn network(&self) -> Network {
        self.now.network()
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system().model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        NodeId::all(self.system().nodes()).map(|it| &self.actor(it).node)
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        &self.actor(node).node
    }

    fn has_messages(&self) -> bool {
        assert!(self.pushed.is_empty(), "messages are asked for before some are sent");
        self.now.has_messages()
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.changed_node(node).map_or_else(|| self.now.is_up(node), |it| it.node.is_up())
    }

    fn takes_part(&self, node: NodeId) -> bool {
        match self.changed_node(node) {
            Some(it) => it.node.replica().is_some_and(Replica::takes_part),
            None => self.now.takes_part(node),
        }
    }

    fn session_seen(&self, node: NodeId, peer: NodeId) -> Option<SessionId> {
        match self.changed_node(node) {
            Some(it) => it.node.replica()?.session(peer),
            None => self.now.session_seen(node, peer),
        }
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> {
        NodeId::all(self.system().nodes())
    }
}

impl Parts for Taking<'_> {
    fn left(&self) -> Bounds {
        assert!(!self.has_changed_world, "the world is read before it changes");
        self.now.left()
    }

    fn next_request(&self) -> RequestId {
        assert!(!self.has_changed_world, "the world is read before it changes");
        self.now.next_request()
    }

    fn history(&self) -> &History {
        assert!(!self.has_changed_history, "the history is read before it changes");
        self.now.history_of()
    }

    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        let is_changed = self.pushed.contains(&(from, to));
        assert!(!is_changed, "messages are read before others are put under way");
        self.now.packets_of(from, to).iter()
    }
}

impl Changing for Taking<'_> {
    fn tell(&mut self, node: NodeId, event: Event) {
        let system = self.system();
        let before = self.nodes.iter().position(|it| it.node.id() == node);
        let before = match before {
            Some(at) => &self.nodes.remove(at),
            None => self.now.actor(node),
        };
        let mut after = before.clone();
        let sent = system.model.actors.actors[node.index()].react(&mut after, &event);
        let answers = std::mem::take(&mut after.answers);
        let did = Did::of(&NodeView::of(&before.node), &NodeView::of(&after.node), answers);
        self.touched.note_told(&before.node, &after.node);
        let session = |it: &ActorNode, peer| it.node.replica().and_then(|it| it.session(peer));
        let mut nodes = NodeId::all(system.nodes());
        if nodes.any(|peer| session(before, peer) != session(&after, peer)) {
            self.sessions.insert(node);
        }
        self.nodes.push(after);
        sent.into_iter().for_each(|(to, packet)| self.push(node, to, packet));
        if !did.is_nothing() {
            self.change_history(HistoryChange::Did(did));
        }
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<()> {
        let mut packets: Vec<Packet> = self.packets(from, to).cloned().collect();
        let nth = usize::try_from(nth).ok().filter(|it| *it < packets.len())?;
        let packet = packets.remove(nth);
        self.put_packets(from, to, packets);
        self.tell(to, Event::Input(Input::Receive { from, packet }));
        Some(())
    }

    fn push(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        self.pushed.push((from, to));
        self.touched.emptied.remove(from, to);
        self.change(self.system().packets_at(from, to), How::Push(packet));
    }

    fn put_packets(&mut self, from: NodeId, to: NodeId, packets: Vec<Packet>) {
        let place = self.system().packets_at(from, to);
        if packets.is_empty() {
            self.touched.emptied.insert(from, to);
        }
        self.changes.push((place, Changed::To(Component::Packets(packets))));
    }

    fn change_world(&mut self, change: WorldChange) {
        self.has_changed_world = true;
        self.change(self.system().world_at(), How::World(change));
    }

    fn change_history(&mut self, change: HistoryChange) {
        (self.touched.history, self.has_changed_history) = (true, true);
        self.change(self.system().history_at(), How::History(change));
    }

    fn then(&mut self, follow: After) {
        self.follows.push(follow);
    }

    fn touched(&self) -> Touched {
        self.touched
    }

    /// Before the step every message had a session that carries it.
    fn may_have_lost_its_session(&self, from: NodeId, to: NodeId) -> bool {
        self.pushed.contains(&(from, to)) || self.sessions.contains(to)
    }

    /// Mostly the node itself is all that the guarantees look at, and both states of it are known here.
    fn judge(&mut self, node: NodeId, keeps_history: bool) {
        let looks_elsewhere = Cell::new(false);
        let alone = |actor| Alone {
            system: self.system(),
            actor,
            keeps_history,
            looks_elsewhere: &looks_elsewhere,
        };
        let (before, after) = (alone(self.now.actor(node)), alone(self.actor(node)));
        let broken = broken_by_step(&before, &after, node);
        if looks_elsewhere.get() {
            self.then(After::Judge { node, keeps_history });
        } else if !broken.is_empty() {
            self.change_history(HistoryChange::Broken(broken));
        }
    }

    fn follows_up_on_all(&self) -> bool {
        false
    }

    fn broken(&self, node: NodeId, keeps_history: bool) -> GuaranteeSet {
        let after = SeenAfter { now: self.now, before: self.before, keeps_history };
        broken_by_step(&self.before, &after, node)
    }

    fn note_reached(&mut self, step: &Step) {
        let after = SeenAfter { now: self.now, before: self.before, keeps_history: false };
        let reached =
            |it: &Witness| may_reach(it, step) && it.is_reached(&self.before, step, &after);
        let witnesses = (0..).zip(&self.system().by_steps).filter(|it| reached(it.1));
        let reached: Vec<u16> = witnesses.map(|it| it.0).collect();
        self.reached.extend(reached);
    }
}
