//! Temporary names, which a signal that ends the program removes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, TempPath};

use crate::signals;

/// The temporary names. Locked while one is made or given up, so that a signal finds all.
static NAMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary name. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Temporary {
    path: Option<TempPath>,
}

impl Temporary {
    /// Makes a file or a link with a name of its own in `directory`.
    pub(super) fn make<R>(
        directory: &Path,
        mut make: impl FnMut(&Path) -> io::Result<R>,
    ) -> io::Result<(R, Temporary)> {
        signals::watch();
        let mut names = names();
        // The error of the library would name the temporary file, which the user does not know.
        let mut code = None;
        let mut noted = |path: &Path| make(path).inspect_err(|it| code = it.raw_os_error());
        let made = Builder::new().make_in(directory, &mut noted);
        let without_name = |error: io::Error| {
            code.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
        };
        let (made, path) = made.map_err(without_name)?.into_parts();
        names.push(path.to_path_buf());
        Ok((made, Temporary { path: Some(path) }))
    }

    /// Renames the file to `target`, replacing the file that had that name.
    pub(super) fn persist(mut self, target: &Path) -> io::Result<()> {
        let mut names = names();
        let Some(path) = self.path.take() else { return Ok(()) };
        let name = path.to_path_buf();
        // Dropped, the error removes the temporary name.
        let persisted = path.persist(target).map_err(|it| it.error);
        names.retain(|it| *it != name);
        persisted
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let mut names = names();
            names.retain(|it| **it != *path);
            drop(path);
        }
    }
}

/// Removes all temporary files, before the program ends without running destructors. As long as the
/// caller keeps the result, no further one can be made.
pub(crate) fn remove_temporary_files() -> impl Drop {
    let mut names = names();
    names.drain(..).for_each(|it| drop(fs::remove_file(it)));
    names
}

fn names() -> MutexGuard<'static, Vec<PathBuf>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}
