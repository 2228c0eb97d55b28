//! The cluster as components, for the search engine.
//!
//! A state has a component for each node, one for each direction between two nodes, the history and
//! the world. Steps are those of [`ClusterModel`], taken over [`Parts`] that note every read.

mod alone;
mod portable;
mod seen;
mod taking;
mod whole;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::witnesses::Witness;
use steadfast_guarantees::{
    GuaranteeId, GuaranteeSet, History, guarantees, holds, shows_wrong_content,
};
use steadfast_node::NodeStorage;
use steadfast_protocol::{Halt, NodeId, Packet, Replica, SessionId};
use steadfast_search::{Effect, Look, Place, Property, Rule, Steps, System};
use steadfast_trace::{Network, Scope, Step, StepKind, World};

use self::seen::Seen;
use self::taking::{Changed, Taking};
use crate::actions::Source;
use crate::parts::{Changing, Follow as After, HistoryChange, WorldChange};
use crate::{ActorNode, ClusterModel, ClusterState, Disk};

/// A cluster within a scope, as a system of components.
pub struct ClusterComponents {
    model: ClusterModel,
    /// The state in which every run begins.
    start: OnceLock<ClusterState>,
    variant: Option<&'static Variant>,
    /// The sources of steps of each rule: those that look at the same parts.
    rules: Vec<Vec<Source>>,
    /// Whether deliveries that make no difference are claimed to be dead.
    marks_dead: bool,
    /// Stands for the history where it is not looked at.
    no_history: History,
    /// Witnesses that are reached in states: properties that must hold sometimes.
    in_states: Vec<&'static Witness>,
    /// Witnesses that steps reach: marks.
    by_steps: Vec<&'static Witness>,
}

/// A part of a cluster, or the summary of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Component {
    /// A node.
    Node(Arc<ActorNode>),
    /// The messages under way in one direction, oldest first.
    Packets(Vec<Packet>),
    /// The ghost history.
    History(History),
    /// The world; as a summary, with connections or bounds only.
    World(World),
    /// Of a direction, whether messages are under way.
    IsEmpty(bool),
    /// Of a node, its sessions by peer, and whether it is up and takes part.
    Sessions {
        /// Whether it is up.
        is_up: bool,
        /// Whether it is up and has not halted.
        takes_part: bool,
        /// The sessions that it has seen begin and not end.
        sessions: Vec<Option<SessionId>>,
    },
    /// Of a node, whether it causes no step by itself.
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
    /// Of the history, the guarantees that steps have broken.
    Broken(GuaranteeSet),
    /// Of a node, the facts that two guarantees need of every node in every state.
    Judged {
        /// Why it has halted; `None` if it has not.
        halted: Option<Halt>,
        /// Whether a reader gets bytes that do not match a name.
        shows_wrong_content: bool,
    },
}

/// A change of a component of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change(How);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum How {
    Push(Packet),
    World(WorldChange),
    History(HistoryChange),
}

/// A consequence of a step once its changes are made.
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
const BROKEN: u16 = 7;

