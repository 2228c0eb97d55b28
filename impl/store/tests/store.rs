//! The store as a node's storage: opening, appending, checkpoints.

mod common;

use std::sync::Arc;

use common::{entry, identity, promise};
use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Checkpoint, Fold, Identity, Input, LogIndex, NodeId, Record, Sealed, Steadfast,
};
use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_store::{
    CreateError, OpenError, RecordLog, SerialLog, Store, ThreadedLog, TrimPolicy, create,
};
use steadfast_wal::disk::Disk;
use steadfast_wal::{LogId, RealDisk, Settings};

struct Node<D> {
    log: Arc<D>,
    contents: Arc<D>,
}

impl Node<SimulatedDisk> {
    fn simulated() -> Node<SimulatedDisk> {
        let disk = || Arc::new(SimulatedDisk::new(DiskModel::default()));
        Node { log: disk(), contents: disk() }
    }
}

fn settings() -> (LogId, Settings) {
    let settings = Settings {
        block_bytes: 512,
        segment_bytes: 64 << 10,
        batch_bytes: 16 << 10,
        ..Settings::default()
    };
    (LogId(7), settings)
}

const TIGHT: TrimPolicy = TrimPolicy { slack_bytes: 1_000, memory_slack_bytes: u64::MAX };

impl<D: Disk> Node<D> {
    fn create(&self) -> Result<(), CreateError> {
        create(&self.log, &self.contents, identity(), settings())
    }

    fn open<L: RecordLog<Disk = D>>(&self) -> Result<Store<L>, OpenError> {
        Store::open(&self.log, &self.contents, identity(), settings(), TIGHT)
    }
}

#[test]
fn a_new_node_has_its_identity_and_nothing_else() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let store = node.open::<SerialLog<_>>().expect("a store");
    assert_eq!(store.records(), [Record::Identity(identity())]);
    assert_eq!(store.synced(), LogIndex(1));
    assert!(store.is_at_rest());
}

#[test]
fn appended_records_are_there_after_a_sync_and_lost_without_one() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let mut store = node.open::<SerialLog<_>>().expect("a store");
    store.append(vec![promise(1), Record::Entry(entry(1))]);
    assert_eq!(store.synced(), LogIndex(1));
    let durable = store.log().sync().expect("a disk that works");
    assert_eq!(store.note_synced(LogIndex(durable.0)), Input::Synced(LogIndex(3)));
    store.append(vec![Record::Entry(entry(2))]);
    let kept = store.records()[..3].to_vec();
    drop(store);
    let store = node.open::<SerialLog<_>>().expect("a store");
    assert_eq!(store.records(), kept);
}

fn checkpoints_shorten_the_log<L: RecordLog>(node: &Node<L::Disk>, sync: impl Fn(&L) -> u64) {
    node.create().expect("a new node");
    let mut store = node.open::<L>().expect("a store");
    let mut number = 0;
    for round in 0..5 {
        while !store.is_trim_due() {
            number += 1;
            store.append(vec![Record::Entry(entry(number))]);
            store.note_synced(LogIndex(sync(store.log())));
        }
        let checkpoint = checkpoint_of(&store);
        NodeStorage::checkpoint(&mut store, checkpoint.clone());
        let job = store.take_checkpoint().expect("a job");
        assert!(store.take_checkpoint().is_none() && !store.is_trim_due());
        // Records that arrive meanwhile stay.
        number += 1;
        store.append(vec![Record::Entry(entry(number))]);
        let written = job.run().expect("a disk that works");
        assert_eq!(store.note_checkpointed(written), Input::Checkpointed);
        let expected = [Record::Checkpoint(checkpoint), Record::Entry(entry(number))];
        assert_eq!(store.records(), expected, "round {round}");
        store.note_synced(LogIndex(sync(store.log())));
        let state_bytes = store.log_bytes().0;
        drop(store);
        store = node.open::<L>().expect("a store");
        assert_eq!((store.records(), store.log_bytes().0), (&expected[..], state_bytes));
        assert_eq!(store.synced(), LogIndex(1 + number));
    }
}

/// The checkpoint of all records of a store, which begin with one or with the identity.
fn checkpoint_of(store: &impl NodeStorage) -> Sealed<Checkpoint> {
    let mut fold = Fold::default();
    store.records().iter().for_each(|record| fold.apply(record, &Steadfast));
    Sealed::new(Checkpoint { identity: identity(), length: store.synced(), fold })
}

#[test]
fn checkpoints_shorten_a_serial_log() {
    let sync = |log: &SerialLog<_>| log.sync().expect("a disk that works").0;
    checkpoints_shorten_the_log::<SerialLog<_>>(&Node::simulated(), sync);
}

#[test]
fn checkpoints_shorten_a_threaded_log_on_the_real_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = |name| Arc::new(RealDisk::new(directory.path().join(name)));
    let node = Node { log: disk("log"), contents: disk("contents") };
    checkpoints_shorten_the_log::<ThreadedLog<_>>(&node, |log| {
        log.wait(log.last()).expect("a disk that works");
        log.durable().0
    });
}

