//! `check conform`: replays what real nodes recorded, and judges it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use steadfast_output::{escaped, say};

use crate::failure::Failure;
use crate::json;
use crate::verdict::Verdict;

pub use steadfast_conform::{
    ConformError, Conformance, Counts, Finding, Judged, Misfit, Moment, conform,
};

/// The options of `check conform`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConformOptions {
    /// The recordings of all nodes of a cluster: the directories that were given to `steadfast serve --record`.
    #[arg(required = true, value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Replays recordings, and prints the result.
pub(crate) fn run(options: &ConformOptions) -> Result<ExitCode, Failure> {
    let conformance = conform(&options.directories).map_err(|error| match error {
        ConformError::Read(error) => Failure::io(error),
        error => Failure::usage(error.to_string()),
    })?;
    let verdict = if conformance.is_conforming() { Verdict::Kept } else { Verdict::Broken };
    match options.json {
        true => json::print(verdict, &conformance)?,
        false => say(conformance.to_string().lines().map(escaped).collect::<Vec<_>>().join("\n")),
    }
    Ok(verdict.exit_code())
}
