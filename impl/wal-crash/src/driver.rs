//! Runs a workload on a simulated disk, and notes the promises of each moment.

use steadfast_simulated_disk::{DiskModel, Fault, SimulatedDisk};
use steadfast_wal::{CheckpointError, LogId, LogIndex, Settings};

use crate::geometry::Geometry;
use crate::history::{History, Promise};
use crate::subject::{LogKind, Subject};
use crate::turns::unless_stuck;
use crate::workload::Operation;

/// The log that the enumeration writes.
pub(crate) const LOG: LogId = LogId(0x57ea_dfa5);
/// Another log.
pub(crate) const OTHER_LOG: LogId = LogId(0x0bad);
/// A segment is filled with no more records than this.
const FILL_RECORDS_MAX: usize = 100;
/// The disk is full when this many more segments are on it.
const SEGMENTS_FILLED: u64 = 4;
/// It is full before it has taken more records than these.
const FULL_RECORDS_MAX: usize = 1000;

/// A log at work.
pub(crate) struct Driver {
    kind: LogKind,
    id: LogId,
    pub(crate) disk: SimulatedDisk,
    log: Option<Subject>,
    pub(crate) history: History,
    pub(crate) promise: Promise,
    /// The first record of the last batch that was synced.
    pub(crate) last_batch: u64,
    /// The promises, each with the state on the tape from which on it holds.
    marks: Vec<(usize, Promise)>,
    geometry: Geometry,
    settings: Settings,
}

/// A moment at which the machine may crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) model: DiskModel,
    pub(crate) promise: Promise,
}

/// The log said that it cannot go on. No promise is broken by that.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stopped(pub(crate) String);

impl Driver {
    /// A log that does not exist yet.
    pub(crate) fn new(kind: LogKind, id: LogId, geometry: Geometry, settings: Settings) -> Driver {
        Driver {
            kind,
            id,
            disk: SimulatedDisk::new(DiskModel::default()),
            log: None,
            history: History::default(),
            promise: Promise::default(),
            last_batch: 1,
            marks: Vec::new(),
            geometry,
            settings,
        }
    }

    /// Creates the log.
    pub(crate) fn create(&mut self) -> Result<(), Stopped> {
        not_stuck(|| self.open())
    }

    /// Whether two logs made the same calls, left the same disks and are bound by the same promises.
    pub(crate) fn is_like(&self, other: &Driver) -> bool {
        (self.promise, self.last_batch, self.disk.calls())
            == (other.promise, other.last_batch, other.disk.calls())
            && self.history == other.history
            && self.disk.model() == other.disk.model()
    }

    /// Begins to keep the states of the disk.
    pub(crate) fn watch(&mut self) {
        self.marks.clear();
        self.disk.start_tape();
        self.mark();
    }

    /// The moments since [`Driver::watch`].
    pub(crate) fn moments(&mut self) -> Vec<Moment> {
        let tape = self.disk.take_tape();
        let mut moments = Vec::with_capacity(tape.len());
        let mut promise = self.promise;
        let mut marks = self.marks.iter().peekable();
        for (at, model) in tape.into_iter().enumerate() {
            while let Some(mark) = marks.next_if(|it| it.0 <= at) {
                promise = mark.1;
            }
            moments.push(Moment { model, promise });
        }
        moments
    }

    /// Lets a call fail: the first one from now on is call 0.
    pub(crate) fn fail_in(&self, calls: u64, fault: Fault) {
        self.disk.fail_at(self.disk.calls() + calls, fault);
    }

    /// The state on the tape as it is now keeps the promise as it is now.
    fn mark(&mut self) {
        self.marks.push((self.disk.tape_length().saturating_sub(1), self.promise));
    }

    /// Applies one operation.
    pub(crate) fn apply(&mut self, operation: Operation) -> Result<(), Stopped> {
        not_stuck(|| self.apply_now(operation))
    }

    fn apply_now(&mut self, operation: Operation) -> Result<(), Stopped> {
        let (short, long) = (self.geometry.short_bytes, self.geometry.long_bytes);
        match operation {
            Operation::Append => self.append(short),
            Operation::Write => self.append(short).and_then(|()| self.sync()),
            Operation::WriteLong => self.append(long).and_then(|()| self.sync()),
            Operation::WriteMany => {
                self.append(short)?;
                self.append(0)?;
                self.append(short)?;
                self.sync()
            }
            Operation::Fill => self.fill(),
            Operation::Checkpoint => self.checkpoint(),
            Operation::Reopen => self.close().and_then(|()| self.open()),
            Operation::Kill => {
                self.log = None;
                self.open()
            }
        }
    }

    fn log(&mut self) -> Result<&mut Subject, Stopped> {
        self.log.as_mut().ok_or_else(|| Stopped("the log is closed".to_owned()))
    }

