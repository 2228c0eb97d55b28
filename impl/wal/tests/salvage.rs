//! Salvage: what is shown of damaged logs, and what is called missing.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::{LogId, LogIndex, OpenError, Opening, Salvage, Settings, inspect, salvage};

const ID: LogId = LogId(14);
const BLOCK: usize = 512;

fn settings() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 8192, batch_bytes: 2048, ..Settings::default() }
}

fn payload(index: u64) -> Vec<u8> {
    vec![u8::try_from(index).unwrap(); 700]
}

/// A log with sixty records in batches of two blocks; each of four openings wrote fifteen.
fn sixty() -> DiskModel {
    log_of(ID, 4, 15)
}

fn log_of(id: LogId, openings: u64, records: u64) -> DiskModel {
    let disk = SimulatedDisk::new(DiskModel::default());
    for opening in 0..openings {
        let begin = Opening::begin(Arc::new(disk.clone()), id, settings()).unwrap();
        let (mut log, _) = begin.into_serial_log().unwrap();
        for index in opening * records + 1..=(opening + 1) * records {
            log.append(&payload(index)).unwrap();
            log.sync().unwrap();
        }
        log.close().unwrap();
    }
    disk.model()
}

fn salvaged(model: &DiskModel) -> (Vec<u64>, Salvage) {
    let mut shown = Vec::new();
    let account = salvage(&SimulatedDisk::new(model.clone()), &mut |record| {
        assert!(record.payload == payload(record.index.0), "record {}", record.index);
        shown.push(record.index.0);
    });
    (shown, account.unwrap())
}

/// The segment and the offset of each record.
fn places(model: &DiskModel) -> Vec<(String, usize)> {
    let mut places = vec![(String::new(), 0); 256];
    inspect(&SimulatedDisk::new(model.clone()), &mut |location, batch| {
        for record in batch.records() {
            let name = steadfast_wal::format::names::segment_name(location.segment);
            let offset = usize::try_from(location.offset).unwrap();
            places[usize::try_from(record.index.0).unwrap()] = (name, offset);
        }
    })
    .unwrap();
    places
}

fn change(model: &mut DiskModel, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = model.file(name).unwrap().to_vec();
    change(&mut bytes);
    model.put(name, bytes);
}

fn all_but(missing: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    (1..=60).filter(|it| !missing.contains(it)).collect()
}

fn gap(first: u64, last: u64) -> Vec<(LogIndex, LogIndex)> {
    vec![(LogIndex(first), LogIndex(last))]
}

#[test]
fn a_whole_log_is_shown_in_one_run_with_each_record_once() {
    let (shown, account) = salvaged(&sixty());
    assert_eq!(shown, (1..=60).collect::<Vec<_>>());
    assert_eq!((account.runs.len(), account.missing()), (1, vec![]));
    assert_eq!((account.log, account.through), (Some(ID), Some(LogIndex(0))));
}

