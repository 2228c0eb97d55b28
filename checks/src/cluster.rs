//! `check cluster`: a cluster of real nodes under load and faults. Its clients' histories, its logs and its state at rest are judged.

mod clients;
mod contents;
mod disks;
mod history;
mod judge;
mod leftovers;
mod logs;
mod namespace;
mod nemesis;
mod network;
mod report;
mod run;
mod schedule;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use steadfast_output::exit_code::IO;
use steadfast_output::{duration, is_interrupted, on_interrupt};
use steadfast_testbed::Program;

use crate::failure::Failure;
use crate::json;
use crate::status_line::StatusLine;

use self::leftovers::Directory;
use self::namespace::Namespace;
use self::report::Report;
use self::run::Means;

/// The length and the seed of the runs, and the programs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cluster {
    /// How long clients work and faults happen, all settings together.
    #[arg(long, value_name = "M", default_value = "1", value_parser = duration::minutes)]
    minutes: Duration,
    /// The seed of the faults and of the clients' choices.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// The settings: consistent (E=W=2) is to be linearizable, available (E=W=1) is to converge and to lose nothing
    /// [default: both, consistent for two thirds of the time].
    #[arg(long, value_name = "SETTING")]
    setting: Option<Setting>,
    /// The program `steadfast` whose nodes run [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// An older program that makes the cluster and runs at first; the nodes then go on with its data.
    #[arg(long, value_name = "PATH")]
    old_binary: Option<PathBuf>,
    /// Where the data of a run are, and stay if it fails [default: a directory for temporary files].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Stay on loopback, without the faults that need network namespaces.
    #[arg(long)]
    loopback: bool,
    /// Demand linearizable histories of settings that do not promise them, which must fail.
    #[arg(long, hide = true)]
    demand_linearizable: bool,
    /// Set for the process inside the namespaces of its own.
    #[arg(long, hide = true)]
    inside: bool,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// The settings of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Setting {
    /// E=W=2: linearizable.
    Consistent,
    /// E=W=1: every side of a cut takes writes.
    Available,
    /// E=W=1, judged as if it were linearizable.
    #[value(skip)]
    Mistaken,
}

impl Setting {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Setting::Consistent => "consistent",
            Setting::Available => "available",
            Setting::Mistaken => "available, judged as consistent",
        }
    }

    /// E and W.
    pub(crate) fn quorums(self) -> (u8, u8) {
        match self {
            Setting::Consistent => (2, 2),
            Setting::Available | Setting::Mistaken => (1, 1),
        }
    }

    pub(crate) fn is_linearizable(self) -> bool {
        self != Setting::Available
    }
}

/// `check cluster`.
pub(crate) fn run(options: &Cluster) -> Result<ExitCode, Failure> {
    on_interrupt(|| {});
    let program = Program::find(options.binary.as_deref()).map_err(Failure::io)?;
    let old_program = options.old_binary.as_deref().map(|it| Program::find(Some(it)));
    let old_program = old_program.transpose().map_err(Failure::io)?;
    if options.inside {
        namespace::end_with_parent().map_err(Failure::io)?;
        network::prepare().map_err(means_failed)?;
    } else if !options.loopback && Namespace::is_available() {
        return Namespace::enter().map_err(Failure::io);
    }
    let has_strace = namespace::has_strace();
    let means = Means { program, old_program, is_in_namespace: options.inside, has_strace };
    let mut directory = Directory::make(options.directory.as_deref()).map_err(Failure::io)?;
    let report = perform(options, &means, directory.path())?;
    let verdict = report.verdict(is_interrupted());
    if report.has_left_anything() {
        directory.keep();
    }
    match options.json {
        true => json::print(verdict, &report)?,
        false => report.print(verdict),
    }
    Ok(verdict.exit_code())
}

fn perform(options: &Cluster, means: &Means, directory: &Path) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::io)?;
    let status = StatusLine::begin(None, "a cluster under faults");
    let say = |text: String| status.say(text);
    let mut report = Report::new(options.seed, means);
    for (setting, lasts) in settings(options) {
        let directory = directory.join(setting.name().replace(' ', "-"));
        let plan = (options.seed, lasts);
        let run = runtime.block_on(run::run(means, setting, plan, &directory, &say));
        let run =
            run.map_err(|message| Failure { message, code: steadfast_output::exit_code::IO })?;
        status.task_done();
        let is_broken = !run.violations.is_empty();
        report.add(run);
        if is_broken || is_interrupted() {
            break;
        }
    }
    Ok(report)
}

/// A means of the run failed, which says nothing about the nodes.
fn means_failed(message: String) -> Failure {
    Failure { message, code: IO }
}

fn settings(options: &Cluster) -> Vec<(Setting, Duration)> {
    let lasts = options.minutes;
    match options.setting {
        Some(Setting::Available) if options.demand_linearizable => vec![(Setting::Mistaken, lasts)],
        Some(setting) => vec![(setting, lasts)],
        None => vec![(Setting::Consistent, lasts * 2 / 3), (Setting::Available, lasts / 3)],
    }
}
