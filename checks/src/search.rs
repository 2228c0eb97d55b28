//! One search, in this process.

mod components;
mod stock;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use steadfast_cluster::{ClusterModel, record, replay, script};
use steadfast_guarantees::twins::{Twin, twin};
use steadfast_guarantees::{GUARANTEES, GuaranteeId};
use steadfast_trace::{Network, Scope, Step, StepKind};

use crate::job::{
    Engine, Finding, Job, Progress, Reached, Run, Search, Stopped, Taken, TraceOrFile,
};
use crate::settling;
use crate::usage::usage;
use crate::verdict::Verdict;

/// Hears how a search goes on, about once a second.
pub(crate) type Observer<'a> = &'a (dyn Fn(Progress) + Sync);

/// Performs a search.
pub(crate) fn search(job: &Job, observer: Observer<'_>) -> Run {
    let twin = job.twin.as_deref().and_then(twin);
    match (job.search, job.engine) {
        (Search::Graph, _) => judge_graph(job, twin),
        (Search::Script, _) => report(job, twin, follow_script(twin)),
        (Search::Bfs | Search::Dfs, Engine::Steadfast) => {
            report(job, twin, components::search(job, twin, observer))
        }
        (Search::Walk, _) | (_, Engine::Stateright) => report(job, twin, stock::search(job, twin)),
    }
}

/// What a search went through.
#[derive(Default)]
struct Visit {
    unique: usize,
    generated: usize,
    depth: usize,
    stopped: Option<Stopped>,
    wall: Duration,
    /// The runs that break a guarantee, by its name.
    found: HashMap<&'static str, Vec<Step>>,
    /// How often each kind of step was taken, in the order of [`StepKind::ALL`].
    taken: Vec<u64>,
    /// The witnesses, and whether each was reached.
    reached: Vec<(&'static str, bool)>,
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
        ..Visit::default()
    };
    let mut run = report(job, twin, visit);
    let id = GuaranteeId::Settles.short();
    if settling.verdict() == Verdict::Broken
        && let Some(finding) = run.guarantees.iter_mut().find(|it| it.id == id)
    {
        finding.found = "violated".to_owned();
    }
    run
}

/// Runs the shipped schedule of a twin.
fn follow_script(twin: Option<&'static Twin>) -> Visit {
    let begun = Instant::now();
    let mut found = HashMap::new();
    let mut taken = Vec::new();
    if let Some(trace) = twin.and_then(|twin| script(twin.name)) {
        let mut run = replay(&trace, twin);
        for step in &trace.steps {
            if run.take(&step.step).is_err() {
                break;
            }
            taken.push(step.step);
            for guarantee in run.broken() {
                found.entry(guarantee.name()).or_insert_with(|| taken.clone());
            }
        }
    }
    let (depth, unique) = (taken.len(), taken.len() + 1);
    let wall = begun.elapsed();
    Visit { unique, generated: unique, depth, wall, found, ..Visit::default() }
}

fn report(job: &Job, twin: Option<&'static Twin>, mut visit: Visit) -> Run {
    let (cpu_s, peak_rss_bytes) = usage();
    let guarantees = findings(job, twin, &mut visit.found);
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
        engine: if job.search == Search::Walk { Engine::Stateright } else { job.engine },
        reductions: job.reductions,
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
        witnesses: visit
            .reached
            .into_iter()
            .map(|(id, reached)| Reached { id: id.to_owned(), reached })
            .collect(),
        actions: actions(&job.scope, &visit.taken),
    }
}

fn findings(
    job: &Job,
    twin: Option<&'static Twin>,
    found: &mut HashMap<&'static str, Vec<Step>>,
) -> Vec<Finding> {
    let model = ClusterModel::new(job.scope.clone(), twin);
    let finding = |id: steadfast_guarantees::GuaranteeId| {
        let run = found.remove(id.name());
        let is_promised = id.guarantee().is_promised(job.scope.settings);
        Finding {
            id: id.short().to_owned(),
            expected: if is_promised { "holds" } else { "unpromised" }.to_owned(),
            found: if run.is_some() { "violated" } else { "holds" }.to_owned(),
            steps: run.as_ref().map(Vec::len),
            trace: run.map(|it| TraceOrFile::Trace(Box::new(record(&model, twin, it)))),
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

fn actions(scope: &Scope, taken: &[u64]) -> Vec<Taken> {
    // Where no kinds were counted, none was taken.
    let kinds = StepKind::ALL.iter().zip(taken.iter().copied().chain(std::iter::repeat(0)));
    kinds
        .map(|(kind, times)| Taken {
            action: kind.name().to_owned(),
            times,
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
