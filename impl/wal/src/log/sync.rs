//! The locks, counters and threads of a log: those of the system, or in the tests of this crate those
//! of loom, which goes through their interleavings.

#[cfg(test)]
pub(super) use super::interleavings::futex::Futex;
#[cfg(test)]
pub(super) use loom::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};
#[cfg(not(test))]
pub(super) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};
#[cfg(not(test))]
pub(super) use system::Futex;

#[cfg(not(test))]
mod system {
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A counter that threads can wait for.
    #[derive(Default)]
    pub(in crate::log) struct Futex(AtomicU32);

    impl Futex {
        /// How often it was counted up.
        pub(in crate::log) fn count(&self) -> u32 {
            self.0.load(Ordering::Acquire)
        }

        /// Counts up. What came before is seen by whoever sees the new count.
        pub(in crate::log) fn count_up(&self) {
            self.0.fetch_add(1, Ordering::Release);
        }

        /// Sleeps until woken, unless the count is no longer this one. May return early.
        pub(in crate::log) fn wait(&self, count: u32) {
            atomic_wait::wait(&self.0, count);
        }

        /// Wakes one who sleeps, if somebody does.
        pub(in crate::log) fn wake_one(&self) {
            atomic_wait::wake_one(&self.0);
        }

        /// Wakes all who sleep.
        pub(in crate::log) fn wake_all(&self) {
            atomic_wait::wake_all(&self.0);
        }
    }
}
