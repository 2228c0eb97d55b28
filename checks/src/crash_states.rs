//! `check crash-states`: the log, without and with threads, on every disk that a crash may leave.

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use steadfast_output::{is_interrupted, on_interrupt, say};
use steadfast_wal_crash::{Extent, Report, Violation, run};

use crate::colour::red;
use crate::failure::Failure;
use crate::fold::fold;
use crate::json;
use crate::status_line::StatusLine;
use crate::verdict::Verdict;

/// The extent, and how the result is shown.
#[derive(Args, Clone, Debug)]
pub(crate) struct CrashStates {
    /// Go through longer workloads and other sizes, with more than two million disks: minutes.
    #[arg(long)]
    full: bool,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// `check crash-states`.
pub(crate) fn run_alone(options: &CrashStates) -> Result<ExitCode, Failure> {
    on_interrupt(|| {});
    let report = judge(if options.full { Extent::Full } else { Extent::Small });
    let verdict = match is_interrupted() {
        true => verdict(&report).max(Verdict::Incomplete),
        false => verdict(&report),
    };
    match options.json {
        true => json::print(verdict, &report)?,
        false => show(&report),
    }
    Ok(verdict.exit_code())
}

/// Whether the log kept its promises and each twin was caught.
pub(crate) fn verdict(report: &Report) -> Verdict {
    if report.is_as_promised() { Verdict::Kept } else { Verdict::Broken }
}

/// Goes through the crash states, until the user interrupts it.
pub(crate) fn judge(extent: Extent) -> Report {
    let status = StatusLine::begin(None, "recovering the log after crashes");
    run(extent, &|name| {
        status.task_done();
        status.say(format!("recovering the log after crashes; last was {name}"));
        if is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// Prints the tables and the verdict.
pub(crate) fn show(report: &Report) {
    say(format_args!(
        "{:<38} {:>8} {:>10} {:>8} {:>6} {:>5}",
        "crash states of the log", "disks", "recoveries", "damages", "faults", "s"
    ));
    for row in &report.rows {
        let counts = &row.counts;
        say(format_args!(
            "{:<38} {:>8} {:>10} {:>8} {:>6} {:>5.1}",
            row.scope,
            counts.crash_states,
            counts.recoveries,
            counts.damages,
            counts.faults,
            row.wall_s
        ));
    }
    for it in &report.violations {
        let Violation { what, workload, log, broken, .. } = it;
        let text = format!("  BROKEN by {what} after {workload:?}, {log}: {broken}");
        say(red(fold(&text, "    ")));
    }
    say("\ntwins of the log");
    for it in &report.twins {
        let name = if it.has_threads { "  with threads" } else { it.name };
        let by = it.by.as_ref().map(|by| format!("{} after {:?}", by.what, by.workload));
        say(match (by, it.must_be) {
            (Some(by), true) => fold(&format!("{name:<32} caught by {by}"), "      "),
            (None, false) => {
                format!("{name:<32} right: the other checks reject the same")
            }
            (None, true) => red(format_args!("{name:<32} NOT CAUGHT")),
            (Some(by), false) => red(fold(&format!("{name:<32} NOT COVERED: {by}"), "      ")),
        });
    }
    let disks: u64 = report.rows.iter().map(|it| it.counts.crash_states).sum();
    let verdict = if is_interrupted() {
        "interrupted, INCOMPLETE"
    } else if report.is_as_promised() {
        "every record that was said to be durable is there; every twin is caught"
    } else {
        "a promise of the log is broken, or a twin goes uncaught"
    };
    say(format_args!("\n{disks} disks after crashes: {verdict}."));
}
