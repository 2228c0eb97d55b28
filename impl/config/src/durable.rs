//! Writing files so that they survive a power failure.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::InitError;

/// Permissions of private keys.
pub(crate) const PRIVATE: u32 = 0o600;
/// Permissions of everything else, before the umask.
pub(crate) const PUBLIC: u32 = 0o644;

/// Writes a new file and syncs it.
pub(crate) fn write(path: &Path, mode: u32, text: &str) -> Result<(), InitError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| failed(path, source))
}

/// Replaces a file in one step.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), InitError> {
    let directory = parent(path);
    let replace = || {
        let mut file = tempfile::Builder::new().permissions(mode(PUBLIC)).tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|it| it.error)?;
        sync_directory(directory)
    };
    replace().map_err(|source| failed(path, source))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The directory that a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(crate) fn failed(path: &Path, source: io::Error) -> InitError {
    InitError::Write { path: path.to_owned(), source }
}

fn mode(mode: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}
