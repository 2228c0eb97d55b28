//! The storage of a node: records, checkpoints and contents.

mod error;
mod opening;
mod reading;
mod tail;

use std::collections::VecDeque;
use std::sync::Arc;

use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{
    Checkpoint, ContentId, Identity, Input, LogIndex, NodeId, Payload, Record, Sealed, first_index,
};
use steadfast_wal::{AppendError, CheckpointError, Recovered};

use crate::{Contents, RecordLog, TrimPolicy, codec};
pub use error::{CreateError, OpenError, StoreFailure};
pub use opening::{create, create_from};
pub use reading::{StoppedLog, read};
use tail::Tail;

/// The storage of a node, on a log with threads or without.
///
/// Its records are in memory, decoded; they share their entries with the replica. The node's driver
///
/// 1. gives a received payload, from [`Store::take_received`], to whatever makes contents of payloads;
/// 2. waits for the log and reports its progress with [`Store::note_synced`];
/// 3. gives the node `Input::Trim` when [`Store::is_trim_due`] says so, runs the job of
///    [`Store::take_checkpoint`] on another thread, and reports its end with [`Store::note_checkpointed`];
/// 4. looks at [`Store::failure`] after each input: a store that has failed accepts no more records.
#[derive(Debug)]
pub struct Store<L: RecordLog> {
    identity: Identity,
    log: L,
    contents: Arc<Contents<L::Disk>>,
    recovered: Recovered,
    /// The first is the checkpoint, if there is one.
    records: Vec<Record>,
    /// The length of the last checkpoint's bytes.
    state_bytes: u64,
    tail: Tail,
    /// Records for which the checkpoint stands. To free a million of them at once would hold up the node.
    garbage: Vec<Record>,
    /// The last record that is synced, as far as the replica knows.
    synced: LogIndex,
    /// Records that the log has not accepted because the disk is full, oldest first.
    refused: VecDeque<Vec<u8>>,
    checkpoint: Pending,
    received: VecDeque<(Payload, NodeId)>,
    /// How many payloads were taken whose stores have not ended.
    storing: usize,
    failure: Option<StoreFailure>,
    policy: TrimPolicy,
}

/// How many records of [`Store::garbage`] are freed with each record that is appended.
const FREED_PER_APPEND: usize = 16;

/// The checkpoint that the replica has asked for.
#[derive(Debug)]
enum Pending {
    None,
    /// It waits for the driver to write it.
    Asked(Sealed<Checkpoint>),
    /// The driver has a job that writes it.
    Writing(Sealed<Checkpoint>),
}

/// Writes a checkpoint, on any thread. Appends go on meanwhile.
#[derive(Debug)]
pub struct CheckpointJob<L> {
    log: L,
    checkpoint: Sealed<Checkpoint>,
}

/// A checkpoint that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    length: LogIndex,
    bytes: u64,
}

impl<L: RecordLog> CheckpointJob<L> {
    /// Encodes the checkpoint, writes it and syncs it.
    ///
    /// # Errors
    /// As `Log::checkpoint`. After [`CheckpointError::OutOfSpace`] the log goes on with the checkpoint that
    /// it had; report the failure by [`Store::note_checkpoint_failed`] and try again later.
    pub fn run(self) -> Result<Checkpointed, CheckpointError> {
        let state = codec::encode_checkpoint(&self.checkpoint);
        let length = self.checkpoint.length;
        self.log.checkpoint(steadfast_wal::LogIndex(length.0), &state)?;
        Ok(Checkpointed { length, bytes: state.len() as u64 })
    }
}

impl<L: RecordLog> Store<L> {
    /// The owner of the log, as its first record says.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The log, for the driver to wait for.
    #[must_use]
    pub fn log(&self) -> &L {
        &self.log
    }

    /// The contents beside the log.
    #[must_use]
    pub fn contents_store(&self) -> &Arc<Contents<L::Disk>> {
        &self.contents
    }

    /// How the log was found when it was opened.
    #[must_use]
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Why the store accepts no more records, once it does not.
    #[must_use]
    pub fn failure(&self) -> Option<&StoreFailure> {
        self.failure.as_ref()
    }

    /// How many records wait for room on the disk.
    #[must_use]
    pub fn waiting_for_room(&self) -> usize {
        self.refused.len()
    }

    /// Hands the records that wait for room on the disk to the log again. Returns whether none waits any
    /// more.
    pub fn retry_appends(&mut self) -> bool {
        while self.failure.is_none()
            && let Some(bytes) = self.refused.front()
        {
            match self.log.append(bytes) {
                Ok(_) => {}
                Err(AppendError::OutOfSpace(_)) => return false,
                Err(error) => self.failure = Some(StoreFailure::of(error)),
            }
            self.refused.pop_front();
        }
        self.refused.is_empty()
    }

    fn free_some(&mut self) {
        self.garbage.truncate(self.garbage.len().saturating_sub(FREED_PER_APPEND));
        if self.garbage.is_empty() {
            self.garbage = Vec::new();
        }
    }

