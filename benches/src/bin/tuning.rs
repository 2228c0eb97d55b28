//! `tuning`: how patches and times change when one constant of the delta engine is halved or doubled.

use std::process::ExitCode;

use clap::Parser;
use steadfast_benches::tuning;
use steadfast_output::parse;

/// Halves and doubles constants of the delta engine and writes how patches and times change to
/// impl/delta/TUNING.md.
///
/// Exit codes: 0 written, 2 usage, 4 input or output.
#[derive(Parser)]
#[command(name = "tuning", version)]
struct Options {
    #[command(flatten)]
    tuning: tuning::Options,
}

fn main() -> ExitCode {
    tuning::run(&parse::<Options>().tuning)
}
