//! A node's disk: the store of a real node on two simulated disks, one with its log and one with its
//! contents.

mod crash;
mod held_log;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use steadfast_delta::manifest::{Manifest, Root};
use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{
    Checkpoint, ContentId, Identity, Input, LogIndex, NodeId, Payload, Record, Sealed, last_index,
};
use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_store::{
    Checkpointed, ContentDecisions, ContentError, ContentPlace, Store, TrimPolicy, create,
    create_from,
};
use steadfast_wal::{LogId, Settings};
use steadfast_wire::transfer::Received;

use crate::contents::{Bytes, Contents};
use crash::{AfterCrash, Backup, is_exact};
use held_log::HeldLog;

pub(crate) use crash::Aftermath;

/// The contents of a node.
pub(crate) type NodeContents = steadfast_store::Contents<SimulatedDisk>;

/// The space that a node takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// The bytes of the files of its log, the checkpoint among them.
    pub log_bytes: u64,
    /// The bytes of its last checkpoint.
    pub state_bytes: u64,
    /// The bytes of the files with its contents.
    pub content_bytes: u64,
    /// The records of its log that it holds in memory.
    pub records: usize,
}

/// A payload that was received, and its content on the way to the disk.
pub(crate) struct Arrival {
    pub payload: Payload,
    pub from: NodeId,
    pub arriving: Arriving,
}

/// How far a content has come.
pub(crate) enum Arriving {
    /// The transfer goes on.
    UnderWay,
    /// Every byte is there and verified, and nothing is durable.
    Received { place: ContentPlace<SimulatedDisk>, manifest: Box<Manifest>, received: Received },
    /// The content is durable, and its node has not heard of it.
    Durable { received: Received, length: u64 },
    /// The transfer has ended without the content.
    Failed,
}

/// The end of a transfer, as a node hears of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub payload: Payload,
    /// How the content came, and its length; `None` without it.
    pub made: Option<(Received, u64)>,
}

/// The disk of a node.
pub(crate) struct Storage {
    identity: Identity,
    decisions: &'static dyn ContentDecisions,
    policy: Option<TrimPolicy>,
    log_disk: Arc<SimulatedDisk>,
    contents_disk: Arc<SimulatedDisk>,
    /// The copy that a rollback restores.
    backup: Option<Backup>,
    /// Closed only while a crash changes the disks.
    store: Option<Store<HeldLog>>,
    /// The last record that is synced or being synced.
    handed: LogIndex,
    /// How many records the log writes as one batch at most.
    records_per_batch: usize,
    /// Where each batch of records that is not synced ends.
    batches: VecDeque<LogIndex>,
    /// The contents whose bytes are not those that clients brought, whether the store has noticed or not.
    wrong: BTreeSet<ContentId>,
    /// How often a copy of a content was made, went bad or got lost.
    copies: u64,
    /// Received payloads whose ends the node has not heard, oldest first. It hears of them in this order.
    arrivals: VecDeque<Arrival>,
    /// Whether the oldest of these is being made durable.
    is_writing: bool,
    /// The disk with the contents that a crash has been chosen to leave.
    after_crash: Option<AfterCrash>,
    checkpointing: Checkpointing,
    /// The disk with the log that a crash has been chosen to leave.
    log_after_crash: Option<DiskModel>,
}

/// How far the checkpoint has come for which a node has asked.
enum Checkpointing {
    /// The node has asked for none, or the disk has not begun to write it.
    No,
    Begun,
    /// It is on the disk, and the node has not heard of it.
    Written(Checkpointed),
}

fn settings() -> Settings {
    Settings {
        block_bytes: 512,
        segment_bytes: 32 << 10,
        batch_bytes: 16 << 10,
        ..Settings::default()
    }
}

/// The file with the bytes of a content.
fn file_name(content: ContentId) -> String {
    Root(content.0).to_string()
}

impl Storage {
    /// The disk of a new node: the first record of its log names the node.
    pub(crate) fn new(
        identity: Identity,
        records_per_batch: usize,
        decisions: &'static dyn ContentDecisions,
        policy: Option<TrimPolicy>,
    ) -> Storage {
        let disk = || Arc::new(SimulatedDisk::new(DiskModel::default()));
        let mut storage = Storage {
            identity,
            decisions,
            policy,
            log_disk: disk(),
            contents_disk: disk(),
            backup: None,
            store: None,
            handed: LogIndex(0),
            records_per_batch: records_per_batch.max(1),
            batches: VecDeque::new(),
            wrong: BTreeSet::new(),
            copies: 0,
            arrivals: VecDeque::new(),
            is_writing: false,
            after_crash: None,
            checkpointing: Checkpointing::No,
            log_after_crash: None,
        };
        let created = create(&storage.log_disk, &storage.contents_disk, identity, storage.log());
        created.unwrap_or_else(|error| panic!("empty-disks-take-a-node: {error}"));
        storage.open();
        storage.begin_life();
        storage.back_up();
        storage
    }

