//! Searches with our own engine, of the cluster as components.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use steadfast_cluster::ClusterComponents;
use steadfast_guarantees::GUARANTEES;
use steadfast_guarantees::twins::Twin;
use steadfast_guarantees::witnesses::witness;
use steadfast_search::{DeadSteps, Ended, Finding, Options, Report, Search as Engine, Until};

use super::{Observer, Visit};
use crate::job::{DeadMessages, Job, Progress, Search, Stopped};
use crate::usage::usage;

/// How often somebody hears how the search goes on.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Performs a search.
///
/// # Panics
/// If the cluster cannot be searched as components, with the run that shows it.
pub(super) fn search(job: &Job, twin: Option<&'static Twin>, observer: Observer<'_>) -> Visit {
    let witnesses: Vec<&str> = job.witnesses.iter().map(String::as_str).collect();
    let system = ClusterComponents::new(job.scope.clone(), twin, &witnesses);
    // Claims are made only where somebody relies on them: they are false for some twins.
    let system = match job.reductions.dead_messages {
        DeadMessages::Explore => system,
        DeadMessages::Check | DeadMessages::Drop => system.with_dead_messages(),
    };
    let told = Mutex::new(Instant::now());
    let observe = |progress: &steadfast_search::Progress| {
        if usage().1 > job.limits.memory_bytes {
            return ControlFlow::Break("the process uses more memory than it may".to_owned());
        }
        if let Ok(mut told) = told.lock()
            && told.elapsed() >= TOLD_EVERY
        {
            *told = Instant::now();
            observer(Progress::of(progress));
        }
        ControlFlow::Continue(())
    };
    let search = Engine::new(&system, options(job)).observed_by(&observe);
    let report = match job.search {
        Search::Dfs => search.depth_first(),
        Search::Bfs | Search::Walk | Search::Graph | Search::Script => search.breadth_first(),
    };
    let stopped = match &report.ended {
        Ended::Complete | Ended::Found => None,
        Ended::Time => Some(Stopped::Time),
        Ended::Memory | Ended::States | Ended::Observer(_) => Some(Stopped::Memory),
        Ended::Flawed(flawed) => panic!("{} cannot be searched: {flawed}", job.scope.name),
    };
    visit(job, &report, stopped)
}

fn options(job: &Job) -> Options {
    let position = |it: &steadfast_guarantees::GuaranteeId| *it as usize;
    Options {
        threads: NonZero::new(job.threads).unwrap_or(NonZero::<usize>::MIN),
        until: job.stop_at.as_ref().map_or(Until::Everything, |it| Until::Found(position(it))),
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

fn visit(job: &Job, report: &Report<ClusterComponents>, stopped: Option<Stopped>) -> Visit {
    let name = |it: &Finding<_>| {
        let guarantee = GUARANTEES.iter().find(|guarantee| guarantee.id().name() == it.property);
        Some((guarantee?.id().name(), it.path.labels()))
    };
    let marked = |id: &str| report.marks.iter().any(|(mark, is_reached)| mark == id && *is_reached);
    let is_reached = |id: &str| marked(id) || report.finding(id).is_some();
    let witnesses = job.witnesses.iter().filter_map(|id| witness(id));
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Visit {
        unique: count(report.unique),
        generated: count(report.generated),
        depth: count(report.depth),
        stopped,
        wall: report.wall,
        found: report.findings.iter().filter_map(name).collect(),
        taken: report.taken.iter().map(|it| it.1).collect(),
        reached: witnesses.map(|it| (it.id, is_reached(it.id))).collect(),
    }
}
