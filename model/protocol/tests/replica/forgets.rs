//! Deletes that all nodes hold, and that a node forgets when it trims its log.

use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Ack, Append, Base, Change, Checkpoint, Decisions, Dot, Entry, EntryBody, Fold, Halt, Input,
    Intent, LogIndex, Message, NodeId, Outcome, Packet, Parameters, Path, Place, Record,
    RecoverError, Sealed, Sequence, Stamp, State, StateError, Steadfast, Tag, VersionVector,
};

use crate::cluster::{Cluster, recover, text};

fn forgetful() -> Parameters {
    Parameters { forgets_deletes: true, ..Parameters::default() }
}

/// A file "a" that all nodes have deleted, by the requests 1 and 2. Only the leader, node 0, knows that.
fn deleted(nodes: u8) -> Cluster {
    let mut cluster = Cluster::with(nodes, nodes.div_ceil(2), nodes.div_ceil(2), forgetful());
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.write(0, 2, "a", Intent::Delete, Base::Visible);
    cluster
}

fn dot(origin: u8, sequence: u64) -> Dot {
    Dot { origin: NodeId(origin), sequence: Sequence(sequence) }
}

fn dots(heads: &[Entry]) -> Vec<Dot> {
    heads.iter().map(|it| it.dot).collect()
}

#[test]
fn a_leader_forgets_a_delete_that_all_nodes_have_acknowledged() {
    let mut cluster = deleted(3);
    let before = cluster.replica(0).fold().clone();
    cluster.trim(0);
    let leader = cluster.replica(0);
    assert!(leader.files().is_empty() && leader.log().entries().next().is_none());
    assert_eq!(leader.fold().counter(), before.counter(), "no head has it any more");
    assert_eq!((leader.fold().vv(), leader.fold().requests()), (before.vv(), before.requests()));
    let node = &cluster.nodes[0];
    let records = node.storage().records();
    let again = recover(node.identity(), records);
    assert_eq!(again.expect("its own log").fold(), leader.fold());
    assert_eq!(cluster.heads(1, "a").len(), 1, "every node forgets by itself");
}

#[test]
fn a_delete_that_is_replaced_while_the_checkpoint_is_written_is_forgotten_all_the_same() {
    let mut cluster = deleted(3);
    cluster.queue_input(NodeId(0), Input::Trim);
    // The node handles the write before it hears that the checkpoint is durable.
    cluster.put(0, 3, "a");
    let leader = cluster.replica(0);
    assert_eq!(dots(leader.files().heads(&Path::new("a"))), [dot(0, 3)]);
    assert!(leader.fold().forgotten().covers(dot(0, 2)));
    let node = &cluster.nodes[0];
    let records = node.storage().records();
    let again = recover(node.identity(), records);
    assert_eq!(again.expect("its own log").fold(), leader.fold());
}

#[test]
fn a_delete_stays_until_every_node_holds_it() {
    let mut cluster = Cluster::with(3, 2, 2, forgetful());
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.cut(0, 2);
    cluster.write(0, 2, "a", Intent::Delete, Base::Visible);
    cluster.trim(0);
    assert_eq!(cluster.heads(0, "a").len(), 1, "node 2 may be about to write");
    cluster.link(0, 2);
    cluster.put(0, 3, "b");
    cluster.trim(0);
    assert!(cluster.heads(0, "a").is_empty());
}

#[test]
fn a_node_that_does_not_forget_deletes_keeps_them() {
    let mut cluster = Cluster::with(2, 1, 1, Parameters { forgets_deletes: false, ..forgetful() });
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.write(0, 2, "a", Intent::Delete, Base::Visible);
    cluster.tick(0);
    for node in [0, 1] {
        cluster.trim(node);
    }
    // A peer with other parameters could not understand more.
    let announced = cluster.sent.iter().filter_map(|(.., message)| match message {
        Message::Append(append) => Some(append.stable),
        _ => None,
    });
    assert!(announced.into_iter().all(|it| it == VersionVector::default()));
    assert!([0, 1].iter().all(|node| cluster.heads(*node, "a").len() == 1));
}

#[test]
fn a_conflict_with_a_delete_is_not_forgotten() {
    let mut cluster = Cluster::with(2, 1, 1, forgetful());
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.write(0, 2, "a", Intent::Delete, Base::Named(Vec::new()));
    cluster.trim(0);
    assert_eq!(cluster.heads(0, "a").len(), 2);
}

