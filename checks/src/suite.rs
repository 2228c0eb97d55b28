//! The subcommands that search.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast_cluster::{SHIPPED, Shipped, Tier, shipped};
use steadfast_guarantees::twins::{Twin, Variant};
use steadfast_output::{in_parallel, warn};
use steadfast_trace::Scope;
use steadfast_wal_crash::Extent;

use crate::catalog::find_twin;
use crate::child::search_all;
use crate::crash_states;
use crate::failure::Failure;
use crate::job::{Engine, Job, Progress, Run, Search, TraceOrFile};
use crate::matrix;
use crate::options::{Output, RunOptions};
use crate::oracle;
use crate::progress_bar::progress_bar;
use crate::report;
use crate::seeds;
use crate::settling::{self, Settling};
use crate::summary::Summary;
use crate::traces::Traces;
use crate::twins;

/// `check`: the default suite. Of a variant, only what can be judged of one: the shipped twins and the
/// log are as they are.
pub(crate) fn run_default(
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let scopes = tier(Tier::Default, variant, output);
    let walk = walk_jobs(variant, output);
    let matrix = matrix::jobs(variant, output.limits());
    let is_itself = variant.is_none();
    let chosen = if is_itself { twins::all() } else { Vec::new() };
    let twins = twins::jobs(&chosen, output.limits());
    let (scope_count, matrix_count) = (scopes.len() + walk.len(), matrix.len());
    let compared = if is_itself { oracle::jobs(output.limits()) } else { Vec::new() };
    let twin_count = twins.len();
    let jobs: Vec<Job> =
        scopes.into_iter().chain(walk).chain(matrix).chain(twins).chain(compared).collect();
    let mut runs = search_jobs(&jobs, output)?;
    let by_stateright = runs.split_off(scope_count + matrix_count + twin_count);
    let twin_runs = runs.split_off(scope_count + matrix_count);
    let cells = matrix::cells(&runs.split_off(scope_count));
    let compared = oracle::compared(&by_stateright, &runs);
    let (swarm, seed_twins) = seeds::run_in_suite(variant);
    let summary = Summary {
        variant,
        runs,
        compared,
        matrix: cells,
        twins: twins::caught(&chosen, &twin_runs),
        settling: settlings(&settling(), variant, output),
        crash_states: is_itself.then(|| crash_states::judge(Extent::Small)),
        seeds: Some(swarm),
        seed_twins,
        ..Summary::default()
    };
    summary.finish(output)
}

/// `check deep`.
pub(crate) fn run_deep(
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let runs = search_jobs(&tier(Tier::Deep, variant, output), output)?;
    Summary { variant, runs, ..Summary::default() }.finish(output)
}

/// `check run`.
pub(crate) fn run_scopes(options: &RunOptions) -> Result<ExitCode, Failure> {
    let variant = options.protocol.variant()?;
    let runs = search_jobs(&options.jobs(variant)?, &options.output)?;
    Summary { variant, runs, ..Summary::default() }.finish(&options.output)
}

/// `check matrix`.
pub(crate) fn run_matrix(
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let runs = search_jobs(&matrix::jobs(variant, output.limits()), output)?;
    Summary { variant, matrix: matrix::cells(&runs), ..Summary::default() }.finish(output)
}

/// `check twins`.
pub(crate) fn run_twins(names: &[String], output: &Output) -> Result<ExitCode, Failure> {
    let named: Result<Vec<&'static Twin>, String> = names.iter().map(|it| find_twin(it)).collect();
    let named = named.map_err(Failure::usage)?;
    let chosen = if named.is_empty() { twins::all() } else { named };
    let runs = search_jobs(&twins::jobs(&chosen, output.limits()), output)?;
    Summary { twins: twins::caught(&chosen, &runs), ..Summary::default() }.finish(output)
}

