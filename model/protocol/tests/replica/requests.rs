//! Requests that arrive late, twice, or with the id of another request.

use crate::cluster::{Cluster, text};
use steadfast_protocol::{
    Ack, Base, Consistency, Content, ContentId, Counter, Dot, Input, Intent, Message, NodeId,
    Outcome, Packet, Path, REMEMBERED, Refusal, RequestId, Sealed, Sequence, SessionId, Tag,
    VersionVector, WriteRequest,
};

#[test]
fn a_request_id_that_names_another_write_is_refused_and_nothing_is_written() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let dot = Dot { origin: NodeId(0), sequence: Sequence(1) };
    let reused = Outcome::Refused(Refusal::RequestReused { dot });
    for (path, intent) in
        [("b", Intent::Put(text(1))), ("a", Intent::Put(text(2))), ("a", Intent::Delete)]
    {
        let outcome = cluster.write(0, 1, path, intent, Base::Visible);
        assert_eq!(outcome, Some(reused.clone()), "{path}");
    }
    assert_eq!(cluster.put(0, 1, "a"), Some(Outcome::Acknowledged { dot }), "a true retry");
    assert_eq!(cluster.replica(0).log().entries().count(), 1);
}

#[test]
fn a_leader_recognises_the_retry_of_a_restore() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let dot = Dot { origin: NodeId(0), sequence: Sequence(1) };
    let first = cluster.write(0, 2, "a", Intent::Restore(dot), Base::Visible);
    assert!(matches!(first, Some(Outcome::Acknowledged { .. })), "{first:?}");
    assert_eq!(cluster.write(0, 2, "a", Intent::Restore(dot), Base::Visible), first);
}

#[test]
fn a_late_copy_of_an_older_request_does_not_overrule_the_newer_one() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 5, "a");
    let late = cluster.put(0, 4, "a");
    assert_eq!(late, Some(Outcome::Refused(Refusal::Superseded { newest: 5 })));
    assert_eq!(cluster.heads(0, "a")[0].request.number, 5);
    assert!(matches!(cluster.put(0, 6, "a"), Some(Outcome::Acknowledged { .. })));
}

#[test]
fn a_deposed_leader_does_not_refuse_on_the_ground_of_its_old_files() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    cluster.elect(1);
    assert!(matches!(cluster.put(1, 1, "a"), Some(Outcome::Acknowledged { .. })));
    assert!(cluster.replica(0).leads(), "it does not know of its successor");
    let unknown = Dot { origin: NodeId(1), sequence: Sequence(1) };
    let refused = [
        (2, Intent::Delete, Base::Visible),
        (3, Intent::Restore(unknown), Base::Visible),
        (4, Intent::Put(text(4)), Base::Named(vec![unknown])),
    ];
    for (number, intent, base) in refused {
        assert_eq!(cluster.write(0, number, "a", intent, base), None, "it waits to be confirmed");
    }
    cluster.elect(0);
    let refused = Outcome::Refused(Refusal::NotLeader { leader: None });
    (2..=4).for_each(|number| assert_eq!(cluster.answer(number), Some(refused.clone())));
}

#[test]
fn a_confirmed_leader_refuses_to_delete_a_missing_file() {
    for (nodes, quorum) in [(1, 1), (3, 2)] {
        let mut cluster = Cluster::new(nodes, quorum, quorum);
        cluster.elect(0);
        let outcome = cluster.write(0, 1, "a", Intent::Delete, Base::Visible);
        let path = steadfast_protocol::Path::new("a");
        assert_eq!(outcome, Some(Outcome::Refused(Refusal::NotFound { path })));
    }
}

#[test]
fn a_leader_refuses_a_content_that_it_lacks_without_asking_anybody() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    let content = ContentId([7; 32]);
    let outcome = cluster.write(0, 1, "a", Intent::Put(Content::Named(content)), Base::Visible);
    assert_eq!(outcome, Some(Outcome::Refused(Refusal::ContentMissing { content })));
}

