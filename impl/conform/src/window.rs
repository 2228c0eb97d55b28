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
    /// The number of synced records at which the next fold takes place.
    shrinks_from: u64,
}

impl Window {
    pub(super) fn of(identity: Identity, log: &[Record]) -> Window {
        Window { identity, records: log.to_vec(), shrinks_from: 2 * RECORDS_MIN }
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

    /// Puts old records into the checkpoint once the window is twice as long as it must be. A state whose last part
    /// never comes keeps all records behind its first part in the window. Such a window is folded again only when it
    /// is twice as long, because a fold reads all of it.
    pub(super) fn shrink(&mut self, synced: LogIndex, decisions: &dyn Decisions) {
        let first = first_index(&self.records).0;
        if synced.0.saturating_sub(first) < self.shrinks_from {
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
        let left = synced.0.saturating_sub(first_index(&self.records).0);
        self.shrinks_from = 2 * left.max(RECORDS_MIN);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use steadfast_protocol::{Epoch, NodeId, Place, Round, Settings, State, Steadfast};

    use super::*;

    /// A window that follows a log of promises behind these records, and the different lengths at which it was to be
    /// folded.
    fn followed(mut log: Vec<Record>, promises: u64) -> (Window, BTreeSet<u64>) {
        let settings = Settings::new(1, 1, 1).expect("settings");
        let mut window = Window::of(Identity { node: NodeId(0), settings }, &log);
        let mut lengths = BTreeSet::new();
        for round in 1..=promises {
            log.push(Record::Promise(Epoch { round: Round(round), node: NodeId(0) }));
            window.follow(&log);
            window.shrink(last_index(&log), &Steadfast);
            lengths.insert(window.shrinks_from);
        }
        (window, lengths)
    }

    fn first_part_of_a_state() -> Record {
        let fold = Fold::default();
        let until = Some(Place::Start);
        Record::State(Sealed::new(State {
            since: *fold.vv(),
            vv: *fold.vv(),
            lineages: fold.lineages().clone(),
            counter: fold.counter(),
            forgotten: *fold.forgotten(),
            heads: Vec::new(),
            requests: Vec::new(),
            after: Place::Start,
            until,
        }))
    }

    #[test]
    fn a_window_stays_short_and_one_with_an_incomplete_state_is_seldom_folded() {
        let (window, lengths) = followed(Vec::new(), 10_000);
        assert!((window.records().len() as u64) < 2 * RECORDS_MIN + 2);
        assert_eq!(lengths.len(), 1, "{lengths:?}");
        let (window, lengths) = followed(vec![first_part_of_a_state()], 10_000);
        assert!(window.records().len() > 9_000, "its records stay together");
        assert!((3..10).contains(&lengths.len()), "{lengths:?}");
        let pairs = lengths.iter().zip(lengths.iter().skip(1));
        assert!(pairs.clone().all(|(one, next)| *next >= 2 * one), "{lengths:?}");
    }
}
