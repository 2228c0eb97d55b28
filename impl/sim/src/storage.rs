//! A node's disk: a real log on a simulated disk, and the contents beside it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use steadfast_node::{ContentCopy, NodeStorage, garbled, put_checkpoint};
use steadfast_protocol::{
    Checkpoint, ContentId, Decisions, Identity, LogIndex, NodeId, Payload, Record, Sealed,
    Steadfast, first_index, last_index,
};
use steadfast_simulated_disk::{CrashModel, DiskModel, SimulatedDisk};
use steadfast_wal::{LogId, Opening, SerialLog, Settings, Tail};

use crate::Random;
use crate::contents::{Bytes, Stored};

/// The damage that a crash may do to a simulated disk: sectors of 512 bytes that were being written are old,
/// new or garbage.
const CRASHES: CrashModel = CrashModel {
    sector_bytes: 512,
    tears_sectors: true,
    has_garbage_in_fresh_space: true,
    combined_sectors_max: 8,
};

/// The number of crashes that are tried until one leaves a wanted disk.
const CRASH_TRIES_MAX: usize = 200;

/// The log that a crash left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aftermath {
    /// How many unsynced records survived.
    pub kept: usize,
    /// How many unsynced records there were.
    pub of: usize,
    /// How the log ended.
    pub tail: Tail,
}

/// A copy of a disk with its log, and how many records the log holds.
struct Backup {
    disk: DiskModel,
    length: LogIndex,
}

/// The disk of a node, with the log that runs on it while the node is up.
pub(crate) struct Storage {
    disk: Arc<SimulatedDisk>,
    /// The copy that a rollback restores.
    backup: Option<Backup>,
    id: LogId,
    log: Option<SerialLog<SimulatedDisk>>,
    /// The records of the log, decoded; the log's bytes are compared with them at each recovery. The first
    /// is the checkpoint, if there is one.
    records: Vec<Record>,
    /// How many of them are synced, as far as the replica knows.
    synced: usize,
    /// How many records are synced or being synced.
    handed: usize,
    /// How many records are in the log's files.
    written: usize,
    /// How many records the log writes as one batch at most.
    records_per_batch: usize,
    /// Where each batch of records that is not synced ends.
    batches: VecDeque<usize>,
    contents: BTreeMap<ContentId, Stored>,
    /// How often a copy of a content was made, went bad or got lost.
    copies: u64,
    /// How many copies are bad.
    wrong: usize,
    /// Received payloads that are not stored yet, oldest first.
    received: VecDeque<Payload>,
    /// Whether the oldest of these is being written.
    is_writing_content: bool,
}

fn settings() -> Settings {
    Settings {
        block_bytes: 512,
        segment_bytes: 32 << 10,
        batch_bytes: 16 << 10,
        ..Settings::default()
    }
}

impl Storage {
    /// The disk of a new node: the first record of its log names the node.
    pub(crate) fn new(identity: Identity, records_per_batch: usize) -> Storage {
        let mut storage = Storage {
            disk: Arc::new(SimulatedDisk::new(DiskModel::default())),
            backup: None,
            id: LogId(u128::from(identity.node.0) + 1),
            log: None,
            records: Vec::new(),
            handed: 0,
            written: 0,
            records_per_batch: records_per_batch.max(1),
            synced: 0,
            batches: VecDeque::new(),
            contents: BTreeMap::new(),
            copies: 0,
            wrong: 0,
            received: VecDeque::new(),
            is_writing_content: false,
        };
        storage.open();
        storage.append_synced(Record::Identity(identity));
        storage.back_up();
        storage
    }

    /// Appends a record and syncs it at once.
    fn append_synced(&mut self, record: Record) {
        self.append(vec![record]);
        self.maybe_begin_sync();
        self.end_sync();
        self.synced = self.records.len();
    }

    /// Opens the log and replays it. A simulated disk whose only faults are crashes leaves a log that
    /// opens, with the records that were appended.
    fn open(&mut self) -> (usize, Tail) {
        let mut count = 0;
        let opening = Opening::begin(Arc::clone(&self.disk), self.id, settings());
        let opened = opening.and_then(|mut opening| {
            if !opening.state.is_empty() {
                let found: Option<Checkpoint> = postcard::from_bytes(&opening.state).ok();
                let written = match self.records.first() {
                    Some(Record::Checkpoint(checkpoint)) => Some(&**checkpoint),
                    _ => None,
                };
                assert_eq!(found.as_ref(), written, "log-returns-the-last-checkpoint");
                count += 1;
            }
            opening.for_each(|record| {
                let found = postcard::from_bytes(record.payload).ok();
                let appended = self.records.get(count);
                assert_eq!(found.as_ref(), appended, "log-returns-what-was-appended");
                count += 1;
            })?;
            opening.into_serial_log()
        });
        let (log, recovered) = opened
            .unwrap_or_else(|error| panic!("log-survives-crashes: the log does not open: {error}"));
        self.log = Some(log);
        (count, recovered.tail)
    }

