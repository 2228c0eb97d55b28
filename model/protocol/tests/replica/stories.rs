//! Stories of a few replicas, driven by hand over a perfect network.

use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Append, Base, Change, Consistency, Content, ContentId, ContentReply, Counter, Digest, Dot,
    Effect, Entry, EntryBody, Epoch, Identity, Incarnation, Input, Intent, Log, LogIndex, Message,
    NodeId, Outcome, Packet, Path, Payload, Record, RecoverError, Refusal, Replica, RequestId,
    Round, Sealed, Sequence, SessionId, Settings, Stamp, Steadfast, Tag, VersionVector,
};

use crate::cluster::{Cluster, recover, text};

#[test]
fn a_write_reaches_every_node_of_clusters_of_one_two_three_and_five() {
    for (nodes, elect, write) in [(1, 1, 1), (2, 2, 2), (3, 2, 2), (5, 3, 3)] {
        let mut cluster = Cluster::new(nodes, elect, write);
        cluster.elect(0);
        assert!(matches!(cluster.put(0, 1, "a"), Some(Outcome::Acknowledged { .. })), "{nodes}");
        for replica in cluster.replicas() {
            assert_eq!(replica.files(), cluster.replica(0).files());
            assert_eq!(replica.files().len(), 1);
        }
    }
}

#[test]
fn a_write_is_not_acknowledged_before_w_nodes_have_synced_it() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.syncs = false;
    assert_eq!(cluster.put(0, 1, "a"), None);
    let length = cluster.replica(0).log().length();
    cluster.queue_input(NodeId(0), Input::Synced(length));
    cluster.run();
    assert_eq!(cluster.answer(1), None, "one copy is not two");
    let length = cluster.replica(2).log().length();
    cluster.queue_input(NodeId(2), Input::Synced(length));
    cluster.run();
    assert!(matches!(cluster.answer(1), Some(Outcome::Acknowledged { .. })));
}

#[test]
fn only_a_leader_accepts_writes_and_others_say_who_leads() {
    let mut cluster = Cluster::new(3, 2, 2);
    let nobody = Outcome::Refused(Refusal::NotLeader { leader: None });
    assert_eq!(cluster.put(1, 1, "a"), Some(nobody));
    cluster.elect(0);
    let other = Outcome::Refused(Refusal::NotLeader { leader: Some(NodeId(0)) });
    assert_eq!(cluster.put(1, 2, "a"), Some(other));
}

#[test]
fn a_retry_is_acknowledged_without_a_second_entry() {
    for (elect, write, next) in [(2, 2, 0), (1, 1, 0), (1, 1, 1)] {
        let mut cluster = Cluster::new(3, elect, write);
        cluster.elect(0);
        let first = cluster.put(0, 1, "a");
        if next != 0 {
            cluster.elect(next);
        }
        assert_eq!(cluster.put(next, 1, "a"), first);
        assert_eq!(cluster.replica(next.into()).log().entries().count(), 1);
    }
}

/// A cluster with a new leader, in which only the first leader knows of a put and a delete.
fn outlived_writes() -> Cluster {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "b");
    cluster.cut(0, 2);
    cluster.cut(0, 1);
    assert_eq!(cluster.put(0, 2, "a"), None);
    assert_eq!(cluster.write(0, 3, "b", Intent::Delete, Base::Visible), None);
    cluster.elect(1);
    cluster
}

#[test]
fn a_retry_at_a_later_leader_replaces_the_entry_of_the_first_try() {
    let mut cluster = outlived_writes();
    cluster.link(0, 1);
    for (number, path) in [(2, "a"), (3, "b")] {
        let first = cluster.heads(1, path)[0].clone();
        let intent = if number == 2 { Intent::Put(text(number)) } else { Intent::Delete };
        let answer = cluster.write(1, number, path, intent, Base::Visible);
        let heads = cluster.heads(1, path);
        assert_eq!(answer, Some(Outcome::Acknowledged { dot: heads[0].dot }), "{path}");
        assert_eq!((heads.len(), &heads[0].change), (1, &first.change), "{path}");
        assert!(heads[0].stamp.fence > first.stamp.fence, "{path}");
    }
}

