//! The model: the changes of a step, and their judgement.

use stateright::actor::{ActorModel, Network};
use stateright::{Model, Path as Run, Property};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, History, each_guarantee, guarantees, holds};
use steadfast_protocol::{Decisions, Identity, NodeId, Path, Steadfast};
use steadfast_trace::{Scope, Start, Step, World};

use crate::actions::Source;
use crate::state::Taking;
use crate::steps::show_links;
use crate::{Action, ClusterState, ReplicaActor, View, picture, text};

type Actors = ActorModel<ReplicaActor, (), History>;

/// A cluster within a scope.
#[derive(Clone)]
pub struct ClusterModel {
    scope: Scope,
    decisions: &'static dyn Decisions,
    pub(crate) actors: Actors,
    paths: Vec<Path>,
    pub(crate) sources: Vec<Source>,
}

impl ClusterModel {
    /// The model of a scope, running a variant or the protocol as it is.
    #[must_use]
    pub fn new(scope: Scope, variant: Option<&'static Variant>) -> Self {
        let decisions = variant.map_or(&Steadfast as &dyn Decisions, |variant| variant.decisions);
        let mut actors =
            ActorModel::new((), History::new(scope.judges_order(), scope.may_drop_entries()));
        actors = actors.init_network(Network::new_ordered([]));
        for node in NodeId::all(scope.settings.nodes()) {
            let identity = Identity { node, settings: scope.settings };
            actors = actors.actor(ReplicaActor {
                identity,
                parameters: scope.parameters(),
                decisions,
                pipelined: scope.pipelined_syncs,
                own_incarnations: scope.own_incarnations,
            });
        }
        let mut model = ClusterModel {
            paths: (0..scope.bounds.paths).map(|it| scope.path(it)).collect(),
            scope,
            decisions,
            actors,
            sources: Vec::new(),
        };
        model.sources = model.sources();
        model
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The decisions that the nodes run with.
    #[must_use]
    pub fn decisions(&self) -> &'static dyn Decisions {
        self.decisions
    }

    /// A path by number.
    #[must_use]
    pub fn path(&self, number: u32) -> &Path {
        &self.paths[number as usize]
    }

    /// Whether a guarantee holds in a state.
    #[must_use]
    pub fn keeps(&self, guarantee: GuaranteeId, state: &ClusterState) -> bool {
        holds(guarantee, &View { model: self, state })
    }

    /// The cluster after one step; `None` if the step cannot happen.
    #[must_use]
    pub fn perform(&self, before: &ClusterState, step: &Step) -> Option<ClusterState> {
        let mut taking = Taking::new(self, before);
        self.take(&mut taking, step)?;
        while let Some(follow) = taking.follows.pop_front() {
            self.follow(&mut taking, &follow);
        }
        Some(taking.finish())
    }

    /// A cluster whose connections have begun, and in which node 0 leads if the scope says so: it
    /// was elected by the protocol itself.
    pub(crate) fn first_state(&self) -> ClusterState {
        let mut actors = self.actors.init_states();
        let actors = actors.swap_remove(0);
        let world = World::new(self.scope.settings.nodes(), self.scope.bounds);
        let mut state = ClusterState { actors, world };
        state.world.refresh_links(state.up());
        let mut taking = Taking::new(self, &state);
        NodeId::all(self.scope.settings.nodes()).for_each(|node| show_links(&mut taking, node));
        let mut state = taking.finish();
        if self.scope.start == Start::Cold {
            return state;
        }
        state.world.left.elections = 1;
        let mut step = Some(Step::Timeout { node: NodeId(0) });
        while let Some(next) = step.and_then(|step| self.perform(&state, &step)) {
            state = next;
            let mut actions = Vec::new();
            self.collect_progress(&state, &mut actions);
            step = actions.first().map(|action| action.step);
        }
        state.world.left = self.scope.bounds;
        state
    }
}

/// The property of each guarantee. Properties are plain functions, so that each needs its own.
macro_rules! properties {
    ($($guarantee:ident),*) => {
        vec![$(Property::always(GuaranteeId::$guarantee.name(), |model: &ClusterModel, state| {
            model.keeps(GuaranteeId::$guarantee, state)
        })),*]
    };
}

impl Model for ClusterModel {
    type State = ClusterState;
    type Action = Action;

    fn init_states(&self) -> Vec<ClusterState> {
        vec![self.first_state()]
    }

    fn actions(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.collect(state, actions);
    }

    fn next_state(&self, before: &ClusterState, action: Action) -> Option<ClusterState> {
        self.perform(before, &action.step)
    }

    fn format_action(&self, action: &Action) -> String {
        format!("{action:?}")
    }

    fn format_step(&self, before: &ClusterState, action: Action) -> Option<String> {
        let after = self.perform(before, &action.step)?;
        Some(text::outcome(self, before, &action, &after))
    }

    fn as_svg(&self, run: Run<ClusterState, Action>) -> Option<String> {
        Some(picture::svg(self, run.into_vec()))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = each_guarantee!(properties);
        // There are more places for guarantees of a program than guarantees.
        properties.truncate(guarantees().len());
        properties
    }
}
