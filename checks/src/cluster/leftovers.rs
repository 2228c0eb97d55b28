//! The directory of an invocation, and those that killed ones have left.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// How the directories of invocations begin, in the directory for temporary files.
const PREFIX: &str = "steadfast-check-cluster-";

/// Locked by the invocation that uses a directory, and gone from one that is to stay.
const LOCK: &str = "in-use";

/// The directory of an invocation. It is removed in the end unless it is kept.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    is_kept: bool,
    _lock: File,
}

impl Directory {
    /// Makes a directory: this one, or a new one among the temporary files, where those of invocations that were killed are removed.
    ///
    /// # Errors
    /// It cannot be made, or the named one has something in it.
    pub(crate) fn make(named: Option<&Path>) -> io::Result<Directory> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => {
                let temporary = std::env::temp_dir();
                remove_leftovers(&temporary, PREFIX)?;
                tempfile::Builder::new().prefix(PREFIX).tempdir_in(temporary)?.keep()
            }
        };
        fs::create_dir_all(&path)?;
        if fs::read_dir(&path)?.next().is_some() {
            let why = format!("{} is not empty: name a new directory", path.display());
            return Err(io::Error::other(why));
        }
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Directory { path, is_kept: false, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the directory.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
        // Without it, the directory is never taken for a leftover.
        let _ = fs::remove_file(self.path.join(LOCK));
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.is_kept {
            // The next invocation tries again.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes directories whose invocation has ended without removing them.
fn remove_leftovers(around: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(around)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => fs::remove_dir_all(entry.path())?,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_killed_invocation_is_removed_and_others_stay() {
        let around = tempfile::TempDir::new().expect("a directory");
        let at = |name: &str| around.path().join(format!("{PREFIX}{name}"));
        let running = Directory::make(Some(&at("running"))).expect("a directory");
        let mut failed = Directory::make(Some(&at("failed"))).expect("a directory");
        failed.keep();
        drop(failed);
        fs::create_dir(at("killed")).expect("a directory");
        fs::write(at("killed").join(LOCK), "").expect("a file");
        remove_leftovers(around.path(), PREFIX).expect("directories");
        let are_there = ["running", "failed", "killed"].map(|it| at(it).is_dir());
        assert_eq!(are_there, [true, true, false]);
        drop(running);
        assert!(!at("running").exists());
        let refused = Directory::make(Some(around.path())).expect_err("files of others");
        assert!(refused.to_string().contains("not empty"), "{refused}");
    }
}
