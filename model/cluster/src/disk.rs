//! A node's disk: the log with its unsynced tail, and the contents beside it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steadfast_node::{ContentCopy, NodeStorage, garbled, put_checkpoint, stored_or_unusable};
use steadfast_protocol::{
    Checkpoint, ContentId, Decisions, Incarnation, Input, LogIndex, NodeId, Payload, Record,
    Sealed, first_index,
};

/// A log with its unsynced tail, which a crash may shorten, and the contents beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Disk {
    records: Arc<Vec<Record>>,
    /// How many of `records` are synced.
    synced: usize,
    /// Whether syncs end one by one.
    is_pipelined: bool,
    /// Where each unsynced batch ends; kept only where syncs end one by one.
    batches: Vec<usize>,
    /// The incarnation of the node at its next start, which no real disk knows.
    incarnation: Incarnation,
    /// The contents with a copy, good or bad, in order.
    contents: Vec<(ContentId, ContentCopy)>,
    /// Received payloads that are not stored yet with their senders, oldest first. Volatile.
    storing: Vec<(Payload, NodeId)>,
    /// The checkpoint that is being written. Volatile: one that a crash leaves whole is one that was durable before.
    checkpoint: Option<Sealed<Checkpoint>>,
}

impl Disk {
    /// A disk with these synced records, and whether its syncs end one by one.
    #[must_use]
    pub fn new(records: Vec<Record>, is_pipelined: bool) -> Self {
        Disk {
            synced: records.len(),
            records: Arc::new(records),
            is_pipelined,
            batches: Vec::new(),
            incarnation: Incarnation::default(),
            contents: Vec::new(),
            storing: Vec::new(),
            checkpoint: None,
        }
    }

    /// A new disk in the place of this one.
    pub(crate) fn replaced(&self, records: Vec<Record>) -> Disk {
        Disk { incarnation: self.incarnation, ..Disk::new(records, self.is_pipelined) }
    }

    /// The incarnation of the node at its next start.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Makes the next start another incarnation.
    pub(crate) fn renew(&mut self) {
        self.incarnation.0 += 1;
    }

    /// The log of a disk, without its contents.
    pub(crate) fn log_only(&self) -> Disk {
        let records = Arc::clone(&self.records);
        Disk { records, synced: self.synced, ..Disk::new(Vec::new(), self.is_pipelined) }
    }

    /// The number of unsynced records.
    #[must_use]
    pub fn tail(&self) -> usize {
        self.records.len() - self.synced
    }

    /// Ends a sync: of the oldest batch where syncs end one by one, else of everything.
    pub(crate) fn sync(&mut self) -> LogIndex {
        self.synced = match self.batches.is_empty() {
            true => self.records.len(),
            false => self.batches.remove(0),
        };
        self.synced()
    }

    /// Loses unsynced records in a crash: the first `kept` survive. The next one is half written if
    /// `torn`; recovery drops it, unless the decisions trust it.
    pub(crate) fn crash(&mut self, kept: u32, torn: bool, decisions: &dyn Decisions) {
        let survivors = (self.synced + kept as usize).min(self.records.len());
        let half_written = self.records.get(survivors).filter(|_| torn).map(garbled);
        let records = Arc::make_mut(&mut self.records);
        records.truncate(survivors);
        records.extend(half_written.filter(|_| decisions.trusts_torn_record()));
        self.synced = self.records.len();
        self.batches.clear();
        self.storing.clear();
        self.checkpoint = None;
    }

    /// Loses records at its end, although they were synced: those after index `kept`.
    pub(crate) fn roll_back(&mut self, kept: u32) {
        let before = first_index(&self.records).0 - 1;
        let left = u64::from(kept).saturating_sub(before).max(1);
        let records = Arc::make_mut(&mut self.records);
        records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.synced = records.len();
    }

    /// The received payloads that are not stored yet with their senders, oldest first.
    pub(crate) fn storing(&self) -> &[(Payload, NodeId)] {
        &self.storing
    }

    /// The contents with a copy, good or bad.
    #[must_use]
    pub fn copies(&self) -> &[(ContentId, ContentCopy)] {
        &self.contents
    }

    /// Replaces the copy of a content.
    pub(crate) fn put(&mut self, content: ContentId, copy: ContentCopy) {
        match self.contents.binary_search_by_key(&content, |it| it.0) {
            Ok(at) => self.contents[at].1 = copy,
            Err(at) => self.contents.insert(at, (content, copy)),
        }
    }

    /// Loses the copy of a content.
    pub(crate) fn remove(&mut self, content: ContentId) {
        self.contents.retain(|(it, _)| *it != content);
    }

    /// Turns the oldest received payload into a content, and returns the replica's input about it.
    pub(crate) fn store_next(&mut self, decisions: &dyn Decisions) -> Option<Input> {
        let (payload, _) = (!self.storing.is_empty()).then(|| self.storing.remove(0))?;
        let content = payload.content;
        let is_exact = payload.base.is_none_or(|base| self.copy(base) == ContentCopy::Exact);
        let made = if is_exact { ContentCopy::Exact } else { ContentCopy::Wrong };
        let input = stored_or_unusable(content, made, decisions);
        if let Input::Stored { .. } = input {
            self.put(content, made);
        }
        Some(input)
    }

    /// Puts the checkpoint that is being written in the place of its records, and returns the replica's input
    /// about it.
    pub(crate) fn end_checkpoint(&mut self) -> Option<Input> {
        let gone = put_checkpoint(Arc::make_mut(&mut self.records), self.checkpoint.take()?);
        self.synced -= gone;
        self.batches.iter_mut().for_each(|end| *end -= gone);
        Some(Input::Checkpointed)
    }

    /// Ends the transfer of the oldest received payload with or without a good content, and returns the
    /// replica's input about it.
    pub(crate) fn end_transfer(&mut self, made: bool) -> Option<Input> {
        let (payload, _) = (!self.storing.is_empty()).then(|| self.storing.remove(0))?;
        let content = payload.content;
        if !made {
            return Some(Input::Unusable { content });
        }
        self.put(content, ContentCopy::Exact);
        Some(Input::Stored { content })
    }
}

impl NodeStorage for Disk {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn synced(&self) -> LogIndex {
        LogIndex(first_index(&self.records).0 - 1 + self.synced as u64)
    }

    fn append(&mut self, records: Vec<Record>) {
        Arc::make_mut(&mut self.records).extend(records);
        if self.is_pipelined {
            self.batches.push(self.records.len());
        }
    }

    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        self.checkpoint = Some(checkpoint);
    }

    fn is_checkpointing(&self) -> bool {
        self.checkpoint.is_some()
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        let at = self.contents.binary_search_by_key(&content, |it| it.0);
        at.map_or(ContentCopy::Missing, |at| self.contents[at].1)
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.iter().map(|(content, _)| *content)
    }

    fn store(&mut self, payload: Payload, from: NodeId) {
        self.storing.push((payload, from));
    }

    /// A payload that arrived and is not stored yet is no copy.
    fn discard(&mut self, content: ContentId) {
        self.remove(content);
    }

    fn is_storing(&self) -> bool {
        !self.storing.is_empty()
    }
}
