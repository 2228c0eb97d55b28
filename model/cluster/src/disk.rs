//! A node's disk: the log with its unsynced tail, and the contents beside it.

use std::sync::Arc;

use steadfast_guarantees::Copy;
use steadfast_protocol::{
    Change, Content, ContentId, Decisions, Entry, EntryBody, Payload, Position, Record, Sealed,
};

/// What a crash leaves, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disk {
    records: Arc<Vec<Record>>,
    synced: usize,
    /// Where each unsynced batch ends; kept only where syncs end one by one.
    batches: Vec<usize>,
    /// The contents with a copy, good or bad, in order.
    contents: Vec<(ContentId, Copy)>,
    /// Received payloads that are not stored yet, oldest first. Volatile.
    pub(crate) storing: Vec<Payload>,
}

impl Disk {
    /// A disk with these synced records.
    #[must_use]
    pub fn new(records: Vec<Record>) -> Self {
        Disk {
            synced: records.len(),
            records: Arc::new(records),
            batches: Vec::new(),
            contents: Vec::new(),
            storing: Vec::new(),
        }
    }

    /// All records, synced or not.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many records are synced.
    #[must_use]
    pub fn synced(&self) -> Position {
        Position(self.synced as u64)
    }

    /// How many records are not synced.
    #[must_use]
    pub fn tail(&self) -> usize {
        self.records.len() - self.synced
    }

    pub(crate) fn append(&mut self, records: Vec<Record>, pipelined: bool) {
        Arc::make_mut(&mut self.records).extend(records);
        if pipelined {
            self.batches.push(self.records.len());
        }
    }

    /// Ends a sync: of the oldest batch where syncs end one by one, else of everything.
    pub(crate) fn sync(&mut self) -> Position {
        self.synced = match self.batches.is_empty() {
            true => self.records.len(),
            false => self.batches.remove(0),
        };
        self.synced()
    }

    /// Loses what a crash takes: of the unsynced records the first `kept` survive. The next one is
    /// half written when `torn`; recovery drops it, unless the decision is to trust it.
    pub(crate) fn crash(&mut self, kept: u16, torn: bool, decisions: &dyn Decisions) {
        let survivors = (self.synced + usize::from(kept)).min(self.records.len());
        let half_written = self.records.get(survivors).filter(|_| torn).map(garbled);
        let records = Arc::make_mut(&mut self.records);
        records.truncate(survivors);
        records.extend(half_written.filter(|_| decisions.trusts_torn_record()));
        self.synced = self.records.len();
        self.batches.clear();
        self.storing.clear();
    }

    /// Loses records at its end, although they were synced.
    pub(crate) fn roll_back(&mut self, kept: u32) {
        let records = Arc::make_mut(&mut self.records);
        records.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        self.synced = records.len();
    }

    /// What is held of a content.
    #[must_use]
    pub fn copy(&self, content: ContentId) -> Copy {
        let at = self.contents.binary_search_by_key(&content, |it| it.0);
        at.map_or(Copy::Missing, |at| self.contents[at].1)
    }

    /// The contents with a copy, good or bad.
    #[must_use]
    pub fn contents(&self) -> &[(ContentId, Copy)] {
        &self.contents
    }

    /// Replaces the copy of a content.
    pub(crate) fn put(&mut self, content: ContentId, copy: Copy) {
        match self.contents.binary_search_by_key(&content, |it| it.0) {
            Ok(at) => self.contents[at].1 = copy,
            Err(at) => self.contents.insert(at, (content, copy)),
        }
    }

    /// Turns a payload into a content. A result whose hash is not the named one is not used,
    /// unless the decision is to trust it.
    pub(crate) fn store(&mut self, payload: Payload, decisions: &dyn Decisions) -> bool {
        let is_exact = payload.base.is_none_or(|base| self.copy(base) == Copy::Exact);
        let is_used = is_exact || decisions.trusts_unverified_content();
        if is_used {
            self.put(payload.content, if is_exact { Copy::Exact } else { Copy::Wrong });
        }
        is_used
    }
}

/// A half-written record read as if it were whole.
fn garbled(record: &Record) -> Record {
    match record {
        Record::Entry(entry) => Record::Entry(garbled_entry(entry)),
        Record::Identity(_) | Record::Promise(_) => record.clone(),
    }
}

fn garbled_entry(entry: &Entry) -> Entry {
    let change = Change::Put(Content::Inline(b"half".as_slice().into()));
    Sealed::new(EntryBody { change, ..(**entry).clone() })
}
