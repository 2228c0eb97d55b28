//! Threads, up to the number that the system starts.

use std::io;
use std::iter;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

/// Checks that the system starts this many more threads, before code runs that panics without them.
/// Another process may take the last of them in between.
///
/// # Errors
/// It does not; the error says how many it starts.
pub fn assert_threads(count: usize) -> io::Result<()> {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    thread::scope(|scope| {
        // Each waits, so that all are there at once.
        let wait = || drop(released.lock().map(|it| it.recv()));
        let start = |_| thread::Builder::new().spawn_scoped(scope, wait);
        let refused = (0..count).find_map(|at| start(at).err().map(|error| (at, error)));
        drop(release);
        refused.map_or(Ok(()), |(started, error)| {
            let message = format!("the system starts {started} of {count} threads: {error}");
            Err(io::Error::new(error.kind(), message))
        })
    })
}

/// Runs `work` on this many threads, the caller's included, and returns the result of each. Where the
/// system starts no more threads, those that run do the work of all: `work` takes its pieces from a
/// queue that all threads share.
///
/// # Panics
/// Where `work` does.
pub fn in_parallel<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(start).collect();
        let own = work();
        let joined = others.into_iter().map(|it| it.join().unwrap_or_else(|it| resume_unwind(it)));
        iter::once(own).chain(joined).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn pieces_done(threads: usize) -> (usize, usize) {
        let next = AtomicUsize::new(0);
        let done = in_parallel(threads, || {
            let taken = || next.fetch_add(1, Ordering::Relaxed);
            iter::repeat_with(taken).take_while(|it| *it < 100).count()
        });
        (done.len(), done.iter().sum())
    }

    #[test]
    fn every_piece_is_done_once_with_any_number_of_threads() {
        for threads in [0, 1, 2, 7] {
            assert_eq!(pieces_done(threads), (threads.max(1), 100));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn where_no_thread_can_be_started_the_caller_does_all_of_it() {
        let refused = || {
            crate::refusals::refuse_threads();
            let error = assert_threads(2).expect_err("it cannot start one");
            (pieces_done(7), error.to_string())
        };
        let (done, error) = thread::spawn(refused).join().expect("it does not panic");
        assert_eq!(done, (1, 100));
        assert!(error.starts_with("the system starts 0 of 2 threads: "), "{error}");
        assert!(assert_threads(3).is_ok());
    }
}
