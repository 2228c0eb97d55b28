//! Bounds on replication: the size of a message, the number of entries under way, and that a session
//! carries nothing twice.

use std::num::NonZeroU32;

use crate::cluster::{Cluster, recover};
use steadfast_node::Output;
use steadfast_protocol::{
    Ack, Append, Change, Counter, Digest, Dot, Entry, EntryBody, Epoch, Identity, Incarnation,
    Input, Limits, Log, Message, NodeId, Outcome, Packet, Parameters, Path, Record, Replica,
    RequestId, Sealed, Sequence, SessionId, Settings, Stamp, Steadfast, Tag, VersionVector, Vote,
};

const LEADER: NodeId = NodeId(0);

pub(crate) fn narrow(entries: u32, window: u32) -> Parameters {
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
fn a_message_has_no_more_bytes_of_paths_and_contents_than_the_limit() {
    // The path has one byte and each content two.
    for (bytes, in_a_message) in [(1, 1), (5, 1), (6, 2), (8, 2), (9, 3)] {
        let bytes = NonZeroU32::new(bytes).expect("a limit above zero");
        let limits = Limits { bytes, ..Limits::default() };
        let mut cluster = with_backlog(Parameters { limits, ..Parameters::default() }, 6);
        cluster.link(0, 1);
        let appends = appends(&cluster);
        let sizes: Vec<usize> = appends.iter().map(Vec::len).filter(|it| *it > 0).collect();
        assert_eq!(sizes, vec![in_a_message; 6 / in_a_message], "{bytes}");
    }
}

#[test]
fn entries_travel_in_the_order_of_their_stamps_whichever_node_made_them() {
    let mut cluster = Cluster::with(3, 1, 1, narrow(1, 1));
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    let writers = [0, 1, 0];
    for (number, writer) in (1..).zip(writers) {
        (0..2).for_each(|_| cluster.elect(writer));
        cluster.put(writer, number, "a");
    }
    assert!(cluster.replica(0).leads());
    cluster.sent.clear();
    cluster.link(0, 2);
    // The first Append assumes that the peer holds all but the last entry.
    let sent: Vec<u8> = appends(&cluster).concat().iter().skip(1).map(|it| it.origin.0).collect();
    assert_eq!(sent, writers);
    assert_eq!(cluster.replica(2).files(), cluster.replica(0).files());
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
fn heartbeats_on_a_network_that_keeps_order_send_no_entry_again() {
    let mut cluster = leader_without_syncs();
    cluster.put(0, 1, "a");
    let length = cluster.replica(0).log().length();
    cluster.queue_input(LEADER, Input::Synced(length));
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
fn heartbeats_where_messages_can_be_lost_send_unacknowledged_entries_again() {
    let parameters = Parameters { retransmits: true, ..Parameters::default() };
    let mut cluster = Cluster::with(2, 1, 1, parameters);
    cluster.elect(0);
    cluster.syncs = false;
    cluster.put(0, 1, "a");
    let length = cluster.replica(0).log().length();
    cluster.queue_input(LEADER, Input::Synced(length));
    cluster.run();
    (0..3).for_each(|_| cluster.tick(0));
    assert_eq!(appends(&cluster).concat().len(), 4);
}

#[test]
fn a_follower_sends_the_entries_that_its_leader_lacks_in_bounded_messages_and_once() {
    for (entries, window) in [(1, 1), (2, 3), (4, 2)] {
        let mut cluster = Cluster::with(2, 1, 1, narrow(entries, window));
        cluster.elect(1);
        cluster.cut(0, 1);
        (1..=15).for_each(|number| drop(cluster.put(1, number, "a")));
        // Node 0 leads a later round, so it learns these entries with Acks.
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
fn a_candidate_leads_only_when_it_has_all_entries_of_its_voters() {
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
fn the_first_ack_of_a_session_shows_which_entries_a_peer_holds() {
    let mut cluster = with_backlog(narrow(1, 1), 3);
    let peer = NodeId(1);
    // The peer ends its session, and the leader has not heard of it yet.
    cluster.queue_input(LEADER, Input::LinkUp { peer, session: SessionId(7) });
    cluster.queue_input(peer, Input::LinkUp { peer: LEADER, session: SessionId(7) });
    cluster.run();
    assert_eq!(cluster.replica(1).log().entries().count(), 3);
}

/// Two nodes that meet again after a split: node 1 follows node 0 and has an entry that node 0 lacked.
fn with_something_to_offer(parameters: Parameters) -> Cluster {
    let mut cluster = Cluster::with(2, 1, 1, parameters);
    cluster.elect(1);
    cluster.cut(0, 1);
    cluster.put(1, 1, "a");
    cluster.elect(0);
    cluster.elect(0);
    assert!(cluster.replica(0).promise() > cluster.replica(1).promise());
    cluster.sent.clear();
    cluster.link(0, 1);
    cluster
}

/// How many entries node 1 has offered with Acks since `sent` was cleared.
fn offered(cluster: &Cluster) -> usize {
    let sent = cluster.sent.iter().filter(|(from, ..)| *from == NodeId(1));
    sent.filter(|(.., it)| matches!(it, Message::Ack(_))).map(|(.., it)| it.entries().len()).sum()
}

/// Sends node 1 heartbeats of a leader that has received none of the entries offered to it.
fn heartbeats(cluster: &mut Cluster, count: usize) {
    for _ in 0..count {
        let epoch = cluster.replica(0).promise();
        let session = cluster.replica(1).session(LEADER).expect("they are linked");
        let append = Append { epoch, ..Append::default() };
        let packet = Packet { session, message: Sealed::new(Message::Append(append)) };
        cluster.queue_input(NodeId(1), Input::Receive { from: LEADER, packet });
        cluster.run();
    }
}

#[test]
fn a_follower_offers_an_entry_once_unless_messages_can_be_lost() {
    for retransmits in [false, true] {
        let mut cluster =
            with_something_to_offer(Parameters { retransmits, ..Parameters::default() });
        assert_eq!(offered(&cluster), 1);
        heartbeats(&mut cluster, 3);
        assert_eq!(offered(&cluster), if retransmits { 4 } else { 1 });
    }
}

#[test]
fn a_follower_offers_its_entries_to_each_new_leader() {
    let mut cluster = Cluster::new(3, 1, 1);
    cluster.elect(1);
    [(0, 1), (1, 2), (0, 2)].into_iter().for_each(|(one, other)| cluster.cut(one, other));
    cluster.put(1, 1, "a");
    // Nodes 0 and 2 lead ever higher epochs, and have not received the entry of node 1.
    (0..2).for_each(|_| cluster.elect(0));
    (0..3).for_each(|_| cluster.elect(2));
    let followed = |cluster: &Cluster| cluster.replica(1).promise().node;
    for leader in [0, 2] {
        cluster.sent.clear();
        cluster.link(leader, 1);
        assert_eq!(followed(&cluster), NodeId(leader));
        assert_eq!(offered(&cluster), 1, "to node {leader}");
    }
}

#[test]
fn an_ack_for_another_epoch_counts_for_nothing() {
    let parameters = Parameters { guards_elections: false, ..Parameters::default() };
    let mut cluster = Cluster::with(2, 1, 2, parameters);
    cluster.elect(0);
    let former = cluster.replica(0).promise();
    [1, 0].into_iter().for_each(|next| cluster.elect(next));
    cluster.cut(0, 1);
    assert!(cluster.replica(0).leads() && cluster.replica(0).promise() > former);
    assert_eq!(cluster.put(0, 1, "a"), None, "two nodes must hold it");
    let peer = NodeId(1);
    cluster.queue_input(LEADER, Input::LinkUp { peer, session: SessionId(9) });
    cluster.run();
    for (epoch, counts) in [(former, false), (cluster.replica(0).promise(), true)] {
        let vv = *cluster.replica(0).synced_vv();
        cluster.queue_input(
            LEADER,
            acked(cluster.replica(0).log(), SessionId(9), epoch, vv, Vec::new()),
        );
        cluster.run();
        assert_eq!(cluster.answer(1).is_some(), counts);
    }
}

/// An Ack of node 1, which holds this log, that reaches the leader.
fn acked(
    held: &Log,
    session: SessionId,
    epoch: Epoch,
    vv: VersionVector,
    entries: Vec<Entry>,
) -> Input {
    let digest = held.digest(&vv).expect("the peer holds what it acknowledges");
    let (tag, payloads) = (Tag::default(), Vec::new());
    let ack = Ack { epoch, tag, vv, digest, staged: Vec::new(), entries, state: None, payloads };
    let packet = Packet { session, message: Sealed::new(Message::Ack(ack)) };
    Input::Receive { from: NodeId(1), packet }
}

/// The `sequence`th entry of node 1.
fn of_the_peer(sequence: u64) -> Entry {
    let origin = NodeId(1);
    Sealed::new(EntryBody {
        dot: Dot { origin, sequence: Sequence(sequence) },
        stamp: Stamp { fence: None, counter: Counter(sequence), origin },
        context: up_to(sequence - 1),
        incarnation: Incarnation::default(),
        context_digest: Digest::default(),
        replaces: Vec::new(),
        path: Path::new("b"),
        change: Change::Delete,
        request: RequestId { client: 2, number: sequence },
    })
}

/// Node 1 with its first three entries.
fn peer_with_entries() -> Replica {
    let settings = Settings::new(2, 1, 1).expect("legal settings");
    let identity = Identity { node: NodeId(1), settings };
    let entries = (1..=3).map(|sequence| Record::Entry(of_the_peer(sequence)));
    let records: Vec<Record> = [Record::Identity(identity)].into_iter().chain(entries).collect();
    recover(identity, &records).expect("its log")
}

/// The first `count` entries of node 1.
fn up_to(count: u64) -> VersionVector {
    let mut vv = VersionVector::default();
    let dot = |sequence| Dot { origin: NodeId(1), sequence: Sequence(sequence) };
    (1..=count).for_each(|sequence| vv.insert(dot(sequence)));
    vv
}

#[test]
fn a_leader_asks_for_more_after_entries_only_and_once_where_they_can_come_twice() {
    let cases = [
        // The entries in the Ack; whether the leader then asks for more on a network that can double
        // messages, and on one that keeps order.
        (vec![], false, false),
        (vec![1], false, true),
        (vec![2], true, true),
        (vec![1, 2], true, true),
    ];
    for (brought, asks_where_doubled, asks_in_order) in cases {
        for (retransmits, asks) in [(true, asks_where_doubled), (false, asks_in_order)] {
            let parameters = Parameters { retransmits, ..Parameters::default() };
            let mut cluster = Cluster::with(2, 1, 1, parameters);
            cluster.elect(0);
            let (epoch, session) = (cluster.replica(0).promise(), SessionId(1));
            let ack = |count, brought: &[u64]| {
                let entries = brought.iter().map(|it| of_the_peer(*it)).collect();
                acked(peer_with_entries().log(), session, epoch, up_to(count), entries)
            };
            let mut outputs = Vec::new();
            for input in [ack(1, &[1]), ack(3, &brought)] {
                outputs.clear();
                cluster.nodes[0].hear(input, &Steadfast, &mut outputs);
                let length = cluster.replica(0).log().length();
                cluster.nodes[0].hear(Input::Synced(length), &Steadfast, &mut outputs);
            }
            let sent = outputs.iter().filter(|it| matches!(it, Output::Send { .. })).count();
            assert_eq!(sent, usize::from(asks), "{brought:?}, doubled: {retransmits}");
        }
    }
}

#[test]
fn no_more_offered_entries_are_under_way_than_the_window_allows() {
    let mut cluster = Cluster::with(2, 1, 1, narrow(1, 2));
    cluster.elect(1);
    cluster.cut(0, 1);
    (1..=5).for_each(|number| drop(cluster.put(1, number, "a")));
    (0..2).for_each(|_| cluster.elect(0));
    assert!(cluster.replica(0).promise() > cluster.replica(1).promise());
    cluster.sent.clear();
    cluster.queue_input(NodeId(1), Input::LinkUp { peer: LEADER, session: SessionId(9) });
    cluster.run();
    heartbeats(&mut cluster, 5);
    assert_eq!(offered(&cluster), 2);
}

#[test]
fn a_leader_that_stepped_down_learns_nothing_from_a_late_ack_or_vote() {
    let mut cluster = Cluster::new(2, 2, 2);
    cluster.elect(0);
    (0..2).for_each(|_| cluster.elect(0));
    assert!(!cluster.replica(0).leads());
    let (session, epoch) = (SessionId(1), cluster.replica(0).promise());
    let held = peer_with_entries();
    let late = acked(held.log(), session, epoch, up_to(1), vec![of_the_peer(1)]);
    cluster.queue_input(LEADER, late);
    cluster.queue_input(LEADER, voted(held.log(), epoch, up_to(1), vec![of_the_peer(1)]));
    cluster.run();
    assert_eq!(cluster.replica(0).log().entries().count(), 0);
}

#[test]
fn a_leader_that_lacks_nothing_asks_for_nothing() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    let (session, epoch) = (SessionId(1), cluster.replica(0).promise());
    let ack = acked(peer_with_entries().log(), session, epoch, up_to(1), vec![of_the_peer(1)]);
    cluster.sent.clear();
    cluster.queue_input(LEADER, ack);
    cluster.run();
    assert_eq!(cluster.replica(0).log().entries().count(), 1);
    assert_eq!(appends(&cluster), Vec::<Vec<Dot>>::new());
}

/// Reports to the leader that its log is on disk, and lets no other disk sync.
fn sync_leader(cluster: &mut Cluster) {
    let length = cluster.replica(0).log().length();
    cluster.queue_input(LEADER, Input::Synced(length));
    cluster.run();
}

/// A leader that has heard of three entries of its peer and received the first, so that it asks for more
/// once that one is on disk.
fn asking_for_more() -> Cluster {
    let mut cluster = leader_without_syncs();
    let (session, epoch) = (SessionId(1), cluster.replica(0).promise());
    let ack = acked(peer_with_entries().log(), session, epoch, up_to(3), vec![of_the_peer(1)]);
    cluster.queue_input(LEADER, ack);
    cluster
}

/// A leader and a peer whose disks sync no more by themselves.
fn leader_without_syncs() -> Cluster {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.syncs = false;
    cluster
}

#[test]
fn a_heartbeat_does_not_take_the_place_of_the_question_for_more() {
    let mut cluster = asking_for_more();
    cluster.tick(0);
    cluster.sent.clear();
    sync_leader(&mut cluster);
    assert_eq!(appends(&cluster), [Vec::new()], "its vector says that it has synced the first");
}

#[test]
fn a_leader_sends_further_entries_before_a_peer_acknowledges_the_ones_before_them() {
    let mut cluster = leader_without_syncs();
    for number in 1..=3 {
        cluster.put(0, number, "a");
        sync_leader(&mut cluster);
    }
    assert_eq!(appends(&cluster).concat().len(), 3);
}

#[test]
fn a_leader_does_not_send_a_peer_the_entries_that_came_from_it() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    let (session, epoch) = (SessionId(1), cluster.replica(0).promise());
    for number in 1..=2 {
        let entries = vec![of_the_peer(number)];
        let ack = acked(peer_with_entries().log(), session, epoch, up_to(number), entries);
        cluster.queue_input(LEADER, ack);
        cluster.run();
    }
    assert_eq!(cluster.replica(0).synced_vv(), &up_to(2));
    assert_eq!(appends(&cluster).concat(), []);
}

#[test]
fn a_question_for_more_ends_with_its_session() {
    let mut cluster = asking_for_more();
    cluster.queue_input(LEADER, Input::LinkUp { peer: NodeId(1), session: SessionId(2) });
    cluster.run();
    cluster.sent.clear();
    sync_leader(&mut cluster);
    assert_eq!(appends(&cluster), Vec::<Vec<Dot>>::new(), "the new one began with an Append");
}

#[test]
fn a_stream_keeps_within_the_window() {
    let mut cluster = Cluster::with(2, 1, 1, narrow(1, 2));
    cluster.elect(0);
    cluster.syncs = false;
    for number in 1..=5 {
        cluster.put(0, number, "a");
        sync_leader(&mut cluster);
    }
    assert_eq!(appends(&cluster).concat().len(), 2);
}

/// Begins a new session at the leader only, so that its messages are lost.
fn link_leader(cluster: &mut Cluster) {
    cluster.queue_input(LEADER, Input::LinkUp { peer: NodeId(1), session: SessionId(9) });
    cluster.run();
}

#[test]
fn the_first_append_of_a_session_carries_the_entries_that_the_last_one_lost() {
    let mut cluster = leader_without_syncs();
    cluster.put(0, 1, "a");
    sync_leader(&mut cluster);
    cluster.sent.clear();
    link_leader(&mut cluster);
    assert_eq!(appends(&cluster).concat().len(), 1);
}

#[test]
fn a_heartbeat_repeats_a_probe_with_its_entries_where_messages_can_be_lost() {
    let mut cluster = with_backlog(Parameters { retransmits: true, ..Parameters::default() }, 3);
    link_leader(&mut cluster);
    cluster.tick(0);
    let sent: Vec<usize> = appends(&cluster).iter().map(Vec::len).collect();
    assert_eq!(sent, [3, 3]);
}

#[test]
fn a_heartbeat_does_not_end_a_stream_where_messages_can_be_lost() {
    let parameters = Parameters { retransmits: true, ..Parameters::default() };
    let mut cluster = Cluster::with(2, 1, 1, parameters);
    cluster.elect(0);
    cluster.syncs = false;
    // The disk of the follower hangs, so no Ack follows.
    for number in 1..=2 {
        cluster.put(0, number, "a");
        cluster.tick(0);
        sync_leader(&mut cluster);
    }
    let second = Dot { origin: LEADER, sequence: Sequence(2) };
    assert_eq!(appends(&cluster).last(), Some(&vec![second]), "it goes out at once");
}

#[test]
fn a_new_leader_sends_no_entries_that_all_nodes_hold() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    (1..=3).for_each(|number| drop(cluster.put(0, number, "a")));
    cluster.cut(0, 1);
    cluster.sent.clear();
    (0..2).for_each(|_| cluster.elect(1));
    assert!(cluster.replica(1).leads());
    assert!(!appends(&cluster).is_empty());
    assert_eq!(appends(&cluster).concat(), []);
}

/// A Vote of node 1, which holds this log, that reaches the candidate in the first session.
fn voted(held: &Log, epoch: Epoch, vv: VersionVector, entries: Vec<Entry>) -> Input {
    let digest = held.digest(&vv).expect("the peer holds what it votes with");
    let vote =
        Message::Vote(Vote { epoch, vv, digest, entries, state: None, payloads: Vec::new() });
    let packet = Packet { session: SessionId(1), message: Sealed::new(vote) };
    Input::Receive { from: NodeId(1), packet }
}

#[test]
fn a_candidate_asks_for_more_once_where_a_vote_can_come_twice() {
    let parameters =
        Parameters { retransmits: true, guards_elections: false, ..Parameters::default() };
    let mut cluster = Cluster::with(3, 3, 1, parameters);
    cluster.cut(0, 2);
    cluster.queue_input(LEADER, Input::ElectionTimeout);
    cluster.run();
    let epoch = cluster.replica(0).promise();
    cluster.sent.clear();
    for requests in [1, 0] {
        let vote = voted(peer_with_entries().log(), epoch, up_to(3), vec![of_the_peer(1)]);
        let mut outputs = Vec::new();
        cluster.nodes[0].hear(vote, &Steadfast, &mut outputs);
        let length = cluster.replica(0).log().length();
        cluster.nodes[0].hear(Input::Synced(length), &Steadfast, &mut outputs);
        let sent = outputs.iter().filter(|it| matches!(it, Output::Send { .. })).count();
        assert_eq!(sent, requests);
    }
}

#[test]
fn a_follower_offers_its_entries_again_only_when_the_session_with_the_leader_ended() {
    let mut cluster = Cluster::new(3, 1, 1);
    cluster.elect(1);
    [(0, 1), (1, 2), (0, 2)].into_iter().for_each(|(one, other)| cluster.cut(one, other));
    cluster.put(1, 1, "a");
    (0..2).for_each(|_| cluster.elect(0));
    let follower = NodeId(1);
    let link = |peer, session| Input::LinkUp { peer, session: SessionId(session) };
    cluster.queue_input(follower, link(NodeId(2), 8));
    cluster.queue_input(follower, link(LEADER, 8));
    cluster.run();
    cluster.sent.clear();
    heartbeats(&mut cluster, 1);
    assert_eq!(offered(&cluster), 1);
    cluster.queue_input(follower, Input::LinkDown { peer: NodeId(2) });
    cluster.run();
    heartbeats(&mut cluster, 1);
    assert_eq!(offered(&cluster), 1, "the offer is under way");
    cluster.queue_input(follower, link(LEADER, 9));
    cluster.run();
    heartbeats(&mut cluster, 1);
    assert_eq!(offered(&cluster), 2, "the offer is lost");
}
