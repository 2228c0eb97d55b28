//! Threads and futures that wait for a record while the disk takes its time.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use steadfast_simulated_disk::{DiskModel, EIO, SimulatedDisk, SimulatedFile};
use steadfast_wal::disk::{Access, Disk, DiskFile};
use steadfast_wal::{Log, LogId, LogIndex, Opening, Settings};

/// Nothing takes that long: what has not happened by then never will.
const NEVER: Duration = Duration::from_secs(20);

/// A simulated disk on which batches are written, and synced no sooner than the test says.
struct HeldDisk {
    disk: SimulatedDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_held: bool,
    is_reached: bool,
    /// Whether the sync fails.
    is_failing: bool,
}

impl Gate {
    fn change(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait_while(&self, is_early: impl FnMut(&mut GateState) -> bool) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, NEVER, is_early).unwrap();
        let is_late = waited.1.timed_out();
        drop(waited);
        assert!(!is_late, "the other side never comes");
    }

    /// Where a batch comes to be synced.
    fn pass(&self) -> io::Result<()> {
        self.change(|it| it.is_reached = true);
        self.wait_while(|it| it.is_held);
        if self.state.lock().unwrap().is_failing {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }
}

/// The test's side of a gate. Released when it is dropped, so that a test that fails also ends.
struct Hold(Arc<Gate>);

impl Hold {
    /// Waits until a batch is written and its sync is held.
    fn wait_until_reached(&self) {
        self.0.wait_while(|it| !it.is_reached);
    }

    fn release(&self) {
        self.0.change(|it| it.is_held = false);
    }

    /// Releases the batch into a sync that fails.
    fn release_to_fail(&self) {
        self.0.change(|it| *it = GateState { is_held: false, is_failing: true, ..*it });
    }

    fn is_released(&self) -> bool {
        !self.0.state.lock().unwrap().is_held
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

struct HeldFile {
    file: SimulatedFile,
    gate: Arc<Gate>,
    has_batch: AtomicBool,
}

impl HeldDisk {
    fn held(&self, file: SimulatedFile) -> HeldFile {
        HeldFile { file, gate: self.gate.clone(), has_batch: AtomicBool::new(false) }
    }
}

impl Disk for HeldDisk {
    type File = HeldFile;
    type Lock = <SimulatedDisk as Disk>::Lock;

    fn directory(&self) -> String {
        self.disk.directory()
    }

    fn create_directory(&self) -> io::Result<()> {
        self.disk.create_directory()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn lock(&self, name: &str, access: Access) -> io::Result<Option<Self::Lock>> {
        self.disk.lock(name, access)
    }

    fn create(&self, name: &str, access: Access) -> io::Result<HeldFile> {
        self.disk.create(name, access).map(|it| self.held(it))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<HeldFile> {
        self.disk.open(name, access).map(|it| self.held(it))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
}

impl DiskFile for HeldFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if bytes.starts_with(b"STDFSTWB") {
            self.has_batch.store(true, Ordering::Relaxed);
        }
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        if self.has_batch.load(Ordering::Relaxed) {
            self.gate.pass()?;
        }
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.file.set_length(bytes)
    }
}

/// A log whose next batch is held, and a record that was accepted.
fn held_log() -> (Log<HeldDisk>, Hold, LogIndex) {
    let gate = Arc::new(Gate::default());
    let disk = SimulatedDisk::new(DiskModel::default());
    let disk = HeldDisk { disk, gate: gate.clone() };
    let opening = Opening::begin(Arc::new(disk), LogId(42), Settings::default()).unwrap();
    let (log, _) = opening.into_log().unwrap();
    gate.change(|it| *it = GateState { is_held: true, ..GateState::default() });
    let index = log.append(b"x").unwrap();
    (log, Hold(gate), index)
}

struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

/// A waker, its other end, and something that is shared by all its copies.
fn waker() -> (Waker, Receiver<()>, Arc<Bell>) {
    let (sender, receiver) = channel();
    let bell = Arc::new(Bell(sender));
    (Waker::from(bell.clone()), receiver, bell)
}

#[test]
fn a_record_is_durable_when_its_sync_has_ended_and_no_sooner() {
    let (log, hold, index) = held_log();
    let (waker, woken, _) = waker();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(log.synced(index));
    assert!(future.as_mut().poll(&mut context).is_pending());
    hold.wait_until_reached();
    assert!(log.durable() < index);
    assert!(future.as_mut().poll(&mut context).is_pending(), "written is not synced");
    assert!(woken.try_recv().is_err());

    hold.release();
    woken.recv_timeout(NEVER).expect("the future is woken");
    assert_eq!(log.durable(), index);
    assert!(matches!(future.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
}

#[test]
fn a_thread_that_waits_goes_on_when_the_sync_has_ended() {
    let (log, hold, index) = held_log();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            log.wait(index).unwrap();
            hold.is_released()
        });
        hold.wait_until_reached();
        hold.release();
        assert!(waiting.join().unwrap());
    });
    assert_eq!(log.durable(), index);
}

#[test]
fn a_future_wakes_whoever_polled_it_last() {
    let (log, hold, index) = held_log();
    let [(first, first_woken, _), (last, last_woken, _)] = [waker(), waker()];
    let mut future = pin!(log.synced(index));
    for waker in [&first, &last] {
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    hold.release();
    last_woken.recv_timeout(NEVER).expect("the last one is woken");
    assert!(first_woken.try_recv().is_err(), "the task went elsewhere");
}

#[test]
fn a_future_keeps_one_waker_and_gives_it_back_when_it_is_dropped() {
    let (log, hold, index) = held_log();
    let (waker, _, bell) = waker();
    let before = Arc::strong_count(&bell);
    for _ in 0..10 {
        let mut future = pin!(log.synced(index));
        for _ in 0..3 {
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(Arc::strong_count(&bell), before + 1);
        }
    }
    assert_eq!(Arc::strong_count(&bell), before);
    hold.release();
    assert_eq!(log.close().unwrap(), index);
}

#[test]
fn a_future_hears_that_the_log_has_failed() {
    let (log, hold, index) = held_log();
    let (waker, woken, _) = waker();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(log.synced(index));
    assert!(future.as_mut().poll(&mut context).is_pending());
    hold.wait_until_reached();
    hold.release_to_fail();
    woken.recv_timeout(NEVER).expect("the future is woken");
    assert!(matches!(future.as_mut().poll(&mut context), Poll::Ready(Err(_))));
    assert!(log.durable() < index);
}

#[test]
fn a_reader_does_not_see_a_record_before_its_sync_has_ended() {
    let (log, hold, index) = held_log();
    let mut reader = log.read_from(index).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait(index).unwrap());
        hold.wait_until_reached();
        assert!(reader.next_batch().unwrap().is_none(), "written is not synced");
        hold.release();
        waiting.join().unwrap();
    });
    let records = reader.next_batch().unwrap().expect("a record");
    assert_eq!(records.map(|it| it.payload.to_vec()).collect::<Vec<_>>(), [b"x"]);
}