    fn append(&mut self, bytes: usize) -> Result<(), Stopped> {
        let record = self.history.make(bytes);
        self.promise.accepted += 1;
        self.mark();
        let result = self.log()?.append(&record);
        self.note_durable()?;
        match result {
            Ok(_) => Ok(()),
            Err(error) => {
                self.promise.accepted -= 1;
                self.history.truncate(self.promise.accepted);
                self.mark();
                Err(Stopped(error.to_string()))
            }
        }
    }

    fn sync(&mut self) -> Result<(), Stopped> {
        let result = self.log()?.sync();
        self.note_durable()?;
        match result {
            Ok(durable) if durable.0 == self.promise.accepted => Ok(()),
            Ok(durable) => Err(Stopped(format!(
                "a sync said that all is well, {} of {} records are durable",
                durable, self.promise.accepted
            ))),
            Err(failure) => Err(Stopped(failure.to_string())),
        }
    }

    /// Notes the records that the log calls durable.
    fn note_durable(&mut self) -> Result<(), Stopped> {
        let durable = self.log()?.durable().0;
        if durable > self.promise.durable {
            self.last_batch = self.promise.durable + 1;
            self.promise.durable = durable;
        }
        self.mark();
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Stopped> {
        let segments = |driver: &Driver| {
            let model = driver.disk.model();
            model.files().filter(|it| it.0.starts_with("segment-")).last().map(|it| it.0.to_owned())
        };
        let before = segments(self);
        for _ in 0..FILL_RECORDS_MAX {
            self.append(self.geometry.long_bytes)?;
            self.sync()?;
            if segments(self) != before {
                break;
            }
        }
        Ok(())
    }

    /// Writes short records until the disk is full, and then nothing more fits on it.
    pub(crate) fn fill_disk(&mut self) -> Result<(), Stopped> {
        not_stuck(|| self.fill_disk_now())
    }

    fn fill_disk_now(&mut self) -> Result<(), Stopped> {
        let bytes = |disk: &SimulatedDisk| -> u64 {
            disk.model().files().map(|it| it.1.len() as u64).sum()
        };
        // Room for the reserve and for some segments, so that the last batch is a short one.
        let more_bytes = SEGMENTS_FILLED * self.geometry.segment_bytes;
        self.disk.limit(Some(bytes(&self.disk) + more_bytes));
        for _ in 0..FULL_RECORDS_MAX {
            if self.append(self.geometry.short_bytes).is_err() {
                self.disk.limit(Some(bytes(&self.disk)));
                return Ok(());
            }
            self.sync()?;
        }
        Err(Stopped("a full disk takes all records".to_owned()))
    }

    /// Asks for a checkpoint of all accepted records, which must be refused if some are not durable, and
    /// then for one of the durable records.
    fn checkpoint(&mut self) -> Result<(), Stopped> {
        if self.promise.accepted > self.promise.durable {
            self.checkpoint_through(self.promise.accepted)?;
        }
        self.note_durable()?;
        self.checkpoint_through(self.promise.durable)
    }

    fn checkpoint_through(&mut self, through: u64) -> Result<(), Stopped> {
        self.promise.through_most = through;
        self.mark();
        let result = self.log()?.checkpoint(LogIndex(through), &History::state(through));
        match result {
            Ok(()) => {
                self.promise.through_least = through;
                self.mark();
                Ok(())
            }
            Err(CheckpointError::OutOfRange { .. }) => {
                self.promise.through_most = self.promise.through_least;
                self.mark();
                Ok(())
            }
            Err(error) => Err(Stopped(error.to_string())),
        }
    }

    fn close(&mut self) -> Result<(), Stopped> {
        let Some(log) = self.log.take() else {
            return Ok(());
        };
        let durable = log.close().map_err(|it| Stopped(it.to_string()))?.0;
        if durable > self.promise.durable {
            self.promise.durable = durable;
        }
        // The closing batch proves all before it.
        self.last_batch = durable + 1;
        self.mark();
        Ok(())
    }

    /// Opens the log without a crash before it, so that nothing written is missing.
    fn open(&mut self) -> Result<(), Stopped> {
        let result = Subject::open(self.kind, &self.disk, self.id, self.settings);
        let (log, recovered) = result.map_err(|it| Stopped(it.to_string()))?;
        self.log = Some(log);
        let last = recovered.last.0;
        self.promise.durable = self.promise.durable.max(last);
        self.promise.accepted = last;
        self.promise.through_least = recovered.through.0;
        self.history.truncate(last);
        self.mark();
        Ok(())
    }
}

/// A client that waits forever has stopped, too.
fn not_stuck(part: impl FnOnce() -> Result<(), Stopped>) -> Result<(), Stopped> {
    let stuck = || Err(Stopped("the client waits forever: all threads are blocked".to_owned()));
    unless_stuck(part).unwrap_or_else(stuck)
}
