//! The table of recovery, row by row: what is found on the disk, and what becomes of it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::{
    CASES, Case, DamagedPart, Location, LogId, LogIndex, OpenError, Opening, Recovered,
    SegmentNumber, SerialLog, Settings, inspect,
};

const ID: LogId = LogId(9);
const BLOCK: usize = 512;
/// The segment that the records are in, and the one that is ready behind it.
const SEGMENT: &str = "segment-0000000000000003";
const READY: &str = "segment-0000000000000004";

fn settings() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 8192, batch_bytes: 2048, ..Settings::default() }
}

fn record(number: u8) -> Vec<u8> {
    vec![number; 700]
}

/// Where record n begins: they take two blocks each.
fn place_of(number: usize) -> usize {
    (number - 1) * 2 * BLOCK
}

/// A log with five records, each in a batch of its own and synced.
fn five_records() -> DiskModel {
    five_records_of(ID)
}

fn five_records_of(id: LogId) -> DiskModel {
    let disk = SimulatedDisk::new(DiskModel::default());
    let opening = Opening::begin(Arc::new(disk.clone()), id, settings()).unwrap();
    let mut log = opening.into_serial_log().unwrap().0;
    for number in 1..=5 {
        log.append(&record(number)).unwrap();
        log.sync().unwrap();
    }
    log.make_segments().unwrap();
    disk.model()
}

fn bytes_of(model: &DiskModel, name: &str) -> Vec<u8> {
    model.file(name).unwrap().to_vec()
}

fn change(model: &mut DiskModel, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = model.file(name).unwrap().to_vec();
    change(&mut bytes);
    model.put(name, bytes);
}

enum Becomes {
    /// The log opens with records up to this one, and its end is this case.
    Opened(u64),
    /// It is refused, with these records lost.
    Refused(Option<(u64, u64)>),
}
use Becomes::{Opened, Refused};

type Row = (Case, fn(&mut DiskModel), Becomes);

fn rows() -> Vec<Row> {
    vec![
        (Case::CleanEnd, |_| {}, Opened(5)),
        (
            Case::StaleBytes,
            |disk| {
                // A whole batch that was written to an older segment.
                let first = disk.file("segment-0000000000000001").unwrap().to_vec();
                change(disk, SEGMENT, |it| {
                    it[place_of(6)..place_of(6) + BLOCK].copy_from_slice(&first)
                });
            },
            Opened(5),
        ),
        (
            Case::TornBatch,
            |disk| change(disk, SEGMENT, |it| it[place_of(5) + BLOCK] ^= 1),
            Opened(4),
        ),
        (Case::TornHeader, |disk| change(disk, SEGMENT, |it| it[place_of(5)] ^= 1), Opened(4)),
        (
            Case::Hole,
            |disk| change(disk, SEGMENT, |it| it[place_of(3)..place_of(4)].fill(0)),
            Refused(Some((3, 5))),
        ),
        (
            Case::Rot,
            |disk| change(disk, SEGMENT, |it| it[place_of(3) + 300] ^= 4),
            Refused(Some((3, 5))),
        ),
        (Case::MissingSegment, |disk| disk.take(SEGMENT), Refused(None)),
        (Case::EmptySegment, |disk| change(disk, READY, Vec::clear), Refused(None)),
        (
            Case::CutSegment,
            |disk| change(disk, SEGMENT, |it| it.truncate(place_of(4))),
            Refused(None),
        ),
        (
            Case::MisplacedSegment,
            |disk| {
                let (segment, ready) = (bytes_of(disk, SEGMENT), bytes_of(disk, READY));
                disk.put(SEGMENT, ready);
                disk.put(READY, segment);
            },
            Refused(Some((1, 5))),
        ),
        (
            Case::OtherLogSegment,
            |disk| {
                let other = five_records_of(LogId(10));
                disk.put(SEGMENT, bytes_of(&other, SEGMENT));
            },
            Refused(None),
        ),
        (Case::EntryLost, |disk| disk.take(READY), Opened(5)),
        (
            Case::DraftLeft,
            |disk| {
                disk.put("segment.draft", vec![0; 100]);
                disk.put("checkpoint.draft", b"STDFST".to_vec());
            },
            Opened(5),
        ),
        (
            Case::RetiredLeft,
            |disk| {
                let disk_of_old = SimulatedDisk::new(disk.clone());
                let kept = disk.file("segment-0000000000000001").unwrap().to_vec();
                let mut log = open(&disk_of_old).unwrap().0;
                log.checkpoint(LogIndex(5), b"").unwrap();
                *disk = disk_of_old.model();
                disk.put("segment-0000000000000001", kept);
            },
            Opened(5),
        ),
        (
            Case::HalfBorn,
            |disk| {
                disk.take("checkpoint");
                disk.take("segment-0000000000000002");
                disk.take(SEGMENT);
                disk.take(READY);
            },
            Opened(0),
        ),
        (Case::LostCheckpoint, |disk| disk.take("checkpoint"), Refused(None)),
        (
            Case::DamagedCheckpoint,
            |disk| change(disk, "checkpoint", |it| it[40] ^= 1),
            Refused(None),
        ),
    ]
}

