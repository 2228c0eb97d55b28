//! Files that appear when they are complete.

mod access;
mod holes;
mod temporary;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;

pub(crate) use self::temporary::remove_temporary_files;

pub use self::access::mode_for_others;
use self::access::{OWN, inherit};
use self::holes::{Holes, PIECE};
use self::temporary::Temporary;
use crate::descriptor::{named_by, reopen};
use crate::paths::directory_of;
use crate::sync::{sync_directory_of, sync_file};

/// A file under construction. Dropped before [`WholeFile::finish`], it leaves the old file in place.
///
/// So does a process that is killed: until it is complete, the file has no name, where the file
/// system knows such files and lets them be named later. Elsewhere it has a temporary name, which the
/// usual signals remove and SIGKILL leaves behind.
///
/// A pipe, a device or a descriptor of this process (`/dev/fd/3`) is written to at once and not
/// replaced by a file; the target of a link is replaced, and not the link. A read-only file is not
/// replaced either, although its directory would allow it: as with `cp`, its owner wants to keep it.
///
/// A file that is replaced passes on its permissions, its access list and its other attributes, and its
/// owner and group as far as this process may give files away. No user gains access at any
/// moment: where an attribute or a list cannot be kept, the file is not replaced. Its other names, if
/// it has any, still name the old file.
///
/// Runs of zeros become holes, which take no room.
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    sink: Sink,
}

/// Where bytes go.
#[derive(Debug)]
enum Sink {
    /// To a pipe, a device or a descriptor.
    Target(BufWriter<File>),
    /// To a file that has no name yet, or a temporary one beside the target.
    File(BufWriter<Holes>, Option<Temporary>),
}

impl WholeFile {
    /// Makes the file at `path` from the bytes that `write` writes.
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

    /// Begins the file that is to be at `path`, as readable as any new file.
    ///
    /// # Errors
    /// There is no such directory, or it can be seen already that no file can be made at this path: it
    /// is a directory, a link that names nothing, a mounted file (`ResourceBusy`), or a file that may
    /// not be written to or has attributes that cannot be kept.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        WholeFile::create_with_mode(path, MODE)
    }

    /// Begins a file that, if there is none yet, gets at most these permissions; the umask takes its
    /// part of them.
    ///
    /// # Errors
    /// As [`WholeFile::create`].
    pub fn create_with_mode(path: &Path, mode: u32) -> io::Result<WholeFile> {
        if let Some(file) = written_to(path)? {
            let sink = Sink::Target(BufWriter::new(file));
            return Ok(WholeFile { target: path.to_owned(), sink });
        }
        let target = target_of(path)?;
        let replaced = replaced_by(&target)?;
        let mode = if replaced.is_some() { OWN } else { mode };
        let (file, name) = begin(directory_of(&target), mode)?;
        if let Some(replaced) = replaced {
            inherit(&file, &target, &replaced)?;
        }
        let sink = Sink::File(BufWriter::with_capacity(PIECE, Holes::new(file)), name);
        Ok(WholeFile { target, sink })
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// The remaining bytes cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let (file, name) = match self.sink {
            Sink::Target(mut file) => return file.flush(),
            Sink::File(file, name) => (file.into_inner().map_err(|it| it.into_error())?, name),
        };
        let file = file.finish()?;
        // Again, because its owner may have restricted it meanwhile. Writing took the right to run it
        // as its owner.
        if let Some(replaced) = replaced_by(&self.target)? {
            inherit(&file, &self.target, &replaced)?;
        }
        sync_file(&file, &self.target)?;
        // Only a file with a name can replace another. It keeps this name for a moment.
        let name = name.map_or_else(|| name_in(directory_of(&self.target), &file), Ok)?;
        name.persist(&self.target)?;
        sync_directory_of(&self.target)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Target(file) => file.write(bytes),
            Sink::File(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Target(file) => file.flush(),
            Sink::File(file, _) => file.flush(),
        }
    }
}

/// The permissions of a new file, before the umask.
const MODE: u32 = 0o666;

