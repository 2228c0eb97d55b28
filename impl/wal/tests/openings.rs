//! Openings upon openings: after crashes, with other settings, on full disks.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::format::header::Header;
use steadfast_wal::{
    Case, CheckpointError, DefaultDecisions, LogId, LogIndex, OpenError, Opening, SerialLog,
    Settings,
};

const ID: LogId = LogId(5);

fn small() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 4096, batch_bytes: 2048, ..Settings::default() }
}

fn open(
    disk: &SimulatedDisk,
    settings: Settings,
) -> Result<(SerialLog<SimulatedDisk>, LogIndex), OpenError> {
    let opening = Opening::begin(Arc::new(disk.clone()), ID, settings)?;
    opening.into_serial_log().map(|(log, recovered)| (log, recovered.last))
}

fn empty() -> SimulatedDisk {
    SimulatedDisk::new(DiskModel::default())
}

fn total(disk: &SimulatedDisk) -> u64 {
    disk.model().files().map(|it| it.1.len() as u64).sum()
}

/// 1. A log with large segments writes a long batch.
/// 2. An opening with small segments copies it into a fresh segment and makes a small one ready.
/// 3. The process dies before anything else is written, so that the long batch is still the last.
#[test]
fn a_ready_segment_that_is_too_short_for_the_last_batch_is_not_used_for_it() {
    let large = Settings { segment_bytes: 64 << 10, batch_bytes: 32 << 10, ..small() };
    let disk = empty();
    let (mut log, _) = open(&disk, large).unwrap();
    log.append(&[1; 20_000]).unwrap();
    log.sync().unwrap();
    drop(log);
    let (mut log, _) = open(&disk, small()).unwrap();
    log.make_segments().unwrap();
    drop(log);
    for _ in 0..2 {
        let (mut log, last) = open(&disk, small()).unwrap();
        assert_eq!(last, LogIndex(1));
        log.make_segments().unwrap();
    }
    let (mut log, _) = open(&disk, small()).unwrap();
    log.append(b"more").unwrap();
    log.sync().unwrap();
    drop(log);
    assert_eq!(open(&disk, small()).unwrap().1, LogIndex(2));
}

/// 1. Two segments are ready, and the segment before them is full.
/// 2. An opening is cut off while it writes its copy of the last batch into the first of them.
/// 3. The next opening uses the second, and records are written behind the copy and synced.
/// 4. The header of that copy rots. The records behind it must be missed.
#[test]
fn records_in_a_segment_behind_one_that_was_passed_over_are_missed() {
    let settings = Settings { segments_ahead: 2, ..small() };
    let disk = empty();
    // No segment is ready: an opening makes one that is as long as its first batch, so it is full.
    drop(open(&disk, settings).unwrap());
    let (mut log, _) = open(&disk, settings).unwrap();
    log.make_segments().unwrap();
    drop(log);
    let ready = ready_segments(&disk.model());
    assert_eq!(ready.len(), 2, "two segments are ready: {ready:?}");
    // The copy in the first is torn: its header is there, its body is not.
    let before = disk.model();
    drop(open(&disk, settings).unwrap());
    let copy = disk.model().file(&ready[0]).unwrap().to_vec();
    let mut torn = copy;
    torn[100] ^= 1;
    let mut model = before;
    model.put(&ready[0], torn);
    let disk = SimulatedDisk::new(model);
    let (mut log, _) = open(&disk, settings).unwrap();
    for _ in 0..3 {
        log.append(b"synced").unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let mut model = disk.model();
    let mut rotten = model.file(&ready[1]).unwrap().to_vec();
    assert!(Header::decode(&rotten, &DefaultDecisions).is_ok(), "the second is started");
    rotten[20] ^= 1;
    model.put(&ready[1], rotten);
    let error = open(&SimulatedDisk::new(model), settings).expect_err("records are missed");
    let OpenError::Damaged { damage, .. } = error else { panic!("{error}") };
    assert_eq!((damage.case, damage.lost), (Case::Hole, Some((LogIndex(1), LogIndex(3)))));
}

fn ready_segments(model: &DiskModel) -> Vec<String> {
    let is_ready = |it: &(&str, &[u8])| {
        it.0.starts_with("segment-") && Header::decode(it.1, &DefaultDecisions).is_err()
    };
    model.files().filter(is_ready).map(|it| it.0.to_owned()).collect()
}

/// Fills a disk until the log refuses records, and then to its last byte.
fn filled() -> (SimulatedDisk, SerialLog<SimulatedDisk>, LogIndex) {
    let disk = empty();
    let (mut log, mut last) = open(&disk, small()).unwrap();
    disk.limit(Some(total(&disk) + 20_000));
    while let Ok(index) = log.append(&[5; 400]) {
        last = index;
        log.sync().unwrap();
    }
    disk.limit(Some(total(&disk)));
    (disk, log, last)
}

#[test]
fn a_checkpoint_that_frees_nothing_leaves_the_reserve_to_the_next_opening() {
    let (disk, mut log, last) = filled();
    // It stands for the first record only, so that no segment can be given up for it.
    let result = log.checkpoint(LogIndex(1), &[1; 1500]);
    assert!(matches!(result, Err(CheckpointError::OutOfSpace(_))), "{result:?}");
    drop(log);
    let (mut log, found) = open(&disk, small()).unwrap();
    assert_eq!(found, last);
    log.checkpoint(last, &[1; 500]).unwrap();
    log.append(b"more").unwrap();
    log.sync().unwrap();
}
