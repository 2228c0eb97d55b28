//! Searches with our own engine, of the cluster as components.

use std::collections::HashMap;
use std::net::TcpListener;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use steadfast_cluster::ClusterComponents;
use steadfast_guarantees::guarantees;
use steadfast_guarantees::witnesses::Witness;
use steadfast_search::{
    DeadSteps, Ended, Finding, Flaw, Flawed, Options, Path, Report, Search as Engine, Until, Width,
};

use super::visit::{Asked, Observer, Visit};
use crate::job::{self, DeadMessages, Job, Progress, Search, Stopped};
use crate::usage::usage;

/// How often the search reports its progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Performs a search. The visit of a system that the engine cannot search has a flaw and no findings,
/// because no finding of such a search can be relied on.
pub(super) fn search(
    asked: &Asked<'_>,
    listener: Option<TcpListener>,
    observer: Observer<'_>,
) -> Visit {
    let job = asked.job;
    let system = ClusterComponents::new(job.scope.clone(), asked.variant, &asked.witnesses);
    // Claims are made only where somebody relies on them: they are false for some twins.
    let system = match job.reductions.dead_messages {
        DeadMessages::Explore => system,
        DeadMessages::Check | DeadMessages::Drop => system.with_dead_messages(),
    };
    let last_report = Mutex::new(Instant::now());
    let observe = |progress: &steadfast_search::Progress| {
        if usage().1 > job.limits.memory_bytes {
            return ControlFlow::Break("the process uses more memory than it may".to_owned());
        }
        if let Ok(mut last_report) = last_report.lock()
            && last_report.elapsed() >= PROGRESS_EVERY
        {
            *last_report = Instant::now();
            observer(Progress::of(progress));
        }
        ControlFlow::Continue(())
    };
    let search = Engine::new(&system, options(job)).observed_by(&observe);
    let report = match job.search {
        Search::Dfs => search.depth_first(),
        _ if job.share.is_some() => match shared(job, &search, listener) {
            Ok(report) => report,
            Err(reason) => {
                let stopped = Some(Stopped::Died);
                return Visit { stopped, reason: Some(reason), ..Visit::default() };
            }
        },
        Search::Bfs | Search::Walk | Search::Graph | Search::Script => search.breadth_first(),
    };
    let visit = visit(asked, &report);
    match &report.ended {
        Ended::Complete | Ended::Found => visit,
        Ended::Time => Visit { stopped: Some(Stopped::Time), ..visit },
        Ended::Memory | Ended::States | Ended::Observer(_) => {
            Visit { stopped: Some(Stopped::Memory), ..visit }
        }
        Ended::Peer(why) => {
            Visit { stopped: Some(Stopped::Died), reason: Some(why.clone()), ..visit }
        }
        Ended::Flawed(flawed) => Visit {
            stopped: Some(Stopped::Flawed),
            reason: Some(text_of(flawed)),
            found: HashMap::new(),
            reached: Vec::new(),
            ..visit
        },
    }
}

/// Searches together with other processes.
#[cfg(feature = "processes")]
fn shared(
    job: &Job,
    search: &Engine<'_, ClusterComponents>,
    listener: Option<TcpListener>,
) -> Result<Report<ClusterComponents>, String> {
    let share = job.share.as_ref().ok_or("no search is shared")?;
    super::shared::search(search, share, listener, &format!("{:?}", job.until))
}

/// The options refuse a shared search before.
#[cfg(not(feature = "processes"))]
fn shared(
    _: &Job,
    _: &Engine<'_, ClusterComponents>,
    _: Option<TcpListener>,
) -> Result<Report<ClusterComponents>, String> {
    Err("this program was built without the feature processes".to_owned())
}

/// The flaw, the run that shows it, and a search that avoids it.
fn text_of(flawed: &Flawed<ClusterComponents>) -> String {
    let steps = flawed.path.as_ref().map_or(Vec::new(), Path::labels);
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    let after = match steps.is_empty() {
        true => String::new(),
        false => format!(" (after the steps: {})", steps.join("; ")),
    };
    let next = match flawed.flaw {
        Flaw::DeadStepMatters { .. } => "leave --dead-messages out",
        _ => "search with --engine stateright",
    };
    format!("{}{after}; {next}", flawed.flaw)
}

fn options(job: &Job) -> Options {
    Options {
        threads: NonZero::new(job.threads).unwrap_or(NonZero::<usize>::MIN),
        fingerprints: match job.has_wide_fingerprints {
            true => Width::Bits128,
            false => Width::Bits64,
        },
        until: match &job.until {
            job::Until::Everything => Until::Everything,
            job::Until::FirstBroken => Until::FirstViolation,
            job::Until::Broken(guarantee) => Until::Found(*guarantee as usize),
        },
        dead_steps: match job.reductions.dead_messages {
            DeadMessages::Explore => DeadSteps::Explore,
            DeadMessages::Check => DeadSteps::Check,
            DeadMessages::Drop => DeadSteps::Drop,
        },
        sleep_sets: job.reductions.sleep_sets,
        time_max: job.limits.time,
        memory_max_bytes: job.limits.memory_bytes,
        ..Options::default()
    }
}

/// What a search came to, whether it ended or not.
fn visit(asked: &Asked<'_>, report: &Report<ClusterComponents>) -> Visit {
    let name = |it: &Finding<_>| {
        let guarantee = guarantees().iter().find(|guarantee| guarantee.id().name() == it.property);
        Some((guarantee?.id().name(), it.path.labels()))
    };
    let marked = |id: &str| report.marks.iter().any(|(mark, is_reached)| mark == id && *is_reached);
    let is_reached = |id: &str| marked(id) || report.finding(id).is_some();
    // A reduced search finds every witness that a state shows. It leaves steps out, so that it may miss
    // a witness that a step shows.
    let reductions = asked.job.reductions;
    let leaves_steps_out = reductions.dead_messages == DeadMessages::Drop || reductions.sleep_sets;
    let reached = |it: &&'static Witness| {
        let is_reached = is_reached(it.id);
        let is_decided = is_reached || !leaves_steps_out || it.kinds().is_none();
        (it.id, is_decided.then_some(is_reached))
    };
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Visit {
        unique: count(report.unique),
        generated: count(report.generated),
        depth: count(report.depth),
        stopped: None,
        reason: None,
        wall: report.wall,
        found: report.findings.iter().filter_map(name).collect(),
        taken: report.taken.iter().map(|it| it.1).collect(),
        reached: asked.witnesses.iter().map(reached).collect(),
    }
}
