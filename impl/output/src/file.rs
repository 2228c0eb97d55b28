//! Files that appear when they are complete.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;
use tempfile::{Builder, TempPath};

/// A file under construction. Dropped before [`WholeFile::finish`], it leaves what was there before.
///
/// So does a process that is killed: until it is complete, the file has no name, where the file
/// system knows such files. Elsewhere a signal leaves the temporary file behind.
///
/// A pipe or a device is written to at once and not replaced by a file; what a link names is
/// replaced, and not the link. A file that may not be written to is not replaced either, although
/// its directory would allow it: as `cp` has it, who makes a file read-only wants to keep it.
///
/// A file that is replaced passes on its permissions, and its owner and group as far as this process
/// may give files away; access lists and other attributes it does not. Its other names, if it has
/// any, go on naming what was there before.
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    file: BufWriter<File>,
    name: Name,
}

/// What names the bytes that are written.
#[derive(Debug)]
enum Name {
    /// The target: it is a pipe or a device.
    Target,
    /// Nothing yet.
    None,
    /// A temporary name beside the target.
    Temporary(TempPath),
}

impl WholeFile {
    /// Makes the file at `path` of what `write` writes.
    ///
    /// # Errors
    /// It cannot be created or written.
    pub fn write(
        path: &Path,
        write: impl FnOnce(&mut WholeFile) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = WholeFile::create(path)?;
        write(&mut file)?;
        file.finish()
    }

    /// Begins the file that is to be at `path`.
    ///
    /// # Errors
    /// There is no such directory; it, the device or the file that is there cannot be written to; or
    /// a link names nothing.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            // What it names cannot be replaced, and the link itself must not be.
            Err(error) if path.is_symlink() => return Err(error),
            Err(_) => path.to_owned(),
        };
        let (file, name) = open(&target)?;
        Ok(WholeFile { target, file: BufWriter::new(file), name })
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// What remains cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(|it| it.into_error())?;
        let temporary = match self.name {
            Name::Target => return Ok(()),
            Name::Temporary(path) => {
                file.sync_all()?;
                path
            }
            Name::None => {
                file.sync_all()?;
                // Only what has a name can replace what is there. It keeps this one for a moment.
                name(&file, directory_of(&self.target))?
            }
        };
        temporary.persist(&self.target).map_err(|it| it.error)?;
        sync_directory_of(&self.target)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Opens what is written to before it is at `target`.
fn open(target: &Path) -> io::Result<(File, Name)> {
    let replaced = fs::metadata(target).ok();
    if replaced.as_ref().is_some_and(|it| !it.is_file()) {
        return Ok((OpenOptions::new().write(true).open(target)?, Name::Target));
    }
    if replaced.is_some() {
        assert_writable(target)?;
    }
    let directory = directory_of(target);
    fs::metadata(directory)?;
    let (file, name) = match nameless_in(directory) {
        Some(file) => (file, Name::None),
        None => {
            let (file, path) = named_in(directory)?;
            (file, Name::Temporary(path))
        }
    };
    if let Some(replaced) = replaced {
        inherit(&file, &replaced)?;
    }
    Ok((file, name))
}

/// What anybody may do with a new file; the umask takes its part of it.
const MODE: u32 = 0o666;

/// A file of this directory without a name, as readable as any new file; `None` where there are none.
fn nameless_in(directory: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).mode(MODE).custom_flags(NAMELESS?).open(directory).ok()?;
    // Without this it would stay nameless.
    open_file(&file).exists().then_some(file)
}

#[cfg(target_os = "linux")]
const NAMELESS: Option<i32> = Some(nix::libc::O_TMPFILE);
#[cfg(not(target_os = "linux"))]
const NAMELESS: Option<i32> = None;

/// A file of this directory with a temporary name, and that name.
fn named_in(directory: &Path) -> io::Result<(File, TempPath)> {
    let mut builder = Builder::new();
    let file = builder.permissions(Permissions::from_mode(MODE)).tempfile_in(directory);
    // The error would name the temporary file, of which the user knows nothing.
    Ok(file.map_err(|error| error.kind())?.into_parts())
}

/// Gives a file without a name a temporary one.
fn name(file: &File, directory: &Path) -> io::Result<TempPath> {
    let link = |path: &Path| {
        let (file, follow) = (open_file(file), AtFlags::AT_SYMLINK_FOLLOW);
        linkat(AT_FDCWD, &file, AT_FDCWD, path, follow).map_err(io::Error::from)
    };
    Ok(Builder::new().make_in(directory, link).map_err(|error| error.kind())?.into_temp_path())
}

/// Where the system lists a file that is open.
fn open_file(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

fn assert_writable(target: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(target).map_err(|it| (it.kind(), it)) {
        // A program that runs can be replaced, though not changed.
        Ok(_) | Err((ErrorKind::ExecutableFileBusy, _)) => Ok(()),
        Err((kind @ ErrorKind::PermissionDenied, _)) => {
            Err(io::Error::new(kind, "the file that is there may not be written to"))
        }
        Err((_, error)) => Err(error),
    }
}

/// Gives a file what the one that it replaces passes on.
fn inherit(file: &File, replaced: &Metadata) -> io::Result<()> {
    // Few may give a file to another owner, and its own may give it to a group of theirs. First, as
    // it takes back what permissions say of running as the owner.
    let _ = fchown(file, Some(replaced.uid()), None);
    let _ = fchown(file, None, Some(replaced.gid()));
    file.set_permissions(replaced.permissions())
}

/// The directory that holds `path`.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes durable which files the directory of `path` holds.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn a_link_that_names_nothing_is_refused_and_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("link");
        symlink("nowhere", &link).expect("a link");
        let error = WholeFile::create(&link).expect_err("it names nothing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(link.is_symlink());
    }

    #[test]
    fn what_was_there_stays_until_the_file_is_complete_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "before").expect("a file");
        let failed = WholeFile::write(&path, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("a file"), b"before");
        WholeFile::write(&path, |out| out.write_all(b"whole")).expect("it can be written");
        assert_eq!(fs::read(&path).expect("a file"), b"whole");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn where_a_file_must_have_a_name_it_appears_complete_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("file");
        let begin = || {
            let (file, name) = named_in(directory.path()).expect("a file");
            let (file, name) = (BufWriter::new(file), Name::Temporary(name));
            WholeFile { target: target.clone(), file, name }
        };
        begin().write_all(b"half").expect("it can be written");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
        let mut whole = begin();
        whole.write_all(b"whole").expect("it can be written");
        whole.finish().expect("it can be named");
        assert_eq!(fs::read(&target).expect("a file"), b"whole");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn a_file_passes_on_its_permissions_and_its_owner() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "before").expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("it is ours");
        // Where we may, which root does.
        let _ = chown(&path, Some(NOBODY), Some(NOBODY));
        let of = |path: &Path| {
            let it = fs::metadata(path).expect("a file");
            (it.uid(), it.gid(), it.mode())
        };
        let before = of(&path);
        WholeFile::write(&path, |out| out.write_all(b"after")).expect("it can be replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"after");
        assert_eq!(of(&path), before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_read_only_is_kept() {
        let unprivileged = || {
            // Of this thread only. Permissions say nothing to root; others stay who they are.
            nix::unistd::setfsuid(NOBODY.into());
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("file");
            fs::write(&path, "before").expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("it is ours");
            let error = WholeFile::create(&path).expect_err("it may not be written to");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert_eq!(fs::read(&path).expect("a file"), b"before");
        };
        std::thread::spawn(unprivileged).join().expect("no assertion fails");
    }

    const NOBODY: u32 = 65_534;
}
