//! The model: what a step does to the cluster, and how it is judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stateright::actor::{ActorModel, Network};
use stateright::{Model, Path as Run, Property};
use steadfast_guarantees::twins::Twin;
use steadfast_guarantees::witnesses::{Witness, witness};
use steadfast_guarantees::{
    GUARANTEES, GuaranteeId, History, NodeView, broken_by_step, each_guarantee, holds,
};
use steadfast_protocol::{Decisions, Identity, NodeId, Path, Steadfast};
use steadfast_trace::{Network as Delivery, Scope, Start, Step, StepKind, World};

use crate::steps::sort_channels;
use crate::{Action, ClusterState, ReplicaActor, View, picture, text};

type Actors = ActorModel<ReplicaActor, (), History>;

/// A cluster within a scope.
pub struct ClusterModel {
    scope: Scope,
    decisions: &'static dyn Decisions,
    pub(crate) actors: Actors,
    paths: Vec<Path>,
    witnesses: Vec<&'static Witness>,
    coverage: Coverage,
}

/// What a search has met so far.
#[derive(Debug)]
pub struct Coverage {
    /// How often each kind of step was taken, in the order of [`StepKind::ALL`].
    taken: [AtomicU64; StepKind::ALL.len()],
    /// Which witnesses were reached.
    reached: Vec<AtomicBool>,
    /// Which guarantees were found broken. Each is reported once, so that in a breadth-first
    /// search the first, shortest counterexample is not replaced by a later one.
    found: [AtomicBool; GUARANTEES.len()],
}

impl Coverage {
    fn new(witnesses: usize) -> Self {
        Coverage {
            taken: Default::default(),
            reached: (0..witnesses).map(|_| AtomicBool::new(false)).collect(),
            found: Default::default(),
        }
    }
}

impl ClusterModel {
    /// The model of a scope; of a twin, or of the protocol as it is.
    #[must_use]
    pub fn new(scope: Scope, twin: Option<&'static Twin>, witnesses: &[&str]) -> Self {
        let decisions = twin.map_or(&Steadfast as &dyn Decisions, |twin| twin.decisions);
        let mut actors = ActorModel::new((), History::new(scope.judges_order()));
        actors = actors.init_network(Network::new_ordered([]));
        for node in NodeId::all(scope.settings.nodes()) {
            let identity = Identity { node, settings: scope.settings };
            let pipelined = scope.pipelined_syncs;
            let parameters = scope.parameters();
            actors = actors.actor(ReplicaActor { identity, parameters, decisions, pipelined });
        }
        let witnesses: Vec<_> = witnesses.iter().filter_map(|id| witness(id)).collect();
        ClusterModel {
            paths: (0..scope.bounds.paths).map(|it| scope.path(it)).collect(),
            coverage: Coverage::new(witnesses.len()),
            scope,
            decisions,
            actors,
            witnesses,
        }
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

    /// How often each kind of step was taken so far, in the order of [`StepKind::ALL`].
    #[must_use]
    pub fn taken(&self) -> Vec<u64> {
        self.coverage.taken.iter().map(|it| it.load(Ordering::Relaxed)).collect()
    }

    /// The witnesses of this run, and whether each was reached so far.
    pub fn reached(&self) -> impl Iterator<Item = (&'static Witness, bool)> {
        let reached = self.coverage.reached.iter().map(|it| it.load(Ordering::Relaxed));
        self.witnesses.iter().copied().zip(reached)
    }

    /// What happens to the cluster in one step. The step must be possible.
    #[must_use]
    pub fn perform(&self, before: &ClusterState, step: &Step) -> Option<ClusterState> {
        let mut next = self.act(before, step)?;
        let links_change = step.changes_connections() || next.taking_part() != before.taking_part();
        if links_change {
            next.world.refresh_links(next.taking_part());
        }
        if links_change && !self.scope.link_events_apart {
            self.show_links(&mut next);
        }
        if links_change || self.scope.link_events_apart {
            self.lose_what_no_session_carries(&mut next);
        }
        if self.scope.network != Delivery::Fifo {
            sort_channels(&mut next);
        }
        self.observe(before, step, &mut next);
        Some(next)
    }

    /// Brings the history up to date and judges the step.
    fn observe(&self, before: &ClusterState, step: &Step, next: &mut ClusterState) {
        self.coverage.taken[step.kind() as usize].fetch_add(1, Ordering::Relaxed);
        let is_changed = |node: &NodeId| {
            let at = node.index();
            !Arc::ptr_eq(&before.actors.actor_states[at], &next.actors.actor_states[at])
        };
        let changed: Vec<NodeId> =
            NodeId::all(self.scope.settings.nodes()).filter(is_changed).collect();
        for node in &changed {
            self.chronicle(before, *node, next);
        }
        for node in changed {
            let (old, new) =
                (View { model: self, state: before }, View { model: self, state: next });
            let broken = broken_by_step(&old, &new, node);
            broken.iter().for_each(|it| next.actors.history.note_broken(it));
        }
        for (witness, reached) in self.witnesses.iter().zip(&self.coverage.reached) {
            let (old, new) =
                (View { model: self, state: before }, View { model: self, state: next });
            if !reached.load(Ordering::Relaxed) && witness.is_reached(&old, step, &new) {
                reached.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Notes in the history what one node did: entries made, leaderships begun, clients answered.
    fn chronicle(&self, before: &ClusterState, node: NodeId, next: &mut ClusterState) {
        let after = Arc::make_mut(&mut next.actors.actor_states[node.index()]);
        let answers = std::mem::take(&mut after.answers);
        let (before, after) = (NodeView::of(before.node(node)), NodeView::of(&after.node));
        next.actors.history.on_stepped(&before, &after, answers);
    }

    /// A cluster whose connections have begun, and in which node 0 leads if the scope says so: it
    /// was elected by the protocol itself.
    fn first_state(&self) -> ClusterState {
        let mut actors = self.actors.init_states();
        let actors = actors.swap_remove(0);
        let world = World::new(self.scope.settings.nodes(), self.scope.bounds);
        let mut state = ClusterState { actors, world };
        state.world.refresh_links(state.up());
        self.show_links(&mut state);
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
            let found = &model.coverage.found[GuaranteeId::$guarantee as usize];
            let keeps = found.load(Ordering::Relaxed) || model.keeps(GuaranteeId::$guarantee, state);
            if !keeps {
                found.store(true, Ordering::Relaxed);
            }
            keeps
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
        // Never broken, so that a search goes on until every state was visited.
        properties.push(Property::always("searched to the end", |_, _| true));
        properties
    }
}
