//! The log that a workload runs on: without threads, or with threads that take turns.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use serde::Serialize;
use steadfast_simulated_disk::{EIO, SimulatedDisk, SimulatedFile};
use steadfast_wal::disk::{Access, Disk, DiskFile};
use steadfast_wal::{
    AppendError, CheckpointError, Log, LogFailure, LogId, LogIndex, OpenError, Opening, Recovered,
    SerialLog, Settings,
};

use crate::turns::{Resource, Schedule, Turns};

/// Which log a workload runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogKind {
    /// The log without threads.
    Serial,
    /// The log with threads, run by this schedule.
    Threaded(Schedule),
}

impl LogKind {
    /// The log with threads, once per schedule.
    #[must_use]
    pub fn threaded() -> Vec<LogKind> {
        Schedule::ALL.into_iter().map(LogKind::Threaded).collect()
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogKind::Serial => "without threads",
            LogKind::Threaded(Schedule::ClientFirst) => "threads, the client first",
            LogKind::Threaded(Schedule::LogFirst) => "threads, the log first",
            LogKind::Threaded(Schedule::InTurn) => "threads in turn",
        })
    }
}

/// A log that is open. A process that dies is a log that is dropped: nothing is written after that.
pub(crate) enum Subject {
    Serial(Box<SerialLog<SimulatedDisk>>),
    Threaded(Threaded),
}

impl Subject {
    /// Opens the log on a disk.
    pub(crate) fn open(
        kind: LogKind,
        disk: &SimulatedDisk,
        log: LogId,
        settings: Settings,
    ) -> Result<(Subject, Recovered), OpenError> {
        match kind {
            LogKind::Serial => Opening::begin(Arc::new(disk.clone()), log, settings)?
                .into_serial_log()
                .map(|(log, recovered)| (Subject::Serial(Box::new(log)), recovered)),
            LogKind::Threaded(schedule) => Threaded::open(schedule, disk, log, settings)
                .map(|(log, recovered)| (Subject::Threaded(log), recovered)),
        }
    }

    pub(crate) fn durable(&self) -> LogIndex {
        match self {
            Subject::Serial(log) => log.durable(),
            Subject::Threaded(it) => it.log().durable(),
        }
    }

    pub(crate) fn append(&mut self, record: &[u8]) -> Result<LogIndex, AppendError> {
        match self {
            Subject::Serial(log) => log.append(record),
            Subject::Threaded(it) => it.append(record),
        }
    }

    /// Waits until everything that was accepted is durable.
    pub(crate) fn sync(&mut self) -> Result<LogIndex, LogFailure> {
        match self {
            Subject::Serial(log) => log.sync(),
            Subject::Threaded(it) => it.sync(),
        }
    }

    pub(crate) fn checkpoint(
        &mut self,
        through: LogIndex,
        state: &[u8],
    ) -> Result<(), CheckpointError> {
        match self {
            Subject::Serial(log) => log.checkpoint(through, state),
            Subject::Threaded(it) => {
                let result = it.log().checkpoint(through, state);
                it.turns.pass();
                result
            }
        }
    }

    pub(crate) fn close(self) -> Result<LogIndex, LogFailure> {
        match self {
            Subject::Serial(log) => log.close(),
            Subject::Threaded(mut it) => it.log.take().map_or(Ok(LogIndex(0)), Log::close),
        }
    }
}

/// The log with threads that take turns at the disk.
pub(crate) struct Threaded {
    /// Gone when the log was closed.
    log: Option<Log<SharedDisk, Turns>>,
    disk: Arc<SharedDisk>,
    turns: Turns,
    schedule: Schedule,
}

