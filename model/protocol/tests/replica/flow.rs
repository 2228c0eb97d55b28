//! Bounds on replication: how much one message carries, how much is under way, and that nothing is
//! sent twice within a session.

use std::num::NonZeroU32;

use crate::cluster::Cluster;
use steadfast_protocol::{Dot, Input, Limits, Message, NodeId, Outcome, Parameters, SessionId};

const LEADER: NodeId = NodeId(0);

fn narrow(entries: u32, window: u32) -> Parameters {
    let limit = |count| NonZeroU32::new(count).expect("a limit above zero");
    let limits = Limits { entries: limit(entries), window: limit(window), ..Limits::default() };
    Parameters { limits, ..Parameters::default() }
}

/// A cluster of two nodes. Node 0 leads, and has made `writes` entries while node 1 was cut off.
fn with_backlog(parameters: Parameters, writes: u64) -> Cluster {
    let mut cluster = Cluster::with(2, 1, 1, parameters);
    cluster.elect(0);
    cluster.cut(0, 1);
    for number in 1..=writes {
        assert!(matches!(cluster.put(0, number, "a"), Some(Outcome::Acknowledged { .. })));
    }
    cluster.sent.clear();
    cluster
}

fn appends(cluster: &Cluster) -> Vec<Vec<Dot>> {
    let appends = cluster.sent.iter().filter_map(|(_, _, message)| match message {
        Message::Append(it) => Some(it.entries.iter().map(|entry| entry.dot).collect()),
        _ => None,
    });
    appends.collect()
}

#[test]
fn a_backlog_travels_in_messages_of_bounded_size_and_each_entry_once() {
    for (entries, window) in [(1, 1), (2, 3), (3, 2), (5, 100)] {
        let mut cluster = with_backlog(narrow(entries, window), 20);
        cluster.link(0, 1);
        let appends = appends(&cluster);
        assert!(appends.iter().all(|it| it.len() <= entries as usize), "{appends:?}");
        let mut sent: Vec<Dot> = appends.concat();
        assert_eq!(sent.len(), 20, "each once");
        sent.dedup();
        assert_eq!(sent.len(), 20);
        assert_eq!(cluster.replica(0).files(), cluster.replica(1).files());
    }
}

#[test]
fn no_more_entries_are_under_way_than_the_window_allows() {
    let mut cluster = with_backlog(narrow(2, 4), 40);
    // The follower's disk hangs: it acknowledges nothing that is new.
    cluster.link(0, 1);
    let mut cluster = {
        cluster.cut(0, 1);
        for number in 41..=80 {
            cluster.put(0, number, "a");
        }
        cluster.sent.clear();
        cluster
    };
    cluster.syncs = false;
    cluster.link(0, 1);
    (0..5).for_each(|_| cluster.tick(0));
    let sent = appends(&cluster).concat().len();
    assert!((1..=5).contains(&sent), "a window of 4, and at most one message beyond it: {sent}");
}

#[test]
fn heartbeats_on_a_network_that_keeps_order_send_nothing_again() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.syncs = false;
    cluster.put(0, 1, "a");
    let length = cluster.replica(0).log().length();
    cluster.tell(LEADER, Input::Synced(length));
    cluster.run();
    (0..10).for_each(|_| cluster.tick(0));
    let appends = appends(&cluster);
    assert_eq!(
        appends.concat().len(),
        1,
        "the follower has not synced it, and has it: {appends:?}"
    );
    assert!(appends.len() >= 10, "heartbeats go on");
}

#[test]
fn heartbeats_where_messages_can_be_lost_send_again_what_is_not_acknowledged() {
    let parameters = Parameters { retransmits: true, ..Parameters::default() };
    let mut cluster = Cluster::with(2, 1, 1, parameters);
    cluster.elect(0);
    cluster.syncs = false;
    cluster.put(0, 1, "a");
    let length = cluster.replica(0).log().length();
    cluster.tell(LEADER, Input::Synced(length));
    cluster.run();
    (0..3).for_each(|_| cluster.tick(0));
    assert_eq!(appends(&cluster).concat().len(), 4);
}

#[test]
fn what_a_follower_has_and_the_leader_lacks_comes_in_bounded_messages_and_once() {
    for (entries, window) in [(1, 1), (2, 3), (4, 2)] {
        let mut cluster = Cluster::with(2, 1, 1, narrow(entries, window));
        cluster.elect(1);
        cluster.cut(0, 1);
        (1..=15).for_each(|number| drop(cluster.put(1, number, "a")));
        // The other side of the split leads a later round, and so learns all this with Acks.
        cluster.elect(0);
        cluster.elect(0);
        assert!(cluster.replica(0).promise() > cluster.replica(1).promise());
        cluster.sent.clear();
        cluster.link(0, 1);
        let offers = cluster.sent.iter().filter(|(from, ..)| *from == NodeId(1));
        let offers: Vec<usize> = offers.map(|(.., it)| it.entries().len()).collect();
        assert!(offers.iter().all(|it| *it <= entries as usize), "{offers:?}");
        let own = cluster.replica(1).log().entries().filter(|it| it.dot.origin == NodeId(1));
        assert_eq!(own.count(), 15);
        assert_eq!(cluster.replica(0).files(), cluster.replica(1).files(), "{entries} {window}");
    }
}

#[test]
fn a_candidate_leads_only_when_it_has_all_that_its_voters_have() {
    let mut cluster = Cluster::with(3, 2, 2, narrow(1, 1));
    cluster.elect(0);
    cluster.cut(0, 2);
    (1..=5).for_each(|number| drop(cluster.put(0, number, "a")));
    cluster.cut(0, 1);
    cluster.elect(2);
    cluster.elect(2);
    assert!(cluster.replica(2).leads());
    assert_eq!(cluster.replica(2).log().entries().count(), 5);
    assert_eq!(cluster.replica(2).files(), cluster.replica(1).files());
}

#[test]
fn a_first_word_in_a_session_tells_what_a_peer_holds() {
    let mut cluster = with_backlog(narrow(1, 1), 3);
    let peer = NodeId(1);
    // The peer ends its session, and the leader has not heard of it yet.
    cluster.tell(LEADER, Input::LinkUp { peer, session: SessionId(7) });
    cluster.tell(peer, Input::LinkUp { peer: LEADER, session: SessionId(7) });
    cluster.run();
    assert_eq!(cluster.replica(1).log().entries().count(), 3);
}
