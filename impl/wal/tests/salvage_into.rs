//! A new log from the intact part of a damaged one.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, ENOSPC, Fault, SimulatedDisk};
use steadfast_wal::format::names::segment_name;
use steadfast_wal::{
    Batch, Case, Location, LogId, LogIndex, OpenError, Opening, SalvageError, SerialLog, Settings,
    inspect, read_checkpoint, salvage, salvage_into, try_inspect, try_salvage,
};

const ID: LogId = LogId(14);

fn settings() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 8192, batch_bytes: 2048, ..Settings::default() }
}

fn payload(index: u64) -> Vec<u8> {
    vec![u8::try_from(index).unwrap(); 700]
}

fn empty() -> SimulatedDisk {
    SimulatedDisk::new(DiskModel::default())
}

fn open(disk: &SimulatedDisk) -> SerialLog<SimulatedDisk> {
    let opening = Opening::begin(Arc::new(disk.clone()), ID, settings()).unwrap();
    opening.into_serial_log().unwrap().0
}

/// A log with records up to 60 in batches of their own, the first twenty under a checkpoint.
fn sixty() -> DiskModel {
    let disk = empty();
    let mut log = open(&disk);
    for index in 1..=60 {
        log.append(&payload(index)).unwrap();
        log.sync().unwrap();
        if index == 30 {
            log.checkpoint(LogIndex(20), b"twenty records").unwrap();
        }
    }
    log.close().unwrap();
    disk.model()
}

fn place(model: &DiskModel, index: u64) -> Location {
    let mut found = None;
    let mut look = |location: Location, batch: &Batch<'_>| {
        if batch.records().any(|it| it.index.0 == index) {
            found = Some(location);
        }
    };
    inspect(&SimulatedDisk::new(model.clone()), &mut look).unwrap();
    found.unwrap()
}

/// A log in which this record has rotted.
fn rotten(index: u64) -> DiskModel {
    let mut model = sixty();
    let location = place(&model, index);
    let name = segment_name(location.segment);
    let mut bytes = model.file(&name).unwrap().to_vec();
    bytes[usize::try_from(location.offset).unwrap() + 300] ^= 1;
    model.put(&name, bytes);
    model
}

/// The numbers of the records of a log that opens, and the state of its checkpoint.
fn records(disk: &SimulatedDisk) -> (Vec<u64>, Vec<u8>) {
    let mut opening = Opening::begin(Arc::new(disk.clone()), ID, settings()).unwrap();
    let state = opening.state.clone();
    let mut found = Vec::new();
    opening
        .for_each(|record| {
            assert!(record.payload == payload(record.index.0), "record {}", record.index);
            found.push(record.index.0);
        })
        .unwrap();
    (found, state)
}

fn files(model: &DiskModel) -> Vec<(String, Vec<u8>)> {
    model.files().map(|it| (it.0.to_owned(), it.1.to_vec())).collect()
}

#[test]
fn every_record_before_the_damage_and_the_state_are_in_the_new_log() {
    for index in [22, 30, 31, 45, 59] {
        let (old, new) = (SimulatedDisk::new(rotten(index)), empty());
        let before = files(&old.model());
        let rescued = salvage_into(&old, Arc::new(new.clone())).unwrap();
        assert_eq!((rescued.log, rescued.through), (ID, LogIndex(20)));
        assert_eq!(rescued.last, LogIndex(index - 1));
        assert_eq!(rescued.end.unwrap_err().case, Case::Rot);
        assert_eq!(records(&new), ((21..index).collect(), b"twenty records".to_vec()));
        assert_eq!(files(&old.model()), before, "the old log is as it was");
        let mut log = open(&new);
        assert_eq!(log.append(&payload(index)).unwrap(), LogIndex(index), "and goes on");
        log.close().unwrap();
        assert_eq!(records(&new).0, (21..=index).collect::<Vec<_>>());
    }
}

#[test]
fn a_log_whose_records_are_all_gone_keeps_the_state() {
    let mut model = sixty();
    let first = place(&model, 21).segment;
    model.take(&segment_name(first));
    let new = empty();
    let rescued = salvage_into(&SimulatedDisk::new(model), Arc::new(new.clone())).unwrap();
    assert_eq!((rescued.last, rescued.end.is_err()), (LogIndex(20), true));
    assert_eq!(records(&new), (vec![], b"twenty records".to_vec()));
}

