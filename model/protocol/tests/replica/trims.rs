//! Logs that drop entries, and peers that get state instead of them.

use std::num::NonZeroU32;

use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Ack, Append, Base, Consistency, Counter, Digest, Dot, Entry, Fold, Input, Intent, Limits,
    Lineages, LogIndex, Message, NODES_MAX, NodeId, NodeSet, Outcome, Packet, Parameters, Path,
    Place, Record, RecoverError, Replica, Sealed, Sequence, SessionId, State, Steadfast, Tag,
    VersionVector, last_index,
};

use crate::cluster::{Cluster, recover, text};

pub(crate) fn dot(origin: u8, sequence: u64) -> Dot {
    Dot { origin: NodeId(origin), sequence: Sequence(sequence) }
}

/// The dots of the entries that a node holds.
fn held(cluster: &Cluster, node: usize) -> Vec<Dot> {
    cluster.replica(node).log().entries().map(|it| it.dot).collect()
}

/// The node as it recovers from its records.
fn recovered(cluster: &Cluster, node: usize) -> Replica {
    let node = &cluster.nodes[node];
    let records = node.storage().records();
    recover(node.identity(), records).expect("its own log")
}

/// The states that nodes have sent.
pub(crate) fn states(cluster: &Cluster) -> Vec<State> {
    let states = cluster.sent.iter().filter_map(|(_, _, message)| message.state());
    states.map(|it| (**it).clone()).collect()
}

/// Node 2 of three misses two of three writes, and the leader then trims its log.
fn with_a_node_away() -> Cluster {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.cut(0, 2);
    cluster.put(0, 2, "a");
    cluster.put(0, 3, "b");
    cluster.trim(0);
    cluster
}

#[test]
fn a_trim_drops_the_entries_that_are_no_heads_and_changes_nothing_else() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    (1..=3).for_each(|number| drop(cluster.put(0, number, "a")));
    let before = cluster.replica(0).clone();
    cluster.trim(0);
    let after = cluster.replica(0);
    assert_eq!(held(&cluster, 0), [dot(0, 3)]);
    assert_eq!(after.log().length(), before.log().length(), "indexes do not change");
    assert_eq!(after.log().floor(), before.synced_vv());
    assert_eq!((after.fold(), after.files()), (before.fold(), before.files()));
    assert_eq!(after.log().digest(after.synced_vv()), before.log().digest(before.synced_vv()));
    let records = cluster.nodes[0].storage().records();
    assert!(matches!(records, [Record::Checkpoint(_)]), "{records:?}");
    let again = recovered(&cluster, 0);
    assert_eq!(again.fold(), after.fold());
    assert_eq!(again.log().digest(after.synced_vv()), after.log().digest(after.synced_vv()));
    assert_eq!(held(&cluster, 1).len(), 3, "every node trims by itself");
}

#[test]
fn nothing_unsynced_goes_into_a_checkpoint() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.syncs = false;
    cluster.put(0, 2, "a");
    cluster.trim(0);
    let records = cluster.nodes[0].storage().records().to_vec();
    assert!(matches!(records[..], [Record::Checkpoint(_), Record::Entry(_)]), "{records:?}");
    assert_eq!(held(&cluster, 0), [dot(0, 1), dot(0, 2)], "a crash may take back the newer one");
    let [Record::Checkpoint(checkpoint), ..] = &records[..] else {
        unreachable!("it was compared");
    };
    assert_eq!(checkpoint.fold.vv().sequence(NodeId(0)), Sequence(1));
    assert!(checkpoint.fold.requests().iter().all(|(request, _)| request.number == 1));
    let synced = recovered(&cluster, 0);
    assert_eq!(synced.log().length(), last_index(&records));
}

#[test]
fn a_node_that_missed_dropped_entries_gets_state_and_ends_like_the_others() {
    let mut cluster = with_a_node_away();
    cluster.link(0, 2);
    let states = states(&cluster);
    assert_eq!(states.len(), 1, "{states:?}");
    assert!(states[0].heads.iter().map(|it| it.dot).eq([dot(0, 2), dot(0, 3)]));
    assert!(states[0].since.covers(dot(0, 1)));
    let (leader, follower) = (cluster.replica(0), cluster.replica(2));
    assert_eq!(follower.fold(), leader.fold());
    assert_eq!(follower.log().floor(), leader.log().floor());
    assert_eq!(recovered(&cluster, 2).fold(), leader.fold());
    let numbers: Vec<u64> = states[0].requests.iter().map(|it| it.0.number).collect();
    assert_eq!(numbers, [2, 3], "it has the first");
    assert_eq!(held(&cluster, 2), [dot(0, 1), dot(0, 2), dot(0, 3)]);
    let (log, digest) = (follower.log(), follower.fold().digest());
    assert_eq!(log.digest(log.vv()), Some(digest), "it notices whether other nodes differ");
    assert!(matches!(cluster.put(0, 4, "a"), Some(Outcome::Acknowledged { .. })));
    assert_eq!(cluster.replica(2).files(), cluster.replica(0).files(), "entries follow");
}

