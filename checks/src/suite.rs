//! The subcommands that search.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast_cluster::{SHIPPED, Tier, shipped};
use steadfast_guarantees::GUARANTEES;
use steadfast_guarantees::twins::{TWINS, Twin};
use steadfast_output::{in_parallel, say, warn};
use steadfast_wal_crash::Extent;

use crate::child::search_all;
use crate::crash_states;
use crate::failure::Failure;
use crate::job::{Job, Progress, Run, Search, TraceOrFile};
use crate::matrix;
use crate::named::find_twin;
use crate::options::{Output, RunOptions};
use crate::oracle;
use crate::progress_bar::progress_bar;
use crate::report;
use crate::seeds;
use crate::settling::{self, Settling};
use crate::summary::Summary;
use crate::traces::Traces;
use crate::twins;

/// `check`: the default suite.
pub(crate) fn run_default(output: &Output) -> Result<ExitCode, Failure> {
    let scopes = tier(Tier::Default, output);
    let walk = walk_jobs(output);
    let matrix = matrix::jobs(output.limits());
    let chosen = twins::all();
    let twins = twins::jobs(&chosen, output.limits());
    let (scope_count, matrix_count) = (scopes.len() + walk.len(), matrix.len());
    let compared = oracle::jobs(output.limits());
    let twin_count = twins.len();
    let jobs: Vec<Job> =
        scopes.into_iter().chain(walk).chain(matrix).chain(twins).chain(compared).collect();
    let mut runs = search_jobs(&jobs, output)?;
    let by_stateright = runs.split_off(scope_count + matrix_count + twin_count);
    let twin_runs = runs.split_off(scope_count + matrix_count);
    let cells = matrix::cells(&runs.split_off(scope_count));
    let compared = oracle::compared(&by_stateright, &runs);
    let (swarm, seed_twins) = seeds::run_in_suite();
    let summary = Summary {
        runs,
        compared,
        matrix: cells,
        twins: twins::caught(&chosen, &twin_runs),
        settling: settlings(output),
        crash_states: Some(crash_states::judge(Extent::Small)),
        seeds: Some(swarm),
        seed_twins,
        ..Summary::default()
    };
    summary.finish(output)
}

/// `check deep`.
pub(crate) fn run_deep(output: &Output) -> Result<ExitCode, Failure> {
    let runs = search_jobs(&tier(Tier::Deep, output), output)?;
    Summary { runs, ..Summary::default() }.finish(output)
}

/// `check run`.
pub(crate) fn run_scopes(options: &RunOptions) -> Result<ExitCode, Failure> {
    let jobs = options.jobs().map_err(Failure::usage)?;
    let runs = search_jobs(&jobs, &options.output)?;
    Summary { runs, ..Summary::default() }.finish(&options.output)
}

/// `check matrix`.
pub(crate) fn run_matrix(output: &Output) -> Result<ExitCode, Failure> {
    let runs = search_jobs(&matrix::jobs(output.limits()), output)?;
    Summary { matrix: matrix::cells(&runs), ..Summary::default() }.finish(output)
}

/// `check twins`.
pub(crate) fn run_twins(names: &[String], output: &Output) -> Result<ExitCode, Failure> {
    let named: Result<Vec<&'static Twin>, String> = names.iter().map(|it| find_twin(it)).collect();
    let named = named.map_err(Failure::usage)?;
    let chosen = if named.is_empty() { twins::all() } else { named };
    let runs = search_jobs(&twins::jobs(&chosen, output.limits()), output)?;
    Summary { twins: twins::caught(&chosen, &runs), ..Summary::default() }.finish(output)
}

/// The scopes whose whole graph is built.
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

/// Builds and judges the graphs, each on one core.
fn settlings(output: &Output) -> Vec<Settling> {
    let next = AtomicUsize::new(0);
    let judged = in_parallel(seeds::cores(), || {
        let mut judged = Vec::new();
        while let Some(name) = SETTLING.get(next.fetch_add(1, Ordering::Relaxed)) {
            let scope = shipped(name).map(|it| it.scope());
            judged.extend(scope.map(|it| settling::judge(it, None, output.limits())));
        }
        judged
    });
    let mut judged = judged.concat();
    judged.sort_by_key(|it| SETTLING.iter().position(|name| *name == it.scope));
    judged
}

/// `check settle`.
pub(crate) fn run_settle(output: &Output) -> Result<ExitCode, Failure> {
    Summary { settling: settlings(output), ..Summary::default() }.finish(output)
}

/// `check list`.
pub(crate) fn list() -> Result<ExitCode, Failure> {
    say(format_args!("SCOPES"));
    for it in SHIPPED {
        let tier = match it.tier {
            Tier::Default => "default",
            Tier::Deep => "deep",
            Tier::Support => "support",
        };
        say(format_args!("  {:<20} {tier:<8} {}", it.name, it.about));
    }
    say(format_args!("\nGUARANTEES"));
    for it in GUARANTEES {
        say(format_args!("  {:<36} {}", it.id().to_string(), it.promise()));
    }
    say(format_args!("\nTWINS"));
    for it in TWINS {
        say(format_args!("  {:<32} {} (caught by {})", it.name, it.about, it.caught_by.short()));
    }
    Ok(ExitCode::SUCCESS)
}

fn tier(tier: Tier, output: &Output) -> Vec<Job> {
    let of_tier = SHIPPED.iter().filter(|it| it.tier == tier);
    of_tier
        .map(|it| Job { limits: output.limits(), ..Job::new(it.scope(), it.witnesses) })
        .collect()
}

fn walk_jobs(output: &Output) -> Vec<Job> {
    let walks = SHIPPED.iter().filter(|it| it.name == "walk");
    walks
        .map(|it| {
            let job = Job::new(it.scope(), it.witnesses);
            Job { search: Search::Walk, limits: output.limits(), ..job }
        })
        .collect()
}

fn search_jobs(jobs: &[Job], output: &Output) -> Result<Vec<Run>, Failure> {
    let traces = Traces::into(output.traces.as_deref())?;
    let bar = progress_bar(jobs.len() as u64);
    let done = |_: usize, job: &Job| {
        let twin = job.twin.as_deref().map_or(String::new(), |it| format!(" as {it}"));
        bar.set_message(format!("searched {}{twin}", job.scope.name));
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

/// Writes the counterexamples to files, if that is asked for.
fn save_traces(run: &mut Run, traces: &Traces) -> Result<(), Failure> {
    let who = run.twin.clone().unwrap_or_else(|| run.scope.clone());
    for finding in &mut run.guarantees {
        if let Some(TraceOrFile::Trace(trace)) = &finding.trace {
            let name = format!("{who}-e{}w{}-{}.json", run.elect, run.write, finding.id);
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
