//! The part of a log that its threads share: the writer, the maker of segments, and the threads that
//! append.

use std::sync::Arc;
use std::task::Waker;

use super::bells::Bells;
use super::faults::planted;
use super::state::State;
use crate::LogIndex;
use crate::disk::Disk;
use crate::errors::{AppendError, CheckpointError, LogFailure};
use crate::format::batch::Payload;
use crate::group_commit::{BatchWrite, Chore, GroupCommit, Opened};
use crate::operations::{self, Exclusive};
use crate::settings::Settings;
use crate::store::{BatchWriter, Store};
use crate::threads::Threads;

pub(super) struct Shared<D: Disk, T: Threads> {
    pub(super) disk: Arc<D>,
    pub(super) settings: Settings,
    /// A thread that takes both takes this lock before that of `state`.
    store: T::Mutex<Store<D>>,
    state: T::Mutex<State>,
    /// Notifies the writer that a batch is due or the log is closing.
    work: T::Condvar,
    /// Notifies the maker of segments.
    chores: T::Condvar,
    /// Notifies appends that found the log busy.
    room: T::Condvar,
    /// Wakes threads that wait for a batch.
    pub(super) synced: Bells<T>,
    /// Locked by the thread that writes a batch. There is one batch at a time.
    writer: T::Mutex<BatchWriter<D>>,
}

impl<D: Disk, T: Threads> Shared<D, T> {
    pub(super) fn new(
        threads: &T,
        disk: Arc<D>,
        settings: Settings,
        store: Store<D>,
        opened: Opened,
    ) -> Shared<D, T> {
        let commit = GroupCommit::new(settings, opened);
        let last = commit.last();
        Shared {
            disk: Arc::clone(&disk),
            settings,
            store: threads.mutex(store),
            state: threads.mutex(State::new(commit)),
            work: threads.condvar(),
            chores: threads.condvar(),
            room: threads.condvar(),
            synced: Bells::new(threads, last),
            writer: threads.mutex(BatchWriter::new(disk, settings.decisions)),
        }
    }

