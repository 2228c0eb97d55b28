//! Recovers a log and compares its records with the promises.

use std::sync::Arc;

use steadfast_simulated_disk::SimulatedDisk;
use steadfast_wal::{OpenError, Opening, SerialLog, Settings};

use crate::driver::LOG;
use crate::history::{History, Promise};

/// The result of a recovery in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) last: u64,
    pub(crate) through: u64,
    pub(crate) is_uncertain: bool,
}

/// The end of a recovery.
pub(crate) enum Outcome {
    /// The log is open.
    Opened(Box<Opened>),
    /// It was refused, for this reason.
    Refused(String),
}

/// A log that is open.
pub(crate) struct Opened {
    pub(crate) log: SerialLog<SimulatedDisk>,
    pub(crate) found: Found,
    pub(crate) shown: Shown,
}

/// The batches that an opening showed: for each the number of calls that had changed the disk by then,
/// and its last record.
#[derive(Debug, Default)]
pub(crate) struct Shown(Vec<(usize, u64)>);

impl Shown {
    /// The last record that had been shown when this many calls had changed the disk. A crash then must
    /// not lose it.
    pub(crate) fn after(&self, changes: usize) -> u64 {
        self.0.iter().rev().find(|it| it.0 <= changes).map_or(0, |it| it.1)
    }

    /// Whether the disk was left as it was until all batches but the last were shown.
    fn came_before_changes(&self, changes_at_begin: usize) -> bool {
        let before_last = self.0.split_last().map_or(&[][..], |it| it.1);
        before_last.iter().all(|it| it.0 == changes_at_begin)
    }
}

/// Opens the log on a disk, reads all of it and compares each record and the state.
pub(crate) fn recover(
    disk: &SimulatedDisk,
    settings: Settings,
    history: &History,
) -> Result<Outcome, String> {
    let mut opening = match Opening::begin(Arc::new(disk.clone()), LOG, settings) {
        Ok(opening) => opening,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let through = opening.through().0;
    if opening.state != History::state(through) {
        return Err(format!("the state through record {through} is wrong"));
    }
    let changes = disk.changes();
    let shown = match read(&mut opening, disk, history)? {
        Ok(shown) => shown,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    if !shown.came_before_changes(changes) {
        return Err("the disk was changed before all of it was read".to_owned());
    }
    let (log, recovered) = match opening.into_serial_log() {
        Ok(opened) => opened,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let last = recovered.last.0;
    if through > last {
        return Err(format!("the checkpoint is through {through}, and the last record is {last}"));
    }
    let next = shown.0.last().map_or(through, |it| it.1);
    if next != last {
        return Err(format!("records end at {next}, {last} were announced"));
    }
    let found = Found { last, through, is_uncertain: recovered.tail.is_uncertain() };
    Ok(Outcome::Opened(Box::new(Opened { log, found, shown })))
}

/// Reads all records and compares them. The inner error is a refusal of the log.
fn read(
    opening: &mut Opening<SimulatedDisk>,
    disk: &SimulatedDisk,
    history: &History,
) -> Result<Result<Shown, OpenError>, String> {
    let mut shown = Shown::default();
    let mut last = opening.through().0;
    loop {
        let records = match opening.next_batch() {
            Ok(Some(records)) => records,
            Ok(None) => return Ok(Ok(shown)),
            Err(error) => return Ok(Err(error)),
        };
        for record in records {
            last += 1;
            if record.index.0 != last || history.record(last) != Some(record.payload) {
                let index = record.index;
                return Err(format!("record {index} came where {last} was due, or is wrong"));
            }
        }
        shown.0.push((disk.changes(), last));
    }
}

/// Judges a disk that was just made as a crash left it, and returns the recovered log.
pub(crate) fn judge_crash(
    disk: &SimulatedDisk,
    settings: Settings,
    history: &History,
    promise: Promise,
) -> Result<Box<Opened>, String> {
    let opened = match recover(disk, settings, history)? {
        Outcome::Opened(opened) => opened,
        Outcome::Refused(why) => return Err(format!("refused after a crash: {why}")),
    };
    keeps(promise, opened.found)?;
    Ok(opened)
}

/// Whether a recovered log keeps its promises.
pub(crate) fn keeps(promise: Promise, found: Found) -> Result<(), String> {
    if found.last < promise.durable {
        return Err(format!(
            "records up to {} were durable, records up to {} are there",
            promise.durable, found.last
        ));
    }
    if found.last > promise.accepted.max(promise.durable) {
        return Err(format!(
            "{} records are there, {} were accepted",
            found.last, promise.accepted
        ));
    }
    if found.through < promise.through_least || found.through > promise.through_most {
        return Err(format!(
            "the checkpoint is through {}, it was to be {} to {}",
            found.through, promise.through_least, promise.through_most
        ));
    }
    Ok(())
}