#[test]
fn only_paths_with_a_new_head_travel_as_state() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "same");
    cluster.cut(0, 2);
    cluster.put(0, 2, "new");
    cluster.trim(0);
    cluster.link(0, 2);
    let states = states(&cluster);
    assert!(states[0].heads.iter().all(|it| it.path == Path::new("new")), "{states:?}");
    assert_eq!(cluster.replica(2).files(), cluster.replica(0).files());
}

#[test]
fn a_node_that_got_state_recognises_a_retry() {
    let mut cluster = with_a_node_away();
    cluster.link(0, 2);
    cluster.elect(2);
    cluster.elect(2);
    assert!(cluster.replica(2).leads(), "its peers grant the second pre-vote");
    let retried = cluster.put(2, 3, "b");
    assert!(matches!(retried, Some(Outcome::Acknowledged { .. })), "{retried:?}");
    let versions = cluster.heads(2, "b");
    assert_eq!(versions.len(), 1, "the retry replaces the entry of the older epoch: {versions:?}");
    assert_eq!(versions[0].replaces, [dot(0, 3)]);
}

#[test]
fn a_retry_of_a_dropped_entry_is_acknowledged_again_and_another_write_with_its_id_refused() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.put(0, 2, "a");
    cluster.trim(0);
    assert_eq!(held(&cluster, 0), [dot(0, 2)]);
    let retried = cluster.put(0, 1, "a");
    assert_eq!(retried, Some(Outcome::Acknowledged { dot: dot(0, 1) }));
    let reused = cluster.write(0, 1, "a", Intent::Put(text(9)), Base::Visible);
    assert!(matches!(reused, Some(Outcome::Refused(_))), "{reused:?}");
}

#[test]
fn a_write_may_name_a_version_that_the_log_has_dropped() {
    let mut cluster = Cluster::new(1, 1, 1);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    cluster.put(0, 2, "a");
    cluster.trim(0);
    let base = Base::Named(vec![dot(0, 1)]);
    let outcome = cluster.write(0, 3, "a", Intent::Put(text(3)), base);
    assert!(matches!(outcome, Some(Outcome::Acknowledged { .. })), "{outcome:?}");
    let base = Base::Named(vec![dot(0, 9)]);
    let outcome = cluster.write(0, 4, "a", Intent::Put(text(4)), base);
    assert!(matches!(outcome, Some(Outcome::Refused(_))), "nobody made it: {outcome:?}");
    let base = Base::Named(vec![dot(0, 2)]);
    let outcome = cluster.write(0, 5, "b", Intent::Put(text(5)), base);
    assert!(matches!(outcome, Some(Outcome::Refused(_))), "it is of another path: {outcome:?}");
}

#[test]
fn both_sides_of_a_split_join_their_states() {
    for trims in [[true, false], [false, true], [true, true]] {
        let mut cluster = Cluster::new(2, 1, 1);
        cluster.elect(0);
        cluster.put(0, 1, "a");
        cluster.cut(0, 1);
        cluster.elect(1);
        for number in [2, 3] {
            cluster.put(0, number, "a");
            cluster.put(1, number + 10, "a");
        }
        for node in [0, 1] {
            if trims[usize::from(node)] {
                cluster.trim(node);
            }
        }
        cluster.link(0, 1);
        let heads = cluster.heads(0, "a");
        assert_eq!(heads.len(), 2, "{trims:?}: a conflict is kept: {heads:?}");
        assert_eq!(heads, cluster.heads(1, "a"), "{trims:?}");
        assert!((0..2).all(|it| held(&cluster, it).is_sorted_by(|a, b| a < b)), "each once");
        assert_eq!(cluster.replica(0).fold().vv(), cluster.replica(1).fold().vv(), "{trims:?}");
        for node in [0, 1] {
            assert_eq!(recovered(&cluster, node).fold(), cluster.replica(node).fold());
        }
    }
}

