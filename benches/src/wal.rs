//! `versus wal`: our log beside others and beside the raw disk.

mod conditions;
mod figure;
mod load;
mod raw;
mod replay;
mod report;
mod systems;
mod targets;
mod woken;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use conditions::Conditions;
use load::Sample;
use raw::RawDisk;
pub use replay::{ReplayOne, replay_one};
use report::{Report, Row};
use steadfast_output::{duration, say, size, warn};
use steadfast_wal::format::batch::RECORD_OVERHEAD_BYTES;
use steadfast_wal::format::header::HEADER_BYTES;
use systems::{OkayWal, RaftEngine, Result, Sqlite, Steadfast, System};

/// How much is measured.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where to write: a directory on the disk that is to be measured. A temporary one is made
    /// in it.
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// How long each measurement takes.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = duration::seconds)]
    seconds: Duration,
    /// How often each is repeated; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The numbers of writers.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [1, 8, 64], value_parser = writers)]
    writers: Vec<usize>,
    /// The lengths of records, in bytes or with a unit, such as 64K.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [128, 4096, 65_536], value_parser = payload)]
    payloads: Vec<usize>,
    /// Only these systems.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values_t = SYSTEMS.map(str::to_owned), value_parser = SYSTEMS)]
    systems: Vec<String>,
    /// How much is replayed, in MiB; 0 for nothing.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(0..=65536))]
    replay: u64,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// The raw loop that writes as many blocks as our log.
const SAME_BLOCKS: &str = "direct, our blocks";

/// The raw loop that writers wait for as they do for a log.
const WOKEN: &str = "direct, woken writers";

/// What is compared.
const SYSTEMS: [&str; 5] = ["steadfast", "raw", "raft-engine", "okaywal", "sqlite"];

/// The most writers.
const WRITERS_MAX: usize = 1024;

/// How long the raw sync is measured before and after, in seconds.
const RAW_SECONDS: f64 = 1.0;

fn writers(text: &str) -> std::result::Result<usize, String> {
    let count = text.parse().ok().filter(|it| (1..=WRITERS_MAX).contains(it));
    count.ok_or_else(|| format!("there are 1 to {WRITERS_MAX} writers"))
}

fn payload(text: &str) -> std::result::Result<usize, String> {
    let bytes = size::bytes(text)?;
    bytes.try_into().map_err(|_| format!("{bytes} bytes are more than memory can hold"))
}

/// Measures and judges.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let result = measure(options).and_then(|report| {
        if options.json {
            say(serde_json::to_string_pretty(&report)?);
        } else {
            report.show();
        }
        Ok(report.exit_code())
    });
    result.unwrap_or_else(|error| {
        warn(format_args!("versus: {error}"));
        ExitCode::from(4)
    })
}

fn measure(options: &Options) -> Result<Report> {
    let directory = tempfile::Builder::new().prefix("versus-wal-").tempdir_in(&options.directory);
    // The error would name the temporary directory, which the user does not know.
    let directory = directory.map_err(|error| {
        format!("cannot write into {}: {}", options.directory.display(), error.kind())
    })?;
    let place = directory.path();
    let time = options.seconds;
    let raw = RawDisk::open(place)?;
    let raw_time = Duration::from_secs_f64(RAW_SECONDS);
    let mut contenders = Vec::new();
    if !options.payloads.is_empty() {
        for system in &options.systems {
            warn(format_args!("warming up {system}"));
            contenders.push(Contender::warm(system, place)?);
        }
    }
    let mut conditions = Conditions::of(place);
    conditions.raw_sync_before_us = raw.loop_of(1, 4096, true, raw_time)?.p50_us;
    let mut report = Report::new(conditions);
    report.conditions.sequential_bytes_per_s = raw.bandwidth(raw_time)?;
    for &payload_bytes in &options.payloads {
        for &writers in &options.writers {
            warn(format_args!("measuring {writers} writers, {payload_bytes} bytes"));
            let cell = Cell { raw: &raw, contenders: &contenders, writers, payload_bytes, time };
            for _ in 0..options.rounds {
                cell.measure(&mut report.appends)?;
            }
        }
    }
    drop(contenders);
    report.take_medians();
    let bandwidth = raw.bandwidth(raw_time)?;
    let conditions = &mut report.conditions;
    conditions.sequential_bytes_per_s = conditions.sequential_bytes_per_s.max(bandwidth);
    // An eighth of the bytes in short records, which are four times as many still.
    for (payload_bytes, mib) in [(128, options.replay / 8), (4096, options.replay)] {
        if mib > 0 {
            warn(format_args!("replaying {mib} MiB of {payload_bytes} bytes"));
            let replays = replay::compare(place, payload_bytes, mib << 20, &options.systems)?;
            report.replays.extend(replays);
        }
    }
    report.conditions.raw_sync_after_us = raw.loop_of(1, 4096, true, raw_time)?.p50_us;
    let targets = targets::judge(&report);
    report.keep_targets(targets);
    report.take_rows();
    Ok(report)
}

