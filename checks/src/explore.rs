//! `check explore`: the stateright explorer.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use stateright::{Checker, HasDiscoveries, Model, Path};
use steadfast_cluster::{ClusterModel, replay, script};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GUARANTEES, GuaranteeId};
use steadfast_output::exit_code::IO;
use steadfast_output::{assert_threads, say, warn};
use steadfast_trace::{Scope, Trace};

use crate::catalog::{self, find_variant};
use crate::failure::Failure;

/// How many states are searched for a counterexample where none is known to exist.
const STATES_MAX: usize = 500_000;

/// How many threads the explorer takes at least.
const EXPLORER_THREADS: usize = 4;

/// Serves the explorer, and prints a link to the counterexample if there is one.
pub(crate) fn explore(
    scope: Scope,
    variant: Option<&'static Variant>,
    address: SocketAddr,
) -> Result<ExitCode, Failure> {
    // The explorer itself would panic.
    TcpListener::bind(address).map_err(|error| Failure {
        message: format!("cannot serve at {address}: {error}; choose another with --address"),
        code: IO,
    })?;
    // So it would without threads: one that searches, and those that serve.
    assert_threads(EXPLORER_THREADS).map_err(Failure::io)?;
    let model = || ClusterModel::new(scope.clone(), variant);
    warn("searching for a counterexample");
    match counterexample(model(), variant) {
        Some((guarantee, steps, link)) => {
            say(format_args!("{guarantee} is broken after {steps} steps:"));
            say(format_args!("http://{address}/#/steps/{link}"));
        }
        None => say("no counterexample was found; the explorer begins at the beginning"),
    }
    say(format_args!("http://{address}/"));
    warn("press Ctrl-C to end");
    model().checker().serve(address);
    Ok(ExitCode::SUCCESS)
}

/// The shortest run that breaks the guarantee which catches a twin; without a twin, any guarantee.
/// Returns the guarantee, the number of steps, and the place where the explorer shows the run.
fn counterexample(
    model: ClusterModel,
    variant: Option<&Variant>,
) -> Option<(GuaranteeId, usize, String)> {
    let caught_by = variant.and_then(|it| {
        let mut twins = catalog::twins();
        twins.find(|twin| twin.variant.name == it.name).map(|twin| twin.caught_by)
    });
    if let Some(trace) = variant.and_then(|it| script(it.name)) {
        return scripted(&model, &trace, caught_by?);
    }
    let ids = GUARANTEES.iter().map(|it| it.id());
    let wanted: Vec<GuaranteeId> = match caught_by {
        Some(guarantee) => vec![guarantee],
        None => ids.collect(),
    };
    let names = wanted.iter().map(|it| it.name()).collect();
    let mut search = model.checker().finish_when(HasDiscoveries::AnyOf(names));
    if caught_by.is_none() {
        search = search.target_state_count(STATES_MAX);
    }
    let checker = search.spawn_bfs().join();
    let found = wanted.into_iter().find_map(|it| Some((it, checker.discovery(it.name())?)));
    found.map(|(id, run)| {
        let steps = run.clone().into_actions().len();
        (id, steps, run.encode(checker.model()))
    })
}

/// The run of a shipped schedule, if it is one of this scope.
fn scripted(
    model: &ClusterModel,
    trace: &Trace,
    guarantee: GuaranteeId,
) -> Option<(GuaranteeId, usize, String)> {
    let mut run = replay(trace, trace.variant.as_deref().and_then(|it| find_variant(it).ok()));
    let is_here = trace.scope == *model.scope();
    let mut actions = trace.steps.iter().filter(|_| is_here).map(|it| run.take(&it.step));
    let actions: Vec<_> = actions.by_ref().map_while(|it| Some(it.ok()?.0)).collect();
    let start = model.init_states().swap_remove(0);
    let path = Path::from_actions(model, start, &actions).filter(|_| !actions.is_empty())?;
    Some((guarantee, actions.len(), path.encode(model)))
}
