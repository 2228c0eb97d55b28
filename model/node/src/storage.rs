//! The storage that a node asks of its surroundings.

use steadfast_protocol::{
    Change, Content, ContentId, Decisions, EntryBody, Input, LogIndex, NodeId, Payload, Record,
    Sealed,
};

/// A node's copy of a content, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCopy {
    /// There is none.
    Missing,
    /// Its bytes are those that its name says.
    Exact,
    /// Its bytes are others.
    Wrong,
}

/// A node's disk: its log, and the contents beside it.
///
/// Appends and syncs are separate: a record is durable once [`synced`](NodeStorage::synced) has
/// reached it, and whoever ends a sync tells the node with
/// [`Input::Synced`](steadfast_protocol::Input::Synced).
pub trait NodeStorage {
    /// All records, synced or not, oldest first.
    fn records(&self) -> &[Record];

    /// How many of the records are synced.
    fn synced(&self) -> LogIndex;

    /// Appends records, which a crash may take until they are synced.
    fn append(&mut self, records: Vec<Record>);

    /// The state of the copy of a content.
    fn copy(&self, content: ContentId) -> ContentCopy;

    /// The contents of which there is a copy, good or bad, in order.
    fn contents(&self) -> impl Iterator<Item = ContentId>;

    /// The contents whose copy is bad, in order.
    fn wrong_contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents().filter(|it| self.copy(*it) == ContentCopy::Wrong)
    }

    /// Takes a payload that is to become a durable content. When that was tried, the node hears
    /// [`Input::Stored`](steadfast_protocol::Input::Stored) or
    /// [`Input::Unusable`](steadfast_protocol::Input::Unusable).
    fn store(&mut self, payload: Payload, from: NodeId);

    /// Whether a payload was taken that the node has heard nothing of.
    fn is_storing(&self) -> bool;

    /// Whether everything that was appended is synced, and everything that was taken is stored.
    fn is_at_rest(&self) -> bool {
        self.synced().0 == self.records().len() as u64 && !self.is_storing()
    }
}

/// What a node hears of a content that it made from a payload: a copy whose hash is not the name is
/// not used, unless the decision is to trust it. [`ContentCopy::Missing`] says that nothing could be
/// made.
#[must_use]
pub fn heard_of_made(content: ContentId, made: ContentCopy, decisions: &dyn Decisions) -> Input {
    match made {
        ContentCopy::Exact => Input::Stored { content },
        ContentCopy::Wrong if decisions.trusts_unverified_content() => Input::Stored { content },
        ContentCopy::Wrong | ContentCopy::Missing => Input::Unusable { content },
    }
}

/// A record that was written half and is read as if it were whole: what a log that trusts a torn
/// record recovers.
#[must_use]
pub fn garbled(record: &Record) -> Record {
    match record {
        Record::Entry(entry) => {
            let change = Change::Put(Content::Inline(b"half".as_slice().into()));
            Record::Entry(Sealed::new(EntryBody { change, ..(**entry).clone() }))
        }
        Record::Identity(_) | Record::Promise(_) => record.clone(),
    }
}
