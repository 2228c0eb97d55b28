//! A replica on a store, driven as a server drives it: writes, trims and restarts.

mod common;

use std::sync::Arc;

use steadfast_node::{Node, NodeStorage, Output};
use steadfast_protocol::{
    Base, Content, Counter, Identity, Incarnation, Input, Intent, LogIndex, NodeId, Outcome,
    Parameters, Path, RequestId, Settings, Steadfast, WriteRequest,
};
use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_store::{SerialLog, Store, TrimPolicy, create};
use steadfast_wal::LogId;

const SEGMENT_BYTES: u64 = 16 << 10;
const BATCH_BYTES: u32 = 4 << 10;
const POLICY: TrimPolicy =
    TrimPolicy { slack_bytes: 3 * SEGMENT_BYTES, memory_slack_bytes: u64::MAX };
/// Three segments for the log, one that is begun, up to three that are ready or retired, and the reserve.
const CONSTANT_BYTES: u64 = 8 * SEGMENT_BYTES;

type Served = Node<Store<SerialLog<SimulatedDisk>>>;

fn settings() -> (LogId, steadfast_wal::Settings) {
    let settings = steadfast_wal::Settings {
        block_bytes: 512,
        segment_bytes: SEGMENT_BYTES,
        batch_bytes: BATCH_BYTES,
        ..Default::default()
    };
    (LogId(3), settings)
}

fn alone() -> Identity {
    Identity { node: NodeId(0), settings: Settings::new(1, 1, 1).expect("settings") }
}

fn start(log: &Arc<SimulatedDisk>, contents: &Arc<SimulatedDisk>) -> Served {
    let store = Store::open(log, contents, alone(), settings(), POLICY).expect("a store");
    let mut node = Node::new(alone(), Parameters::default(), store);
    node.start(Incarnation(1), &Steadfast).expect("a log of this node");
    hear(&mut node, Input::ElectionTimeout);
    node
}

/// Gives the node an input, syncs its log, and returns the outcomes of requests.
fn hear(node: &mut Served, input: Input) -> Vec<Outcome> {
    let mut outputs = Vec::new();
    node.hear(input, &Steadfast, &mut outputs);
    loop {
        let durable = LogIndex(node.storage().log().sync().expect("a disk that works").0);
        if durable == node.storage().synced() {
            break;
        }
        let synced = node.storage_mut().note_synced(durable);
        node.hear(synced, &Steadfast, &mut outputs);
    }
    assert!(node.storage().failure().is_none());
    let answers = outputs.into_iter().filter_map(|it| match it {
        Output::Answer { outcome, .. } => Some(outcome),
        _ => None,
    });
    answers.collect()
}

fn write(number: u64) -> Input {
    Input::Write(WriteRequest {
        request: RequestId { client: 1, number },
        path: Path::new(format!("file-{}", number * 7 % 50)),
        intent: Intent::Put(Content::Inline(common::noise(100, number).into())),
        base: Base::Visible,
        seen: Counter::default(),
    })
}

fn maybe_trim(node: &mut Served) -> bool {
    if !node.storage().is_trim_due() {
        return false;
    }
    hear(node, Input::Trim);
    let job = node.storage_mut().take_checkpoint().expect("the checkpoint that a trim asks for");
    let written = job.run().expect("a disk that works");
    let input = node.storage_mut().note_checkpointed(written);
    hear(node, input);
    true
}

#[test]
fn the_log_stays_below_twice_the_state_and_a_constant() {
    let disk = || Arc::new(SimulatedDisk::new(DiskModel::default()));
    let (log, contents) = (disk(), disk());
    create(&log, &contents, alone(), settings()).expect("a new node");
    let mut node = start(&log, &contents);
    let (mut trims, mut bytes_max) = (0, 0);
    for number in 1..=3_000 {
        let outcomes = hear(&mut node, write(number));
        assert!(matches!(outcomes[..], [Outcome::Acknowledged { .. }]), "{outcomes:?}");
        trims += u64::from(maybe_trim(&mut node));
        let bytes: u64 = log.model().files().map(|it| it.1.len() as u64).sum();
        let (state_bytes, _) = node.storage().log_bytes();
        assert!(bytes <= 2 * state_bytes + CONSTANT_BYTES, "{bytes} bytes, state {state_bytes}");
        bytes_max = bytes.max(bytes_max);
        if number % 500 == 0 {
            let before = node.replica().expect("a node that is up").clone();
            drop(node);
            node = start(&log, &contents);
            let after = node.replica().expect("a node that is up");
            assert_eq!(after.log().fold().files(), before.log().fold().files());
            assert_eq!(after.log().fold().digest(), before.log().fold().digest());
        }
    }
    // Each write takes two sectors at least, so that without trims there were 3 MB of them.
    assert!(trims > 20 && bytes_max > POLICY.slack_bytes, "{trims} trims, {bytes_max} bytes");
    assert!(node.storage().records().len() < 200);
}