#[test]
fn a_retry_of_a_write_that_lost_to_a_later_leader_is_not_acknowledged() {
    let mut cluster = outlived_writes();
    assert!(matches!(cluster.put(1, 4, "a"), Some(Outcome::Acknowledged { .. })));
    cluster.link(0, 1);
    let heads = cluster.heads(1, "a");
    let overtaken = Refusal::Overtaken { dot: heads[1].dot, path: Path::new("a") };
    assert_eq!(heads[1].request.number, 2);
    assert_eq!(cluster.put(1, 2, "a"), Some(Outcome::Refused(overtaken)));
    assert_eq!(cluster.heads(1, "a"), heads);
}

#[test]
fn a_deposed_leader_tells_its_client_that_the_outcome_is_unknown() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    assert_eq!(cluster.put(0, 1, "a"), None);
    cluster.elect(1);
    cluster.link(0, 1);
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
}

fn conflict() -> Cluster {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.elect(1);
    cluster.put(0, 1, "a");
    cluster.put(1, 2, "a");
    cluster.link(0, 1);
    cluster
}

#[test]
fn the_loser_of_a_conflict_is_kept_on_every_node_and_survives_an_overwrite() {
    let mut cluster = conflict();
    assert_eq!(cluster.heads(0, "a").len(), 2);
    assert_eq!(cluster.heads(0, "a"), cluster.heads(1, "a"));
    let loser = cluster.heads(1, "a")[1].dot;
    cluster.put(1, 3, "a");
    assert!(cluster.heads(0, "a").iter().any(|head| head.dot == loser));
}

#[test]
fn a_conflict_is_resolved_by_naming_its_heads() {
    let mut cluster = conflict();
    let heads = cluster.heads(1, "a").iter().map(|head| head.dot).collect();
    cluster.write(1, 3, "a", Intent::Put(text(3)), Base::Named(heads));
    assert_eq!(cluster.heads(0, "a").len(), 1);
}

#[test]
fn a_restored_loser_becomes_the_visible_version() {
    let mut cluster = conflict();
    let loser = cluster.heads(1, "a")[1].clone();
    cluster.write(1, 3, "a", Intent::Restore(loser.dot), Base::Visible);
    let heads = cluster.heads(0, "a");
    assert_eq!((heads.len(), &heads[0].change), (1, &loser.change));
}

#[test]
fn a_delete_of_a_missing_file_is_refused() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    let refused = Outcome::Refused(Refusal::NotFound { path: Path::new("a") });
    assert_eq!(cluster.write(0, 1, "a", Intent::Delete, Base::Visible), Some(refused));
}

#[test]
fn a_stale_read_says_so_and_a_linearizable_one_needs_a_quorum() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let stale = cluster.read(1, 2, Consistency::Stale);
    assert!(matches!(stale, Some(Outcome::Value { version: Some(_), stale: true })));
    let fresh = cluster.read(0, 3, Consistency::Linearizable);
    assert!(matches!(fresh, Some(Outcome::Value { version: Some(_), stale: false })));
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    assert_eq!(cluster.read(0, 4, Consistency::Linearizable), None);
}

#[test]
fn a_log_of_another_node_or_of_other_settings_is_refused() {
    let settings = Settings::new(3, 2, 2).expect("legal settings");
    let found = Identity { node: NodeId(1), settings };
    let expected = Identity { node: NodeId(0), settings };
    let recovered = recover(expected, &[Record::Identity(found)]);
    assert_eq!(recovered, Err(RecoverError::OtherIdentity { found, expected }));
    assert_eq!(recover(expected, &[]), Err(RecoverError::NoIdentity));
}

#[test]
fn recovery_replays_to_the_same_files() {
    let mut cluster = conflict();
    cluster.put(1, 3, "b");
    for node in &cluster.nodes {
        let (replica, log) = (node.replica().expect("it is up"), node.storage().records());
        let recovered = recover(node.identity(), log).expect("its own log");
        assert_eq!(recovered.files(), replica.files());
        assert_eq!(recovered.promise(), replica.promise());
    }
}

