//! The traits of a kind of threads.

use std::io;
use std::ops::DerefMut;

/// A kind of threads, with the locks and conditions that go with it.
pub trait Threads: Send + Sync + 'static {
    /// A lock around a value.
    type Mutex<V: Send + 'static>: Send + Sync;
    /// A held lock: dropping it unlocks.
    type Guard<'a, V: Send + 'static>: DerefMut<Target = V>;
    /// A condition that threads wait for while they hold no lock.
    type Condvar: Send + Sync;
    /// A counter that threads sleep on.
    type Futex: Futex;
    /// A thread that was started.
    type Thread;

    /// A lock that no thread holds.
    fn mutex<V: Send + 'static>(&self, value: V) -> Self::Mutex<V>;

    /// Waits for a lock and takes it. A panic of a thread that held it does not matter: the log leaves
    /// nothing half done in a value that it locks.
    fn lock<V: Send + 'static>(mutex: &Self::Mutex<V>) -> Self::Guard<'_, V>;

    /// A condition that no thread waits for.
    fn condvar(&self) -> Self::Condvar;

    /// Unlocks, waits for a notification, and locks again. May return without a notification.
    fn wait<'a, V: Send + 'static>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, V>,
    ) -> Self::Guard<'a, V>;

    /// Wakes one thread that waits, if there is one.
    fn notify_one(condvar: &Self::Condvar);

    /// Wakes every thread that waits.
    fn notify_all(condvar: &Self::Condvar);

    /// A counter at zero.
    fn futex(&self) -> Self::Futex;

    /// Starts a thread of this name.
    ///
    /// # Errors
    /// When the system starts no more threads.
    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self::Thread>;

    /// Waits until a thread has ended. A panic of the thread is not passed on.
    fn join(thread: Self::Thread);
}

/// A counter that threads sleep on until it is counted up.
pub trait Futex: Send + Sync {
    /// How often it was counted up.
    fn count(&self) -> u32;

    /// Counts up. A thread that sees the new count sees all that happened before.
    fn count_up(&self);

    /// Sleeps until woken, unless the count differs from this one. May return early.
    fn wait(&self, count: u32);

    /// Wakes one thread that sleeps, if there is one.
    fn wake_one(&self);

    /// Wakes every thread that sleeps.
    fn wake_all(&self);
}
