//! How those who wait for a batch are woken.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use atomic_wait::{wait, wake_all, wake_one};

use crate::Sequence;

/// Two bells: one for the batch that gathers and one for the batch on its way, in turn, so that
/// nobody is woken for a batch that is not theirs.
///
/// Who is woken takes no lock. The writer wakes one of them, who wakes the others, so that the
/// next batch is on its way meanwhile.
pub(super) struct Bells {
    durable: AtomicU64,
    has_failed: AtomicBool,
    /// How often each was rung.
    rung: [AtomicU32; 2],
    /// Whether somebody who waits for it is still to wake the others.
    wakes_others: [AtomicBool; 2],
}

impl Bells {
    pub(super) fn new(durable: Sequence) -> Bells {
        Bells {
            durable: AtomicU64::new(durable.0),
            has_failed: AtomicBool::new(false),
            rung: [AtomicU32::new(0), AtomicU32::new(0)],
            wakes_others: [AtomicBool::new(false), AtomicBool::new(false)],
        }
    }

    /// Every record up to this number is durable.
    pub(super) fn durable(&self) -> Sequence {
        Sequence(self.durable.load(Ordering::Acquire))
    }

    /// Waits for a bell until records up to this number are durable, or the log has failed.
    /// Returns early when it was rung for something else.
    pub(super) fn wait(&self, bell: usize, sequence: Sequence) {
        let rung = &self.rung[bell];
        let before = rung.load(Ordering::Acquire);
        if self.is_over(sequence) {
            return;
        }
        wait(rung, before);
        if self.wakes_others[bell].swap(false, Ordering::AcqRel) {
            wake_all(rung);
        }
    }

    fn is_over(&self, sequence: Sequence) -> bool {
        self.durable() >= sequence || self.has_failed.load(Ordering::Acquire)
    }

    /// Records up to this number are durable: rings for the batch that they were in.
    pub(super) fn ring(&self, bell: usize, durable: Sequence) {
        // Who rings for an older batch may come later than who rings for a newer one.
        self.durable.fetch_max(durable.0, Ordering::Release);
        self.wakes_others[bell].store(true, Ordering::Release);
        self.rung[bell].fetch_add(1, Ordering::Release);
        wake_one(&self.rung[bell]);
    }

    /// The log has failed: rings for all.
    pub(super) fn ring_all(&self) {
        self.has_failed.store(true, Ordering::Release);
        for rung in &self.rung {
            rung.fetch_add(1, Ordering::Release);
            wake_all(rung);
        }
    }
}