#[test]
fn heads_computed_entry_by_entry_equal_those_computed_from_the_whole_log() {
    let mut cluster = conflict();
    cluster.put(1, 3, "a");
    for replica in cluster.replicas() {
        let path = Path::new("a");
        assert_eq!(heads_of(replica.log(), &path), replica.files().heads(&path));
    }
}

/// The heads of a path, highest stamp first, computed from a whole log.
fn heads_of(log: &Log, path: &Path) -> Vec<Entry> {
    let of_path: Vec<&Entry> = log.entries().filter(|it| it.path == *path).collect();
    let is_head = |it: &&&Entry| !of_path.iter().any(|other| other.replaces.contains(&it.dot));
    let mut heads: Vec<Entry> = of_path.iter().filter(is_head).map(|it| (**it).clone()).collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.stamp));
    heads
}

/// The last of the first entries of node 0 if these are the contents that they name.
fn naming(contents: &[ContentId]) -> Entry {
    let (origin, sequence) = (NodeId(0), contents.len() as u64);
    let mut context = VersionVector::default();
    context.insert(Dot { origin, sequence: Sequence(sequence - 1) });
    Sealed::new(EntryBody {
        dot: Dot { origin, sequence: Sequence(sequence) },
        stamp: Stamp { fence: None, counter: Counter(sequence), origin },
        context,
        incarnation: Incarnation::default(),
        context_digest: Digest::default(),
        replaces: Vec::new(),
        path: Path::new(format!("file {sequence}")),
        change: Change::Put(Content::Named(*contents.last().expect("an entry"))),
        request: RequestId { client: 1, number: sequence },
    })
}

#[test]
fn a_peer_whose_answer_came_while_a_delta_was_stored_is_asked_again() {
    let (leader, content) = (NodeId(0), ContentId([7; 32]));
    let settings = Settings::new(2, 1, 1).expect("legal settings");
    let identity = Identity { node: NodeId(1), settings };
    let epoch = Epoch { round: Round(1), node: leader };
    let log =
        [Record::Identity(identity), Record::Promise(epoch), Record::Entry(naming(&[content]))];
    let mut replica = recover(identity, &log).expect("a log");
    let mut effects = Vec::new();
    let mut hear = |input| {
        effects.clear();
        replica.step(&Steadfast, input, &mut effects);
        let is_need = |it: &Message| matches!(it, Message::Need(need) if need.content == content);
        let asks =
            |it: &Effect| matches!(it, Effect::Send { packet, .. } if is_need(&packet.message));
        effects.iter().any(asks)
    };
    let session = SessionId(1);
    let receive = |message| Input::Receive {
        from: leader,
        packet: Packet { session, message: Sealed::new(message) },
    };
    assert!(hear(Input::LinkUp { peer: leader, session }));
    // 1. A delta arrives with another entry that names the same content.
    let delta = Payload { content, base: Some(ContentId([8; 32])) };
    let (entries, payloads) = (vec![naming(&[content; 2])], vec![delta]);
    let append = Append { epoch, tag: Tag(1), entries, payloads, ..Append::default() };
    assert!(!hear(receive(Message::Append(append))));
    // 2. The answer arrives while the node stores the delta, and the node ignores it.
    let whole = Some(Payload { content, base: None });
    assert!(!hear(receive(Message::Content(ContentReply { content, payload: whole }))));
    // 3. The node lacks the base of the delta.
    assert!(hear(Input::Unusable { content }));
}

/// A follower of node 0 that has received Appends, each given by its tag and the number of its entries.
/// Entry n names content n.
fn follower_that_heard(appends: impl IntoIterator<Item = (u64, u8)>) -> Replica {
    let (leader, settings) = (NodeId(0), Settings::new(2, 1, 1).expect("legal settings"));
    let identity = Identity { node: NodeId(1), settings };
    let log = [Record::Identity(identity)];
    let mut replica = recover(identity, &log).expect("a log");
    let (epoch, session) = (Epoch { round: Round(1), node: leader }, SessionId(1));
    let effects = &mut Vec::new();
    replica.step(&Steadfast, Input::LinkUp { peer: leader, session }, effects);
    for (tag, count) in appends {
        let contents: Vec<ContentId> = (1..=count).map(|it| ContentId([it; 32])).collect();
        let entries: Vec<Entry> =
            (1..=contents.len()).map(|count| naming(&contents[..count])).collect();
        let mut vv = VersionVector::default();
        entries.iter().for_each(|it| vv.insert(it.dot));
        let append = Append { epoch, tag: Tag(tag), entries, vv, ..Append::default() };
        let packet = Packet { session, message: Sealed::new(Message::Append(append)) };
        replica.step(&Steadfast, Input::Receive { from: leader, packet }, effects);
    }
    replica
}

