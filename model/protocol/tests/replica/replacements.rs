//! A new log for a node whose log is lost, from the logs of all other nodes.

use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Base, Change, Checkpoint, Consistency, Dot, EntryBody, Epoch, Fold, Identity, Incarnation,
    Intent, LogIndex, NodeId, Outcome, Parameters, Path, Record, RecoverError, ReplacementError,
    RequestId, Round, Sealed, Sequence, Settings, Stamp, Steadfast, VersionVector, replacement,
};

use crate::cluster::{Cluster, Memory, pairs, recover};

fn records(cluster: &Cluster, node: u8) -> &[Record] {
    cluster.nodes[usize::from(node)].storage().records()
}

fn identity(node: u8, nodes: u8) -> Identity {
    Identity { node: NodeId(node), settings: Settings::new(nodes, 2, 2).expect("legal settings") }
}

fn replaced(
    cluster: &Cluster,
    node: u8,
    from: &[u8],
) -> Result<Sealed<Checkpoint>, ReplacementError> {
    let identity = cluster.nodes[usize::from(node)].identity();
    let logs: Vec<_> = from.iter().map(|it| records(cluster, *it)).collect();
    replacement(identity, &logs, &Steadfast)
}

/// All nodes stop, one gets a new log, and all start again.
fn replace(cluster: &mut Cluster, node: u8, from: &[u8]) {
    let record = Record::Checkpoint(replaced(cluster, node, from).expect("logs of all others"));
    let mut storage = Memory::default();
    (storage.records, storage.synced) = (vec![record], 1);
    *cluster.nodes[usize::from(node)].storage_mut() = storage;
    let nodes = u8::try_from(cluster.nodes.len()).expect("few nodes");
    (0..nodes).for_each(|it| cluster.restart(it));
    for (one, other) in pairs(nodes).filter(|it| it.0 < it.1) {
        cluster.link(one.0, other.0);
    }
}

/// A cluster in which every timer that runs out is an election.
fn unguarded(nodes: u8, elect: u8, write: u8) -> Cluster {
    let parameters = Parameters { guards_elections: false, ..Parameters::default() };
    Cluster::with(nodes, elect, write, parameters)
}

