//! The log with its two threads: one writes batches, one makes segments ready.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use crate::bells::Bells;
use crate::disk::{Call, Disk, DiskError};
use crate::group_commit::{AppendError, BatchWrite, Failure, GroupCommit};
use crate::recovered::Recovered;
use crate::recovery::{CheckpointError, OpenError, open};
use crate::serial::{on_checkpoint, root};
use crate::settings::Settings;
use crate::store::{BatchWriter, Store};
use crate::{LogId, Sequence};

/// A log that many threads append to at once.
///
/// What comes while a batch is being synced becomes the next batch, so that one sync serves all
/// who wait. Dropping the log writes what it has accepted and closes it; [`Log::close`] does the
/// same and says whether it worked.
pub struct Log<D: Disk> {
    shared: Arc<Shared<D>>,
    settings: Settings,
    threads: Vec<JoinHandle<()>>,
    /// Held for as long as the log is open.
    _lock: D::Lock,
}

struct Shared<D: Disk> {
    /// Taken before `state` by whoever takes both.
    store: Mutex<Store<D>>,
    state: Mutex<State>,
    /// Rung for the writer: records have come, or the log is closing.
    work: Condvar,
    /// Rung for the maker of segments.
    chores: Condvar,
    /// Rung for appends that found the log busy.
    room: Condvar,
    /// Rung for those who wait for a batch.
    synced: Bells,
    /// The number of the last record that was accepted, to be looked at without a lock.
    accepted: AtomicU64,
    /// How many bytes have gathered for the next batch, likewise.
    gathered_bytes: AtomicU64,
    /// Held by whoever has a batch to write, which is one at a time.
    writer: Mutex<BatchWriter<D>>,
}

/// The writer looks so often in vain for records before it goes on without them.
const IDLE_TURNS_MAX: u32 = 300;
/// A batch of so many bytes is written at once: what it would gain by waiting is little beside
/// what writing it takes.
const GATHERED_BYTES_MAX: u64 = 512 << 10;

struct State {
    commit: GroupCommit,
    /// The last record of the batches that were handed to the writer.
    handed_out: Sequence,
    /// Which bell is that of the batch that gathers.
    bell: usize,
    writer_sleeps: bool,
    busy_appends: usize,
    wakers: Vec<(Sequence, Waker)>,
    is_closing: bool,
    /// Whether the batch that proves the last one was handed out.
    has_closed: bool,
}

impl<D: Disk> Log<D> {
    /// Opens the log in a directory, or creates it if there is none.
    ///
    /// # Errors
    /// When it cannot be opened; see [`OpenError`].
    pub fn open(
        disk: Arc<D>,
        log: LogId,
        settings: Settings,
    ) -> Result<(Log<D>, Recovered<D>), OpenError> {
        let mut opening = open(&disk, log, settings)?;
        let recovered = Recovered::of(&mut opening);
        let settings = opening.settings;
        let state = State {
            handed_out: recovered.last,
            commit: GroupCommit::new(settings, opening.opened),
            bell: 0,
            writer_sleeps: false,
            busy_appends: 0,
            wakers: Vec::new(),
            is_closing: false,
            has_closed: false,
        };
        let shared = Arc::new(Shared {
            store: Mutex::new(opening.store),
            state: Mutex::new(state),
            work: Condvar::new(),
            chores: Condvar::new(),
            room: Condvar::new(),
            synced: Bells::new(recovered.last),
            accepted: AtomicU64::new(recovered.last.0),
            gathered_bytes: AtomicU64::new(0),
            writer: Mutex::new(BatchWriter::new(disk, settings.decisions)),
        });
        let mut log = Log { shared, settings, threads: Vec::new(), _lock: opening.lock };
        let shared = Arc::clone(&log.shared);
        log.spawn("wal-writer", move || shared.write_batches())?;
        let shared = Arc::clone(&log.shared);
        log.spawn("wal-segments", move || shared.make_segments())?;
        Ok((log, recovered))
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
        // To a caller it is the machine that is out of something, as with a file.
        self.threads.push(thread.map_err(DiskError::of(Call::Open, format!("thread {name}")))?);
        Ok(())
    }

    /// Accepts a record, and says its number. It is durable once [`Log::wait`] or [`Log::synced`]
    /// says so. While the log is busy, this waits.
    ///
    /// # Errors
    /// When it is not accepted, because it is too long, the disk is full, or the log has failed.
    pub fn append(&self, record: &[u8]) -> Result<Sequence, AppendError> {
        let (mut state, sequence) = self.accept(record)?;
        self.shared.wake_writer(&mut state);
        Ok(sequence)
    }

