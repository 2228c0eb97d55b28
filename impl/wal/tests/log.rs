//! The log as its users meet it, on both disks, with threads and without.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::disk::Disk;
use steadfast_wal::{
    AppendError, CheckpointError, Log, LogId, LogIndex, OpenError, Opening, RealDisk, SerialLog,
    Settings,
};

const ID: LogId = LogId(42);

fn small() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 4096, batch_bytes: 2048, ..Settings::default() }
}

fn large() -> Settings {
    Settings { segment_bytes: 4 << 20, batch_bytes: 1 << 20, ..Settings::default() }
}

fn simulated() -> Arc<SimulatedDisk> {
    Arc::new(SimulatedDisk::new(DiskModel::default()))
}

fn open<D: Disk>(disk: &Arc<D>, settings: Settings) -> Opening<D> {
    Opening::begin(disk.clone(), ID, settings).unwrap()
}

fn serial<D: Disk>(disk: &Arc<D>, settings: Settings) -> SerialLog<D> {
    open(disk, settings).into_serial_log().unwrap().0
}

fn threaded<D: Disk>(disk: &Arc<D>, settings: Settings) -> Log<D> {
    open(disk, settings).into_log().unwrap().0
}

fn records<D: Disk>(opening: &mut Opening<D>) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    opening.for_each(|it| records.push((it.index.0, it.payload.to_vec()))).unwrap();
    records
}

/// Record number n of a test.
fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number * 37 % 700).unwrap();
    (0..length).map(|it| u8::try_from((it as u64 + number) % 251).unwrap()).collect()
}

fn is_run(records: &[(u64, Vec<u8>)], from: u64, to: u64) {
    assert_eq!(records.iter().map(|it| it.0).collect::<Vec<_>>(), (from..=to).collect::<Vec<_>>());
    for (number, bytes) in records {
        assert_eq!(*bytes, payload(*number), "record {number}");
    }
}

#[test]
fn batches_longer_than_what_is_read_at_once_are_read_whole() {
    let disk = simulated();
    let mut log = serial(&disk, large());
    let payload = |number: u8| vec![number; 290_000 * usize::from(number)];
    for number in 1..=3 {
        log.append(&payload(number)).unwrap();
        log.sync().unwrap();
    }
    log.close().unwrap();
    let expected: Vec<_> = (1..=3).map(|it| (u64::from(it), payload(it))).collect();
    assert!(records(&mut open(&disk, large())) == expected);
}

#[test]
fn reading_ahead_of_long_batches_ends_where_they_do_or_nobody_reads_on() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(directory.path().join("log")));
    let mut log = serial(&disk, Settings::default());
    let payload = |number: u64| vec![u8::try_from(number).unwrap(); 3 << 20];
    for number in 1..=12 {
        log.append(&payload(number)).unwrap();
        log.sync().unwrap();
    }
    log.close().unwrap();
    let mut begun = open(&disk, Settings::default());
    assert!(begun.next_batch().unwrap().is_some());
    // As much as may be is read by then.
    std::thread::sleep(std::time::Duration::from_millis(100));
    drop(begun);
    let mut count = 0;
    open(&disk, Settings::default())
        .for_each(|record| {
            count += 1;
            assert_eq!(record.index, LogIndex(count));
            assert!(record.payload == payload(count), "record {count}");
        })
        .unwrap();
    assert_eq!(count, 12);
}

#[test]
fn what_was_synced_is_there_when_the_log_is_opened_again() {
    let disk = simulated();
    for round in 0..20 {
        let mut opening = open(&disk, small());
        is_run(&records(&mut opening), 1, round * 10);
        let (mut log, recovered) = opening.into_serial_log().unwrap();
        assert_eq!(recovered.last, LogIndex(round * 10));
        assert!(!recovered.tail.is_uncertain());
        for number in round * 10 + 1..=round * 10 + 10 {
            assert_eq!(log.append(&payload(number)).unwrap(), LogIndex(number));
            if number % 3 == 0 {
                assert_eq!(log.sync().unwrap(), LogIndex(number));
            }
        }
        if round % 2 == 0 {
            assert_eq!(log.close().unwrap(), LogIndex(round * 10 + 10));
        } else {
            log.sync().unwrap();
        }
    }
}

#[test]
fn a_checkpoint_takes_the_place_of_records_and_segments_are_used_again() {
    let disk = simulated();
    let mut log = serial(&disk, small());
    for number in 1..=500 {
        log.append(&payload(number)).unwrap();
        log.sync().unwrap();
        if number % 20 == 0 {
            log.checkpoint(LogIndex(number - 5), &payload(number - 5)).unwrap();
        }
    }
    drop(log);
    let segments = disk.list().unwrap().iter().filter(|it| it.starts_with("segment-")).count();
    assert!(segments <= 10, "{segments} segments are left");
    let mut opening = open(&disk, small());
    assert_eq!(opening.state, payload(495));
    is_run(&records(&mut opening), 496, 500);
    let (mut log, recovered) = opening.into_serial_log().unwrap();
    assert_eq!((recovered.through, recovered.last), (LogIndex(495), LogIndex(500)));
    let error = log.checkpoint(LogIndex(501), b"").unwrap_err();
    assert!(matches!(error, CheckpointError::OutOfRange { .. }), "{error}");
    assert!(log.checkpoint(LogIndex(400), b"").is_err());
}