#[test]
fn every_case_has_a_row() {
    let rows: BTreeSet<Case> = rows().iter().map(|it| it.0).collect();
    let cases: BTreeSet<Case> = CASES.iter().map(|it| it.0).collect();
    assert_eq!(rows, cases);
    let labels: BTreeSet<&str> = CASES.iter().map(|it| it.1).collect();
    assert_eq!(labels.len(), CASES.len());
    let table = include_str!("../src/recovery.rs");
    for label in labels {
        assert!(table.contains(&format!("//! | `{label}` |")), "{label} is not in the documents");
    }
}

#[test]
fn each_row_of_the_table_becomes_what_it_says() {
    for (case, prepare, becomes) in rows() {
        let label = case.label();
        let mut model = five_records();
        prepare(&mut model);
        let before: Vec<(String, Vec<u8>)> = files(&model);
        let disk = SimulatedDisk::new(model);
        let (shown, result) = read(&disk);
        match (result, becomes) {
            (Ok((_, recovered)), Opened(last)) => {
                assert_eq!(recovered.last, LogIndex(last), "{label}");
                let is_end = [Case::CleanEnd, Case::StaleBytes, Case::TornBatch, Case::TornHeader];
                if is_end.contains(&case) {
                    assert_eq!(recovered.tail.case, case, "{label}");
                    assert_eq!(recovered.tail.is_uncertain(), last == 4, "{label}");
                }
                let expected: Vec<_> = (recovered.through.0 + 1..=last).map(record_of).collect();
                assert_eq!(shown, expected, "{label}");
                let names = files(&disk.model());
                assert!(!names.iter().any(|it| it.0.ends_with(".draft")), "{label}");
            }
            (Err(OpenError::Damaged { damage, .. }), Refused(lost)) => {
                assert_eq!(damage.case, case, "{label}: {damage}");
                let found = damage.lost.map(|(first, last)| (first.0, last.0));
                assert_eq!(found, lost, "{label}: {damage}");
                let before_it = (1..).map(record_of).take(shown.len());
                assert!(before_it.eq(shown), "{label}: what is shown is right");
                assert_eq!(files(&disk.model()), before, "{label}: nothing has changed");
            }
            (Ok((_, recovered)), Refused(_)) => panic!("{label}: opened to {}", recovered.last),
            (Err(error), _) => panic!("{label}: {error}"),
        }
    }
}

fn record_of(number: u64) -> Vec<u8> {
    record(u8::try_from(number).unwrap())
}

type Log = (SerialLog<SimulatedDisk>, Recovered);

fn open(disk: &SimulatedDisk) -> Result<Log, OpenError> {
    Opening::begin(Arc::new(disk.clone()), ID, settings())?.into_serial_log()
}

/// Opens a log, and says what it showed meanwhile.
fn read(disk: &SimulatedDisk) -> (Vec<Vec<u8>>, Result<Log, OpenError>) {
    let mut shown = Vec::new();
    let result = Opening::begin(Arc::new(disk.clone()), ID, settings()).and_then(|mut opening| {
        opening.for_each(|it| shown.push(it.payload.to_vec()))?;
        opening.into_serial_log()
    });
    (shown, result)
}

fn files(model: &DiskModel) -> Vec<(String, Vec<u8>)> {
    model.files().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
}

#[test]
fn damage_is_reported_with_its_position() {
    let mut model = five_records();
    change(&mut model, SEGMENT, |it| it[place_of(3) + 300] ^= 4);
    let error = inspect(&SimulatedDisk::new(model), &mut |_, _| {}).unwrap_err();
    let OpenError::Damaged { damage, .. } = error else { panic!("{error}") };
    let location = Location { segment: SegmentNumber(3), offset: place_of(3) as u64 };
    assert_eq!(damage.part, DamagedPart::Segment(location));
    assert!(damage.to_string().contains("records 3 to 5 are lost"), "{damage}");
}

#[test]
fn rot_in_the_last_batch_is_told_from_a_tear_after_a_clean_close() {
    let disk = SimulatedDisk::new(five_records());
    let (log, _) = open(&disk).unwrap();
    log.close().unwrap();
    let mut model = disk.model();
    // The fifth record was written again, as the first batch of the next segment.
    change(&mut model, READY, |it| it[100] ^= 1);
    change(&mut model, SEGMENT, |it| it[place_of(5) + 100] ^= 1);
    let error = open(&SimulatedDisk::new(model)).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn opening_again_and_again_changes_no_record_and_keeps_the_log_small() {
    let disk = SimulatedDisk::new(five_records());
    for opening in 0..50 {
        let (shown, result) = read(&disk);
        result.unwrap();
        assert_eq!(shown.len(), 5, "opening {opening}");
    }
    let bytes: usize = disk.model().files().map(|it| it.1.len()).sum();
    assert!(bytes < 50 * 2 * BLOCK + 3 * 8192, "{bytes} bytes");
}