#[test]
fn a_write_of_one_origin_is_acknowledged_while_one_of_another_waits() {
    let mut cluster = Cluster::new(3, 1, 2);
    cluster.elect(1);
    cluster.cut(0, 1);
    cluster.cut(1, 2);
    assert_eq!(cluster.put(1, 1, "a"), None, "two nodes must hold it");
    (0..2).for_each(|_| cluster.elect(0));
    cluster.link(0, 1);
    let dot = Dot { origin: NodeId(1), sequence: Sequence(1) };
    assert!(cluster.replica(0).leads() && cluster.replica(0).synced_vv().covers(dot));
    cluster.syncs = false;
    assert_eq!(cluster.put(0, 2, "b"), None, "no disk syncs it");
    assert_eq!(cluster.put(0, 1, "a"), Some(Outcome::Acknowledged { dot }));
    assert_eq!(cluster.answer(2), None);
}

#[test]
fn only_a_leader_answers_linearizable_reads_and_others_say_who_leads() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let refused = Outcome::Refused(Refusal::NotLeader { leader: Some(NodeId(0)) });
    assert_eq!(cluster.read(1, 1, Consistency::Linearizable), Some(refused));
    let value = Outcome::Value { version: None, stale: false };
    assert_eq!(cluster.read(0, 2, Consistency::Linearizable), Some(value));
}

#[test]
fn a_leader_that_suffices_to_confirm_a_read_asks_nobody() {
    let mut cluster = Cluster::new(2, 2, 1);
    cluster.elect(0);
    cluster.sent.clear();
    let value = Outcome::Value { version: None, stale: false };
    assert_eq!(cluster.read(0, 1, Consistency::Linearizable), Some(value));
    assert_eq!(cluster.sent, []);
}

/// A leader of two whose peer, driven by hand, lacks its only entry, and a read that waits.
fn with_a_waiting_read() -> Cluster {
    let mut cluster = Cluster::new(2, 1, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.queue_input(NodeId(0), Input::LinkUp { peer: NodeId(1), session: SessionId(9) });
    assert_eq!(cluster.put(0, 1, "a"), None);
    assert_eq!(cluster.read(0, 2, Consistency::Linearizable), None);
    cluster
}

/// Lets the leader receive an Ack of its peer, and returns whether the read is answered.
fn confirms(cluster: &mut Cluster, tag: Tag, vv: VersionVector) -> bool {
    let leader = cluster.replica(0);
    let digest = leader.log().digest(&vv).expect("it holds its entry");
    let (epoch, entries, payloads) = (leader.promise(), Vec::new(), Vec::new());
    let ack = Ack { epoch, tag, vv, digest, staged: Vec::new(), entries, state: None, payloads };
    let packet = Packet { session: SessionId(9), message: Sealed::new(Message::Ack(ack)) };
    cluster.queue_input(NodeId(0), Input::Receive { from: NodeId(1), packet });
    cluster.run();
    cluster.answer(2).is_some()
}

#[test]
fn a_read_is_confirmed_by_a_peer_that_followed_after_it_began_and_holds_its_entries() {
    let nothing = VersionVector::default();
    let (before, after) = (Tag(0), Tag(1));
    let mut cluster = with_a_waiting_read();
    let entry = *cluster.replica(0).synced_vv();
    assert!(!confirms(&mut cluster, before, nothing));
    assert!(!confirms(&mut cluster, before, entry), "it may have elected another leader since");
    assert!(confirms(&mut cluster, after, entry));
    let mut cluster = with_a_waiting_read();
    assert!(!confirms(&mut cluster, after, nothing), "it lacks the entry");
    assert!(confirms(&mut cluster, before, entry), "a message before this one had the tag");
}

#[test]
fn a_refusal_that_rests_on_an_unsynced_entry_waits_until_the_entry_is_synced() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    cluster.syncs = false;
    cluster.put(0, 1, "a");
    assert_eq!(cluster.write(0, 2, "b", Intent::Delete, Base::Visible), None);
    let length = cluster.replica(0).log().length();
    cluster.queue_input(NodeId(0), Input::Synced(length));
    cluster.run();
    assert!(matches!(cluster.answer(2), Some(Outcome::Refused(Refusal::NotFound { .. }))));
}

