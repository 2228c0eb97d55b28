//! The cluster under faults that last: figures of five stories, in virtual time.
//!
//! Each test prints a row per story (`cargo test -p steadfast-sim --test lasting_faults --
//! --nocapture`) and compares it with the constants beside it. A constant named `MAX` is a limit; the
//! others are exact. The last test leaves out one rule of time after the other and demands that the
//! figures show it.

use std::time::Duration;

use steadfast_guarantees::Status;
use steadfast_guarantees::twins::Variant;
use steadfast_protocol::{Append, Decisions, NodeId, NodeSet, RequestId, Settings};
use steadfast_sim::{Ledger, Setup, Simulation};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A cluster of three with E=W=2 that has a leader.
fn led(seed: u64, change: impl Fn(&mut Setup)) -> (Simulation, NodeId) {
    let mut setup = Setup::new(Settings::new(3, 2, 2).expect("majorities"), seed);
    setup.narrated = false;
    change(&mut setup);
    let mut cluster = Simulation::new(setup);
    cluster.settle().expect("a cluster without faults settles");
    let leader = cluster.leader().expect("a leader");
    (cluster, leader)
}

/// The nodes that do not lead.
fn followers(leader: NodeId) -> Vec<NodeId> {
    NodeId::all(3).filter(|it| *it != leader).collect()
}

fn count(cluster: &Simulation, requests: &[RequestId], status: Status) -> usize {
    requests.iter().filter(|it| cluster.status(**it) == Some(status)).count()
}

/// Bytes sent for each byte that a node lacked, in hundredths.
fn hundredths_sent(cluster: &Simulation, before: Ledger) -> u64 {
    let ledger = cluster.ledger();
    let sent = ledger.sent_bytes - before.sent_bytes;
    let useful = ledger.useful_bytes - before.useful_bytes;
    sent * 100 / useful
}

/// Of ten writes, one a minute, those that a leader whose disk hangs acknowledges. The
/// first is the one that the hung leader takes.
const HUNG_ACKNOWLEDGED: usize = 9;
/// Leaders elected meanwhile.
const HUNG_ELECTED: u64 = 1;

