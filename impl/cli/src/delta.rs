//! `steadfast delta`: patches between two versions of a file.

mod diff;
mod in_place;
mod input;
mod journal;
mod manifest;
mod output;
mod patch;
pub(crate) mod progress;
mod refusal;
mod stats;

use clap::Subcommand;

use crate::failure::Failure;

/// A command on two versions of a file, or on a patch.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the patch that makes NEW from OLD.
    Diff(diff::Options),
    /// Make NEW from OLD and a patch.
    Patch(patch::Options),
    /// Print the hash of a file's manifest, and its length and parts.
    Manifest(manifest::Options),
    /// Print the parts of a patch and their sizes.
    Stats(stats::Options),
}

/// Runs the command.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Diff(options) => diff::run(&options),
        Command::Patch(options) => patch::run(&options),
        Command::Manifest(options) => manifest::run(&options),
        Command::Stats(options) => stats::run(&options),
    }
}