#[test]
fn a_state_raises_the_floor_only_of_origins_of_which_it_brings_something() {
    let mut cluster = Cluster::new(3, 1, 1);
    cluster.elect(1);
    (1..=2).for_each(|number| drop(cluster.put(1, number, "b")));
    (0..2).for_each(|_| cluster.elect(0));
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    (3..=4).for_each(|number| drop(cluster.put(0, number, "a")));
    cluster.trim(0);
    cluster.link(0, 2);
    assert_eq!(states(&cluster).len(), 1);
    let follower = cluster.replica(2).log();
    assert_eq!(follower.vv(), cluster.replica(0).log().vv());
    let floor = [0, 1].map(|it| follower.floor().sequence(NodeId(it)).0);
    assert_eq!(floor, [2, 0], "it holds the entries of node 1, and can send them");
    let mut older = VersionVector::default();
    older.insert(dot(1, 1));
    assert!(follower.digest(&older).is_some());
}

/// What node 1, which has no entries, does with a state from node 0 that is made from a right one.
fn after_receiving(spoil: impl Fn(&mut State)) -> (Cluster, LogIndex) {
    let mut cluster = with_a_node_away();
    cluster.link(0, 2);
    let mut state = states(&cluster).remove(0);
    spoil(&mut state);
    let (epoch, vv) = (cluster.replica(0).promise(), state.vv);
    let digest = cluster.replica(0).log().digest(&vv).unwrap_or_default();
    let mut other = Cluster::new(3, 2, 2);
    other.elect(0);
    let before = other.replica(1).log().length();
    let append = Append {
        epoch,
        tag: Tag(0),
        entries: Vec::new(),
        state: Some(Sealed::new(state)),
        vv,
        digest,
        staged: Vec::new(),
        payloads: Vec::new(),
        stable: VersionVector::default(),
    };
    let packet = Packet { session: SessionId(1), message: Sealed::new(Message::Append(append)) };
    other.queue_input(NodeId(1), Input::Receive { from: NodeId(0), packet });
    other.run();
    (other, before)
}

/// A fault of a state, and how to make it.
type Spoilt<'a> = (&'a str, &'a dyn Fn(&mut State));

#[test]
fn state_that_does_not_fit_is_refused_and_nothing_of_it_is_applied() {
    let whole = |state: &mut State| state.since = VersionVector::default();
    let (node, before) = after_receiving(whole);
    assert_eq!(node.replica(1).log().length(), before.next(), "a whole one is taken");
    let gap = |_: &mut State| {};
    let outside = |state: &mut State| {
        whole(state);
        state.vv = VersionVector::default();
        state.vv.insert(dot(0, 1));
    };
    let backwards = |state: &mut State| state.vv = VersionVector::default();
    let twice = |state: &mut State| {
        whole(state);
        state.heads.push(state.heads[0].clone());
    };
    let stranger = |state: &mut State| {
        whole(state);
        state.vv.insert(dot(5, 1));
    };
    let spoilt: [Spoilt<'_>; 5] = [
        ("a gap", &gap),
        ("heads outside its vector", &outside),
        ("a vector below the one it builds on", &backwards),
        ("a path twice", &twice),
        ("a vector of a stranger", &stranger),
    ];
    for (why, spoil) in spoilt {
        let (node, before) = after_receiving(spoil);
        assert_eq!(node.replica(1).log().length(), before, "{why}");
        assert_eq!(node.replica(1).files().len(), 0, "{why}");
    }
}

#[test]
fn a_checkpoint_of_another_node_or_with_heads_outside_its_vector_is_refused() {
    let mut cluster = with_a_node_away();
    cluster.trim(1);
    let records = |node: usize| cluster.nodes[node].storage().records().to_vec();
    let identity = cluster.nodes[1].identity();
    let recover = |records: &[Record]| recover(identity, records).map(drop);
    assert_eq!(recover(&records(1)), Ok(()));
    assert!(matches!(recover(&records(0)), Err(RecoverError::OtherIdentity { .. })));
    let twice = [records(1), records(1)].concat();
    assert!(matches!(recover(&twice), Err(RecoverError::OutOfOrder { .. })));
}

/// A cluster of two, where node 1 has missed these many files, and its peer sends this many in a part.
pub(crate) fn with_files_missed(files: u64, in_a_part: u32) -> Cluster {
    let entries = NonZeroU32::new(in_a_part).expect("not zero");
    let limits = Limits { entries, ..Limits::default() };
    let mut cluster = Cluster::with(2, 1, 1, Parameters { limits, ..Parameters::default() });
    cluster.elect(0);
    cluster.cut(0, 1);
    for number in 0..files {
        cluster.put(0, 2 * number + 1, &format!("file {number}"));
        cluster.put(0, 2 * number + 2, &format!("file {number}"));
    }
    cluster.trim(0);
    cluster
}

