//! `steadfast`: the parts of a Steadfast node, one command each.

use std::process::ExitCode;

use clap::Parser;

/// The parts of a Steadfast node, one command each.
#[derive(Parser)]
#[command(version)]
struct Options {}

fn main() -> ExitCode {
    Options::parse();
    ExitCode::SUCCESS
}
