//! Contents that nothing names any more, and messages that wait for them.

use std::num::NonZeroU32;

use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{
    Append, Base, Content, ContentId, Input, Intent, Limits, Message, Need, NodeId, Outcome,
    Packet, Parameters, Refusal, Sealed, SessionId, Steadfast,
};

use crate::cluster::Cluster;

fn content(number: u64) -> ContentId {
    ContentId([u8::try_from(number).expect("a small number"); 32])
}

/// The contents on a node's disk.
fn stored(cluster: &Cluster, node: usize) -> Vec<ContentId> {
    cluster.nodes[node].storage().contents().collect()
}

/// A client makes a content durable at a node.
fn upload(cluster: &mut Cluster, node: u8, number: u64) {
    cluster.nodes[usize::from(node)].storage_mut().contents.insert(content(number));
    cluster.queue_input(NodeId(node), Input::Stored { content: content(number) });
    cluster.run();
}

/// A client uploads a content to a node and writes it.
fn put(cluster: &mut Cluster, node: u8, number: u64, path: &str) -> Option<Outcome> {
    upload(cluster, node, number);
    write(cluster, node, number, path)
}

fn write(cluster: &mut Cluster, node: u8, number: u64, path: &str) -> Option<Outcome> {
    let intent = Intent::Put(Content::Named(content(number)));
    cluster.write(node, number, path, intent, Base::Visible)
}

/// Whether a node has told another one that a content is gone.
fn was_told(cluster: &Cluster, number: u64) -> bool {
    let is_it = |it: &Message| matches!(it, Message::Gone(gone) if gone.content == content(number));
    cluster.sent.iter().any(|it| is_it(&it.2))
}

#[test]
fn a_trim_deletes_the_contents_of_replaced_versions_at_this_node_only() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    for (number, path) in [(1, "a"), (2, "a"), (3, "b")] {
        put(&mut cluster, 0, number, path);
    }
    let all: Vec<ContentId> = (1..=3).map(content).collect();
    assert_eq!(stored(&cluster, 0), all, "the log still holds the replaced version");
    cluster.trim(0);
    assert_eq!((stored(&cluster, 0), stored(&cluster, 1)), (all[1..].to_vec(), all));
    assert!(!cluster.replica(0).has_content(content(1)));
}

#[test]
fn conflict_versions_keep_their_contents() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.elect(1);
    put(&mut cluster, 0, 1, "a");
    put(&mut cluster, 1, 2, "a");
    cluster.link(0, 1);
    cluster.trim(0);
    assert_eq!(cluster.heads(0, "a").len(), 2);
    assert_eq!(stored(&cluster, 0), [content(1), content(2)]);
}

#[test]
fn an_unsynced_entry_keeps_its_content() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    put(&mut cluster, 0, 1, "a");
    cluster.syncs = false;
    put(&mut cluster, 0, 2, "a");
    cluster.trim(0);
    assert_eq!(stored(&cluster, 0), [content(1), content(2)], "a crash may take the second back");
    cluster.syncs = true;
    cluster.follow_storage_of(0);
    cluster.trim(0);
    assert_eq!(stored(&cluster, 0), [content(2)]);
}

#[test]
fn an_upload_stays_until_a_write_names_it_or_the_node_starts_again() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    put(&mut cluster, 0, 1, "a");
    // The client uploads a content that the node has already, and only this upload keeps it.
    upload(&mut cluster, 0, 1);
    put(&mut cluster, 0, 2, "a");
    upload(&mut cluster, 0, 3);
    upload(&mut cluster, 1, 4);
    cluster.trim(0);
    assert_eq!(stored(&cluster, 0), (1..=3).map(content).collect::<Vec<_>>());
    assert!(matches!(write(&mut cluster, 0, 3, "b"), Some(Outcome::Acknowledged { .. })));

    // A write that is refused names it, too: the client uploads it to the leader.
    let refused = write(&mut cluster, 1, 4, "c");
    assert!(matches!(refused, Some(Outcome::Refused(Refusal::NotLeader { .. }))));
    cluster.trim(1);
    assert_eq!(stored(&cluster, 1), [content(2), content(3)]);

    cluster.restart(0);
    cluster.elect(0);
    put(&mut cluster, 0, 5, "a");
    cluster.trim(0);
    assert_eq!(stored(&cluster, 0), [content(3), content(5)]);
    let missing = Refusal::ContentMissing { content: content(1) };
    let intent = Intent::Put(Content::Named(content(1)));
    let refused = cluster.write(0, 6, "d", intent, Base::Visible);
    assert_eq!(refused, Some(Outcome::Refused(missing)), "the client uploads it again");
}

