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

/// A replicated file store whose protocol is exhaustively checked.
///
/// Exit codes: 0 all is well, 1 something is damaged or a promise broken, 2 usage, 3 not all
/// was told, because nobody reads standard output, 4 input or output.
#[derive(Parser)]
#[command(name = "steadfast", version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What changed between two versions of a file.
    #[command(subcommand)]
    Delta(delta::Command),
    /// Tells five stories about a simulated cluster, on real bytes.
    Simulate(simulate::Options),
    /// Looks into a write-ahead log.
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
