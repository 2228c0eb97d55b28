//! `steadfast wal`: shows a log and its damage, and copies its records. The log is not changed.

mod cat;
mod records;
mod salvage;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::cat::Cat;
use self::salvage::Salvage;
use clap::{Args, Subcommand};
use serde::Serialize;
use steadfast_output::exit_code::{BROKEN, IO};
use steadfast_output::{StandardOutput, warn};
use steadfast_wal::disk::Call;
use steadfast_wal::{
    Batch, Case, Damage, DamagedPart, Inspection, Location, OpenError, RealDisk, inspect,
    try_inspect,
};

use crate::failure::Failure;

/// How many bytes of a record `dump` shows.
const SHOWN_BYTES: usize = 16;

/// Advice for a directory without a log.
const NO_LOG: &str =
    "DIR is the directory of a log, with a file `checkpoint` and files `segment-` and a number";
/// Advice for a damaged log.
const SALVAGE: &str = "`steadfast wal cat --salvage DIR` writes the records of every whole batch, also behind the damage";
/// Advice for a damaged log whose beginning is intact.
const SALVAGE_INTO: &str =
    "`steadfast wal salvage DIR NEW` makes a new log of all that stands before the damage";

/// Shows, verifies and salvages a write-ahead log.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints every batch with its location, and its records.
    Dump(Target),
    /// Reads every byte of a log and names its damage.
    Verify(Target),
    /// Writes the records to standard output, of a damaged log those before the damage.
    ///
    /// They are the records that `verify` counts; with `--salvage` also those in whole batches behind the
    /// damage. Exit code 1 says that the log is damaged or its tail uncertain; the message names the
    /// records that are lost, as far as known.
    ///
    /// A log that a process has open cannot be read by another: its checkpoints give segments up, and
    /// the log writes to them again. The process itself reads its log with `Log::read_from`.
    Cat(Cat),
    /// Makes a new log of all that `verify` calls intact.
    ///
    /// That is the state of the checkpoint and the records behind it, of a damaged log up to the
    /// damage. The records keep their numbers, the log its id, and DIR is not changed. NEW appears when
    /// it is complete, and is readable by you alone. Exit code 1 says that records are lost or the tail of
    /// DIR is uncertain; NEW is there all the same.
    Salvage(Salvage),
}

/// Which log, and how it is shown.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// The directory of the log.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print JSON: of `dump` one object per line, of `verify` one object.
    #[arg(long)]
    json: bool,
}

/// Runs a subcommand.
pub(crate) fn run(command: &Command) -> ExitCode {
    let result = match command {
        Command::Dump(target) => dump(target),
        Command::Verify(target) => verify(target),
        Command::Cat(cat) => cat.run(),
        Command::Salvage(salvage) => salvage.run(),
    };
    result.unwrap_or_else(|failure| failure.report())
}

/// A failure to write data to standard output.
fn unwritten(error: impl Into<io::Error>) -> Failure {
    Failure::io("cannot write to standard output", &error.into())
}

/// Why no more of a log is shown.
enum Stop {
    /// The log itself.
    Log(OpenError),
    /// The output.
    Output(Failure),
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Stop {
        Stop::Log(error)
    }
}

/// The verdict on a log, unless the output failed before there was one.
fn verdict_of<T>(shown: Result<T, Stop>) -> Result<Result<T, OpenError>, Failure> {
    match shown {
        Ok(shown) => Ok(Ok(shown)),
        Err(Stop::Log(error)) => Ok(Err(error)),
        Err(Stop::Output(failure)) => Err(failure),
    }
}

/// A batch as `dump` shows it.
#[derive(Serialize)]
struct DumpedBatch {
    segment: u64,
    offset: u64,
    epoch: u64,
    first: u64,
    count: u32,
    durable: u64,
    bytes: u32,
    previous: String,
    checksum: String,
    records: Vec<DumpedRecord>,
}

/// A record as `dump` shows it.
#[derive(Serialize)]
struct DumpedRecord {
    index: u64,
    bytes: usize,
    begins_with: String,
}