    /// Accepts a record as soon as there is room for it.
    fn accept(&self, record: &[u8]) -> Result<(MutexGuard<'_, State>, Sequence), AppendError> {
        let shared = &*self.shared;
        let mut state = shared.state();
        loop {
            match state.commit.append(record) {
                Ok(sequence) => {
                    shared.accepted.store(sequence.0, Ordering::Relaxed);
                    shared.gathered_bytes.store(state.commit.gathered_bytes(), Ordering::Relaxed);
                    return Ok((state, sequence));
                }
                Err(AppendError::Busy) => {}
                Err(error) => {
                    shared.chores.notify_one();
                    return Err(error);
                }
            }
            shared.chores.notify_one();
            shared.wake_writer(&mut state);
            state.busy_appends += 1;
            state = wait(&shared.room, state);
            state.busy_appends -= 1;
        }
    }

    /// Waits until every record up to this number is durable.
    ///
    /// # Errors
    /// When the log has failed before they were.
    pub fn wait(&self, sequence: Sequence) -> Result<(), Failure> {
        if sequence <= self.shared.synced.durable() {
            return Ok(());
        }
        let bell = self.shared.state().bell_of(sequence);
        self.wait_for(bell, sequence)
    }

    fn wait_for(&self, mut bell: usize, sequence: Sequence) -> Result<(), Failure> {
        loop {
            self.shared.synced.wait(bell, sequence);
            if sequence <= self.shared.synced.durable() {
                return Ok(());
            }
            let state = self.shared.state();
            if let Some(result) = state.outcome(sequence) {
                return result;
            }
            bell = state.bell_of(sequence);
        }
    }

    /// Accepts a record and waits until it is durable.
    ///
    /// # Errors
    /// When it is not accepted, or the log has failed before it was durable.
    pub fn write(&self, record: &[u8]) -> Result<Sequence, AppendError> {
        let (mut state, sequence) = self.accept(record)?;
        let bell = state.bell;
        // While the writer sleeps, who has to wait anyway does its work.
        let write = if state.writer_sleeps { self.shared.hand_out(&mut state) } else { None };
        drop(state);
        if let Some(write) = write {
            self.shared.perform(write);
        }
        self.wait_for(bell, sequence)?;
        Ok(sequence)
    }

    /// A future that is ready when every record up to this number is durable, or the log has
    /// failed.
    pub fn synced(&self, sequence: Sequence) -> Synced<'_, D> {
        Synced { log: self, sequence }
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
        let mut store = lock(&self.shared.store);
        let root = root(&self.shared.state().commit, &self.settings, store.through, through)?;
        let result = store
            .write_checkpoint(&root, state)
            .and_then(|()| store.retire_before(root.start.segment));
        let mut state = self.shared.state();
        let result = on_checkpoint(&mut state.commit, &root, result);
        self.shared.chores.notify_one();
        if state.commit.failure().is_some() {
            self.shared.ring_all(&mut state);
        }
        result
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
        self.shared.state().is_closing = true;
        self.shared.work.notify_one();
        self.shared.chores.notify_one();
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
}