#[test]
fn a_request_that_may_be_forgotten_is_refused_by_name_and_not_written_again() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let ask = |cluster: &mut Cluster, client, seen| {
        let request = RequestId { client, number: 1 };
        let (intent, base) = (Intent::Put(text(1)), Base::Visible);
        let seen = Counter(seen);
        cluster.ask(0, WriteRequest { request, path: Path::new("a"), intent, base, seen })
    };
    let is_acknowledged = |it| matches!(it, Some(Outcome::Acknowledged { .. }));
    assert!(is_acknowledged(ask(&mut cluster, 1, 0)));
    // The counter goes on behind the one that the client names.
    assert!(is_acknowledged(ask(&mut cluster, 2, REMEMBERED - 1)));
    assert_eq!(cluster.heads(0, "a")[0].stamp.counter, Counter(REMEMBERED));
    assert!(is_acknowledged(ask(&mut cluster, 1, 0)), "it is remembered");
    assert!(is_acknowledged(ask(&mut cluster, 3, 0)), "nothing is forgotten yet");
    assert_eq!(cluster.heads(0, "a")[0].stamp.counter, Counter(REMEMBERED + 1));
    assert!(is_acknowledged(ask(&mut cluster, 1, 0)), "an entry of counter 1 is remembered");
    let horizon = Counter(1);
    let forgotten = Refusal::Forgotten { seen: Counter(0), horizon };
    assert_eq!(ask(&mut cluster, 4, 0), Some(Outcome::Refused(forgotten.clone())));
    assert!(is_acknowledged(ask(&mut cluster, 5, 1)), "no entry above counter 1 is forgotten");
    assert_eq!(cluster.heads(0, "a")[0].stamp.counter, Counter(REMEMBERED + 2));
    let horizon = Counter(2);
    for (client, seen) in [(1, 0), (1, 1), (4, 1)] {
        let forgotten = Refusal::Forgotten { seen: Counter(seen), horizon };
        let answer = ask(&mut cluster, client, seen);
        assert_eq!(answer, Some(Outcome::Refused(forgotten)), "{client} {seen}");
    }
    assert!(is_acknowledged(ask(&mut cluster, 2, REMEMBERED - 1)), "it is remembered");
    assert!(is_acknowledged(ask(&mut cluster, 3, 0)), "it is remembered, whatever it names");
    assert_eq!(cluster.replica(0).log().entries().count(), 4);
}

#[test]
fn all_nodes_forget_the_requests_that_are_too_old() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    let remembered = |cluster: &Cluster, node| -> Vec<u64> {
        cluster.replica(node).fold().requests().iter().map(|it| it.0.client).collect()
    };
    for (client, seen, left) in [
        (1, 0, vec![1]),
        (2, REMEMBERED - 1, vec![1, 2]),
        (3, 0, vec![1, 2, 3]),
        (4, 2 * REMEMBERED - 1, vec![2, 3, 4]),
        (5, 2 * REMEMBERED, vec![3, 4, 5]),
        (6, 3 * REMEMBERED, vec![5, 6]),
        (7, u64::MAX, vec![7]),
    ] {
        let request = RequestId { client, number: 1 };
        let (intent, base, seen) = (Intent::Put(text(1)), Base::Visible, Counter(seen));
        cluster.ask(0, WriteRequest { request, path: Path::new("a"), intent, base, seen });
        assert_eq!(remembered(&cluster, 0), left);
        assert_eq!(remembered(&cluster, 1), left);
    }
}

#[test]
fn a_node_does_not_remember_requests_that_are_too_old_when_they_arrive() {
    let ask = |cluster: &mut Cluster, node, client, seen| {
        let request = RequestId { client, number: 1 };
        let (intent, base, seen) = (Intent::Put(text(1)), Base::Visible, Counter(seen));
        cluster.ask(node, WriteRequest { request, path: Path::new("a"), intent, base, seen });
    };
    // The requests of clients 1 and 2 get the counters 1 and 2.
    for (seen, expected) in [(4 * REMEMBERED, &[3][..]), (REMEMBERED + 1, &[2, 3])] {
        let mut cluster = Cluster::new(2, 1, 1);
        cluster.elect(0);
        ask(&mut cluster, 0, 1, 0);
        cluster.cut(0, 1);
        cluster.elect(1);
        ask(&mut cluster, 1, 2, 0);
        ask(&mut cluster, 0, 3, seen);
        cluster.trim(0);
        cluster.link(0, 1);
        for node in [0, 1] {
            let fold = cluster.replica(node).fold();
            assert_eq!(fold.vv().beyond(&VersionVector::default()), 3, "all entries are there");
            let clients: Vec<u64> = fold.requests().iter().map(|it| it.0.client).collect();
            assert_eq!(clients, expected, "node {node}, {seen}");
        }
    }
}
