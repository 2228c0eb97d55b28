//! Writes a log and reads it back in a process of its own, whose peak memory is true then.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use raft_engine::{Engine, LogBatch};
use serde::{Deserialize, Serialize};
use steadfast_output::{say, warn};
use steadfast_wal::{Opening, RealDisk, inspect};

use super::load::payload;
use super::systems::{Forgets, Indexed, LOG, RaftEngine, Result, Sqlite, settings};
use crate::usage::peak_rss_bytes;
use okaywal::WriteAheadLog;
use protobuf::well_known_types::BytesValue;

/// So many records are written with one sync.
const TOGETHER: usize = 64;
/// So often a log is read before it counts. The first time brings it into the page cache, and the
/// system takes twice more to see that it is in use there.
const WARM_UPS: usize = 3;
/// So often it is read then; the median counts.
const RUNS: usize = 5;

/// Replays one log.
#[derive(Args, Clone, Debug)]
pub struct ReplayOne {
    /// Whose.
    system: String,
    /// Where it is.
    directory: PathBuf,
}

/// What a replay came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replayed {
    /// Whose log it was.
    #[serde(default)]
    pub(super) system: String,
    /// The length of a record in bytes.
    #[serde(default)]
    pub(super) payload_bytes: usize,
    /// How long opening took, in seconds.
    pub(super) open_s: f64,
    /// How long reading every record took then, in seconds.
    pub(super) replay_s: f64,
    /// How many records there were.
    pub(super) records: u64,
    /// How many bytes of payload there were.
    pub(super) bytes: u64,
    /// The most memory that the process held, in bytes.
    pub(super) peak_rss_bytes: u64,
    /// The least memory that a process of this program holds, in bytes.
    pub(super) idle_rss_bytes: u64,
    /// Bytes of log on disk per byte of payload.
    #[serde(default)]
    pub(super) disk_per_payload: f64,
}

impl Replayed {
    /// Payload bytes per second of reading.
    #[must_use]
    pub(super) fn bytes_per_s(&self) -> f64 {
        self.bytes as f64 / self.replay_s
    }

    /// Payload bytes per second of opening and reading together.
    #[must_use]
    pub(super) fn bytes_per_s_in_all(&self) -> f64 {
        self.bytes as f64 / self.all_s()
    }

    /// The seconds of opening and reading together.
    fn all_s(&self) -> f64 {
        self.open_s + self.replay_s
    }
}

