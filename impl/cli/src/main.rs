//! `steadfast`: tools for the files of a node.

mod wal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools for the files of a Steadfast node.
///
/// Exit codes: 0 all is well, 1 something is damaged, 2 usage, 4 input or output.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Looks into a write-ahead log.
    #[command(subcommand)]
    Wal(wal::Command),
}

fn main() -> ExitCode {
    match Options::parse().command {
        Command::Wal(command) => wal::run(&command),
    }
}