#[test]
fn a_node_that_was_away_needs_no_content_that_is_gone() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    for number in 1..=3 {
        put(&mut cluster, 0, number, "a");
    }
    cluster.trim(0);
    cluster.link(0, 2);
    assert_eq!(cluster.replica(2).files(), cluster.replica(0).files());
    assert_eq!(stored(&cluster, 2), [content(3)]);
    assert!(cluster.replica(2).is_idle());
}

/// Both nodes hold contents 1 and 2 of one file. Node 0 has deleted the first, which is replaced.
fn with_one_deleted() -> Cluster {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    put(&mut cluster, 0, 1, "a");
    put(&mut cluster, 0, 2, "a");
    cluster.trim(0);
    cluster
}

#[test]
fn a_bad_copy_of_a_replaced_version_is_deleted_and_not_fetched() {
    let mut cluster = with_one_deleted();
    cluster.queue_input(NodeId(1), Input::Bad { content: content(1) });
    cluster.run();
    assert_eq!(stored(&cluster, 1), [content(2)]);
    assert!(cluster.replica(1).wants().is_empty() && !was_told(&cluster, 1));
    cluster.queue_input(NodeId(1), Input::Bad { content: content(2) });
    cluster.run();
    assert!(cluster.replica(1).has_content(content(2)), "node 0 sent the visible version again");
}

#[test]
fn a_node_without_the_content_of_a_replaced_version_sends_state() {
    let mut cluster = Cluster::new(3, 1, 1);
    cluster.elect(0);
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    put(&mut cluster, 0, 1, "a");
    put(&mut cluster, 0, 2, "a");
    cluster.queue_input(NodeId(0), Input::Bad { content: content(1) });
    cluster.run();
    cluster.link(0, 2);
    let state = cluster.sent.iter().filter_map(|it| it.2.state()).next_back();
    assert_eq!(state.map(|it| it.heads.len()), Some(1));
    assert_eq!(cluster.replica(2).files(), cluster.replica(0).files());
    assert_eq!(stored(&cluster, 2), [content(2)]);
}

#[test]
fn a_restarted_node_asks_for_the_contents_of_heads_only() {
    for trims in [false, true] {
        let mut cluster = Cluster::new(2, 1, 1);
        cluster.elect(0);
        put(&mut cluster, 0, 1, "a");
        put(&mut cluster, 0, 2, "a");
        cluster.cut(0, 1);
        if trims {
            cluster.trim(1);
        }
        for number in [1, 2] {
            cluster.nodes[1].storage_mut().discard(content(number));
        }
        cluster.restart(1);
        let wanted: Vec<_> = cluster.replica(1).wants().iter().map(|it| it.content).collect();
        assert_eq!(wanted, [content(2)], "trims: {trims}");
        cluster.link(0, 1);
        assert_eq!(cluster.nodes[1].storage().copy(content(2)), ContentCopy::Exact);
    }
}

#[test]
fn a_message_that_is_about_to_leave_keeps_its_contents() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(1);
    cluster.cut(0, 1);
    put(&mut cluster, 1, 1, "a");
    put(&mut cluster, 1, 2, "a");
    // Node 0 leads the next epoch, and node 1 holds its Ack until it has synced the promise.
    cluster.elect(0);
    cluster.syncs = false;
    cluster.link(0, 1);
    assert_eq!(cluster.replica(1).outbox().len(), 1);
    cluster.trim(1);
    assert_eq!(stored(&cluster, 1), [content(1), content(2)]);
    cluster.syncs = true;
    cluster.follow_storage_of(1);
    assert_eq!(cluster.replica(0).files(), cluster.replica(1).files());
    assert_eq!(stored(&cluster, 0), [content(1), content(2)]);
}

/// The transfer of a payload to a node ends without the content.
fn fail_transfer(cluster: &mut Cluster, node: u8, number: u64) {
    let received = cluster.nodes[usize::from(node)].storage_mut().received.pop_front();
    assert_eq!(received, Some(content(number)));
    cluster.queue_input(NodeId(node), Input::Unusable { content: content(number) });
    cluster.run();
}

#[test]
fn a_peer_whose_answer_brought_no_content_is_asked_again() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.stores = false;
    put(&mut cluster, 0, 1, "a");
    // The payload beside the entry fails, and then the first answer.
    for _ in 0..2 {
        fail_transfer(&mut cluster, 1, 1);
    }
    cluster.stores = true;
    cluster.follow_storage(NodeId(1));
    cluster.run();
    assert_eq!(stored(&cluster, 1), [content(1)]);
    assert!(cluster.replica(1).is_idle());
}