/// Their names.
const SETTLING: &[&str] = &[
    "cold",
    "candidates",
    "reads",
    "link-events",
    "one-way",
    "pipelined",
    "rot",
    "missing-content",
    "rejected",
    "doubled-votes",
    "unordered",
    "lossy",
    "lossy-contents",
    "lossy-reads",
    "lossy-window",
    "pre-vote",
    "guarded-link",
];

/// The scopes whose whole graph is built.
pub(crate) fn settling() -> Vec<Scope> {
    SETTLING.iter().filter_map(|it| Some(shipped(it)?.scope())).collect()
}

/// Builds and judges the graphs, each on one core.
fn settlings(
    scopes: &[Scope],
    variant: Option<&'static Variant>,
    output: &Output,
) -> Vec<Settling> {
    let next = AtomicUsize::new(0);
    let judged = in_parallel(seeds::cores(), || {
        let mut judged = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(scope) = scopes.get(at)
        {
            judged.push((at, settling::judge(scope.clone(), variant, output.limits())));
        }
        judged
    });
    let mut judged = judged.concat();
    judged.sort_by_key(|it| it.0);
    judged.into_iter().map(|it| it.1).collect()
}

/// `check settle`.
pub(crate) fn run_settle(
    scopes: Vec<Scope>,
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    Summary { variant, settling: settlings(&scopes, variant, output), ..Summary::default() }
        .finish(output)
}

fn tier(tier: Tier, variant: Option<&Variant>, output: &Output) -> Vec<Job> {
    SHIPPED.iter().filter(|it| it.tier == tier).map(|it| job(it, variant, output)).collect()
}

/// A search of a whole scope. A variant need not reach the witnesses.
fn job(shipped: &Shipped, variant: Option<&Variant>, output: &Output) -> Job {
    let witnesses = if variant.is_none() { shipped.witnesses } else { &[] };
    Job { limits: output.limits(), ..Job::new(shipped.scope(), witnesses).of_variant(variant) }
}

fn walk_jobs(variant: Option<&Variant>, output: &Output) -> Vec<Job> {
    let walks = SHIPPED.iter().filter(|it| it.name == "walk");
    walks.map(|it| Job { search: Search::Walk, ..job(it, variant, output) }).collect()
}

fn search_jobs(jobs: &[Job], output: &Output) -> Result<Vec<Run>, Failure> {
    let traces = Traces::into(output.traces.as_deref())?;
    let bar = progress_bar(jobs.len() as u64);
    let done = |_: usize, job: &Job| {
        let variant = job.variant.as_deref().map_or(String::new(), |it| format!(" as {it}"));
        bar.set_message(format!("searched {}{variant}", job.scope.name));
        bar.inc(1);
    };
    let progress = |job: &Job, it: Progress| bar.set_message(format!("{}, {it}", job.scope.name));
    let runs = search_all(jobs, &done, &progress);
    bar.finish_and_clear();
    let mut runs = runs.map_err(Failure::io)?;
    runs.iter().filter_map(report::flaw).for_each(warn);
    for run in &mut runs {
        save_traces(run, &traces)?;
    }
    Ok(runs)
}

/// Writes the counterexamples to files, if that is asked for. No two searches of an invocation write the
/// same file: they differ in the scope, in E and W, or in the engine.
fn save_traces(run: &mut Run, traces: &Traces) -> Result<(), Failure> {
    let variant = run.variant.as_deref().map_or(String::new(), |it| format!("{it}-"));
    // The default suite searches some scopes with both engines.
    let engine = if run.engine == Engine::Stateright { "-stateright" } else { "" };
    for finding in &mut run.guarantees {
        if let Some(TraceOrFile::Trace(trace)) = &finding.trace {
            let name = format!(
                "{variant}{}-e{}w{}-{}{engine}.json",
                run.scope, run.elect, run.write, finding.id
            );
            if let Some(saved) = traces.save(&name, trace)? {
                finding.trace = Some(TraceOrFile::File(saved.trace));
                finding.page = Some(saved.page);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_graph_that_is_judged_is_that_of_a_shipped_scope() {
        for name in SETTLING {
            assert!(shipped(name).is_some(), "{name}");
        }
    }
}