    /// A new disk takes the place of this one: its log begins with this checkpoint, and it has no contents.
    pub(crate) fn replace(&mut self, checkpoint: &Checkpoint) {
        let disk = || Arc::new(SimulatedDisk::new(DiskModel::default()));
        self.store = None;
        (self.log_disk, self.contents_disk) = (disk(), disk());
        let layout = self.log();
        let created = create_from(&self.log_disk, &self.contents_disk, checkpoint, layout);
        created.unwrap_or_else(|error| panic!("empty-disks-take-a-node: {error}"));
        self.open();
        self.begin_life();
        self.wrong.clear();
        self.copies += 1;
        self.back_up();
    }

    fn log(&self) -> (LogId, Settings) {
        (LogId(u128::from(self.identity.node.0) + 1), settings())
    }

    /// Opens the store on the disks of this node.
    fn open(&mut self) {
        self.store = Some(self.open_on(&self.log_disk, &self.contents_disk));
    }

    /// Opens the store on these disks. Simulated disks whose only faults are crashes and rot leave one that opens.
    fn open_on(&self, log: &Arc<SimulatedDisk>, contents: &Arc<SimulatedDisk>) -> Store<HeldLog> {
        let policy = self.policy.unwrap_or_default();
        let opened =
            Store::open_with(log, contents, self.identity, self.log(), policy, self.decisions);
        opened.unwrap_or_else(|error| panic!("store-survives-crashes: {error}"))
    }

    /// Begins with what the store has read: all of it is synced, and nothing is on its way.
    fn begin_life(&mut self) {
        self.handed = self.synced();
        self.batches.clear();
        self.arrivals.clear();
        self.is_writing = false;
        self.after_crash = None;
        self.checkpointing = Checkpointing::No;
        self.log_after_crash = None;
    }

    /// Appends a record and syncs it at once.
    fn append_synced(&mut self, record: Record) {
        self.append(vec![record]);
        self.maybe_begin_sync();
        self.end_sync();
        self.note_synced(self.handed);
    }

    fn opened(&self) -> &Store<HeldLog> {
        self.store.as_ref().unwrap_or_else(|| unreachable!("stores-are-open outside of a crash"))
    }

    fn opened_mut(&mut self) -> &mut Store<HeldLog> {
        self.store.as_mut().unwrap_or_else(|| unreachable!("stores-are-open outside of a crash"))
    }

    /// How many records are not synced.
    pub(crate) fn unsynced(&self) -> usize {
        let unsynced = last_index(self.records()).0 - self.synced().0;
        usize::try_from(unsynced).unwrap_or(usize::MAX)
    }

    /// Whether a sync is under way.
    pub(crate) fn is_syncing(&self) -> bool {
        self.handed > self.synced()
    }

    /// Begins to sync the records appended so far; returns false if none are unsynced, or if a sync
    /// is under way.
    pub(crate) fn maybe_begin_sync(&mut self) -> bool {
        let last = last_index(self.records());
        let begins = self.handed == self.synced() && last > self.handed;
        if begins {
            self.handed = last;
        }
        begins
    }

    /// Ends a sync: everything that was to be synced is on disk. Returns the end of each batch.
    pub(crate) fn end_sync(&mut self) -> Vec<LogIndex> {
        self.write();
        let ended = self.batches.iter().take_while(|end| **end <= self.handed).count();
        self.batches.drain(..ended).collect()
    }

    /// Writes and syncs the records that are to be synced, batch by batch.
    fn write(&mut self) {
        self.opened().log().write(self.handed, self.records_per_batch);
    }

    /// Notes that the replica knows of a batch that is on disk; returns its input.
    pub(crate) fn note_synced(&mut self, end: LogIndex) -> Input {
        self.opened_mut().note_synced(end)
    }

    /// Whether the policy asks for a trim.
    pub(crate) fn is_trim_due(&self) -> bool {
        self.policy.is_some() && self.opened().is_trim_due()
    }

