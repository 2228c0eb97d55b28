//! The storage of a node that is replayed.

use std::collections::BTreeSet;

use steadfast_node::{ContentCopy, NodeStorage, put_checkpoint};
use steadfast_protocol::{
    Checkpoint, ContentId, Input, LogIndex, NodeId, Payload, Record, Sealed, first_index,
    last_index,
};
use steadfast_recording::records_digest;

/// Records and names of contents. Contents have no bytes here: the recording says which of them the node
/// could read.
#[derive(Debug, Default)]
pub(super) struct ReplayStorage {
    records: Vec<Record>,
    synced: LogIndex,
    checkpoint: Option<Sealed<Checkpoint>>,
    contents: BTreeSet<ContentId>,
    /// How often a content came or went.
    changes: u64,
    /// The contents that came or went since these were last taken.
    changed: Vec<ContentId>,
    /// The contents that peers send. A client may store others meanwhile.
    storing: BTreeSet<ContentId>,
    /// While the node hears an input: the contents that the recorded node could not read.
    unreadable: Option<BTreeSet<ContentId>>,
}

/// The log with which a node starts again is not one that the recording explains.
pub(super) struct Unexplained {
    pub expected: String,
    pub found: String,
}

impl ReplayStorage {
    pub(super) fn new(records: Vec<Record>, contents: Vec<ContentId>) -> ReplayStorage {
        let (synced, contents) = (last_index(&records), contents.into_iter().collect());
        ReplayStorage { records, synced, contents, ..ReplayStorage::default() }
    }

    /// The effects of an input on the disk, before the node takes it. Returns whether the disk can have
    /// reported it.
    pub(super) fn before(&mut self, input: &Input, follows: &[Input]) -> bool {
        let mut unreadable = BTreeSet::new();
        for input in follows {
            if let Input::Bad { content } = input {
                unreadable.insert(*content);
            }
        }
        self.unreadable = Some(unreadable);
        match input {
            Input::Synced(index) if *index > last_index(&self.records) => return false,
            Input::Synced(index) => self.synced = self.synced.max(*index),
            Input::Checkpointed => match self.checkpoint.take() {
                None => return false,
                Some(checkpoint) => drop(put_checkpoint(&mut self.records, checkpoint)),
            },
            Input::Stored { content } => {
                if self.contents.insert(*content) {
                    self.note_change(*content);
                }
                self.storing.remove(content);
            }
            Input::Unusable { content } => {
                self.storing.remove(content);
            }
            Input::Bad { content } => self.remove(*content),
            _ => {}
        }
        true
    }

    /// The node has heard its input.
    pub(super) fn after(&mut self) {
        for content in self.unreadable.take().into_iter().flatten() {
            self.remove(content);
        }
    }

    fn remove(&mut self, content: ContentId) {
        if self.contents.remove(&content) {
            self.note_change(content);
        }
    }

    fn note_change(&mut self, content: ContentId) {
        self.changes += 1;
        self.changed.push(content);
    }

    /// The contents that came or went since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<ContentId> {
        std::mem::take(&mut self.changed)
    }

    /// How often a content came or went.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// A crash takes records from the end of the log, and leaves the records `first..=length`. Returns whether
    /// it took a synced record.
    pub(super) fn crash(
        &mut self,
        (first, length): (LogIndex, LogIndex),
        digest: u64,
    ) -> Result<bool, Unexplained> {
        let range = |from: LogIndex, to: LogIndex| format!("the records {from} to {to}");
        let (own_first, last) = (first_index(&self.records), last_index(&self.records));
        let unexplained = |expected: String, found: String| Err(Unexplained { expected, found });
        if length > last {
            let expected = format!("at most {}", range(own_first, last));
            return unexplained(expected, range(first, length));
        }
        let is_rolled_back = length < self.synced;
        let kept =
            usize::try_from((length.0 + 1).saturating_sub(own_first.0)).unwrap_or(usize::MAX);
        self.records.truncate(kept);
        let checkpoint = self.checkpoint.take().filter(|it| it.length <= length);
        if let Some(checkpoint) = checkpoint.filter(|it| it.length == first && own_first != first) {
            put_checkpoint(&mut self.records, checkpoint);
        }
        let found = first_index(&self.records);
        if found != first {
            return unexplained(range(found, length), range(first, length));
        }
        if records_digest(&self.records) != digest {
            let expected = format!("{}, as they were appended", range(first, length));
            return unexplained(expected, "other records".to_owned());
        }
        self.synced = length;
        self.storing.clear();
        Ok(is_rolled_back)
    }

    /// The contents that a node finds when it starts again.
    pub(super) fn set_contents(&mut self, contents: Vec<ContentId>) {
        let old = std::mem::replace(&mut self.contents, contents.into_iter().collect());
        let differing: Vec<ContentId> = old.symmetric_difference(&self.contents).copied().collect();
        differing.into_iter().for_each(|it| self.note_change(it));
    }
}

impl NodeStorage for ReplayStorage {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn synced(&self) -> LogIndex {
        self.synced
    }

    fn append(&mut self, records: Vec<Record>) {
        self.records.extend(records);
    }

    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        self.checkpoint = Some(checkpoint);
    }

    fn is_checkpointing(&self) -> bool {
        self.checkpoint.is_some()
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        let is_there = match &self.unreadable {
            Some(unreadable) => !unreadable.contains(&content),
            None => self.contents.contains(&content),
        };
        if is_there { ContentCopy::Exact } else { ContentCopy::Missing }
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.iter().copied()
    }

    fn store(&mut self, payload: Payload, _: NodeId) {
        self.storing.insert(payload.content);
    }

    fn discard(&mut self, content: ContentId) {
        self.remove(content);
    }

    fn is_storing(&self) -> bool {
        !self.storing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_stores_does_not_end_what_a_peer_sends() {
        let [sent, uploaded] = [1, 2].map(|it| ContentId([it; 32]));
        let mut storage = ReplayStorage::default();
        storage.store(Payload { content: sent, base: None }, NodeId(1));
        assert!(storage.before(&Input::Stored { content: uploaded }, &[]));
        assert!(storage.is_storing());
        assert!(storage.before(&Input::Stored { content: sent }, &[]));
        assert!(!storage.is_storing());
    }
}