#[test]
fn a_content_that_is_deleted_while_it_is_under_way_holds_nothing_up() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.stores = false;
    put(&mut cluster, 0, 1, "a");
    fail_transfer(&mut cluster, 1, 1);
    // Node 0 has answered, and deletes its copy before all bytes have left.
    put(&mut cluster, 0, 2, "a");
    cluster.trim(0);
    assert_eq!(stored(&cluster, 0), [content(2)]);
    cluster.stores = true;
    fail_transfer(&mut cluster, 1, 1);
    assert!(was_told(&cluster, 1));
    assert_eq!(cluster.replica(1).files(), cluster.replica(0).files());
    assert!(cluster.replica(1).is_idle());
}

/// Node 1 waits for content 1, which no node has, and node 2 has a state with the entry that names it.
fn with_one_that_waits_in_vain(limits: Limits) -> Cluster {
    let parameters = Parameters { limits, ..Parameters::default() };
    let mut cluster = Cluster::with(3, 1, 1, parameters);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(1, 2);
    put(&mut cluster, 0, 1, "a");
    cluster.cut(0, 2);
    cluster.elect(2);
    put(&mut cluster, 2, 2, "a");
    put(&mut cluster, 2, 3, "b");
    cluster.trim(2);
    assert_eq!(stored(&cluster, 2), [content(2), content(3)]);
    cluster.nodes[0].storage_mut().discard(content(1));
    cluster.queue_input(NodeId(0), Input::Bad { content: content(1) });
    cluster.run();
    cluster.link(0, 1);
    assert_eq!(cluster.replica(1).waiting().len(), 1, "nobody it knows has content 1");
    cluster
}

#[test]
fn a_message_does_not_wait_for_the_contents_of_entries_that_have_come_in_a_state() {
    // The contents of the heads in the state may come late.
    for is_late in [false, true] {
        let mut cluster = with_one_that_waits_in_vain(Limits::default());
        cluster.stores = !is_late;
        cluster.link(1, 2);
        cluster.stores = true;
        cluster.follow_storage_of(1);
        assert_eq!(cluster.replica(1).files(), cluster.replica(2).files());
        assert!(cluster.replica(1).is_idle(), "{:?}", cluster.replica(1).waiting());
    }
}

#[test]
fn the_wait_ends_when_the_content_comes_that_the_last_part_of_the_state_has_waited_for() {
    let one_in_a_part = Limits { entries: NonZeroU32::MIN, ..Limits::default() };
    let mut cluster = with_one_that_waits_in_vain(one_in_a_part);
    cluster.stores = false;
    cluster.link(1, 2);
    let store = |cluster: &mut Cluster, number| {
        let storage = cluster.nodes[1].storage_mut();
        assert_eq!(storage.received.pop_front(), Some(content(number)));
        storage.contents.insert(content(number));
        Input::Stored { content: content(number) }
    };
    // The last part names content 3.
    let stored = store(&mut cluster, 2);
    cluster.queue_input(NodeId(1), stored);
    cluster.run();
    assert_eq!(cluster.replica(1).waiting().len(), 2);
    let stored = store(&mut cluster, 3);
    cluster.nodes[1].hear(stored, &Steadfast, &mut Vec::new());
    assert!(cluster.replica(1).waiting().is_empty(), "{:?}", cluster.replica(1).waiting());
}

#[test]
fn a_leader_that_dropped_a_message_over_a_deleted_content_asks_for_its_entries_again() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(1);
    cluster.cut(0, 1);
    put(&mut cluster, 1, 1, "a");
    put(&mut cluster, 1, 2, "a");
    (0..2).for_each(|_| cluster.elect(0));
    cluster.stores = false;
    cluster.link(0, 1);
    assert!(cluster.replica(0).leads() && !cluster.replica(1).leads());
    assert!(!cluster.replica(0).waiting().is_empty());
    cluster.trim(1);
    assert_eq!(stored(&cluster, 1), [content(2)]);
    fail_transfer(&mut cluster, 0, 1);
    assert!(was_told(&cluster, 1));
    cluster.stores = true;
    cluster.follow_storage_of(0);
    assert_eq!(cluster.replica(0).files(), cluster.replica(1).files());
    assert!(cluster.replica(0).is_idle());
}

