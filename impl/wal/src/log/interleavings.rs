//! The threads of a log in every order that loom finds within a bound on preemptions, and the faults
//! that must be caught there.
//!
//! Loom, and not shuttle, because the bells rest on memory orderings, which shuttle takes to be
//! sequentially consistent, and because a search within a bound ends.

mod disk;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Wake, Waker};

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::bells::{self, Bell};
use super::faults::{Fault, PLANTED};
use super::{Log, ReaderError};
use crate::threads::SystemThreads;
use crate::{AppendError, Decisions, DefaultDecisions, LogId, LogIndex, Opening, Settings, Stage};
use disk::{Watched, WatchedDisk};

type Bells = bells::Bells<SystemThreads>;

const ID: LogId = LogId(1);
/// A running thread is interrupted in favour of another at most this often. Most faults of threads
/// need one or two (Musuvathi, Qadeer: Iterative Context Bounding, PLDI 2007).
const PREEMPTIONS: usize = 2;

fn settings(decisions: &'static dyn Decisions) -> Settings {
    let (block_bytes, segment_bytes, batch_bytes) = (512, 1024, 256);
    Settings { block_bytes, segment_bytes, batch_bytes, segments_ahead: 1, decisions }
}

/// A log whose first batch has room and which has another segment ready: none is made.
static READY: LazyLock<Watched> = LazyLock::new(|| {
    let disk = WatchedDisk::default();
    let settings = Settings { segments_ahead: 2, ..settings(&DefaultDecisions) };
    let opening = Opening::begin(Arc::new(disk.clone()), ID, settings).unwrap();
    let (mut log, _) = opening.into_serial_log().unwrap();
    log.make_segments().unwrap();
    disk.watched()
});

/// A log that must make a segment before it accepts a record, with some that a checkpoint gives up.
static FULL: LazyLock<Watched> = LazyLock::new(|| {
    let disk = WatchedDisk::default();
    for _ in 0..2 {
        let opening =
            Opening::begin(Arc::new(disk.clone()), ID, settings(&DefaultDecisions)).unwrap();
        let (mut log, _) = opening.into_serial_log().unwrap();
        log.append(&[1; 200]).unwrap();
        log.sync().unwrap();
    }
    disk.watched()
});

fn open(
    watched: &Watched,
    decisions: &'static dyn Decisions,
) -> (WatchedDisk, Arc<Log<WatchedDisk>>) {
    let disk = WatchedDisk::of(watched);
    let opening = Opening::begin(Arc::new(disk.clone()), ID, settings(decisions)).unwrap();
    (disk, Arc::new(opening.into_log().unwrap().0))
}

/// Writes a record, which must be synced by then.
fn write(disk: &WatchedDisk, log: &Log<WatchedDisk>) -> LogIndex {
    let index = log.write(b"x").unwrap();
    assert!(disk.durable() >= index, "record {index} is called durable before its sync");
    index
}

fn go_through(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// This many wait for a batch while something is done; all must come back.
fn all_come_back<const WAITERS: usize>(act: fn(&Bells)) {
    go_through(PREEMPTIONS, move || {
        let bells = Arc::new(Bells::new(&SystemThreads, LogIndex(0)));
        let waiters = [(); WAITERS].map(|()| waiter(&bells));
        act(&bells);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// The writer wakes two of three itself.
fn bells(_: &'static dyn Decisions) {
    all_come_back::<3>(|bells| {
        bells.on_durable(LogIndex(1));
        bells.ring(Bell::FIRST);
    });
}

fn waiter(bells: &Arc<Bells>) -> thread::JoinHandle<()> {
    let bells = Arc::clone(bells);
    thread::spawn(move || {
        while !bells.is_over(LogIndex(1)) {
            bells.wait(Bell::FIRST, LogIndex(1));
        }
    })
}

fn two_write(decisions: &'static dyn Decisions) {
    go_through(PREEMPTIONS, move || {
        let (disk, log) = open(&READY, decisions);
        let other = {
            let (disk, log) = (disk.clone(), Arc::clone(&log));
            thread::spawn(move || write(&disk, &log))
        };
        let mine = write(&disk, &log);
        assert_ne!(other.join().unwrap(), mine);
    });
}

/// Wakes a thread that polls.
#[derive(Default)]
struct Signal {
    is_on: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.is_on.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

fn a_future(decisions: &'static dyn Decisions) {
    go_through(PREEMPTIONS, move || {
        let (disk, log) = open(&READY, decisions);
        let other = {
            let (disk, log) = (disk.clone(), Arc::clone(&log));
            thread::spawn(move || write(&disk, &log))
        };
        let index = log.append(b"y").unwrap();
        {
            let signal = Arc::new(Signal::default());
            let waker = Waker::from(Arc::clone(&signal));
            let mut synced = pin!(log.synced(index));
            while synced.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                let mut is_on = signal.is_on.lock().unwrap();
                while !*is_on {
                    is_on = signal.changed.wait(is_on).unwrap();
                }
                *is_on = false;
            }
        }
        assert!(disk.durable() >= index, "record {index} is called durable before its sync");
        other.join().unwrap();
    });
}

fn needs_a_segment(decisions: &'static dyn Decisions) {
    go_through(PREEMPTIONS, move || {
        let (disk, log) = open(&FULL, decisions);
        write(&disk, &log);
    });
}

fn a_checkpoint(decisions: &'static dyn Decisions) {
    go_through(1, move || {
        let (disk, log) = open(&FULL, decisions);
        let through = log.durable();
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || log.checkpoint(through, b"state").unwrap())
        };
        write(&disk, &log);
        other.join().unwrap();
    });
}

/// A reader of the segment that a checkpoint gives up.
fn a_reader(decisions: &'static dyn Decisions) {
    go_through(PREEMPTIONS, move || {
        let (_, log) = open(&FULL, decisions);
        let through = log.durable();
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || log.checkpoint(through, b"state").unwrap())
        };
        let read = || {
            let mut reader = log.read_from(LogIndex(1))?;
            let record = reader.next_batch()?.and_then(|mut it| it.next()).unwrap();
            assert_eq!(record.payload, [1; 200]);
            Ok(())
        };
        if let Err(error) = read() {
            assert!(matches!(error, ReaderError::GivenUp { .. }), "a reader fails: {error}");
        }
        other.join().unwrap();
    });
}