#[test]
fn every_rotten_record_is_missed_and_no_other() {
    let model = sixty();
    let places = places(&model);
    for index in (1..60).filter(|it| it % 15 != 0) {
        let (name, offset) = &places[usize::try_from(index).unwrap()];
        for within in [20, 300, BLOCK + 100] {
            let mut rotten = model.clone();
            change(&mut rotten, name, |it| it[offset + within] ^= 1);
            let (shown, account) = salvaged(&rotten);
            assert_eq!(shown, all_but(index..=index), "a flip in record {index}");
            assert_eq!(account.missing(), gap(index, index));
            assert_eq!(
                account.runs.iter().map(|it| it.first.0).max(),
                Some(index + 1).max(Some(1))
            );
        }
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    let mut model = sixty();
    let places = places(&model);
    let (name, _) = places[20].clone();
    let held: Vec<u64> =
        (1..=60).filter(|it| places[usize::try_from(*it).unwrap()].0 == name).collect();
    model.take(&name);
    let (shown, account) = salvaged(&model);
    // The last record of an opening stands in the next segment, too.
    let lost: Vec<u64> = (1..=60).filter(|it| !shown.contains(it)).collect();
    assert!(!lost.is_empty() && lost.iter().all(|it| held.contains(it)), "{lost:?} of {held:?}");
    assert_eq!(account.missing(), gap(lost[0], lost[lost.len() - 1]));
}

#[test]
fn segments_in_each_others_place_are_read_in_the_order_of_their_records() {
    let mut model = sixty();
    let places = places(&model);
    let (one, other) = (places[18].0.clone(), places[40].0.clone());
    let (first, second) =
        (model.file(&one).unwrap().to_vec(), model.file(&other).unwrap().to_vec());
    model.put(&one, second);
    model.put(&other, first);
    assert!(inspect(&SimulatedDisk::new(model.clone()), &mut |_, _| {}).is_err());
    let (shown, account) = salvaged(&model);
    assert_eq!((shown, account.missing()), (all_but(0..=0), vec![]));
}

#[test]
fn a_log_without_its_checkpoint_is_read_with_the_block_size_of_its_batches() {
    let mut model = sixty();
    model.take("checkpoint");
    let (shown, account) = salvaged(&model);
    assert_eq!((shown, account.through), (all_but(0..=0), None));
    let mut rotten = sixty();
    change(&mut rotten, "checkpoint", |it| it[40] ^= 1);
    assert_eq!(salvaged(&rotten).0, all_but(0..=0));
    let empty = SimulatedDisk::new(DiskModel::of(&[]));
    assert!(matches!(salvage(&empty, &mut |_| {}), Err(OpenError::NoLog { .. })));
}

#[test]
fn other_bytes_of_old_files_and_of_other_logs_are_left_out() {
    let disk = SimulatedDisk::new(sixty());
    let begin = Opening::begin(Arc::new(disk.clone()), ID, settings()).unwrap();
    let (mut log, _) = begin.into_serial_log().unwrap();
    log.checkpoint(LogIndex(55), b"state").unwrap();
    for index in 61..=100 {
        log.append(&payload(index)).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let (shown, account) = salvaged(&disk.model());
    assert_eq!(account.through, Some(LogIndex(55)));
    assert_eq!(account.missing(), vec![]);
    assert_eq!(shown.last(), Some(&100));
    assert!(shown.windows(2).all(|it| it[0] + 1 == it[1]), "{shown:?}");
}

/// The bytes of the first batch with a record above 60 that stands in this segment, or in another one.
fn later_batch(model: &DiskModel, segment: &str, is_there: bool) -> Vec<u8> {
    let places = places(model);
    let is_wanted = |it: &&(String, usize)| !it.0.is_empty() && (it.0 == segment) == is_there;
    let (name, offset) = places[61..].iter().find(is_wanted).unwrap();
    model.file(name).unwrap()[*offset..offset + 2 * BLOCK].to_vec()
}

#[test]
fn batches_of_other_logs_and_segments_are_neither_shown_nor_believed() {
    let model = sixty();
    let newest = model.files().map(|it| it.0).filter(|it| it.starts_with("segment-0")).last();
    let newest = newest.unwrap().to_owned();
    let strays = [
        later_batch(&log_of(LogId(4), 1, 200), &newest, true),
        later_batch(&log_of(ID, 1, 200), &newest, false),
    ];
    for stray in strays {
        for is_whole in [true, false] {
            let mut model = model.clone();
            change(&mut model, &newest, |it| {
                it.extend(&stray);
                let body = it.len() - BLOCK;
                it[body] ^= u8::from(!is_whole);
            });
            let (shown, account) = salvaged(&model);
            assert_eq!((shown, account.missing()), (all_but(0..=0), vec![]));
        }
    }
}

#[test]
fn a_batch_with_a_rotten_body_still_says_which_records_were_durable() {
    let disk = SimulatedDisk::new(sixty());
    let begin = Opening::begin(Arc::new(disk.clone()), ID, settings()).unwrap();
    let (mut log, _) = begin.into_serial_log().unwrap();
    for index in 61..=64 {
        log.append(&payload(index)).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let mut model = disk.model();
    let places = places(&model);
    for (name, offset) in &places[63..=64] {
        change(&mut model, name, |it| it[offset + BLOCK] ^= 1);
    }
    let (shown, account) = salvaged(&model);
    assert_eq!(shown, (1..=62).collect::<Vec<_>>());
    assert_eq!(account.missing(), gap(63, 63), "the header of record 64 says that 63 was durable");
}
