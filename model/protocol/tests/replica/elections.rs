//! The rules of time: when a node asks to lead, when a peer refuses, and when a leader steps down.

use std::num::NonZeroU32;

use crate::cluster::{Cluster, text};
use steadfast_node::Output;
use steadfast_protocol::{
    Base, Consistency, Digest, Epoch, Halt, Input, Intent, Limits, Message, NodeId, NodeSet,
    Outcome, Packet, Parameters, Path, PreVote, Refusal, Reject, RequestId, Role, Round, Sealed,
    SessionId, Steadfast, VersionVector, Vote, VoteRequest, WriteRequest,
};

#[test]
fn a_node_that_was_cut_off_raises_no_round_and_deposes_nobody() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let promised = cluster.replica(2).promise();
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    (0..10).for_each(|_| cluster.elect(2));
    assert!(matches!(cluster.replica(2).role(), Role::PreCandidate(_)));
    assert_eq!(cluster.replica(2).promise(), promised, "nothing is logged");
    cluster.tick(0);
    cluster.link(0, 2);
    cluster.link(1, 2);
    assert!(cluster.replica(0).leads());
    assert!(matches!(cluster.replica(2).role(), Role::Follower(_)));
}

#[test]
fn a_node_that_reaches_only_a_follower_does_not_depose_the_leader_that_the_follower_hears() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    for _ in 0..10 {
        cluster.tick(0);
        cluster.elect(2);
    }
    assert!(cluster.replica(0).leads() && !cluster.replica(2).leads());
    assert_eq!(cluster.replica(0).promise(), cluster.replica(1).promise());
}

#[test]
fn a_follower_that_heard_nothing_between_two_requests_grants_the_second() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(!cluster.replica(2).leads(), "the follower hears its leader");
    cluster.elect(2);
    assert!(cluster.replica(2).leads(), "the follower did not hear the leader in between");
}

#[test]
fn a_follower_whose_leader_is_gone_grants_at_once() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(cluster.replica(2).leads());
}

#[test]
fn a_node_that_could_not_acknowledge_a_write_does_not_lead() {
    let mut cluster = Cluster::new(3, 1, 3);
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    cluster.elect(0);
    assert!(!cluster.replica(0).leads(), "two nodes elect, and acknowledge nothing");
    cluster.link(0, 2);
    assert!(cluster.replica(0).leads(), "the third grants, too");
}

#[test]
fn without_guards_a_timer_that_runs_out_makes_a_candidate() {
    let parameters = Parameters { guards_elections: false, ..Parameters::default() };
    let mut cluster = Cluster::with(3, 2, 2, parameters);
    cluster.elect(0);
    cluster.elect(2);
    assert!(cluster.replica(2).leads() && !cluster.replica(0).leads());
}

#[test]
fn a_leader_that_hears_no_quorum_steps_down_and_answers_its_clients() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    assert_eq!(cluster.put(0, 1, "a"), None);
    assert_eq!(cluster.read(0, 2, Consistency::Linearizable), None);
    // The leader heard its voters, but a peer no longer counts once its session has ended.
    let resets = cluster.timer_resets[0];
    cluster.elect(0);
    assert!(!cluster.replica(0).leads());
    assert_eq!(cluster.timer_resets[0], resets + 1, "it waits for another leader first");
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
    let refused = Outcome::Refused(Refusal::NotLeader { leader: None });
    assert_eq!(cluster.answer(2), Some(refused));
}

#[test]
fn a_leader_that_hears_a_quorum_keeps_leading() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    for _ in 0..5 {
        cluster.tick(0);
        cluster.elect(0);
        assert!(cluster.replica(0).leads());
    }
    cluster.elect(0);
    assert!(!cluster.replica(0).leads(), "no Ack came since the timer ran out last");
}

