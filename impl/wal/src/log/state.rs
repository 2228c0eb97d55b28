//! The state that the threads of a log change under one lock.

use std::collections::BTreeMap;
use std::task::Waker;

use super::bells::Bell;
use crate::LogIndex;
use crate::errors::LogFailure;
use crate::group_commit::GroupCommit;

/// A gathering batch of this many bytes is written even if no thread waits for it.
const START_BYTES: u64 = 512 << 10;

pub(super) struct State {
    pub(super) commit: GroupCommit,
    /// The last record of the batches that were handed out for writing.
    pub(super) handed_out: LogIndex,
    /// The bell of the gathering batch.
    pub(super) bell: Bell,
    /// Whether a thread or a future waits for the gathering batch.
    pub(super) is_awaited: bool,
    pub(super) writer_sleeps: bool,
    /// How many appends wait for memory or for a segment.
    pub(super) busy_appends: usize,
    /// The wakers of waiting futures, by record and by number of the future.
    wakers: BTreeMap<(LogIndex, u64), Waker>,
    futures: u64,
    pub(super) is_closing: bool,
    /// Whether the batch that proves the last one was handed out.
    pub(super) has_closed: bool,
}

impl State {
    pub(super) fn new(commit: GroupCommit) -> State {
        State {
            handed_out: commit.last(),
            commit,
            bell: Bell::FIRST,
            is_awaited: false,
            writer_sleeps: false,
            busy_appends: 0,
            wakers: BTreeMap::new(),
            futures: 0,
            is_closing: false,
            has_closed: false,
        }
    }

    /// Whether the record is durable or lost with the log's failure; `None` as long as it is neither.
    pub(super) fn outcome(&self, index: LogIndex) -> Option<Result<(), LogFailure>> {
        if index <= self.commit.durable() {
            return Some(Ok(()));
        }
        self.commit.failure().map(|it| Err(it.clone()))
    }

    /// Notes that a thread or a future waits for this record.
    pub(super) fn on_awaited(&mut self, index: LogIndex) {
        self.is_awaited |= index > self.handed_out;
    }

    /// Whether the gathering batch should be written now: the disk is idle, and the batch is awaited
    /// or long.
    pub(super) fn is_due(&self) -> bool {
        let is_wanted = self.is_awaited
            || self.busy_appends > 0
            || self.is_closing
            || self.commit.gathered_bytes() >= START_BYTES;
        is_wanted && self.commit.has_work()
    }

    /// The bell of the batch with this record, which is gathering or on its way.
    pub(super) fn bell_of(&self, index: LogIndex) -> Bell {
        if index > self.handed_out { self.bell } else { self.bell.previous() }
    }

    /// Numbers a new future.
    pub(super) fn number_future(&mut self) -> u64 {
        self.futures += 1;
        self.futures
    }

    /// Replaces the waker of a future.
    pub(super) fn set_waker(&mut self, index: LogIndex, future: u64, waker: &Waker) {
        self.wakers.insert((index, future), waker.clone());
    }

    /// Removes the waker of a future that waits no longer.
    pub(super) fn remove_waker(&mut self, index: LogIndex, future: u64) {
        self.wakers.remove(&(index, future));
    }

    /// Removes and returns the wakers of futures whose record is durable; all, if the log has failed.
    pub(super) fn remove_ready_wakers(&mut self) -> BTreeMap<(LogIndex, u64), Waker> {
        if self.commit.failure().is_some() {
            return std::mem::take(&mut self.wakers);
        }
        let waiting = self.wakers.split_off(&(self.commit.durable().next(), 0));
        std::mem::replace(&mut self.wakers, waiting)
    }
}
