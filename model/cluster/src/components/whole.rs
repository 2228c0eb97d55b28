//! From whole states to components and back, and the part of a cluster's steps that are progress.

use std::sync::{Arc, OnceLock};

use steadfast_search::Rule;
use steadfast_trace::Step;

use super::{ClusterComponents, Component, rules};
use crate::actions::Source;
use crate::{ClusterModel, ClusterState};

impl ClusterComponents {
    /// The same cluster from another state on, with only those steps that happen by themselves once no
    /// fault and no client acts any more.
    pub(crate) fn continued(model: &ClusterModel, start: ClusterState) -> Self {
        let mut continued = ClusterComponents::of(model.clone(), None, &[]);
        continued.start = OnceLock::from(start);
        continued.rules = rules(model);
        let is_progress = |it: &Source| model.is_source_of_progress(*it);
        continued.rules.iter_mut().for_each(|rule| rule.retain(is_progress));
        continued.rules.retain(|it| !it.is_empty());
        continued
    }

    /// Whether a rule finds this step as one that happens by itself: clients, faults and the bounds
    /// of time have no part in it.
    #[must_use]
    pub fn is_progress(&self, Rule(rule): Rule, step: &Step) -> bool {
        match step {
            // Some ticks are due, and others are spent.
            Step::Tick { .. } => self.rules[usize::from(rule)].contains(&Source::DueTicks),
            step => step.is_progress(),
        }
    }

    /// The state in which every run begins.
    pub(super) fn start(&self) -> &ClusterState {
        self.start.get_or_init(|| self.model.first_state())
    }

    /// The components of a state.
    #[must_use]
    pub fn split(&self, state: &ClusterState) -> Vec<Component> {
        let packets = |(from, to)| state.packets(from, to).cloned().collect();
        let nodes = state.actor_nodes().iter().map(|it| Component::Node(Arc::clone(it)));
        let channels = self.model.pairs().map(packets).map(Component::Packets);
        let history = Component::History(state.history().clone());
        let world = Component::World(state.world().clone());
        nodes.chain(channels).chain([history, world]).collect()
    }

    /// The state of these components, as [`ClusterComponents::split`] orders them.
    ///
    /// # Panics
    ///
    /// If they are not those of a state of this cluster.
    #[must_use]
    pub fn join(&self, components: &[Arc<Component>]) -> ClusterState {
        let mut state = self.start().clone();
        let mut nodes = state.actors.actor_states.iter_mut();
        let mut pairs = self.model.pairs();
        let mut channels = Vec::new();
        for component in components {
            match &**component {
                Component::Node(node) => {
                    *nodes.next().expect("a place for a node") = Arc::clone(node)
                }
                Component::Packets(packets) => {
                    channels.push((pairs.next().expect("a direction"), packets.clone()));
                }
                Component::History(history) => state.actors.history = history.clone(),
                Component::World(world) => state.world = world.clone(),
                other => unreachable!("{other:?} is a summary"),
            }
        }
        assert!(nodes.next().is_none() && pairs.next().is_none(), "components of a whole state");
        state.set_packets(channels);
        state
    }
}
