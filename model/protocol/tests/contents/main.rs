//! Missing contents: which peers a node asks, what it stores, and which peers it answers.

mod discards;

use steadfast_protocol::{
    Append, Change, Content, ContentId, ContentReply, Counter, Decisions, Digest, Dot, Effect,
    Entry, EntryBody, Epoch, Gone, Identity, Incarnation, Input, Message, Need, NodeId, Packet,
    Parameters, Path, Payload, Record, Replica, RequestId, Role, Round, Sealed, Sequence,
    SessionId, Settings, Stamp, Steadfast, VersionVector,
};

const N0: NodeId = NodeId(0);
const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const N4: NodeId = NodeId(4);

fn content(number: u8) -> ContentId {
    ContentId([number; 32])
}

/// The `sequence`th entry of a node, which names a content.
fn entry(origin: u8, sequence: u64, named: u8) -> Entry {
    let origin = NodeId(origin);
    Sealed::new(EntryBody {
        dot: Dot { origin, sequence: Sequence(sequence) },
        stamp: Stamp { fence: None, counter: Counter(sequence), origin },
        context: VersionVector::default(),
        incarnation: Incarnation::default(),
        context_digest: Digest::default(),
        replaces: Vec::new(),
        path: Path::new("a"),
        change: Change::Put(Content::Named(content(named))),
        request: RequestId { client: u64::from(origin.0), number: sequence },
    })
}

/// Node 0 of five, which follows node 3. Its log names content 7.
struct Follower(Replica);

impl Follower {
    fn with(held: &[u8]) -> Follower {
        let settings = Settings::new(5, 3, 3).expect("majorities");
        let identity = Identity { node: N0, settings };
        let promise = Record::Promise(Epoch { round: Round(1), node: N3 });
        let log = [Record::Identity(identity), promise, Record::Entry(entry(1, 1, 7))];
        let held = held.iter().map(|it| content(*it));
        Follower(
            Replica::recover(
                identity,
                Incarnation::default(),
                Parameters { retransmits: true, ..Parameters::default() },
                &log,
                held,
                &Steadfast,
            )
            .expect("a whole log"),
        )
    }

    fn linked(held: &[u8]) -> Follower {
        let mut node = Follower::with(held);
        [N1, N2, N3, N4].into_iter().for_each(|peer| drop(node.link(peer)));
        node
    }

    fn hear(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.0.step(&Steadfast, input, &mut effects);
        effects
    }

    fn link(&mut self, peer: NodeId) -> Vec<Effect> {
        self.hear(Input::LinkUp { peer, session: SessionId(1) })
    }

    fn receive(&mut self, from: NodeId, message: Message) -> Vec<Effect> {
        let packet = Packet { session: SessionId(1), message: Sealed::new(message) };
        self.hear(Input::Receive { from, packet })
    }

    /// A peer answers with a whole copy, or that it has none.
    fn answer(&mut self, from: NodeId, number: u8, has_it: bool) -> Vec<Effect> {
        let content = content(number);
        let payload = has_it.then_some(Payload { content, base: None });
        self.receive(from, Message::Content(ContentReply { content, payload }))
    }

    fn append(&mut self, from: NodeId, entries: &[Entry], payloads: &[u8]) -> Vec<Effect> {
        let payload = |it: &u8| Payload { content: content(*it), base: None };
        self.receive(
            from,
            Message::Append(Append {
                epoch: Epoch { round: Round(1), node: N3 },
                entries: entries.to_vec(),
                payloads: payloads.iter().map(payload).collect(),
                ..Append::default()
            }),
        )
    }
}

fn sent(effects: &[Effect]) -> impl Iterator<Item = (NodeId, &Message)> {
    effects.iter().filter_map(|it| match it {
        Effect::Send { to, packet } => Some((*to, &*packet.message)),
        _ => None,
    })
}

/// The peers that a node asks for a content.
fn asked(effects: &[Effect]) -> Vec<NodeId> {
    sent(effects).filter(|it| matches!(it.1, Message::Need(_))).map(|it| it.0).collect()
}

