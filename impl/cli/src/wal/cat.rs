//! `steadfast wal cat`: the records of a log as bytes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use steadfast_output::exit_code::{BROKEN, IO};
use steadfast_output::number::whole;
use steadfast_output::{StandardOutput, warn};
use steadfast_wal::{
    Inspection, LogIndex, OpenError, RealDisk, Record, Salvage, inspect, read_checkpoint,
    try_inspect, try_salvage,
};

use super::records::{Files, Form, Frame, Sink};
use super::{SALVAGE, SALVAGE_INTO, Stop, exit_code, explain, help, report, unwritten, verdict_of};
use crate::failure::Failure;

/// The account of a salvage names this many gaps and runs.
const RUNS_SHOWN: usize = 20;

/// The records that are written, and their form.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cat {
    /// The directory of the log.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The number of the first record, from 1 on.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = whole::<u64>(1..=u64::MAX))]
    from: u64,
    /// The number of the last record; without it, all up to the end.
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>(1..=u64::MAX))]
    to: Option<u64>,
    /// The bytes that separate records.
    #[arg(long, value_enum, default_value_t = Frame::None)]
    frame: Frame,
    /// Print JSON: for each record a line with its `index`, its length in `bytes`, and its bytes in `hex`.
    #[arg(long, conflicts_with = "frame")]
    json: bool,
    /// In JSON, the bytes of each record in `base64` instead of `hex`.
    #[arg(long, requires = "json")]
    base64: bool,
    /// Write each record to a file of its own in OUT, such as `record-00000000000000000007`.
    ///
    /// OUT must be empty or not exist yet. Only you may read the files.
    #[arg(long, value_name = "OUT", conflicts_with_all = ["frame", "json"])]
    files: Option<PathBuf>,
    /// Write the state of the checkpoint, which stands for the records before it, and no records.
    #[arg(long, conflicts_with_all = ["from", "to", "frame", "json", "files", "salvage"])]
    state: bool,
    /// Go on behind damage with every batch that is whole, and print which records are missing.
    ///
    /// The log once wrote such a batch, but nothing proves that it follows the records before it. Use `--frame numbered` or `--json` to see the gaps in the output.
    #[arg(long)]
    salvage: bool,
}

/// The records that were asked for, on their way to the output.
struct Records<'a> {
    cat: &'a Cat,
    sink: Sink,
    /// The first and the last record of the log.
    first: Option<u64>,
    last: u64,
}

impl Records<'_> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Stop> {
        self.last = record.index.0;
        self.first = self.first.or(Some(self.last));
        if self.cat.is_wanted(self.last) {
            self.sink.write(record).map_err(Stop::Output)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(u64, u64), Failure> {
        self.sink.finish()?;
        Ok((self.first.unwrap_or(1), self.last))
    }
}

impl Cat {
    pub(super) fn run(&self) -> Result<ExitCode, Failure> {
        if let Some(to) = self.to.filter(|it| *it < self.from) {
            let from = self.from;
            let message = format!("--from {from} comes behind --to {to}: there is no such record");
            return Err(Failure::usage(message).help("--to is the last record, itself included"));
        }
        match (self.state, self.salvage) {
            (true, _) => self.run_state(),
            (_, true) => self.run_salvage(),
            _ => self.run_records(),
        }
    }

    fn run_records(&self) -> Result<ExitCode, Failure> {
        let mut records = self.records()?;
        let result = verdict_of(try_inspect(&RealDisk::new(&self.directory), &mut |_, batch| {
            batch.records().try_for_each(|it| records.write(&it))
        }))?;
        if let Err(error) = &result
            && !matches!(error, OpenError::Damaged { .. })
        {
            return Ok(report(&self.directory, &result, &[]));
        }
        let (first, last) = records.finish()?;
        if let Ok(inspection) = &result
            && let Some(absent) = self.absent(first, last)
        {
            let (last, through) = (inspection.last, inspection.root.through);
            let held = match through {
                LogIndex(0) => format!("the last is {last}"),
                _ => format!(
                    "the last is {last}, and the checkpoint stands for those up to {through}; \
                     --state writes its state"
                ),
            };
            warn(format_args!("steadfast: there is no record {absent}: {held}"));
            if !inspection.tail.is_uncertain() {
                return Ok(ExitCode::from(IO));
            }
        }
        Ok(report(&self.directory, &result, &[SALVAGE_INTO, SALVAGE]))
    }

