//! `steadfast delta`: what changed between two versions of a file.

mod diff;
mod in_place;
mod input;
mod journal;
mod manifest;
mod output;
mod patch;
mod progress;
mod refusal;
mod stats;

use clap::Subcommand;

use crate::failure::Failure;

/// What to do with two versions of a file, or with a patch.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the patch that makes NEW from OLD.
    Diff(diff::Options),
    /// Make NEW from OLD and a patch.
    Patch(patch::Options),
    /// Tell a file's name and what it consists of.
    Manifest(manifest::Options),
    /// Tell what a patch consists of.
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
