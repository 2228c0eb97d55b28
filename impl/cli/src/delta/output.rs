//! What a command writes: a file that appears when it is complete, or standard output.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
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
    Temporary(BufWriter<NamedTempFile>),
}

impl Output {
    /// A temporary file beside `path`, or standard output.
    pub(crate) fn create(path: &Path) -> Result<Output, Failure> {
        let cannot = |error| Failure::io(format!("cannot create {}", path.display()), &error);
        let sink = if is_standard(path) {
            Sink::Standard(io::stdout().lock())
        } else {
            let file = named_by_umask().tempfile_in(directory(path)).map_err(cannot)?;
            Sink::Temporary(BufWriter::new(file))
        };
        Ok(Output { path: path.to_owned(), sink })
    }

    /// Syncs the file and gives it its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let path = self.path;
        let finish = || -> io::Result<()> {
            match self.sink {
                Sink::Standard(mut standard) => standard.flush(),
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

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Standard(standard) => standard.write(bytes),
            Sink::Temporary(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Standard(standard) => standard.flush(),
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

/// The directory that holds `path`.
pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes durable which files the directory of `path` holds.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    std::fs::File::open(directory(path))?.sync_all()
}