#[derive(Debug)]
enum Refusal {
    Open(OpenError),
    Unwanted(u64),
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Refusal {
        Refusal::Open(error)
    }
}

#[test]
fn reading_ends_with_the_error_of_whoever_reads() {
    let disk = simulated();
    let mut log = serial(&disk, small());
    for number in 1..=5 {
        log.append(&payload(number)).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let model = disk.model();
    let mut opening = open(&disk, small());
    let result = opening.try_for_each(|record| match record.index.0 {
        3 => Err(Refusal::Unwanted(3)),
        _ => Ok(()),
    });
    assert!(matches!(result, Err(Refusal::Unwanted(3))), "{result:?}");
    drop(opening);
    let files = |it: &DiskModel| -> Vec<(String, Vec<u8>)> {
        it.files().map(|it| (it.0.to_owned(), it.1.to_vec())).collect()
    };
    assert_eq!(files(&disk.model()), files(&model), "nothing has changed");
    let mut opening = open(&disk, small());
    // A flipped bit in record 2.
    let place = "segment-0000000000000003";
    let mut bytes = model.file(place).unwrap().to_vec();
    bytes[512 + 100] ^= 1;
    disk.tamper(|it| it.put(place, bytes));
    let result = opening.try_for_each(|_| Ok::<(), Refusal>(()));
    assert!(matches!(result, Err(Refusal::Open(OpenError::Damaged { .. }))), "{result:?}");
}

#[test]
fn logs_and_openings_say_where_they_are() {
    let disk = simulated();
    let mut log = serial(&disk, small());
    log.append(b"one").unwrap();
    let says = format!("{log:?}");
    assert!(says.contains("durable: LogIndex(0)") && says.contains("last: LogIndex(1)"), "{says}");
    log.sync().unwrap();
    drop(log);
    let says = format!("{:?}", open(&disk, small()));
    assert!(says.contains("the simulated disk") && says.contains("through: LogIndex(0)"), "{says}");
    let log = threaded(&disk, small());
    let says = format!("{log:?}");
    assert!(says.contains("durable: LogIndex(1)") && says.contains("failure: None"), "{says}");
    let says = format!("{:?}", log.synced(LogIndex(2)));
    assert!(says.starts_with("Synced { index: LogIndex(2)"), "{says}");
    let says = format!("{:?}", log.read_from(LogIndex(1)).unwrap());
    assert!(
        says.contains("the simulated disk") && says.contains("next_index: LogIndex(1)"),
        "{says}"
    );
}

#[test]
fn a_record_may_be_empty_and_must_not_be_longer_than_a_batch() {
    let disk = simulated();
    let mut log = serial(&disk, small());
    let longest = vec![1; small().record_bytes_max()];
    log.append(&[]).unwrap();
    log.append(&longest).unwrap();
    log.append(&[]).unwrap();
    let error = log.append(&vec![1; longest.len() + 1]).unwrap_err();
    assert!(matches!(error, AppendError::TooLong { bytes: 2045, bytes_max: 2044 }), "{error}");
    log.close().unwrap();
    let found = records(&mut open(&disk, small()));
    assert_eq!(found, [(1, vec![]), (2, longest), (3, vec![])]);
}

#[test]
fn many_threads_append_to_a_real_disk() {
    let directory = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::new(directory.path().join("log")));
    let settings = Settings { segment_bytes: 1 << 20, batch_bytes: 1 << 18, ..Settings::default() };
    let log = threaded(&disk(), settings);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..50 {
                    let index = log.write(&payload(thread * 1000 + number)).unwrap();
                    assert!(log.durable() >= index);
                }
            });
        }
    });
    log.checkpoint(LogIndex(100), b"state").unwrap();
    assert_eq!(log.close().unwrap(), LogIndex(400));
    let mut opening = open(&disk(), settings);
    assert_eq!(opening.state, b"state");
    assert_eq!(records(&mut opening).len(), 300);
    let (log, _) = opening.into_log().unwrap();
    assert!(matches!(Opening::begin(disk(), ID, settings), Err(OpenError::InUse { .. })));
    drop(log);
    threaded(&disk(), settings);
}

#[test]
fn what_came_before_anybody_waits_is_one_batch() {
    let disk = simulated();
    let log = threaded(&disk, large());
    log.write(b"first").unwrap();
    let batches = || batches_of(&disk);
    let before = batches();
    for number in 2..=65 {
        log.append(&payload(number)).unwrap();
    }
    assert_eq!(batches(), before, "nobody waits, so nothing is written");
    log.wait(LogIndex(40)).unwrap();
    assert_eq!(batches(), before + 1);
    assert_eq!(log.durable(), LogIndex(65));
}

#[test]
fn much_is_written_before_anybody_waits() {
    let log = threaded(&simulated(), large());
    for _ in 0..200 {
        log.append(&[7; 4096]).unwrap();
    }
    while log.durable() < LogIndex(100) {
        std::thread::yield_now();
    }
}

/// How many batches are in the segments.
fn batches_of(disk: &SimulatedDisk) -> usize {
    let is_batch = |it: &&[u8]| it.starts_with(b"STDFSTWB");
    let model = disk.model();
    model.files().map(|it| it.1.chunks(4096).filter(is_batch).count()).sum()
}
