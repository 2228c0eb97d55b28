//! A disk in memory for [`steadfast_wal`] that misbehaves as real disks do.
//!
//! ```
//! use std::sync::Arc;
//! use steadfast_simulated_disk::{DiskModel, ENOSPC, Fault, SimulatedDisk};
//! use steadfast_wal::{LogId, Opening, Settings};
//!
//! let disk = SimulatedDisk::new(DiskModel::default());
//! let settings = Settings { segment_bytes: 64 << 10, batch_bytes: 4_096, ..Settings::default() };
//! let opening = Opening::begin(Arc::new(disk.clone()), LogId(7), settings)?;
//! let (mut log, _) = opening.into_serial_log()?;
//! log.append(b"remember the milk")?;
//! disk.fail_at(disk.calls(), Fault::Error(ENOSPC));
//! assert!(log.sync().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_debug_implementations)]

mod crash;
mod model;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

pub use crash::CrashModel;
pub use model::DiskModel;
use model::Inode;
use steadfast_wal::disk::{Access, Disk, DiskFile};

/// A fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with this error number of the operating system and does nothing. Bytes that a
    /// failed sync was to make durable are not made durable by later syncs either.
    Error(i32),
    /// The call reads or writes at most this many bytes.
    Short(usize),
    /// The call reads or writes this many bytes further on in the file, or further back, and reports
    /// success.
    Misdirected(i64),
}

/// The error number for a disk that fails.
pub const EIO: i32 = libc::EIO;
/// The error number for a disk that is full.
pub const ENOSPC: i32 = libc::ENOSPC;
/// The error number for a disk that cannot be written to.
pub const EROFS: i32 = libc::EROFS;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    model: DiskModel,
    is_locked: bool,
    /// How many calls there were.
    calls: u64,
    /// How many calls changed the disk.
    changes: usize,
    /// The faults, each with the number of its call.
    faults: Vec<(u64, Fault)>,
    /// The faults that wait for a call of one thread, each with the number of that thread's calls before it.
    faults_of_threads: Vec<(ThreadId, u64, Fault)>,
    /// How many bytes fit on the disk.
    capacity: Option<u64>,
    /// What [`Disk::is_concurrent`] answers.
    is_concurrent: bool,
    /// The disk after each call that changed it.
    tape: Option<Vec<DiskModel>>,
}

/// A file of a simulated disk.
#[derive(Debug)]
pub struct SimulatedFile {
    disk: SimulatedDisk,
    inode: Inode,
    access: Access,
}

/// Unlocks the disk when dropped.
#[derive(Debug)]
pub struct SimulatedLock(SimulatedDisk);

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.0.inner().is_locked = false;
    }
}

impl SimulatedDisk {
    /// A disk in this state.
    #[must_use]
    pub fn new(model: DiskModel) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Mutex::new(Inner {
            model,
            is_locked: false,
            calls: 0,
            changes: 0,
            faults: Vec::new(),
            faults_of_threads: Vec::new(),
            capacity: None,
            is_concurrent: false,
            tape: None,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the disk.
    #[must_use]
    pub fn model(&self) -> DiskModel {
        self.inner().model.clone()
    }

    /// Looks at the state of the disk, without a copy of it.
    pub fn look<T>(&self, look: impl FnOnce(&DiskModel) -> T) -> T {
        look(&self.inner().model)
    }

    /// Changes the disk without a call, unnoticed by its user.
    pub fn tamper(&self, change: impl FnOnce(&mut DiskModel)) {
        change(&mut self.inner().model);
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// How many calls changed the disk.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.inner().changes
    }

    /// Plants a fault in a call; the first one is call 0.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.inner().faults.push((call, fault));
    }

    /// Plants a fault in a later call of this thread; 0 is its next call. Calls of other threads neither count nor
    /// fail, so a test can hit a call of its own while a log works in the background.
    pub fn fail_this_thread(&self, call: u64, fault: Fault) {
        self.inner().faults_of_threads.push((thread::current().id(), call, fault));
    }

    /// Limits how many bytes fit on the disk.
    pub fn limit(&self, bytes: Option<u64>) {
        self.inner().capacity = bytes;
    }

    /// Lets the users of the disk work ahead in other threads. Then the order of their calls is not deterministic.
    pub fn allow_concurrency(&self) {
        self.inner().is_concurrent = true;
    }

    /// Keeps the state of the disk after each call that changes it from now on, beginning with
    /// the present one.
    pub fn start_tape(&self) {
        let mut inner = self.inner();
        inner.tape = Some(vec![inner.model.clone()]);
    }

    /// How many states are on the tape.
    #[must_use]
    pub fn tape_length(&self) -> usize {
        self.inner().tape.as_ref().map_or(0, Vec::len)
    }

    /// The states on the tape, which ends.
    #[must_use]
    pub fn take_tape(&self) -> Vec<DiskModel> {
        self.inner().tape.take().unwrap_or_default()
    }

    /// Begins a call: fails it, or returns its fault.
    fn call(&self) -> io::Result<(MutexGuard<'_, Inner>, Option<Fault>)> {
        let mut inner = self.inner();
        let call = inner.calls;
        inner.calls += 1;
        let of_thread = inner.fault_of_this_thread();
        match of_thread.or(inner.faults.iter().find(|it| it.0 == call).map(|it| it.1)) {
            Some(Fault::Error(number)) => Err(io::Error::from_raw_os_error(number)),
            fault => Ok((inner, fault)),
        }
    }

    /// A call that changes the disk and in which nothing but an error can go wrong.
    fn change<T>(&self, change: impl FnOnce(&mut DiskModel) -> io::Result<T>) -> io::Result<T> {
        let (mut inner, _) = self.call()?;
        let result = change(&mut inner.model)?;
        inner.record();
        Ok(result)
    }

    fn file(&self, inode: Inode, access: Access) -> SimulatedFile {
        SimulatedFile { disk: self.clone(), inode, access }
    }
}

impl Inner {
    /// Counts a call of this thread, and takes the fault that was planted in it.
    fn fault_of_this_thread(&mut self) -> Option<Fault> {
        if self.faults_of_threads.is_empty() {
            return None;
        }
        let this = thread::current().id();
        let due = self.faults_of_threads.iter().position(|it| it.0 == this && it.1 == 0);
        let fault = due.map(|at| self.faults_of_threads.swap_remove(at).2);
        for it in self.faults_of_threads.iter_mut().filter(|it| it.0 == this) {
            it.1 = it.1.saturating_sub(1);
        }
        fault
    }