    /// The bytes of everything on the disks, and how many records are held in memory.
    pub(crate) fn footprint(&self) -> Footprint {
        let on = |disk: &SimulatedDisk| {
            disk.look(|disk| disk.files().map(|(_, bytes)| bytes.len() as u64).sum())
        };
        Footprint {
            log_bytes: on(&self.log_disk),
            state_bytes: self.opened().log_bytes().0,
            content_bytes: on(&self.contents_disk),
            records: self.records().len(),
        }
    }

    /// Begins to write the checkpoint for which the node has asked; false if there is none, or that has begun.
    pub(crate) fn maybe_begin_checkpoint(&mut self) -> bool {
        let begins = matches!(self.checkpointing, Checkpointing::No) && self.is_checkpointing();
        if begins {
            self.checkpointing = Checkpointing::Begun;
        }
        begins
    }

    /// Writes the checkpoint that was begun, unless it is on the disk, and returns the input of the node. The backup
    /// is one of this disk: a log that is rolled back keeps its checkpoint.
    pub(crate) fn end_checkpoint(&mut self) -> Input {
        let written = match std::mem::replace(&mut self.checkpointing, Checkpointing::No) {
            Checkpointing::Written(written) => written,
            Checkpointing::No | Checkpointing::Begun => self.write_checkpoint(),
        };
        let input = self.opened_mut().note_checkpointed(written);
        self.back_up();
        input
    }

    fn write_checkpoint(&mut self) -> Checkpointed {
        let job = self.opened_mut().take_checkpoint();
        let job = job.unwrap_or_else(|| unreachable!("checkpoints-begin before they end"));
        job.run().unwrap_or_else(|error| panic!("log-takes-checkpoints: {error}"))
    }

    /// The contents of the store.
    pub(crate) fn contents_store(&self) -> &Arc<NodeContents> {
        self.opened().contents_store()
    }

    /// The state of the bytes on the disk, whether the store has noticed damage or not.
    pub(crate) fn copy_on_disk(&self, content: ContentId) -> ContentCopy {
        match self.opened().copy(content) {
            ContentCopy::Missing => ContentCopy::Missing,
            _ if self.wrong.contains(&content) => ContentCopy::Wrong,
            _ => ContentCopy::Exact,
        }
    }

    /// Whether the store hands out bytes without comparing them with their name. Only a twin does.
    pub(crate) fn reads_unverified(&self) -> bool {
        !self.decisions.verifies_reads()
    }

