//! `versus delta`: the delta engine beside other delta and sync tools.
//!
//! Every figure is taken in a process of its own, in CPU time, on the same files.

mod executable;
mod input_error;
pub mod inputs;
mod meter;
mod pair;
mod peer_error;
mod peers;
pub mod random;
mod report;
mod row;
mod rows_file;
mod sqlite;
mod suite;
mod targets;
pub mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use row::Setting;
use steadfast_output::warn;

/// The largest inputs that are made.
const MIB_MAX: i64 = 4096;

/// The inputs, peers and settings to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Prints everything as JSON.
    #[arg(long)]
    json: bool,
    /// Measures these inputs only: A to M, where I is all pairs, or I/ and the name of a pair,
    /// which is a folder in target/benches/pairs with the files, or links, `old` and `new`: one of
    /// those that benches/fetch-pairs fetches, or one of your own.
    #[arg(long, value_delimiter = ',')]
    inputs: Vec<String>,
    /// Measures these peers only.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Measures these settings only.
    #[arg(long, value_delimiter = ',')]
    settings: Vec<Setting>,
    /// The size of the inputs that are made, in MiB.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=MIB_MAX))]
    mib: u32,
    /// Keeps the rows of each input in this file once it is measured, skips the inputs that are in
    /// it, and judges all its rows: a run that was interrupted goes on, and a long one can be
    /// done input by input. The rows of one input are always of one run.
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    #[command(subcommand)]
    one: Option<One>,
}

#[derive(clap::Subcommand)]
enum One {
    /// Measures one peer on one input and prints the row as JSON.
    #[command(hide = true)]
    Measure { name: String, folder: PathBuf, setting: Setting, peer: String },
    /// Writes our patch of an input to a file.
    #[command(hide = true)]
    WritePatch { folder: PathBuf, file: PathBuf },
}

/// Measures and prints. 0: every target is met; 1: one is not; 3: some could not be judged.
pub fn run(options: &Options) -> ExitCode {
    let result = match &options.one {
        Some(One::Measure { name, folder, setting, peer }) => {
            suite::measure_one(name, folder, *setting, peer).map(|()| 0)
        }
        Some(One::WritePatch { folder, file }) => suite::write_patch(folder, file).map(|()| 0),
        None => suite::run(options),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            warn(format_args!("versus delta: {}", suite::with_sources(&error)));
            ExitCode::from(error.code())
        }
    }
}
