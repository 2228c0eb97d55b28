//! The command line.

use std::process::exit;

use clap::Parser;

use crate::exit_code::USAGE;
use crate::standard::warn;

/// The options that the program was started with. Ends the program where it is asked for help, or told
/// something that it does not know: that may hold any character, and is shown as [`warn`] has it.
#[must_use]
pub fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit()
        }
        error.render().to_string().lines().for_each(warn);
        exit(USAGE.into())
    })
}
