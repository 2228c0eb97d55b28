//! Threads that take turns: one runs at a time, and another takes over only where the running one
//! blocks or calls the disk. So a run of the threaded log depends on its schedule alone, and can be
//! repeated.

use std::cell::Cell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{self, Arc, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use steadfast_wal::threads::{Futex, Threads};

/// Which thread runs next where several can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The client, until it blocks. It writes its batches itself, and segments are made when it waits
    /// for them.
    ClientFirst,
    /// The maker of segments, then the writer, then the client: segments are made as soon as the log
    /// wants them, and the writer writes the batches.
    LogFirst,
    /// At each call to the disk the next thread in turn. The writer begins with a record when the
    /// record is appended, so that it writes while the client goes on, also with a checkpoint.
    InTurn,
}

impl Schedule {
    /// All of them.
    pub const ALL: [Schedule; 3] = [Schedule::ClientFirst, Schedule::LogFirst, Schedule::InTurn];
}

/// The number of the thread that drives the log. The threads of the log follow in the order of their
/// start.
const CLIENT: usize = 0;

thread_local! {
    /// The number of this thread.
    static NUMBER: Cell<usize> = const { Cell::new(CLIENT) };
}

/// Threads that take turns. Clones are the same.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Table>);

struct Table {
    schedule: Schedule,
    seats: sync::Mutex<Seats>,
    /// Notified when it is another thread's turn.
    changed: sync::Condvar,
}

struct Seats {
    /// The thread whose turn it is.
    running: usize,
    /// Whether every thread was blocked: nothing takes turns any more, and all unwind with [`Stuck`].
    is_stuck: bool,
    threads: Vec<Status>,
    /// Counts the resources, to number them.
    resources: usize,
    /// Counts how often a thread blocked, so that threads are woken in the order in which they blocked.
    blocked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    Blocked { on: usize, since: usize },
    Ended,
}

/// A lock, a condition or a counter that threads block on.
#[derive(Clone)]
pub(crate) struct Resource {
    table: Arc<Table>,
    number: usize,
}

impl Turns {
    pub(crate) fn new(schedule: Schedule) -> Turns {
        let threads = vec![Status::Ready];
        let seats = Seats { running: CLIENT, is_stuck: false, threads, resources: 0, blocked: 0 };
        let (seats, changed) = (sync::Mutex::new(seats), sync::Condvar::new());
        Turns(Arc::new(Table { schedule, seats, changed }))
    }

    /// Lets the schedule choose the next thread: here another one may take over.
    pub(crate) fn pass(&self) {
        let seats = self.0.seats();
        if !seats.is_stuck {
            self.0.hand_over(seats);
        }
    }

    pub(crate) fn resource(&self) -> Resource {
        let mut seats = self.0.seats();
        seats.resources += 1;
        Resource { table: Arc::clone(&self.0), number: seats.resources }
    }
}

impl Table {
    fn seats(&self) -> sync::MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the turn to the thread that the schedule chooses, and waits for the next turn of this one.
    fn hand_over<'a>(&'a self, mut seats: sync::MutexGuard<'a, Seats>) {
        let me = NUMBER.get();
        seats.choose_next(self.schedule, me);
        if seats.running != me || seats.is_stuck {
            self.changed.notify_all();
            self.await_turn(seats, me);
        }
    }

    fn await_turn<'a>(&'a self, mut seats: sync::MutexGuard<'a, Seats>, me: usize) {
        while !seats.is_stuck && seats.running != me {
            seats = self.changed.wait(seats).unwrap_or_else(PoisonError::into_inner);
        }
        if seats.is_stuck && !thread::panicking() {
            drop(seats);
            resume_unwind(Box::new(Stuck));
        }
    }
}

/// Why threads unwind: every one of them was blocked.
struct Stuck;

/// Runs part of a client. `None` if it would wait forever, because every thread is blocked.
pub(crate) fn unless_stuck<R>(part: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(part)) {
        Ok(result) => Some(result),
        Err(panic) if panic.is::<Stuck>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

impl Seats {
    /// Chooses the thread that runs next.
    fn choose_next(&mut self, schedule: Schedule, me: usize) {
        let count = self.threads.len();
        let is_ready = |it: &usize| self.threads[*it] == Status::Ready;
        let next = match schedule {
            Schedule::ClientFirst => (0..count).find(is_ready),
            Schedule::LogFirst => (0..count).rev().find(is_ready),
            Schedule::InTurn => (1..=count).map(|it| (me + it) % count).find(is_ready),
        };
        match next {
            Some(next) => self.running = next,
            None => self.is_stuck = true,
        }
    }

    /// Wakes up to this many of the threads that are blocked on a resource, the first first.
    fn wake(&mut self, resource: usize, count: usize) {
        let mut blocked: Vec<(usize, &mut Status)> = Vec::new();
        for status in &mut self.threads {
            if let Status::Blocked { on, since } = *status
                && on == resource
            {
                blocked.push((since, status));
            }
        }
        blocked.sort_by_key(|it| it.0);
        blocked.into_iter().take(count).for_each(|it| *it.1 = Status::Ready);
    }
}

impl Resource {
    /// Blocks this thread until it is woken.
    pub(crate) fn block(&self) {
        let mut seats = self.table.seats();
        seats.blocked += 1;
        let since = seats.blocked;
        seats.threads[NUMBER.get()] = Status::Blocked { on: self.number, since };
        self.table.hand_over(seats);
    }

    fn wake_one(&self) {
        self.table.seats().wake(self.number, 1);
    }

    pub(crate) fn wake_all(&self) {
        self.table.seats().wake(self.number, usize::MAX);
    }
}

/// A lock of threads that take turns.
pub(crate) struct Mutex<V> {
    value: sync::Mutex<V>,
    unlocked: Resource,
}

/// A lock that is held.
pub(crate) struct Guard<'a, V> {
    mutex: &'a Mutex<V>,
    /// Gone when the guard is dropped.
    value: Option<sync::MutexGuard<'a, V>>,
}