    /// How many records are not synced.
    pub(crate) fn unsynced(&self) -> usize {
        self.records.len() - self.synced
    }

    /// Whether a sync is under way.
    pub(crate) fn is_syncing(&self) -> bool {
        self.handed > self.synced
    }

    /// Begins to sync the records appended so far; returns false if none are unsynced, or if a sync
    /// is under way.
    pub(crate) fn maybe_begin_sync(&mut self) -> bool {
        let begins = self.handed == self.synced && self.records.len() > self.synced;
        if begins {
            self.handed = self.records.len();
        }
        begins
    }

    /// Begins to write the oldest received content; false if there is none, or one is being written.
    pub(crate) fn maybe_begin_storing(&mut self) -> bool {
        let begins = !self.is_writing_content && !self.received.is_empty();
        self.is_writing_content |= begins;
        begins
    }

    /// Ends a sync: everything that was to be synced is on disk. Says where the batches end.
    pub(crate) fn end_sync(&mut self) -> Vec<usize> {
        self.write();
        let ended = self.batches.iter().take_while(|end| **end <= self.handed).count();
        self.batches.drain(..ended).collect()
    }

    /// Writes and syncs the records that are to be synced, batch by batch.
    fn write(&mut self) {
        let Some(log) = &mut self.log else {
            return;
        };
        for batch in self.records[self.written..self.handed].chunks(self.records_per_batch) {
            for record in batch {
                let bytes = postcard::to_allocvec(record)
                    .unwrap_or_else(|error| panic!("records-are-encodable: {error}"));
                let appended = log.append(&bytes);
                appended.unwrap_or_else(|error| panic!("log-accepts-records: {error}"));
            }
            let synced = log.sync();
            synced.unwrap_or_else(|error| panic!("log-syncs: {error}"));
        }
        self.written = self.handed;
    }

    /// Notes that the replica knows of a batch that is on disk.
    pub(crate) fn note_synced(&mut self, end: usize) -> LogIndex {
        self.synced = end;
        self.synced()
    }

    /// The node crashes. If a sync was under way, any part of it may be on the disk; a wanted outcome
    /// is tried for a few times.
    pub(crate) fn crash(
        &mut self,
        random: &mut Random,
        decisions: &dyn Decisions,
        is_wanted: &dyn Fn(&Aftermath) -> bool,
    ) -> Aftermath {
        let moments = self.moments();
        self.log = None;
        let of = self.unsynced();
        let mut tries = CRASH_TRIES_MAX;
        let (survivors, aftermath) = loop {
            let disk = &moments[random.below(moments.len())];
            let after = CRASHES.crash(disk, &mut |count| random.below(count));
            self.disk = Arc::new(SimulatedDisk::new(after));
            let (survivors, tail) = self.open();
            assert!(survivors >= self.synced, "log-keeps-what-was-synced");
            let aftermath = Aftermath { kept: survivors - self.synced, of, tail };
            tries -= 1;
            if tries == 0 || is_wanted(&aftermath) {
                break (survivors, aftermath);
            }
            self.log = None;
        };
        self.forget_after(survivors, decisions);
        aftermath
    }

    /// The states of the disk at which a crash may come: as it is, or while a sync is under way.
    fn moments(&mut self) -> Vec<DiskModel> {
        let now = self.disk.model();
        if !self.is_syncing() {
            return vec![now];
        }
        self.disk.start_tape();
        self.write();
        let mut tape = self.disk.take_tape();
        // The last state is the one in which the sync has ended.
        tape.pop();
        if tape.is_empty() { vec![now] } else { tape }
    }

    /// Forgets the records that a crash took.
    fn forget_after(&mut self, survivors: usize, decisions: &dyn Decisions) {
        let torn = self.records.get(survivors).map(garbled);
        self.records.truncate(survivors);
        (self.synced, self.handed, self.written) = (survivors, survivors, survivors);
        self.batches.clear();
        self.received.clear();
        self.is_writing_content = false;
        if let Some(record) = torn.filter(|_| decisions.trusts_torn_record()) {
            self.append_synced(record);
        }
        self.log = None;
    }

