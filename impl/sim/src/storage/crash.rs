//! The disks that crashes, older copies and rot leave, and how the store opens on them.

use std::sync::Arc;

use steadfast_node::{ContentCopy, NodeStorage, garbled};
use steadfast_protocol::{
    ContentId, Decisions, LogIndex, Record, Steadfast, first_index, last_index,
};
use steadfast_simulated_disk::{CrashModel, DiskModel, SimulatedDisk};
use steadfast_store::Store;
use steadfast_wal::Tail;

use super::{Arriving, Checkpointing, HeldLog, Storage, file_name};
use crate::contents::{Contents, are_equal};
use crate::{Ledger, Random};

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

impl Aftermath {
    /// What a store has read, given the last record that was synced and the number of those that were not.
    fn of(found: &Store<HeldLog>, synced: LogIndex, of: usize) -> Aftermath {
        let survivors = last_index(found.records());
        assert!(survivors >= synced, "log-keeps-what-was-synced");
        let kept = usize::try_from(survivors.0 - synced.0).unwrap_or(usize::MAX);
        Aftermath { kept, of, tail: found.recovered().tail }
    }
}

/// The disk with the contents that a crash leaves.
pub(super) struct AfterCrash {
    disk: DiskModel,
    /// The contents that the node knew to be stored.
    stored: Vec<ContentId>,
}

impl AfterCrash {
    /// Removes a content that the node has removed since the crash was chosen, for a checkpoint that counts as durable
    /// just before the crash.
    pub(super) fn remove(&mut self, content: ContentId) {
        self.stored.retain(|it| *it != content);
        self.disk.take(&file_name(content));
    }
}

/// A copy of a disk with its log, and how many records the log holds.
pub(super) struct Backup {
    disk: DiskModel,
    length: LogIndex,
}

impl Storage {
    /// Chooses the moment at which a crash stops the writing of a content, and the disk with the contents that
    /// the crash leaves. Returns whether a content is on it of which the node has not heard yet. Such a
    /// content counts as stored just before the crash, which the driver reports first: the crash then
    /// damages the disk as it is afterwards.
    pub(crate) fn choose_crash(&mut self, random: &mut Random, brought: &Contents) -> bool {
        let arriving = match self.arrivals.front() {
            Some(it) if self.is_writing && matches!(it.arriving, Arriving::Received { .. }) => {
                Some(it.payload.content)
            }
            _ => None,
        };
        let Some(content) = arriving else {
            return false;
        };
        let stored = self.contents_store().ids();
        let had = self.copy_on_disk(content) == ContentCopy::Exact;
        self.contents_disk.start_tape();
        self.finish_oldest();
        let moments = self.contents_disk.take_tape();
        let moment = &moments[random.below(moments.len())];
        let after = CRASHES.crash(moment, &mut |count| random.below(count));
        if is_exact(&after, content, brought) && !had {
            return true;
        }
        self.after_crash = Some(AfterCrash { disk: after, stored });
        false
    }

    /// Chooses the moment at which a crash stops the writing of a checkpoint, and the disk with the log that the
    /// crash leaves. Returns whether the checkpoint is on it: it then counts as durable just before the crash, which
    /// the driver reports first. Half of the crashes come before a checkpoint that was begun changes the disk.
    pub(crate) fn choose_crash_of_checkpoint(
        &mut self,
        random: &mut Random,
        is_wanted: &dyn Fn(&Aftermath) -> bool,
    ) -> bool {
        if !matches!(self.checkpointing, Checkpointing::Begun) || random.chance(500) {
            return false;
        }
        let (before, of) = (first_index(self.records()), self.unsynced());
        self.log_disk.start_tape();
        self.checkpointing = Checkpointing::Written(self.write_checkpoint());
        let moments = self.log_disk.take_tape();
        let moment = &moments[random.below(moments.len())];
        let after = CRASHES.crash(moment, &mut |count| random.below(count));
        let disk = |model: &DiskModel| Arc::new(SimulatedDisk::new(model.clone()));
        let found = self.open_on(&disk(&after), &disk(&self.contents_disk.model()));
        let aftermath = Aftermath::of(&found, self.synced(), of);
        // A crash that is not wanted comes once the checkpoint is durable.
        let is_written = first_index(found.records()) > before || !is_wanted(&aftermath);
        if !is_written {
            self.log_after_crash = Some(after);
        }
        is_written
    }

    /// The node crashes. If a sync was under way, any part of it may be on the disk; a wanted outcome
    /// is tried for a few times. Contents that the node knows to be stored survive.
    pub(crate) fn crash(
        &mut self,
        random: &mut Random,
        decisions: &dyn Decisions,
        brought: &Contents,
        ledger: &mut Ledger,
        is_wanted: &dyn Fn(&Aftermath) -> bool,
    ) -> Aftermath {
        let chosen = self.log_after_crash.take();
        let moments = if chosen.is_some() { Vec::new() } else { self.moments() };
        let AfterCrash { disk: contents, stored } = self.after_crash.take().unwrap_or_else(|| {
            let stored = self.contents_store().ids();
            let now = self.contents_disk.model();
            AfterCrash { disk: CRASHES.crash(&now, &mut |count| random.below(count)), stored }
        });
        let of = self.unsynced();
        let synced = self.synced();
        let records = self.records().to_vec();
        ledger.arrivals_undone += self.arrivals.len() as u64;
        ledger.checkpoints_undone += u64::from(self.is_checkpointing());
        let mut tries = CRASH_TRIES_MAX;
        let aftermath = loop {
            self.store = None;
            let after = chosen.clone().unwrap_or_else(|| {
                let disk = &moments[random.below(moments.len())];
                CRASHES.crash(disk, &mut |count| random.below(count))
            });
            self.log_disk = Arc::new(SimulatedDisk::new(after));
            self.contents_disk = Arc::new(SimulatedDisk::new(contents.clone()));
            self.open();
            let aftermath = Aftermath::of(self.opened(), synced, of);
            tries -= 1;
            if tries == 0 || is_wanted(&aftermath) {
                break aftermath;
            }
        };
        self.review(&records, decisions, ledger);
        self.review_contents(&stored, brought);
        aftermath
    }

