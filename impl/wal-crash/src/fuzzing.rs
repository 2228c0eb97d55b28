//! The entries of a fuzzer, which the tests run on a short corpus.
//!
//! Checksums stand in the way of a fuzzer that looks for interesting bytes, so each input is also
//! decoded by a log that believes without them.

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::format::checkpoint::Root;
use steadfast_wal::{Batch, Checksum, Decisions, DefaultDecisions, LogId, Opening, Settings};

/// The block size that batches are decoded with.
const BLOCK_BYTES: u64 = 512;
/// The log that is opened.
const LOG: LogId = LogId(1);

struct Credulous;

impl Decisions for Credulous {
    fn header_is_intact(&self, _: Checksum, _: Checksum) -> bool {
        true
    }

    fn body_is_intact(&self, _: &dyn Fn() -> Checksum, _: Checksum) -> bool {
        true
    }

    fn checkpoint_is_intact(&self, _: Checksum, _: Checksum) -> bool {
        true
    }
}

/// Decodes bytes as a batch and as a checkpoint.
///
/// # Panics
/// When a batch has other records than its header says.
pub fn decode(bytes: &[u8]) {
    for decisions in [&DefaultDecisions as &dyn Decisions, &Credulous] {
        if let Ok(batch) = Batch::decode(bytes, BLOCK_BYTES, decisions) {
            let (count, length) = batch
                .records()
                .fold((0, 0), |(count, length), it| (count + 1, length + it.payload.len() + 4));
            assert_eq!(
                count,
                u64::from(batch.header.count),
                "the header has the number of records"
            );
            assert_eq!(length, batch.body().len(), "the records fill the body");
        }
        if let Ok((_, state)) = Root::decode(bytes, decisions) {
            assert!(state.len() <= bytes.len(), "the state is a part of the checkpoint");
        }
    }
}

/// Opens a log in which these bytes were written over something: the first byte says which file,
/// the next two where.
///
/// # Panics
/// When a log that opens shows other records than were written to it.
pub fn open(bytes: &[u8]) {
    let Some((&[file, low, high], bytes)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    for decisions in [&DefaultDecisions as &'static dyn Decisions, &Credulous] {
        let settings = Settings {
            block_bytes: 512,
            segment_bytes: 4096,
            batch_bytes: 2048,
            segments_ahead: 1,
            decisions,
        };
        let mut model = written(settings);
        let names: Vec<String> = model.files().map(|it| it.0.to_owned()).collect();
        let name = &names[usize::from(file) % names.len()];
        let mut changed = model.file(name).unwrap_or_default().to_vec();
        let at = usize::from(u16::from_le_bytes([low, high])).min(changed.len());
        let end = changed.len().min(at + bytes.len());
        changed[at..end].copy_from_slice(&bytes[..end - at]);
        model.put(name, changed);
        let disk = Arc::new(SimulatedDisk::new(model));
        if let Ok(mut opening) = Opening::begin(disk, LOG, settings) {
            let mut wrong = false;
            let _ = opening.for_each(|it| {
                wrong |= it.payload != record(it.index.0).as_slice();
            });
            let is_credulous = decisions.header_is_intact(Checksum(0), Checksum(1));
            assert!(is_credulous || !wrong, "a record has other bytes than were written");
        }
    }
}

fn written(settings: Settings) -> DiskModel {
    let disk = SimulatedDisk::new(DiskModel::default());
    let opened = Opening::begin(Arc::new(disk.clone()), LOG, settings);
    if let Ok((mut log, _)) = opened.and_then(Opening::into_serial_log) {
        for number in 1..=4 {
            let written = log.append(&record(number)).is_ok() && log.sync().is_ok();
            assert!(written, "a disk in memory takes every write");
        }
    }
    disk.model()
}

fn record(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(usize::try_from(number * 20).unwrap_or(0))
}