/// Three nodes; node 0 leads, and node 2 misses the last write.
fn three() -> Cluster {
    let mut cluster = unguarded(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.put(0, 2, "b");
    cluster.cut(0, 2);
    cluster.put(0, 3, "a");
    cluster
}

#[test]
fn a_new_log_holds_the_highest_promise_and_the_heads_of_all_logs() {
    let mut cluster = three();
    cluster.elect(2);
    let checkpoint = replaced(&cluster, 0, &[1, 2]).expect("the logs of both others");
    assert_eq!((checkpoint.identity, checkpoint.length), (identity(0, 3), LogIndex(1)));
    assert_eq!(checkpoint.fold.promise(), Epoch { round: Round(2), node: NodeId(2) });
    assert_eq!(checkpoint.fold.vv(), cluster.replica(1).fold().vv());
    assert_eq!(checkpoint.fold.files(), cluster.replica(1).fold().files());
    assert_eq!(checkpoint.fold.requests(), cluster.replica(1).fold().requests());
    assert_eq!(checkpoint.fold.lineages(), cluster.replica(1).fold().lineages());
    assert_eq!(checkpoint.fold.counter(), cluster.replica(1).fold().counter());
    let again = replaced(&cluster, 0, &[2, 1]).expect("the same logs");
    assert_eq!(again, checkpoint, "in any order");

    let record = Record::Checkpoint(checkpoint);
    let node = recover(identity(0, 3), &[record]);
    let node = node.expect("a log");
    assert_eq!(node.log().floor(), node.fold().vv(), "it holds no entry but heads");
    assert_eq!(node.log().entries().count(), 2);
}

#[test]
fn logs_with_conflicts_are_joined_whether_they_are_trimmed_or_not() {
    for trims in [[].as_slice(), &[0], &[1], &[0, 1]] {
        let mut cluster = Cluster::new(3, 1, 1);
        pairs(3).for_each(|(one, other)| cluster.cut(one.0, other.0));
        for (node, number) in [(0, 1), (1, 2), (0, 3)] {
            cluster.elect(node);
            cluster.put(node, number, "a");
        }
        trims.iter().for_each(|it| cluster.trim(*it));
        let checkpoint = replaced(&cluster, 2, &[0, 1]).expect("two logs");
        let heads = checkpoint.fold.files().heads(&Path::new("a"));
        let dots: Vec<_> = heads.iter().map(|it| (it.dot.origin.0, it.dot.sequence.0)).collect();
        assert_eq!(dots, [(0, 2), (1, 1)], "{trims:?}");
        assert_eq!(checkpoint.fold.requests().iter().count(), 3, "{trims:?}");
    }
}

#[test]
fn a_replaced_node_leads_goes_on_with_its_numbers_and_recognises_retries() {
    let mut cluster = three();
    replace(&mut cluster, 0, &[1, 2]);
    cluster.elect(0);
    assert!(cluster.replica(0).leads());
    assert!(cluster.replicas().all(|it| it.takes_part()));
    let written = |outcome| match outcome {
        Some(Outcome::Acknowledged { dot }) => (dot.origin, dot.sequence),
        other => panic!("{other:?}"),
    };
    // It re-issues the entry of the first try under its own epoch, in the place of that entry.
    assert_eq!(written(cluster.put(0, 3, "a")), (NodeId(0), Sequence(4)));
    let heads = cluster.heads(0, "a");
    let replaced = heads[0].replaces.iter().map(|it| (it.origin, it.sequence));
    assert!(heads.len() == 1 && replaced.eq([(NodeId(0), Sequence(3))]), "{heads:?}");
    assert_eq!(written(cluster.put(0, 4, "b")), (NodeId(0), Sequence(5)));
    assert!(matches!(cluster.read(0, 5, Consistency::Linearizable), Some(Outcome::Value { .. })));
    for node in [1, 2] {
        assert_eq!(cluster.replica(node).files(), cluster.replica(0).files(), "{node}");
    }
}

#[test]
fn a_node_that_no_other_node_has_followed_uses_its_numbers_again_and_nobody_halts() {
    let mut cluster = unguarded(2, 1, 2);
    cluster.cut(0, 1);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    assert_eq!(cluster.answer(1), None, "one copy is not enough");
    replace(&mut cluster, 0, &[1]);
    cluster.elect(0);
    let Some(Outcome::Acknowledged { dot }) = cluster.put(0, 2, "b") else {
        panic!("both are there");
    };
    assert_eq!(dot.sequence, Sequence(1));
    assert!(cluster.replicas().all(|it| it.takes_part()));
}

#[test]
fn logs_that_are_missing_doubled_or_of_another_cluster_are_named() {
    let cluster = three();
    let refused = |node, from: &[u8]| replaced(&cluster, node, from).expect_err("wrong logs");
    let node = NodeId;
    assert_eq!(refused(0, &[1]), ReplacementError::Missing { node: node(2) });
    assert_eq!(refused(0, &[]), ReplacementError::Missing { node: node(1) });
    assert_eq!(refused(0, &[1, 2, 1]), ReplacementError::Twice { node: node(1) });
    assert_eq!(refused(0, &[1, 0, 2]), ReplacementError::OwnLog { node: node(0) });

    let of = |identity, logs: &[&[Record]]| {
        replacement(identity, logs, &Steadfast).expect_err("wrong logs")
    };
    let logs = [records(&cluster, 1), records(&cluster, 2)];
    let (found, expected) = (identity(1, 3).settings, identity(0, 4).settings);
    let other = ReplacementError::OtherSettings { node: node(1), found, expected };
    assert_eq!(of(identity(0, 4), &logs), other);
    let stranger = ReplacementError::Stranger { node: node(3), settings: found };
    assert_eq!(of(identity(3, 3), &logs), stranger);
    let outsider = [Record::Identity(identity(3, 3))];
    assert_eq!(of(identity(0, 3), &[&outsider]), stranger);
    assert_eq!(of(identity(0, 3), &[logs[0], &[]]), ReplacementError::NoIdentity { log: 2 });
    let alone = Identity { node: node(0), settings: Settings::new(1, 1, 1).expect("one node") };
    assert_eq!(of(alone, &[]), ReplacementError::Alone);
}

#[test]
fn a_log_with_a_record_that_cannot_follow_is_named() {
    let cluster = three();
    let mut damaged = records(&cluster, 2).to_vec();
    let first = damaged.iter().position(|it| it.entry().is_some()).expect("an entry");
    damaged.remove(first);
    let logs = [&damaged[..], records(&cluster, 1)];
    let error = replacement(identity(0, 3), &logs, &Steadfast).expect_err("a gap");
    let why = match error {
        ReplacementError::Damaged { node: NodeId(2), why } => why,
        other => panic!("{other}"),
    };
    assert!(matches!(why, RecoverError::OutOfOrder { .. }), "{why}");
}

/// The records before the first that is of a kind.
fn cut_before(records: &[Record], is_it: impl Fn(&Record) -> bool) -> &[Record] {
    let at = records.iter().position(is_it).expect("such a record");
    &records[..at]
}

#[test]
fn a_log_that_lacks_what_its_node_has_sent_is_named() {
    let cluster = three();
    let all = records(&cluster, 0);
    let is_entry = |it: &Record| it.entry().is_some();
    let old = cut_before(all, is_entry);
    let error = replacement(identity(2, 3), &[old, records(&cluster, 1)], &Steadfast);
    let (node, peer) = (NodeId(0), NodeId(1));
    let (held, logged) = (Sequence(3), Sequence(0));
    let expected = ReplacementError::LacksOwnEntries { node, peer, held, logged };
    assert_eq!(error, Err(expected));

    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let old = cut_before(records(&cluster, 0), |it| matches!(it, Record::Promise(_)));
    let error = replacement(identity(2, 3), &[records(&cluster, 1), old], &Steadfast);
    let held = Epoch { round: Round(1), node };
    let expected = ReplacementError::LacksOwnPromise { node, peer, held, logged: Epoch::ZERO };
    assert_eq!(error, Err(expected));
}

#[test]
fn logs_that_hold_different_entries_under_one_dot_are_named() {
    // In another past, the same node used the same number for another write.
    let in_two_pasts = |trims: &[u8]| {
        let [mut one, mut other] = [(); 2].map(|()| Cluster::new(3, 2, 2));
        other.restart(0);
        other.link(0, 1);
        other.link(0, 2);
        one.elect(0);
        one.put(0, 1, "a");
        one.put(0, 2, "b");
        other.elect(0);
        other.put(0, 1, "c");
        other.put(0, 2, "c");
        trims.iter().for_each(|it| (if *it == 1 { &mut one } else { &mut other }).trim(*it));
        let logs = [records(&one, 1), records(&other, 2)];
        replacement(identity(0, 3), &logs, &Steadfast)
    };
    for trims in [[].as_slice(), &[1], &[2], &[1, 2]] {
        let error = in_two_pasts(trims).expect_err("two pasts");
        let (one, other) = (NodeId(1), NodeId(2));
        let ReplacementError::EntriesDiffer { one: a, other: b, vv } = &error else {
            panic!("{trims:?}: {error}");
        };
        assert_eq!((*a, *b), (one, other), "{trims:?}");
        assert_eq!(vv.to_string(), "[2]", "{trims:?}: all that both hold");
    }
}

#[test]
fn logs_without_lineages_differ_by_an_entry_that_both_hold() {
    let trimmed = |node: u8, paths: &[&str]| {
        let mut cluster = Cluster::new(3, 2, 2);
        cluster.elect(0);
        for (number, path) in (1..).zip(paths) {
            cluster.put(0, number, path);
        }
        cluster.trim(node);
        records(&cluster, node).to_vec()
    };
    let logs = [trimmed(1, &["a", "b", "b"]), trimmed(2, &["c", "d"])];
    let made = replacement(identity(0, 3), &[&logs[0], &logs[1]], &Steadfast);
    let Err(ReplacementError::EntriesDiffer { vv, .. }) = made else { panic!("{made:?}") };
    assert_eq!(vv.to_string(), "[1]");
}

#[test]
fn a_log_that_lacks_a_delete_which_another_has_forgotten_is_named() {
    let mut cluster = unguarded(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let copy = records(&cluster, 1).to_vec();
    cluster.write(0, 2, "a", Intent::Delete, Base::Visible);
    cluster.trim(0);
    let forgotten = *cluster.replica(0).fold().forgotten();
    let made =
        replacement(identity(2, 3), &[records(&cluster, 0), records(&cluster, 1)], &Steadfast);
    assert_eq!(made.expect("whole logs").fold.forgotten(), &forgotten);
    let made = replacement(identity(2, 3), &[records(&cluster, 0), &copy], &Steadfast);
    let dot = Dot { origin: NodeId(0), sequence: Sequence(2) };
    let (node, peer) = (NodeId(1), NodeId(0));
    assert_eq!(made, Err(ReplacementError::LacksForgotten { node, peer, dot }));
}

#[test]
fn logs_that_differ_behind_trims_are_named_by_their_lineages() {
    // The log of node 2 was rolled back, and it made its first entry twice. Neither log holds it any more.
    let add = |fold: &mut Fold, (origin, sequence): (u8, u64), incarnation: u64| {
        let origin = NodeId(origin);
        let path = Path::new("a");
        let body = EntryBody {
            dot: Dot { origin, sequence: Sequence(sequence) },
            stamp: Stamp { fence: None, counter: fold.counter().next(), origin },
            context: *fold.vv(),
            incarnation: Incarnation(incarnation),
            context_digest: fold.digest(),
            replaces: fold.files().heads(&path).iter().map(|it| it.dot).collect(),
            path,
            change: Change::Delete,
            request: RequestId { client: origin.0.into(), number: sequence },
        };
        fold.apply(&Record::Entry(Sealed::new(body)), &Steadfast);
    };
    let made = |incarnation: u64| {
        let [mut one, mut other] = <[Fold; 2]>::default();
        add(&mut one, (2, 1), 1);
        add(&mut one, (2, 2), 1);
        add(&mut other, (2, 1), incarnation);
        add(&mut other, (1, 1), 1);
        let logs = [(0, one), (1, other)].map(|(node, fold)| {
            let checkpoint = Checkpoint { identity: identity(node, 3), length: LogIndex(9), fold };
            [Record::Checkpoint(Sealed::new(checkpoint))]
        });
        replacement(identity(2, 3), &[&logs[0], &logs[1]], &Steadfast).map(drop)
    };
    assert_eq!(made(1), Ok(()));
    let mut vv = VersionVector::default();
    vv.insert(Dot { origin: NodeId(2), sequence: Sequence(1) });
    let (one, other) = (NodeId(0), NodeId(1));
    assert_eq!(made(2), Err(ReplacementError::EntriesDiffer { one, other, vv }));
}