/// The peers that a node answers, each with whether it sends a copy.
fn answered(effects: &[Effect]) -> Vec<(NodeId, bool)> {
    let reply = |(to, message): (NodeId, &Message)| match message {
        Message::Content(reply) => Some((to, reply.payload.is_some())),
        _ => None,
    };
    sent(effects).filter_map(reply).collect()
}

fn unusable(number: u8) -> Input {
    Input::Unusable { content: content(number) }
}

fn gone(number: u8) -> Message {
    Message::Gone(Gone { content: content(number) })
}

fn stores(effects: &[Effect]) -> usize {
    effects.iter().filter(|it| matches!(it, Effect::Store { .. })).count()
}

fn fetches(effects: &[Effect]) -> usize {
    effects.iter().filter(|it| matches!(it, Effect::Fetch { .. })).count()
}

#[test]
fn a_node_asks_one_peer_at_a_time_prefers_the_leader_and_skips_peers_that_lack_the_content() {
    let mut node = Follower::with(&[]);
    assert_eq!(asked(&node.link(N1)), [N1]);
    for peer in [N2, N3, N4] {
        assert_eq!(asked(&node.link(peer)), [], "{N1} has not answered");
    }
    assert_eq!(asked(&node.answer(N1, 7, false)), [N3]);
    assert_eq!(asked(&node.answer(N3, 7, false)), [N2]);
    assert_eq!(asked(&node.answer(N2, 7, false)), [N4]);
    assert_eq!(asked(&node.answer(N4, 7, false)), []);
    assert_eq!(asked(&node.hear(Input::Tick)), [N3], "time passes, and all are asked again");
    assert_eq!(asked(&node.hear(Input::Tick)), [N3], "the question or its answer may be lost");
}

#[test]
fn a_node_asks_another_peer_when_the_one_that_it_asked_says_that_the_content_is_gone() {
    let mut node = Follower::with(&[]);
    assert_eq!(asked(&node.link(N1)), [N1]);
    assert_eq!(asked(&node.link(N2)), []);
    assert_eq!(asked(&node.receive(N1, gone(7))), [N2]);
}

#[test]
fn a_node_asks_the_sender_of_an_entry_before_the_leader() {
    let mut node = Follower::linked(&[7]);
    assert_eq!(asked(&node.append(N4, &[entry(1, 2, 9)], &[])), [N4]);
}

#[test]
fn a_content_is_stored_once_and_asked_for_again_when_it_cannot_be_used() {
    let mut node = Follower::linked(&[]);
    // An answer to an older question; the newer one went to node 1.
    assert_eq!(stores(&node.answer(N3, 7, true)), 1);
    assert_eq!(stores(&node.answer(N1, 7, true)), 0, "it is being stored");
    assert_eq!(asked(&node.hear(Input::Tick)), [], "it is being stored");
    assert_eq!(
        asked(&node.hear(unusable(7))),
        [N3],
        "node 3 may have deleted or replaced its copy"
    );
    assert_eq!(asked(&node.answer(N3, 7, false)), [N1], "node 3 has found its copy bad");
    assert_eq!(stores(&node.answer(N1, 7, true)), 1);
    node.hear(Input::Stored { content: content(7) });
    assert!(node.0.has_content(content(7)) && node.0.wants().is_empty());
}

#[test]
fn a_node_asks_a_peer_again_that_has_the_content_now_when_it_does_not_come_from_another() {
    let mut node = Follower::linked(&[]);
    assert_eq!(asked(&node.answer(N1, 7, false)), [N3]);
    assert_eq!(stores(&node.answer(N3, 7, true)), 1);
    // Node 1 answers once, when it has got the content, and then no more.
    assert_eq!(stores(&node.answer(N1, 7, true)), 0, "it is being stored");
    assert_eq!(asked(&node.hear(unusable(7))), [N3]);
    assert_eq!(asked(&node.answer(N3, 7, false)), [N1]);
    assert_eq!(stores(&node.answer(N1, 7, true)), 1);
    assert_eq!(asked(&node.hear(unusable(7))), [N1], "although it had lacked the content");
}

#[test]
fn a_node_asks_the_leader_for_a_content_that_could_not_be_made_of_its_payload() {
    let mut node = Follower::with(&[]);
    assert_eq!(asked(&node.link(N1)), [N1]);
    node.link(N3);
    assert_eq!(stores(&node.append(N3, &[entry(1, 2, 7)], &[7])), 1);
    assert_eq!(asked(&node.hear(unusable(7))), [N3], "node 1 may lack it");
}

