//! Searches with stateright's own checkers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stateright::{Checker, Chooser, HasDiscoveries, Model, Property};
use steadfast_cluster::{Action, ClusterModel, ClusterState, View};
use steadfast_guarantees::witnesses::Witness;
use steadfast_guarantees::{GuaranteeId, each_guarantee, guarantees};
use steadfast_sim::Random;
use steadfast_trace::StepKind;

use super::visit::{Asked, Visit};
use crate::job::{Job, Search, Stopped, Until};
use crate::usage::exceeded;

/// No random walk is longer.
const WALK_STEPS_MAX: usize = 400;

/// Performs a search.
pub(super) fn search(asked: &Asked<'_>) -> Visit {
    let job = asked.job;
    let finish_when = match job.until {
        Until::Everything => HasDiscoveries::All,
        Until::FirstBroken => HasDiscoveries::Any,
        Until::Broken(guarantee) => HasDiscoveries::AnyOf([guarantee.name()].into()),
    };
    let model = Watched::new(asked);
    let builder = model.checker().threads(job.threads).finish_when(finish_when);
    match job.search {
        Search::Dfs => watch(job, builder.spawn_dfs()),
        Search::Walk => {
            let builder =
                builder.target_state_count(job.states_max).target_max_depth(WALK_STEPS_MAX);
            watch(job, builder.spawn_simulation(job.seed, Walker))
        }
        Search::Bfs | Search::Graph | Search::Script => watch(job, builder.spawn_bfs()),
    }
}

/// The model, with what its search has met.
struct Watched {
    model: ClusterModel,
    witnesses: Vec<&'static Witness>,
    /// How often each kind of step was taken, in the order of [`StepKind::ALL`].
    taken: [AtomicU64; StepKind::ALL.len()],
    /// Which witnesses were reached.
    reached: Vec<AtomicBool>,
    /// Which guarantees were found broken. Each is reported once, so that in a breadth-first
    /// search the first, shortest counterexample is not replaced by a later one.
    found: Vec<AtomicBool>,
}

impl Watched {
    fn new(asked: &Asked<'_>) -> Watched {
        Watched {
            model: ClusterModel::new(asked.job.scope.clone(), asked.variant),
            taken: Default::default(),
            reached: asked.witnesses.iter().map(|_| AtomicBool::new(false)).collect(),
            witnesses: asked.witnesses.clone(),
            found: guarantees().iter().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    fn note(&self, before: &ClusterState, action: &Action, after: &ClusterState) {
        let step = &action.step;
        self.taken[step.kind() as usize].fetch_add(1, Ordering::Relaxed);
        for (witness, reached) in self.witnesses.iter().zip(&self.reached) {
            let (old, new) = (
                View { model: &self.model, state: before },
                View { model: &self.model, state: after },
            );
            if !reached.load(Ordering::Relaxed) && witness.is_reached(&old, step, &new) {
                reached.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// The property of each guarantee. Properties are plain functions, so that each needs its own.
macro_rules! properties {
    ($($guarantee:ident),*) => {
        vec![$(Property::always(GuaranteeId::$guarantee.name(), |it: &Watched, state| {
            let found = &it.found[GuaranteeId::$guarantee as usize];
            let keeps =
                found.load(Ordering::Relaxed) || it.model.keeps(GuaranteeId::$guarantee, state);
            if !keeps {
                found.store(true, Ordering::Relaxed);
            }
            keeps
        })),*]
    };
}

impl Model for Watched {
    type State = ClusterState;
    type Action = Action;

    fn init_states(&self) -> Vec<ClusterState> {
        self.model.init_states()
    }

    fn actions(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.model.actions(state, actions);
    }

    fn next_state(&self, before: &ClusterState, action: Action) -> Option<ClusterState> {
        let after = self.model.perform(before, &action.step)?;
        self.note(before, &action, &after);
        Some(after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = each_guarantee!(properties);
        // There are more places for guarantees of a program than guarantees.
        properties.truncate(guarantees().len());
        // Never broken, so that a search goes on until every state was visited.
        properties.push(Property::always("searched to the end", |_, _| true));
        properties
    }
}

/// Waits for a search to end, or for its time to be over. stateright's own time limit does not
/// work with one thread and makes an unfinished run look finished with two.
fn watch(job: &Job, mut checker: impl Checker<Watched>) -> Visit {
    let begun = Instant::now();
    let handles = checker.handles();
    let mut stopped = None;
    while stopped.is_none() && handles.iter().any(|it| !it.is_finished()) {
        std::thread::sleep(Duration::from_millis(3));
        stopped = exceeded(job.limits, begun.elapsed());
    }
    if handles.iter().all(|it| it.is_finished()) {
        stopped = None;
        for handle in handles {
            handle.join().unwrap_or_else(|_| panic!("the search of {} panicked", job.scope.name));
        }
    }
    let generated = checker.state_count();
    let is_walk = job.search == Search::Walk;
    let found = checker.discoveries().into_iter();
    let load = |it: &AtomicU64| it.load(Ordering::Relaxed);
    let model = checker.model();
    let reached = model.witnesses.iter().zip(&model.reached);
    Visit {
        unique: if is_walk { generated } else { checker.unique_state_count() },
        generated,
        depth: checker.max_depth(),
        stopped: stopped.or(is_walk.then_some(Stopped::Sampled)),
        reason: None,
        wall: begun.elapsed(),
        found: found
            .map(|(name, run)| (name, run.into_actions().iter().map(|it| it.step).collect()))
            .collect(),
        taken: model.taken.iter().map(load).collect(),
        reached: reached.map(|(it, is)| (it.id, Some(is.load(Ordering::Relaxed)))).collect(),
    }
}

/// Chooses mostly progress, so that walks get far before the bounds on faults are used up.
#[derive(Clone)]
struct Walker;

impl Chooser<Watched> for Walker {
    type State = Random;

    fn new_state(&self, seed: u64) -> Random {
        Random::new(seed)
    }

    fn choose_initial_state(&self, _: &mut Random, _: &[ClusterState]) -> usize {
        0
    }

    fn choose_action(&self, random: &mut Random, _: &ClusterState, actions: &[Action]) -> usize {
        let progress: Vec<usize> =
            (0..actions.len()).filter(|at| actions[*at].step.is_progress()).collect();
        let is_progress = !progress.is_empty() && random.below(8) != 0;
        match is_progress {
            true => progress[random.below(progress.len())],
            false => random.below(actions.len()),
        }
    }
}
