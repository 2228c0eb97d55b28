//! `steadfast wal cat`: the records of a log as bytes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum, value_parser};
use steadfast_output::exit_code::{BROKEN, IO};
use steadfast_output::{StandardOutput, warn};
use steadfast_wal::{Inspection, LogIndex, OpenError, RealDisk, Record, Salvage, inspect, salvage};

use super::{SALVAGE, explain, report};
use crate::failure::Failure;

/// The account of a salvage names this many gaps and runs.
const RUNS_SHOWN: usize = 20;

/// The records that are written, and their frames.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cat {
    /// The directory of the log.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The number of the first record, from 1 on.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    from: u64,
    /// The number of the last record; without it, all up to the end.
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// The bytes that separate records.
    #[arg(long, value_enum, default_value_t = Frame::None)]
    frame: Frame,
    /// Go on behind damage with every batch that is whole, and print which records are missing.
    ///
    /// The log once wrote such a batch, but nothing proves that it follows the records before it. Use `--frame numbered` to see the gaps in the output.
    #[arg(long)]
    salvage: bool,
}

/// The bytes that separate records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Frame {
    /// Nothing: the bytes of the records, one after the other.
    None,
    /// A newline after each record.
    Newline,
    /// Before each record its length in bytes, 4 bytes with the least first.
    Length,
    /// Before each record its number, 8 bytes, and its length, 4 bytes, each with the least first.
    Numbered,
}

/// Standard output for the records that were asked for.
struct Records<'a> {
    cat: &'a Cat,
    out: io::BufWriter<StandardOutput>,
    written: io::Result<()>,
    /// The first and the last record of the log.
    first: Option<u64>,
    last: u64,
}

impl Records<'_> {
    fn write(&mut self, record: &Record<'_>) {
        self.last = record.index.0;
        self.first = self.first.or(Some(self.last));
        if self.written.is_ok() && self.cat.is_wanted(self.last) {
            self.written = self.cat.frame.write(record, &mut self.out);
        }
    }

    fn finish(mut self) -> io::Result<(u64, u64)> {
        self.written?;
        self.out.flush()?;
        Ok((self.first.unwrap_or(1), self.last))
    }
}

impl Cat {
    pub(super) fn run(&self) -> io::Result<ExitCode> {
        if let Some(to) = self.to.filter(|it| *it < self.from) {
            let from = self.from;
            let message = format!("--from {from} comes behind --to {to}: there is no such record");
            return Ok(Failure::usage(message)
                .help("--to is the last record, itself included")
                .report());
        }
        if self.salvage {
            return self.run_salvage();
        }
        let mut records = self.records()?;
        let result = inspect(&RealDisk::new(&self.directory), &mut |_, batch| {
            batch.records().for_each(|it| records.write(&it));
        });
        let (first, last) = records.finish()?;
        if let Ok(inspection) = &result
            && let Some(absent) = self.absent(first, last)
        {
            let (last, through) = (inspection.last, inspection.root.through);
            let held = match through {
                LogIndex(0) => format!("the last is {last}"),
                _ => format!(
                    "the last is {last}, and the checkpoint stands for those up to {through}"
                ),
            };
            warn(format_args!("steadfast: there is no record {absent}: {held}"));
            if !inspection.tail.is_uncertain() {
                return Ok(ExitCode::from(IO));
            }
        }
        Ok(report(&self.directory, &result, Some(SALVAGE)))
    }

    /// Writes the records, and prints the verdict of `verify` and the account of the salvage.
    fn run_salvage(&self) -> io::Result<ExitCode> {
        let disk = RealDisk::new(&self.directory);
        let judged = inspect(&disk, &mut |_, _| {});
        if let Err(error) = &judged
            && !matches!(error, OpenError::Damaged { .. } | OpenError::NotALog { .. })
        {
            return Ok(report(&self.directory, &judged, None));
        }
        let mut records = self.records()?;
        let salvaged = salvage(&disk, &mut |it| records.write(&it));
        records.finish()?;
        let code = report(&self.directory, &judged, None);
        match salvaged {
            Ok(account) => {
                print_account(&account, &judged);
                Ok(code)
            }
            Err(error) => {
                warn(format_args!("steadfast: {}", explain(&self.directory, &error)));
                Ok(ExitCode::from(if judged.is_ok() { IO } else { BROKEN }))
            }
        }
    }

    fn records(&self) -> io::Result<Records<'_>> {
        let out = io::BufWriter::new(StandardOutput::for_data()?);
        Ok(Records { cat: self, out, written: Ok(()), first: None, last: 0 })
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

impl Frame {
    fn write(self, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
        if self == Frame::Numbered {
            out.write_all(&record.index.0.to_le_bytes())?;
        }
        if matches!(self, Frame::Length | Frame::Numbered) {
            // A batch, and so a record, is shorter than 64 MiB.
            let length = u32::try_from(record.payload.len()).unwrap_or(u32::MAX);
            out.write_all(&length.to_le_bytes())?;
        }
        out.write_all(record.payload)?;
        if self == Frame::Newline { out.write_all(b"\n") } else { Ok(()) }
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