#[test]
fn a_payload_that_comes_twice_is_stored_once() {
    let mut node = Follower::linked(&[7]);
    assert_eq!(stores(&node.append(N3, &[entry(1, 2, 9)], &[9])), 1);
    assert_eq!(stores(&node.append(N3, &[entry(1, 2, 9)], &[9])), 0);
}

#[test]
fn a_node_without_a_content_says_so_and_sends_it_once_when_it_arrives() {
    let mut node = Follower::linked(&[]);
    let need = || Message::Need(Need { content: content(7) });
    for _ in 0..2 {
        let effects = node.receive(N1, need());
        assert_eq!((answered(&effects), fetches(&effects)), (vec![(N1, false)], 0));
    }
    assert_eq!(fetches(&node.hear(Input::Stored { content: content(7) })), 1);
    let fetched = || Input::Fetched { content: content(7) };
    assert_eq!(answered(&node.hear(fetched())), [(N1, true)]);
    assert_eq!(answered(&node.hear(fetched())), [], "nobody waits for it any more");
}

#[test]
fn a_bad_copy_counts_as_missing_and_the_node_tells_the_peers_that_asked() {
    let mut node = Follower::linked(&[7]);
    let effects = node.receive(N1, Message::Need(Need { content: content(7) }));
    assert_eq!((answered(&effects), fetches(&effects)), (vec![], 1));
    let effects = node.hear(Input::Bad { content: content(7) });
    assert_eq!((answered(&effects), asked(&effects)), (vec![(N1, false)], vec![N3]));
    assert!(!node.0.has_content(content(7)));
}

#[test]
fn a_logged_entry_that_comes_again_does_not_wait_for_its_content() {
    let mut node = Follower::linked(&[]);
    let effects = node.append(N3, &[entry(1, 1, 7)], &[]);
    assert!(sent(&effects).any(|it| matches!(it.1, Message::Ack(_))), "{effects:?}");
    assert!(node.0.waiting().is_empty());
}

#[test]
fn an_entry_of_a_node_that_is_no_member_is_not_logged() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(5, 1, 7)], &[]);
    assert_eq!(node.0.log().entries().count(), 1);
}

#[test]
fn a_halted_node_tracks_its_contents_and_asks_for_none() {
    let mut node = Follower::linked(&[6]);
    assert!(!node.0.wants().is_empty());
    let mut append = Append { epoch: Epoch { round: Round(1), node: N3 }, ..Append::default() };
    append.vv.insert(Dot { origin: N0, sequence: Sequence(1) });
    node.receive(N3, Message::Append(append));
    assert!(node.0.halted().is_some() && node.0.wants().is_empty());
    assert!(node.0.has_content(content(6)));
    node.hear(Input::Stored { content: content(7) });
    assert!(node.0.has_content(content(7)));
    node.hear(Input::Bad { content: content(6) });
    assert!(!node.0.has_content(content(6)));
}

impl Follower {
    fn unlink(&mut self, peer: NodeId) -> Vec<Effect> {
        self.hear(Input::LinkDown { peer })
    }

    fn wanted(&self) -> Vec<ContentId> {
        self.0.wants().iter().map(|it| it.content).collect()
    }
}

#[test]
fn a_node_forgets_only_the_messages_of_the_session_that_ended() {
    let mut node = Follower::linked(&[]);
    node.append(N3, &[entry(1, 2, 9)], &[]);
    assert_eq!((node.0.waiting().len(), node.wanted()), (1, vec![content(7), content(9)]));
    node.unlink(N2);
    assert_eq!((node.0.waiting().len(), node.wanted()), (1, vec![content(7), content(9)]));
    node.unlink(N3);
    assert_eq!((node.0.waiting().len(), node.wanted()), (0, vec![content(7)]), "the log names it");
}

#[test]
fn a_new_session_ends_the_one_before_it() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[]);
    node.hear(Input::LinkUp { peer: N3, session: SessionId(2) });
    assert_eq!((node.0.waiting().len(), node.wanted()), (0, vec![]));
}

