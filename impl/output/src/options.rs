//! The command line.

use std::process::exit;

use clap::{Command, Parser};

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
    let matched = with_negative_numbers(T::command()).try_get_matches();
    let parsed = matched.and_then(|mut it| {
        T::from_arg_matches_mut(&mut it).map_err(|error| error.format(&mut T::command()))
    });
    parsed.unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit()
        }
        error.render().to_string().lines().for_each(warn);
        exit(USAGE.into())
    })
}

/// Takes a number below zero for the value of the option before it, so that the message about it names
/// the accepted values.
fn with_negative_numbers(command: Command) -> Command {
    let command = command.mut_args(|it| match it.get_action().takes_values() {
        true => it.allow_negative_numbers(true),
        false => it,
    });
    command.mut_subcommands(with_negative_numbers)
}
