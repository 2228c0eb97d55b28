//! The log with two threads of its own: one writes batches, one makes segments ready.

mod bells;
mod faults;
#[cfg(test)]
mod interleavings;
mod reader;
mod shared;
mod state;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::LogIndex;
use crate::disk::{Call, Disk, DiskError};
use crate::errors::{AppendError, CheckpointError, LogFailure};
use crate::parts::Parts;
use crate::recovery::OpenError;
use crate::threads::{SystemThreads, Threads};
pub use reader::{Reader, ReaderError};
use shared::Shared;

/// A log that many threads append to at once. [`Opening`](crate::Opening) makes one.
///
/// Records gather in a batch while the batch before is being synced, so one sync serves all threads
/// that wait. There is no timer. When the disk is idle, the gathering batch is written as soon as a
/// thread waits for it, or once it holds 512 KiB; records that no thread waits for are not written in
/// a hurry. A waiting thread that finds the disk idle writes the batch itself; one that finds it busy is
/// served by the writer, a thread that goes on from batch to batch.
///
/// Dropping the log writes the accepted records and closes it. [`Log::close`] does the same and
/// reports whether that succeeded.
pub struct Log<D: Disk, T: Threads = SystemThreads> {
    shared: Arc<Shared<D, T>>,
    threads: Vec<T::Thread>,
    /// Held for as long as the log is open.
    _lock: D::Lock,
}

impl<D: Disk, T: Threads> fmt::Debug for Log<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (last, failure) = {
            let state = self.shared.state();
            (state.commit.last(), state.commit.failure().cloned())
        };
        f.debug_struct("Log")
            .field("directory", &self.shared.disk.directory())
            .field("durable", &self.durable())
            .field("last", &last)
            .field("failure", &failure)
            .finish_non_exhaustive()
    }
}

impl<D: Disk, T: Threads> Log<D, T> {
    pub(crate) fn of(parts: Parts<D>, threads: &T) -> Result<Log<D, T>, OpenError> {
        let Parts { disk, lock, settings, store, opened } = parts;
        let shared = Arc::new(Shared::new(threads, disk, settings, store, opened));
        let mut log = Log { shared, threads: Vec::new(), _lock: lock };
        let shared = Arc::clone(&log.shared);
        log.spawn(threads, "wal-writer", move || shared.write_batches())?;
        let shared = Arc::clone(&log.shared);
        log.spawn(threads, "wal-segments", move || shared.make_segments())?;
        Ok(log)
    }

    fn spawn(
        &mut self,
        threads: &T,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), OpenError> {
        let thread = threads.spawn(name, body);
        // For a caller this is a shortage of the machine, as with a file that cannot be opened.
        self.threads.push(thread.map_err(DiskError::of(Call::Start, format!("thread {name}")))?);
        Ok(())
    }

    /// Accepts a record and returns its index. The record is written when a caller waits for it
    /// ([`Log::wait`], [`Log::synced`]) or for a later one, when 512 KiB have gathered, or when the
    /// log is closed. While memory is full or no segment is ready, this waits.
    ///
    /// # Errors
    /// The record is too long, the disk is full, or the log has failed.
    pub fn append(&self, record: &[u8]) -> Result<LogIndex, AppendError> {
        let (mut state, index) = self.shared.accept(record)?;
        self.shared.maybe_wake_writer(&mut state);
        Ok(index)
    }

    /// Waits until the record at this index and all before it are durable. The index may be that of a
    /// record which is not appended yet.
    ///
    /// # Errors
    /// The log has failed before they were durable.
    pub fn wait(&self, index: LogIndex) -> Result<(), LogFailure> {
        if index <= self.durable() {
            return Ok(());
        }
        self.shared.wait_for(self.shared.state(), index)
    }

    /// Accepts a record and waits until it is durable.
    ///
    /// # Errors
    /// The record was not accepted, or the log has failed before it was durable.
    pub fn write(&self, record: &[u8]) -> Result<LogIndex, AppendError> {
        let (state, index) = self.shared.accept(record)?;
        self.shared.wait_for(state, index)?;
        Ok(index)
    }

