//! `check crash-states`: the log, without and with threads, on every disk that a crash may leave.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use steadfast_output::{say, warn};
use steadfast_wal_crash::{Extent, Report, run};

use crate::failure::Failure;
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
    let report = judge(if options.full { Extent::Full } else { Extent::Small });
    if options.json {
        let text = serde_json::to_string_pretty(&report).map_err(Failure::io)?;
        say(format_args!("{text}"));
    } else {
        show(&report);
    }
    Ok(verdict(&report).exit_code())
}

/// Whether the log kept its promises and each twin was caught.
pub(crate) fn verdict(report: &Report) -> Verdict {
    if report.is_as_promised() { Verdict::Kept } else { Verdict::Broken }
}

/// Goes through the crash states.
pub(crate) fn judge(extent: Extent) -> Report {
    let is_shown = std::io::stderr().is_terminal();
    run(extent, &|name| {
        if is_shown {
            warn(format_args!("crashed {name}"));
        }
    })
}

/// Prints the tables and the verdict.
pub(crate) fn show(report: &Report) {
    say(format_args!(
        "{:<42} {:>9} {:>8} {:>10} {:>10} {:>8} {:>7} {:>7}",
        "CRASH STATES OF THE LOG",
        "workloads",
        "moments",
        "disks",
        "recoveries",
        "damages",
        "faults",
        "s"
    ));
    for row in &report.rows {
        let counts = &row.counts;
        say(format_args!(
            "{:<42} {:>9} {:>8} {:>10} {:>10} {:>8} {:>7} {:>7.1}",
            row.scope,
            counts.workloads,
            counts.moments,
            counts.crash_states,
            counts.recoveries,
            counts.damages,
            counts.faults,
            row.wall_s
        ));
    }
    for it in &report.violations {
        say(format_args!(
            "  BROKEN by {} after {:?}, {}: {}",
            it.what, it.workload, it.log, it.broken
        ));
    }
    say(format_args!("\nTWINS OF THE LOG"));
    for it in &report.twins {
        let verdict = match (&it.by, it.must_be) {
            (Some(by), true) => {
                format!("caught by {} after {:?}: {}", by.what, by.workload, by.broken)
            }
            (None, false) => "right, because the other checks reject the same".to_owned(),
            (None, true) => "NOT CAUGHT".to_owned(),
            (Some(by), false) => format!("NOT COVERED: {} after {:?}", by.broken, by.workload),
        };
        let name = if it.has_threads { "  with threads" } else { it.name };
        say(format_args!("  {name:<34} {verdict}"));
    }
    let disks: u64 = report.rows.iter().map(|it| it.counts.crash_states).sum();
    let verdict = if report.is_as_promised() {
        "every record that was said to be durable is there; every twin is caught"
    } else {
        "a promise of the log is broken, or a twin goes uncaught"
    };
    say(format_args!("\n{disks} disks after crashes: {verdict}."));
}