    fn hand_over(&mut self, bytes: Vec<u8>) {
        if self.failure.is_some() {
            return;
        }
        if !self.refused.is_empty() && !self.retry_appends() {
            self.refused.push_back(bytes);
            return;
        }
        match self.log.append(&bytes) {
            Ok(_) => {}
            Err(AppendError::OutOfSpace(_)) => self.refused.push_back(bytes),
            Err(error) => self.failure = Some(StoreFailure::of(error)),
        }
    }

    /// Notes that the records up to this one are durable, and returns the input that tells the node.
    ///
    /// # Panics
    /// When the log says otherwise (synced-is-durable).
    pub fn note_synced(&mut self, index: LogIndex) -> Input {
        let durable = LogIndex(self.log.durable().0);
        assert!(index <= durable, "synced-is-durable: {index} of {durable}");
        self.synced = self.synced.max(index);
        Input::Synced(self.synced)
    }

    /// Whether the node should be given `Input::Trim` now: the log is long, and no checkpoint is on its way.
    #[must_use]
    pub fn is_trim_due(&self) -> bool {
        matches!(self.checkpoint, Pending::None)
            && self.synced > first_index(&self.records)
            && self.policy.is_due(self.state_bytes, self.log.used_bytes(), self.tail.size())
    }

    /// The bytes of the last checkpoint, and those that the log needs for the records behind it.
    #[must_use]
    pub fn log_bytes(&self) -> (u64, u64) {
        (self.state_bytes, self.log.used_bytes())
    }

    /// The job that writes the checkpoint that the node has asked for; `None` if there is none or its job
    /// was taken already.
    pub fn take_checkpoint(&mut self) -> Option<CheckpointJob<L>> {
        let Pending::Asked(checkpoint) = &self.checkpoint else {
            return None;
        };
        let checkpoint = checkpoint.clone();
        self.checkpoint = Pending::Writing(checkpoint.clone());
        Some(CheckpointJob { log: self.log.clone(), checkpoint })
    }

    /// Notes that a checkpoint is on the disk, and returns the input that tells the node.
    ///
    /// # Panics
    /// When it is not the one whose job was taken last (checkpoints-in-order).
    pub fn note_checkpointed(&mut self, written: Checkpointed) -> Input {
        let pending = std::mem::replace(&mut self.checkpoint, Pending::None);
        let Pending::Writing(checkpoint) = pending else {
            panic!("checkpoints-in-order: no checkpoint was being written");
        };
        assert_eq!(checkpoint.length, written.length, "checkpoints-in-order");
        let gone = checkpoint.length.0 + 1 - first_index(&self.records).0;
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(self.records.len());
        let kept = self.records.split_off(gone);
        self.tail.keep_last(kept.len());
        self.garbage.append(&mut self.records);
        self.records.push(Record::Checkpoint(checkpoint));
        self.records.extend(kept);
        self.state_bytes = written.bytes;
        self.retry_appends();
        Input::Checkpointed
    }

    /// Notes that a checkpoint could not be written. [`Store::take_checkpoint`] returns its job again.
    pub fn note_checkpoint_failed(&mut self) {
        let pending = std::mem::replace(&mut self.checkpoint, Pending::None);
        self.checkpoint = match pending {
            Pending::Writing(checkpoint) => Pending::Asked(checkpoint),
            other => other,
        };
    }

    /// The oldest received payload whose content has not been made, with its sender. The driver makes the
    /// content, calls [`Store::note_stored`], and gives the node `Input::Stored` or `Input::Unusable`.
    pub fn take_received(&mut self) -> Option<(Payload, NodeId)> {
        let taken = self.received.pop_front();
        self.storing += usize::from(taken.is_some());
        taken
    }

    /// Notes that the store of a payload has ended, with or without success.
    pub fn note_stored(&mut self) {
        self.storing = self.storing.saturating_sub(1);
    }
}

impl<L: RecordLog> NodeStorage for Store<L> {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn synced(&self) -> LogIndex {
        self.synced
    }

    /// Hands the records to the log at once. They are durable when the log says so.
    fn append(&mut self, records: Vec<Record>) {
        for record in &records {
            let bytes = codec::encode_record(record);
            self.tail.push(bytes.len());
            self.hand_over(bytes);
            self.free_some();
        }
        self.records.extend(records);
    }

    /// Keeps the checkpoint for [`Store::take_checkpoint`].
    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        let is_writing = matches!(self.checkpoint, Pending::Writing(_));
        assert!(!is_writing, "one-checkpoint-at-a-time: trim when is_trim_due says so");
        self.checkpoint = Pending::Asked(checkpoint);
    }

    fn is_checkpointing(&self) -> bool {
        !matches!(self.checkpoint, Pending::None)
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        self.contents.copy(content)
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.ids().into_iter()
    }

    fn wrong_contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.bad().into_iter()
    }

    fn store(&mut self, payload: Payload, from: NodeId) {
        self.received.push_back((payload, from));
    }

    /// A copy that cannot be removed stays: it costs room only, and the next start finds it.
    fn discard(&mut self, content: ContentId) {
        let _ = self.contents.discard(content);
    }

    fn is_storing(&self) -> bool {
        self.storing > 0 || !self.received.is_empty()
    }
}