    fn run_state(&self) -> Result<ExitCode, Failure> {
        let mut out = StandardOutput::for_data().map_err(unwritten)?;
        match read_checkpoint(&RealDisk::new(&self.directory)) {
            Ok((_, state)) => {
                out.write_all(&state).and_then(|()| out.flush()).map_err(unwritten)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                warn(format_args!("steadfast: {}", explain(&self.directory, &error)));
                help(&error, &[SALVAGE]);
                Ok(exit_code(&error))
            }
        }
    }

    /// Writes the records, and prints the verdict of `verify` and the account of the salvage.
    fn run_salvage(&self) -> Result<ExitCode, Failure> {
        let disk = RealDisk::new(&self.directory);
        let judged = inspect(&disk, &mut |_, _| {});
        if let Err(error) = &judged
            && !matches!(error, OpenError::Damaged { .. } | OpenError::NotALog { .. })
        {
            return Ok(report(&self.directory, &judged, &[]));
        }
        let mut records = self.records()?;
        let salvaged = verdict_of(try_salvage(&disk, &mut |it| records.write(&it)))?;
        if let Err(error) = &salvaged {
            warn(format_args!("steadfast: {}", explain(&self.directory, error)));
            return Ok(ExitCode::from(if judged.is_ok() { IO } else { BROKEN }));
        }
        records.finish()?;
        let code = report(&self.directory, &judged, &[]);
        if let Ok(account) = salvaged {
            print_account(&account, &judged);
        }
        Ok(code)
    }

    fn records(&self) -> Result<Records<'_>, Failure> {
        let form = match self.json {
            true => Form::Json { is_base64: self.base64 },
            false => Form::Bytes(self.frame),
        };
        let sink = match &self.files {
            Some(directory) => Sink::Files(Files::begin(directory)?),
            None => Sink::standard(form)?,
        };
        Ok(Records { cat: self, sink, first: None, last: 0 })
    }

    fn is_wanted(&self, index: u64) -> bool {
        index >= self.from && self.to.is_none_or(|it| index <= it)
    }

    /// A record that was asked for by its number and is not there, given the first and the last that
    /// are.
    fn absent(&self, first: u64, last: u64) -> Option<u64> {
        let is_named = self.from > 1 && !(first..=last).contains(&self.from);
        let to = self.to.filter(|it| *it > last);
        if is_named { Some(self.from) } else { to }
    }
}

/// Prints which records a salvage found and which are missing, also those that were not asked for.
fn print_account(account: &Salvage, judged: &Result<Inspection, OpenError>) {
    let count: u64 = account.runs.iter().map(|it| it.last.0 - it.first.0 + 1).sum();
    let log =
        account.log.map_or_else(|| "of an unknown log".to_owned(), |it| format!("of log {it}"));
    warn(format_args!("steadfast: salvage found {count} records {log}"));
    match account.through {
        Some(LogIndex(0)) => {}
        Some(through) => warn(format_args!("  the checkpoint stands for records up to {through}")),
        None => warn("  the checkpoint is lost, and with it the records that only it stood for"),
    }
    let runs = account.runs.iter().map(|it| (it.first, it.last, Some(it.location)));
    let gaps = account.missing().into_iter().map(|(first, last)| (first, last, None));
    let mut lines: Vec<_> = runs.chain(gaps).collect();
    lines.sort_by_key(|it| it.0);
    for (first, last, location) in lines.iter().take(RUNS_SHOWN) {
        let range = if first == last {
            format!("record {first}")
        } else {
            format!("records {first} to {last}")
        };
        match location {
            Some(location) => warn(format_args!("  {range}: found ({location})")),
            None => warn(format_args!("  {range}: MISSING")),
        }
    }
    if lines.len() > RUNS_SHOWN {
        warn(format_args!("  and {} more", lines.len() - RUNS_SHOWN));
    }
    if judged.is_ok() {
        warn("  the log opens as it is");
    }
}