impl Threaded {
    fn open(
        schedule: Schedule,
        disk: &SimulatedDisk,
        log: LogId,
        settings: Settings,
    ) -> Result<(Threaded, Recovered), OpenError> {
        let turns = Turns::new(schedule);
        let is_dead = Arc::new(AtomicBool::new(false));
        let disk = Arc::new(SharedDisk { disk: disk.clone(), turns: turns.clone(), is_dead });
        let opening = Opening::begin(Arc::clone(&disk), log, settings)?;
        let (log, recovered) = opening.into_log_on(&turns)?;
        let threaded = Threaded { log: Some(log), disk, turns, schedule };
        threaded.turns.pass();
        Ok((threaded, recovered))
    }

    fn log(&self) -> &Log<SharedDisk, Turns> {
        self.log.as_ref().expect("a log that is used is not closed")
    }

    fn append(&self, record: &[u8]) -> Result<LogIndex, AppendError> {
        let index = self.log().append(record)?;
        if self.schedule == Schedule::InTurn {
            // That the future is asked for once makes the writer begin.
            let mut context = Context::from_waker(Waker::noop());
            let _ = pin!(self.log().synced(index)).poll(&mut context);
        }
        self.turns.pass();
        Ok(index)
    }

    fn sync(&self) -> Result<LogIndex, LogFailure> {
        let last = self.log().last();
        if self.schedule == Schedule::ClientFirst {
            self.log().wait(last)?;
        } else {
            self.wait_by_future(last)?;
        }
        self.turns.pass();
        Ok(self.log().durable())
    }

    fn wait_by_future(&self, index: LogIndex) -> Result<(), LogFailure> {
        let woken = self.turns.resource();
        let waker = Waker::from(Arc::new(Unblock(woken.clone())));
        let mut synced = pin!(self.log().synced(index));
        loop {
            // No other thread runs between these two, so no wake-up is missed.
            match synced.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => return result,
                Poll::Pending => woken.block(),
            }
        }
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        // Dropping a log writes its accepted records. A process that dies does not.
        self.disk.is_dead.store(true, Ordering::Relaxed);
    }
}

struct Unblock(Resource);

impl Wake for Unblock {
    fn wake(self: Arc<Self>) {
        self.0.wake_all();
    }
}

/// A simulated disk for threads that take turns: at each call another thread may take over.
struct SharedDisk {
    disk: SimulatedDisk,
    turns: Turns,
    /// Whether the process is dead, so that its calls no longer reach the disk.
    is_dead: Arc<AtomicBool>,
}

struct SharedFile {
    file: SimulatedFile,
    turns: Turns,
    is_dead: Arc<AtomicBool>,
}

/// Where a call begins.
fn begin(turns: &Turns, is_dead: &AtomicBool) -> io::Result<()> {
    turns.pass();
    if is_dead.load(Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(EIO));
    }
    Ok(())
}

impl SharedDisk {
    fn call(&self) -> io::Result<&SimulatedDisk> {
        begin(&self.turns, &self.is_dead).map(|()| &self.disk)
    }

    fn file(&self, file: SimulatedFile) -> SharedFile {
        SharedFile { file, turns: self.turns.clone(), is_dead: Arc::clone(&self.is_dead) }
    }
}

impl Disk for SharedDisk {
    type File = SharedFile;
    type Lock = <SimulatedDisk as Disk>::Lock;

    fn directory(&self) -> String {
        self.disk.directory()
    }

    fn create_directory(&self) -> io::Result<()> {
        self.call()?.create_directory()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.call()?.list()
    }

    fn lock(&self, name: &str, access: Access) -> io::Result<Option<Self::Lock>> {
        self.call()?.lock(name, access)
    }

    fn create(&self, name: &str, access: Access) -> io::Result<SharedFile> {
        self.call()?.create(name, access).map(|it| self.file(it))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<SharedFile> {
        self.call()?.open(name, access).map(|it| self.file(it))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call()?.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call()?.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.call()?.sync_directory()
    }
}

impl SharedFile {
    fn call(&self) -> io::Result<&SimulatedFile> {
        begin(&self.turns, &self.is_dead).map(|()| &self.file)
    }
}

impl DiskFile for SharedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call()?.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.call()?.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.call()?.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.call()?.length()
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.call()?.set_length(bytes)
    }
}