#[test]
fn a_leader_whose_disk_hangs_steps_down_and_does_not_ask_to_lead_again() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.syncs = false;
    assert_eq!(cluster.put(0, 1, "a"), None);
    cluster.tick(0);
    cluster.elect(0);
    assert!(cluster.replica(0).leads(), "the record was appended since the timer ran out last");
    cluster.tick(0);
    cluster.elect(0);
    assert!(!cluster.replica(0).leads());
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
    let records = cluster.replica(0).log().length();
    cluster.elect(0);
    assert!(matches!(cluster.replica(0).role(), Role::Follower(_)));
    assert_eq!(cluster.replica(0).log().length(), records, "no promise is logged behind it");
}

#[test]
fn a_node_whose_log_failed_takes_no_further_part() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.syncs = false;
    cluster.put(0, 1, "a");
    cluster.queue_input(NodeId(0), Input::LogFailed);
    cluster.run();
    assert_eq!(cluster.replica(0).halted(), Some(&Halt::LogFailed));
    assert_eq!(cluster.answer(1), Some(Outcome::Unknown));
    let refused = Outcome::Refused(Refusal::Halted { halt: Halt::LogFailed });
    assert_eq!(cluster.put(0, 2, "a"), Some(refused));
}

#[test]
fn the_election_timer_restarts_when_a_leader_is_heard_and_when_the_role_changes() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let voted = cluster.timer_resets.clone();
    assert!(voted.iter().all(|it| *it >= 1), "leader, voters: {voted:?}");
    cluster.tick(0);
    let heard = cluster.timer_resets.clone();
    assert_eq!(heard, [voted[0], voted[1] + 1, voted[2] + 1]);
    // A refused request restarts no timer.
    cluster.elect(2);
    assert_eq!(cluster.timer_resets[1..], heard[1..]);
}

#[test]
fn a_follower_that_waits_for_a_content_hears_its_leader() {
    use steadfast_protocol::{
        Append, Change, Content, ContentId, Counter, Digest, Dot, EntryBody, Epoch, Incarnation,
        Path, RequestId, Round, Sealed, Sequence, Stamp, VersionVector,
    };
    let mut cluster = Cluster::new(3, 2, 2);
    let origin = NodeId(0);
    let entry = Sealed::new(EntryBody {
        dot: Dot { origin, sequence: Sequence(1) },
        stamp: Stamp { fence: None, counter: Counter(1), origin },
        context: VersionVector::default(),
        incarnation: Incarnation::default(),
        context_digest: Digest::default(),
        replaces: Vec::new(),
        path: Path::new("a"),
        change: Change::Put(Content::Named(ContentId([7; 32]))),
        request: RequestId { client: 1, number: 1 },
    });
    let mut vv = VersionVector::default();
    vv.insert(entry.dot);
    let epoch = Epoch { round: Round(1), node: origin };
    let entries = vec![entry];
    let message = Sealed::new(Message::Append(Append { epoch, entries, vv, ..Append::default() }));
    // Node 0 cannot answer that it has no such content.
    cluster.loses_to.insert(origin);
    let session = cluster.replica(1).session(origin).expect("linked");
    let packet = steadfast_protocol::Packet { session, message };
    cluster.queue_input(NodeId(1), Input::Receive { from: origin, packet });
    cluster.run();
    assert_eq!(cluster.replica(1).waiting().len(), 1);
    assert_eq!(cluster.timer_resets[1], 1);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(!cluster.replica(2).leads(), "the waiting follower refuses");
}

/// Lets one node hear an input with its disk synced at once; returns the messages that it sends.
fn hear(cluster: &mut Cluster, node: usize, input: Input) -> Vec<(NodeId, Packet)> {
    let mut outputs = Vec::new();
    cluster.nodes[node].hear(input, &Steadfast, &mut outputs);
    let synced = cluster.replica(node).log().length();
    cluster.nodes[node].hear(Input::Synced(synced), &Steadfast, &mut outputs);
    let sent = outputs.into_iter().filter_map(|output| match output {
        Output::Send { to, packet } => Some((to, packet)),
        _ => None,
    });
    sent.collect()
}

/// The answer of node 1 to the message that node 0 has sent it.
fn answer_of_node_1(cluster: &mut Cluster, sent: &[(NodeId, Packet)]) -> Input {
    let (_, packet) = sent.iter().find(|it| it.0 == NodeId(1)).expect("a message to node 1");
    let received = Input::Receive { from: NodeId(0), packet: packet.clone() };
    let (to, packet) = hear(cluster, 1, received).pop().expect("an answer");
    assert_eq!(to, NodeId(0));
    Input::Receive { from: NodeId(1), packet }
}