#[test]
fn a_large_state_travels_in_parts_and_counts_when_the_last_has_come() {
    let mut cluster = with_files_missed(10, 3);
    cluster.link(0, 1);
    let parts = states(&cluster);
    assert!(parts.len() >= 10, "20 requests and 10 heads, 3 in a part: {}", parts.len());
    assert!(parts.iter().all(|it| it.heads.len() + it.requests.len() <= 3), "{parts:?}");
    assert!(parts.windows(2).all(|it| it[0].until.as_ref() == Some(&it[1].after)), "in order");
    assert_eq!(cluster.replica(1).fold(), cluster.replica(0).fold());
    assert_eq!(recovered(&cluster, 1).fold(), cluster.replica(0).fold());
    assert_eq!(held(&cluster, 1), held(&cluster, 0), "the heads of all parts");
}

#[test]
fn heartbeats_begin_no_state_again() {
    let mut cluster = with_files_missed(3, 1);
    cluster.syncs = false;
    cluster.link(0, 1);
    for _ in 0..2 {
        (0..2).for_each(|_| cluster.tick(0));
        cluster.follow_storage_of(1);
    }
    let parts = states(&cluster);
    assert_eq!(parts.len(), 3, "{parts:?}");
    assert!(parts.windows(2).all(|it| it[0].until.as_ref() == Some(&it[1].after)), "in order");
}

#[test]
fn a_follower_sends_no_part_of_a_state_again_before_the_session_ends() {
    let mut cluster = with_files_missed(3, 1);
    (0..2).for_each(|_| cluster.elect(1));
    cluster.syncs = false;
    cluster.link(0, 1);
    cluster.follow_storage_of(0);
    // The leader has logged the first part and not synced it, so no heartbeat confirms it.
    (0..3).for_each(|_| cluster.tick(1));
    cluster.follow_storage_of(0);
    assert!(cluster.replica(1).leads());
    let in_acks = cluster.sent.iter().filter(|it| matches!(it.2, Message::Ack(_)));
    assert_eq!(in_acks.filter(|it| it.2.state().is_some()).count(), 1);
    cluster.syncs = true;
    cluster.follow_storage_of(1);
    assert_eq!(cluster.replica(1).files(), cluster.replica(0).files());
}

#[test]
fn more_versions_of_a_file_than_fit_into_a_part_travel_in_several() {
    let mut cluster = with_files_missed(1, 3);
    cluster.cut(0, 1);
    for number in 10..20 {
        let intent = Intent::Put(text(number));
        let written = cluster.write(0, number, "versions", intent, Base::Named(Vec::new()));
        assert!(matches!(written, Some(Outcome::Acknowledged { .. })), "{written:?}");
    }
    cluster.trim(0);
    assert_eq!(cluster.replica(0).files().heads(&Path::new("versions")).len(), 10);
    cluster.link(0, 1);
    let parts = states(&cluster);
    assert!(parts.iter().all(|it| it.heads.len() + it.requests.len() <= 3), "{parts:?}");
    assert!(parts.windows(2).all(|it| it[0].until.as_ref() == Some(&it[1].after)), "in order");
    assert_eq!(cluster.replica(1).fold(), cluster.replica(0).fold());
    assert_eq!(recovered(&cluster, 1).fold(), cluster.replica(0).fold());
}

#[test]
fn nothing_of_an_incomplete_state_is_shown_or_acknowledged_and_the_next_session_goes_on() {
    let mut cluster = with_files_missed(10, 3);
    // A receiver that does not sync acknowledges no part, so only one is under way.
    cluster.syncs = false;
    cluster.link(0, 1);
    for _ in 0..4 {
        cluster.follow_storage_of(1);
    }
    let before = states(&cluster);
    assert_eq!(before.len(), 5, "four were acknowledged: {before:?}");
    let follower = cluster.replica(1);
    assert!(follower.files().is_empty() && follower.synced_vv() == &VersionVector::default());
    cluster.cut(0, 1);
    cluster.syncs = true;
    cluster.follow_storage_of(1);
    cluster.link(0, 1);
    let parts = states(&cluster);
    let repeated = parts[before.len()..].iter().filter(|it| before[..4].contains(it)).count();
    assert_eq!(repeated, 0, "parts that have come do not travel again");
    assert_eq!(cluster.replica(1).fold(), cluster.replica(0).fold());
}

