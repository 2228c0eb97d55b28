//! `versus`: ours and its peers on the same inputs in one run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use steadfast_benches::delta;

/// Measures Steadfast and its peers on the same inputs in one run.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The delta engine beside other delta and sync tools.
    Delta(delta::Options),
}

fn main() -> ExitCode {
    match Options::parse().command {
        Command::Delta(options) => delta::run(&options),
    }
}