    /// A future that is ready when the record at this index and all before it are durable, or the log
    /// has failed. It begins to wait when it is first polled.
    pub fn synced(&self, index: LogIndex) -> Synced<'_, D, T> {
        Synced { log: self, index, number: None }
    }

    /// The index of the last durable record. All before it are durable, too.
    #[must_use]
    pub fn durable(&self) -> LogIndex {
        self.shared.synced.durable()
    }

    /// The index of the last record that was accepted.
    #[must_use]
    pub fn last(&self) -> LogIndex {
        self.shared.state().commit.last()
    }

    /// How many bytes the log needs on the disk for the records behind the last checkpoint, whole segments
    /// and padding included. A checkpoint shortens the log to the segment with the first record behind it.
    /// Besides there are the checkpoint itself, a reserve as long as the longest batch, up to
    /// [`segments_ahead`](crate::Settings::segments_ahead) segments that are ready and one more than that
    /// which wait to be used again.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.shared.state().commit.used_bytes()
    }

    /// Reads the durable records from this index on, in order, while the log goes on. The index may be
    /// that of a record which is not appended yet.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use steadfast_wal::{LogId, LogIndex, Opening, RealDisk, Settings};
    /// # let directory = tempfile::tempdir()?;
    /// # let disk = Arc::new(RealDisk::new(directory.path()));
    /// # let settings = Settings { segment_bytes: 64 << 10, batch_bytes: 4_096, ..Settings::default() };
    /// # let (log, _) = Opening::begin(disk, LogId(7), settings)?.into_log()?;
    /// for record in ["one", "two", "three"] {
    ///     log.write(record.as_bytes())?;
    /// }
    /// let mut found = Vec::new();
    /// let mut reader = log.read_from(LogIndex(2))?;
    /// while let Some(records) = reader.next_batch()? {
    ///     found.extend(records.map(|it| (it.index.0, it.payload.to_vec())));
    /// }
    /// assert_eq!(found, [(2, b"two".to_vec()), (3, b"three".to_vec())]);
    ///
    /// log.append(b"four")?;
    /// log.wait(reader.next_index())?; // A reader that has caught up waits like this.
    /// assert!(reader.next_batch()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// This works in the process that has the log open. Another process cannot read the log meanwhile:
    /// a checkpoint gives segments up, the log writes to them again, and the reader would take that for
    /// damage. [`inspect`](crate::inspect) refuses such a log with
    /// [`OpenError::InUse`](crate::OpenError::InUse).
    ///
    /// # Errors
    /// The record was given up for a checkpoint.
    pub fn read_from(&self, index: LogIndex) -> Result<Reader<'_, D, T>, ReaderError> {
        Reader::new(&self.shared, index)
    }

    /// Writes a checkpoint: `state` stands for every record up to `through`, and from then on the log
    /// begins behind that record. Appends go on meanwhile.
    ///
    /// # Errors
    /// Some of these records are not durable, an older checkpoint stands for later ones, or the disk
    /// fails.
    pub fn checkpoint(&self, through: LogIndex, state: &[u8]) -> Result<(), CheckpointError> {
        self.shared.checkpoint(through, state)
    }

    /// Writes the accepted records and then a batch without records, which proves that the batch
    /// before it was durable. Returns the index of the last durable record.
    ///
    /// # Errors
    /// The log has failed.
    pub fn close(mut self) -> Result<LogIndex, LogFailure> {
        self.stop();
        let state = self.shared.state();
        match state.commit.failure() {
            Some(failure) => Err(failure.clone()),
            None => Ok(state.commit.durable()),
        }
    }

    fn stop(&mut self) {
        self.shared.begin_closing();
        self.threads.drain(..).for_each(T::join);
    }
}

impl<D: Disk, T: Threads> Drop for Log<D, T> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A future of [`Log::synced`].
pub struct Synced<'a, D: Disk, T: Threads = SystemThreads> {
    log: &'a Log<D, T>,
    index: LogIndex,
    /// The number under which its waker is kept, once it waits.
    number: Option<u64>,
}

impl<D: Disk, T: Threads> fmt::Debug for Synced<'_, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Synced")
            .field("index", &self.index)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl<D: Disk, T: Threads> Future for Synced<'_, D, T> {
    type Output = Result<(), LogFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), LogFailure>> {
        let shared = &self.log.shared;
        let mut state = shared.state();
        if let Some(result) = state.outcome(self.index) {
            return Poll::Ready(result);
        }
        let number = self.number.unwrap_or_else(|| state.number_future());
        shared.wake_when(&mut state, self.index, number, context.waker());
        drop(state);
        self.number = Some(number);
        Poll::Pending
    }
}

impl<D: Disk, T: Threads> Drop for Synced<'_, D, T> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.log.shared.state().remove_waker(self.index, number);
        }
    }
}
