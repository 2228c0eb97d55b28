//! What a command writes: a file that appears when it is complete, or standard output.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use steadfast_output::{StandardOutput, WholeFile};

use super::input::is_standard;
use crate::failure::Failure;

/// An output under construction. Dropped before [`Output::finish`], it leaves nothing behind.
pub(crate) struct Output {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Standard(StandardOutput),
    File(WholeFile),
}

impl Output {
    /// What is to be at `path`, or standard output.
    pub(crate) fn create(path: &Path) -> Result<Output, Failure> {
        let cannot = |error| Failure::io(format!("cannot create {}", path.display()), &error);
        let sink = match is_standard(path) {
            true => Sink::Standard(StandardOutput),
            false => Sink::File(WholeFile::create(path).map_err(cannot)?),
        };
        Ok(Output { path: path.to_owned(), sink })
    }

    /// An error that says what it is about: to whoever writes here, it is one of many files.
    fn cannot(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", self.path.display()))
    }

    /// Makes it complete.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let finished = match self.sink {
            Sink::Standard(mut standard) => standard.flush(),
            Sink::File(file) => file.finish(),
        };
        let path = self.path.display();
        finished.map_err(|error| Failure::io(format!("cannot write {path}"), &error))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Standard(standard) => standard.write(bytes),
            Sink::File(file) => file.write(bytes).map_err(|error| self.cannot(&error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Standard(standard) => standard.flush(),
            Sink::File(file) => file.flush().map_err(|error| self.cannot(&error)),
        }
    }
}

/// Fails if the output would replace an input, which has this name in the usage.
pub(crate) fn refuse_to_replace(name: &str, input: &Path, output: &Path) -> Result<(), Failure> {
    if !is_same_file(input, output) {
        return Ok(());
    }
    let message = format!("{} is {name}, which the output would replace", input.display());
    Err(Failure::usage(message).help("name another file with -o"))
}

/// Whether two names are of one file. Standard input and output are none, nor is a device or a
/// pipe, which is not replaced.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok().filter(|it| it.is_file() && !is_standard(path))?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|it| identity(other) == Some(it))
}
