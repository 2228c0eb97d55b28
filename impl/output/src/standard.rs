//! Standard output and standard error.

use std::env;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::exit;

use crate::descriptor::stands_for_closed;
use crate::exit_code::{INCOMPLETE, IO};
use crate::file::remove_temporary_files;
use crate::shown::{escaped, shown};

/// Standard output, to which writing does not fail. A reader that has seen enough (`check list |
/// head`) ends the program without a message and with the exit code for incomplete. Another failure,
/// such as a full disk, ends it with an error.
#[derive(Clone, Copy, Debug)]
pub struct StandardOutput;

impl StandardOutput {
    /// Standard output for data that must not be lost, as it would be where standard output is closed.
    ///
    /// # Errors
    /// It is closed. `/dev/null` opened for reading and writing is taken for closed, as in
    /// [`standard_input`](crate::standard_input).
    pub fn for_data() -> io::Result<StandardOutput> {
        match stands_for_closed(io::stdout()) {
            true => {
                Err(io::Error::other("it is closed; to discard what is written, name /dev/null"))
            }
            false => Ok(StandardOutput),
        }
    }
}

/// Prints a line on [`StandardOutput`].
pub fn say(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_else(|error| end(&error));
}

/// Prints one line on standard error, [`escaped`], because it may hold any file name. A failure is
/// ignored: the exit code stands.
pub fn warn(line: impl Display) {
    let _ = writeln!(io::stderr(), "{}", escaped(&line.to_string()));
}

/// Prints a line on standard error, behind the program's name.
pub(crate) fn warn_as_program(line: impl Display) {
    let program = env::args_os().next().unwrap_or_default();
    let program = shown(Path::new(Path::new(&program).file_name().unwrap_or_default()));
    warn(format_args!("{program}: {line}"));
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(io::stdout().write(bytes).unwrap_or_else(|error| end(&error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().unwrap_or_else(|error| end(&error));
        Ok(())
    }
}

fn end(error: &io::Error) -> ! {
    // No destructor runs.
    let _removed = remove_temporary_files();
    if error.kind() == ErrorKind::BrokenPipe {
        exit(INCOMPLETE.into())
    }
    warn_as_program(format_args!("cannot write to standard output: {error}"));
    exit(IO.into())
}
