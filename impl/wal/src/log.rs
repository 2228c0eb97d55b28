//! The log with its two threads: one writes batches, one makes segments ready.

mod bells;
mod faults;
#[cfg(test)]
mod interleavings;
mod shared;
mod sync;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Sequence;
use crate::disk::{Call, Disk, DiskError};
use crate::group_commit::{AppendError, Failure};
use crate::opening::Parts;
use crate::recovery::{CheckpointError, OpenError};
use shared::Shared;
use sync::thread::{self, JoinHandle};

/// A log that many threads append to at once. [`Opening`](crate::Opening) makes one.
///
/// A batch is what has come while the one before was being synced, so that one sync serves all who
/// wait. When the disk is free, it begins as soon as somebody waits for it, and at once when it is
/// much: there is no timer, and nothing is written in a hurry that nobody waits for. Who waits and
/// finds the disk free does the writing; who finds it busy is served by the writer, a thread that
/// goes on from batch to batch.
///
/// Dropping the log writes what it has accepted and closes it; [`Log::close`] does the same and
/// says whether it worked.
pub struct Log<D: Disk> {
    shared: Arc<Shared<D>>,
    threads: Vec<JoinHandle<()>>,
    /// Held for as long as the log is open.
    _lock: D::Lock,
}

impl<D: Disk> fmt::Debug for Log<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (last, failure) = {
            let state = self.shared.state();
            (state.commit.last(), state.commit.failure().cloned())
        };
        f.debug_struct("Log")
            .field("place", &self.shared.place())
            .field("durable", &self.durable())
            .field("last", &last)
            .field("failure", &failure)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Log<D> {
    pub(crate) fn of(parts: Parts<D>) -> Result<Log<D>, OpenError> {
        let Parts { disk, lock, settings, store, opened } = parts;
        let shared = Arc::new(Shared::new(disk, settings, store, opened));
        let mut log = Log { shared, threads: Vec::new(), _lock: lock };
        let shared = Arc::clone(&log.shared);
        log.spawn("wal-writer", move || shared.write_batches())?;
        let shared = Arc::clone(&log.shared);
        log.spawn("wal-segments", move || shared.make_segments())?;
        Ok(log)
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
        // To a caller it is the machine that is out of something, as with a file.
        self.threads.push(thread.map_err(DiskError::of(Call::Start, format!("thread {name}")))?);
        Ok(())
    }

    /// Accepts a record, and says its number. It is written when somebody waits for it
    /// ([`Log::wait`], [`Log::synced`]) or for one after it, when much has gathered, or when the log
    /// is closed. While the log is busy, this waits.
    ///
    /// # Errors
    /// When it is not accepted, because it is too long, the disk is full, or the log has failed.
    pub fn append(&self, record: &[u8]) -> Result<Sequence, AppendError> {
        let (mut state, sequence) = self.shared.accept(record)?;
        self.shared.maybe_wake_writer(&mut state);
        Ok(sequence)
    }

    /// Waits until every record up to this number is durable.
    ///
    /// # Errors
    /// When the log has failed before they were.
    pub fn wait(&self, sequence: Sequence) -> Result<(), Failure> {
        if sequence <= self.durable() {
            return Ok(());
        }
        self.shared.wait_for(self.shared.state(), sequence)
    }

    /// Accepts a record and waits until it is durable.
    ///
    /// # Errors
    /// When it is not accepted, or the log has failed before it was durable.
    pub fn write(&self, record: &[u8]) -> Result<Sequence, AppendError> {
        let (state, sequence) = self.shared.accept(record)?;
        self.shared.wait_for(state, sequence)?;
        Ok(sequence)
    }

    /// A future that is ready when every record up to this number is durable, or the log has
    /// failed. It waits from when it is first polled.
    pub fn synced(&self, sequence: Sequence) -> Synced<'_, D> {
        Synced { log: self, sequence, number: None }
    }

    /// Every record up to this number is durable.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.shared.synced.durable()
    }

    /// The number of the last record that was accepted.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.shared.state().commit.last()
    }

    /// Writes a checkpoint: a state that stands for every record up to a number. The log begins
    /// behind it from then on. Appends go on meanwhile.
    ///
    /// # Errors
    /// When these records are not durable or an older checkpoint stands for them already, or when
    /// the disk fails.
    pub fn checkpoint(&self, through: Sequence, state: &[u8]) -> Result<(), CheckpointError> {
        self.shared.checkpoint(through, state)
    }

    /// Writes what was accepted, and then a batch without records, which proves the last one. Says
    /// what is durable.
    ///
    /// # Errors
    /// When the log has failed.
    pub fn close(mut self) -> Result<Sequence, Failure> {
        self.stop();
        let state = self.shared.state();
        match state.commit.failure() {
            Some(failure) => Err(failure.clone()),
            None => Ok(state.commit.durable()),
        }
    }

    fn stop(&mut self) {
        self.shared.begin_closing();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; nothing of it is left to wait for.
            let _ = thread.join();
        }
    }
}

impl<D: Disk> Drop for Log<D> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ready when records are durable.
pub struct Synced<'a, D: Disk> {
    log: &'a Log<D>,
    sequence: Sequence,
    /// Its number among those that wait, once it does.
    number: Option<u64>,
}

impl<D: Disk> Future for Synced<'_, D> {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let shared = &self.log.shared;
        let mut state = shared.state();
        if let Some(result) = state.outcome(self.sequence) {
            return Poll::Ready(result);
        }
        let number = self.number.unwrap_or_else(|| state.number_future());
        shared.wake_when(&mut state, self.sequence, number, context.waker());
        drop(state);
        self.number = Some(number);
        Poll::Pending
    }
}

impl<D: Disk> Drop for Synced<'_, D> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.log.shared.state().forget_waker(self.sequence, number);
        }
    }
}