fn a_failure(decisions: &'static dyn Decisions) {
    go_through(PREEMPTIONS, move || {
        let (disk, log) = open(&READY, decisions);
        disk.fail_syncs();
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || log.write(b"x"))
        };
        let results = [log.write(b"y"), other.join().unwrap()];
        assert!(results.iter().all(|it| matches!(it, Err(AppendError::Failed(_)))));
    });
}

#[test]
fn one_ring_wakes_all_who_wait_for_the_batch() {
    bells(&DefaultDecisions);
}

#[test]
fn a_failure_wakes_all() {
    all_come_back::<3>(Bells::ring_all);
}

/// With a chain of wakes that breaks, so that a thread is left asleep.
#[test]
fn a_thread_that_is_left_is_woken_before_the_bell_is_that_of_another_batch() {
    PLANTED.set(Some(Fault::BrokenChain));
    all_come_back::<3>(|bells| {
        bells.on_durable(LogIndex(1));
        bells.ring(Bell::FIRST);
        bells.prepare(Bell::FIRST);
    });
    PLANTED.set(None);
}

#[test]
fn a_record_is_durable_when_a_thread_has_written_it() {
    two_write(&DefaultDecisions);
}

#[test]
fn a_future_is_ready_when_its_record_is_durable() {
    a_future(&DefaultDecisions);
}

#[test]
fn a_record_waits_for_its_segment() {
    needs_a_segment(&DefaultDecisions);
}

#[test]
fn checkpoints_are_written_while_records_are() {
    a_checkpoint(&DefaultDecisions);
}

#[test]
fn a_reader_meets_the_record_or_learns_that_a_checkpoint_stands_for_it() {
    a_reader(&DefaultDecisions);
}

#[test]
fn every_waiting_thread_learns_of_a_failure() {
    a_failure(&DefaultDecisions);
}

type Model = fn(&'static dyn Decisions);

/// Goes through a model, which must fail with these words.
fn is_caught(what: &str, model: Model, decisions: &'static dyn Decisions, words: &str) {
    let result = catch_unwind(AssertUnwindSafe(|| model(decisions)));
    let panic = result.expect_err(what);
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    assert!(text.contains(words), "{what}: {text}");
}

#[test]
fn every_planted_fault_is_caught() {
    let faults: [(Fault, Model, &str); 8] = [
        (Fault::RingUncounted, bells, "deadlock"),
        (Fault::BrokenChain, bells, "deadlock"),
        (Fault::RungBeforeSync, two_write, "is called durable before its sync"),
        (Fault::RoleReleasedEarly, two_write, "is called durable before its sync"),
        (Fault::WaiterUnseen, two_write, "deadlock"),
        (Fault::RoomUntold, needs_a_segment, "deadlock"),
        (Fault::WriterAsleep, two_write, "deadlock"),
        (Fault::CheckpointUnawaited, a_reader, "a reader fails"),
    ];
    for (fault, model, words) in faults {
        PLANTED.set(Some(fault));
        is_caught(&format!("{fault:?}"), model, &DefaultDecisions, words);
        PLANTED.set(None);
    }
}

macro_rules! wrong_order {
    ($name:ident { $($body:tt)* }) => {
        #[derive(Debug)]
        struct $name;
        impl Decisions for $name { $($body)* }
    };
}

wrong_order! {
    AcknowledgedBeforeSync {
        fn is_durable(&self, _: Stage) -> bool { true }
    }
}
wrong_order! {
    WrittenBeforeTheNameIsDurable {
        fn syncs_directory_for_segment(&self) -> bool { false }
    }
}
wrong_order! {
    RetiredBeforeTheCheckpoint {
        fn checkpoints_before_retiring(&self) -> bool { false }
    }
}
wrong_order! {
    RetiredBeforeTheNameIsDurable {
        fn syncs_directory_for_checkpoint(&self) -> bool { false }
    }
}

#[test]
fn every_wrong_order_is_caught() {
    let orders: [(&str, Model, &'static dyn Decisions, &str); 4] = [
        ("acknowledged", a_failure, &AcknowledgedBeforeSync, "Failed"),
        ("written", needs_a_segment, &WrittenBeforeTheNameIsDurable, "is not durable"),
        ("retired", a_checkpoint, &RetiredBeforeTheCheckpoint, "given up"),
        ("retired", a_checkpoint, &RetiredBeforeTheNameIsDurable, "given up"),
    ];
    for (what, model, decisions, words) in orders {
        is_caught(what, model, decisions, words);
    }
}
