//! `steadfast`: nodes, their clients, the simulator, deltas and logs from the command line.

mod delta;
mod failure;
mod init;
mod mapped;
mod names;
mod scratch;
mod serve;
mod simulate;
mod source;
mod wal;
mod whole;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use steadfast_output::parse;

/// A replicated file store whose protocol is exhaustively checked.
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
    /// Makes the files of a new cluster: its certificates, and a directory for each node.
    Init(init::Options),
    /// Runs a node.
    Serve(serve::Options),
    /// Runs five scenarios of a simulated cluster on real bytes.
    Simulate(simulate::Options),
    /// Shows, verifies and salvages a write-ahead log.
    #[command(subcommand)]
    Wal(wal::Command),
}

fn main() -> ExitCode {
    match parse::<Options>().command {
        Command::Delta(command) => done(delta::run(command)),
        Command::Init(options) => done(init::run(&options)),
        Command::Serve(options) => done(serve::run(&options)),
        Command::Simulate(options) => {
            simulate::run(&options).unwrap_or_else(|failure| failure.report())
        }
        Command::Wal(command) => wal::run(&command),
    }
}

fn done(result: Result<(), failure::Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
