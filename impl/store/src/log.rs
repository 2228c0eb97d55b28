//! The log of a store, with threads or without.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_wal::disk::Disk;
use steadfast_wal::{
    AppendError, CheckpointError, Log, LogFailure, LogIndex, OpenError, Opening, Recovered,
};

/// A log of `steadfast-wal`, as a store uses it. Clones are the same log: a checkpoint is written through
/// one of them on another thread.
pub trait RecordLog: Clone + Send + Sized + 'static {
    /// The disk with the log.
    type Disk: Disk;

    /// The log that an opening becomes.
    ///
    /// # Errors
    /// As `Opening::into_log`.
    fn start(opening: Opening<Self::Disk>) -> Result<(Self, Recovered), OpenError>;

    /// Accepts a record, which is not durable yet.
    ///
    /// # Errors
    /// As `Log::append`.
    fn append(&self, record: &[u8]) -> Result<LogIndex, AppendError>;

    /// The index of the last durable record.
    fn durable(&self) -> LogIndex;

    /// How many bytes the log needs for the records behind the last checkpoint.
    fn used_bytes(&self) -> u64;

    /// Writes a checkpoint that stands for the records up to `through`.
    ///
    /// # Errors
    /// As `Log::checkpoint`.
    fn checkpoint(&self, through: LogIndex, state: &[u8]) -> Result<(), CheckpointError>;
}

/// A log with threads of its own. A server waits for it with `Log::synced`.
pub type ThreadedLog<D> = Arc<Log<D>>;

impl<D: Disk> RecordLog for ThreadedLog<D> {
    type Disk = D;

    fn start(opening: Opening<D>) -> Result<(Self, Recovered), OpenError> {
        let (log, recovered) = opening.into_log()?;
        Ok((Arc::new(log), recovered))
    }

    fn append(&self, record: &[u8]) -> Result<LogIndex, AppendError> {
        Log::append(self, record)
    }

    fn durable(&self) -> LogIndex {
        Log::durable(self)
    }

    fn used_bytes(&self) -> u64 {
        Log::used_bytes(self)
    }

    fn checkpoint(&self, through: LogIndex, state: &[u8]) -> Result<(), CheckpointError> {
        Log::checkpoint(self, through, state)
    }
}

/// A log without threads, for a simulator.
pub struct SerialLog<D: Disk>(Arc<Mutex<steadfast_wal::SerialLog<D>>>);

impl<D: Disk> Clone for SerialLog<D> {
    fn clone(&self) -> Self {
        SerialLog(Arc::clone(&self.0))
    }
}

impl<D: Disk> fmt::Debug for SerialLog<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log().fmt(f)
    }
}

impl<D: Disk> SerialLog<D> {
    fn log(&self) -> MutexGuard<'_, steadfast_wal::SerialLog<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and syncs the accepted records, and returns the index of the last durable one.
    ///
    /// # Errors
    /// The disk fails. The log has failed then and must be opened again.
    pub fn sync(&self) -> Result<LogIndex, LogFailure> {
        self.log().sync()
    }
}

impl<D: Disk> RecordLog for SerialLog<D> {
    type Disk = D;

    fn start(opening: Opening<D>) -> Result<(Self, Recovered), OpenError> {
        let (log, recovered) = opening.into_serial_log()?;
        Ok((SerialLog(Arc::new(Mutex::new(log))), recovered))
    }

    fn append(&self, record: &[u8]) -> Result<LogIndex, AppendError> {
        self.log().append(record)
    }

    fn durable(&self) -> LogIndex {
        self.log().durable()
    }

    fn used_bytes(&self) -> u64 {
        self.log().used_bytes()
    }

    fn checkpoint(&self, through: LogIndex, state: &[u8]) -> Result<(), CheckpointError> {
        self.log().checkpoint(through, state)
    }
}