/// Turns the signal of a file that grows beyond `ulimit -f`, which would end the program without a word,
/// into an error.
pub(crate) fn survive_size_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = signal_hook::flag::register(nix::libc::SIGXFSZ, Arc::new(AtomicBool::default()));
    });
}

/// The file to write to, if the path names one that is not replaced.
fn written_to(path: &Path) -> io::Result<Option<File>> {
    if let Some(descriptor) = named_by(path) {
        return reopen(descriptor, path).map(Some);
    }
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => OpenOptions::new().write(true).open(path).map(Some),
        _ => Ok(None),
    }
}

/// The path that the file gets in the end.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        // The target of the link cannot be replaced, and the link itself must not be.
        Err(error) if error.kind() != ErrorKind::NotFound || path.is_symlink() => Err(error),
        Err(_) if [&b"/"[..], b"/."].iter().any(|it| path.as_os_str().as_bytes().ends_with(it)) => {
            Err(io::Error::new(ErrorKind::NotADirectory, "there is no such directory"))
        }
        Err(error) if path.file_name().is_none() => Err(error),
        Err(_) => {
            fs::metadata(directory_of(path))?;
            Ok(path.to_owned())
        }
        target => target,
    }
}

/// The file that is at `target`, if it can be replaced.
fn replaced_by(target: &Path) -> io::Result<Option<Metadata>> {
    let replaced = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        replaced => replaced?,
    };
    if !replaced.is_file() {
        return Err(io::Error::other("there is something else now, which is no file"));
    }
    match OpenOptions::new().write(true).open(target).map_err(|it| (it.kind(), it)) {
        Ok(file) if is_mounted(&file, directory_of(target)) => {
            Err(io::Error::new(ErrorKind::ResourceBusy, "it is a mount point, which stays"))
        }
        // A program that runs can be replaced, though not changed.
        Ok(_) | Err((ErrorKind::ExecutableFileBusy, _)) => Ok(Some(replaced)),
        Err((kind @ ErrorKind::PermissionDenied, _)) => {
            Err(io::Error::new(kind, "the file that is there may not be written to"))
        }
        Err((_, error)) => Err(error),
    }
}

/// Whether a file is a mount of its own, which cannot be replaced. Known where the system lists it.
fn is_mounted(file: &File, directory: &Path) -> bool {
    let mount = |file: &File| {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
        text.lines().find_map(|it| it.strip_prefix("mnt_id:")).map(|it| it.trim().to_owned())
    };
    let around = File::open(directory).ok().and_then(|it| mount(&it));
    around.is_some_and(|it| mount(file).is_some_and(|of_file| of_file != it))
}

/// A file of this directory, without a name if it can get one later.
fn begin(directory: &Path, mode: u32) -> io::Result<(File, Option<Temporary>)> {
    if can_name_later(directory)
        && let Some(file) = nameless_in(directory, mode)
    {
        return Ok((file, None));
    }
    let (file, name) = named_in(directory, mode)?;
    Ok((file, Some(name)))
}

/// Whether a file of this directory can get a name later, which only a trial shows: policies of
/// containers and of Android refuse it, and so does a system without `/proc`.
fn can_name_later(directory: &Path) -> bool {
    nameless_in(directory, OWN).is_some_and(|it| name_in(directory, &it).is_ok())
}

/// A file of this directory without a name; `None` where there are none.
fn nameless_in(directory: &Path, mode: u32) -> Option<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(mode).custom_flags(NAMELESS?).open(directory).ok()
}

#[cfg(target_os = "linux")]
const NAMELESS: Option<i32> = Some(nix::libc::O_TMPFILE);
#[cfg(not(target_os = "linux"))]
const NAMELESS: Option<i32> = None;

/// A file of this directory with a temporary name, and that name.
fn named_in(directory: &Path, mode: u32) -> io::Result<(File, Temporary)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    Temporary::make(directory, |path| options.open(path))
}

/// Gives a file without a name a temporary one.
fn name_in(directory: &Path, file: &File) -> io::Result<Temporary> {
    let open_file = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let link = |path: &Path| {
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, &open_file, AT_FDCWD, path, follow).map_err(io::Error::from)
    };
    Ok(Temporary::make(directory, link)?.1)
}

#[cfg(test)]
mod tests;
