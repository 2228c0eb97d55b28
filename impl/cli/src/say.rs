//! Standard output, which may be closed by whoever reads it.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::exit;

use crate::failure::{INCOMPLETE, IO};

/// Prints a line. A reader that has seen enough (`steadfast simulate | head`) ends the program
/// quietly, as incomplete: the verdict was not told. One that fails in another way, as a full disk
/// does, ends it with an error.
pub(crate) fn say(line: impl Display) {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(INCOMPLETE.into()),
        Err(error) => {
            eprintln!("steadfast: cannot write to standard output: {error}");
            exit(IO.into())
        }
    }
}