#[test]
fn a_state_whose_next_part_names_a_deleted_content_begins_again() {
    let limits = Limits { entries: NonZeroU32::MIN, ..Limits::default() };
    let mut cluster = Cluster::with(2, 1, 1, Parameters { limits, ..Parameters::default() });
    cluster.elect(0);
    cluster.cut(0, 1);
    for (number, path) in [(1, "a"), (2, "a"), (3, "b")] {
        put(&mut cluster, 0, number, path);
    }
    cluster.trim(0);
    cluster.syncs = false;
    cluster.link(0, 1);
    cluster.follow_storage_of(1);
    assert_eq!(cluster.replica(1).fold().stagings().len(), 1, "the state is under way");
    put(&mut cluster, 0, 4, "b");
    cluster.follow_storage_of(0);
    cluster.trim(0);
    assert_eq!(stored(&cluster, 0), [content(2), content(4)]);
    cluster.syncs = true;
    cluster.follow_storage_of(1);
    assert_eq!(cluster.replica(1).files(), cluster.replica(0).files());
    assert!(cluster.replica(1).is_idle() && !was_told(&cluster, 3));
}

#[test]
fn a_message_has_no_more_payloads_than_the_limit() {
    let two = NonZeroU32::new(2).expect("not zero");
    let limits = Limits { payloads: two, ..Limits::default() };
    let mut cluster = Cluster::with(2, 1, 1, Parameters { limits, ..Parameters::default() });
    cluster.elect(0);
    cluster.cut(0, 1);
    (1..=6).for_each(|number| drop(put(&mut cluster, 0, number, "a")));
    cluster.sent.clear();
    cluster.link(0, 1);
    let sizes = cluster.sent.iter().map(|it| it.2.payloads().len()).filter(|it| *it > 0);
    assert_eq!(sizes.collect::<Vec<_>>(), [2, 2, 2]);
}

/// Lets a node receive a message in the session that it has with the sender.
fn receive(cluster: &mut Cluster, node: u8, from: u8, message: Message) {
    let session = cluster.replica(node.into()).session(NodeId(from)).expect("a session");
    let packet = Packet { session, message: Sealed::new(message) };
    cluster.queue_input(NodeId(node), Input::Receive { from: NodeId(from), packet });
    cluster.run();
}

#[test]
fn a_leader_that_has_deleted_a_content_goes_back_at_once_unless_heartbeats_do() {
    for retransmits in [false, true] {
        let parameters = Parameters { retransmits, ..Parameters::default() };
        let mut cluster = Cluster::with(2, 1, 1, parameters);
        cluster.elect(0);
        cluster.sent.clear();
        receive(&mut cluster, 0, 1, Message::Need(Need { content: content(9) }));
        assert!(was_told(&cluster, 9));
        let is_append = |it: &Message| matches!(it, Message::Append(_));
        assert_eq!(cluster.sent.iter().any(|it| is_append(&it.2)), !retransmits);
    }
}

#[test]
fn a_follower_that_has_deleted_a_content_offers_its_entries_again_if_the_leader_lacks_it() {
    for (asker, offers) in [(2, 0), (0, 1)] {
        let mut cluster = Cluster::new(3, 1, 1);
        cluster.elect(1);
        [(0, 1), (1, 2), (0, 2)].into_iter().for_each(|(one, other)| cluster.cut(one, other));
        cluster.put(1, 1, "a");
        (0..2).for_each(|_| cluster.elect(0));
        let session = SessionId(9);
        for peer in [NodeId(0), NodeId(2)] {
            cluster.queue_input(NodeId(1), Input::LinkUp { peer, session });
        }
        let epoch = cluster.replica(0).promise();
        let heartbeat = || Message::Append(Append { epoch, ..Append::default() });
        let offered = |cluster: &mut Cluster| {
            cluster.sent.clear();
            receive(cluster, 1, 0, heartbeat());
            cluster.sent.iter().map(|it| it.2.entries().len()).sum::<usize>()
        };
        cluster.run();
        assert_eq!([(); 2].map(|()| offered(&mut cluster)), [1, 0]);
        receive(&mut cluster, 1, asker, Message::Need(Need { content: content(9) }));
        assert_eq!(offered(&mut cluster), offers, "{asker}");
    }
}

#[test]
fn an_upload_whose_copy_is_bad_counts_as_an_upload_no_more() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    upload(&mut cluster, 1, 1);
    cluster.queue_input(NodeId(1), Input::Bad { content: content(1) });
    cluster.run();
    assert_eq!(stored(&cluster, 1), []);
    // It comes again with an entry, which another one replaces.
    put(&mut cluster, 0, 1, "a");
    put(&mut cluster, 0, 2, "a");
    assert_eq!(stored(&cluster, 1), [content(1), content(2)]);
    cluster.trim(1);
    assert_eq!(stored(&cluster, 1), [content(2)]);
}