    fn record(&mut self) {
        self.changes += 1;
        if let Some(tape) = &mut self.tape {
            tape.push(self.model.clone());
        }
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;
    type Lock = SimulatedLock;

    fn directory(&self) -> String {
        "the simulated disk".to_owned()
    }

    fn is_concurrent(&self) -> bool {
        self.inner().is_concurrent
    }

    fn create_directory(&self) -> io::Result<()> {
        self.change(|model| {
            model.create_directory();
            Ok(())
        })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.call()?.0.model.list()
    }

    fn lock(&self, name: &str, access: Access) -> io::Result<Option<SimulatedLock>> {
        let (mut inner, _) = self.call()?;
        if inner.is_locked {
            return Ok(None);
        }
        if access == Access::Read {
            inner.model.find(name)?;
        } else if inner.model.find(name).is_err() {
            inner.model.create(name)?;
            inner.record();
        }
        inner.is_locked = true;
        Ok(Some(SimulatedLock(self.clone())))
    }

    fn is_locked_by_this_process(&self, _: &str) -> bool {
        self.inner().is_locked
    }

    fn create(&self, name: &str, access: Access) -> io::Result<SimulatedFile> {
        Ok(self.file(self.change(|model| model.create(name))?, access))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<SimulatedFile> {
        let inode = self.call()?.0.model.find(name)?;
        Ok(self.file(inode, access))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|model| model.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|model| model.remove(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.change(|model| {
            model.sync_directory();
            Ok(())
        })
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let (inner, fault) = self.disk.call()?;
        let length = bytes.len();
        let (bytes, offset) = match fault {
            Some(Fault::Short(most)) => (&mut bytes[..most.min(length)], offset),
            Some(Fault::Misdirected(by)) => (bytes, offset.saturating_add_signed(by)),
            _ => (bytes, offset),
        };
        Ok(inner.model.read(self.inode, bytes, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.access == Access::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (mut inner, fault) = self.disk.call()?;
        let (bytes, offset) = match fault {
            Some(Fault::Short(most)) => (&bytes[..most.min(bytes.len())], offset),
            Some(Fault::Misdirected(by)) => (bytes, offset.saturating_add_signed(by)),
            _ => (bytes, offset),
        };
        let grown = (offset + bytes.len() as u64).saturating_sub(inner.model.length(self.inode));
        if inner.capacity.is_some_and(|it| inner.model.bytes() + grown > it) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.model.write(self.inode, bytes, offset);
        inner.record();
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        let result = self.disk.change(|model| {
            model.sync(self.inode);
            Ok(())
        });
        if result.is_err() {
            let mut inner = self.disk.inner();
            inner.model.fail_sync(self.inode);
            inner.record();
        }
        result
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.call()?.0.model.length(self.inode))
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.disk.change(|model| {
            model.set_length(self.inode, bytes);
            Ok(())
        })
    }

    // A crash may leave any part of the bytes, as if they had been written. They count for the capacity, too.
    fn reflink(&self, old: &SimulatedFile) -> io::Result<bool> {
        if self.access == Access::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (mut inner, _) = self.disk.call()?;
        let length = inner.model.length(old.inode);
        if inner.capacity.is_some_and(|it| inner.model.bytes() + length > it) {
            return Ok(false);
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        inner.model.read(old.inode, &mut bytes, 0);
        inner.model.write(self.inode, &bytes, 0);
        inner.record();
        Ok(true)
    }
}
