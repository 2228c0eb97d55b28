//! Votes that bring entries.

use steadfast_protocol::{Input, NodeId, Parameters, SessionId};

use crate::cluster::Cluster;
use crate::flow::narrow;

/// Node 2 leads, and node 0 is cut off. A message has one entry, and one is under way.
fn without_node_0(elect: u8) -> Cluster {
    let parameters = Parameters { guards_elections: false, ..narrow(1, 1) };
    let mut cluster = Cluster::with(3, elect, 1, parameters);
    cluster.elect(2);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    cluster
}

#[test]
fn a_candidate_asks_for_the_rest_of_a_vote_whose_entries_came_with_another_vote() {
    let mut cluster = without_node_0(3);
    cluster.put(2, 1, "a");
    cluster.cut(1, 2);
    (2..=3).for_each(|number| drop(cluster.put(2, number, "a")));
    // Both voters send their first entry, which is the same.
    cluster.elect(0);
    let (candidate, session) = (NodeId(0), SessionId(9));
    for peer in [NodeId(1), NodeId(2)] {
        cluster.queue_input(candidate, Input::LinkUp { peer, session });
        cluster.queue_input(peer, Input::LinkUp { peer: candidate, session });
    }
    cluster.run();
    assert!(cluster.replica(0).leads());
    assert_eq!(cluster.replica(0).log().entries().count(), 3);
}

#[test]
fn a_candidate_asks_for_the_rest_of_a_state_whose_first_part_came_with_another_vote() {
    let mut cluster = without_node_0(2);
    for (number, path) in (1..).zip(["a", "b", "c"]) {
        cluster.put(2, number, path);
    }
    [1, 2].into_iter().for_each(|it| cluster.trim(it));
    cluster.cut(1, 2);
    cluster.elect(0);
    cluster.syncs = false;
    for voter in [1, 2] {
        cluster.link(0, voter);
        cluster.follow_storage_of(voter);
    }
    // The second voter sent the same part, and the first one sends no other.
    cluster.cut(0, 1);
    cluster.syncs = true;
    cluster.follow_storage_of(0);
    assert!(cluster.replica(0).leads());
    assert_eq!(cluster.replica(0).files(), cluster.replica(2).files());
}

#[test]
fn a_candidate_asks_for_the_rest_of_a_vote_when_a_new_session_begins() {
    let mut cluster = without_node_0(2);
    cluster.cut(1, 2);
    (1..=2).for_each(|number| drop(cluster.put(2, number, "a")));
    cluster.elect(0);
    cluster.syncs = false;
    cluster.link(0, 2);
    // The vote arrives with the first of two entries, and the session ends before the candidate can ask for the other.
    cluster.follow_storage_of(2);
    cluster.cut(0, 2);
    cluster.syncs = true;
    cluster.follow_storage_of(0);
    assert_eq!(cluster.replica(0).log().entries().count(), 1);
    assert!(!cluster.replica(0).leads());
    cluster.link(0, 2);
    assert!(cluster.replica(0).leads());
    assert_eq!(cluster.replica(0).log().entries().count(), 2);
}
