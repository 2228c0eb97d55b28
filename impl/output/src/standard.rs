//! Standard output.

use std::env;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::exit;

use crate::exit_code::{INCOMPLETE, IO};

/// Standard output, to which writing does not fail. A reader that has seen enough (`check list |
/// head`) ends the program quietly, as incomplete: not all was told. One that fails in another way,
/// as a full disk does, ends it with an error.
#[derive(Clone, Copy, Debug)]
pub struct StandardOutput;

/// Prints a line on [`StandardOutput`].
pub fn say(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_else(|error| end(&error));
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
    if error.kind() == ErrorKind::BrokenPipe {
        exit(INCOMPLETE.into())
    }
    let program = env::args_os().next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().display();
    eprintln!("{program}: cannot write to standard output: {error}");
    exit(IO.into())
}
