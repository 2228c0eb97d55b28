//! Writers that wait for the raw disk: how fast any log can be whose writers each wait for their
//! own record.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use steadfast_output::assert_threads;
use steadfast_wal::disk::AlignedBuffer;

use super::load::Sample;

/// So many are woken at once; each wakes another one, as in our log.
const CHAINS: usize = 2;

/// Who waits for the disk.
struct Waiting {
    /// For the next write.
    next: Mutex<VecDeque<Waiter>>,
    /// For a write that is synced, and not woken yet.
    synced: Mutex<VecDeque<Waiter>>,
    is_over: AtomicBool,
}

struct Waiter {
    thread: Thread,
    is_done: Arc<AtomicBool>,
}

impl Waiting {
    /// Waits for the next write and sync.
    fn wait(&self, is_done: &Arc<AtomicBool>) {
        is_done.store(false, Ordering::Relaxed);
        lock(&self.next).push_back(Waiter { thread: thread::current(), is_done: is_done.clone() });
        while !is_done.load(Ordering::Acquire) {
            thread::park();
        }
        self.wake_one();
    }

    fn wake_one(&self) {
        let waiter = lock(&self.synced).pop_front();
        if let Some(waiter) = waiter {
            waiter.is_done.store(true, Ordering::Release);
            waiter.thread.unpark();
        }
    }
}

/// Writes nothing but blocks, as many as the records take that are waited for, and syncs them.
///
/// # Errors
/// When the disk fails.
pub(super) fn write(
    file: &File,
    file_bytes: u64,
    writers: usize,
    bytes_of: &dyn Fn(usize) -> usize,
    payload_bytes: usize,
    time: Duration,
) -> io::Result<Sample> {
    // A scope panics without threads.
    assert_threads(writers)?;
    let waiting = Waiting {
        next: Mutex::default(),
        synced: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let mut buffer = AlignedBuffer::zeroed(bytes_of(writers));
    buffer.fill(7);
    thread::scope(|scope| {
        let begin = Instant::now();
        let writers: Vec<_> = (0..writers).map(|_| scope.spawn(|| append(&waiting))).collect();
        let mut offset = 0;
        let mut result = Ok(());
        // Writers that are left when the time is over are written for, too.
        while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
            if begin.elapsed() >= time || result.is_err() {
                waiting.is_over.store(true, Ordering::Relaxed);
            }
            let group = std::mem::take(&mut *lock(&waiting.next));
            if group.is_empty() {
                thread::yield_now();
                continue;
            }
            let some = &buffer[..bytes_of(group.len())];
            offset = if offset + some.len() as u64 > file_bytes { 0 } else { offset };
            result = result.and_then(|()| file.write_all_at(some, offset));
            result = result.and_then(|()| file.sync_data());
            offset += some.len() as u64;
            lock(&waiting.synced).extend(group);
            (0..CHAINS).for_each(|_| waiting.wake_one());
        }
        let elapsed = begin.elapsed();
        let all = writers.into_iter().filter_map(|it| it.join().ok());
        let latencies: Vec<Duration> = all.flatten().collect();
        result.map(|()| Sample::of(latencies.len() as u64, payload_bytes, elapsed, latencies))
    })
}

fn append(waiting: &Waiting) -> Vec<Duration> {
    let mut latencies = Vec::new();
    let is_done = Arc::default();
    while !waiting.is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        waiting.wait(&is_done);
        latencies.push(begin.elapsed());
    }
    latencies
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
