//! Whole files of a log that are wrong: gone, cut, extended, swapped, of another log. The table of
//! `recovery` about them, row by row.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::{
    Case, Damage, LogId, LogIndex, OpenError, Opening, SerialLog, Settings, inspect,
};

const ID: LogId = LogId(9);
const BLOCK: usize = 512;
/// Sixty records take segments 3 to 10, eight in each; the last has four and another is ready.
const RECORDS: u64 = 60;
const OLDER: &str = "segment-0000000000000005";
const MIDDLE: &str = "segment-0000000000000006";
const BEFORE: &str = "segment-0000000000000009";
const NEWEST: &str = "segment-000000000000000a";
const READY: &str = "segment-000000000000000b";
const NEXT: &str = "segment-000000000000000c";

fn settings() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 8192, batch_bytes: 2048, ..Settings::default() }
}

fn open(disk: &SimulatedDisk, id: LogId) -> Result<SerialLog<SimulatedDisk>, OpenError> {
    Opening::begin(Arc::new(disk.clone()), id, settings())?.into_serial_log().map(|it| it.0)
}

/// A log with this many records, each in a batch of two blocks and synced, and the next segment
/// made ready as soon as the one before is begun.
fn log_of(id: LogId, records: u64) -> DiskModel {
    let disk = SimulatedDisk::new(DiskModel::default());
    let mut log = open(&disk, id).unwrap();
    for number in 1..=records {
        log.append(&[u8::try_from(number).unwrap(); 700]).unwrap();
        log.sync().unwrap();
        log.make_segments().unwrap();
    }
    disk.model()
}

fn of(model: &DiskModel, name: &str) -> Vec<u8> {
    model.file(name).unwrap().to_vec()
}

fn change(model: &mut DiskModel, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = of(model, name);
    change(&mut bytes);
    model.put(name, bytes);
}

fn swap(model: &mut DiskModel, one: &str, other: &str) {
    let (first, second) = (of(model, one), of(model, other));
    model.put(one, second);
    model.put(other, first);
}

enum Becomes {
    /// `verify` says that it is clean, and it opens with all records.
    Clean,
    /// `verify` calls its tail uncertain, and it opens with all records.
    Uncertain,
    /// It opens with records up to this one, because a crash leaves the same files.
    TakenBack(u64),
    /// Both refuse it as this, with records from this one on lost as far as known.
    Refused(Case, Option<(u64, u64)>),
}
use Becomes::{Clean, Refused, TakenBack, Uncertain};

