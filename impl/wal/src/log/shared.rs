//! What the threads of a log share: the writer, the maker of segments, and those who append.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use super::bells::{Bell, Bells};
use super::faults::planted;
use super::sync::{Condvar, Mutex, MutexGuard};
use crate::Sequence;
use crate::disk::Disk;
use crate::format::batch::Payload;
use crate::group_commit::{AppendError, BatchWrite, Chore, Failure, GroupCommit, Opened};
use crate::operations::{self, Exclusive};
use crate::recovery::CheckpointError;
use crate::settings::Settings;
use crate::store::{BatchWriter, Store};

/// So many bytes are written although nobody waits for them yet.
const START_BYTES: u64 = 512 << 10;

pub(super) struct Shared<D: Disk> {
    disk: Arc<D>,
    settings: Settings,
    /// Taken before `state` by whoever takes both.
    pub(super) store: Mutex<Store<D>>,
    state: Mutex<State>,
    /// Rung for the writer: a batch is due, or the log is closing.
    work: Condvar,
    /// Rung for the maker of segments.
    chores: Condvar,
    /// Rung for appends that found the log busy.
    room: Condvar,
    /// Rung for those who wait for a batch.
    pub(super) synced: Bells,
    /// Held by whoever has a batch to write, which is one at a time.
    writer: Mutex<BatchWriter<D>>,
}

pub(super) struct State {
    pub(super) commit: GroupCommit,
    /// The last record of the batches that were handed out.
    handed_out: Sequence,
    /// Which bell is that of the batch that gathers.
    bell: Bell,
    /// Whether somebody waits for the batch that gathers.
    is_awaited: bool,
    writer_sleeps: bool,
    busy_appends: usize,
    /// The futures that wait, by record and by number of the future.
    wakers: BTreeMap<(Sequence, u64), Waker>,
    futures: u64,
    pub(super) is_closing: bool,
    /// Whether the batch that proves the last one was handed out.
    has_closed: bool,
}

impl State {
    /// What has become of the records up to this number; `None` as long as that is open.
    pub(super) fn outcome(&self, sequence: Sequence) -> Option<Result<(), Failure>> {
        if sequence <= self.commit.durable() {
            return Some(Ok(()));
        }
        self.commit.failure().map(|it| Err(it.clone()))
    }

    /// Somebody waits for the records up to this number.
    fn on_awaited(&mut self, sequence: Sequence) {
        self.is_awaited |= sequence > self.handed_out;
    }

    /// Whether what has gathered is to be written now: the disk is free, and somebody waits for it
    /// or it is much.
    fn is_due(&self) -> bool {
        let is_wanted = self.is_awaited
            || self.busy_appends > 0
            || self.is_closing
            || self.commit.gathered_bytes() >= START_BYTES;
        is_wanted && self.commit.has_work()
    }

    fn bell_of(&self, sequence: Sequence) -> Bell {
        if sequence > self.handed_out { self.bell } else { self.bell.previous() }
    }

    /// The number of a future that is new.
    pub(super) fn number_future(&mut self) -> u64 {
        self.futures += 1;
        self.futures
    }

    /// A future no longer waits.
    pub(super) fn forget_waker(&mut self, sequence: Sequence, future: u64) {
        self.wakers.remove(&(sequence, future));
    }

    /// The wakers of the futures that are ready.
    fn take_wakers(&mut self) -> BTreeMap<(Sequence, u64), Waker> {
        if self.commit.failure().is_some() {
            return std::mem::take(&mut self.wakers);
        }
        let waiting = self.wakers.split_off(&(self.commit.durable().next(), 0));
        std::mem::replace(&mut self.wakers, waiting)
    }
}