/// Writes the same records to each system, and replays them.
///
/// # Errors
/// When one of them fails.
pub(super) fn compare(
    place: &Path,
    payload_bytes: usize,
    bytes: u64,
    systems: &[String],
) -> Result<Vec<Replayed>> {
    let records = usize::try_from(bytes)? / payload_bytes;
    let fillers: [(&str, Filler); 4] = [
        ("steadfast", fill_steadfast),
        ("raft-engine", fill_raft_engine),
        ("okaywal", fill_okaywal),
        ("sqlite", fill_sqlite),
    ];
    let mut all = Vec::new();
    for (system, fill) in fillers {
        if !systems.iter().any(|it| it == system) {
            continue;
        }
        let directory = place.join(format!("replay-{system}"));
        std::fs::create_dir_all(&directory)?;
        let disk_bytes = fill(&directory, records, payload_bytes)?;
        for _ in 0..WARM_UPS {
            in_child(system, &directory)?;
        }
        let runs = (0..RUNS).map(|_| in_child(system, &directory));
        let mut runs = runs.collect::<Result<Vec<_>>>()?;
        runs.sort_by(|a, b| a.all_s().total_cmp(&b.all_s()));
        let mut median = runs.swap_remove(runs.len() / 2);
        median.system = system.to_owned();
        median.payload_bytes = payload_bytes;
        median.disk_per_payload = disk_bytes as f64 / (records * payload_bytes) as f64;
        all.push(median);
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(all)
}

/// Writes a log and says how many bytes it takes on disk.
type Filler = fn(&Path, usize, usize) -> Result<u64>;

fn fill_steadfast(directory: &Path, records: usize, payload_bytes: usize) -> Result<u64> {
    let disk = Arc::new(RealDisk::new(directory.join("steadfast")));
    let (mut log, _) = Opening::begin(Arc::clone(&disk), LOG, settings())?.into_serial_log()?;
    let payload = payload(0, payload_bytes);
    for number in 1..=records {
        log.append(&payload)?;
        if number % TOGETHER == 0 {
            log.sync()?;
        }
    }
    log.close()?;
    let mut bytes = 0;
    let block_bytes = u64::from(settings().block_bytes);
    inspect(&*disk, &mut |_, batch| bytes += batch.header.padded_bytes(block_bytes))?;
    Ok(bytes)
}

fn fill_raft_engine(directory: &Path, records: usize, payload_bytes: usize) -> Result<u64> {
    let config = RaftEngine::config(directory);
    let place = PathBuf::from(&config.dir);
    let engine = Engine::open(config)?;
    let payload = payload(0, payload_bytes);
    let mut batch = LogBatch::default();
    for number in 1..=records as u64 {
        let mut value = payload.clone();
        value[..8].copy_from_slice(&number.to_le_bytes());
        let entry = BytesValue { value, ..BytesValue::default() };
        batch.add_entries::<Indexed>(1, &[entry])?;
        if number.is_multiple_of(TOGETHER as u64) || number == records as u64 {
            engine.write(&mut batch, true)?;
        }
    }
    drop(engine);
    bytes_in(&place)
}

fn fill_okaywal(directory: &Path, records: usize, payload_bytes: usize) -> Result<u64> {
    let place = directory.join("okaywal");
    let configuration =
        okaywal::Configuration::default_for(&place).checkpoint_after_bytes(u64::from(u32::MAX));
    let log = configuration.open(Forgets::default())?;
    let payload = payload(0, payload_bytes);
    let mut left = records;
    while left > 0 {
        let mut entry = log.begin_entry()?;
        for _ in 0..left.min(TOGETHER) {
            entry.write_chunk(&payload)?;
        }
        entry.commit()?;
        left -= left.min(TOGETHER);
    }
    drop(log);
    bytes_in(&place)
}

fn fill_sqlite(directory: &Path, records: usize, payload_bytes: usize) -> Result<u64> {
    let payload = payload(0, payload_bytes);
    Sqlite::open(directory)?.fill(&payload, records)?;
    bytes_in(directory)
}

fn bytes_in(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn in_child(system: &str, directory: &Path) -> Result<Replayed> {
    let output = Command::new(std::env::current_exe()?)
        .args(["wal-replay-one", system])
        .arg(directory)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What the child does.
#[must_use]
pub fn replay_one(options: &ReplayOne) -> ExitCode {
    let idle_rss_bytes = peak_rss_bytes().unwrap_or(0);
    let replayed = match options.system.as_str() {
        "steadfast" => replay_steadfast(&options.directory),
        "raft-engine" => replay_raft_engine(&options.directory),
        "okaywal" => replay_okaywal(&options.directory),
        _ => replay_sqlite(&options.directory),
    };
    let printed = replayed.and_then(|(open_s, replay_s, records, bytes)| {
        let peak_rss_bytes = peak_rss_bytes().unwrap_or(0);
        let replayed = Replayed {
            system: String::new(),
            payload_bytes: 0,
            open_s,
            replay_s,
            records,
            bytes,
            peak_rss_bytes,
            idle_rss_bytes,
            disk_per_payload: 0.0,
        };
        say(serde_json::to_string(&replayed)?);
        Ok(())
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn(format_args!("versus: {error}"));
            ExitCode::from(4)
        }
    }
}

/// Seconds of opening, seconds of reading, records, bytes.
type Times = (f64, f64, u64, u64);

fn replay_steadfast(directory: &Path) -> Result<Times> {
    let begin = Instant::now();
    let disk = Arc::new(RealDisk::new(directory.join("steadfast")));
    let mut opening = Opening::begin(disk, LOG, settings())?;
    let mut open = begin.elapsed();
    let begin = Instant::now();
    let (mut records, mut bytes) = (0, 0);
    opening.for_each(|record| {
        records += 1;
        bytes += record.payload.len() as u64;
    })?;
    let replay = begin.elapsed();
    let begin = Instant::now();
    let _log = opening.into_serial_log()?;
    open += begin.elapsed();
    Ok((open.as_secs_f64(), replay.as_secs_f64(), records, bytes))
}

fn replay_raft_engine(directory: &Path) -> Result<Times> {
    let begin = Instant::now();
    let engine = Engine::open(RaftEngine::config(directory))?;
    let open_s = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let (mut records, mut bytes) = (0, 0);
    let (first, last) = (engine.first_index(1).unwrap_or(1), engine.last_index(1).unwrap_or(0));
    let mut entries = Vec::new();
    let mut next = first;
    while next <= last {
        let end = (next + 1024).min(last + 1);
        entries.clear();
        engine.fetch_entries_to::<Indexed>(1, next, end, None, &mut entries)?;
        records += entries.len() as u64;
        bytes += entries.iter().map(|it| it.value.len() as u64).sum::<u64>();
        next = end;
    }
    Ok((open_s, begin.elapsed().as_secs_f64(), records, bytes))
}

fn replay_okaywal(directory: &Path) -> Result<Times> {
    let begin = Instant::now();
    let forgets = Forgets::default();
    let (records, bytes) = (Arc::clone(&forgets.records), Arc::clone(&forgets.bytes));
    let _log = WriteAheadLog::recover(directory.join("okaywal"), forgets)?;
    let replay_s = begin.elapsed().as_secs_f64();
    Ok((0.0, replay_s, records.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed)))
}

fn replay_sqlite(directory: &Path) -> Result<Times> {
    let begin = Instant::now();
    let sqlite = Sqlite::open(directory)?;
    let open_s = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let (records, bytes) = sqlite.read()?;
    Ok((open_s, begin.elapsed().as_secs_f64(), records, bytes))
}
