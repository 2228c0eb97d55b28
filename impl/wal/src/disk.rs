//! The calls that the log makes to a disk: one directory with files in it.
//!
//! An implementation of [`Disk`] promises this and no more:
//!
//! - Written bytes are readable at once. They survive a crash only after [`DiskFile::sync`]; until then
//!   each sector may come back old, new or as garbage.
//! - A name given, changed or removed survives a crash only after [`Disk::sync_directory`], whether
//!   or not the file was synced. Until then each such change may be there or not, but a rename is
//!   never half there.
//! - After a failed sync nothing is known about the bytes written since the sync before.
//!
//! The crate `steadfast-simulated-disk` has a disk in memory that misbehaves; one body of tests there runs on
//! it and on the real one.

mod aligned;
mod real;

use std::fmt;
use std::io;

pub use aligned::AlignedBuffer;
pub use real::{RealDisk, RealFile, RealLock};

/// The purpose for which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Writing, anything anywhere.
    Write,
    /// Writing whole blocks from aligned memory, past the page cache where that is possible.
    WriteBlocks,
}

/// A directory on a disk.
pub trait Disk: Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// Keeps other processes out for as long as it lives.
    type Lock: Send + Sync + 'static;

    /// The name of this directory in messages.
    fn directory(&self) -> String;

    /// Whether working ahead in another thread pays: calls take time, and they may come from several threads
    /// in any order.
    fn is_concurrent(&self) -> bool {
        false
    }

    /// Makes the directory, if there is none, and makes that durable.
    fn create_directory(&self) -> io::Result<()>;

    /// The names in the directory, in order. [`io::ErrorKind::NotFound`] if there is no directory.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Locks the directory with a file of this name; `None` if it is locked already. With
    /// [`Access::Read`] the file must exist and nothing is changed; otherwise it is created if need be.
    fn lock(&self, name: &str, access: Access) -> io::Result<Option<Self::Lock>>;

    /// Whether this process holds the lock with a file of this name. For messages only: a disk that
    /// cannot know returns `false`.
    fn is_locked_by_this_process(&self, _name: &str) -> bool {
        false
    }

    /// Creates an empty file. [`io::ErrorKind::AlreadyExists`] if the name is taken.
    fn create(&self, name: &str, access: Access) -> io::Result<Self::File>;

    /// Opens a file that exists.
    fn open(&self, name: &str, access: Access) -> io::Result<Self::File>;

    /// Renames a file, replacing the one that had the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names in the directory durable.
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync + 'static {
    /// Reads some of the bytes from this offset on and returns how many; 0 at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of these bytes from this offset on and returns how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the contents and the length durable.
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, bytes: u64) -> io::Result<()>;

    /// Makes this empty file a reflink of `old`, a file of the same disk: it gets the bytes and the length of `old`, and
    /// both files share their blocks until one of them is written to (`FICLONE` in ioctl_ficlone(2)). Returns `false`
    /// and leaves the file empty if the disk cannot share the whole file.
    ///
    /// # Errors
    /// The disk fails.
    fn reflink(&self, _old: &Self) -> io::Result<bool>
    where
        Self: Sized,
    {
        Ok(false)
    }
}

/// Reads from `offset` on until the memory is full or the file ends, and returns the number of bytes read.
///
/// # Errors
/// The disk fails. An interrupted call is repeated.
pub fn read_full(file: &impl DiskFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// A call of the log to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Making the directory.
    CreateDirectory,
    /// Reading the names in the directory.
    List,
    /// Locking the directory.
    Lock,
    /// Making a file.
    Create,
    /// Opening a file.
    Open,
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Changing the length of a file.
    SetLength,
    /// Making a file share the blocks of another.
    Reflink,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing the directory.
    SyncDirectory,
    /// Starting a thread.
    Start,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::CreateDirectory => "make the directory",
            Call::List => "list",
            Call::Lock => "lock",
            Call::Create => "create",
            Call::Open => "open",
            Call::Read => "read",
            Call::Write => "write",
            Call::Sync => "sync",
            Call::SetLength => "set the length of",
            Call::Reflink => "reflink",
            Call::Rename => "rename",
            Call::Remove => "remove",
            Call::SyncDirectory => "sync the directory",
            Call::Start => "start",
        })
    }
}

/// The disk failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {call} {name}")]
pub struct DiskError {
    /// The call that failed.
    pub call: Call,
    /// The file or directory.
    pub name: String,
    /// Why it failed.
    pub source: io::Error,
}

impl DiskError {
    /// Names the call and the file that an error came from.
    pub(crate) fn of(call: Call, name: impl Into<String>) -> impl FnOnce(io::Error) -> DiskError {
        move |source| DiskError { call, name: name.into(), source }
    }

    /// Whether the disk was full and nothing is uncertain because of that. A failed sync of the
    /// directory leaves open which names are durable, whatever the reason, so it does not count.
    #[must_use]
    pub fn is_out_of_space(&self) -> bool {
        self.call != Call::SyncDirectory
            && matches!(
                self.source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
    }
}