impl<D: Disk> Shared<D> {
    pub(super) fn new(
        disk: Arc<D>,
        settings: Settings,
        store: Store<D>,
        opened: Opened,
    ) -> Shared<D> {
        let commit = GroupCommit::new(settings, opened);
        let last = commit.last();
        let state = State {
            commit,
            handed_out: last,
            bell: Bell::FIRST,
            is_awaited: false,
            writer_sleeps: false,
            busy_appends: 0,
            wakers: BTreeMap::new(),
            futures: 0,
            is_closing: false,
            has_closed: false,
        };
        Shared {
            disk: Arc::clone(&disk),
            settings,
            store: Mutex::new(store),
            state: Mutex::new(state),
            work: Condvar::new(),
            chores: Condvar::new(),
            room: Condvar::new(),
            synced: Bells::new(last),
            writer: Mutex::new(BatchWriter::new(disk, settings.decisions)),
        }
    }

    /// What messages call the directory of the log.
    pub(super) fn place(&self) -> String {
        self.disk.place()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Accepts a record as soon as there is room for it.
    pub(super) fn accept(
        &self,
        record: &[u8],
    ) -> Result<(MutexGuard<'_, State>, Sequence), AppendError> {
        let payload = Payload::of(record);
        let mut state = self.state();
        let mut asked = None;
        loop {
            match state.commit.append(payload) {
                Err(AppendError::Busy) => {}
                Ok(sequence) => return Ok((state, sequence)),
                Err(error) => return Err(error),
            }
            if let Some(error) = state.commit.out_of_space(asked) {
                return Err(error);
            }
            asked = asked.or(state.commit.ask_for_space(payload));
            self.chores.notify_one();
            state.busy_appends += 1;
            self.maybe_wake_writer(&mut state);
            state = wait(&self.room, state);
            state.busy_appends -= 1;
        }
    }

    /// Waits until the records up to this number are durable. Who finds the disk free writes what
    /// has gathered, instead of waking somebody else for it.
    pub(super) fn wait_for<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        sequence: Sequence,
    ) -> Result<(), Failure> {
        loop {
            if let Some(result) = state.outcome(sequence) {
                return result;
            }
            if !planted!(WaiterUnseen) {
                state.on_awaited(sequence);
            }
            if let Some(write) = self.hand_out_due(&mut state) {
                drop(state);
                self.perform(write, false);
            } else {
                let bell = state.bell_of(sequence);
                drop(state);
                self.synced.wait(bell, sequence);
            }
            if sequence <= self.synced.durable() {
                return Ok(());
            }
            state = self.state();
        }
    }

    /// Wakes a future when the records up to this number are durable.
    pub(super) fn wake_when(
        &self,
        state: &mut State,
        sequence: Sequence,
        future: u64,
        waker: &Waker,
    ) {
        state.wakers.insert((sequence, future), waker.clone());
        state.on_awaited(sequence);
        self.maybe_wake_writer(state);
    }

    /// Wakes whoever waits for anything, as after a failure.
    pub(super) fn ring_all(&self, state: &mut State) {
        self.synced.ring_all();
        self.room.notify_all();
        self.work.notify_one();
        self.chores.notify_one();
        state.take_wakers().into_values().for_each(Waker::wake);
    }

    /// Writes a checkpoint.
    pub(super) fn checkpoint(
        &self,
        through: Sequence,
        state: &[u8],
    ) -> Result<(), CheckpointError> {
        let mut store = lock(&self.store);
        operations::checkpoint(&mut *store, Locked(self), through, state)
    }

    /// Wakes whoever has something to do after the group commit was changed.
    fn tell(&self, state: &mut State) {
        if state.commit.failure().is_some() {
            return self.ring_all(state);
        }
        if state.busy_appends > 0 && !planted!(RoomUntold) {
            self.room.notify_all();
        }
        if state.commit.has_chore() {
            self.chores.notify_one();
        }
    }

    /// Tells both threads that the log is closing.
    pub(super) fn begin_closing(&self) {
        self.state().is_closing = true;
        self.work.notify_one();
        self.chores.notify_one();
    }

