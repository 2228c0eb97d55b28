//! One search, in this process.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use stateright::{Checker, Chooser, HasDiscoveries, Model};
use steadfast_cluster::{Action, ClusterModel, ClusterState, record, replay, script};
use steadfast_guarantees::twins::{Twin, twin};
use steadfast_guarantees::{GUARANTEES, GuaranteeId};
use steadfast_sim::Random;
use steadfast_trace::{Network, Scope, StepKind};

use crate::job::{Finding, Job, Limits, Reached, Run, Search, Stopped, Taken, TraceOrFile};
use crate::settling;
use crate::verdict::Verdict;

/// No random walk is longer.
const WALK_STEPS_MAX: usize = 400;

/// Performs a search.
pub(crate) fn search(job: &Job) -> Run {
    let witnesses: Vec<&str> = job.witnesses.iter().map(String::as_str).collect();
    let twin = job.twin.as_deref().and_then(twin);
    let model = ClusterModel::new(job.scope.clone(), twin, &witnesses);
    let finish_when = match job.stop_at {
        Some(guarantee) => HasDiscoveries::AnyOf([guarantee.name()].into()),
        None => HasDiscoveries::All,
    };
    let builder = model.checker().threads(job.threads).finish_when(finish_when);
    match job.search {
        Search::Bfs => watch(job, twin, builder.spawn_bfs()),
        Search::Dfs => watch(job, twin, builder.spawn_dfs()),
        Search::Walk => {
            let builder =
                builder.target_state_count(job.states_max).target_max_depth(WALK_STEPS_MAX);
            watch(job, twin, builder.spawn_simulation(job.seed, Walker))
        }
        Search::Graph => judge_graph(job, twin),
        Search::Script => follow_script(job, twin, ClusterModel::new(job.scope.clone(), twin, &[])),
    }
}

/// What a search went through.
struct Visit {
    unique: usize,
    generated: usize,
    depth: usize,
    stopped: Option<Stopped>,
    wall: Duration,
    /// The runs that break a guarantee, by its name.
    found: HashMap<&'static str, Vec<Action>>,
}

/// Waits for a search to end, or for its time to be over. stateright's own time limit does not
/// work with one thread and makes an unfinished run look finished with two.
fn watch(job: &Job, twin: Option<&'static Twin>, mut checker: impl Checker<ClusterModel>) -> Run {
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
    let visit = Visit {
        unique: if is_walk { generated } else { checker.unique_state_count() },
        generated,
        depth: checker.max_depth(),
        stopped: stopped.or(is_walk.then_some(Stopped::Sampled)),
        wall: begun.elapsed(),
        found: found.map(|(name, run)| (name, run.into_actions())).collect(),
    };
    report(job, twin, checker.model(), visit)
}

/// The limit that this process has reached.
pub(crate) fn exceeded(limits: Limits, elapsed: Duration) -> Option<Stopped> {
    if elapsed >= limits.time {
        return Some(Stopped::Time);
    }
    (usage().1 > limits.memory_bytes).then_some(Stopped::Memory)
}

/// Judges the graph of the fault-free continuation.
fn judge_graph(job: &Job, twin: Option<&'static Twin>) -> Run {
    let begun = Instant::now();
    let settling = settling::judge(job.scope.clone(), twin, job.limits);
    let visit = Visit {
        unique: settling.states,
        generated: settling.edges,
        depth: 0,
        stopped: (!settling.complete).then_some(Stopped::Time),
        wall: begun.elapsed(),
        found: HashMap::new(),
    };
    let mut run = report(job, twin, &ClusterModel::new(job.scope.clone(), twin, &[]), visit);
    let id = GuaranteeId::Settles.short();
    if settling.verdict() == Verdict::Broken
        && let Some(finding) = run.guarantees.iter_mut().find(|it| it.id == id)
    {
        finding.found = "violated".to_owned();
    }
    run
}

/// Runs the shipped schedule of a twin.
fn follow_script(job: &Job, twin: Option<&'static Twin>, model: ClusterModel) -> Run {
    let begun = Instant::now();
    let mut found = HashMap::new();
    let mut taken = Vec::new();
    if let Some(trace) = twin.and_then(|twin| script(twin.name)) {
        let mut run = replay(&trace, twin);
        for step in &trace.steps {
            let Ok((action, _)) = run.take(&step.step) else {
                break;
            };
            taken.push(action);
            for guarantee in run.broken() {
                found.entry(guarantee.name()).or_insert_with(|| taken.clone());
            }
        }
    }
    let (depth, unique) = (taken.len(), taken.len() + 1);
    let wall = begun.elapsed();
    report(
        job,
        twin,
        &model,
        Visit { unique, generated: unique, depth, stopped: None, wall, found },
    )
}