fn unguarded(retransmits: bool) -> Parameters {
    Parameters { retransmits, guards_elections: false, ..Parameters::default() }
}

#[test]
fn a_candidate_asks_again_for_the_votes_that_it_lacks_where_messages_can_be_lost() {
    for retransmits in [true, false] {
        let mut cluster = Cluster::with(3, 3, 1, unguarded(retransmits));
        let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
        assert_eq!(asked.iter().map(|it| it.0).collect::<Vec<_>>(), [NodeId(1), NodeId(2)]);
        let vote = answer_of_node_1(&mut cluster, &asked);
        hear(&mut cluster, 0, vote);
        let again: Vec<NodeId> = hear(&mut cluster, 0, Input::Tick).iter().map(|it| it.0).collect();
        assert_eq!(again, if retransmits { vec![NodeId(2)] } else { vec![] });
    }
}

#[test]
fn a_candidate_does_not_count_a_vote_for_an_earlier_epoch() {
    let mut cluster = Cluster::with(3, 2, 2, unguarded(false));
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    let late = answer_of_node_1(&mut cluster, &asked);
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    hear(&mut cluster, 0, late);
    assert!(matches!(cluster.replica(0).role(), Role::Candidate(_)));
    let current = answer_of_node_1(&mut cluster, &asked);
    hear(&mut cluster, 0, current);
    assert!(cluster.replica(0).leads());
}

#[test]
fn a_deposed_leader_learns_so_from_a_follower_of_its_successor() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    cluster.elect(1);
    assert!(cluster.replica(0).leads() && cluster.replica(1).leads());
    cluster.link(0, 2);
    assert!(!cluster.replica(0).leads());
    assert_eq!(cluster.replica(0).promise(), cluster.replica(1).promise());
}

#[test]
fn a_grant_outlives_the_timer_only_where_messages_can_be_lost() {
    for retransmits in [true, false] {
        let parameters = Parameters { retransmits, ..Parameters::default() };
        let mut cluster = Cluster::with(5, 3, 3, parameters);
        let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
        assert_eq!(asked.len(), 4);
        let grant = answer_of_node_1(&mut cluster, &asked);
        assert_eq!(hear(&mut cluster, 0, grant), [], "two nodes of five");
        let again: Vec<NodeId> =
            hear(&mut cluster, 0, Input::ElectionTimeout).iter().map(|it| it.0).collect();
        let lacking = if retransmits { 2..5 } else { 1..5 };
        assert_eq!(again, lacking.map(NodeId).collect::<Vec<_>>());
    }
}

#[test]
fn a_candidate_does_not_lead_with_a_part_of_what_its_voter_holds() {
    let one = NonZeroU32::MIN;
    let limits = Limits { entries: one, window: one, ..Limits::default() };
    let mut cluster = Cluster::with(3, 2, 2, Parameters { limits, ..unguarded(false) });
    cluster.elect(1);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    (1..=2).for_each(|number| drop(cluster.put(1, number, "a")));
    let session = SessionId(9);
    hear(&mut cluster, 0, Input::LinkUp { peer: NodeId(1), session });
    hear(&mut cluster, 1, Input::LinkUp { peer: NodeId(0), session });
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    let asked = [asked, hear(&mut cluster, 0, Input::ElectionTimeout)].concat();
    let vote = answer_of_node_1(&mut cluster, &asked[asked.len() - 1..]);
    let asked = hear(&mut cluster, 0, vote);
    assert_eq!(cluster.replica(0).log().entries().count(), 1);
    assert!(!cluster.replica(0).leads(), "the voter holds two");
    let vote = answer_of_node_1(&mut cluster, &asked);
    hear(&mut cluster, 0, vote);
    assert!(cluster.replica(0).leads());
}