#[test]
fn a_crash_between_two_parts_leaves_a_log_that_recovers_and_a_state_that_goes_on() {
    let mut cluster = with_files_missed(10, 3);
    cluster.syncs = false;
    cluster.link(0, 1);
    (0..3).for_each(|_| cluster.follow_storage_of(1));
    let staged = recovered(&cluster, 1).fold().stagings();
    assert_eq!(staged.len(), 1, "{staged:?}");
    cluster.cut(0, 1);
    cluster.restart(1);
    cluster.syncs = true;
    cluster.link(0, 1);
    assert_eq!(cluster.replica(1).fold(), cluster.replica(0).fold());
}

#[test]
fn a_follower_sends_its_state_in_parts_too() {
    let mut cluster = with_files_missed(10, 3);
    cluster.elect(1);
    cluster.link(0, 1);
    assert!(cluster.replica(1).leads() || cluster.replica(0).leads());
    assert_eq!(cluster.replica(1).files(), cluster.replica(0).files());
    assert_eq!(cluster.replica(1).fold().vv(), cluster.replica(0).fold().vv());
}

#[test]
fn a_part_that_does_not_follow_the_one_before_is_refused() {
    let part = |state: &mut State| {
        state.since = VersionVector::default();
        state.after = Place::Path(Path::new("a"));
    };
    let (node, before) = after_receiving(part);
    assert_eq!(node.replica(1).log().length(), before);
    assert_eq!(node.replica(1).fold().stagings(), []);
}

/// A part of a state that covers the entries up to this one, with these heads.
pub(crate) fn part(dot: Dot, heads: &[Entry], after: &Place, until: Option<&Place>) -> Record {
    let mut vv = VersionVector::default();
    vv.insert(dot);
    Record::State(Sealed::new(State {
        since: VersionVector::default(),
        vv,
        lineages: Lineages::default(),
        counter: Counter(dot.sequence.0),
        forgotten: VersionVector::default(),
        heads: heads.to_vec(),
        requests: Vec::new(),
        after: after.clone(),
        until: until.cloned(),
    }))
}

/// The first part of a state without heads that covers the entries up to this one, or all of it.
fn part_up_to(dot: Dot, is_incomplete: bool) -> Record {
    let until = Place::Path(Path::new("a"));
    part(dot, &[], &Place::Start, Some(&until).filter(|_| is_incomplete))
}

#[test]
fn a_complete_state_ends_the_incomplete_ones_that_bring_nothing_more() {
    let mut fold = Fold::default();
    for (dot, is_incomplete) in [(dot(0, 1), true), (dot(1, 1), true), (dot(0, 2), false)] {
        fold.apply(&part_up_to(dot, is_incomplete), &Steadfast);
    }
    let left: Vec<_> = fold.stagings().iter().map(|it| it.vv.sequence(NodeId(1))).collect();
    assert_eq!(left, [Sequence(1)]);
}

#[test]
fn of_the_incomplete_states_of_more_peers_than_a_cluster_can_have_the_oldest_gives_way() {
    let mut fold = Fold::default();
    let peers = u64::from(NODES_MAX) - 1;
    for number in 1..=peers {
        fold.apply(&part_up_to(dot(0, number), true), &Steadfast);
        assert_eq!(fold.stagings().len() as u64, number);
    }
    fold.apply(&part_up_to(dot(0, peers + 1), true), &Steadfast);
    let newest: Vec<_> = fold.stagings().iter().map(|it| it.vv.sequence(NodeId(0)).0).collect();
    assert_eq!(newest, (2..=peers + 1).collect::<Vec<_>>());
}

/// Parameters for a network that loses messages, with one entry per message.
pub(crate) fn lossy(window: u32) -> Parameters {
    let limit = |count| NonZeroU32::new(count).expect("not zero");
    let limits = Limits { entries: limit(1), window: limit(window), ..Limits::default() };
    Parameters { retransmits: true, limits, ..Parameters::default() }
}

