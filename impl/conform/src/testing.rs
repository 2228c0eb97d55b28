//! For tests: other protocols, and judgements of everything.

use std::path::PathBuf;

use steadfast_protocol::Decisions;

use crate::judge::Extent;
use crate::run::Run;
use crate::{ConformError, Conformance};

/// Replays recordings of nodes that ran with these decisions. If `judges_all`, everything is judged after each input,
/// which takes time for all that happened before.
///
/// # Errors
/// As [`conform`](crate::conform).
pub fn conform_with(
    directories: &[PathBuf],
    decisions: &'static dyn Decisions,
    judges_all: bool,
) -> Result<Conformance, ConformError> {
    let extent = if judges_all { Extent::Whole } else { Extent::Touched };
    Run::open(directories, decisions, extent)?.finish()
}