impl ClusterComponents {
    /// The cluster of a scope, running a variant or the protocol as it is. Witnesses that a state shows
    /// are properties that must hold sometimes; those that a step shows are marks.
    #[must_use]
    pub fn new(
        scope: Scope,
        variant: Option<&'static Variant>,
        witnesses: &[&'static Witness],
    ) -> Self {
        ClusterComponents::of(ClusterModel::new(scope, variant), variant, witnesses)
    }

    fn of(
        model: ClusterModel,
        variant: Option<&'static Variant>,
        witnesses: &[&'static Witness],
    ) -> Self {
        let witnesses = witnesses.iter().copied();
        let (in_states, by_steps) = witnesses.partition(|it| it.kinds().is_none());
        let rules = rules(&model);
        let no_history = History::default();
        let marks_dead = false;
        let start = OnceLock::new();
        ClusterComponents {
            model,
            start,
            variant,
            rules,
            marks_dead,
            no_history,
            in_states,
            by_steps,
        }
    }

    /// Claims as dead a delivery that changes nothing at its receiver, sends nothing and answers
    /// nothing: for a search with [`steadfast_search::DeadSteps::Check`] or
    /// [`steadfast_search::DeadSteps::Drop`].
    ///
    /// The argument: such a message has no effect for the rest of its session, because the promise,
    /// the epoch and the acknowledged vectors that made it obsolete only grow, and a crash, a
    /// cut or a lost message ends the session and loses the message with it. So it makes no
    /// difference whether it is delivered now, later or never. Questions for contents and their answers are not
    /// claimed: a node may begin to miss a content again. Where messages overtake each other
    /// or are lost one by one, a delivery also changes which messages can be lost, and no claim is
    /// made. The argument is about the protocol as it is. Twins break it, and a search that checks
    /// the claim reports so.
    #[must_use]
    pub fn with_dead_messages(mut self) -> Self {
        self.marks_dead = self.model.scope().network == Network::Fifo;
        self
    }

    /// The same cluster as a model of stateright.
    #[must_use]
    pub fn model(&self) -> &ClusterModel {
        &self.model
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
        let variant = self.variant.map_or(String::new(), |it| format!(" as {}", it.name));
        format!("{:?}{variant}", self.model.scope())
    }

    fn initial_states(&self) -> Vec<Vec<Component>> {
        vec![self.split(self.start())]
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
            let is_dead = self.marks_dead && taking.is_dead_delivery(&step);
            let outcome = steps.step(step);
            if is_dead {
                outcome.dead();
            }
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
        let guarantees = guarantees().iter().map(|it| Property::always(it.id().name()));
        guarantees.chain(self.in_states.iter().map(|it| Property::sometimes(it.id))).collect()
    }

    /// In most states the shipped guarantees look at the same few facts. One looks at the history and
    /// every log, and those that a program adds and the witnesses may look at anything.
    fn property_groups(&self) -> Vec<Vec<usize>> {
        let is_together = |it: &usize| {
            let guarantee = guarantees()[*it];
            !guarantee.is_own() && guarantee.id() != GuaranteeId::AckedWritesSurvive
        };
        let (together, alone): (Vec<usize>, Vec<usize>) =
            (0..guarantees().len()).partition(is_together);
        let witnesses = (0..self.in_states.len()).map(|it| guarantees().len() + it);
        [together]
            .into_iter()
            .chain(alone.into_iter().chain(witnesses).map(|it| vec![it]))
            .collect()
    }

    fn holds(&self, property: usize, state: &Look<'_, Component>) -> bool {
        let seen = self.seen(state);
        match property.checked_sub(guarantees().len()) {
            None => holds(guarantees()[property].id(), &seen),
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
        BROKEN + 1
    }

    fn summary(&self, number: u16, component: &Component) -> Component {
        let decisions = self.model.decisions();
        match (number, component) {
            (IS_EMPTY, Component::Packets(packets)) => Component::IsEmpty(packets.is_empty()),
            (SESSIONS, Component::Node(it)) => {
                let node = &it.node;
                let session = |peer| node.replica().and_then(|it| it.session(peer));
                Component::Sessions {
                    is_up: node.is_up(),
                    takes_part: node.replica().is_some_and(Replica::takes_part),
                    sessions: NodeId::all(self.nodes()).map(session).collect(),
                }
            }
            (STILLNESS, Component::Node(it)) => {
                let node = &it.node;
                let is_at_rest = node.storage().is_at_rest();
                let finds_none = || node.undetected_rot(decisions).next().is_none();
                Component::Stillness {
                    is_at_rest,
                    is_still: is_at_rest && node.is_up() && finds_none(),
                    lags: node.replica().is_some_and(Replica::lags),
                }
            }
            (LOG, Component::Node(it)) => Component::Log(it.node.storage().log_only()),
            (JUDGED, Component::Node(it)) => {
                let (node, replica) = (&it.node, it.node.replica());
                let served = |content| node.served(content, decisions);
                Component::Judged {
                    halted: replica.and_then(Replica::halted).copied(),
                    shows_wrong_content: replica.is_some_and(|it| shows_wrong_content(it, served)),
                }
            }
            (BROKEN, Component::History(history)) => Component::Broken(history.broken()),
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
