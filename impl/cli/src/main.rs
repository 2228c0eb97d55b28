//! `steadfast`: the parts of a Steadfast node, one command each.

mod delta;
mod failure;
mod say;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The parts of a Steadfast node, one command each.
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
}

fn main() -> ExitCode {
    let result = match Options::parse().command {
        Command::Delta(command) => delta::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
