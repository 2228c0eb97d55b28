//! The log of a replayed node as the judges see it.

use steadfast_protocol::{
    Checkpoint, Decisions, Fold, Identity, LogIndex, Record, Sealed, first_index, last_index,
};

/// How many synced records a window keeps at least, so that entries are compared with those before them.
const RECORDS_MIN: u64 = 256;

/// The newest records of a log behind a checkpoint that stands for all others. The checkpoint is made here,
/// from the records that the node has logged, so a judge that compares a replica with its window compares it
/// with everything that the node ever logged, in the time that the window takes.
#[derive(Debug)]
pub(super) struct Window {
    identity: Identity,
    records: Vec<Record>,
}

impl Window {
    pub(super) fn of(identity: Identity, log: &[Record]) -> Window {
        Window { identity, records: log.to_vec() }
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records behind this one.
    pub(super) fn records_behind(&self, length: LogIndex) -> &[Record] {
        let behind = last_index(&self.records).0.saturating_sub(length.0);
        let behind = usize::try_from(behind).unwrap_or(usize::MAX).min(self.records.len());
        &self.records[self.records.len() - behind..]
    }

    /// Adds the records that the log has beyond the window, and returns how many there were.
    pub(super) fn follow(&mut self, log: &[Record]) -> usize {
        let fresh = last_index(log).0.saturating_sub(last_index(&self.records).0);
        let fresh = usize::try_from(fresh).unwrap_or(usize::MAX).min(log.len());
        self.records.extend_from_slice(&log[log.len() - fresh..]);
        fresh
    }

    /// Takes back the records behind this one, and returns them. `None` if they reach beyond the window.
    pub(super) fn take_back(&mut self, length: LogIndex) -> Option<Vec<Record>> {
        let kept = (length.0 + 1).checked_sub(first_index(&self.records).0)?;
        let kept = usize::try_from(kept).ok().filter(|it| *it >= 1)?;
        Some(self.records.split_off(kept.min(self.records.len())))
    }

    /// Puts old records into the checkpoint once the window is twice as long as it must be.
    pub(super) fn shrink(&mut self, synced: LogIndex, decisions: &dyn Decisions) {
        let first = first_index(&self.records).0;
        if synced.0.saturating_sub(first) < 2 * RECORDS_MIN {
            return;
        }
        let mut fold = Fold::default();
        let mut checkpoint = None;
        for (at, record) in self.records.iter().enumerate() {
            let index = first + at as u64;
            if index + RECORDS_MIN > synced.0 {
                break;
            }
            match record {
                Record::Checkpoint(it) => fold = it.fold.clone(),
                record => fold.apply(record, decisions),
            }
            // The parts of a state stay together.
            if fold.stagings().is_empty() {
                checkpoint = Some((at, index, fold.clone()));
            }
        }
        if let Some((at, length, fold)) = checkpoint {
            let (identity, length) = (self.identity, LogIndex(length));
            let checkpoint = Checkpoint { identity, length, fold };
            self.records.splice(..=at, [Record::Checkpoint(Sealed::new(checkpoint))]);
        }
    }
}
