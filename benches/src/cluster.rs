//! `versus cluster`: three nodes of ours beside three of etcd.

mod connection;
mod etcd;
mod faults;
mod large;
mod load;
mod many;
mod processes;
mod report;
mod system;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use load::Operation;
use report::{Figures, Report, Row};
use steadfast_output::{duration, say, size, warn};
use steadfast_testbed::Program;
use system::System;

use crate::machine::Machine;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How much is measured.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the nodes keep their files: a directory on the disk that is to be measured. A temporary one is made
    /// in it.
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// The program `steadfast`. The one beside this program if not given.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// How long each measurement takes.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = duration::seconds)]
    seconds: Duration,
    /// How often each is repeated; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The numbers of clients.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = clients)]
    clients: Vec<usize>,
    /// How often the leader is killed; 0 for never.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    failovers: u32,
    /// How many writes to at most 10,000 keys a node misses that then catches up; 0 for none.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    missed: u64,
    /// The length of a large file, in bytes or with a unit, such as 64M; 0 for none.
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = size::bytes)]
    large: u64,
    /// How many small files are put; 0 for none.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    files: u64,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// The length of a value of the loads.
const VALUE_BYTES: usize = 1024;

/// The most clients.
const CLIENTS_MAX: usize = 1024;

fn clients(text: &str) -> std::result::Result<usize, String> {
    let count = text.parse().ok().filter(|it| (1..=CLIENTS_MAX).contains(it));
    count.ok_or_else(|| format!("there are 1 to {CLIENTS_MAX} clients"))
}

/// Measures and judges.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.map_err(Into::into).and_then(|it| it.block_on(measure(options)));
    let result = report.and_then(|report| {
        match options.json {
            true => say(serde_json::to_string_pretty(&report)?),
            false => report.show(),
        }
        Ok(report.exit_code())
    });
    result.unwrap_or_else(|error| {
        warn(format_args!("versus: {error}"));
        ExitCode::from(4)
    })
}

async fn measure(options: &Options) -> Result<Report> {
    let program = Program::find(options.program.as_deref())?;
    let directory =
        tempfile::Builder::new().prefix("versus-cluster-").tempdir_in(&options.directory);
    // The error would name the temporary directory, which the user does not know.
    let directory = directory.map_err(|error| {
        format!("cannot write into {}: {}", options.directory.display(), error.kind())
    })?;
    let place = directory.path();
    let mut report = Report::new(Machine::this());
    let mut systems = vec![System::ours(&place.join("ours"), &program).await?];
    match System::etcd(&place.join("etcd"), &program).await? {
        Some(etcd) => systems.push(etcd),
        None => report.notes.push(
            "etcd is left out: there is no program `etcd` (Debian: apt install etcd-server)"
                .to_owned(),
        ),
    }
    let mut idle = Vec::new();
    for system in &systems {
        idle.push(system.memory_bytes()?.0);
    }
    systems.push(System::recording(&place.join("recording"), &program).await?);
    loads(options, &systems, &mut report).await?;
    systems.pop();
    for (system, idle_bytes) in systems.iter_mut().zip(&idle) {
        report.figures.push(figures(options, system, *idle_bytes).await?);
    }
    // Only ours is left, so that nothing else takes memory and processors.
    let mut ours = systems.swap_remove(0);
    drop(systems);
    if options.large > 0 {
        warn("measuring a large file");
        let large = large::measure(&ours, place, options.large).await?;
        if large.rsync.is_none() {
            let note = "rsync is left out: there is no program `rsync` (Debian: apt install rsync)";
            report.notes.push(note.to_owned());
        }
        report.large = Some(large);
    }
    if options.files > 0 {
        warn(format_args!("putting {} files", options.files));
        report.many = Some(many::measure(&mut ours, options.files, idle[0]).await?);
    }
    report.targets = targets::judge(&report);
    Ok(report)
}

/// Measures each number of clients in rounds, in each of which the systems take turns.
async fn loads(options: &Options, systems: &[System], report: &mut Report) -> Result<()> {
    for operation in [Operation::Put, Operation::Get] {
        for &clients in &options.clients {
            warn(format_args!("measuring {clients} clients, {}", operation.name()));
            let mut rows = vec![Vec::new(); systems.len()];
            for _ in 0..options.rounds {
                for (system, rows) in systems.iter().zip(&mut rows) {
                    let time = options.seconds;
                    let sample =
                        load::measure(system, operation, clients, VALUE_BYTES, time).await?;
                    rows.push(Row { system: system.name, operation, clients, sample });
                }
            }
            report.rows.extend(rows.into_iter().filter_map(report::median));
        }
    }
    Ok(())
}

async fn figures(options: &Options, system: &mut System, idle_bytes: u64) -> Result<Figures> {
    let peak_bytes = system.memory_bytes()?.1;
    let disk_bytes = system.disk_bytes()?;
    let mut failovers = Vec::new();
    for _ in 0..options.failovers {
        warn(format_args!("killing the leader of {}", system.name));
        failovers.push(faults::failover_s(system, VALUE_BYTES).await?);
    }
    failovers.sort_by(f64::total_cmp);
    let failover_s = failovers.get(failovers.len() / 2).copied();
    let catch_up = match options.missed {
        0 => None,
        missed => {
            warn(format_args!("a node of {} misses {missed} writes", system.name));
            Some(faults::catch_up(system, missed, VALUE_BYTES).await?)
        }
    };
    let system = system.name;
    Ok(Figures { system, idle_bytes, peak_bytes, disk_bytes, failover_s, catch_up })
}