/// The tags of the Acks that a node sends once a content has arrived and its log is synced.
fn acked_with(replica: &mut Replica, content: u8) -> Vec<Tag> {
    let mut effects = Vec::new();
    let content = ContentId([content; 32]);
    replica.step(&Steadfast, Input::Stored { content }, &mut effects);
    let end = replica.log().length();
    replica.step(&Steadfast, Input::Synced(end), &mut effects);
    let tag = |effect: &Effect| match effect {
        Effect::Send { packet, .. } => match &*packet.message {
            Message::Ack(ack) => Some(ack.tag),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(tag).collect()
}

#[test]
fn a_follower_keeps_and_answers_the_newest_of_the_heartbeats_that_wait_for_the_same_content() {
    let mut replica = follower_that_heard((1..=1_000).map(|tag| (tag, 1)));
    assert_eq!(replica.waiting().len(), 1);
    assert_eq!(acked_with(&mut replica, 1), [Tag(1_000)]);
    assert_eq!((replica.files().len(), replica.is_idle()), (1, true));
}

#[test]
fn a_newer_message_does_not_delay_an_older_one_that_waits_for_fewer_contents() {
    let mut replica = follower_that_heard([(1, 1), (1, 1), (1, 2), (2, 2), (3, 3), (3, 3)]);
    assert_eq!(replica.waiting().len(), 3);
    assert_eq!(acked_with(&mut replica, 1), [Tag(1)]);
    assert_eq!((replica.files().len(), replica.waiting().len()), (1, 2));
    assert_eq!(acked_with(&mut replica, 3), []);
    assert_eq!(replica.waiting().len(), 1);
    assert_eq!(acked_with(&mut replica, 2), [Tag(3)]);
    assert_eq!((replica.files().len(), replica.is_idle()), (3, true));
}

// Ensures: G3 and G6.
#[test]
fn a_node_applies_and_shows_the_synced_records_and_no_others() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    cluster.syncs = false;
    (1..=2).for_each(|number| drop(cluster.put(0, number, "a")));
    let length = cluster.replica(0).log().length().0;
    for (synced, shown) in [(length - 2, None), (length - 1, Some(1)), (length, Some(2))] {
        cluster.queue_input(NodeId(0), Input::Synced(LogIndex(synced)));
        cluster.run();
        let node = &cluster.nodes[0];
        let records = &node.storage().records()[..usize::try_from(synced).expect("a short log")];
        let replayed = recover(node.identity(), records).expect("its own log");
        assert_eq!(cluster.replica(0).fold(), replayed.fold(), "{synced}");
        assert_eq!(cluster.replica(0).is_idle(), synced == length);
        let Some(Outcome::Value { version, stale: true }) =
            cluster.read(0, 10 + synced, Consistency::Stale)
        else {
            panic!("a stale read is answered at once");
        };
        assert_eq!(version.map(|it| it.request.number), shown, "{synced}");
    }
}

#[test]
fn an_outline_shows_what_its_replica_shows_and_holds_no_entries() {
    let mut cluster = conflict();
    cluster.put(1, 3, "b");
    for replica in cluster.replicas() {
        let outline = replica.outline();
        assert_eq!((outline.fold(), outline.files()), (replica.fold(), replica.files()));
        assert_eq!((outline.role(), outline.promise()), (replica.role(), replica.promise()));
        let ends = |it: &Replica| (it.log().length(), it.synced(), *it.log().floor());
        assert_eq!(ends(&outline), ends(replica));
        assert_eq!(outline.log().entries().count(), 0);
    }
}