fn report(job: &Job, twin: Option<&'static Twin>, model: &ClusterModel, mut visit: Visit) -> Run {
    let taken = model.taken();
    let (cpu_s, peak_rss_bytes) = usage();
    let guarantees = findings(job, twin, model, &mut visit.found);
    let is_stopped = job.stop_at.is_some() && guarantees.iter().any(Finding::is_violated);
    let Visit { unique, generated, depth, wall, .. } = visit;
    let stopped = if is_stopped { Some(Stopped::Found) } else { visit.stopped };
    let settings = job.scope.settings;
    Run {
        scope: job.scope.name.clone(),
        twin: job.twin.clone(),
        nodes: settings.nodes(),
        elect: settings.elect(),
        write: settings.write(),
        bounds: job.scope.bounds,
        search: job.search,
        threads: job.threads,
        complete: stopped.is_none(),
        stopped,
        unique,
        generated,
        depth,
        wall_s: wall.as_secs_f64(),
        cpu_s,
        peak_rss_bytes,
        states_per_cpu_s: unique as f64 / cpu_s.max(1e-3),
        bytes_per_state: peak_rss_bytes as f64 / (unique as f64).max(1.0),
        collision_chance: collision_chance(unique),
        guarantees,
        witnesses: model
            .reached()
            .map(|(it, reached)| Reached { id: it.id.to_owned(), reached })
            .collect(),
        actions: actions(&job.scope, &taken),
    }
}

fn findings(
    job: &Job,
    twin: Option<&'static Twin>,
    model: &ClusterModel,
    found: &mut HashMap<&'static str, Vec<Action>>,
) -> Vec<Finding> {
    let finding = |id: steadfast_guarantees::GuaranteeId| {
        let run = found.remove(id.name());
        let is_promised = id.guarantee().is_promised(job.scope.settings);
        Finding {
            id: id.short().to_owned(),
            expected: if is_promised { "holds" } else { "unpromised" }.to_owned(),
            found: if run.is_some() { "violated" } else { "holds" }.to_owned(),
            steps: run.as_ref().map(Vec::len),
            trace: run.map(|it| TraceOrFile::Trace(Box::new(record(model, twin, &it)))),
            page: None,
        }
    };
    GUARANTEES.iter().map(|it| it.id()).map(finding).collect()
}

/// The chance that `states` random 64-bit fingerprints are not all different.
fn collision_chance(states: usize) -> f64 {
    let states = states as f64;
    -f64::exp_m1(-states * (states - 1.0) / 2.0 / 2_f64.powi(64))
}

/// CPU seconds and the peak of resident memory of this process.
fn usage() -> (f64, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return (0.0, 0);
    };
    let seconds = |it: nix::sys::time::TimeVal| it.tv_sec() as f64 + it.tv_usec() as f64 / 1e6;
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
    (seconds(usage.user_time()) + seconds(usage.system_time()), peak)
}

fn actions(scope: &Scope, taken: &[u64]) -> Vec<Taken> {
    let kinds = StepKind::ALL.iter().zip(taken);
    kinds
        .map(|(kind, times)| Taken {
            action: kind.name().to_owned(),
            times: *times,
            is_possible: is_possible(*kind, scope),
        })
        .collect()
}

/// Whether the bounds of a scope allow a kind of steps.
fn is_possible(kind: StepKind, scope: &Scope) -> bool {
    let bounds = scope.bounds;
    let is_lossy = scope.network == Network::Lossy;
    match kind {
        StepKind::Deliver | StepKind::Sync => true,
        StepKind::Store => scope.named_contents && bounds.writes > 0,
        StepKind::LinkUp | StepKind::LinkDown => {
            scope.link_events_apart && (bounds.partitions > 0 || bounds.crashes > 0)
        }
        StepKind::Write => bounds.writes > 0,
        StepKind::Retry => bounds.retries > 0,
        StepKind::Read => bounds.reads > 0,
        StepKind::StaleRead => bounds.stale_reads > 0,
        StepKind::Timeout => bounds.elections > 0,
        StepKind::Tick => bounds.ticks > 0,
        StepKind::Crash | StepKind::Recover => bounds.crashes > 0,
        StepKind::Cut | StepKind::Heal => bounds.partitions > 0,
        StepKind::Rot | StepKind::Scrub => scope.named_contents && bounds.rot > 0,
        StepKind::Drop => is_lossy && bounds.drops > 0,
        StepKind::Duplicate => is_lossy && bounds.duplicates > 0,
        StepKind::Rollback => bounds.crashes > 0 && bounds.rollbacks > 0,
        StepKind::LoseContent => {
            scope.named_contents && bounds.crashes > 0 && bounds.lost_contents > 0
        }
    }
}

/// Chooses mostly progress, so that walks get far before the bounds on faults are used up.
#[derive(Clone)]
struct Walker;

impl Chooser<ClusterModel> for Walker {
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
