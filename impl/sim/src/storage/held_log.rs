//! The log of a store, whose disk works when the simulator says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_protocol::LogIndex;
use steadfast_simulated_disk::SimulatedDisk;
use steadfast_store::{RecordLog, SerialLog};
use steadfast_wal::{AppendError, CheckpointError, OpenError, Opening, Recovered};

/// A log that holds accepted records until [`HeldLog::write`], as a log with threads does until its
/// thread takes them. Clones are the same log.
#[derive(Clone)]
pub(crate) struct HeldLog(Arc<Mutex<Held>>);

struct Held {
    log: SerialLog<SimulatedDisk>,
    /// The bytes of the accepted records that the disk has not been given, oldest first.
    waiting: VecDeque<Vec<u8>>,
}

impl HeldLog {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and syncs the records up to one, at most so many as one batch.
    pub(super) fn write(&self, end: LogIndex, records_per_batch: usize) {
        let mut held = self.held();
        let left = end.0.saturating_sub(held.log.durable().0);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(held.waiting.len());
        let records: Vec<Vec<u8>> = held.waiting.drain(..count).collect();
        for batch in records.chunks(records_per_batch) {
            for record in batch {
                let appended = held.log.append(record);
                appended.unwrap_or_else(|error| panic!("log-accepts-records: {error}"));
            }
            let synced = held.log.sync();
            synced.unwrap_or_else(|error| panic!("log-syncs: {error}"));
        }
    }
}

impl RecordLog for HeldLog {
    type Disk = SimulatedDisk;

    fn start(opening: Opening<SimulatedDisk>) -> Result<(Self, Recovered), OpenError> {
        let (log, recovered) = SerialLog::start(opening)?;
        let held = Held { log, waiting: VecDeque::new() };
        Ok((HeldLog(Arc::new(Mutex::new(held))), recovered))
    }

    fn append(&self, record: &[u8]) -> Result<steadfast_wal::LogIndex, AppendError> {
        let mut held = self.held();
        held.waiting.push_back(record.to_vec());
        Ok(steadfast_wal::LogIndex(held.log.durable().0 + held.waiting.len() as u64))
    }

    fn durable(&self) -> steadfast_wal::LogIndex {
        self.held().log.durable()
    }

    fn used_bytes(&self) -> u64 {
        self.held().log.used_bytes()
    }

    fn checkpoint(
        &self,
        through: steadfast_wal::LogIndex,
        state: &[u8],
    ) -> Result<(), CheckpointError> {
        self.held().log.checkpoint(through, state)
    }
}
