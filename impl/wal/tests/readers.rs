//! Reading a log by index while it is written.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, EIO, Fault, SimulatedDisk};
use steadfast_wal::disk::Disk;
use steadfast_wal::{
    Log, LogId, LogIndex, Opening, Reader, ReaderError, RealDisk, Settings, SystemThreads,
};

const ID: LogId = LogId(12);
const RECORDS: u64 = 400;

fn settings() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 8192, batch_bytes: 2048, ..Settings::default() }
}

fn open<D: Disk>(disk: &Arc<D>) -> Log<D> {
    Opening::begin(Arc::clone(disk), ID, settings()).unwrap().into_log().unwrap().0
}

fn simulated() -> Arc<SimulatedDisk> {
    Arc::new(SimulatedDisk::new(DiskModel::default()))
}

fn payload(index: u64) -> Vec<u8> {
    index.to_le_bytes().repeat(usize::try_from(index % 40).unwrap())
}

fn write<D: Disk>(log: &Log<D>, from: u64, to: u64) {
    for index in from..=to {
        assert_eq!(log.append(&payload(index)).unwrap(), LogIndex(index));
        if index % 3 == 0 || index == to {
            log.wait(LogIndex(index)).unwrap();
        }
    }
}

/// Reads what is durable, checks it, and returns the last index.
fn read<D: Disk>(reader: &mut Reader<'_, D, SystemThreads>) -> u64 {
    let mut next = reader.next_index().0;
    while let Some(records) = reader.next_batch().unwrap() {
        assert!(records.clone().count() > 0, "a batch without a record from {next} on is shown");
        for record in records {
            assert_eq!(record.index, LogIndex(next));
            assert!(record.payload == payload(next), "record {next}");
            next += 1;
        }
    }
    assert_eq!(reader.next_index().0, next);
    next - 1
}

#[test]
fn every_index_can_be_begun_with_also_after_openings() {
    let disk = simulated();
    for opening in 0..4 {
        let log = open(&disk);
        write(&log, opening * 50 + 1, opening * 50 + 50);
        for from in 1..=opening * 50 + 50 {
            let mut reader = log.read_from(LogIndex(from)).unwrap();
            assert_eq!(reader.next_index(), LogIndex(from));
            assert_eq!(read(&mut reader), opening * 50 + 50, "from {from}");
        }
        drop(log);
        drop(open(&disk));
    }
}

fn follows<D: Disk>(disk: &Arc<D>) {
    let log = open(disk);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut reader = log.read_from(LogIndex(5)).unwrap();
            let mut last = 0;
            while last < RECORDS {
                log.wait(reader.next_index()).unwrap();
                last = read(&mut reader);
            }
            last
        });
        write(&log, 1, RECORDS);
        assert_eq!(follower.join().unwrap(), RECORDS);
    });
}

#[test]
fn a_reader_follows_a_log_that_is_written() {
    follows(&simulated());
    let directory = tempfile::tempdir().unwrap();
    follows(&Arc::new(RealDisk::new(directory.path().join("direct"))));
    follows(&Arc::new(RealDisk::buffered(directory.path().join("buffered"))));
}

#[test]
fn records_that_were_given_up_are_named() {
    let disk = simulated();
    let log = open(&disk);
    write(&log, 1, 100);
    let mut early = log.read_from(LogIndex(1)).unwrap();
    assert!(early.next_batch().unwrap().is_some());
    log.checkpoint(LogIndex(90), b"").unwrap();
    // The segments are used again for these.
    write(&log, 101, 250);
    let first = match log.read_from(LogIndex(1)).err().unwrap() {
        ReaderError::GivenUp { index, first } => {
            assert_eq!(index, LogIndex(1));
            first
        }
        error => panic!("{error}"),
    };
    assert!(first > LogIndex(1) && first <= LogIndex(91), "{first}");
    let error = loop {
        match early.next_batch() {
            Ok(Some(records)) => {
                records.for_each(|it| assert!(it.payload == payload(it.index.0), "{}", it.index));
            }
            Ok(None) => panic!("records that are gone were read"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ReaderError::GivenUp { .. }), "{error}");
    assert!(error.to_string().contains("a checkpoint stands for it"), "{error}");
    let mut reader = log.read_from(first).unwrap();
    assert_eq!(read(&mut reader), 250);
}

#[test]
fn damage_under_an_open_log_is_named_with_its_location() {
    let disk = simulated();
    let log = open(&disk);
    write(&log, 1, 60);
    let mut reader = log.read_from(LogIndex(1)).unwrap();
    disk.tamper(|it| {
        let name = "segment-0000000000000003";
        let mut bytes = it.file(name).unwrap().to_vec();
        // In a batch of two blocks that begins at 3584.
        bytes[4096 + 40] ^= 1;
        it.put(name, bytes);
    });
    let error = loop {
        match reader.next_batch() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a damaged batch was read"),
            Err(error) => break error,
        }
    };
    let says = error.to_string();
    assert!(matches!(error, ReaderError::Damaged { .. }), "{says}");
    assert!(says.contains("segment 3, offset 3584"), "{says}");
}

#[test]
fn a_reader_that_waits_for_a_later_record_is_not_bound_to_the_segments_before_it() {
    let disk = simulated();
    let log = open(&disk);
    write(&log, 1, 20);
    let mut early = log.read_from(LogIndex(200)).unwrap();
    assert!(early.next_batch().unwrap().is_none(), "record 200 is not there yet");
    write(&log, 21, 210);
    // This gives up every segment that was there when the reader began.
    log.checkpoint(LogIndex(180), b"").unwrap();
    write(&log, 211, 250);
    assert_eq!(early.next_index(), LogIndex(200));
    assert_eq!(read(&mut early), 250);
}

#[test]
fn a_batch_without_records_is_not_shown() {
    let disk = simulated();
    for round in 0..3 {
        let log = open(&disk);
        write(&log, round * 5 + 1, round * 5 + 5);
        let mut reader = log.read_from(LogIndex(1)).unwrap();
        while let Some(records) = reader.next_batch().unwrap() {
            assert!(records.count() > 0);
        }
        assert_eq!(reader.next_index(), LogIndex(round * 5 + 6));
        log.close().unwrap();
    }
}

#[test]
fn a_reader_from_index_0_begins_with_the_first_record() {
    let disk = simulated();
    let log = open(&disk);
    let mut reader = log.read_from(LogIndex(0)).unwrap();
    assert!(reader.next_batch().unwrap().is_none());
    write(&log, 1, 5);
    assert_eq!(read(&mut reader), 5);
}

#[test]
fn a_segment_that_cannot_be_opened_or_read_is_an_error_of_the_disk() {
    let disk = simulated();
    let log = open(&disk);
    write(&log, 1, 30);
    // The calls of a first batch: the segment is opened, its length is asked for, and it is read.
    for call in 0..3 {
        let mut reader = log.read_from(LogIndex(1)).unwrap();
        // The maker of segments may be at work beside this thread.
        disk.fail_this_thread(call, Fault::Error(EIO));
        let error = reader.next_batch().unwrap_err();
        assert!(matches!(error, ReaderError::Disk(_)), "call {call}: {error}");
        assert_eq!(read(&mut reader), 30, "a later call tries again");
    }
}
