//! A whole store after crashes: while a node is made, while records and a checkpoint are written.

mod common;

use std::collections::HashSet;
use std::sync::Arc;

use common::{entry, identity};
use steadfast_node::NodeStorage;
use steadfast_protocol::{Checkpoint, Fold, LogIndex, Record, Sealed, Steadfast};
use steadfast_simulated_disk::{CrashModel, DiskModel, SimulatedDisk};
use steadfast_store::{CreateError, OpenError, SerialLog, Store, TrimPolicy, create};
use steadfast_wal::{LogId, Settings};

const CRASHES: CrashModel = CrashModel {
    sector_bytes: 512,
    tears_sectors: true,
    has_garbage_in_fresh_space: true,
    combined_sectors_max: 2,
};

fn settings() -> (LogId, Settings) {
    let settings = Settings {
        block_bytes: 512,
        segment_bytes: 2_048,
        batch_bytes: 512,
        ..Settings::default()
    };
    (LogId(7), settings)
}

fn fresh() -> Arc<SimulatedDisk> {
    Arc::new(SimulatedDisk::new(DiskModel::default()))
}

fn open(log: &Arc<SimulatedDisk>) -> Result<Store<SerialLog<SimulatedDisk>>, OpenError> {
    Store::open(log, &fresh(), identity(), settings(), TrimPolicy::default())
}

/// Shows every disk that a crash may leave at one of these moments, each once.
fn each_image(tape: &[DiskModel], mut show: impl FnMut(&DiskModel)) -> usize {
    let mut shown = HashSet::new();
    for model in tape {
        CRASHES.each(model, &mut |image| {
            let files: Vec<_> = image.files().map(|it| (it.0.to_owned(), it.1.to_vec())).collect();
            if shown.insert(files) {
                show(&image);
            }
            true
        });
    }
    shown.len()
}

#[test]
fn a_node_that_was_being_made_is_no_node_or_a_whole_one() {
    let (log, contents) = (fresh(), fresh());
    log.start_tape();
    create(&log, &contents, identity(), settings()).expect("a new node");
    let mut whole = 0;
    let images = each_image(&log.take_tape(), |image| {
        let log = Arc::new(SimulatedDisk::new(image.clone()));
        let is_node = match open(&log) {
            Ok(store) => {
                assert_eq!(store.records(), [Record::Identity(identity())]);
                true
            }
            Err(OpenError::NoLog { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        match create(&log, &fresh(), identity(), settings()) {
            Ok(()) => assert!(!is_node, "a node was made a second time"),
            Err(CreateError::InUse { .. }) => assert!(is_node),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(open(&log).expect("a node").records(), [Record::Identity(identity())]);
        whole += usize::from(is_node);
    });
    assert!(whole > 0 && whole < images, "{whole} of {images}");
}

#[test]
fn a_crash_leaves_the_old_checkpoint_or_the_new_one_and_every_synced_record() {
    let (log, contents) = (fresh(), fresh());
    create(&log, &contents, identity(), settings()).expect("a new node");
    let mut store = open(&log).expect("a store");
    for number in 1..=12 {
        store.append(vec![Record::Entry(entry(number))]);
        store.note_synced(LogIndex(store.log().sync().expect("a disk that works").0));
    }
    let before = store.records().to_vec();
    let mut fold = Fold::default();
    before[..9].iter().for_each(|it| fold.apply(it, &Steadfast));
    let checkpoint = Checkpoint { identity: identity(), length: LogIndex(9), fold };
    NodeStorage::checkpoint(&mut store, Sealed::new(checkpoint.clone()));
    // An unsynced record that a crash may take, while the checkpoint is being written.
    store.append(vec![Record::Entry(entry(13))]);
    log.start_tape();
    let written = store.take_checkpoint().expect("a job").run().expect("a disk that works");
    store.note_checkpointed(written);
    store.log().sync().expect("a disk that works");
    let tape = log.take_tape();
    let after = store.records().to_vec();
    let (mut old, mut new) = (0, 0);
    each_image(&tape, |image| {
        let store = open(&Arc::new(SimulatedDisk::new(image.clone()))).expect("a store");
        let records = store.records();
        if records[0].identity().is_some() && matches!(records[0], Record::Checkpoint(_)) {
            assert!(records.starts_with(&after[..4]) && after.starts_with(records));
            new += 1;
        } else {
            assert!(records.starts_with(&before));
            old += 1;
        }
        assert_eq!(store.synced(), steadfast_protocol::last_index(records));
    });
    assert!(old > 0 && new > 0, "{old} with the old checkpoint, {new} with the new one");
}
