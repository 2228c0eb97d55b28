//! Operations that change the same content take turns.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use steadfast_protocol::ContentId;

#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<BTreeSet<ContentId>>,
    ended: Condvar,
}

/// The right to change a content, given back when dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    content: ContentId,
}

impl Turns {
    fn taken(&self) -> MutexGuard<'_, BTreeSet<ContentId>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other thread changes the content.
    pub(super) fn take(&self, content: ContentId) -> Turn<'_> {
        let mut taken = self.taken();
        while !taken.insert(content) {
            taken = self.ended.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        Turn { turns: self, content }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken().remove(&self.content);
        self.turns.ended.notify_all();
    }
}
