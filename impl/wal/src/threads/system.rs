//! The threads of the operating system.

use std::io;
use std::sync::PoisonError;

use super::primitives::thread::{self, JoinHandle};
use super::primitives::{self, Condvar, Mutex, MutexGuard};
use super::traits::Threads;

/// The threads of the operating system. In the tests of this crate they are loom's, which goes
/// through their interleavings.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemThreads;

impl Threads for SystemThreads {
    type Mutex<V: Send + 'static> = Mutex<V>;
    type Guard<'a, V: Send + 'static> = MutexGuard<'a, V>;
    type Condvar = Condvar;
    type Futex = primitives::Futex;
    type Thread = JoinHandle<()>;

    #[inline]
    fn mutex<V: Send + 'static>(&self, value: V) -> Mutex<V> {
        Mutex::new(value)
    }

    #[inline]
    fn lock<V: Send + 'static>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn condvar(&self) -> Condvar {
        Condvar::new()
    }

    #[inline]
    fn wait<'a, V: Send + 'static>(
        condvar: &Condvar,
        guard: Self::Guard<'a, V>,
    ) -> Self::Guard<'a, V> {
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn notify_one(condvar: &Condvar) {
        condvar.notify_one();
    }

    #[inline]
    fn notify_all(condvar: &Condvar) {
        condvar.notify_all();
    }

    #[inline]
    fn futex(&self) -> primitives::Futex {
        primitives::Futex::default()
    }

    fn spawn(
        &self,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name(name.to_owned()).spawn(body)
    }

    fn join(thread: JoinHandle<()>) {
        // A thread that panicked has printed its message.
        let _ = thread.join();
    }
}
