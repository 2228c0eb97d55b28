//! A disk that fails, and directories that are no log.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use steadfast_simulated_disk::{DiskModel, EIO, ENOSPC, EROFS, Fault, SimulatedDisk};
use steadfast_wal::disk::{Disk, DiskFile};
use steadfast_wal::{
    AppendError, CheckpointError, LogId, LogIndex, OpenError, Opening, RealDisk, Recovered,
    SerialLog, Settings,
};

const ID: LogId = LogId(3);

fn small() -> Settings {
    Settings { block_bytes: 512, segment_bytes: 4096, batch_bytes: 2048, ..Settings::default() }
}

fn open(disk: &SimulatedDisk) -> Result<(SerialLog<SimulatedDisk>, Recovered), OpenError> {
    Opening::begin(Arc::new(disk.clone()), ID, small())?.into_serial_log()
}

fn opened() -> (SimulatedDisk, SerialLog<SimulatedDisk>) {
    let disk = SimulatedDisk::new(DiskModel::default());
    let (mut log, _) = open(&disk).unwrap();
    log.append(b"first").unwrap();
    log.sync().unwrap();
    (disk, log)
}

#[test]
fn a_failed_write_or_sync_is_final() {
    for call in 0..2 {
        let (disk, mut log) = opened();
        let accepted = log.append(b"second").unwrap();
        disk.fail_at(disk.calls() + call, Fault::Error(EIO));
        let failure = log.sync().unwrap_err();
        assert!(failure.to_string().contains("must be opened again"), "{failure}");
        assert!(log.durable() < accepted);
        assert!(matches!(log.append(b"third"), Err(AppendError::Failed(_))));
        assert!(log.sync().is_err(), "the disk is fine again, the log is not");
        assert!(matches!(log.checkpoint(LogIndex(1), b""), Err(CheckpointError::Failed(_))));
        drop(log);
        let (mut log, recovered) = open(&disk).unwrap();
        assert!(recovered.last >= LogIndex(1));
        log.append(b"on").unwrap();
        log.sync().unwrap();
    }
}

#[test]
fn a_failed_directory_sync_is_final() {
    for number in [EIO, ENOSPC] {
        let (disk, mut log) = opened();
        // Remove, create, write, sync, rename; then the directory.
        disk.fail_at(disk.calls() + 5, Fault::Error(number));
        let error = log.checkpoint(LogIndex(1), b"state").unwrap_err();
        assert!(error.to_string().contains("cannot sync the directory"), "{error}");
        assert!(log.append(b"x").is_err());
    }
}

#[test]
fn every_waiting_thread_learns_of_a_failure() {
    let disk = SimulatedDisk::new(DiskModel::default());
    let opening = Opening::begin(Arc::new(disk.clone()), ID, small()).unwrap();
    let (log, _) = opening.into_log().unwrap();
    log.write(b"first").unwrap();
    // The maker of segments is at work: without gaps for whatever comes next.
    let next = disk.calls();
    for call in next..next + 400 {
        disk.fail_at(call, Fault::Error(EIO));
    }
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..8).map(|_| scope.spawn(|| log.write(b"waiting"))).collect();
        for waiter in waiters {
            assert!(matches!(waiter.join().unwrap(), Err(AppendError::Failed(_))));
        }
    });
    assert!(log.wait(LogIndex(2)).is_err());
    assert!(log.wait(LogIndex(1)).is_ok(), "what was durable stays so");
    assert!(log.close().is_err());
}

#[test]
fn a_full_disk_refuses_before_it_accepts_and_a_checkpoint_makes_room() {
    let (disk, mut log) = opened();
    log.make_segments().unwrap();
    let bytes = disk.model().files().map(|it| it.1.len() as u64).sum::<u64>();
    disk.limit(Some(bytes + 1000));
    let mut accepted = 1;
    let refused = loop {
        match log.append(&[5; 400]) {
            Ok(index) => accepted = index.0,
            Err(error) => break error,
        }
        log.sync().unwrap();
    };
    assert!(matches!(refused, AppendError::OutOfSpace(_)), "{refused}");
    assert!(accepted > 10, "the space that was reserved is used: {accepted}");
    assert_eq!(log.sync().unwrap(), LogIndex(accepted), "what was accepted is durable");
    log.checkpoint(LogIndex(accepted), b"").unwrap();
    assert_eq!(log.append(&[6; 400]).unwrap(), LogIndex(accepted + 1));
    log.sync().unwrap();
}

