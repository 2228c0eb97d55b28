//! The simulator itself: it runs, it repeats itself, it comes to rest.

use std::time::Duration;

use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, OperationKind, Status};
use steadfast_protocol::{
    Change, Content, ContentId, Dot, Halt, NodeId, RequestId, Sequence, Settings,
};
use steadfast_sim::{Ledger, Plan, RunFailure, Schedule, Setup, Simulation};

fn cluster(nodes: u8, elect: u8, write: u8, seed: u64) -> Simulation {
    Simulation::new(Setup::new(Settings::new(nodes, elect, write).expect("legal settings"), seed))
}

fn led(nodes: u8, elect: u8, write: u8, seed: u64) -> (Simulation, NodeId) {
    let mut cluster = cluster(nodes, elect, write, seed);
    cluster.settle().expect("a cluster without faults settles");
    let leader = cluster.leader().expect("a leader");
    (cluster, leader)
}

#[test]
fn a_write_is_acknowledged_and_reaches_every_node() {
    let (mut cluster, leader) = led(3, 2, 2, 7);
    let write = cluster.put(leader, "notes.txt", &[7; 10_000]);
    assert_eq!(cluster.status(write), Some(Status::Pending));
    cluster.run_for(Duration::from_millis(100));
    assert_eq!(cluster.status(write), Some(Status::Done));
    for node in NodeId::all(3) {
        let files = cluster.replica(node).expect("a node that is up").files();
        let (_, heads) = files.iter().next().expect("a file");
        let content = heads[0].change.named().expect("a content beside the log");
        assert_eq!(cluster.read_content(node, content), Some(&[7; 10_000][..]));
    }
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn an_acknowledged_write_survives_the_crash_of_its_leader() {
    for seed in 0..50 {
        let (mut cluster, leader) = led(3, 2, 2, seed);
        let write = cluster.put(leader, "a", b"short");
        cluster.run_until(Duration::from_secs(1), |it| it.status(write) == Some(Status::Done));
        cluster.put(leader, "a", &[1; 1_000]);
        cluster.run_for(Duration::from_micros(500));
        cluster.crash(leader);
        cluster.run_for(Duration::from_secs(1));
        cluster.settle().expect("a healed cluster settles");
        assert!(cluster.broken().is_empty(), "seed {seed}: {:?}", cluster.broken());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let (mut cluster, leader) = led(3, 2, 2, seed);
        cluster.put(leader, "a", &[1; 1_000]);
        cluster.run_for(Duration::from_millis(20));
        cluster.crash(leader);
        cluster.settle().expect("a healed cluster settles");
        serde_json::to_string(&cluster.trace()).expect("JSON")
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

/// Seeds that once found a defect: retries that a later leader acknowledged by counting copies, or
/// that forgot what they named, a message that arrived at the moment of its link-up, and doubled
/// answers that asked for more.
const FOUND_ONCE: [u64; 8] =
    [6_000_430, 6_009_206, 6_017_903, 6_026_389, 6_056_596, 6_059_665, 10_156_096, 12_643];

#[test]
fn random_schedules_keep_every_promise_and_settle() {
    for seed in 0..500 {
        assert_eq!(Schedule::of(seed, None).run().failure, None, "seed {seed}");
    }
    for seed in FOUND_ONCE {
        assert_eq!(as_found(seed, None).run().failure, None, "seed {seed}");
    }
}

/// The schedule of this seed as it was when nodes remembered all requests.
fn as_found(seed: u64, variant: Option<&'static Variant>) -> Schedule {
    let mut schedule = Schedule::of(seed, variant);
    schedule.setup.forgets_requests = false;
    schedule
}

/// In this seed an older write hides a newer one that is acknowledged only afterwards, where no node
/// logs anything at that moment.
#[test]
fn an_acknowledgement_is_judged_on_every_node() {
    let variant = steadfast_guarantees::twins::variant("no-fence");
    let failure = as_found(1_928, variant).run().failure;
    let overruled = RunFailure::Broken(GuaranteeId::DeposedLeadersDoNotOverrule);
    assert_eq!(failure, Some(overruled));
}

#[test]
fn of_a_shrunk_schedule_no_plan_can_be_left_out() {
    let variant = steadfast_guarantees::twins::variant("refused-instead-of-unknown");
    let failing = (0..100).map(|seed| Schedule::of(seed, variant));
    let (schedule, failure) = failing
        .filter_map(|it| it.run().failure.map(|failure| (it, failure)))
        .next()
        .expect("a seed that fails");
    let shrunk = schedule.shrunk(failure);
    assert_eq!(shrunk.run().failure, Some(failure));
    assert!(shrunk.plans.len() < schedule.plans.len(), "{shrunk}");
    for at in 0..shrunk.plans.len() {
        let mut shorter = shrunk.clone();
        shorter.plans.remove(at);
        assert_ne!(shorter.run().failure, Some(failure), "plan {at} of\n{shrunk}");
    }
}

#[test]
fn the_same_seed_takes_the_same_steps_and_others_take_others() {
    let digests = || (0..20).map(|seed| Schedule::of(seed, None).run().digest).collect::<Vec<_>>();
    let first = digests();
    assert_eq!(first, digests());
    assert!((1..first.len()).all(|at| !first[..at].contains(&first[at])), "{first:x?}");
}

/// A cluster of three with E=W=1 whose leader is rolled back to before its last writes.
fn rolled_back(backs_up: bool) -> (Simulation, NodeId) {
    let (mut cluster, leader) = led(3, 1, 1, 11);
    if backs_up {
        cluster.put(leader, "a", b"old");
        cluster.run_for(Duration::from_millis(100));
        cluster.back_up(leader);
    }
    cluster.put(leader, "a", b"lost");
    cluster.put(leader, "b", b"lost too");
    cluster.run_for(Duration::from_millis(100));
    cluster.roll_back(leader);
    (cluster, leader)
}

#[test]
fn a_node_whose_disk_was_restored_from_an_older_copy_or_wiped_stops_and_says_why() {
    for backs_up in [true, false] {
        let (mut cluster, node) = rolled_back(backs_up);
        cluster.run_for(Duration::from_secs(1));
        cluster.recover(node);
        cluster.settle().expect("the others go on");
        let halt = cluster.replica(node).and_then(|it| it.halted());
        assert!(matches!(halt, Some(Halt::RolledBack { .. })), "{halt:?}");
        let leader = cluster.leader().expect("one of the others leads");
        assert_eq!(cluster.shown(leader, "b"), Some(&b"lost too"[..]));
        let write = cluster.put(leader, "b", b"new");
        cluster.run_for(Duration::from_millis(100));
        assert_eq!(cluster.status(write), Some(Status::Done));
        assert_eq!(cluster.taking_part().len(), 2);
        assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
        assert!(cluster.timeline().to_string().contains("HALTS: "));
    }
}

#[test]
fn nodes_that_used_a_number_for_two_writes_do_not_both_go_on() {
    let (mut cluster, node) = rolled_back(true);
    // Alone it cannot know, and leads.
    cluster.cut([node]);
    cluster.recover(node);
    assert!(cluster.run_until(Duration::from_secs(2), |it| it.leads(node)));
    cluster.put(node, "a", b"another");
    cluster.put(node, "b", b"another");
    cluster.run_for(Duration::from_millis(100));
    cluster.settle().expect("whoever takes part comes to rest");
    assert!(cluster.taking_part().len() < 3, "a node has halted");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn a_lost_direction_ends_one_connection_and_leaves_the_others() {
    let (mut cluster, leader) = led(3, 2, 2, 12);
    let others: Vec<NodeId> = NodeId::all(3).filter(|it| *it != leader).collect();
    cluster.cut_links([(leader, others[0])]);
    cluster.run_for(Duration::from_millis(50));
    let session = |one: NodeId, other| cluster.replica(one).expect("up").session(other);
    assert_eq!((session(leader, others[0]), session(others[0], leader)), (None, None));
    assert!(session(leader, others[1]).is_some() && session(others[0], others[1]).is_some());
    assert_eq!((cluster.ledger().link_cuts, cluster.trace().scope.lost_links), (1, 1));
    cluster.settle().expect("a healed cluster settles");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn lost_links_that_split_the_cluster_are_a_split() {
    let (mut cluster, leader) = led(3, 2, 2, 13);
    let others = NodeId::all(3).filter(|it| *it != leader);
    cluster.cut_links(others.flat_map(|it| [(leader, it), (it, leader)]));
    assert_eq!((cluster.ledger().cuts, cluster.ledger().link_cuts), (1, 0));
}

#[test]
fn messages_of_a_slow_link_queue_behind_each_other() {
    let mut setup = Setup::new(Settings::new(3, 2, 3).expect("legal settings"), 14);
    setup.link_bytes_per_s = std::num::NonZeroU64::new(100_000);
    setup.election_timeout = Duration::from_secs(60)..=Duration::from_secs(90);
    setup.heartbeat = Duration::from_secs(20);
    let mut cluster = Simulation::new(setup);
    cluster.settle().expect("a cluster without faults settles");
    let leader = cluster.leader().expect("a leader");
    let begin = cluster.now();
    let writes = [1, 2].map(|it| cluster.put(leader, &format!("{it}"), vec![it; 100_000]));
    let waited = writes.map(|write| {
        assert!(
            cluster.run_until(Duration::from_secs(10), |it| it.status(write) == Some(Status::Done))
        );
        cluster.now().since(begin)
    });
    let second = Duration::from_secs(1);
    assert!((second..second * 3 / 2).contains(&waited[0]), "{waited:?}");
    assert!(waited[1] >= second * 2, "{waited:?}");
}

#[test]
fn a_node_whose_disk_is_full_crashes_until_there_is_room() {
    let (mut cluster, leader) = led(3, 2, 2, 15);
    cluster.fill_disk(leader);
    let write = cluster.put(leader, "a", b"does not fit");
    let down = |cluster: &Simulation| cluster.replica(leader).is_none();
    assert!(cluster.run_until(Duration::from_secs(1), down), "its sync fails");
    assert_eq!(cluster.status(write), Some(Status::Unknown));
    cluster.recover(leader);
    let other = NodeId::all(3).find(|it| *it != leader).expect("another node");
    assert!(cluster.run_until(Duration::from_secs(2), |it| it.leads(other) || down(it)));
    cluster.free_disk(leader);
    cluster.settle().expect("a cluster with room settles");
    assert_eq!(cluster.up().len(), 3);
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn a_call_or_a_plan_for_a_node_outside_the_cluster_changes_nothing() {
    let run = |asks: &dyn Fn(&mut Simulation)| {
        let (mut cluster, leader) = led(3, 2, 2, 18);
        asks(&mut cluster);
        let write = cluster.put(leader, "a", b"kept");
        cluster.run_for(Duration::from_secs(1));
        assert_eq!(cluster.status(write), Some(Status::Done));
        (cluster.digest(), Ledger { turned_away: 0, ..*cluster.ledger() })
    };
    let expected = run(&|_| {});
    for node in [NodeId(3), NodeId(8), NodeId(255)] {
        assert_eq!(expected, run(&|it| ask_everything_of(node, it)), "{node}");
    }
}

/// Every call and every plan that names a node.
fn ask_everything_of(node: NodeId, cluster: &mut Simulation) {
    let content = ContentId([7; 32]);
    let second = Duration::from_secs(1);
    let dot = Dot { origin: NodeId(0), sequence: Sequence(1) };
    let request = cluster.put(node, "a", b"short");
    let requests = [
        request,
        cluster.put(node, "a", vec![1; 5_000]),
        cluster.resolve(node, "a", b"short"),
        cluster.delete(node, "a"),
        cluster.restore(node, "a", dot),
        cluster.read(node, "a"),
        cluster.read_stale(node, "a"),
    ];
    cluster.retry(node, request);
    assert!(requests.iter().all(|it| cluster.status(*it) == Some(Status::Refused)));
    assert_eq!(cluster.ledger().turned_away, 7);
    cluster.crash(node);
    cluster.crash_losing_tail(node);
    assert!(!cluster.crash_tearing(node));
    cluster.recover(node);
    cluster.hang_disk(node, second);
    cluster.fill_disk(node);
    cluster.free_disk(node);
    cluster.back_up(node);
    cluster.roll_back(node);
    cluster.replace(node);
    cluster.rot(node, content);
    cluster.lose_content(node, content);
    cluster.cut([node]);
    cluster.cut_one_way([node]);
    cluster.cut_links([(node, NodeId(0)), (NodeId(0), node)]);
    let plans = [
        Plan::StaleRead { node, path: 0 },
        Plan::Crash { node },
        Plan::CrashInSync { node },
        Plan::BackUp { node },
        Plan::RollBack { node },
        Plan::Recover { node },
        Plan::HangDisk { node, lasts: second },
        Plan::FillDisk { node },
        Plan::FreeDisk { node },
        Plan::Timeout { node },
        Plan::LoseContent { node },
        Plan::Replace { node },
        Plan::Rot { node },
    ];
    plans.into_iter().for_each(|it| cluster.plan(Duration::ZERO, it));
    assert!(cluster.replica(node).is_none() && !cluster.leads(node));
    assert!(cluster.shown(node, "a").is_none() && cluster.read_content(node, content).is_none());
    assert_eq!(
        (cluster.unsynced(node), cluster.starts(node), cluster.versions(node, "a")),
        (0, 0, 0)
    );
}

#[test]
fn a_node_whose_disk_is_lost_gets_its_log_and_its_contents_from_the_others() {
    let (mut cluster, leader) = led(3, 2, 2, 23);
    let large: Vec<u8> = (0..50_000_u32).map(|it| it.to_le_bytes()[0]).collect();
    let writes = [cluster.put(leader, "a", b"small"), cluster.put(leader, "b", &large[..])];
    cluster.run_for(Duration::from_millis(500));
    assert_eq!(writes.map(|it| cluster.status(it)), [Some(Status::Done); 2]);
    cluster.replace(leader);
    assert_eq!(cluster.ledger().replacements, 1);
    assert_eq!(cluster.taking_part().len(), 0, "all nodes are down");
    NodeId::all(3).for_each(|it| cluster.recover(it));
    assert_eq!(cluster.shown(leader, "a"), Some(&b"small"[..]), "its log knows all entries");
    cluster.settle().expect("a whole cluster settles");
    let files = cluster.replica(leader).expect("it is up").files();
    let named = files.iter().flat_map(|(_, heads)| heads).find_map(|it| it.change.named());
    let content = named.expect("a content beside the log");
    let read = cluster.read_content(leader, content);
    assert_eq!(read, Some(&large[..]), "its peers send the contents");
    let write = cluster.put(cluster.leader().expect("a leader"), "a", b"new");
    cluster.run_for(Duration::from_millis(500));
    assert_eq!(cluster.status(write), Some(Status::Done));
    assert_eq!(cluster.taking_part().len(), 3);
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
    assert!(cluster.timeline().to_string().contains("its DISK IS LOST"));
    assert_eq!(cluster.trace().scope.bounds.replacements, 1);
}

#[test]
fn no_disk_gets_lost_that_may_have_acknowledged_a_write_alone() {
    let (mut cluster, leader) = led(3, 2, 1, 24);
    cluster.replace(leader);
    assert_eq!(cluster.ledger().replacements, 0);
}

#[test]
fn a_request_at_a_node_that_is_down_is_refused_and_no_node_hears_it() {
    let (mut cluster, leader) = led(3, 2, 2, 19);
    cluster.crash(leader);
    let refused = [cluster.put(leader, "a", b"unheard"), cluster.read_stale(leader, "a")];
    assert_eq!(refused.map(|it| cluster.status(it)), [Some(Status::Refused); 2]);
    assert_eq!((cluster.ledger().turned_away, cluster.history().operations().len()), (2, 0));
    let text = cluster.timeline().to_string();
    assert!(text.contains("is down: the client of put a is refused"), "{text}");

    // The ids of the requests that nodes hear are the same as without the refused ones.
    cluster.settle().expect("a healed cluster settles");
    let leader = cluster.leader().expect("a leader");
    let write = cluster.put(leader, "b", b"heard");
    assert_eq!((write.number, refused.contains(&write)), (0, false));
    cluster.retry(leader, refused[0]);
    cluster.run_for(Duration::from_millis(100));
    assert_eq!((cluster.status(write), cluster.shown(leader, "a")), (Some(Status::Done), None));
    assert_eq!(cluster.trace().scope.bounds.retries, 0, "no node hears the retry either");
    let unasked = RequestId { number: 2, ..refused[0] };
    assert_eq!(cluster.status(unasked), None, "nobody has made it");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn a_simulation_goes_on_in_another_thread_and_shows_where_it_is() {
    let (mut cluster, leader) = led(3, 2, 2, 20);
    cluster.observe(Box::new(|_, _| {}));
    let mut moved = std::thread::spawn(move || {
        cluster.put(leader, "a", b"short");
        cluster
    })
    .join()
    .expect("no panic");
    moved.settle().expect("a cluster without faults settles");
    assert_eq!(moved.shown(leader, "a"), Some(&b"short"[..]));
    let shown = format!("{moved:?}");
    for part in
        ["Simulation { name: \"simulation\", seed: 20, ", "leader: Some(", "broken: [], .. }"]
    {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn a_stale_read_returns_the_version_that_the_asked_node_shows() {
    let (mut cluster, leader) = led(3, 2, 2, 16);
    cluster.put(leader, "a", b"old");
    cluster.run_for(Duration::from_millis(100));
    let behind = NodeId::all(3).find(|it| *it != leader).expect("another node");
    cluster.cut([behind]);
    let write = cluster.put(leader, "a", b"new");
    let unsynced = cluster.read_stale(leader, "a");
    cluster.run_for(Duration::from_millis(100));
    assert_eq!(cluster.status(write), Some(Status::Done));

    let reads = [unsynced, cluster.read_stale(leader, "a"), cluster.read_stale(behind, "a")];
    let value = |read: RequestId| match &cluster.history().operation(read).expect("a read").kind {
        OperationKind::StaleRead { version: Some(it) } => it.change.clone(),
        other => panic!("{other:?}"),
    };
    let expected = ["old", "new", "old"];
    let expected = expected.map(|it| Change::Put(Content::Inline(it.as_bytes().into())));
    assert_eq!(reads.map(value), expected, "an unsynced version is not shown");
    assert_eq!((cluster.ledger().stale_reads, cluster.trace().scope.bounds.stale_reads), (3, 3));

    let read = cluster.read(behind, "a");
    assert_eq!(cluster.status(read), Some(Status::Refused), "it does not lead");
    cluster.settle().expect("a healed cluster settles");
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn a_timeline_is_the_same_whether_it_is_read_at_every_event_or_once() {
    let run = |reads_often: bool| {
        let (mut cluster, leader) = led(3, 2, 2, 17);
        for nth in 0..300_u32 {
            cluster.put(leader, &format!("file-{}", nth % 3), &nth.to_le_bytes());
            cluster.run_for(Duration::from_millis(1));
            if reads_often {
                cluster.timeline();
            }
        }
        cluster.crash(leader);
        cluster.settle().expect("a healed cluster settles");
        cluster.timeline().to_string()
    };
    let often = run(true);
    assert!(often.lines().count() > 1_000, "more lines than moments wait at most");
    assert_eq!(often, run(false));
}

#[test]
fn trims_bound_the_contents_on_disk_by_what_is_shown_and_written_since() {
    let (files, writes) = (4_u8, 25_u8);
    let (mut cluster, leader) = led(3, 2, 2, 11);
    let away = NodeId::all(3).find(|it| *it != leader).expect("a follower");
    let mut most = 0;
    for round in 0..12 {
        // One node is away for some rounds, and then gets state.
        match round {
            4 => cluster.cut([away]),
            8 => cluster.heal(),
            _ => {}
        }
        for number in 0..writes {
            let path = format!("file-{}", number % files);
            cluster.put(leader, &path, [[round; 500], [number; 500]].concat());
            cluster.run_for(Duration::from_millis(5));
        }
        NodeId::all(3).for_each(|it| most = most.max(cluster.contents(it)));
        NodeId::all(3).for_each(|it| cluster.trim(it));
        cluster.run_for(Duration::from_millis(100));
    }
    // Those shown at the last trim, those that came as state since, and one for each write since.
    let bound = 2 * usize::from(files) + usize::from(writes);
    assert!(
        most > usize::from(files) && most <= bound,
        "{most} contents, at most {bound} expected"
    );
    cluster.settle().expect("a healed cluster settles");
    NodeId::all(3).for_each(|it| cluster.trim(it));
    cluster.settle().expect("all checkpoints are written");
    for node in NodeId::all(3) {
        assert_eq!(cluster.contents(node), usize::from(files), "{node}");
    }
    assert!(cluster.ledger().discards > 3 * 8 * u64::from(writes), "{}", cluster.ledger());
    assert!(cluster.broken().is_empty(), "{:?}", cluster.broken());
}

#[test]
fn a_report_says_that_nodes_agree_where_one_has_forgotten_a_delete() {
    let settings = Settings::new(3, 2, 2).expect("legal settings");
    let mut cluster = Simulation::new(Setup { forgets_deletes: true, ..Setup::new(settings, 7) });
    cluster.settle().expect("a cluster without faults settles");
    let leader = cluster.leader().expect("a leader");
    cluster.put(leader, "a", b"short");
    cluster.run_for(Duration::from_millis(100));
    cluster.delete(leader, "a");
    cluster.run_for(Duration::from_millis(500));
    cluster.trim(leader);
    cluster.run_for(Duration::from_millis(500));
    let report = cluster.report();
    let shown = &report.files[0].shown;
    assert_eq!(shown.iter().filter(|it| *it == "-").count(), 1, "{report}");
    assert_eq!(report.files[0].divergence, <[String; 0]>::default());
    assert!(report.is_consistent(), "{report}");

    // A file that one node lacks is a difference.
    let follower = NodeId::all(3).find(|it| *it != leader).expect("a follower");
    cluster.crash(follower);
    cluster.put(leader, "b", b"short");
    cluster.run_for(Duration::from_millis(500));
    assert!(!cluster.report().is_consistent());
}
