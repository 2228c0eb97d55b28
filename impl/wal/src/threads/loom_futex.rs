//! A futex that loom can explore.

use std::collections::VecDeque;

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};

/// A counter that threads sleep on. Sleepers stand in a queue, as in the kernel, and the lock of the
/// queue orders a count against the look at it.
#[derive(Debug, Default)]
pub struct Futex {
    count: AtomicU32,
    sleepers: Mutex<Sleepers>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Sleepers {
    queue: VecDeque<u64>,
    next: u64,
}

impl super::traits::Futex for Futex {
    fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    fn count_up(&self) {
        self.count.fetch_add(1, Ordering::Release);
    }

    fn wait(&self, count: u32) {
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

    fn wake_one(&self) {
        if self.sleepers.lock().unwrap().queue.pop_front().is_some() {
            self.woken.notify_all();
        }
    }

    fn wake_all(&self) {
        let queue = std::mem::take(&mut self.sleepers.lock().unwrap().queue);
        if !queue.is_empty() {
            self.woken.notify_all();
        }
    }
}
