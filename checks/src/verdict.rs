//! What a whole invocation found, and the exit code that says so.

use std::process::ExitCode;

use steadfast_output::exit_code::{BROKEN, INCOMPLETE};

use crate::job::{Run, Search};

/// The verdict, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        match (run.complete, run.search) {
            (true, _) if run.unreached().next().is_some() => Verdict::Broken,
            (true, _) | (false, Search::Walk) => Verdict::Kept,
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