#[test]
fn a_whole_log_is_copied_and_an_empty_one_too() {
    let new = empty();
    let rescued = salvage_into(&SimulatedDisk::new(sixty()), Arc::new(new.clone())).unwrap();
    assert!(rescued.end.is_ok());
    assert_eq!(records(&new).0, (21..=60).collect::<Vec<_>>());
    assert_eq!(read_checkpoint(&new).unwrap().1, b"twenty records");
    let old = empty();
    drop(open(&old));
    let new = empty();
    let rescued = salvage_into(&old, Arc::new(new.clone())).unwrap();
    assert_eq!((rescued.last, rescued.end.is_ok()), (LogIndex(0), true));
    assert_eq!(records(&new), (vec![], vec![]));
}

#[test]
fn long_records_fit_and_a_short_log_takes_little_room() {
    let old = empty();
    let large = Settings { segment_bytes: 16 << 20, batch_bytes: 8 << 20, ..settings() };
    let opening = Opening::begin(Arc::new(old.clone()), ID, large).unwrap();
    let (mut log, _) = opening.into_serial_log().unwrap();
    log.append(&vec![1; 7 << 20]).unwrap();
    log.close().unwrap();
    let new = empty();
    salvage_into(&old, Arc::new(new.clone())).unwrap();
    let mut lengths = Vec::new();
    inspect(&new, &mut |_, batch| lengths.extend(batch.records().map(|it| it.payload.len())))
        .unwrap();
    assert_eq!(lengths, [7 << 20]);
    let new = empty();
    salvage_into(&SimulatedDisk::new(sixty()), Arc::new(new.clone())).unwrap();
    let bytes: usize = new.model().files().map(|it| it.1.len()).sum();
    assert!(bytes < 40 * 700 * 4, "{bytes} bytes");
}

#[test]
fn a_place_with_files_and_a_log_without_its_checkpoint_are_refused() {
    let old = SimulatedDisk::new(rotten(45));
    let taken = SimulatedDisk::new(DiskModel::of(&[("notes.txt", b"mine")]));
    let error = salvage_into(&old, Arc::new(taken.clone())).unwrap_err();
    assert!(matches!(error, SalvageError::NotEmpty { .. }), "{error}");
    assert_eq!(files(&taken.model()), [("notes.txt".to_owned(), b"mine".to_vec())]);
    let error = salvage_into(&old, Arc::new(old.clone())).unwrap_err();
    assert!(matches!(error, SalvageError::NotEmpty { .. }), "a log into itself: {error}");
    let mut model = sixty();
    model.take("checkpoint");
    let new = empty();
    let error = salvage_into(&SimulatedDisk::new(model), Arc::new(new.clone())).unwrap_err();
    let is_damage = matches!(error, SalvageError::Unreadable(OpenError::Damaged { .. }));
    assert!(is_damage, "{error}");
    assert_eq!(new.model().files().count(), 0, "nothing was created");
}

#[test]
fn a_failure_of_the_new_disk_is_told_from_one_of_the_old() {
    let new = empty();
    new.limit(Some(4096));
    let error = salvage_into(&SimulatedDisk::new(sixty()), Arc::new(new)).unwrap_err();
    let says = error.to_string();
    assert!(says.starts_with("the new log cannot be written: "), "{says}");
    assert!(says.contains("the disk is full"), "{says}");
    let new = empty();
    new.fail_at(new.calls() + 3, Fault::Error(ENOSPC));
    let error = salvage_into(&SimulatedDisk::new(sixty()), Arc::new(new)).unwrap_err();
    assert!(error.to_string().starts_with("the new log cannot be created: "), "{error}");
}

#[derive(Debug)]
enum Refusal {
    Open,
    Full,
}

impl From<OpenError> for Refusal {
    fn from(_: OpenError) -> Refusal {
        Refusal::Open
    }
}

#[test]
fn reading_without_opening_ends_with_the_error_of_the_caller() {
    let disk = SimulatedDisk::new(sixty());
    let mut batches = 0;
    let inspected = try_inspect(&disk, &mut |_, _| {
        batches += 1;
        if batches == 3 { Err(Refusal::Full) } else { Ok(()) }
    });
    assert!(matches!(inspected, Err(Refusal::Full)), "{inspected:?}");
    assert_eq!(batches, 3, "no batch is shown after the error");
    let mut shown = 0;
    let salvaged = try_salvage(&disk, &mut |_| {
        shown += 1;
        if shown == 3 { Err(Refusal::Full) } else { Ok(()) }
    });
    assert!(matches!(salvaged, Err(Refusal::Full)), "{salvaged:?}");
    assert_eq!(shown, 3);
    let inspected = try_inspect(&empty(), &mut |_, _| Ok(()));
    assert!(matches!(inspected, Err(Refusal::Open)), "{inspected:?}");
    let runs = salvage(&disk, &mut |_| {}).unwrap().runs;
    assert_eq!(runs.len(), 1, "the lock was given back");
}
