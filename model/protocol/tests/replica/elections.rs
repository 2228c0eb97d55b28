//! The rules of time: when a node asks to lead, when a peer refuses, and when a leader steps down.

use crate::cluster::Cluster;
use steadfast_protocol::{
    Consistency, Halt, Input, Message, NodeId, Outcome, Parameters, Refusal, Role, Tag,
};

#[test]
fn a_node_that_was_cut_off_raises_no_round_and_deposes_nobody() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let promised = cluster.replica(2).promise();
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    (0..10).for_each(|_| cluster.elect(2));
    assert!(matches!(cluster.replica(2).role(), Role::PreCandidate(_)));
    assert_eq!(cluster.replica(2).promise(), promised, "nothing is logged");
    cluster.tick(0);
    cluster.link(0, 2);
    cluster.link(1, 2);
    assert!(cluster.replica(0).leads());
    assert!(matches!(cluster.replica(2).role(), Role::Follower(_)));
}

#[test]
fn a_node_that_reaches_only_a_follower_does_not_depose_the_leader_that_the_follower_hears() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    for _ in 0..10 {
        cluster.tick(0);
        cluster.elect(2);
    }
    assert!(cluster.replica(0).leads() && !cluster.replica(2).leads());
    assert_eq!(cluster.replica(0).promise(), cluster.replica(1).promise());
}

#[test]
fn a_follower_that_heard_nothing_between_two_requests_grants_the_second() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(!cluster.replica(2).leads(), "the follower hears its leader");
    cluster.elect(2);
    assert!(cluster.replica(2).leads(), "the follower did not hear the leader in between");
}

#[test]
fn a_follower_whose_leader_is_gone_grants_at_once() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(cluster.replica(2).leads());
}

#[test]
fn a_node_that_could_not_acknowledge_a_write_does_not_lead() {
    let mut cluster = Cluster::new(3, 1, 3);
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    cluster.elect(0);
    assert!(!cluster.replica(0).leads(), "two nodes elect, and acknowledge nothing");
    cluster.link(0, 2);
    assert!(cluster.replica(0).leads(), "the third grants, too");
}

#[test]
fn without_guards_a_timer_that_runs_out_makes_a_candidate() {
    let parameters = Parameters { guards_elections: false, ..Parameters::default() };
    let mut cluster = Cluster::with(3, 2, 2, parameters);
    cluster.elect(0);
    cluster.elect(2);
    assert!(cluster.replica(2).leads() && !cluster.replica(0).leads());
}

#[test]
fn a_leader_that_hears_no_quorum_steps_down_and_answers_its_clients() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    assert_eq!(cluster.put(0, 1, "a"), None);
    assert_eq!(cluster.read(0, 2, Consistency::Linearizable), None);
    // The leader heard its voters, but a peer no longer counts once its session has ended.
    cluster.elect(0);
    assert!(!cluster.replica(0).leads());
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
    let refused = Outcome::Refused(Refusal::NotLeader { leader: None });
    assert_eq!(cluster.answer(2), Some(refused));
}

#[test]
fn a_leader_that_hears_a_quorum_keeps_leading() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    for _ in 0..5 {
        cluster.tick(0);
        cluster.elect(0);
        assert!(cluster.replica(0).leads());
    }
    cluster.elect(0);
    assert!(!cluster.replica(0).leads(), "no Ack came since the timer ran out last");
}

#[test]
fn a_leader_whose_disk_hangs_steps_down_and_does_not_ask_to_lead_again() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.syncs = false;
    assert_eq!(cluster.put(0, 1, "a"), None);
    cluster.tick(0);
    cluster.elect(0);
    assert!(cluster.replica(0).leads(), "the record was appended since the timer ran out last");
    cluster.tick(0);
    cluster.elect(0);
    assert!(!cluster.replica(0).leads());
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
    let records = cluster.replica(0).log().length();
    cluster.elect(0);
    assert!(matches!(cluster.replica(0).role(), Role::Follower(_)));
    assert_eq!(cluster.replica(0).log().length(), records, "no promise is logged behind it");
}

#[test]
fn a_node_whose_log_failed_takes_no_further_part() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.syncs = false;
    cluster.put(0, 1, "a");
    cluster.queue_input(NodeId(0), Input::LogFailed);
    cluster.run();
    assert_eq!(cluster.replica(0).halted(), Some(&Halt::LogFailed));
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
    let refused = Outcome::Refused(Refusal::Halted { halt: Halt::LogFailed });
    assert_eq!(cluster.put(0, 2, "a"), Some(refused));
}

#[test]
fn the_election_timer_restarts_when_a_leader_is_heard_and_when_the_role_changes() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let voted = cluster.timer_resets.clone();
    assert!(voted.iter().all(|it| *it >= 1), "leader, voters: {voted:?}");
    cluster.tick(0);
    let heard = cluster.timer_resets.clone();
    assert_eq!(heard, [voted[0], voted[1] + 1, voted[2] + 1]);
    // A refused request restarts no timer.
    cluster.elect(2);
    assert_eq!(cluster.timer_resets[1..], heard[1..]);
}

#[test]
fn a_follower_that_waits_for_a_content_hears_its_leader() {
    use steadfast_protocol::{
        Append, Change, Content, ContentId, Counter, Dot, EntryBody, Epoch, Path, RequestId, Round,
        Sealed, Sequence, Stamp, VersionVector,
    };
    let mut cluster = Cluster::new(3, 2, 2);
    let origin = NodeId(0);
    let entry = Sealed::new(EntryBody {
        dot: Dot { origin, sequence: Sequence(1) },
        stamp: Stamp { fence: None, counter: Counter(1), origin },
        context: VersionVector::default(),
        replaces: Vec::new(),
        path: Path::new("a"),
        change: Change::Put(Content::Named(ContentId([7; 32]))),
        request: RequestId { client: 1, number: 1 },
    });
    let mut vv = VersionVector::default();
    vv.insert(entry.dot);
    let epoch = Epoch { round: Round(1), node: origin };
    let digest = steadfast_protocol::Digest::default().then(&entry);
    let (tag, entries, payloads) = (Tag(0), vec![entry], Vec::new());
    let message =
        Sealed::new(Message::Append(Append { epoch, tag, entries, vv, digest, payloads }));
    let session = cluster.replica(1).session(origin).expect("linked");
    let packet = steadfast_protocol::Packet { session, message };
    cluster.queue_input(NodeId(1), Input::Receive { from: origin, packet });
    cluster.run();
    assert_eq!(cluster.replica(1).waiting().len(), 1);
    assert_eq!(cluster.timer_resets[1], 1);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(!cluster.replica(2).leads(), "the waiting follower refuses");
}
