//! A range of seeds, and the time for it.

use std::time::Instant;

/// Seeds in a row, and the moment at which to stop before the last of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    pub first: u64,
    pub count: u64,
    pub deadline: Option<Instant>,
}

impl Seeds {
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|it| Instant::now() >= it)
    }
}
