//! Recovers a disk and compares what comes out with what must.

use std::sync::Arc;

use steadfast_wal::disk::simulated::{DiskModel, SimulatedDisk};
use steadfast_wal::{ReadError, Recovered, SerialLog, Settings};

use crate::driver::LOG;
use crate::history::{History, Promise};

/// What recovery found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) last: u64,
    pub(crate) through: u64,
    pub(crate) is_uncertain: bool,
}

/// What a recovery ended with.
pub(crate) enum Outcome {
    /// The log is open.
    Opened(Box<SerialLog<SimulatedDisk>>, Found),
    /// It was refused, for this reason.
    Refused(String),
}

/// Opens the log on a disk, reads all of it and compares each record and the state.
pub(crate) fn recover(
    disk: &SimulatedDisk,
    settings: Settings,
    history: &History,
) -> Result<Outcome, String> {
    let (log, mut recovered) = match SerialLog::open(Arc::new(disk.clone()), LOG, settings) {
        Ok(opened) => opened,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let found = Found {
        last: recovered.last.0,
        through: recovered.through.0,
        is_uncertain: recovered.tail.is_uncertain(),
    };
    if found.through > found.last {
        return Err(format!(
            "the checkpoint is through {}, and the last record is {}",
            found.through, found.last
        ));
    }
    if recovered.state != History::state(found.through) {
        return Err(format!("the state through record {} is wrong", found.through));
    }
    match compare(&mut recovered, found, history)? {
        Some(refusal) => Ok(Outcome::Refused(refusal)),
        None => Ok(Outcome::Opened(Box::new(log), found)),
    }
}

/// Compares the records; says why, if the log refused to show them.
fn compare(
    recovered: &mut Recovered<SimulatedDisk>,
    found: Found,
    history: &History,
) -> Result<Option<String>, String> {
    let mut next = found.through + 1;
    let mut wrong = None;
    let result = recovered.replay.for_each(|record| {
        let is_right = record.sequence.0 == next && history.record(next) == Some(record.payload);
        if !is_right && wrong.is_none() {
            wrong =
                Some(format!("record {} came where {next} was due, or is wrong", record.sequence));
        }
        next += 1;
    });
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    match result {
        Ok(()) if next == found.last + 1 => Ok(None),
        Ok(()) => Err(format!("records end at {}, {} were announced", next - 1, found.last)),
        Err(error @ (ReadError::Damaged(_) | ReadError::Disk(_))) => Ok(Some(error.to_string())),
    }
}

/// Judges a disk as a crash left it. Returns what was recovered.
pub(crate) fn judge_crash(
    image: &DiskModel,
    settings: Settings,
    history: &History,
    promise: Promise,
) -> Result<(SimulatedDisk, Box<SerialLog<SimulatedDisk>>, Found), String> {
    let disk = SimulatedDisk::new(image.clone());
    disk.start_tape();
    let (log, found) = match recover(&disk, settings, history)? {
        Outcome::Opened(log, found) => (log, found),
        Outcome::Refused(why) => return Err(format!("refused after a crash: {why}")),
    };
    keeps(promise, found)?;
    Ok((disk, log, found))
}

/// Whether what was recovered is what was promised.
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