#[test]
fn a_follower_forgets_once_the_leader_has_said_that_all_nodes_hold_the_delete() {
    let mut cluster = deleted(3);
    cluster.trim(1);
    assert_eq!(cluster.heads(1, "a").len(), 1, "nobody has said so");
    cluster.tick(0);
    // A trim that drops nothing else may still forget.
    cluster.trim(1);
    assert!(cluster.heads(1, "a").is_empty());
}

#[test]
fn a_follower_forgets_nothing_while_it_lacks_an_entry_of_the_leader() {
    let mut cluster = deleted(3);
    let leader = cluster.replica(0);
    let (epoch, stable) = (leader.promise(), *leader.fold().vv());
    let session = cluster.replica(1).session(NodeId(0)).expect("a session");
    // The leader has an entry that does not fit into the message. Its author may not know the delete.
    let mut vv = stable;
    vv.insert(dot(0, 3));
    let message = Sealed::new(Message::Append(Append { epoch, vv, stable, ..Append::default() }));
    let packet = Packet { session, message };
    cluster.queue_input(NodeId(1), Input::Receive { from: NodeId(0), packet });
    cluster.run();
    cluster.trim(1);
    assert_eq!(cluster.heads(1, "a").len(), 1);
}

#[test]
fn a_leader_that_lacks_an_acknowledged_entry_knows_of_none_that_all_nodes_hold() {
    let up_to = |sequence| {
        let mut vv = VersionVector::default();
        vv.insert(dot(0, sequence));
        vv
    };
    let acked = [up_to(1), up_to(2)];
    assert_eq!(Steadfast.stable(&up_to(3), &acked), up_to(1));
    assert_eq!(Steadfast.stable(&up_to(2), &acked), up_to(1));
    assert_eq!(Steadfast.stable(&up_to(1), &acked), VersionVector::default());
}

#[test]
fn only_a_delete_gives_way_to_a_write_that_does_not_name_it() {
    let mut cluster = deleted(3);
    let written = cluster.replica(1).log().entries().cloned().collect::<Vec<_>>();
    cluster.trim(0);
    cluster.put(0, 3, "a");
    let later = cluster.heads(0, "a").remove(0);
    let yields: Vec<bool> = written.iter().map(|it| Steadfast.yields(it, &later)).collect();
    assert_eq!(yields, [false, true], "a version, and its delete");
}

#[test]
fn nothing_is_forgotten_while_a_record_is_unsynced() {
    let mut cluster = deleted(1);
    cluster.syncs = false;
    cluster.put(0, 3, "b");
    cluster.trim(0);
    assert_eq!(cluster.heads(0, "a").len(), 1);
}

#[test]
fn a_delete_gives_way_to_the_write_of_a_node_that_has_forgotten_it() {
    let mut cluster = deleted(3);
    cluster.trim(0);
    cluster.put(0, 3, "a");
    let versions = cluster.heads(0, "a");
    assert!(versions[0].replaces.is_empty(), "the author saw no version");
    assert_eq!(dots(&versions), [dot(0, 3)]);
    assert_eq!(cluster.heads(1, "a"), versions);
}

#[test]
fn a_forgotten_version_may_be_named_and_leaves_no_trace() {
    let mut cluster = deleted(3);
    cluster.trim(0);
    let base = Base::Named(vec![dot(0, 1)]);
    let outcome = cluster.write(0, 3, "a", Intent::Put(text(3)), base);
    assert!(matches!(outcome, Some(Outcome::Acknowledged { .. })), "{outcome:?}");
    assert!(cluster.heads(0, "a")[0].replaces.is_empty());
    assert_eq!(cluster.heads(1, "a"), cluster.heads(0, "a"));
}

#[test]
fn a_write_replaces_a_lone_delete_whatever_it_names() {
    for base in [Vec::new(), vec![dot(0, 1)]] {
        let mut cluster = deleted(3);
        cluster.tick(0);
        cluster.trim(1);
        cluster.write(0, 3, "a", Intent::Put(text(3)), Base::Named(base));
        assert!(cluster.heads(0, "a")[0].replaces.contains(&dot(0, 2)));
        // Node 1 has forgotten the delete, and the others have not.
        let shown: Vec<_> = (0..3).map(|node| dots(&cluster.heads(node, "a"))).collect();
        assert_eq!(shown, vec![vec![dot(0, 3)]; 3]);
    }
}

