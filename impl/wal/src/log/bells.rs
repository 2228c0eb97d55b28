//! How those who wait for a batch are woken.

use super::faults::planted;
use super::sync::Futex;
use super::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::Sequence;

/// How many bells there are. Two are in use: one for the batch that gathers and one for the batch on
/// its way. The others are still being heard by those who waited for the batches before.
const BELLS: u32 = 4;
/// So many are woken at once. Each wakes another one, so that no more are awake at a time than there
/// is work for, and the writer need not queue up behind them for a processor.
const CHAINS: u32 = 2;

/// A bell for each batch, in turn, so that nobody is woken for a batch that is not theirs.
///
/// A bell is rung like this.
/// 1. The writer makes the batch durable, changes the count of the bell, and wakes a few of those
///    who wait for that count to change.
/// 2. Who is woken wakes another one, takes no lock, and goes on.
/// 3. Who has read the old count and is not asleep yet finds the new one when falling asleep, and
///    goes on as if woken.
///
/// What wakes somebody must not be lost on one who waits for a later batch. So before a bell is given
/// to another batch, all who are left are woken ([`Bells::prepare`]).
pub(super) struct Bells {
    durable: AtomicU64,
    has_failed: AtomicBool,
    /// How often each was rung.
    rung: [Futex; BELLS as usize],
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

impl Bells {
    pub(super) fn new(durable: Sequence) -> Bells {
        Bells {
            durable: AtomicU64::new(durable.0),
            has_failed: AtomicBool::new(false),
            rung: Default::default(),
        }
    }

    /// Every record up to this number is durable.
    pub(super) fn durable(&self) -> Sequence {
        Sequence(self.durable.load(Ordering::Acquire))
    }

    /// Waits for a bell until records up to this number are durable, or the log has failed. May
    /// return early.
    pub(super) fn wait(&self, bell: Bell, sequence: Sequence) {
        let rung = self.rung(bell);
        let before = rung.count();
        if self.is_over(sequence) {
            return;
        }
        rung.wait(before);
        // Also one who waits for something later, and is not done, passes on that it was rung.
        if rung.count() != before && !planted!(BrokenChain) {
            rung.wake_one();
        }
    }

    fn rung(&self, bell: Bell) -> &Futex {
        &self.rung[bell.0 as usize]
    }

    pub(super) fn is_over(&self, sequence: Sequence) -> bool {
        self.durable() >= sequence || self.has_failed.load(Ordering::Acquire)
    }

    /// Records up to this number are durable. Called under the lock of the log's state, so that it
    /// never goes back and nobody learns of it elsewhere before.
    pub(super) fn on_durable(&self, durable: Sequence) {
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

    /// The bell will be that of another batch, for which nobody waits yet.
    pub(super) fn prepare(&self, bell: Bell) {
        self.rung(bell).wake_all();
    }

    /// The log has failed: rings for all.
    pub(super) fn ring_all(&self) {
        self.has_failed.store(true, Ordering::Release);
        for rung in &self.rung {
            rung.count_up();
            rung.wake_all();
        }
    }
}