/// How many bytes are on a disk.
fn total(disk: &SimulatedDisk) -> u64 {
    disk.model().files().map(|it| it.1.len() as u64).sum()
}

/// A log whose disk is full to the last byte, and the number of its records.
fn filled() -> (SimulatedDisk, SerialLog<SimulatedDisk>, LogIndex) {
    let (disk, mut log) = opened();
    log.make_segments().unwrap();
    disk.limit(Some(total(&disk) + 9000));
    let mut last = LogIndex(1);
    let refused = loop {
        match log.append(&[5; 400]) {
            Ok(index) => last = index,
            Err(error) => break error,
        }
        log.sync().unwrap();
    };
    assert!(matches!(refused, AppendError::OutOfSpace(_)), "{refused}");
    let says = refused.to_string();
    assert!(!says.contains("must be opened again"), "the log goes on: {says}");
    assert!(says.contains("append it again"), "{says}");
    disk.limit(Some(total(&disk)));
    (disk, log, last)
}

#[test]
fn a_log_that_filled_its_disk_is_opened_and_writes_a_checkpoint() {
    let (disk, log, last) = filled();
    drop(log);
    let full = total(&disk);
    for opening in 0..3 {
        let (log, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.last, last, "opening {opening}");
        drop(log);
    }
    let (mut log, _) = open(&disk).unwrap();
    assert!(matches!(log.append(&[6; 400]), Err(AppendError::OutOfSpace(_))));
    log.checkpoint(last, b"state").unwrap();
    assert_eq!(log.append(&[6; 400]).unwrap(), last.next());
    log.sync().unwrap();
    assert!(total(&disk) <= full);
}

#[test]
fn a_log_whose_disk_is_full_writes_a_checkpoint_into_its_reserve() {
    let (_disk, mut log, last) = filled();
    log.checkpoint(last, &[1; 1000]).unwrap();
    assert_eq!(log.append(&[6; 400]).unwrap(), last.next());
    log.sync().unwrap();
}

#[test]
fn an_opening_on_a_full_disk_that_is_cut_off_anywhere_is_begun_again() {
    let (disk, log, last) = filled();
    drop(log);
    let full = total(&disk);
    disk.start_tape();
    drop(open(&disk).unwrap());
    let tape = disk.take_tape();
    assert!(tape.len() > 3, "{}", tape.len());
    for (at, model) in tape.into_iter().enumerate() {
        let disk = SimulatedDisk::new(model);
        disk.limit(Some(full));
        let recovered = open(&disk).unwrap_or_else(|it| panic!("cut off after {at}: {it}")).1;
        assert_eq!(recovered.last, last, "cut off after {at}");
    }
}

#[test]
fn a_full_disk_refuses_threads_too() {
    let disk = SimulatedDisk::new(DiskModel::default());
    let opening = Opening::begin(Arc::new(disk.clone()), ID, small()).unwrap();
    let (log, _) = opening.into_log().unwrap();
    log.write(b"first").unwrap();
    disk.limit(Some(20_000));
    let error = loop {
        if let Err(error) = log.write(&[1; 400]) {
            break error;
        }
    };
    assert!(matches!(error, AppendError::OutOfSpace(_)), "{error}");
    log.checkpoint(log.durable(), b"").unwrap();
    log.write(&[1; 400]).unwrap();
}

/// Appends until the disk is full, and says what was accepted and with which error it ended.
fn fill(mut write: impl FnMut() -> Result<LogIndex, AppendError>) -> (LogIndex, AppendError) {
    let mut last = LogIndex(0);
    loop {
        match write() {
            Ok(index) => last = index,
            Err(error) => return (last, error),
        }
    }
}