/// What takes part. A log stays open from its warming up to the end, as one in use does.
enum Contender {
    Ours(Steadfast),
    Other(&'static str, Box<dyn System>),
    /// Its file was written over before anything is measured.
    Raw,
}

impl Contender {
    /// Opens a log and brings it to its steady state.
    fn warm(system: &str, place: &Path) -> Result<Contender> {
        let contender = match system {
            "steadfast" => Contender::Ours(Steadfast::open(place)?),
            "raw" => return Ok(Contender::Raw),
            "raft-engine" => {
                Contender::Other("raft-engine", Box::new(RaftEngine::open(place, WRITERS_MAX)?))
            }
            "okaywal" => Contender::Other("okaywal", Box::new(OkayWal::open(place)?)),
            "sqlite" => Contender::Other("sqlite", Box::new(Sqlite::open(place)?)),
            other => return Err(format!("there is no system {other:?}").into()),
        };
        match &contender {
            Contender::Ours(ours) => load::warm_up(ours)?,
            Contender::Other(_, other) => load::warm_up(&**other)?,
            Contender::Raw => {}
        }
        Ok(contender)
    }
}

/// One number of writers and one length of records.
struct Cell<'a> {
    raw: &'a RawDisk,
    contenders: &'a [Contender],
    writers: usize,
    payload_bytes: usize,
    time: Duration,
}

impl Cell<'_> {
    /// Measures all, one right after the other.
    fn measure(&self, rows: &mut Vec<Row>) -> Result<()> {
        for contender in self.contenders {
            match contender {
                Contender::Ours(ours) => self.steadfast(ours, rows)?,
                Contender::Other(name, other) => {
                    rows.push(self.row(name, "blocking", self.blocking(&**other)?));
                }
                Contender::Raw => self.raw_disk(rows)?,
            }
        }
        Ok(())
    }

    fn steadfast(&self, ours: &Steadfast, rows: &mut Vec<Row>) -> Result<()> {
        rows.push(self.row("steadfast", "blocking", self.blocking(ours)?));
        if self.writers > 1 {
            let outstanding = self.writers as u64;
            let sample = load::asynchronous(ours, outstanding, self.payload_bytes, self.time)?;
            rows.push(self.row("steadfast", "async", sample));
        }
        Ok(())
    }

    fn raw_disk(&self, rows: &mut Vec<Row>) -> Result<()> {
        let (records, bytes) = (self.writers, self.writers * self.payload_bytes);
        for (mode, is_direct) in [("direct", true), ("buffered", false)] {
            let sample = self.raw.loop_of(records, bytes, is_direct, self.time)?;
            rows.push(self.row("raw", mode, sample));
        }
        // A record and what our log says about it: as many blocks as the log writes.
        let bytes_of =
            |records| records * (self.payload_bytes + RECORD_OVERHEAD_BYTES) + HEADER_BYTES;
        let sample = self.raw.loop_of(records, bytes_of(records), true, self.time)?;
        rows.push(self.row("raw", SAME_BLOCKS, sample));
        if self.writers > 1 {
            let sample = self.raw.woken(self.writers, self.payload_bytes, &bytes_of, self.time)?;
            rows.push(self.row("raw", WOKEN, sample));
        }
        Ok(())
    }

    fn blocking(&self, system: &dyn System) -> Result<Sample> {
        load::blocking(system, self.writers, self.payload_bytes, self.time)
    }

    fn row(&self, system: &'static str, mode: &'static str, sample: Sample) -> Row {
        Row { system, mode, writers: self.writers, payload_bytes: self.payload_bytes, sample }
    }
}
