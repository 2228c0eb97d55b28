//! Contents in the simulator: transfers that are cut, and stores with one wrong decision, which seeds catch.

use std::num::NonZeroU64;
use std::time::Duration;

use steadfast_guarantees::{GuaranteeId, Status};
use steadfast_protocol::{NodeId, Settings};
use steadfast_sim::{Random, RunFailure, Schedule, Setup, Simulation};

/// How many seeds are tried for each wrong store.
const SEEDS: u64 = 400;

/// The failure in the first seed that a wrong store does not survive.
fn caught(name: &str) -> Option<RunFailure> {
    let twins = steadfast_store_crash::twins();
    let twin = twins.iter().find(|it| it.name == name).expect("a twin");
    (0..SEEDS).find_map(|seed| {
        let mut schedule = Schedule::of(seed, None);
        schedule.setup.content_decisions = twin.decisions;
        schedule.run().failure
    })
}

#[test]
fn seeds_catch_a_store_that_loses_contents_in_a_crash() {
    // The simulator itself compares the disk with the contents that were stored.
    for name in ["content-not-synced", "no-directory-sync"] {
        assert_eq!(caught(name), Some(RunFailure::Panicked), "{name}");
    }
}

#[test]
fn seeds_catch_a_store_that_reads_without_verification() {
    let failure = RunFailure::Broken(GuaranteeId::ContentIsExact);
    assert_eq!(caught("reads-unverified"), Some(failure));
}

#[test]
fn seeds_catch_a_store_that_keeps_bad_copies() {
    for name in ["old-copy-stays", "scrub-is-blind"] {
        let failure = caught(name);
        assert!(failure.is_some_and(|it| it.guarantee().is_some()), "{name}: {failure:?}");
    }
}

/// Seeds that failed once. What they do changes with the simulator.
#[test]
fn rare_seeds_break_no_promise() {
    let seeds = [
        // A crash whose disk was chosen before a trim removed a rotten copy brought that copy back.
        30_353_907, 30_286_540,
        // A follower asked for a content that its leader lacked, so that the leader's heartbeats never came.
        30_235_458,
        // A voter that asked for pre-votes sent the first part of a state again and again.
        20_314_289,
        // A rolled-back node wrote and trimmed its log before it heard a peer, and nobody noticed (twin incarnation-reused).
        50_302_041, 50_570_321,
        // A leader restored a version whose copy had gone bad unnoticed while the peer deleted its own (twin named-unverified).
        40_188_385,
        // A leader waited for a peer to take a part of a state that built on entries which the peer lacked (twin
        // refused-state-awaited).
        70_274_295, 70_295_980,
        // A leader lost the rejection that would have deposed it, and sent no more heartbeats.
        70_040_259, 70_543_142,
    ];
    for seed in seeds {
        assert_eq!(Schedule::of(seed, None).run().failure, None, "{seed}");
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = Random::new(3);
    let mut bytes: Vec<u8> =
        (0..length).step_by(8).flat_map(|_| random.bits().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// A cluster of three whose links carry a megabyte a second.
fn slow() -> (Simulation, NodeId) {
    slow_with(true)
}

/// The same with elections that are guarded or not.
fn slow_with(guards_elections: bool) -> (Simulation, NodeId) {
    let mut setup = Setup::new(Settings::new(3, 2, 3).expect("legal settings"), 21);
    setup.link_bytes_per_s = NonZeroU64::new(1_000_000);
    setup.guards_elections = guards_elections;
    let mut cluster = Simulation::new(setup);
    cluster.settle().expect("a cluster without faults settles");
    let leader = cluster.leader().expect("a leader");
    (cluster, leader)
}

#[test]
fn a_transfer_goes_on_where_a_cut_has_stopped_it() {
    const LENGTH: usize = 1_000_000;
    // A leader that looks for its quorum during the cut would step down.
    let (mut cluster, leader) = slow_with(false);
    let follower = NodeId::all(3).find(|it| *it != leader).expect("a follower");
    let before = cluster.ledger().sent_bytes;
    let write = cluster.put(leader, "large", noise(LENGTH));
    cluster.run_for(Duration::from_millis(600));
    cluster.cut([follower]);
    cluster.run_for(Duration::from_millis(100));
    cluster.heal();
    cluster.run_for(Duration::from_secs(2));
    assert_eq!(cluster.status(write), Some(Status::Done));
    assert!(cluster.ledger().resumed > 0 && cluster.ledger().lost_stretches > 0);
    // One of two followers gets most of what was lost again; none gets all of it again.
    let sent = cluster.ledger().sent_bytes - before;
    assert!((2_000_000..2_700_000).contains(&sent), "{sent} bytes");
    cluster.settle().expect("a healed cluster settles");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn a_content_of_seconds_holds_up_no_heartbeat() {
    let (mut cluster, leader) = slow();
    let elections = cluster.ledger().timeouts;
    cluster.put(leader, "large", noise(5_000_000));
    cluster.run_for(Duration::from_secs(12));
    assert_eq!(cluster.ledger().timeouts, elections);
    assert!(NodeId::all(3).all(|it| cluster.shown(it, "large").is_some()));
}

#[test]
fn a_change_of_a_long_content_comes_as_a_delta() {
    let (mut cluster, leader) = slow();
    let mut bytes = noise(1_000_000);
    cluster.put(leader, "large", bytes.clone());
    cluster.run_for(Duration::from_secs(3));
    let before = *cluster.ledger();
    bytes[500_000] ^= 1;
    let write = cluster.put(leader, "large", bytes);
    cluster.run_for(Duration::from_secs(1));
    assert_eq!(cluster.status(write), Some(Status::Done));
    let after = cluster.ledger();
    assert_eq!(after.deltas - before.deltas, 2);
    assert!(after.bytes_received - before.bytes_received < 20_000, "{after}");
}
