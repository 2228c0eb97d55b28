//! Standard output, which may be closed by whoever reads it.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line. A reader that has seen enough (`steadfast delta stats P | head`) ends the program
/// quietly.
///
/// # Panics
/// Standard output fails in another way.
pub(crate) fn say(line: impl Display) {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => panic!("cannot write to standard output: {error}"),
    }
}
