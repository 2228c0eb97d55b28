//! What a command writes: a file that appears when it is complete, or standard output.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use steadfast_output::{StandardOutput, WholeFile, mode_for_others, names_standard_output, shown};

use crate::failure::Failure;
use crate::names::is_standard;

/// An output under construction. Dropped before [`Output::finish`], it leaves nothing behind.
pub(crate) struct Output {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Standard(StandardOutput),
    File(WholeFile),
}

/// Refuses a closed standard output before a command prints its result there.
pub(crate) fn refuse_closed_output() -> Result<(), Failure> {
    let open = StandardOutput::for_data().map(|_| ());
    open.map_err(|error| Failure::io("cannot write to standard output", &error))
}

impl Output {
    /// The output that is to be at `path`, or standard output.
    pub(crate) fn create(path: &Path) -> Result<Output, Failure> {
        Output::create_with_mode(path, NEW_MODE)
    }

    /// The same, of bytes that are taken from `inputs`: a file that is not there yet may be read and
    /// written by those who may all of these, and executed by those who may the first, as far as `mode`
    /// goes. Its owner may read and write it in any case.
    pub(crate) fn create_from(inputs: &[&Path], path: &Path, mode: u32) -> Result<Output, Failure> {
        let of = |it: &Path| if is_standard(it) { None } else { mode_for_others(it) };
        let first = inputs.first().and_then(|it| of(it)).unwrap_or(NEW_MODE);
        let rest = inputs.iter().skip(1).filter_map(|it| of(it));
        let common = rest.fold(first, |all, it| all & (it | EXECUTE));
        Output::create_with_mode(path, common & mode | OWNER_MODE)
    }

    fn create_with_mode(path: &Path, mode: u32) -> Result<Output, Failure> {
        let sink = if is_standard_output(path) {
            refuse_closed_output().map(|()| Sink::Standard(StandardOutput))
        } else {
            WholeFile::create_with_mode(path, mode)
                .map(Sink::File)
                .map_err(|error| failed(format!("cannot create {}", shown(path)), &error))
        };
        sink.map(|sink| Output { path: path.to_owned(), sink })
    }

    /// An error that names this output, because a caller writes several files.
    fn cannot(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", shown(&self.path)))
    }

    /// Makes it complete.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let finished = match self.sink {
            Sink::Standard(mut standard) => standard.flush(),
            Sink::File(file) => file.finish(),
        };
        finished.map_err(|error| failed(format!("cannot write {}", shown(&self.path)), &error))
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

/// Anybody may read and write a new file, as far as the umask goes.
pub(crate) const NEW_MODE: u32 = 0o666;
/// The same of what may also be a program.
pub(crate) const PROGRAM_MODE: u32 = 0o777;
const OWNER_MODE: u32 = 0o600;
const EXECUTE: u32 = 0o111;

/// Whether an output is standard output, under whichever name.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    is_standard(path) || names_standard_output(path)
}

/// A failure, with advice if there is any.
fn failed(what: String, error: &io::Error) -> Failure {
    let failure = Failure::io(what, error);
    match error.kind() {
        ErrorKind::ResourceBusy => failure.help(
            "write to another file; `steadfast delta patch --in-place` can change a mounted one",
        ),
        _ => failure,
    }
}

/// Fails if the output would replace an input, which has this name in the usage.
pub(crate) fn refuse_to_replace(name: &str, input: &Path, output: &Path) -> Result<(), Failure> {
    if !is_same_file(input, output) {
        return Ok(());
    }
    let message = format!("{} is {name}, which the output would replace", shown(input));
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
