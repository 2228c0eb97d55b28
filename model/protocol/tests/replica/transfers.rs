//! States whose parts are lost, arrive twice, or begin again.

use steadfast_protocol::{
    Fold, Input, Message, NodeId, NodeSet, Packet, Parameters, Path, Place, Role, Sealed, Steadfast,
};

use crate::cluster::Cluster;
use crate::trims::{dot, lossy, part, states, with_files_missed};

#[test]
fn a_follower_sends_a_part_again_that_the_last_session_lost() {
    let mut cluster = with_files_missed(3, 1);
    (0..2).for_each(|_| cluster.elect(1));
    cluster.syncs = false;
    cluster.link(0, 1);
    cluster.loses_to.insert(NodeId(1));
    cluster.sent.clear();
    cluster.follow_storage_of(0);
    assert_eq!(states(&cluster).len(), 1);
    cluster.loses_to = NodeSet::default();
    cluster.syncs = true;
    cluster.cut(0, 1);
    cluster.link(0, 1);
    assert!(cluster.replica(1).leads());
    assert_eq!(cluster.replica(1).files(), cluster.replica(0).files());
}

/// A node keeps the parts of a bounded number of states, and drops the oldest when more begin.
#[test]
fn a_follower_begins_a_state_again_if_the_leader_has_dropped_its_parts_before_the_next_session() {
    for is_dropped in [false, true] {
        let mut cluster = with_files_missed(3, 1);
        (0..2).for_each(|_| cluster.elect(1));
        cluster.syncs = false;
        cluster.link(0, 1);
        cluster.follow_storage_of(0);
        cluster.loses_to.insert(NodeId(1));
        cluster.follow_storage_of(1);
        let sent: Vec<_> = states(&cluster).into_iter().map(|it| it.after).collect();
        let [.., first, second] = &sent[..] else { panic!("the leader confirmed one part") };
        cluster.cut(0, 1);
        cluster.sent.clear();
        cluster.loses_to.insert(NodeId(0));
        cluster.link(0, 1);
        let mut appends = cluster.sent.iter().filter_map(|(_, _, it)| match it {
            Message::Append(append) => Some(append.clone()),
            _ => None,
        });
        let mut append = appends.next_back().expect("the leader greets the follower");
        assert_eq!(append.staged.len(), 1);
        append.staged.retain(|_| !is_dropped);
        let session = cluster.replica(0).session(NodeId(1)).expect("they are linked");
        let packet = Packet { session, message: Sealed::new(Message::Append(append)) };
        cluster.queue_input(NodeId(0), Input::Receive { from: NodeId(1), packet });
        cluster.run();
        cluster.follow_storage_of(0);
        let again: Vec<_> = states(&cluster).into_iter().map(|it| it.after).collect();
        assert_eq!(again, [if is_dropped { first } else { second }.clone()]);
    }
}

/// Node 1 asks node 0 for its vote, and has got two parts of a state with it. Nothing more is synced.
fn voting(parameters: Parameters) -> Cluster {
    let mut cluster = Cluster::with(2, 2, 1, parameters);
    cluster.elect(0);
    cluster.cut(0, 1);
    for (number, path) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
        cluster.put(0, number, path);
    }
    cluster.trim(0);
    cluster.restart(0);
    cluster.link(0, 1);
    cluster.syncs = false;
    cluster.elect(1);
    [1, 0, 1].into_iter().for_each(|node| cluster.follow_storage_of(node));
    cluster
}

/// A node that asks for pre-votes does not remember what it has sent to a candidate for which it voted before.
#[test]
fn a_voter_goes_on_with_a_state_while_it_asks_for_pre_votes() {
    for parameters in [lossy(1), Parameters { retransmits: false, ..lossy(1) }] {
        let mut cluster = voting(parameters);
        cluster.loses_to.insert(NodeId(1));
        cluster.elect(0);
        cluster.loses_to = NodeSet::default();
        cluster.syncs = true;
        let roles = [0, 1].map(|it| cluster.replica(it).role().clone());
        assert!(matches!(roles, [Role::PreCandidate(_), Role::Candidate(_)]), "{roles:?}");
        (0..20).for_each(|_| cluster.tick(1));
        assert!(cluster.replica(1).leads());
        assert_eq!(cluster.replica(1).fold().files(), cluster.replica(0).fold().files());
    }
}

/// It does not remember what it sent before it promised another epoch, either.
#[test]
fn a_voter_goes_on_with_a_state_when_a_candidate_asks_for_a_later_epoch() {
    let mut cluster = voting(Parameters { retransmits: false, ..lossy(1) });
    let epoch = cluster.replica(1).promise();
    cluster.cut(0, 1);
    cluster.restart(1);
    cluster.link(0, 1);
    cluster.sent.clear();
    cluster.syncs = true;
    cluster.elect(1);
    assert!(cluster.replica(1).leads() && cluster.replica(1).promise() > epoch);
    let places: Vec<_> = states(&cluster).into_iter().map(|it| it.after).collect();
    assert!(!places.is_empty() && !places.contains(&Place::Start), "{places:?}");
}

#[test]
fn a_heartbeat_sends_a_lost_part_again_where_messages_can_be_lost() {
    let mut cluster = Cluster::with(2, 1, 1, lossy(4));
    cluster.elect(0);
    cluster.cut(0, 1);
    (1..=4).for_each(|number| drop(cluster.put(0, number, "a")));
    cluster.trim(0);
    cluster.syncs = false;
    cluster.link(0, 1);
    cluster.loses_to.insert(NodeId(1));
    cluster.sent.clear();
    cluster.follow_storage_of(1);
    assert_eq!(states(&cluster).len(), 1, "the second gets lost");
    cluster.loses_to = NodeSet::default();
    cluster.syncs = true;
    (0..6).for_each(|_| cluster.tick(0));
    assert_eq!(cluster.replica(1).fold(), cluster.replica(0).fold());
}

#[test]
fn a_state_that_arrives_again_is_logged_once() {
    let mut cluster = with_files_missed(1, 9);
    cluster.link(0, 1);
    let last = cluster.sent.iter().rfind(|it| it.2.state().is_some());
    let (from, to, message) = last.expect("a state").clone();
    let length = cluster.replica(1).log().length();
    let session = cluster.replica(1).session(from).expect("a session");
    let packet = Packet { session, message: Sealed::new(message) };
    cluster.sent.clear();
    cluster.queue_input(to, Input::Receive { from, packet });
    cluster.run();
    assert_eq!(cluster.replica(1).log().length(), length);
    assert!(matches!(cluster.sent[..], [(.., Message::Ack(_))]), "{:?}", cluster.sent);
}

#[test]
fn a_state_that_begins_again_takes_the_place_of_its_earlier_parts() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let head = cluster.heads(0, "a");
    let [a, b] = ["a", "b"].map(|path| Place::Path(Path::new(path)));
    let part = |heads: &[_], after: &Place, until| part(dot(0, 1), heads, after, until);
    let mut fold = Fold::default();
    let stray = part(&head, &b, None);
    let first = || part(&head, &Place::Start, Some(&a));
    for record in [stray, first(), first()] {
        fold.apply(&record, &Steadfast);
        assert!(fold.files().is_empty(), "no part counts before all have come in order");
    }
    fold.apply(&part(&[], &a, None), &Steadfast);
    assert_eq!((fold.files().heads(&Path::new("a")), fold.stagings()), (&head[..], vec![]));
}