#[test]
fn a_write_that_names_none_of_several_versions_replaces_none_of_them() {
    let mut cluster = Cluster::with(2, 1, 1, forgetful());
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.write(0, 2, "a", Intent::Delete, Base::Named(Vec::new()));
    cluster.write(0, 3, "a", Intent::Put(text(3)), Base::Named(Vec::new()));
    assert_eq!(dots(&cluster.heads(1, "a")), [dot(0, 3), dot(0, 2), dot(0, 1)]);
    assert_eq!(cluster.heads(1, "a")[1].change, Change::Delete, "it stays in the conflict");
}

#[test]
fn a_new_leader_acknowledges_the_retry_of_a_forgotten_request_and_writes_nothing() {
    let requests = [(1, Intent::Put(text(1))), (2, Intent::Delete)];
    // With three nodes the entries carry the epoch of the first leader.
    for (nodes, (number, intent)) in
        [2, 3].into_iter().flat_map(|it| requests.clone().map(|request| (it, request)))
    {
        let mut cluster = deleted(nodes);
        cluster.tick(0);
        cluster.trim(1);
        cluster.elect(1);
        cluster.elect(1);
        assert!(cluster.replica(1).leads());
        let before = *cluster.replica(1).synced_vv();
        let outcome = cluster.write(1, number, "a", intent, Base::Visible);
        assert_eq!(outcome, Some(Outcome::Acknowledged { dot: dot(0, number) }));
        assert_eq!(*cluster.replica(1).synced_vv(), before);
    }
}

#[test]
fn entries_that_were_logged_while_a_checkpoint_was_written_stay() {
    let mut cluster = deleted(1);
    let (node, steadfast) = (NodeId(0), &Steadfast);
    let mut outputs = Vec::new();
    cluster.nodes[0].hear(Input::Trim, steadfast, &mut outputs);
    // The checkpoint is on its way to the disk. A client writes, and the write is synced first.
    cluster.syncs = false;
    cluster.put(0, 3, "a");
    cluster.follow_storage_of(0);
    let replica = cluster.replica(node.index());
    assert_eq!(dots(replica.files().heads(&Path::new("a"))), [dot(0, 3)]);
    assert_eq!(replica.log().entry(dot(0, 3)).map(|it| it.dot), Some(dot(0, 3)));
}

/// Node 2 of three gets an older copy of its log, which lacks the delete that the leader has forgotten.
fn rolled_back() -> Cluster {
    let mut cluster = Cluster::with(3, 2, 2, forgetful());
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let copy = cluster.nodes[2].storage().records().to_vec();
    cluster.write(0, 2, "a", Intent::Delete, Base::Visible);
    cluster.trim(0);
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    let storage = cluster.nodes[2].storage_mut();
    (storage.records, storage.synced) = (copy.clone(), copy.len());
    cluster.restart(2);
    cluster
}

#[test]
fn a_node_halts_when_a_peer_has_forgotten_a_delete_that_its_log_lacks() {
    // The leader may have been started again: its checkpoint says what it has forgotten.
    for restarts in [false, true] {
        let mut cluster = rolled_back();
        if restarts {
            cluster.cut(0, 1);
            cluster.restart(0);
            cluster.link(0, 1);
            (0..2).for_each(|_| cluster.elect(0));
            assert!(cluster.replica(0).leads());
        }
        cluster.link(0, 2);
        let halt = Halt::LacksStable { peer: NodeId(0), dot: dot(0, 2) };
        assert_eq!(cluster.replica(2).halted(), Some(&halt), "restarts: {restarts}");
        assert_eq!(cluster.replicas().filter(|it| it.takes_part()).count(), 2);
    }
}

