//! How threads that wait for a batch are woken.

use super::faults::planted;
use crate::LogIndex;
use crate::threads::primitives::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::threads::{Futex, Threads};

/// The number of bells. Two are in use: one for the batch that gathers and one for the batch on its
/// way. Threads that waited for earlier batches may still be waking up at the others.
const BELLS: u32 = 4;
/// How many threads the writer wakes itself. Each of them wakes one more, so that no more threads are
/// awake at a time than there is work for, and the writer does not queue behind them for a processor.
const CHAINS: u32 = 2;

/// One bell per batch, in turn, so that no thread is woken for a batch that it does not wait for.
///
/// A ring takes these steps.
/// 1. The writer stores the new durable index, counts the bell up, and wakes [`CHAINS`] of the threads
///    that sleep on its old count.
/// 2. A woken thread wakes one more, takes no lock, and goes on.
/// 3. A thread that has read the old count and does not sleep yet finds the new count when it tries to
///    sleep, and goes on as if woken.
///
/// A wake-up must not be spent on a thread that waits for a later batch. So before a bell is given to
/// another batch, every thread that still sleeps on it is woken ([`Bells::prepare`]).
pub(super) struct Bells<T: Threads> {
    durable: AtomicU64,
    has_failed: AtomicBool,
    /// Each counts how often its bell was rung.
    rung: [T::Futex; BELLS as usize],
}

/// The bell of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bell(u32);

impl Bell {
    /// The bell of the first batch.
    pub(super) const FIRST: Bell = Bell(0);

    /// The bell of the batch after.
    pub(super) fn next(self) -> Bell {
        Bell((self.0 + 1) % BELLS)
    }

    /// The bell of the batch before.
    pub(super) fn previous(self) -> Bell {
        Bell((self.0 + BELLS - 1) % BELLS)
    }
}

impl<T: Threads> Bells<T> {
    pub(super) fn new(threads: &T, durable: LogIndex) -> Bells<T> {
        Bells {
            durable: AtomicU64::new(durable.0),
            has_failed: AtomicBool::new(false),
            rung: std::array::from_fn(|_| threads.futex()),
        }
    }

    /// The last durable record.
    pub(super) fn durable(&self) -> LogIndex {
        LogIndex(self.durable.load(Ordering::Acquire))
    }

    /// Waits for a bell until the record is durable or the log has failed. May return early.
    pub(super) fn wait(&self, bell: Bell, index: LogIndex) {
        let rung = self.rung(bell);
        let before = rung.count();
        if self.is_over(index) {
            return;
        }
        rung.wait(before);
        // A thread that waits for a later record passes the wake-up on, too.
        if rung.count() != before && !planted!(BrokenChain) {
            rung.wake_one();
        }
    }

    fn rung(&self, bell: Bell) -> &T::Futex {
        &self.rung[bell.0 as usize]
    }

    pub(super) fn is_over(&self, index: LogIndex) -> bool {
        self.durable() >= index || self.has_failed.load(Ordering::Acquire)
    }

    /// Publishes the last durable record. The caller holds the lock of the log's state, so that the
    /// number never decreases and no thread learns of it elsewhere before.
    pub(super) fn on_durable(&self, durable: LogIndex) {
        self.durable.store(durable.0, Ordering::Release);
    }

    /// Rings for a batch that is durable.
    pub(super) fn ring(&self, bell: Bell) {
        if !planted!(RingUncounted) {
            self.rung(bell).count_up();
        }
        for _ in 0..CHAINS {
            self.rung(bell).wake_one();
        }
    }

    /// Clears a bell for another batch, which no thread waits for yet.
    pub(super) fn prepare(&self, bell: Bell) {
        self.rung(bell).wake_all();
    }

    /// Wakes every thread at every bell: the log has failed.
    pub(super) fn ring_all(&self) {
        self.has_failed.store(true, Ordering::Release);
        for rung in &self.rung {
            rung.count_up();
            rung.wake_all();
        }
    }
}
