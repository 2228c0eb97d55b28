//! What a command writes: a file that appears when it is complete, or standard output.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::input::is_standard;
use crate::failure::Failure;

/// An output under construction. Dropped before [`Output::finish`], it leaves nothing behind.
pub(crate) struct Output {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Standard(io::StdoutLock<'static>),
    /// A pipe or a device, which must not be replaced by a file.
    Device(File),
    Temporary(BufWriter<NamedTempFile>),
}

impl Output {
    /// A temporary file beside `path`, or standard output.
    pub(crate) fn create(path: &Path) -> Result<Output, Failure> {
        if is_standard(path) {
            let sink = Sink::Standard(io::stdout().lock());
            return Ok(Output { path: path.to_owned(), sink });
        }
        // What a link names is replaced, and not the link.
        let target = fs::canonicalize(path).unwrap_or(path.to_owned());
        let cannot = |error| Failure::io(format!("cannot create {}", path.display()), &error);
        let sink = Sink::beside(&target).map_err(cannot)?;
        Ok(Output { path: target, sink })
    }

    /// Syncs the file and gives it its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let path = self.path;
        let finish = || -> io::Result<()> {
            match self.sink {
                Sink::Standard(mut standard) => standard.flush(),
                Sink::Device(mut device) => device.flush(),
                Sink::Temporary(file) => {
                    let file = file.into_inner().map_err(|it| it.into_error())?;
                    file.as_file().sync_all()?;
                    file.persist(&path).map_err(|it| it.error)?;
                    sync_directory(&path)
                }
            }
        };
        finish().map_err(|error| Failure::io(format!("cannot write {}", path.display()), &error))
    }
}

impl Sink {
    fn beside(target: &Path) -> io::Result<Sink> {
        let replaced = fs::metadata(target).ok();
        if replaced.as_ref().is_some_and(|it| !it.is_file()) {
            return OpenOptions::new().write(true).open(target).map(Sink::Device);
        }
        let directory = directory(target);
        fs::metadata(directory)?;
        // The error would name the temporary file, of which the user knows nothing.
        let file = named_by_umask().tempfile_in(directory).map_err(|error| error.kind())?;
        if let Some(replaced) = replaced {
            file.as_file().set_permissions(replaced.permissions())?;
        }
        Ok(Sink::Temporary(BufWriter::new(file)))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Standard(standard) => standard.write(bytes),
            Sink::Device(device) => device.write(bytes),
            Sink::Temporary(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Standard(standard) => standard.flush(),
            Sink::Device(device) => device.flush(),
            Sink::Temporary(file) => file.flush(),
        }
    }
}

/// A temporary file that is as readable as any new file, because it becomes one.
fn named_by_umask() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.permissions(Permissions::from_mode(0o666));
    builder
}

/// Whether two names are of one file. Standard input and output are none, nor is a device or a
/// pipe, which is not replaced.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok().filter(|it| it.is_file() && !is_standard(path))?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|it| identity(other) == Some(it))
}

/// The directory that holds `path`.
pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes durable which files the directory of `path` holds.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}