#[test]
fn many_short_records_are_trimmed_although_they_take_little_of_the_disk() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let policy = TrimPolicy { slack_bytes: u64::MAX, memory_slack_bytes: 100_000 };
    let open = || {
        let (log, contents) = (&node.log, &node.contents);
        Store::<SerialLog<_>>::open(log, contents, identity(), settings(), policy).expect("a store")
    };
    let sync = |store: &mut Store<SerialLog<_>>| {
        let durable = store.log().sync().expect("a disk that works").0;
        store.note_synced(LogIndex(durable));
    };
    let mut store = open();
    let mut count = 0;
    while !store.is_trim_due() {
        count += 1;
        store.append(vec![promise(count)]);
        sync(&mut store);
    }
    // A promise takes a few bytes on the disk, and some 300 in memory.
    assert!((300..334).contains(&count), "{count} records");
    drop(store);
    let mut store = open();
    assert!(store.is_trim_due(), "the records are counted when they are read");
    let checkpoint = checkpoint_of(&store);
    NodeStorage::checkpoint(&mut store, checkpoint);
    store.append(vec![promise(count + 1)]);
    let written = store.take_checkpoint().expect("a job").run().expect("room");
    store.note_checkpointed(written);
    sync(&mut store);
    assert!(!store.is_trim_due());
    let mut since = 1;
    while !store.is_trim_due() {
        since += 1;
        store.append(vec![promise(count + since)]);
        sync(&mut store);
    }
    // Some more than before, whose bytes are half of those of the checkpoint.
    assert!((count..count + 40).contains(&since), "{since} records since, {count} before");
}

#[test]
fn a_checkpoint_that_failed_is_written_later() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let mut store = node.open::<SerialLog<_>>().expect("a store");
    let checkpoint = checkpoint_of(&store);
    NodeStorage::checkpoint(&mut store, checkpoint);
    node.log.limit(Some(0));
    let error = store.take_checkpoint().expect("a job").run().expect_err("a full disk");
    assert!(error.to_string().contains("disk is full"), "{error}");
    store.note_checkpoint_failed();
    node.log.limit(None);
    let written = store.take_checkpoint().expect("the job again").run().expect("room");
    assert_eq!(store.note_checkpointed(written), Input::Checkpointed);
}

#[test]
fn a_directory_in_use_is_refused_and_not_changed() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let error = node.create().expect_err("a second node");
    assert!(matches!(error, CreateError::InUse { .. }), "{error}");
    let mut store = node.open::<SerialLog<_>>().expect("the first node");
    store.append(vec![promise(3)]);
    store.log().sync().expect("a disk that works");
    drop(store);
    assert!(matches!(node.create(), Err(CreateError::InUse { .. })));
    assert_eq!(node.open::<SerialLog<_>>().expect("the first node").records().len(), 2);
}

#[test]
fn an_empty_directory_is_no_node() {
    let node = Node::simulated();
    for _ in 0..2 {
        let error = node.open::<SerialLog<_>>().expect_err("no node");
        assert!(matches!(error, OpenError::NoLog { .. }), "{error}");
        assert!(error.to_string().contains("replace it by one"), "{error}");
        node.log.create_directory().expect("a directory");
    }
    assert_eq!(node.log.list().expect("a directory"), Vec::<String>::new());
}

#[test]
fn the_log_of_another_node_or_cluster_is_refused() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let open = |identity, log| {
        let settings = (log, settings().1);
        Store::<SerialLog<_>>::open(&node.log, &node.contents, identity, settings, TIGHT)
    };
    let other = Identity { node: NodeId(2), ..identity() };
    let error = open(other, LogId(7)).expect_err("another node");
    assert!(matches!(error, OpenError::OtherIdentity { .. }), "{error}");
    assert!(error.to_string().contains("n1") && error.to_string().contains("n2"), "{error}");
    assert!(matches!(open(identity(), LogId(8)), Err(OpenError::Log(_))));
    open(identity(), LogId(7)).expect("its own log");
}

#[test]
fn records_wait_for_room_on_a_full_disk() {
    let node = Node::simulated();
    node.create().expect("a new node");
    let mut store = node.open::<SerialLog<_>>().expect("a store");
    node.log.limit(Some(0));
    let mut number = 0;
    while store.waiting_for_room() == 0 {
        number += 1;
        store.append(vec![Record::Entry(entry(number))]);
        let _ = store.log().sync();
    }
    store.append(vec![Record::Entry(entry(number + 1))]);
    assert_eq!(store.waiting_for_room(), 2);
    assert!(!store.retry_appends() && store.failure().is_none());
    node.log.limit(None);
    assert!(store.retry_appends());
    let durable = store.log().sync().expect("a disk that works");
    store.note_synced(LogIndex(durable.0));
    let records = store.records().to_vec();
    assert!(store.is_at_rest() && records.len() as u64 == number + 2);
    drop(store);
    assert_eq!(node.open::<SerialLog<_>>().expect("a store").records(), records);
}