#[test]
fn the_first_append_after_room_was_made_is_accepted() {
    let (disk, mut log) = opened();
    disk.limit(Some(total(&disk) + 9000));
    let (last, error) = fill(|| log.append(&[5; 400]).inspect(|_| _ = log.sync()));
    let says = error.to_string();
    assert!(matches!(error, AppendError::OutOfSpace(_)), "{says}");
    assert!(says.contains("The log has not failed and keeps what it accepted"), "{says}");
    // Making segments in idle time meets the full disk, too.
    log.make_segments().unwrap();
    assert!(matches!(log.append(&[5; 400]), Err(AppendError::OutOfSpace(_))));
    log.make_segments().unwrap();
    disk.limit(None);
    assert_eq!(log.append(&[6; 400]).unwrap(), last.next());
    assert_eq!(log.sync().unwrap(), last.next());
}

#[test]
fn the_first_append_after_room_was_made_is_accepted_by_threads_too() {
    let disk = SimulatedDisk::new(DiskModel::default());
    let opening = Opening::begin(Arc::new(disk.clone()), ID, small()).unwrap();
    let (log, _) = opening.into_log().unwrap();
    for _ in 0..20 {
        disk.limit(Some(total(&disk) + 9000));
        let (last, error) = fill(|| log.write(&[5; 400]));
        assert!(matches!(error, AppendError::OutOfSpace(_)), "{error}");
        assert!(matches!(log.append(&[5; 400]), Err(AppendError::OutOfSpace(_))));
        disk.limit(None);
        assert_eq!(log.write(&[6; 400]).unwrap(), last.next());
    }
}

#[test]
fn a_checkpoint_that_a_full_disk_refuses_leaves_the_log_as_it_was() {
    let (disk, mut log, last) = filled();
    disk.limit(Some(total(&disk)));
    let error = log.checkpoint(LogIndex(1), &[1; 5000]).unwrap_err();
    let says = error.to_string();
    assert!(matches!(error, CheckpointError::OutOfSpace(_)), "{says}");
    assert!(says.contains("The log has not failed"), "{says}");
    disk.limit(None);
    log.checkpoint(last, &[1; 5000]).unwrap();
    assert_eq!(log.append(b"more").unwrap(), last.next());
    log.sync().unwrap();
}

#[test]
fn a_state_that_no_opening_would_read_is_not_written() {
    let (_disk, mut log) = opened();
    // Its pages are never touched.
    let state = vec![0; (4 << 30) + 1];
    let error = log.checkpoint(LogIndex(1), &state).unwrap_err();
    assert!(matches!(error, CheckpointError::TooLong { .. }), "{error}");
    assert!(error.to_string().contains("4294967297 bytes"), "{error}");
    log.checkpoint(LogIndex(1), b"short").unwrap();
}

#[test]
fn short_reads_and_writes_are_continued() {
    let (disk, mut log) = opened();
    for call in 0..60 {
        disk.fail_at(disk.calls() + call, Fault::Short(100));
    }
    log.append(&[7; 1500]).unwrap();
    log.sync().unwrap();
    drop(log);
    let mut opening = Opening::begin(Arc::new(disk), ID, small()).unwrap();
    let mut lengths = Vec::new();
    opening.for_each(|it| lengths.push(it.payload.len())).unwrap();
    assert_eq!(lengths, [5, 1500]);
}

/// Opens a directory that is no log of ours; it must be refused and left as it is.
fn is_refused(model: DiskModel, id: LogId, says: &str) {
    let before: Vec<_> =
        model.files().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
    let disk = SimulatedDisk::new(model);
    let error = Opening::begin(Arc::new(disk.clone()), id, small())
        .and_then(Opening::into_serial_log)
        .err()
        .unwrap();
    assert!(error.to_string().contains(says), "{error}");
    let model = disk.model();
    let after: Vec<_> =
        model.files().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
    assert_eq!(after, before, "{says}");
}

