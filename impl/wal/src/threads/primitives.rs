//! The locks, atomic numbers and threads of the system, or in the tests of this crate those of loom.

#[cfg(test)]
pub(crate) use super::loom_futex::Futex;
#[cfg(test)]
pub(crate) use loom::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};
#[cfg(not(test))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

/// A futex of the system.
#[cfg(not(test))]
#[derive(Debug, Default)]
pub struct Futex(atomic::AtomicU32);

#[cfg(not(test))]
impl super::traits::Futex for Futex {
    #[inline]
    fn count(&self) -> u32 {
        self.0.load(atomic::Ordering::Acquire)
    }

    #[inline]
    fn count_up(&self) {
        self.0.fetch_add(1, atomic::Ordering::Release);
    }

    #[inline]
    fn wait(&self, count: u32) {
        atomic_wait::wait(&self.0, count);
    }

    #[inline]
    fn wake_one(&self) {
        atomic_wait::wake_one(&self.0);
    }

    #[inline]
    fn wake_all(&self) {
        atomic_wait::wake_all(&self.0);
    }
}