#[test]
fn a_leader_whose_disk_hangs() {
    let (mut cluster, leader) = led(1, |_| {});
    let before = cluster.ledger().leaders;
    cluster.hang_disk(leader, MINUTE * 11);
    let mut writes = Vec::new();
    for minute in 0..10 {
        let to = cluster.leader().expect("a leader");
        writes.push(cluster.put(to, "a", format!("{minute}").as_bytes()));
        cluster.run_for(MINUTE);
    }
    let acknowledged = count(&cluster, &writes, Status::Done);
    let elected = cluster.ledger().leaders - before;
    println!("hung disk, 10 min: {acknowledged} of 10 writes acknowledged, {elected} elections");
    assert_eq!((acknowledged, elected), (HUNG_ACKNOWLEDGED, HUNG_ELECTED));
    cluster.settle().expect("the cluster settles once the disk is back");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

/// Of 100 writes and a read at a leader that is alone, those that have an answer after ten minutes.
const ALONE_ANSWERED: usize = 101;
/// After how many seconds the last of them is answered: three election timeouts.
const ALONE_ANSWERED_S_MAX: f64 = 0.9;

#[test]
fn a_leader_without_a_quorum() {
    let (mut cluster, leader) = led(2, |_| {});
    cluster.cut([leader]);
    let mut asked: Vec<RequestId> =
        (0..100).map(|at| cluster.put(leader, "a", format!("{at}").as_bytes())).collect();
    asked.push(cluster.read(leader, "a"));
    let pending = |cluster: &Simulation| count(cluster, &asked, Status::Pending);
    let begin = cluster.now();
    let limit = MINUTE * 10;
    cluster.run_until(limit, |it| pending(it) == 0);
    let waited_s = cluster.now().since(begin).as_secs_f64();
    let answered = asked.len() - pending(&cluster);
    cluster.heal();
    cluster.run_for(SECOND * 2);
    let unknown = count(&cluster, &asked, Status::Unknown);
    println!(
        "no quorum: {answered} of 101 clients answered after {waited_s:.1} s, {unknown} unknown once healed"
    );
    assert_eq!(answered, ALONE_ANSWERED);
    assert!(waited_s <= ALONE_ANSWERED_S_MAX, "{waited_s}");
    cluster.settle().expect("the cluster settles");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

/// What 30 s with a lost link come to.
struct LostLink {
    /// Leaders elected after the first second.
    elected: u64,
    writes: usize,
    unknown: usize,
}

fn lose_link(latency_ms: (u64, u64), one_way: bool) -> LostLink {
    let latency = Duration::from_millis(latency_ms.0)..=Duration::from_millis(latency_ms.1);
    let (mut cluster, leader) = led(3, |it| it.latency = latency.clone());
    let other = followers(leader)[0];
    match one_way {
        true => cluster.cut_links([(leader, other)]),
        false => cluster.cut_links([(leader, other), (other, leader)]),
    }
    let (mut writes, mut begun) = (Vec::new(), 0);
    for tick in 0..600 {
        if tick == 20 {
            begun = cluster.ledger().leaders;
        }
        if let Some(to) = cluster.leader() {
            writes.push(cluster.put(to, "a", format!("{tick}").as_bytes()));
        }
        cluster.run_for(SECOND / 20);
    }
    let elected = cluster.ledger().leaders - begun;
    cluster.heal();
    cluster.run_for(SECOND * 5);
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
    let unknown = count(&cluster, &writes, Status::Unknown);
    LostLink { elected, writes: writes.len(), unknown }
}

/// Leaders elected after the first second, and writes unknown, with a lost link in a data centre and
/// with messages that take 20 to 40 ms, in both directions and in one.
const LOST_LINK_MAX: [(u64, usize); 4] = [(0, 0); 4];

#[test]
fn one_lost_link_of_three() {
    let stories = [((0, 1), false), ((0, 1), true), ((20, 40), false), ((20, 40), true)];
    let measured = stories.map(|(latency_ms, one_way)| {
        let it = lose_link(latency_ms, one_way);
        println!(
            "lost link ({}), {} to {} ms, 30 s: {} leaders elected after the first second, {} of {} writes unknown",
            if one_way { "one way" } else { "both ways" },
            latency_ms.0,
            latency_ms.1,
            it.elected,
            it.unknown,
            it.writes
        );
        (it.elected, it.unknown)
    });
    for (measured, max) in measured.into_iter().zip(LOST_LINK_MAX) {
        assert!(measured.0 <= max.0 && measured.1 <= max.1, "{measured:?} > {max:?}");
    }
}

/// Promises that a node which is cut off logs and syncs in a minute.
const CUT_OFF_PROMISES: u64 = 0;
/// Of 100 nodes that come back, those that depose a healthy leader.
const CUT_OFF_DEPOSES: usize = 0;

#[test]
fn a_node_that_is_cut_off_and_comes_back() {
    let (mut cluster, leader) = led(4, |_| {});
    let lonely = followers(leader)[0];
    let round = |cluster: &Simulation| cluster.replica(lonely).expect("up").promise().round.0;
    cluster.cut([lonely]);
    let before = round(&cluster);
    cluster.run_for(MINUTE);
    let promises = round(&cluster) - before;
    let deposes = (0..100).filter(|seed| comes_back_and_deposes(*seed)).count();
    println!("cut off: {promises} promises a minute, {deposes} of 100 healthy leaders deposed");
    assert_eq!(promises, CUT_OFF_PROMISES);
    assert_eq!(deposes, CUT_OFF_DEPOSES);
}

fn comes_back_and_deposes(seed: u64) -> bool {
    let (mut cluster, leader) = led(100 + seed, |_| {});
    cluster.cut([followers(leader)[0]]);
    cluster.run_for(SECOND * 5);
    assert!(cluster.leads(leader), "a leader with a quorum leads on");
    let before = cluster.ledger().leaders;
    cluster.heal();
    cluster.run_for(SECOND * 2);
    cluster.ledger().leaders > before
}

/// Bytes sent for each byte that was lacked, in hundredths: one content of 100 kB that takes 10 s to
/// store; 80 of 1 kB that take 500 ms each; a backlog of 1,000 entries with contents. Heartbeats and
/// other messages that carry neither are not counted. Short contents take more frames than bytes: the requests
/// of their receivers are sent and are of no use by themselves.
const HUNDREDTHS_SENT_MAX: [u64; 3] = [110, 120, 160];

#[test]
fn bytes_sent_for_each_useful_byte() {
    let stories = [("100 kB that take 10 s", large()), ("80 kB at 500 ms each", many())];
    let backlog = ("a backlog of 1,000 entries", backlog());
    let measured = [stories[0], stories[1], backlog].map(|(story, ratio)| {
        println!("{story}: {ratio} bytes sent for 100 useful bytes");
        ratio
    });
    for (measured, max) in measured.into_iter().zip(HUNDREDTHS_SENT_MAX) {
        assert!((100..=max).contains(&measured), "{measured} > {max}");
    }
}

fn large() -> u64 {
    let (mut cluster, leader) = led(5, |it| it.store = SECOND * 10..=SECOND * 10);
    let before = *cluster.ledger();
    let write = cluster.put(leader, "large", vec![7; 100_000]);
    assert!(cluster.run_until(MINUTE * 5, |it| it.status(write) == Some(Status::Done)));
    cluster.settle().expect("every node has it");
    hundredths_sent(&cluster, before)
}

fn many() -> u64 {
    let (mut cluster, leader) = led(6, |it| it.store = SECOND / 2..=SECOND / 2);
    let before = *cluster.ledger();
    for at in 0..80_u8 {
        cluster.put(leader, &format!("file-{at}"), vec![at; 1_000]);
    }
    cluster.run_for(MINUTE * 2);
    cluster.settle().expect("every node has them");
    hundredths_sent(&cluster, before)
}

fn backlog() -> u64 {
    let (mut cluster, leader) = led(7, |_| {});
    let behind = followers(leader)[0];
    cluster.crash(behind);
    for at in 0..1_000_u32 {
        cluster.put(leader, &format!("file-{at}"), at.to_le_bytes().repeat(25));
        cluster.run_for(Duration::from_millis(5));
    }
    let before = *cluster.ledger();
    cluster.recover(behind);
    cluster.run_for(MINUTE);
    cluster.settle().expect("the node catches up");
    hundredths_sent(&cluster, before)
}

/// A follower does not take an Append for a sign of its leader.
struct HearsNobody;

impl Decisions for HearsNobody {
    fn is_heard(&self, _: &Append) -> bool {
        false
    }
}

/// A node grants every pre-vote, also while it hears a leader.
struct GrantsEveryPreVote;

impl Decisions for GrantsEveryPreVote {
    fn refuses_pre_votes(&self) -> bool {
        false
    }
}

/// A leader leads on, whomever it hears.
struct NeverResigns;

impl Decisions for NeverResigns {
    fn suffices_to_lead(&self, _: Settings, _: NodeSet) -> bool {
        true
    }
}

const fn wrong(name: &'static str, decisions: &'static dyn Decisions) -> Variant {
    Variant { name, about: name, decisions }
}

static HEARS_NOBODY: Variant = wrong("hears-nobody", &HearsNobody);
static GRANTS_EVERY_PRE_VOTE: Variant = wrong("grants-every-pre-vote", &GrantsEveryPreVote);
static NEVER_RESIGNS: Variant = wrong("never-resigns", &NeverResigns);

/// Leaders elected within ten seconds, without a fault or with a lost link to a follower.
fn elected(variant: Option<&'static Variant>, loses_link: bool) -> u64 {
    let (mut cluster, leader) = led(3, |it| it.variant = variant);
    let other = followers(leader)[0];
    if loses_link {
        cluster.cut_links([(leader, other), (other, leader)]);
    }
    let before = cluster.ledger().leaders;
    cluster.run_for(SECOND * 10);
    cluster.ledger().leaders - before
}

/// Whether a leader without a quorum still leads after ten seconds.
fn leads_on_alone(variant: Option<&'static Variant>) -> bool {
    let (mut cluster, leader) = led(2, |it| it.variant = variant);
    cluster.cut([leader]);
    cluster.run_for(SECOND * 10);
    cluster.leads(leader)
}

#[test]
fn each_rule_of_time_that_is_left_out_shows() {
    assert_eq!([elected(None, false), elected(None, true)], [0, 0]);
    assert!(elected(Some(&HEARS_NOBODY), false) > 10);
    assert!(elected(Some(&GRANTS_EVERY_PRE_VOTE), true) > 10);
    assert!(!leads_on_alone(None));
    assert!(leads_on_alone(Some(&NEVER_RESIGNS)));
}