#[test]
fn a_content_that_is_being_stored_is_wanted_until_it_is_there() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[9]);
    node.unlink(N3);
    assert_eq!(node.wanted(), [content(9)]);
    node.hear(Input::Stored { content: content(9) });
    assert_eq!(node.wanted(), []);
}

#[test]
fn a_transfer_that_fails_after_its_session_ended_is_not_tried_again() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[9]);
    node.unlink(N3);
    assert_eq!((asked(&node.hear(unusable(9))), node.wanted()), (vec![], vec![]));
}

#[test]
fn a_node_asks_another_peer_when_a_session_ends_and_the_same_peer_when_a_new_one_begins() {
    let mut node = Follower::with(&[]);
    assert_eq!(asked(&node.link(N1)), [N1]);
    assert_eq!(asked(&node.link(N2)), []);
    assert_eq!(asked(&node.unlink(N1)), [N2]);
    assert_eq!(asked(&node.answer(N2, 7, false)), []);
    node.unlink(N2);
    assert_eq!(asked(&node.link(N2)), [N2], "it may have got the content meanwhile");
}

#[test]
fn the_end_of_a_session_drops_the_output_for_that_peer_only() {
    let mut node = Follower::linked(&[]);
    node.receive(N1, Message::Need(Need { content: content(7) }));
    node.unlink(N1);
    assert_eq!(fetches(&node.hear(Input::Stored { content: content(7) })), 0);
    node.append(N3, &[entry(1, 2, 7)], &[]);
    assert_eq!(node.0.outbox().len(), 1, "an Ack waits for the log");
    node.unlink(N2);
    assert_eq!(node.0.outbox().len(), 1);
    node.unlink(N3);
    assert_eq!(node.0.outbox().len(), 0);
}

#[test]
fn a_node_has_no_session_with_itself_or_with_a_node_that_is_no_member() {
    let mut node = Follower::with(&[]);
    for stranger in [N0, NodeId(5)] {
        assert_eq!(node.link(stranger), []);
        assert_eq!((node.0.session(stranger), node.0.linked().count()), (None, 0));
        assert_eq!(node.unlink(stranger), []);
    }
}

/// Takes every message for one of the current session.
struct AnySession;

impl Decisions for AnySession {
    fn is_of_session(&self, _: SessionId, _: Option<SessionId>) -> bool {
        true
    }
}

#[test]
fn a_variant_without_sessions_hears_no_stranger_either() {
    for (from, is_peer) in [(N0, false), (NodeId(5), false), (NodeId(6), false), (N4, true)] {
        let mut node = Follower::with(&[7]);
        let promise = Epoch { round: Round(2), node: N4 };
        let message = Sealed::new(Message::Reject(steadfast_protocol::Reject { promise }));
        let packet = Packet { session: SessionId(1), message };
        node.0.step(&AnySession, Input::Receive { from, packet }, &mut Vec::new());
        assert_eq!(node.0.promise() == promise, is_peer, "{from}");
    }
}

/// The payloads that a node sends with the two entries of node 1 that its leader lacks: the second
/// takes the place of the first.
fn payloads(held: &[u8], second: u8) -> Vec<Payload> {
    let mut node = Follower::linked(held);
    let body = EntryBody {
        replaces: vec![Dot { origin: N1, sequence: Sequence(1) }],
        ..(*entry(1, 2, second)).clone()
    };
    node.append(N3, &[Sealed::new(body)], &[]);
    let effects = node.hear(Input::Synced(node.0.log().length()));
    let ack = sent(&effects).find_map(|(_, it)| match it {
        Message::Ack(ack) => Some(ack.clone()),
        _ => None,
    });
    let ack = ack.expect("it was logged");
    assert_eq!(ack.entries.len(), 2);
    ack.payloads
}

#[test]
fn a_delta_has_a_base_that_both_ends_hold_and_that_is_another_content() {
    let whole = |number| Payload { content: content(number), base: None };
    let delta = |number, base| Payload { content: content(number), base: Some(content(base)) };
    assert_eq!(payloads(&[7, 8], 8), [whole(7), delta(8, 7)]);
    assert_eq!(payloads(&[8], 8), [whole(8)], "the base is not here");
    assert_eq!(payloads(&[7], 7), [whole(7), whole(7)], "a content is no base of itself");
}

