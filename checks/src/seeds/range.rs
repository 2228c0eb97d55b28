//! A range of seeds, and the time for it.

use std::time::Instant;

use steadfast_output::is_interrupted;

/// Seeds in a row, and the moment at which to stop before the last of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    pub first: u64,
    pub count: u64,
    pub deadline: Option<Instant>,
}

impl Seeds {
    /// Whether no further seed is to be begun: the time is over, or the user interrupted the program.
    pub(crate) fn is_late(&self) -> bool {
        is_interrupted() || self.deadline.is_some_and(|it| Instant::now() >= it)
    }
}