    /// Copies the disk as it is.
    pub(crate) fn back_up(&mut self) {
        let before = first_index(&self.records).0 - 1;
        let length = LogIndex(before + self.written as u64);
        self.backup = Some(Backup { disk: self.disk.model(), length });
    }

    /// Restores the copy of the disk of a node that is down, if records were synced since it was
    /// made, and returns the number of records that remain. A copy of a disk in use holds the
    /// remains of a crash at that moment.
    pub(crate) fn roll_back(&mut self, random: &mut Random) -> Option<LogIndex> {
        let backup = self.backup.as_ref().filter(|it| it.length < last_index(&self.records))?;
        let copy = CRASHES.crash(&backup.disk, &mut |count| random.below(count));
        self.disk = Arc::new(SimulatedDisk::new(copy));
        let (survivors, _) = self.open();
        self.forget_after(survivors, &Steadfast);
        Some(last_index(&self.records))
    }

    /// The node starts again.
    pub(crate) fn restart(&mut self) {
        self.open();
    }

    pub(crate) fn content(&self, content: ContentId) -> Option<&Stored> {
        self.contents.get(&content)
    }

    /// How often a copy of a content was made or went bad.
    pub(crate) fn copies(&self) -> u64 {
        self.copies
    }

    /// Takes the oldest received payload, whose content has been written.
    pub(crate) fn take_received(&mut self) -> Option<Payload> {
        self.is_writing_content = false;
        self.received.pop_front()
    }

    pub(crate) fn put(&mut self, content: ContentId, stored: Stored) {
        self.copies += 1;
        self.wrong += usize::from(!stored.is_exact);
        let old = self.contents.insert(content, stored);
        self.wrong -= usize::from(old.is_some_and(|it| !it.is_exact));
    }

    /// A copy is gone.
    pub(crate) fn remove(&mut self, content: ContentId) {
        self.copies += 1;
        let old = self.contents.remove(&content);
        self.wrong -= usize::from(old.is_some_and(|it| !it.is_exact));
    }

    /// A bit of a copy flips.
    pub(crate) fn rot(&mut self, content: ContentId, random: &mut Random) {
        let Some(mut bytes) = self.contents.get(&content).map(|it| it.bytes.to_vec()) else {
            return;
        };
        let at = random.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
        self.put(content, Stored { bytes: Bytes::new(bytes), is_exact: false });
    }
}

impl NodeStorage for Storage {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn synced(&self) -> LogIndex {
        LogIndex(first_index(&self.records).0 - 1 + self.synced as u64)
    }

    fn append(&mut self, records: Vec<Record>) {
        self.records.extend(records);
        self.batches.push_back(self.records.len());
    }

    /// The checkpoint is on the disk when this returns, and the backup is one of this disk: a log that is
    /// rolled back keeps its checkpoint.
    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        if let Some(log) = &mut self.log {
            let state = postcard::to_allocvec(&*checkpoint)
                .unwrap_or_else(|error| panic!("checkpoints-are-encodable: {error}"));
            let written = log.checkpoint(steadfast_wal::LogIndex(checkpoint.length.0), &state);
            written.unwrap_or_else(|error| panic!("log-takes-checkpoints: {error}"));
        }
        let gone = put_checkpoint(&mut self.records, checkpoint);
        self.synced -= gone;
        self.handed -= gone;
        self.written -= gone;
        self.batches.iter_mut().for_each(|end| *end -= gone);
        self.back_up();
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        self.contents.get(&content).map_or(ContentCopy::Missing, Stored::copy)
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.keys().copied()
    }

    /// Looks only if there is a bad copy: this is asked after every step.
    fn wrong_contents(&self) -> impl Iterator<Item = ContentId> {
        let looks = self.contents.iter().take(if self.wrong > 0 { usize::MAX } else { 0 });
        looks.filter(|(_, stored)| !stored.is_exact).map(|(content, _)| *content)
    }

    fn store(&mut self, payload: Payload, _: NodeId) {
        self.received.push_back(payload);
    }

    fn discard(&mut self, content: ContentId) {
        self.remove(content);
    }

    fn is_storing(&self) -> bool {
        !self.received.is_empty()
    }
}
