//! What a whole invocation found, and the exit code that says so.

use std::process::ExitCode;

use steadfast_output::exit_code::{BROKEN, INCOMPLETE};

use serde::Serialize;

use crate::job::{Run, Stopped};
use crate::report::vacuity;

/// The verdict, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// All as promised.
    Kept,
    /// A search did not end: never to be mistaken for proof.
    Incomplete,
    /// A promise is broken, or a check could not have failed.
    Broken,
}

impl Verdict {
    /// The verdict on a search of the protocol as it is.
    pub(crate) fn of(run: &Run) -> Verdict {
        if run.broken().next().is_some() {
            return Verdict::Broken;
        }
        let is_vacuous = run.must_reach && run.unreached().next().is_some();
        match (run.complete, run.stopped) {
            (true, _) if is_vacuous || !vacuity(run).is_empty() => Verdict::Broken,
            _ if run.unwritten.is_some() => Verdict::Incomplete,
            (true, _) | (false, Some(Stopped::Sampled)) => Verdict::Kept,
            (false, _) => Verdict::Incomplete,
        }
    }

    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Verdict::Kept => 0,
            Verdict::Broken => BROKEN,
            Verdict::Incomplete => INCOMPLETE,
        })
    }
}