#[test]
fn a_leader_counts_its_voters_as_heard() {
    let mut cluster = Cluster::new(3, 2, 2);
    let mut message = answer_to(&mut cluster, Input::ElectionTimeout);
    while !cluster.replica(0).leads() {
        message = answer_to(&mut cluster, message);
    }
    hear(&mut cluster, 0, Input::ElectionTimeout);
    assert!(cluster.replica(0).leads(), "node 1 voted since the timer began");
    hear(&mut cluster, 0, Input::ElectionTimeout);
    assert!(!cluster.replica(0).leads(), "and has said nothing since it ran out");
}

/// What node 1 answers to what node 0 says when it hears an input.
fn answer_to(cluster: &mut Cluster, input: Input) -> Input {
    let sent = hear(cluster, 0, input);
    answer_of_node_1(cluster, &sent)
}

/// What node 0 of a fresh cluster receives from node 1.
fn from_node_1(message: Message) -> Input {
    let packet = Packet { session: SessionId(1), message: Sealed::new(message) };
    Input::Receive { from: NodeId(1), packet }
}

#[test]
fn a_node_that_could_not_be_elected_raises_no_round() {
    let mut cluster = Cluster::new(3, 3, 1);
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    cluster.elect(0);
    assert!(matches!(cluster.replica(0).role(), Role::PreCandidate(_)));
    assert_eq!(cluster.replica(0).promise(), Epoch::ZERO);
}

#[test]
fn a_peer_that_asks_for_a_promised_epoch_learns_the_promise() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(1);
    let promise = cluster.replica(0).promise();
    assert_eq!(promise.node, NodeId(1));
    let lower = Epoch { round: Round(0), ..promise };
    for epoch in [lower, promise] {
        let request = from_node_1(Message::PreVoteRequest(PreVote { epoch }));
        let answers = hear(&mut cluster, 0, request);
        let rejects = matches!(&answers[..], [(NodeId(1), packet)]
            if *packet.message == Message::Reject(Reject { promise }));
        assert!(rejects, "{epoch}: {answers:?}");
    }
}

#[test]
fn a_pre_vote_for_an_earlier_epoch_does_not_count() {
    let mut cluster = Cluster::new(3, 2, 2);
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    let late = answer_of_node_1(&mut cluster, &asked);
    let promise = Epoch { round: Round(5), node: NodeId(2) };
    hear(&mut cluster, 0, from_node_1(Message::Reject(Reject { promise })));
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    hear(&mut cluster, 0, late);
    assert!(matches!(cluster.replica(0).role(), Role::PreCandidate(_)));
    let current = answer_of_node_1(&mut cluster, &asked);
    hear(&mut cluster, 0, current);
    assert!(matches!(cluster.replica(0).role(), Role::Candidate(_)));
}

/// Only the rules for elections read these sets; without the rules they would only multiply states.
#[test]
fn a_node_keeps_no_account_of_peers_that_no_rule_reads() {
    let mut cluster = Cluster::with(3, 2, 2, unguarded(false));
    cluster.elect(0);
    cluster.tick(0);
    let heard = |cluster: &Cluster| match cluster.replica(0).role() {
        Role::Leader(leadership) => leadership.heard,
        _ => panic!("node 0 leads"),
    };
    let following = |cluster: &Cluster, node| match cluster.replica(node).role() {
        Role::Follower(following) => following.clone(),
        _ => panic!("node {node} follows"),
    };
    assert_eq!(heard(&cluster), NodeSet::default());
    let own = |cluster: &Cluster| match cluster.replica(0).role() {
        Role::Leader(leadership) => leadership.peers[0].acked,
        _ => panic!("node 0 leads"),
    };
    assert_eq!(own(&cluster), None);
    assert_eq!(following(&cluster, 1).leader, None);
    let mut cluster = Cluster::new(3, 2, 2);
    for (to, packet) in hear(&mut cluster, 1, Input::ElectionTimeout) {
        hear(&mut cluster, to.index(), Input::Receive { from: NodeId(1), packet });
    }
    assert_eq!(following(&cluster, 2).has_asked, NodeSet::default(), "it has heard no leader");
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(following(&cluster, 1).has_asked.contains(NodeId(2)));
    cluster.cut(0, 1);
    assert_eq!(following(&cluster, 1).has_asked, NodeSet::default(), "it hears no leader");
}