    /// Reads a whole content as clients and peers do, verified.
    pub(crate) fn read(&self, content: ContentId) -> Result<Vec<u8>, ContentError> {
        let mut reader = self.contents_store().reader(content)?;
        let mut bytes = vec![0; usize::try_from(reader.length()).unwrap_or(usize::MAX)];
        reader.read_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Verifies all contents, as the scrub of a server does; returns those that are bad.
    pub(crate) fn scrub(&self) -> Vec<ContentId> {
        let scrubbed = self.contents_store().scrub(u64::MAX);
        let scrubbed = scrubbed.unwrap_or_else(|error| panic!("disks-are-readable: {error}"));
        let bad = scrubbed.verdicts.into_iter().filter(|it| !it.is_good);
        bad.map(|it| it.content).collect()
    }

    /// How often a copy of a content was made, went bad or got lost.
    pub(crate) fn copies(&self) -> u64 {
        self.copies
    }

    /// Makes a content durable that a client brings.
    pub(crate) fn bring(&mut self, content: ContentId, bytes: &Bytes, brought: &Contents) {
        let contents = self.contents_store();
        let written = contents.writer().and_then(|mut writer| {
            writer.update(bytes)?;
            writer.finish_as(content)
        });
        written.unwrap_or_else(|error| panic!("disks-take-contents: {error}"));
        self.note_made(content, brought);
    }

    /// Notes that a content was made, of which the node hears now.
    fn note_made(&mut self, content: ContentId, brought: &Contents) {
        self.contents_store().note_reported(content);
        self.copies += 1;
        match self.contents_disk.look(|disk| is_exact(disk, content, brought)) {
            true => self.wrong.remove(&content),
            false => self.wrong.insert(content),
        };
    }

    /// A copy is gone.
    pub(crate) fn lose(&mut self, content: ContentId) {
        let removed = self.contents_store().remove(content);
        removed.unwrap_or_else(|error| panic!("disks-remove-contents: {error}"));
        self.note_removed(content);
    }

    /// Makes a removal durable. The model knows no content that comes back; the crash states of the contents
    /// are enumerated elsewhere.
    fn note_removed(&mut self, content: ContentId) {
        use steadfast_wal::disk::Disk;
        self.copies += 1;
        self.wrong.remove(&content);
        let synced = self.contents_disk.sync_directory();
        synced.unwrap_or_else(|error| panic!("disks-sync: {error}"));
        if let Some(after) = &mut self.after_crash {
            after.remove(content);
        }
    }

    /// The oldest received payload whose transfer has not begun, with its sender.
    pub(crate) fn take_received(&mut self) -> Option<(Payload, NodeId)> {
        self.opened_mut().take_received()
    }

    /// Adds a payload whose transfer begins, or cannot.
    pub(crate) fn add_arrival(&mut self, payload: Payload, from: NodeId, begins: bool) {
        let arriving = if begins { Arriving::UnderWay } else { Arriving::Failed };
        self.arrivals.push_back(Arrival { payload, from, arriving });
    }

    /// Notes the end of a transfer from a peer. Of several transfers of the content the oldest gets it.
    pub(crate) fn end_transfer(&mut self, from: NodeId, content: ContentId, arriving: Arriving) {
        let is_it = |it: &&mut Arrival| {
            let is_under_way = matches!(it.arriving, Arriving::UnderWay);
            is_under_way && it.from == from && it.payload.content == content
        };
        let mut ending = self.arrivals.iter_mut().filter(is_it);
        if let Some(oldest) = ending.next() {
            oldest.arriving = arriving;
        }
        ending.for_each(|it| it.arriving = Arriving::Failed);
    }

    /// The oldest received payload.
    pub(crate) fn oldest_arrival(&self) -> Option<Payload> {
        self.arrivals.front().map(|it| it.payload)
    }

    /// Begins to make the oldest received content durable; false if there is none, or that has begun.
    pub(crate) fn maybe_begin_storing(&mut self) -> bool {
        let has_come = |it: &Arrival| !matches!(it.arriving, Arriving::UnderWay);
        let begins = !self.is_writing && self.arrivals.front().is_some_and(has_come);
        self.is_writing |= begins;
        begins
    }

    /// Makes the oldest received content durable, if it was received.
    fn finish_oldest(&mut self) {
        let Some(oldest) = self.arrivals.front_mut() else {
            return;
        };
        let arriving = std::mem::replace(&mut oldest.arriving, Arriving::Failed);
        oldest.arriving = match arriving {
            Arriving::Received { place, manifest, received } => {
                let finished = place.finish(&manifest);
                finished.unwrap_or_else(|error| panic!("disks-take-contents: {error}"));
                Arriving::Durable { received, length: manifest.length() }
            }
            other => other,
        };
    }

    /// Takes the oldest received payload, whose content is durable when this returns, or did not come.
    pub(crate) fn take_arrived(&mut self, brought: &Contents) -> Option<Arrived> {
        self.is_writing = false;
        self.finish_oldest();
        let Arrival { payload, arriving, .. } = self.arrivals.pop_front()?;
        let made = match arriving {
            Arriving::Durable { received, length } => Some((received, length)),
            _ => None,
        };
        if made.is_some() {
            self.note_made(payload.content, brought);
        }
        self.opened_mut().note_stored();
        Some(Arrived { payload, made })
    }
}

impl NodeStorage for Storage {
    fn records(&self) -> &[Record] {
        self.opened().records()
    }

    fn synced(&self) -> LogIndex {
        self.opened().synced()
    }

    fn append(&mut self, records: Vec<Record>) {
        self.opened_mut().append(records);
        self.batches.push_back(last_index(self.records()));
    }

    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        self.opened_mut().checkpoint(checkpoint);
    }

    fn is_checkpointing(&self) -> bool {
        self.opened().is_checkpointing()
    }

    /// Whenever a node looks at a copy, it reads it in the model. So a damaged one is read here, and the store
    /// finds the damage.
    fn copy(&self, content: ContentId) -> ContentCopy {
        if self.wrong.contains(&content) {
            let _ = self.read(content);
        }
        self.opened().copy(content)
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.opened().contents()
    }

    fn wrong_contents(&self) -> impl Iterator<Item = ContentId> {
        self.wrong.iter().copied()
    }

    /// Keeps the payload for [`Storage::take_received`].
    fn store(&mut self, payload: Payload, from: NodeId) {
        NodeStorage::store(self.opened_mut(), payload, from);
    }

    fn discard(&mut self, content: ContentId) {
        self.opened_mut().discard(content);
        self.note_removed(content);
    }

    fn is_storing(&self) -> bool {
        self.opened().is_storing()
    }
}
