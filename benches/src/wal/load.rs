//! Writers that append as fast as they can.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use steadfast_output::assert_threads;

use super::systems::{Result, Steadfast, System, behind};

/// A log gives up its old records each time it has written about this number of bytes.
const TRIM_BYTES: u64 = 128 << 20;
/// A record counts as at least this number of bytes, which a record that is synced alone takes on most disks.
const RECORD_BYTES_MIN: usize = 4096;

/// How long to wait before looking again at what was written.
const PAUSE: Duration = Duration::from_millis(10);

/// So much is written to a log before anything is measured: more than any of them keeps, so that
/// each has begun to use its files again, as one in use does, instead of getting new ones.
const WARM_UP_BYTES: u64 = 1 << 30;
/// No log is warmed up for longer.
const WARM_UP: Duration = Duration::from_secs(10);
/// How it is written: as a log takes the most at a time.
const WARM_UP_WRITERS: usize = 64;
/// See there.
const WARM_UP_PAYLOAD_BYTES: usize = 65_536;

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    /// Durable appends per second.
    pub(super) appends_per_s: f64,
    /// Payload bytes per second.
    pub(super) bytes_per_s: f64,
    /// The median time of one, in microseconds.
    pub(super) p50_us: f64,
    /// The time that one of a hundred exceeds, in microseconds.
    pub(super) p99_us: f64,
}

impl Sample {
    /// Of this number of records in this time.
    #[must_use]
    pub(super) fn of(
        records: u64,
        payload_bytes: usize,
        time: Duration,
        mut latencies: Vec<Duration>,
    ) -> Sample {
        latencies.sort_unstable();
        let at = |per_mille: usize| {
            let place = (latencies.len() * per_mille / 1000).min(latencies.len().saturating_sub(1));
            latencies.get(place).map_or(0.0, |it| it.as_secs_f64() * 1e6)
        };
        let appends_per_s = records as f64 / time.as_secs_f64();
        Sample {
            appends_per_s,
            bytes_per_s: appends_per_s * payload_bytes as f64,
            p50_us: at(500),
            p99_us: at(990),
        }
    }
}

/// Bytes that do not compress, different for each writer.
#[must_use]
pub(super) fn payload(writer: usize, bytes: usize) -> Vec<u8> {
    let mut state = (writer as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

/// Writers that each wait for one record at a time.
///
/// # Errors
/// When an append fails.
pub(super) fn blocking(
    system: &dyn System,
    writers: usize,
    payload_bytes: usize,
    time: Duration,
) -> Result<Sample> {
    // Threads and caches get used to the load before anything counts.
    round(system, writers, payload_bytes, time / 4, u64::MAX)?;
    round(system, writers, payload_bytes, time, u64::MAX)
}

/// Brings a log to its steady state.
///
/// # Errors
/// When an append fails.
pub(super) fn warm_up(system: &dyn System) -> Result<()> {
    let (writers, payload_bytes) = (WARM_UP_WRITERS, WARM_UP_PAYLOAD_BYTES);
    round(system, writers, payload_bytes, WARM_UP, WARM_UP_BYTES).map(drop)
}

/// Writers that go on for this long, or until so much is written.
fn round(
    system: &dyn System,
    writers: usize,
    payload_bytes: usize,
    time: Duration,
    bytes_max: u64,
) -> Result<Sample> {
    // A scope panics without threads.
    assert_threads(writers + 1)?;
    let (is_over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let all = Mutex::new((Vec::new(), None));
    let barrier = Barrier::new(writers + 1);
    let mut elapsed = time;
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (is_over, written, all, barrier) = (&is_over, &written, &all, &barrier);
            scope.spawn(move || {
                let payload = payload(writer, payload_bytes);
                let mut latencies = Vec::with_capacity(1 << 16);
                barrier.wait();
                let mut result = Ok(());
                while !is_over.load(Ordering::Relaxed) && result.is_ok() {
                    let begin = Instant::now();
                    result = system.write(writer, &payload);
                    latencies.push(begin.elapsed());
                    written.fetch_add(weight(&payload), Ordering::Relaxed);
                }
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.0.extend(latencies);
                all.1 = all.1.take().or(result.err());
            });
        }
        barrier.wait();
        let begin = Instant::now();
        scope.spawn(|| trim_until(system, &is_over, &written));
        while begin.elapsed() < time && written.load(Ordering::Relaxed) < bytes_max {
            std::thread::sleep((time - begin.elapsed().min(time)).min(PAUSE));
        }
        is_over.store(true, Ordering::Relaxed);
        elapsed = begin.elapsed();
    });
    let (latencies, error) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    match error {
        Some(error) => Err(error),
        None => Ok(Sample::of(latencies.len() as u64, payload_bytes, elapsed, latencies)),
    }
}

/// One writer of ours with this number of records outstanding.
///
/// # Errors
/// When an append fails.
pub(super) fn asynchronous(
    system: &Steadfast,
    outstanding: u64,
    payload_bytes: usize,
    time: Duration,
) -> Result<Sample> {
    assert_threads(1)?;
    let payload = payload(0, payload_bytes);
    let (is_over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| trim_until(system, &is_over, &written));
        let mut begin = Instant::now();
        let (mut records, mut is_warm) = (0, false);
        let mut result = Ok(());
        while result.is_ok() && (!is_warm || begin.elapsed() < time) {
            if !is_warm && begin.elapsed() > time / 4 {
                (is_warm, records, begin) = (true, 0, Instant::now());
            }
            result = append_one(system, &payload, outstanding);
            records += 1;
            written.fetch_add(weight(&payload), Ordering::Relaxed);
        }
        let elapsed = begin.elapsed();
        is_over.store(true, Ordering::Relaxed);
        result.map(|()| Sample::of(records, payload_bytes, elapsed, Vec::new()))
    })
}

/// How many bytes a record counts as.
fn weight(payload: &[u8]) -> u64 {
    payload.len().max(RECORD_BYTES_MIN) as u64
}

fn append_one(system: &Steadfast, payload: &[u8], outstanding: u64) -> Result<()> {
    let index = system.0.append(payload)?;
    system.0.wait(behind(index, outstanding))?;
    Ok(())
}

/// Gives up what is old, now and then.
fn trim_until(system: &dyn System, is_over: &AtomicBool, written: &AtomicU64) {
    let mut trimmed = 0;
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        let now = written.load(Ordering::Relaxed);
        if now - trimmed > TRIM_BYTES {
            trimmed = now;
            // One that cannot give anything up yet goes on.
            let _ = system.trim();
        }
    }
}