impl DumpedBatch {
    fn of(location: Location, batch: &Batch<'_>) -> DumpedBatch {
        let header = batch.header;
        let records = batch.records().map(|it| DumpedRecord {
            index: it.index.0,
            bytes: it.payload.len(),
            begins_with: hex(&it.payload[..it.payload.len().min(SHOWN_BYTES)]),
        });
        DumpedBatch {
            segment: location.segment.0,
            offset: location.offset,
            epoch: header.epoch.0,
            first: header.first.0,
            count: header.count,
            durable: header.durable.0,
            bytes: header.length,
            previous: header.previous.to_string(),
            checksum: batch.checksum.to_string(),
            records: records.collect(),
        }
    }

    fn show(&self, out: &mut impl io::Write) -> io::Result<()> {
        writeln!(
            out,
            "segment {} offset {}: batch of {} records, {} bytes, epoch {}, durable {}, header {}",
            self.segment,
            self.offset,
            self.count,
            self.bytes,
            self.epoch,
            self.durable,
            self.checksum
        )?;
        for record in &self.records {
            let more = if record.bytes > SHOWN_BYTES { " ..." } else { "" };
            let (index, bytes, begin) = (record.index, record.bytes, &record.begins_with);
            writeln!(out, "  record {index}: {bytes} bytes  {begin}{more}")?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn dump(target: &Target) -> Result<ExitCode, Failure> {
    let mut out = io::BufWriter::new(StandardOutput::for_data().map_err(unwritten)?);
    let shown = try_inspect(&RealDisk::new(&target.directory), &mut |location, batch| {
        let batch = DumpedBatch::of(location, batch);
        let written = if target.json { json_line(&mut out, &batch) } else { batch.show(&mut out) };
        written.map_err(|it| Stop::Output(unwritten(it)))
    });
    let result = verdict_of(shown)?;
    out.flush().map_err(unwritten)?;
    Ok(report(&target.directory, &result, &[SALVAGE_INTO, SALVAGE]))
}

/// Writes a value as a line of JSON.
fn json_line(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// Prints the damage of a log whose records were shown, if there is any, with advice for damage.
fn report(
    directory: &Path,
    result: &Result<Inspection, OpenError>,
    for_damage: &[&str],
) -> ExitCode {
    match result {
        Ok(inspection) if inspection.tail.is_uncertain() => {
            warn(format_args!("steadfast: {}", clean_or_uncertain(inspection).message));
            ExitCode::from(BROKEN)
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            warn(format_args!("steadfast: {}", explain(directory, error)));
            help(error, for_damage);
            exit_code(error)
        }
    }
}

/// Prints the next steps after an error, if there are any.
fn help(error: &OpenError, for_damage: &[&str]) {
    let advice: &[&str] = match error {
        OpenError::Disk(it) if it.call == Call::List => &[NO_LOG],
        OpenError::NoLog { .. } | OpenError::ForeignFile { .. } | OpenError::NotALog { .. } => {
            &[NO_LOG]
        }
        OpenError::Damaged { .. } => for_damage,
        OpenError::InUse { .. } => &["try again when that process has closed the log"],
        _ => &[],
    };
    let has_checkpoint = damage_of(error)
        .is_none_or(|it| !matches!(it.case, Case::LostCheckpoint | Case::DamagedCheckpoint));
    for line in advice.iter().filter(|it| has_checkpoint || **it != SALVAGE_INTO) {
        warn(format_args!("  help: {line}"));
    }
}

/// The verdict of `verify`.
#[derive(Serialize)]
struct Verdict {
    /// `clean`, `damaged` or `unreadable`.
    verdict: &'static str,
    /// The damage, or how the log ends.
    case: Option<&'static str>,
    /// The same in a sentence.
    message: String,
    segment: Option<u64>,
    offset: Option<u64>,
    file: Option<String>,
    /// The first and the last record that are lost, as far as known.
    lost: Option<(u64, u64)>,
    log: Option<String>,
    batches: u64,
    records: u64,
    last: Option<u64>,
    checkpoint_through: Option<u64>,
}

fn verify(target: &Target) -> Result<ExitCode, Failure> {
    let (mut batches, mut records) = (0, 0);
    let result = inspect(&RealDisk::new(&target.directory), &mut |_, batch| {
        batches += 1;
        records += u64::from(batch.header.count);
    });
    let mut verdict = match &result {
        Ok(inspection) => clean_or_uncertain(inspection),
        Err(error) => failed(&target.directory, error),
    };
    (verdict.batches, verdict.records) = (batches, records);
    let code = match (&result, verdict.verdict) {
        (Ok(_), "clean") => ExitCode::SUCCESS,
        (Ok(_), _) => ExitCode::from(BROKEN),
        (Err(error), _) => exit_code(error),
    };
    match verdict.show(target.json) {
        // The reader is gone; the exit code still shows the verdict.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        result => result.map_err(unwritten)?,
    }
    if let (Err(error), false) = (&result, target.json) {
        help(error, &[SALVAGE_INTO, SALVAGE]);
    }
    Ok(code)
}

impl Verdict {
    fn show(&self, is_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if is_json {
            serde_json::to_writer_pretty(&mut out, self).map_err(io::Error::from)?;
            writeln!(out)
        } else if self.log.is_some() {
            let (batches, records) = (self.batches, self.records);
            writeln!(out, "{}: {batches} batches, {records} records", self.message)
        } else {
            warn(format_args!("steadfast: {}", self.message));
            Ok(())
        }
    }
}

fn clean_or_uncertain(inspection: &Inspection) -> Verdict {
    let tail = inspection.tail;
    let is_clean = !tail.is_uncertain();
    let what = if is_clean { "clean" } else { "the tail is uncertain" };
    let message = format!("{what}: {} ({})", tail.case.sentence(), tail.location);
    Verdict {
        verdict: if is_clean { "clean" } else { "damaged" },
        case: Some(tail.case.label()),
        message,
        segment: Some(tail.location.segment.0),
        offset: Some(tail.location.offset),
        file: None,
        lost: tail.cut.map(|(first, last)| (first.0, last.0)),
        log: Some(inspection.root.log.to_string()),
        batches: 0,
        records: 0,
        last: Some(inspection.last.0),
        checkpoint_through: Some(inspection.root.through.0),
    }
}

fn failed(directory: &Path, error: &OpenError) -> Verdict {
    let damage = damage_of(error);
    let (segment, offset, file) = match damage.map(|it| &it.part) {
        Some(DamagedPart::Segment(location)) => {
            (Some(location.segment.0), Some(location.offset), None)
        }
        Some(DamagedPart::File(name)) => (None, None, Some(name.clone())),
        None => (None, None, None),
    };
    Verdict {
        verdict: if damage.is_some() { "damaged" } else { "unreadable" },
        case: damage.map(|it| it.case.label()),
        message: explain(directory, error),
        segment,
        offset,
        file,
        lost: damage.and_then(|it| it.lost).map(|(first, last)| (first.0, last.0)),
        log: None,
        batches: 0,
        records: 0,
        last: None,
        checkpoint_through: None,
    }
}

fn damage_of(error: &OpenError) -> Option<&Damage> {
    match error {
        OpenError::Damaged { damage, .. } => Some(damage),
        _ => None,
    }
}

fn exit_code(error: &OpenError) -> ExitCode {
    ExitCode::from(if damage_of(error).is_some() { BROKEN } else { IO })
}

/// The error with its causes. A log names its files without their directory; here they have it.
fn explain(directory: &Path, error: &OpenError) -> String {
    let OpenError::Disk(failed) = error else {
        return error.to_string();
    };
    let is_directory = failed.name == directory.display().to_string();
    let file = if is_directory { directory.to_owned() } else { directory.join(&failed.name) };
    format!("cannot {} {}: {}", failed.call, file.display(), failed.source)
}