#[test]
fn a_node_does_not_lead_or_ask_for_votes_before_its_promise_is_synced() {
    for (elect, write) in [(1, 1), (2, 1)] {
        let mut cluster = Cluster::with(2, elect, write, unguarded(false));
        cluster.syncs = false;
        cluster.elect(0);
        cluster.link(0, 1);
        assert!(matches!(cluster.replica(0).role(), Role::Candidate(_)));
        assert_eq!(cluster.sent, []);
        cluster.syncs = true;
        let length = cluster.replica(0).log().length();
        cluster.follow_storage(NodeId(0));
        cluster.queue_input(NodeId(0), Input::Synced(length));
        cluster.run();
        assert!(cluster.replica(0).leads());
        let asked = cluster.sent.iter().any(|it| matches!(it.2, Message::VoteRequest(_)));
        assert_eq!(asked, elect > 1, "a node that elects itself needs no vote");
    }
}

#[test]
fn a_node_asks_for_no_epoch_after_the_last() {
    for (parameters, node) in
        [(Parameters::default(), 2), (unguarded(false), 2), (unguarded(false), 0)]
    {
        let mut cluster = Cluster::with(3, 2, 2, parameters);
        let promise = Epoch { round: Round(u64::MAX), node: NodeId(node) };
        hear(&mut cluster, 0, from_node_1(Message::Reject(Reject { promise })));
        assert_eq!(hear(&mut cluster, 0, Input::ElectionTimeout), []);
        assert_eq!(cluster.replica(0).promise(), promise);
        assert!(matches!(cluster.replica(0).role(), Role::Follower(_)));
    }
}

/// A request for a vote in this epoch by a node with an empty log.
fn vote_request(epoch: Epoch) -> Message {
    let (vv, digest) = (VersionVector::default(), Digest::default());
    Message::VoteRequest(VoteRequest { epoch, vv, digest, staged: Vec::new() })
}

#[test]
fn a_node_votes_for_nobody_else_in_an_epoch_that_it_promised() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(2);
    let promise = cluster.replica(0).promise();
    assert_eq!(promise.node, NodeId(2));
    let answers = hear(&mut cluster, 0, from_node_1(vote_request(promise)));
    let [(_, packet)] = &answers[..] else { panic!("one answer: {answers:?}") };
    assert_eq!(*packet.message, Message::Reject(Reject { promise }));
}

#[test]
fn a_leader_that_votes_for_another_node_leads_no_more() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    let later = Epoch { round: Round(9), node: NodeId(1) };
    hear(&mut cluster, 0, from_node_1(vote_request(later)));
    assert_eq!(cluster.replica(0).promise(), later);
    assert!(!cluster.replica(0).leads());
}

#[test]
fn a_voter_restarts_its_election_timer() {
    let mut cluster = Cluster::with(3, 3, 1, unguarded(false));
    cluster.cut(0, 2);
    cluster.cut(1, 2);
    cluster.elect(0);
    assert!(!cluster.replica(0).leads() && cluster.replica(1).promise().node == NodeId(0));
    assert_eq!(cluster.timer_resets, [0, 1, 0]);
}

#[test]
fn a_candidate_keeps_one_ballot_of_each_voter_in_the_order_of_their_ids() {
    let mut cluster = Cluster::with(5, 5, 1, unguarded(true));
    hear(&mut cluster, 0, Input::ElectionTimeout);
    let epoch = cluster.replica(0).promise();
    for voter in [3, 3, 1] {
        let (vv, digest) = (VersionVector::default(), Digest::default());
        let (entries, payloads) = (Vec::new(), Vec::new());
        let vote = Message::Vote(Vote { epoch, vv, digest, entries, state: None, payloads });
        let packet = Packet { session: SessionId(1), message: Sealed::new(vote) };
        hear(&mut cluster, 0, Input::Receive { from: NodeId(voter), packet });
    }
    let Role::Candidate(ballots) = cluster.replica(0).role() else { panic!("two votes lack") };
    let voters: Vec<NodeId> = ballots.iter().map(|it| it.voter).collect();
    assert_eq!(voters, [0, 1, 3].map(NodeId));
}