#[test]
fn a_node_that_asks_to_lead_follows_a_leader_whose_entries_must_wait() {
    let mut node = Follower::linked(&[7]);
    node.hear(Input::ElectionTimeout);
    assert!(matches!(node.0.role(), Role::PreCandidate(_)));
    node.append(N3, &[entry(1, 2, 9)], &[]);
    assert_eq!(node.0.waiting().len(), 1);
    assert!(matches!(node.0.role(), Role::Follower(_)));
}

#[test]
fn messages_of_a_peer_wait_behind_one_another_and_none_for_another_peer() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[]);
    node.append(N3, &[entry(1, 3, 7)], &[]);
    assert_eq!(node.0.waiting().len(), 2, "the second would leave a gap");
    node.append(N4, &[entry(2, 1, 7)], &[]);
    assert_eq!(node.0.waiting().len(), 2);
    assert_eq!(node.0.log().sequence(N2), Sequence(1));
}

#[test]
fn a_waiting_message_is_dropped_only_if_a_later_one_of_its_peer_repeats_it() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[]);
    node.append(N4, &[entry(1, 2, 9)], &[]);
    assert_eq!(node.0.waiting().len(), 2, "it came from another peer");
    node.append(N3, &[entry(1, 3, 9)], &[]);
    assert_eq!(node.0.waiting().len(), 3, "it brings another entry");
    let mut node = Follower::linked(&[7]);
    for entries in [&[entry(1, 2, 9)][..], &[entry(1, 2, 9), entry(1, 3, 8)], &[entry(1, 2, 9)]] {
        node.append(N3, entries, &[]);
    }
    assert_eq!(node.0.waiting().len(), 3, "the last does not repeat the one before it");
}

#[test]
fn a_leader_of_an_earlier_epoch_is_not_heard_by_an_append_that_waits() {
    for (round, heard) in [(0, false), (1, true)] {
        let mut node = Follower::linked(&[7]);
        let append = Append {
            epoch: Epoch { round: Round(round), node: N3 },
            entries: vec![entry(1, 2, 9)],
            ..Append::default()
        };
        let effects = node.receive(N3, Message::Append(append));
        assert_eq!(node.0.waiting().len(), 1);
        assert_eq!(effects.contains(&Effect::ResetElectionTimer), heard);
    }
}

#[test]
fn a_node_that_halts_over_a_waiting_message_keeps_no_other() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[]);
    node.append(N4, &[entry(1, 2, 8)], &[]);
    node.append(N2, &[entry(2, 1, 6)], &[]);
    assert_eq!((node.0.waiting().len(), node.wanted().len()), (3, 3));
    let effects = node.hear(Input::Stored { content: content(9) });
    assert!(node.0.halted().is_some(), "nodes 3 and 4 sent different entries");
    assert_eq!((asked(&effects), node.0.waiting().len(), node.wanted()), (vec![], 0, vec![]));
}

#[test]
fn an_answer_of_one_peer_leaves_the_question_to_another_open() {
    let mut node = Follower::with(&[]);
    assert_eq!(asked(&node.link(N1)), [N1]);
    node.link(N2);
    node.link(N4);
    assert_eq!(asked(&node.answer(N2, 7, false)), []);
    assert_eq!(asked(&node.answer(N1, 7, false)), [N4]);
}

#[test]
fn a_node_remembers_which_peer_sent_the_payload_that_it_stores_after_the_session_ended() {
    let mut node = Follower::linked(&[]);
    assert_eq!(stores(&node.answer(N1, 7, true)), 1);
    node.unlink(N1);
    node.link(N1);
    assert_eq!(asked(&node.hear(unusable(7))), [N1], "not the leader, as otherwise");
}

#[test]
fn a_node_that_lacks_a_content_is_not_idle() {
    let mut node = Follower::linked(&[]);
    assert!(!node.0.is_idle(), "its log names one");
    node.hear(Input::Stored { content: content(7) });
    assert!(node.0.is_idle());
    node.append(N3, &[entry(1, 2, 9)], &[]);
    assert!(!node.0.is_idle(), "a message waits");
}