impl<D: Disk> Future for Synced<'_, D> {
    type Output = Result<(), Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut state = self.log.shared.state();
        match state.outcome(self.sequence) {
            Some(result) => Poll::Ready(result),
            None => {
                state.wakers.push((self.sequence, context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl State {
    /// What has become of the records up to this number; `None` as long as that is open.
    fn outcome(&self, sequence: Sequence) -> Option<Result<(), Failure>> {
        if sequence <= self.commit.durable() {
            return Some(Ok(()));
        }
        self.commit.failure().map(|it| Err(it.clone()))
    }

    fn bell_of(&self, sequence: Sequence) -> usize {
        if sequence > self.handed_out { self.bell } else { 1 - self.bell }
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        let durable = self.commit.durable();
        let has_failed = self.commit.failure().is_some();
        let due = self.wakers.extract_if(.., |it| has_failed || it.0 <= durable);
        due.map(|it| it.1).collect()
    }
}

impl<D: Disk> Shared<D> {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Wakes whoever waits for anything, as after a failure.
    fn ring_all(&self, state: &mut State) {
        self.synced.ring_all();
        self.room.notify_all();
        self.work.notify_one();
        self.chores.notify_one();
        state.take_wakers().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&self, state: &mut State) {
        if std::mem::take(&mut state.writer_sleeps) {
            self.work.notify_one();
        }
    }

    /// What the writer does.
    fn write_batches(&self) {
        let mut released = 0;
        loop {
            self.gather(released);
            let Some(write) = self.next_batch() else {
                return;
            };
            released = write.count();
            self.perform(write);
        }
    }

    /// Writes and syncs a batch, and tells those who wait for it.
    fn perform(&self, write: BatchWrite) {
        let mut writer = lock(&self.writer);
        let result = writer.write(&write).and_then(|()| {
            self.state().commit.on_written(&write);
            writer.sync()
        });
        drop(writer);
        self.on_batch(write, result);
    }

    /// Gives those who were just told that their records are durable the chance to come back, so
    /// that they are in the next batch and not in the one after it. Ends when as many records have
    /// come as were released, when there is much to write, or when no record comes any more.
    fn gather(&self, released: u64) {
        let (mut before, mut idle) = (self.accepted.load(Ordering::Relaxed), 0);
        let expected = before + released;
        while idle < IDLE_TURNS_MAX && before < expected {
            if self.gathered_bytes.load(Ordering::Relaxed) >= GATHERED_BYTES_MAX {
                return;
            }
            thread::yield_now();
            let now = self.accepted.load(Ordering::Relaxed);
            idle = if now == before { idle + 1 } else { 0 };
            before = now;
        }
    }

    /// Waits for the next batch; `None` when the log is closed or has failed.
    fn next_batch(&self) -> Option<BatchWrite> {
        let mut state = self.state();
        loop {
            if let Some(write) = self.hand_out(&mut state) {
                return Some(write);
            }
            if state.commit.failure().is_some() {
                return None;
            }
            // Another thread may still have a batch on its way; it wakes the writer when it is
            // done.
            if state.is_closing && !state.commit.is_writing() {
                return self.last_batch(&mut state);
            }
            state.writer_sleeps = true;
            state = wait(&self.work, state);
            state.writer_sleeps = false;
        }
    }

    /// Hands out what has gathered.
    fn hand_out(&self, state: &mut State) -> Option<BatchWrite> {
        let write = state.commit.begin_write()?;
        state.handed_out = state.commit.last();
        state.bell = 1 - state.bell;
        self.gathered_bytes.store(0, Ordering::Relaxed);
        if state.busy_appends > 0 {
            self.room.notify_all();
        }
        if state.commit.wants_segment() {
            self.chores.notify_one();
        }
        Some(write)
    }

    /// The batch that proves the one before, once.
    fn last_batch(&self, state: &mut State) -> Option<BatchWrite> {
        if std::mem::replace(&mut state.has_closed, true) {
            return None;
        }
        state.commit.begin_closing()
    }

    fn on_batch(&self, write: BatchWrite, result: Result<(), DiskError>) {
        let mut state = self.state();
        match result {
            Ok(()) => {
                state.commit.on_synced(write);
                let (bell, durable) = (1 - state.bell, state.commit.durable());
                let wakers = state.take_wakers();
                if state.commit.has_work() || state.is_closing {
                    self.wake_writer(&mut state);
                }
                drop(state);
                self.synced.ring(bell, durable);
                wakers.into_iter().for_each(Waker::wake);
            }
            Err(error) => {
                state.commit.on_failed(error);
                self.ring_all(&mut state);
            }
        }
    }

    /// What the maker of segments does.
    fn make_segments(&self) {
        loop {
            let mut state = self.state();
            while !state.commit.wants_segment() {
                if state.is_closing || state.commit.failure().is_some() {
                    return;
                }
                state = wait(&self.chores, state);
            }
            if state.is_closing && state.busy_appends == 0 {
                return;
            }
            drop(state);
            let result = lock(&self.store).make_segment();
            let mut state = self.state();
            match result {
                Ok(segment) => state.commit.on_segment_ready(segment),
                Err(error) if error.is_out_of_space() => state.commit.on_out_of_space(error),
                Err(error) => {
                    state.commit.on_failed(error);
                    self.ring_all(&mut state);
                    return;
                }
            }
            self.room.notify_all();
        }
    }
}

/// A lock is poisoned by a panic elsewhere, which this code never leaves half-done work behind for.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(bell: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    bell.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