    /// The states of the disk with the log at which a crash may come: as it is, or while a sync is under way.
    fn moments(&mut self) -> Vec<DiskModel> {
        let now = self.log_disk.model();
        if !self.is_syncing() {
            return vec![now];
        }
        self.log_disk.start_tape();
        self.write();
        let mut tape = self.log_disk.take_tape();
        // The last state is the one in which the sync has ended.
        tape.pop();
        if tape.is_empty() { vec![now] } else { tape }
    }

    /// Compares the records that the store has read with those that it was given, and begins anew with them.
    fn review(&mut self, appended: &[Record], decisions: &dyn Decisions, ledger: &mut Ledger) {
        let found = self.records();
        let expected = &appended[..found.len().min(appended.len())];
        assert_eq!(found, expected, "log-returns-what-was-appended");
        ledger.checkpoints_read += u64::from(matches!(found.first(), Some(Record::Checkpoint(_))));
        let torn = appended.get(found.len()).map(garbled);
        self.begin_life();
        if let Some(record) = torn.filter(|_| decisions.trusts_torn_record()) {
            self.append_synced(record);
        }
    }

    /// Compares the contents that the store has found with those that clients brought. Damage that was
    /// there before the crash stays.
    fn review_contents(&mut self, stored: &[ContentId], brought: &Contents) {
        self.copies += 1;
        let found = self.contents_store().ids();
        let lost = stored.iter().find(|it| found.binary_search(it).is_err());
        assert!(lost.is_none(), "contents-survive-crashes: {lost:?} is gone");
        let damaged: Vec<ContentId> = self
            .contents_disk
            .look(|disk| found.into_iter().filter(|it| !is_exact(disk, *it, brought)).collect());
        let new = damaged.iter().find(|it| !self.wrong.contains(it));
        assert!(new.is_none(), "contents-survive-crashes: {new:?} is damaged");
        self.wrong = damaged.into_iter().collect();
    }

    /// Copies the disk with the log as it is.
    pub(crate) fn back_up(&mut self) {
        use steadfast_store::RecordLog;
        let length = LogIndex(self.opened().log().durable().0);
        self.backup = Some(Backup { disk: self.log_disk.model(), length });
    }

    /// Restores the copy of the disk of a node that is down, if records were synced since it was
    /// made, and returns the number of records that remain. A copy of a disk in use holds the
    /// remains of a crash at that moment. The contents stay.
    pub(crate) fn roll_back(
        &mut self,
        random: &mut Random,
        ledger: &mut Ledger,
    ) -> Option<LogIndex> {
        let records = self.records().to_vec();
        let backup = self.backup.as_ref().filter(|it| it.length < last_index(&records))?;
        let copy = CRASHES.crash(&backup.disk, &mut |count| random.below(count));
        self.store = None;
        self.log_disk = Arc::new(SimulatedDisk::new(copy));
        self.open();
        debug_assert_eq!(first_index(self.records()), first_index(&records));
        self.review(&records, &Steadfast, ledger);
        Some(last_index(self.records()))
    }

    /// A bit of a copy flips, unnoticed.
    pub(crate) fn rot(&mut self, content: ContentId, random: &mut Random) {
        let name = file_name(content);
        self.contents_disk.tamper(|disk| {
            let Some(mut bytes) = disk.file(&name).map(<[u8]>::to_vec) else {
                return;
            };
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            disk.put(&name, bytes);
        });
        self.wrong.insert(content);
        self.copies += 1;
    }
}

/// Whether a disk holds the bytes that a client brought under a name.
pub(super) fn is_exact(disk: &DiskModel, content: ContentId, brought: &Contents) -> bool {
    let held = disk.file(&file_name(content));
    held.zip(brought.get(content)).is_some_and(|(held, brought)| are_equal(held, brought))
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::{Identity, NodeId, Settings};
    use steadfast_store::DefaultContentDecisions;

    use super::*;

    #[test]
    fn a_content_that_the_node_removes_does_not_come_back_in_a_crash_that_was_chosen_before() {
        let settings = Settings::new(1, 1, 1).expect("settings");
        let identity = Identity { node: NodeId(0), settings };
        let mut storage = Storage::new(identity, 1, &DefaultContentDecisions, None);
        let mut brought = Contents::default();
        let [removed, kept] = [b"removed", b"kept---"].map(|bytes| {
            let content = brought.add(bytes.into());
            storage.bring(content, &bytes.into(), &brought);
            content
        });
        let disk = storage.contents_disk.model();
        storage.after_crash = Some(AfterCrash { disk, stored: vec![removed, kept] });
        storage.lose(removed);
        storage.crash(&mut Random::new(1), &Steadfast, &brought, &mut Ledger::default(), &|_| true);
        assert_eq!(storage.copy_on_disk(removed), ContentCopy::Missing);
        assert_eq!(storage.copy_on_disk(kept), ContentCopy::Exact);
    }
}