    /// Wakes the writer if there is something for it to do.
    pub(super) fn maybe_wake_writer(&self, state: &mut State) {
        if state.writer_sleeps && (state.is_due() || state.is_closing) {
            state.writer_sleeps = false;
            self.work.notify_one();
        }
    }

    /// What the writer does.
    pub(super) fn write_batches(&self) {
        while let Some(mut write) = self.next_batch() {
            while let Some(next) = self.perform(write, true) {
                write = next;
            }
        }
    }

    /// Waits for the next batch; `None` when the log is closed or has failed.
    fn next_batch(&self) -> Option<BatchWrite> {
        let mut state = self.state();
        loop {
            if let Some(write) = self.hand_out_due(&mut state) {
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

    /// Hands out what has gathered, if it is due.
    fn hand_out_due(&self, state: &mut State) -> Option<BatchWrite> {
        if !state.is_due() {
            return None;
        }
        let write = state.commit.begin_write()?;
        #[cfg(test)]
        if planted!(RoleReleasedEarly) {
            state.commit.forget_batch_on_its_way();
        }
        state.handed_out = state.commit.last();
        state.bell = state.bell.next();
        self.synced.prepare(state.bell);
        state.is_awaited = false;
        if state.busy_appends > 0 {
            self.room.notify_all();
        }
        if state.commit.has_chore() {
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

    /// Writes and syncs a batch, and tells those who wait for it. The writer goes on with the batch
    /// that is returned; for others it is woken.
    fn perform(&self, write: BatchWrite, is_writer: bool) -> Option<BatchWrite> {
        let mut writer = lock(&self.writer);
        #[cfg(test)]
        if planted!(RungBeforeSync) {
            self.synced.on_durable(write.last());
        }
        let result = operations::write_batch(&mut *writer, &write, Locked(self));
        drop(writer);
        let mut state = self.state();
        if state.commit.on_batch(write, result).is_err() {
            self.ring_all(&mut state);
            return None;
        }
        self.synced.on_durable(state.commit.durable());
        let bell = state.bell.previous();
        let wakers = state.take_wakers();
        let mut next = None;
        if is_writer {
            next = self.hand_out_due(&mut state);
        } else if !planted!(WriterAsleep) {
            self.maybe_wake_writer(&mut state);
        }
        drop(state);
        self.synced.ring(bell);
        wakers.into_values().for_each(Waker::wake);
        next
    }

    /// What the maker of segments does.
    pub(super) fn make_segments(&self) {
        while let Some(chore) = self.next_chore() {
            let (disk, settings) = (&*self.disk, &self.settings);
            let done = operations::perform_chore(chore, disk, settings, &self.store, Locked(self));
            if done.is_err() {
                return;
            }
        }
    }

    /// Waits for the next chore; `None` when the log is closing and nobody waits for room, or when
    /// it has failed.
    fn next_chore(&self) -> Option<Chore> {
        let mut state = self.state();
        loop {
            if state.commit.failure().is_some() || state.is_closing && state.busy_appends == 0 {
                return None;
            }
            if let Some(chore) = state.commit.begin_chore() {
                return Some(chore);
            }
            if state.is_closing {
                return None;
            }
            state = wait(&self.chores, state);
        }
    }
}

/// The group commit of a log, under the lock of its state. Whoever waits for a change is woken.
struct Locked<'a, D: Disk>(&'a Shared<D>);

impl<D: Disk> Exclusive<GroupCommit> for Locked<'_, D> {
    fn with<R>(&mut self, change: impl FnOnce(&mut GroupCommit) -> R) -> R {
        let mut state = self.0.state();
        let result = change(&mut state.commit);
        self.0.synced.on_durable(state.commit.durable());
        self.0.tell(&mut state);
        result
    }
}

impl<T> Exclusive<T> for &Mutex<T> {
    fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut lock(self))
    }
}

/// A lock is poisoned by a panic elsewhere, which this code never leaves half-done work behind for.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(bell: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    bell.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
