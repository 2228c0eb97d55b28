//! The subcommands that search.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use steadfast_cluster::{SHIPPED, Tier};
use steadfast_guarantees::GUARANTEES;
use steadfast_guarantees::twins::{TWINS, Twin};
use steadfast_wal_crash::{Bounds, Report as CrashStates};

use crate::Failure;
use crate::child::search_all;
use crate::crash_states;
use crate::job::{Job, Run, Search, TraceOrFile};
use crate::matrix::{self, Cell};
use crate::options::{Output, RunOptions, find_twin};
use crate::report;
use crate::say::say;
use crate::settling::{self, Settling};
use crate::twins::{self, Caught};
use crate::verdict::Verdict;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    ok: bool,
    runs: Vec<Run>,
    matrix: Vec<Cell>,
    twins: Vec<Caught>,
    settling: Vec<Settling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crash_states: Option<CrashStates>,
}

/// `check`: the default suite.
pub(crate) fn run_default(output: &Output) -> Result<ExitCode, Failure> {
    let scopes = tier(Tier::Default, output);
    let walk = walk_jobs(output);
    let matrix = matrix::jobs(output.limits());
    let chosen = twins::all();
    let twins = twins::jobs(&chosen, output.limits());
    let (scope_count, matrix_count) = (scopes.len() + walk.len(), matrix.len());
    let jobs: Vec<Job> = scopes.into_iter().chain(walk).chain(matrix).chain(twins).collect();
    let mut runs = search_jobs(&jobs, output)?;
    let twin_runs = runs.split_off(scope_count + matrix_count);
    let cells = matrix::cells(&runs.split_off(scope_count));
    let crash_states = Some(crash_states::judge(Bounds::Small));
    let caught = twins::caught(&chosen, &twin_runs);
    finish_with(output, runs, cells, caught, settlings(), crash_states)
}

/// `check deep`.
pub(crate) fn run_deep(output: &Output) -> Result<ExitCode, Failure> {
    let runs = search_jobs(&tier(Tier::Deep, output), output)?;
    finish(output, runs, Vec::new(), Vec::new(), Vec::new())
}

/// `check run`.
pub(crate) fn run_scopes(options: &RunOptions) -> Result<ExitCode, Failure> {
    let jobs = options.jobs().map_err(Failure::usage)?;
    let runs = search_jobs(&jobs, &options.output)?;
    finish(&options.output, runs, Vec::new(), Vec::new(), Vec::new())
}

/// `check matrix`.
pub(crate) fn run_matrix(output: &Output) -> Result<ExitCode, Failure> {
    let runs = search_jobs(&matrix::jobs(output.limits()), output)?;
    finish(output, Vec::new(), matrix::cells(&runs), Vec::new(), Vec::new())
}

/// `check twins`.
pub(crate) fn run_twins(names: &[String], output: &Output) -> Result<ExitCode, Failure> {
    let named: Result<Vec<&'static Twin>, String> = names.iter().map(|it| find_twin(it)).collect();
    let named = named.map_err(Failure::usage)?;
    let chosen = if named.is_empty() { twins::all() } else { named };
    let runs = search_jobs(&twins::jobs(&chosen, output.limits()), output)?;
    finish(output, Vec::new(), Vec::new(), twins::caught(&chosen, &runs), Vec::new())
}

/// The scopes whose whole graph is built.
const SETTLING: [&str; 11] = [
    "cold",
    "candidates",
    "reads",
    "link-events",
    "one-way",
    "pipelined",
    "rot",
    "unordered",
    "lossy",
    "lossy-contents",
    "lossy-reads",
];

fn settlings() -> Vec<Settling> {
    let scopes: Vec<_> = SHIPPED.iter().filter(|it| SETTLING.contains(&it.name)).collect();
    scopes.iter().map(|it| settling::judge(it.scope(), None)).collect()
}

/// `check settle`.
pub(crate) fn run_settle(output: &Output) -> Result<ExitCode, Failure> {
    finish(output, Vec::new(), Vec::new(), Vec::new(), settlings())
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
    let bar = progress_bar(jobs.len());
    let done = |_: usize, job: &Job| {
        let twin = job.twin.as_deref().map_or(String::new(), |it| format!(" as {it}"));
        bar.set_message(format!("searched {}{twin}", job.scope.name));
        bar.inc(1);
    };
    let runs = search_all(jobs, &done);
    bar.finish_and_clear();
    let mut runs = runs.map_err(Failure::io)?;
    for run in &mut runs {
        save_traces(run, output.traces.as_deref())?;
    }
    Ok(runs)
}