#[test]
fn a_node_halts_when_a_new_entry_was_made_without_a_delete_that_it_has_forgotten() {
    let mut cluster = rolled_back();
    cluster.tick(0);
    // Node 1, which still holds the delete, is away.
    cluster.cut(0, 1);
    let (context, context_digest) =
        (*cluster.replica(2).log().vv(), cluster.replica(2).fold().digest());
    let old = cluster.heads(1, "a")[0].clone();
    let unaware = Sealed::new(EntryBody {
        dot: dot(2, 1),
        stamp: Stamp { origin: NodeId(2), ..old.stamp },
        context,
        incarnation: cluster.replica(2).incarnation(),
        context_digest,
        replaces: vec![dot(0, 1)],
        change: Change::Put(text(9)),
        ..(*old).clone()
    });
    let mut fold = cluster.replica(0).fold().clone();
    fold.apply(&Record::Entry(unaware.clone()), &Steadfast);
    let vv = *fold.vv();
    let promise = cluster.replica(0).promise();
    let ack = Ack {
        epoch: promise,
        tag: Tag(0),
        vv,
        digest: fold.digest(),
        staged: Vec::new(),
        entries: vec![unaware.clone()],
        state: None,
        payloads: Vec::new(),
    };
    cluster.link(0, 1);
    let session = cluster.replica(0).session(NodeId(1)).expect("a session");
    let packet = Packet { session, message: Sealed::new(Message::Ack(ack)) };
    cluster.queue_input(NodeId(0), Input::Receive { from: NodeId(1), packet });
    cluster.run();
    let halt = Halt::AuthorLacksStable { peer: NodeId(1), dot: unaware.dot };
    assert_eq!(cluster.replica(0).halted(), Some(&halt));
    assert!(cluster.heads(0, "a").is_empty());
}

#[test]
fn a_node_that_has_forgotten_a_delete_goes_on_when_an_old_entry_comes_again() {
    let mut cluster = deleted(3);
    cluster.tick(0);
    cluster.trim(1);
    assert!(cluster.replica(1).fold().forgotten().covers(dot(0, 2)));
    let mut sent = cluster.sent.iter();
    let old =
        sent.find(|it| it.1 == NodeId(1) && it.2.entries().iter().any(|it| it.dot == dot(0, 1)));
    let (from, to, message) = old.expect("an Append").clone();
    let session = cluster.replica(1).session(from).expect("a session");
    let packet = Packet { session, message: Sealed::new(message) };
    cluster.queue_input(to, Input::Receive { from, packet });
    cluster.run();
    assert_eq!(cluster.replica(1).halted(), None);
}

#[test]
fn a_node_that_joins_a_state_knows_what_its_sender_has_forgotten() {
    let mut cluster = deleted(3);
    cluster.trim(0);
    cluster.cut(0, 2);
    cluster.put(0, 3, "b");
    cluster.put(0, 4, "b");
    cluster.trim(0);
    cluster.link(0, 2);
    assert_eq!(cluster.replica(2).fold().forgotten(), cluster.replica(0).fold().forgotten());
    assert!(cluster.replica(2).fold().forgotten().covers(dot(0, 2)));
}

#[test]
fn a_checkpoint_that_has_forgotten_a_delete_outside_its_vector_is_refused() {
    let mut cluster = deleted(3);
    cluster.trim(0);
    let fold = cluster.replica(0).fold().clone();
    let fold = Fold::without_entries_of(fold, NodeId(0));
    let identity = cluster.nodes[0].identity();
    let checkpoint = Sealed::new(Checkpoint { identity, length: LogIndex(3), fold });
    let records = [Record::Checkpoint(checkpoint)];
    let refused = recover(identity, &records);
    let why = StateError::ForgottenOutside;
    assert_eq!(refused.err(), Some(RecoverError::Checkpoint { why }));
}

#[test]
fn a_state_in_parts_has_forgotten_what_the_sender_of_each_part_has() {
    let mut cluster = deleted(3);
    cluster.put(0, 3, "b");
    let fold = cluster.replica(1).fold();
    let forgotten = |it: Dot| {
        let mut vv = VersionVector::default();
        vv.insert(it);
        vv
    };
    let place = Place::Path(Path::new("a"));
    let part = |forgotten, after, until| State {
        since: VersionVector::default(),
        vv: *fold.vv(),
        lineages: fold.lineages().clone(),
        counter: fold.counter(),
        forgotten,
        heads: Vec::new(),
        requests: Vec::new(),
        after,
        until,
    };
    let first = part(forgotten(dot(0, 2)), Place::Start, Some(place.clone()));
    let last = part(VersionVector::default(), place, None);
    let mut joined = Fold::default();
    for it in [first, last] {
        joined.apply(&Record::State(Sealed::new(it)), &Steadfast);
    }
    assert_eq!(joined.vv(), fold.vv());
    assert_eq!(joined.forgotten(), &forgotten(dot(0, 2)));
}
