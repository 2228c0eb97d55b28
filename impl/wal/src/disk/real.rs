//! The file system of the machine.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Access, Disk, DiskFile};

/// A directory of the file system.
///
/// Files that are written in blocks bypass the page cache (`O_DIRECT`) where the file system can
/// do that, and go through it where not.
#[derive(Clone, Debug)]
pub struct RealDisk {
    directory: PathBuf,
    is_direct: bool,
}

/// A file of the file system.
#[derive(Debug)]
pub struct RealFile(File);

/// A lock on a directory, held until it is dropped.
#[derive(Debug)]
pub struct RealLock {
    /// Closing it unlocks it.
    _file: File,
    id: FileId,
}

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileId {
    device: u64,
    inode: u64,
}

/// How often a lock that another process holds is tried. A child process holds the locks of its parent
/// from its start until it runs its own program, even those that the parent gives up meanwhile.
const LOCK_ATTEMPTS: u32 = 20;
/// The time between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The locks that this process holds. The system says only that a lock is held, not by which process.
static HELD: Mutex<BTreeSet<FileId>> = Mutex::new(BTreeSet::new());

fn held() -> MutexGuard<'static, BTreeSet<FileId>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileId {
    fn of(metadata: &Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl RealLock {
    fn of(file: File) -> io::Result<RealLock> {
        let id = FileId::of(&file.metadata()?);
        held().insert(id);
        Ok(RealLock { _file: file, id })
    }
}

impl Drop for RealLock {
    fn drop(&mut self) {
        // Before the file is closed, because the next owner of the lock enters the same file.
        held().remove(&self.id);
    }
}

impl RealDisk {
    /// This directory, which need not exist yet.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> RealDisk {
        RealDisk { directory: directory.into(), is_direct: true }
    }

    /// This directory, written through the page cache.
    #[must_use]
    pub fn buffered(directory: impl Into<PathBuf>) -> RealDisk {
        RealDisk { directory: directory.into(), is_direct: false }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn open_with(&self, name: &str, options: &OpenOptions, access: Access) -> io::Result<RealFile> {
        let path = self.path(name);
        if access == Access::WriteBlocks && self.is_direct {
            let mut direct = options.clone();
            direct.custom_flags(DIRECT);
            match direct.open(&path) {
                // The file system cannot do it.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                result => return result.map(RealFile),
            }
        }
        options.open(&path).map(RealFile)
    }
}

#[cfg(target_os = "linux")]
const DIRECT: i32 = libc::O_DIRECT;
#[cfg(not(target_os = "linux"))]
const DIRECT: i32 = 0;

impl Disk for RealDisk {
    type File = RealFile;
    type Lock = RealLock;

    fn directory(&self) -> String {
        self.directory.display().to_string()
    }

    fn is_concurrent(&self) -> bool {
        true
    }

    fn create_directory(&self) -> io::Result<()> {
        match fs::create_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !self.directory.is_dir() {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
            }
            result => result?,
        }
        let parent = match self.directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(parent)?.sync_all()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.directory)?;
        let names = entries.map(|it| it.map(|it| it.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn lock(&self, name: &str, access: Access) -> io::Result<Option<RealLock>> {
        let mut options = OpenOptions::new();
        let is_written = access != Access::Read;
        options.read(true).write(is_written).create(is_written).truncate(false);
        let file = options.open(self.path(name))?;
        for attempt in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return RealLock::of(file).map(Some),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if self.is_locked_by_this_process(name) => break,
                Err(TryLockError::WouldBlock) if attempt + 1 < LOCK_ATTEMPTS => {
                    thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {}
            }
        }
        Ok(None)
    }

    fn is_locked_by_this_process(&self, name: &str) -> bool {
        let metadata = fs::metadata(self.path(name)).ok();
        metadata.is_some_and(|it| held().contains(&FileId::of(&it)))
    }

    fn create(&self, name: &str, access: Access) -> io::Result<RealFile> {
        // An open for direct I/O that fails may leave the file behind, so it is made without.
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(self.path(name))?;
        if access == Access::WriteBlocks { self.open(name, access) } else { Ok(RealFile(file)) }
    }

    fn open(&self, name: &str, access: Access) -> io::Result<RealFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(access != Access::Read);
        self.open_with(name, &options, access)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    // Writes that are synced in the same call (`O_DSYNC`, `RWF_DSYNC`) are as safe and were not faster:
    // where the disk cannot force a single write to its medium, both end in the same flush.
    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    #[cfg(target_os = "linux")]
    fn reflink(&self, old: &RealFile) -> io::Result<bool> {
        // After any error the caller can still write the bytes. Some kernels report success after sharing only a
        // part of the file (Linux: "xfs: don't drop errno values when we fail to ficlone the entire range", 2024),
        // and a file system may keep such a part when it reports an error.
        let is_done = rustix::fs::ioctl_ficlone(&self.0, &old.0).is_ok();
        let is_whole = is_done && self.length()? == old.length()?;
        if !is_whole {
            self.set_length(0)?;
        }
        Ok(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shares_the_bytes_of_another_or_stays_empty() {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = RealDisk::new(directory.path());
        let [old, new] = ["old", "new"].map(|it| disk.create(it, Access::Write).expect("a file"));
        let bytes: Vec<u8> = (0..10_000_u32).map(|it| it.to_le_bytes()[0]).collect();
        assert_eq!(old.write_at(&bytes, 0).expect("a write"), bytes.len());
        old.sync().expect("a sync");
        if !new.reflink(&old).expect("an answer") {
            println!("this file system has no reflinks");
            assert_eq!(new.length().expect("a length"), 0);
            return;
        }
        new.write_at(b"other", 5_000).expect("a write");
        new.sync().expect("a sync");
        let read = |file: &RealFile| {
            let mut read = vec![0; 20_000];
            let count = crate::disk::read_full(file, &mut read, 0).expect("a read");
            read.truncate(count);
            read
        };
        assert_eq!(read(&old), bytes);
        assert_eq!(read(&new), [&bytes[..5_000], b"other", &bytes[5_005..]].concat());
    }
}