    pub(super) fn state(&self) -> T::Guard<'_, State> {
        T::lock(&self.state)
    }

    /// Accepts a record, and waits for memory and a segment if need be. Returns the state still locked.
    pub(super) fn accept(
        &self,
        record: &[u8],
    ) -> Result<(T::Guard<'_, State>, LogIndex), AppendError> {
        let payload = Payload::of(record);
        let mut state = self.state();
        let mut asked = None;
        loop {
            match state.commit.append(payload) {
                Err(AppendError::Busy) => {}
                Ok(index) => return Ok((state, index)),
                Err(error) => return Err(error),
            }
            if let Some(error) = state.commit.out_of_space(asked) {
                return Err(error);
            }
            asked = asked.or(state.commit.ask_for_space(payload));
            T::notify_one(&self.chores);
            state.busy_appends += 1;
            self.maybe_wake_writer(&mut state);
            state = T::wait(&self.room, state);
            state.busy_appends -= 1;
        }
    }

    /// Waits until the record is durable. A waiting thread that finds the disk idle writes the batch
    /// itself instead of waking the writer for it.
    pub(super) fn wait_for<'a>(
        &'a self,
        mut state: T::Guard<'a, State>,
        index: LogIndex,
    ) -> Result<(), LogFailure> {
        loop {
            if let Some(result) = state.outcome(index) {
                return result;
            }
            if !planted!(WaiterUnseen) {
                state.on_awaited(index);
            }
            if let Some(write) = self.hand_out_due(&mut state) {
                drop(state);
                self.write_batch(write, false);
            } else {
                let bell = state.bell_of(index);
                drop(state);
                self.synced.wait(bell, index);
            }
            if index <= self.synced.durable() {
                return Ok(());
            }
            state = self.state();
        }
    }

    /// Wakes a future when the record is durable.
    pub(super) fn wake_when(&self, state: &mut State, index: LogIndex, future: u64, waker: &Waker) {
        state.set_waker(index, future, waker);
        state.on_awaited(index);
        self.maybe_wake_writer(state);
    }

    /// Wakes every thread and future: the log has failed.
    pub(super) fn wake_all(&self, state: &mut State) {
        self.synced.ring_all();
        T::notify_all(&self.room);
        T::notify_one(&self.work);
        T::notify_one(&self.chores);
        state.remove_ready_wakers().into_values().for_each(Waker::wake);
    }

    /// Writes a checkpoint.
    pub(super) fn checkpoint(
        &self,
        through: LogIndex,
        state: &[u8],
    ) -> Result<(), CheckpointError> {
        let mut store = T::lock(&self.store);
        operations::checkpoint(&mut *store, LockedCommit(self), through, state)
    }

    /// Waits until no checkpoint is being written: then the segments that the group commit names are
    /// there.
    pub(super) fn wait_for_checkpoint(&self) {
        drop(T::lock(&self.store));
    }

    /// Wakes the threads that have something to do after the group commit was changed.
    fn wake_concerned(&self, state: &mut State) {
        if state.commit.failure().is_some() {
            return self.wake_all(state);
        }
        if state.busy_appends > 0 && !planted!(RoomUntold) {
            T::notify_all(&self.room);
        }
        if state.commit.has_chore() {
            T::notify_one(&self.chores);
        }
    }

    /// Makes both threads end once their work is done.
    pub(super) fn begin_closing(&self) {
        self.state().is_closing = true;
        T::notify_one(&self.work);
        T::notify_one(&self.chores);
    }

    /// Wakes the writer if it has something to do.
    pub(super) fn maybe_wake_writer(&self, state: &mut State) {
        if state.writer_sleeps && (state.is_due() || state.is_closing) {
            state.writer_sleeps = false;
            T::notify_one(&self.work);
        }
    }

    /// The body of the writer: writes batch after batch until the log is closed or has failed.
    pub(super) fn write_batches(&self) {
        while let Some(mut write) = self.next_batch() {
            while let Some(next) = self.write_batch(write, true) {
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
            // Another thread may still be writing a batch. It wakes the writer when it is done.
            if state.is_closing && !state.commit.is_writing() {
                return hand_out_last(&mut state);
            }
            state.writer_sleeps = true;
            state = T::wait(&self.work, state);
            state.writer_sleeps = false;
        }
    }

    /// Hands out the gathering batch, if it is due.
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
            T::notify_all(&self.room);
        }
        if state.commit.has_chore() {
            T::notify_one(&self.chores);
        }
        Some(write)
    }

    /// Writes and syncs a batch and wakes the threads that wait for it. Returns the next batch if the writer
    /// calls this; for any other thread the writer is woken.
    fn write_batch(&self, write: BatchWrite, is_writer: bool) -> Option<BatchWrite> {
        let mut writer = T::lock(&self.writer);
        #[cfg(test)]
        if planted!(RungBeforeSync) {
            self.synced.on_durable(write.last());
        }
        let result = operations::write_batch(&mut *writer, &write, LockedCommit(self));
        drop(writer);
        let mut state = self.state();
        if state.commit.on_batch(write, result).is_err() {
            self.wake_all(&mut state);
            return None;
        }
        self.synced.on_durable(state.commit.durable());
        let bell = state.bell.previous();
        let wakers = state.remove_ready_wakers();
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

    /// The body of the maker of segments.
    pub(super) fn make_segments(&self) {
        while let Some(chore) = self.next_chore() {
            let (disk, settings) = (&*self.disk, &self.settings);
            let (store, commit) = (LockedStore(self), LockedCommit(self));
            if operations::do_chore(chore, disk, settings, store, commit).is_err() {
                return;
            }
        }
    }

    /// Waits for the next chore; `None` when the log has failed, or is closing and no append waits for
    /// room.
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
            state = T::wait(&self.chores, state);
        }
    }
}

/// Hands out, once, the batch that proves the one before.
fn hand_out_last(state: &mut State) -> Option<BatchWrite> {
    if std::mem::replace(&mut state.has_closed, true) {
        return None;
    }
    state.commit.begin_closing()
}

/// The group commit of a log, under the lock of its state. Threads that a change concerns are woken.
struct LockedCommit<'a, D: Disk, T: Threads>(&'a Shared<D, T>);

impl<D: Disk, T: Threads> Exclusive<GroupCommit> for LockedCommit<'_, D, T> {
    fn with<R>(&mut self, change: impl FnOnce(&mut GroupCommit) -> R) -> R {
        let mut state = self.0.state();
        let result = change(&mut state.commit);
        self.0.synced.on_durable(state.commit.durable());
        self.0.wake_concerned(&mut state);
        result
    }
}

/// The files of a log, under their lock.
struct LockedStore<'a, D: Disk, T: Threads>(&'a Shared<D, T>);

impl<D: Disk, T: Threads> Exclusive<Store<D>> for LockedStore<'_, D, T> {
    fn with<R>(&mut self, change: impl FnOnce(&mut Store<D>) -> R) -> R {
        change(&mut T::lock(&self.0.store))
    }
}