#[test]
fn a_state_that_builds_on_a_lost_entry_begins_again_with_the_next_heartbeat() {
    let to = |node| [NodeId(node)].into_iter().collect();
    let mut cluster = Cluster::with(2, 1, 2, lossy(2));
    cluster.elect(0);
    cluster.loses_to = to(0);
    cluster.put(0, 1, "a");
    cluster.loses_to = to(1);
    cluster.put(0, 2, "a");
    cluster.put(0, 3, "a");
    cluster.trim(0);
    cluster.loses_to = NodeSet::default();
    // The question of a read brings the Ack of the first entry, and no heartbeat sends the second again.
    cluster.read(0, 4, Consistency::Linearizable);
    let refused = states(&cluster);
    assert!(refused.iter().all(|it| it.since.covers(dot(0, 2))), "{refused:?}");
    assert!(!refused.is_empty() && !cluster.replica(1).synced_vv().covers(dot(0, 2)));
    (0..4).for_each(|_| cluster.tick(0));
    assert_eq!(cluster.replica(1).fold(), cluster.replica(0).fold());
}

#[test]
fn an_ack_that_arrives_again_sends_no_part_again() {
    let mut cluster = Cluster::with(2, 1, 1, lossy(4));
    cluster.elect(0);
    cluster.cut(0, 1);
    (1..=4).for_each(|number| drop(cluster.put(0, number, "a")));
    cluster.trim(0);
    cluster.loses_to = [NodeId(1)].into_iter().collect();
    cluster.link(0, 1);
    let sent = states(&cluster).len();
    assert_eq!(sent, 1);
    let epoch = cluster.replica(0).promise();
    let ack = Ack {
        epoch,
        tag: Tag(0),
        vv: VersionVector::default(),
        digest: Digest::default(),
        staged: states(&cluster)[0].staging().into_iter().collect(),
        entries: Vec::new(),
        state: None,
        payloads: Vec::new(),
    };
    let session = cluster.replica(0).session(NodeId(1)).expect("they are linked");
    for copy in 0..5 {
        let packet = Packet { session, message: Sealed::new(Message::Ack(ack.clone())) };
        cluster.queue_input(NodeId(0), Input::Receive { from: NodeId(1), packet });
        cluster.run();
        assert_eq!(states(&cluster).len(), sent + 1, "copy {copy}: the next part, and it once");
    }
}

#[test]
fn a_candidate_asks_again_for_the_rest_of_a_vote_where_messages_can_be_lost() {
    let one = NonZeroU32::MIN;
    let limits = Limits { entries: one, window: one, ..Limits::default() };
    let retransmitting =
        Parameters { retransmits: true, guards_elections: false, limits, ..Parameters::default() };
    let mut cluster = Cluster::with(2, 2, 1, retransmitting);
    cluster.elect(0);
    cluster.cut(0, 1);
    for (number, path) in [(1, "a"), (2, "b"), (3, "a")] {
        cluster.put(0, number, path);
    }
    cluster.trim(0);
    // The first answer is lost as a whole. Of the next one, the first part arrives.
    cluster.loses_to = [NodeId(1)].into_iter().collect();
    cluster.link(0, 1);
    cluster.elect(1);
    cluster.loses_to = NodeSet::default();
    cluster.syncs = false;
    cluster.tick(1);
    assert_eq!(cluster.replica(1).fold().stagings(), [], "nothing is synced");
    assert_eq!(cluster.replica(1).log().fold().stagings().len(), 1);
    // The question for the second part gets lost.
    cluster.loses_to = [NodeId(0)].into_iter().collect();
    cluster.syncs = true;
    cluster.follow_storage_of(1);
    assert!(!cluster.replica(1).leads());
    cluster.loses_to = NodeSet::default();
    for _ in 0..20 {
        cluster.tick(1);
    }
    assert!(cluster.replica(1).leads());
    assert_eq!(cluster.replica(1).files(), cluster.replica(0).files());
}

#[test]
fn a_trim_is_worth_it_once_an_entry_is_synced_and_no_checkpoint_is_being_written() {
    let mut cluster = Cluster::new(1, 1, 1);
    let gains = |cluster: &Cluster| cluster.replica(0).gains_by_trim();
    assert!(!gains(&cluster), "there is nothing to drop");
    cluster.elect(0);
    cluster.put(0, 1, "a");
    assert!(gains(&cluster));
    cluster.nodes[0].hear(Input::Trim, &Steadfast, &mut Vec::new());
    assert!(!gains(&cluster), "a checkpoint is being written");
    cluster.nodes[0].hear(Input::Checkpointed, &Steadfast, &mut Vec::new());
    assert!(!gains(&cluster), "nothing is new");
    cluster.put(0, 2, "a");
    assert!(gains(&cluster));
    cluster.nodes[0].hear(Input::LogFailed, &Steadfast, &mut Vec::new());
    assert!(!gains(&cluster), "it has halted");
}
