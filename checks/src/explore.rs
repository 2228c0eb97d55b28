//! `check explore`: the stateright explorer.

use std::net::{SocketAddr, TcpListener};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use stateright::{Model, Path};
use steadfast_cluster::{ClusterModel, replay, script};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, guarantees};
use steadfast_output::exit_code::IO;
use steadfast_output::{assert_threads, say, warn};
use steadfast_trace::{Scope, Trace};

use crate::catalog::{self, find_variant};
use crate::child::search_one;
use crate::failure::Failure;
use crate::job::{Job, Limits, Progress, TraceOrFile, Until};
use crate::report::incompleteness;
use crate::status_line::StatusLine;

/// How many threads the explorer takes at least.
const EXPLORER_THREADS: usize = 4;

/// Serves the explorer, searches for a counterexample within the limits meanwhile, and prints a link to it.
pub(crate) fn explore(
    scope: Scope,
    variant: Option<&'static Variant>,
    address: SocketAddr,
    limits: Limits,
) -> Result<ExitCode, Failure> {
    // The explorer itself would panic.
    let bound = TcpListener::bind(address).and_then(|it| it.local_addr());
    let address = bound.map_err(|error| Failure {
        message: format!("cannot serve at {address}: {error}; choose another with --address"),
        code: IO,
    })?;
    // So it would without threads: one that searches, and those that serve.
    assert_threads(EXPLORER_THREADS).map_err(Failure::io)?;
    say(format_args!("http://{address}/"));
    warn("press Ctrl-C to end");
    let model = ClusterModel::new(scope.clone(), variant);
    let served = thread::Builder::new().spawn(move || {
        model.checker().serve(address);
    });
    let served = served.map_err(Failure::io)?;
    say_counterexample(&ClusterModel::new(scope, variant), variant, address, limits);
    let ended = served.join();
    ended.map_or_else(|panic| resume_unwind(panic), |()| Ok(ExitCode::SUCCESS))
}

fn say_counterexample(
    model: &ClusterModel,
    variant: Option<&'static Variant>,
    address: SocketAddr,
    limits: Limits,
) {
    let (found, stopped) = counterexample(model, variant, limits);
    match (found, stopped) {
        (Some((guarantee, steps, link)), _) => {
            say(format_args!("{guarantee} is broken after {steps} steps:"));
            say(format_args!("http://{address}/#/steps/{link}"));
        }
        (None, None) => say("every state was visited: there is no counterexample"),
        (None, Some(stopped)) => say(format_args!(
            "no counterexample was found, but the search stopped early: {stopped}"
        )),
    }
}

/// The guarantee that breaks, the number of steps, and the place where the explorer shows the run.
type Found = (GuaranteeId, usize, String);

/// The shortest run that breaks the guarantee which catches a twin; without a twin, any guarantee. Without
/// one, also why the search stopped before its end, if it did.
fn counterexample(
    model: &ClusterModel,
    variant: Option<&Variant>,
    limits: Limits,
) -> (Option<Found>, Option<String>) {
    let caught_by = variant.and_then(|it| {
        let mut twins = catalog::twins();
        twins.find(|twin| twin.variant.name == it.name).map(|twin| twin.caught_by)
    });
    if let Some(trace) = variant.and_then(|it| script(it.name)) {
        let found = caught_by.and_then(|it| linked(model, &trace, it));
        return (found, Some("a shipped schedule is one of another scope".to_owned()));
    }
    let until = caught_by.map_or(Until::FirstBroken, Until::Broken);
    let job = Job::new(model.scope().clone(), &[]).of_variant(variant);
    let status = StatusLine::begin(None, "searching for a counterexample");
    let progress = |_: &Job, it: Progress| status.say(it.to_string());
    let run = search_one(&Job { until, limits, ..job }, &progress);
    let found = run.guarantees.iter().find_map(|it| match &it.trace {
        Some(TraceOrFile::Trace(trace)) => Some((it, trace)),
        _ => None,
    });
    let found = found.and_then(|(finding, trace)| {
        let guarantee = guarantees().iter().find(|it| it.id().short() == finding.id)?;
        linked(model, trace, guarantee.id())
    });
    (found, incompleteness(&run))
}

/// Where the explorer shows the run of a trace, if it is one of this scope.
fn linked(model: &ClusterModel, trace: &Trace, guarantee: GuaranteeId) -> Option<Found> {
    let mut run = replay(trace, trace.variant.as_deref().and_then(|it| find_variant(it).ok()));
    let is_here = trace.scope == *model.scope();
    let mut actions = trace.steps.iter().filter(|_| is_here).map(|it| run.take(&it.step));
    let actions: Vec<_> = actions.by_ref().map_while(|it| Some(it.ok()?.0)).collect();
    let start = model.init_states().swap_remove(0);
    let path = Path::from_actions(model, start, &actions).filter(|_| !actions.is_empty())?;
    Some((guarantee, actions.len(), path.encode(model)))
}