type Row = (&'static str, fn(&mut DiskModel), Becomes);

fn rows() -> Vec<Row> {
    use Case::{CutSegment, EmptySegment, MisplacedSegment, MissingSegment, OtherLogSegment, Rot};
    vec![
        ("nothing", |_| {}, Clean),
        // Missing.
        ("the newest missing", |it| it.take(NEWEST), Refused(MissingSegment, None)),
        (
            "the newest and the ready one missing",
            |it| {
                it.take(NEWEST);
                it.take(READY);
            },
            Refused(MissingSegment, None),
        ),
        ("the ready one missing", |it| it.take(READY), Refused(MissingSegment, None)),
        ("one in the middle missing", |it| it.take(MIDDLE), Refused(MissingSegment, None)),
        // Cut.
        (
            "the newest cut where a batch ends",
            |it| change(it, NEWEST, |it| it.truncate(4 * BLOCK)),
            Refused(CutSegment, None),
        ),
        (
            "the newest cut behind its last batch",
            |it| change(it, NEWEST, |it| it.truncate(8 * BLOCK)),
            Refused(CutSegment, None),
        ),
        (
            "the newest cut in its first batch",
            |it| change(it, NEWEST, |it| it.truncate(BLOCK)),
            Refused(CutSegment, None),
        ),
        (
            "the newest cut in its first header",
            |it| change(it, NEWEST, |it| it.truncate(50)),
            Refused(CutSegment, None),
        ),
        ("the newest empty", |it| change(it, NEWEST, Vec::clear), Refused(EmptySegment, None)),
        (
            "one in the middle cut",
            |it| change(it, MIDDLE, |it| it.truncate(4 * BLOCK)),
            Refused(Rot, Some((27, 32))),
        ),
        (
            "one in the middle empty",
            |it| change(it, MIDDLE, Vec::clear),
            Refused(EmptySegment, None),
        ),
        ("the ready one cut to a block", |it| change(it, READY, |it| it.truncate(BLOCK)), Clean),
        (
            "the ready one cut in a block",
            |it| change(it, READY, |it| it.truncate(50)),
            Refused(CutSegment, None),
        ),
        // Extended.
        (
            "the newest longer by zeros",
            |it| change(it, NEWEST, |it| it.resize(20 * BLOCK, 0)),
            Clean,
        ),
        (
            "the newest longer by something",
            |it| change(it, NEWEST, |it| it.resize(20 * BLOCK, 7)),
            Uncertain,
        ),
        ("one in the middle longer", |it| change(it, MIDDLE, |it| it.resize(9000, 7)), Clean),
        // In each other's place.
        (
            "the newest two swapped",
            |it| swap(it, BEFORE, NEWEST),
            Refused(MisplacedSegment, Some((49, 60))),
        ),
        (
            "two in the middle swapped",
            |it| swap(it, OLDER, MIDDLE),
            Refused(MisplacedSegment, Some((17, 32))),
        ),
        (
            "the newest and the ready one swapped",
            |it| swap(it, NEWEST, READY),
            Refused(MisplacedSegment, Some((57, 60))),
        ),
        // Twice.
        (
            "the newest once more behind all",
            |it| it.put(NEXT, of(it, NEWEST)),
            Refused(MisplacedSegment, None),
        ),
        (
            "one in the middle in place of the newest",
            |it| it.put(NEWEST, of(it, MIDDLE)),
            Refused(MisplacedSegment, None),
        ),
        (
            "the newest in place of one in the middle",
            |it| it.put(MIDDLE, of(it, NEWEST)),
            Refused(MisplacedSegment, Some((25, 60))),
        ),
        // Older.
        (
            "the newest as it was some records ago",
            |it| it.put(NEWEST, of(&log_of(ID, 58), NEWEST)),
            TakenBack(58),
        ),
        ("the newest as it was made", |it| it.put(NEWEST, of(it, READY)), TakenBack(56)),
        (
            "one in the middle as it was some records ago",
            |it| it.put(MIDDLE, of(&log_of(ID, 30), MIDDLE)),
            Refused(Rot, Some((31, 32))),
        ),
        (
            "the checkpoint emptied",
            |it| it.put("checkpoint", Vec::new()),
            Refused(Case::DamagedCheckpoint, None),
        ),
        (
            "other bytes in place of the checkpoint",
            |it| it.put("checkpoint", vec![7; 84]),
            Refused(Case::DamagedCheckpoint, None),
        ),
        (
            "the checkpoint as it was, all segments still there",
            |it| {
                let disk = SimulatedDisk::new(it.clone());
                let mut log = open(&disk, ID).unwrap();
                let checkpoint = of(&disk.model(), "checkpoint");
                let before = disk.model();
                log.checkpoint(LogIndex(40), b"").unwrap();
                *it = disk.model();
                for (name, bytes) in files(&before) {
                    it.put(&name, bytes);
                }
                it.put("checkpoint", checkpoint);
            },
            Clean,
        ),
        (
            "the checkpoint as it was, segments given up",
            |it| {
                let disk = SimulatedDisk::new(it.clone());
                let mut log = open(&disk, ID).unwrap();
                let checkpoint = of(&disk.model(), "checkpoint");
                log.checkpoint(LogIndex(40), b"").unwrap();
                *it = disk.model();
                it.put("checkpoint", checkpoint);
            },
            Refused(MissingSegment, None),
        ),
        // Of another log.
        (
            "the newest of another log",
            |it| it.put(NEWEST, of(&log_of(LogId(4), RECORDS), NEWEST)),
            Refused(OtherLogSegment, None),
        ),
        (
            "one in the middle of another log",
            |it| it.put(MIDDLE, of(&log_of(LogId(4), RECORDS), MIDDLE)),
            Refused(OtherLogSegment, Some((25, 32))),
        ),
        // What no longer matters.
        (
            "stale drafts",
            |it| {
                it.put("segment.draft", of(it, MIDDLE));
                it.put("checkpoint.draft", vec![7; 100]);
            },
            Clean,
        ),
        ("the reserve missing", |it| it.take("segment.reserve"), Clean),
        ("the reserve empty", |it| it.put("segment.reserve", Vec::new()), Clean),
        ("the reserve of something", |it| it.put("segment.reserve", of(it, NEWEST)), Clean),
    ]
}

fn files(model: &DiskModel) -> Vec<(String, Vec<u8>)> {
    model.files().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
}

fn damage_of(error: OpenError, what: &str) -> Damage {
    match error {
        OpenError::Damaged { damage, .. } => damage,
        error => panic!("{what}: {error}"),
    }
}

#[test]
fn each_wrong_file_becomes_what_the_table_says() {
    for (what, prepare, becomes) in rows() {
        let mut model = log_of(ID, RECORDS);
        prepare(&mut model);
        let before = files(&model);
        let disk = SimulatedDisk::new(model);
        let verified = inspect(&disk, &mut |_, _| {});
        let mut shown = 0;
        let opened = Opening::begin(Arc::new(disk.clone()), ID, settings())
            .and_then(|mut opening| {
                opening.for_each(|it| {
                    shown += 1;
                    assert_eq!(it.payload[0], u8::try_from(it.index.0).unwrap(), "{what}");
                })?;
                opening.into_serial_log()
            })
            .map(|it| it.1);
        match becomes {
            Clean | Uncertain | TakenBack(_) => {
                let last = if let TakenBack(last) = becomes { last } else { RECORDS };
                let verified = verified.unwrap_or_else(|it| panic!("{what}: {it}"));
                let is_uncertain = matches!(becomes, Uncertain);
                assert_eq!(verified.last, LogIndex(last), "{what}");
                assert_eq!(verified.tail.is_uncertain(), is_uncertain, "{what}");
                let opened = opened.unwrap_or_else(|it| panic!("{what}: {it}"));
                assert_eq!((opened.last, shown), (LogIndex(last), last), "{what}");
            }
            Refused(case, lost) => {
                let lost = lost.map(|(first, last)| (LogIndex(first), LogIndex(last)));
                let verified = verified.err().unwrap_or_else(|| panic!("{what}: verified"));
                let opened = opened.err().unwrap_or_else(|| panic!("{what}: opened"));
                for damage in [damage_of(verified, what), damage_of(opened, what)] {
                    assert_eq!((damage.case, damage.lost), (case, lost), "{what}: {damage}");
                }
                let after: Vec<_> =
                    files(&disk.model()).into_iter().filter(|it| it.0 != "LOCK").collect();
                let before: Vec<_> = before.into_iter().filter(|it| it.0 != "LOCK").collect();
                assert_eq!(after, before, "{what}: nothing has changed");
            }
        }
    }
}

#[test]
fn the_newest_segment_that_an_opening_made_is_missed() {
    let disk = SimulatedDisk::new(log_of(ID, 4));
    let mut log = open(&disk, ID).unwrap();
    log.append(b"more").unwrap();
    log.sync().unwrap();
    drop(log);
    let model = disk.model();
    let newest = model.files().map(|it| it.0).filter(|it| it.starts_with("segment-")).last();
    let mut lost = model.clone();
    lost.take(newest.unwrap());
    let error = open(&SimulatedDisk::new(lost), ID).err().unwrap();
    let case = damage_of(error, "the newest").case;
    assert!([Case::CutSegment, Case::MissingSegment].contains(&case), "{case:?}");
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let mut model = log_of(ID, RECORDS);
    model.put("checkpoint", of(&log_of(LogId(4), 1), "checkpoint"));
    let disk = SimulatedDisk::new(model);
    let error = inspect(&disk, &mut |_, _| {}).unwrap_err();
    assert_eq!(damage_of(error, "verify").case, Case::OtherLogSegment);
    assert!(matches!(open(&disk, ID), Err(OpenError::OtherLog { .. })));
}

#[test]
fn a_record_that_looks_like_a_batch_of_a_log_is_no_damage() {
    let other = of(&log_of(LogId(4), 20), MIDDLE);
    let own = of(&log_of(ID, 20), "segment-0000000000000003");
    let disk = SimulatedDisk::new(DiskModel::default());
    let mut log = open(&disk, ID).unwrap();
    for bytes in [other, own] {
        let mut record = vec![0; BLOCK - 100];
        record.extend_from_slice(&bytes[..2 * BLOCK]);
        log.append(&record).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    // The last batch lost its header in a crash.
    let mut model = disk.model();
    change(&mut model, "segment-0000000000000003", |it| it[4 * BLOCK..5 * BLOCK].fill(0));
    let tail = inspect(&SimulatedDisk::new(model.clone()), &mut |_, _| {}).unwrap();
    assert_eq!(tail.last, LogIndex(1));
    open(&SimulatedDisk::new(model), ID).unwrap();
}