impl<V> Deref for Guard<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value.as_ref().expect("a guard that is used is not dropped")
    }
}

impl<V> DerefMut for Guard<'_, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.value.as_mut().expect("a guard that is used is not dropped")
    }
}

impl<V> Drop for Guard<'_, V> {
    fn drop(&mut self) {
        self.value = None;
        self.mutex.unlocked.wake_all();
    }
}

/// A counter to sleep on, of threads that take turns.
pub(crate) struct Counter {
    count: AtomicU32,
    woken: Resource,
}

impl Futex for Counter {
    fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    fn count_up(&self) {
        self.count.fetch_add(1, Ordering::Release);
    }

    fn wait(&self, count: u32) {
        if self.count() == count {
            self.woken.block();
        }
    }

    fn wake_one(&self) {
        self.woken.wake_one();
    }

    fn wake_all(&self) {
        self.woken.wake_all();
    }
}

/// A thread of the log.
pub(crate) struct Thread {
    number: usize,
    ended: Resource,
    handle: JoinHandle<()>,
}

/// Gives the turn away when a thread ends, also by a panic.
struct Leave(Resource);

impl Drop for Leave {
    fn drop(&mut self) {
        let table = &self.0.table;
        let me = NUMBER.get();
        let mut seats = table.seats();
        seats.threads[me] = Status::Ended;
        seats.wake(self.0.number, usize::MAX);
        seats.choose_next(table.schedule, me);
        table.changed.notify_all();
    }
}

impl Threads for Turns {
    type Mutex<V: Send + 'static> = Mutex<V>;
    type Guard<'a, V: Send + 'static> = Guard<'a, V>;
    type Condvar = Resource;
    type Futex = Counter;
    type Thread = Thread;

    fn mutex<V: Send + 'static>(&self, value: V) -> Mutex<V> {
        Mutex { value: sync::Mutex::new(value), unlocked: self.resource() }
    }

    fn lock<V: Send + 'static>(mutex: &Mutex<V>) -> Guard<'_, V> {
        loop {
            let value = match mutex.value.try_lock() {
                Ok(value) => value,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                // The thread that holds it unwinds.
                Err(TryLockError::WouldBlock) if mutex.unlocked.table.seats().is_stuck => {
                    thread::yield_now();
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    mutex.unlocked.block();
                    continue;
                }
            };
            return Guard { mutex, value: Some(value) };
        }
    }

    fn condvar(&self) -> Resource {
        self.resource()
    }

    fn wait<'a, V: Send + 'static>(
        condvar: &Resource,
        guard: Self::Guard<'a, V>,
    ) -> Self::Guard<'a, V> {
        let mutex = guard.mutex;
        // No other thread runs between these two, so no notification is missed.
        drop(guard);
        condvar.block();
        Self::lock(mutex)
    }

    fn notify_one(condvar: &Resource) {
        condvar.wake_one();
    }

    fn notify_all(condvar: &Resource) {
        condvar.wake_all();
    }

    fn futex(&self) -> Counter {
        Counter { count: AtomicU32::new(0), woken: self.resource() }
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
        let ended = self.resource();
        let number = self.0.seats().threads.len();
        let leave = ended.clone();
        let handle = thread::Builder::new().name(name.to_owned()).spawn(move || {
            NUMBER.set(number);
            let table = Arc::clone(&leave.table);
            table.await_turn(table.seats(), number);
            let _leave = Leave(leave);
            body();
        })?;
        self.0.seats().threads.push(Status::Ready);
        Ok(Thread { number, ended, handle })
    }

    fn join(thread: Thread) {
        let ends_by_itself = || {
            let seats = thread.ended.table.seats();
            seats.is_stuck || seats.threads[thread.number] == Status::Ended
        };
        while !ends_by_itself() {
            thread.ended.block();
        }
        // A thread that panicked has printed its message.
        let _ = thread.handle.join();
    }
}
