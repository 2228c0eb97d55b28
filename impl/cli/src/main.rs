//! `steadfast`: the simulator, deltas and logs from the command line.

mod delta;
mod failure;
mod mapped;
mod names;
mod scratch;
mod simulate;
mod source;
mod wal;
mod whole;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use steadfast_output::parse;

/// A replicated file store whose protocol is exhaustively checked. There is no node to run yet: these are
/// the parts that it will consist of.
///
/// Exit codes: 0 success, 1 an input is damaged or a promise is broken, 2 wrong usage, 3 the reader of
/// standard output stopped early, 4 reading or writing failed.
#[derive(Parser)]
#[command(name = "steadfast", version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes and applies patches between two versions of a file.
    #[command(subcommand)]
    Delta(delta::Command),
    /// Runs five scenarios of a simulated cluster on real bytes.
    Simulate(simulate::Options),
    /// Shows, verifies and salvages a write-ahead log.
    #[command(subcommand)]
    Wal(wal::Command),
}

fn main() -> ExitCode {
    match parse::<Options>().command {
        Command::Delta(command) => match delta::run(command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        },
        Command::Simulate(options) => {
            simulate::run(&options).unwrap_or_else(|failure| failure.report())
        }
        Command::Wal(command) => wal::run(&command),
    }
}
