//! A futex as loom sees it.

use std::collections::VecDeque;

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};

/// A counter that threads can wait for. Those who sleep stand in a queue, as in the kernel, and the lock
/// of the queue orders a count against the look at it.
#[derive(Default)]
pub(in crate::log) struct Futex {
    count: AtomicU32,
    sleepers: Mutex<Sleepers>,
    woken: Condvar,
}

#[derive(Default)]
struct Sleepers {
    queue: VecDeque<u64>,
    next: u64,
}

impl Futex {
    pub(in crate::log) fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    pub(in crate::log) fn count_up(&self) {
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(in crate::log) fn wait(&self, count: u32) {
        let mut sleepers = self.sleepers.lock().unwrap();
        if self.count.load(Ordering::Relaxed) != count {
            return;
        }
        let sleeper = sleepers.next;
        sleepers.next += 1;
        sleepers.queue.push_back(sleeper);
        while sleepers.queue.contains(&sleeper) {
            sleepers = self.woken.wait(sleepers).unwrap();
        }
    }

    pub(in crate::log) fn wake_one(&self) {
        if self.sleepers.lock().unwrap().queue.pop_front().is_some() {
            self.woken.notify_all();
        }
    }

    pub(in crate::log) fn wake_all(&self) {
        let queue = std::mem::take(&mut self.sleepers.lock().unwrap().queue);
        if !queue.is_empty() {
            self.woken.notify_all();
        }
    }
}
