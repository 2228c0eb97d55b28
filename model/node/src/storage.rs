//! The storage of a node, which its surroundings provide.

use serde::{Deserialize, Serialize};
use steadfast_protocol::{
    Change, Checkpoint, Content, ContentId, Decisions, EntryBody, Input, LogIndex, NodeId, Payload,
    Record, Sealed, first_index, last_index,
};

/// The state of a node's copy of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ContentCopy {
    /// The node has no copy.
    Missing,
    /// The hash of its bytes is the id of the content.
    Exact,
    /// The hash of its bytes is not the id of the content.
    Wrong,
}

/// A node's disk: its log, and the contents beside it.
///
/// Appends and syncs are separate: a record is durable once [`synced`](NodeStorage::synced) has reached
/// its index, and the surroundings report the end of a sync to the node with
/// [`Input::Synced`](steadfast_protocol::Input::Synced).
pub trait NodeStorage {
    /// All records, synced or not, oldest first. If the first is a checkpoint, it stands for those before
    /// it.
    fn records(&self) -> &[Record];

    /// The index of the last synced record.
    fn synced(&self) -> LogIndex;

    /// Appends records. A crash may take them back until they are synced.
    fn append(&mut self, records: Vec<Record>);

    /// Begins to replace the synced records by a checkpoint. At the end the surroundings give the node
    /// [`Input::Checkpointed`](steadfast_protocol::Input::Checkpointed).
    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>);

    /// Whether a checkpoint has begun of whose end the node has not heard.
    fn is_checkpointing(&self) -> bool;

    /// The state of the copy of a content.
    fn copy(&self, content: ContentId) -> ContentCopy;

    /// The contents with a copy on the node, good or bad, in order.
    fn contents(&self) -> impl Iterator<Item = ContentId>;

    /// The contents whose copy is bad, in order.
    fn wrong_contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents().filter(|it| self.copy(*it) == ContentCopy::Wrong)
    }

    /// Begins to turn a payload into a durable content. At the end the surroundings give the node
    /// [`Input::Stored`](steadfast_protocol::Input::Stored) or
    /// [`Input::Unusable`](steadfast_protocol::Input::Unusable).
    fn store(&mut self, payload: Payload, from: NodeId);

    /// Deletes the copy of a content, good or bad, if there is one, but not a copy that it has begun to make or
    /// has not reported yet ([`Effect::Discard`](steadfast_protocol::Effect::Discard)).
    fn discard(&mut self, content: ContentId);

    /// Whether a store has begun whose result the node has not received.
    fn is_storing(&self) -> bool;

    /// Whether all records are synced, all stores have ended, and no checkpoint is being written.
    fn is_at_rest(&self) -> bool {
        let is_writing = self.is_storing() || self.is_checkpointing();
        self.synced() == last_index(self.records()) && !is_writing
    }
}

/// Puts a checkpoint in the place of the records for which it stands, and returns by how many the list is
/// shorter.
pub fn put_checkpoint(records: &mut Vec<Record>, checkpoint: Sealed<Checkpoint>) -> usize {
    let replaced = (checkpoint.length.0 + 1).saturating_sub(first_index(records).0);
    let replaced = usize::try_from(replaced).unwrap_or(usize::MAX).min(records.len());
    records.splice(..replaced, [Record::Checkpoint(checkpoint)]);
    // The checkpoint takes the place of one record.
    replaced.saturating_sub(1)
}

/// The input that reports the result of a store. A copy with a wrong hash is unusable, unless the decisions
/// trust it. [`ContentCopy::Missing`] means that the payload gave no content.
#[must_use]
pub fn stored_or_unusable(
    content: ContentId,
    made: ContentCopy,
    decisions: &dyn Decisions,
) -> Input {
    match made {
        ContentCopy::Exact => Input::Stored { content },
        ContentCopy::Wrong if decisions.trusts_unverified_content() => Input::Stored { content },
        ContentCopy::Wrong | ContentCopy::Missing => Input::Unusable { content },
    }
}

/// A half-written record that is read as if it were whole, as by a log that trusts a torn record.
#[must_use]
pub fn garbled(record: &Record) -> Record {
    match record {
        Record::Entry(entry) => {
            let change = Change::Put(Content::Inline(b"half".as_slice().into()));
            Record::Entry(Sealed::new(EntryBody { change, ..(**entry).clone() }))
        }
        _ => record.clone(),
    }
}