#[test]
fn what_is_no_log_of_ours_is_refused_and_left_as_it_is() {
    let (disk, log) = opened();
    drop(log);
    let model = disk.model();
    is_refused(model.clone(), LogId(4), "is the log 00000000000000000000000000000003");
    is_refused(
        DiskModel::of(&[("notes.txt", b"mine")]),
        ID,
        "\"notes.txt\", which is no file of a log",
    );
    is_refused(DiskModel::of(&[("checkpoint", &[b'x'; 200])]), ID, "is not a log");
    is_refused(DiskModel::of(&[("checkpoint", b"")]), ID, "is not a log");
    let mut foreign = model.clone();
    foreign.put("segment-7", Vec::new());
    is_refused(foreign, ID, "segment-7");
    let mut empty = model.clone();
    empty.put("segment-0000000000000002", Vec::new());
    is_refused(empty, ID, "empty-segment");
    let mut newer = model;
    let mut bytes = newer.file("checkpoint").unwrap().to_vec();
    bytes[8] = 3;
    let checksum = steadfast_wal::Checksum::of(&bytes[..80]);
    bytes[80..84].copy_from_slice(&checksum.0.to_le_bytes());
    newer.put("checkpoint", bytes);
    is_refused(newer, ID, "format version 3: this program reads version 2");
}

#[test]
fn one_process_at_a_time_opens_a_log() {
    let (disk, log) = opened();
    let error = open(&disk).err().unwrap();
    assert!(matches!(error, OpenError::InUse { is_by_this_process: true, .. }), "{error}");
    drop(log);
    open(&disk).unwrap();
}

#[test]
fn a_log_that_is_open_says_in_which_process() {
    let directory = tempfile::tempdir().unwrap();
    let begin = || Opening::begin(Arc::new(RealDisk::new(directory.path())), ID, small());
    let (log, _) = begin().unwrap().into_serial_log().unwrap();
    let says = begin().err().unwrap().to_string();
    assert!(says.contains("this process has the log open already"), "{says}");
    drop(log);
    drop(begin().unwrap());
    // Another process locks the file itself, as far as the log can tell.
    let file = std::fs::File::open(directory.path().join("LOCK")).unwrap();
    file.lock().unwrap();
    let says = begin().err().unwrap().to_string();
    assert!(says.contains("another process has the log open"), "{says}");
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let disk = SimulatedDisk::new(DiskModel::of(&[]));
    // Looking works, the lock does not.
    disk.fail_at(2, Fault::Error(EROFS));
    let error = open(&disk).err().unwrap();
    assert!(error.to_string().contains("cannot lock LOCK"), "{error}");
    assert_eq!(disk.model().files().count(), 0);
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "mine").unwrap();
    let error = Opening::begin(Arc::new(RealDisk::new(&path)), ID, small()).err().unwrap();
    assert!(matches!(error, OpenError::Disk(_)), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

#[test]
fn settings_that_make_no_log_are_refused() {
    let refused = [
        (
            Settings { block_bytes: 1000, ..small() },
            "blocks of 1000 bytes: a block is a power of two",
        ),
        (Settings { block_bytes: 256, ..small() }, "blocks of 256 bytes"),
        (Settings { batch_bytes: 10, ..small() }, "batches of 10 bytes: a batch takes 64 to"),
        (Settings { segment_bytes: 2048, ..small() }, "at least 2560 bytes"),
        (Settings { segment_bytes: 4000, ..small() }, "a whole number of blocks"),
        (Settings { segments_ahead: 0, ..small() }, "0 segments ahead"),
    ];
    for (settings, says) in refused {
        let disk = Arc::new(SimulatedDisk::new(DiskModel::default()));
        let error = Opening::begin(disk, ID, settings).err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_write_that_takes_nothing_is_an_error() {
    let (disk, mut log) = opened();
    disk.fail_at(disk.calls(), Fault::Short(0));
    log.append(b"x").unwrap();
    assert!(log.sync().is_err());
    let file = disk.open("checkpoint", steadfast_wal::disk::Access::Read).unwrap();
    assert!(file.write_at(b"x", 0).is_err());
}
