//! The command line.

use std::process::exit;

use clap::Parser;

use crate::exit_code::USAGE;
use crate::file::survive_size_limit;
use crate::standard::warn;

/// The options that the program was started with. From here on a limit on the length of files
/// (`ulimit -f`) is an error and no signal. Ends the program after it has printed its help, or a
/// message about an argument that it does not know; [`warn`] prints the latter, as it may hold any
/// character.
#[must_use]
pub fn parse<T: Parser>() -> T {
    survive_size_limit();
    T::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit()
        }
        error.render().to_string().lines().for_each(warn);
        exit(USAGE.into())
    })
}