#[test]
fn a_vote_shows_the_leader_which_entries_the_voter_has() {
    let mut cluster = Cluster::with(3, 2, 2, unguarded(false));
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    let (_, packet) = asked.into_iter().find(|it| it.0 == NodeId(2)).expect("node 2 is asked");
    let packet = hear(&mut cluster, 2, Input::Receive { from: NodeId(0), packet }).remove(0).1;
    let late = Input::Receive { from: NodeId(2), packet };
    let (epoch, vv) = (cluster.replica(0).promise(), VersionVector::default());
    let (digest, entries, payloads) = (Digest::default(), Vec::new(), Vec::new());
    let vote = Message::Vote(Vote { epoch, vv, digest, entries, state: None, payloads });
    hear(&mut cluster, 0, from_node_1(vote));
    let acked = |cluster: &Cluster, node: usize| match cluster.replica(0).role() {
        Role::Leader(leadership) => leadership.peers[node].acked,
        _ => panic!("node 0 leads"),
    };
    assert_eq!([1, 2].map(|node| acked(&cluster, node)), [Some(vv), None]);
    // The leader has sent node 2 an Append, and waits for a sign of the entries that node 2 has.
    let request = RequestId { client: 1, number: 1 };
    let (path, intent, base) = (Path::new("a"), Intent::Put(text(1)), Base::Visible);
    let seen = steadfast_protocol::Counter::default();
    hear(&mut cluster, 0, Input::Write(WriteRequest { request, path, intent, base, seen }));
    let mut outputs = Vec::new();
    cluster.nodes[0].hear(late, &Steadfast, &mut outputs);
    assert_eq!(acked(&cluster, 2), Some(vv));
    let [Output::Send { to: NodeId(2), packet }] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(packet.message.entries().len(), 1);
}

#[test]
fn without_guards_a_leader_keeps_leading_when_its_timer_runs_out() {
    let mut cluster = Cluster::with(3, 2, 2, unguarded(false));
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    (0..2).for_each(|_| cluster.elect(0));
    assert!(cluster.replica(0).leads());
}

#[test]
fn a_follower_hears_its_leader_also_when_the_session_with_another_peer_ends() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(1, 2);
    cluster.link(1, 2);
    cluster.cut(0, 2);
    cluster.elect(2);
    assert!(!cluster.replica(2).leads());
}

#[test]
fn the_first_request_of_a_new_session_is_no_second_request() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 2);
    cluster.elect(2);
    cluster.cut(1, 2);
    cluster.link(1, 2);
    assert!(!cluster.replica(2).leads(), "it asks at once, and its timer has not run out again");
}

#[test]
fn a_grant_ends_with_its_session() {
    let mut cluster = Cluster::new(5, 3, 3);
    let asked = hear(&mut cluster, 0, Input::ElectionTimeout);
    let grant = answer_of_node_1(&mut cluster, &asked);
    hear(&mut cluster, 0, grant);
    hear(&mut cluster, 0, Input::LinkDown { peer: NodeId(1) });
    let epoch = Epoch { round: Round(1), node: NodeId(0) };
    for (granting, enough) in [(2, false), (3, true)] {
        let message = Sealed::new(Message::PreVote(PreVote { epoch }));
        let packet = Packet { session: SessionId(1), message };
        hear(&mut cluster, 0, Input::Receive { from: NodeId(granting), packet });
        assert_eq!(matches!(cluster.replica(0).role(), Role::Candidate(_)), enough);
    }
}

#[test]
fn a_candidate_asks_a_peer_that_has_voted_for_no_second_vote() {
    let mut cluster = Cluster::with(3, 3, 1, unguarded(false));
    cluster.cut(0, 2);
    cluster.elect(0);
    cluster.sent.clear();
    cluster.link(0, 1);
    assert_eq!(cluster.sent, []);
    cluster.link(0, 2);
    assert!(cluster.replica(0).leads(), "it asks the peer whose vote it lacks");
}