/// Shown on standard error, and only if that is a terminal.
fn progress_bar(searches: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    let bar = ProgressBar::new(searches as u64);
    bar.enable_steady_tick(Duration::from_secs(1));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Writes the counterexamples to files, if a directory is given.
fn save_traces(run: &mut Run, directory: Option<&Path>) -> Result<(), Failure> {
    let Some(directory) = directory else {
        return Ok(());
    };
    let who = run.twin.clone().unwrap_or_else(|| run.scope.clone());
    for finding in &mut run.guarantees {
        if let Some(TraceOrFile::Trace(trace)) = &finding.trace {
            let name = format!("{who}-e{}w{}-{}.json", run.elect, run.write, finding.id);
            let file = directory.join(name);
            trace.write(&file).map_err(|error| Failure {
                message: format!("cannot write the trace {}: {error}", file.display()),
                code: crate::verdict::IO,
            })?;
            finding.trace = Some(TraceOrFile::File(file.display().to_string()));
        }
    }
    Ok(())
}

fn finish(
    output: &Output,
    runs: Vec<Run>,
    matrix: Vec<Cell>,
    twins: Vec<Caught>,
    settling: Vec<Settling>,
) -> Result<ExitCode, Failure> {
    finish_with(output, runs, matrix, twins, settling, None)
}

fn finish_with(
    output: &Output,
    runs: Vec<Run>,
    matrix: Vec<Cell>,
    twins: Vec<Caught>,
    settling: Vec<Settling>,
    crash_states: Option<CrashStates>,
) -> Result<ExitCode, Failure> {
    let verdicts = runs.iter().map(Verdict::of);
    let verdict = verdicts
        .chain((!matrix.is_empty()).then(|| matrix::verdict(&matrix)))
        .chain((!twins.is_empty()).then(|| twins::verdict(&twins)))
        .chain(settling.iter().map(|it| if it.is_kept() { Verdict::Kept } else { Verdict::Broken }))
        .chain(crash_states.iter().map(crash_states::verdict))
        .max()
        .unwrap_or(Verdict::Kept);
    runs.iter().flat_map(report::warnings).for_each(|it| eprintln!("{it}"));
    if output.json {
        let ok = verdict == Verdict::Kept;
        let report = Report { ok, runs, matrix, twins, settling, crash_states };
        let json = serde_json::to_string_pretty(&report).map_err(Failure::io)?;
        say(format_args!("{json}"));
        return Ok(verdict.exit_code());
    }
    print_tables(&runs, &matrix, &twins);
    if !settling.is_empty() {
        say(settling::table(&settling));
    }
    crash_states.iter().for_each(crash_states::show);
    say(sentence(verdict, &runs, &matrix, &twins, &settling));
    Ok(verdict.exit_code())
}

fn print_tables(runs: &[Run], matrix: &[Cell], twins: &[Caught]) {
    if !runs.is_empty() {
        say(report::table(runs));
        if runs.len() <= 3 {
            runs.iter().for_each(|run| say(report::details(run)));
        }
    }
    if !matrix.is_empty() {
        say(matrix::table(matrix));
    }
    if !twins.is_empty() {
        say(twins::table(twins));
    }
}

/// The verdict in one sentence.
fn sentence(
    verdict: Verdict,
    runs: &[Run],
    matrix: &[Cell],
    twins: &[Caught],
    settling: &[Settling],
) -> String {
    let complete = runs.iter().filter(|it| it.complete);
    let states: usize = complete.clone().map(|it| it.unique).sum();
    let mut parts = Vec::new();
    let walks = runs.iter().filter(|it| it.search == Search::Walk);
    let (sampled, walked) = (walks.clone().count(), walks.map(|it| it.unique).sum::<usize>());
    if runs.len() > sampled {
        parts.push(format!(
            "{} of {} searches visited every reachable state ({states} in all)",
            complete.count(),
            runs.len() - sampled
        ));
    }
    if sampled > 0 {
        parts.push(format!("random walks sampled {walked} states"));
    }
    if !matrix.is_empty() {
        let kept = matrix.iter().filter(|it| it.as_promised).count();
        parts.push(format!("{kept} of {} settings of (E,W) are as promised", matrix.len()));
    }
    if !twins.is_empty() {
        let caught = twins.iter().filter(|it| it.caught_by.is_some()).count();
        parts.push(format!("{caught} of {} twins were caught", twins.len()));
    }
    if !settling.is_empty() {
        let kept = settling.iter().filter(|it| it.is_kept()).count();
        parts.push(format!("{kept} of {} fault-free graphs settle", settling.len()));
    }
    let verdict = match verdict {
        Verdict::Kept => "All as promised, within these bounds",
        Verdict::Incomplete => "INCOMPLETE, this proves nothing",
        Verdict::Broken => "NOT as promised",
    };
    format!("{verdict}: {}.", parts.join("; "))
}
