//! `versus wal`: our log beside others and beside the raw disk.

mod load;
mod machine;
mod raw;
mod replay;
mod report;
mod systems;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use load::Sample;
use machine::Machine;
use raw::RawDisk;
pub use replay::{ReplayOne, replay_one};
use report::{Report, Row};
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
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    seconds: f64,
    /// How often each is repeated; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The numbers of writers.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [1, 8, 64])]
    writers: Vec<usize>,
    /// The lengths of records, in bytes.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [128, 4096, 65_536])]
    payloads: Vec<usize>,
    /// Only these systems.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values_t = SYSTEMS.map(str::to_owned))]
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

/// What is compared.
const SYSTEMS: [&str; 5] = ["steadfast", "raw", "raft-engine", "okaywal", "sqlite"];

/// How long the raw sync is measured before and after, in seconds.
const RAW_SECONDS: f64 = 1.0;

/// Measures and judges.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let result = measure(options).and_then(|report| {
        if options.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.show();
        }
        Ok(report.exit_code())
    });
    result.unwrap_or_else(|error| {
        eprintln!("versus: {error}");
        ExitCode::from(4)
    })
}

fn measure(options: &Options) -> Result<Report> {
    let directory =
        tempfile::Builder::new().prefix("versus-wal-").tempdir_in(&options.directory)?;
    let place = directory.path();
    let time = Duration::from_secs_f64(options.seconds);
    let raw = RawDisk::open(place)?;
    let raw_time = Duration::from_secs_f64(RAW_SECONDS);
    let mut machine = Machine::of(place);
    machine.raw_sync_before_us = raw.loop_of(1, 4096, true, raw_time)?.p50_us;
    let mut report = Report::new(machine);
    report.machine.sequential_bytes_per_s = raw.bandwidth(raw_time)?;
    for &payload_bytes in &options.payloads {
        for &writers in &options.writers {
            eprintln!("measuring {writers} writers, {payload_bytes} bytes");
            let systems = &options.systems;
            let cell = Cell { place, raw: &raw, systems, writers, payload_bytes, time };
            for _ in 0..options.rounds {
                cell.measure(&mut report.appends)?;
            }
        }
    }
    report.take_medians();
    let bandwidth = raw.bandwidth(raw_time)?;
    let machine = &mut report.machine;
    machine.sequential_bytes_per_s = machine.sequential_bytes_per_s.max(bandwidth);
    // An eighth of the bytes in short records, which are four times as many still.
    for (payload_bytes, mib) in [(128, options.replay / 8), (4096, options.replay)] {
        if mib > 0 {
            eprintln!("replaying {mib} MiB of {payload_bytes} bytes");
            let replays = replay::compare(place, payload_bytes, mib << 20, &options.systems)?;
            report.replays.extend(replays);
        }
    }
    report.machine.raw_sync_after_us = raw.loop_of(1, 4096, true, raw_time)?.p50_us;
    report.judge();
    report.take_rows();
    Ok(report)
}

/// One number of writers and one length of records.
struct Cell<'a> {
    place: &'a std::path::Path,
    raw: &'a RawDisk,
    systems: &'a [String],
    writers: usize,
    payload_bytes: usize,
    time: Duration,
}

impl Cell<'_> {
    /// Measures all systems, one right after the other. What one leaves behind is gone before the
    /// next one begins.
    fn measure(&self, rows: &mut Vec<Row>) -> Result<()> {
        for system in self.systems {
            match system.as_str() {
                "steadfast" => self.steadfast(rows)?,
                "raw" => self.raw_disk(rows)?,
                "raft-engine" => {
                    let raft = RaftEngine::open(self.place, self.writers)?;
                    rows.push(self.row("raft-engine", "blocking", self.blocking(&raft)?));
                }
                "okaywal" => {
                    let okay = OkayWal::open(self.place)?;
                    rows.push(self.row("okaywal", "blocking", self.blocking(&okay)?));
                }
                "sqlite" => {
                    let sqlite = Sqlite::open(self.place)?;
                    rows.push(self.row("sqlite", "blocking", self.blocking(&sqlite)?));
                }
                other => return Err(format!("there is no system {other:?}").into()),
            }
            self.clear()?;
        }
        Ok(())
    }

    /// Removes what a system has written, and waits until the disk knows that.
    fn clear(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.place)? {
            let (path, name) = entry.map(|it| (it.path(), it.file_name()))?;
            if path.is_dir() {
                std::fs::remove_dir_all(path)?;
            } else if name != raw::NAME {
                std::fs::remove_file(path)?;
            }
        }
        std::fs::File::open(self.place)?.sync_all()?;
        Ok(())
    }

    fn steadfast(&self, rows: &mut Vec<Row>) -> Result<()> {
        let ours = Steadfast::open(self.place)?;
        rows.push(self.row("steadfast", "blocking", self.blocking(&ours)?));
        if self.writers > 1 {
            let outstanding = self.writers as u64;
            let sample = load::asynchronous(&ours, outstanding, self.payload_bytes, self.time)?;
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
        let bytes = bytes + records * RECORD_OVERHEAD_BYTES + HEADER_BYTES;
        let sample = self.raw.loop_of(records, bytes, true, self.time)?;
        rows.push(self.row("raw", SAME_BLOCKS, sample));
        Ok(())
    }

    fn blocking(&self, system: &dyn System) -> Result<Sample> {
        load::blocking(system, self.writers, self.payload_bytes, self.time)
    }

    fn row(&self, system: &'static str, mode: &'static str, sample: Sample) -> Row {
        Row { system, mode, writers: self.writers, payload_bytes: self.payload_bytes, sample }
    }
}
