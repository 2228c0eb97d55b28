//! Halting: a node that receives evidence of a rolled-back log takes no further part and says why.

use steadfast_protocol::{
    Ack, Append, Base, Change, Consistency, Content, Counter, Digest, Dot, Effect, Entry,
    EntryBody, Epoch, Fold, Halt, Identity, Incarnation, Input, Intent, Message, NodeId, Outcome,
    Packet, Parameters, Path, Place, ReadRequest, Record, Refusal, Replica, RequestId, Round,
    Sealed, Sequence, SessionId, Settings, Stamp, State, Steadfast, Tag, VersionVector, Vote,
    VoteRequest, WriteRequest,
};

const FIRST: Epoch = Epoch { round: Round(1), node: NodeId(0) };
const SECOND: Epoch = Epoch { round: Round(2), node: NodeId(1) };

fn dot(origin: u8, sequence: u64) -> Dot {
    Dot { origin: NodeId(origin), sequence: Sequence(sequence) }
}

/// An entry. Entries with different texts were made by different incarnations.
fn entry(origin: u8, sequence: u64, text: &str) -> Entry {
    let dot = dot(origin, sequence);
    Sealed::new(EntryBody {
        dot,
        stamp: Stamp { fence: None, counter: Counter(sequence), origin: dot.origin },
        context: VersionVector::default(),
        incarnation: Incarnation(text.bytes().map(u64::from).sum()),
        context_digest: Digest::default(),
        replaces: Vec::new(),
        path: Path::new("a"),
        change: Change::Put(Content::Inline(text.as_bytes().into())),
        request: RequestId { client: 1, number: sequence },
    })
}

/// What a node knows that holds these entries, which are in order.
fn fold(entries: &[Entry]) -> Fold {
    let mut fold = Fold::default();
    entries.iter().for_each(|it| fold.apply(&Record::Entry(it.clone()), &Steadfast));
    fold
}

/// The version vector and digest of a node that holds these entries, which are in order.
fn held(entries: &[Entry]) -> (VersionVector, Digest) {
    let fold = fold(entries);
    (*fold.vv(), fold.digest())
}

/// A node of two with E=W=1 that holds these entries and has a session with the other.
struct Node {
    replica: Replica,
    peer: NodeId,
    session: SessionId,
}

impl Node {
    fn new(node: u8, write: u8, entries: &[Entry]) -> Node {
        let settings = Settings::new(2, 1, write).expect("legal settings");
        let identity = Identity { node: NodeId(node), settings };
        let mut log = vec![Record::Identity(identity), Record::Promise(FIRST)];
        log.extend(entries.iter().cloned().map(Record::Entry));
        let parameters = Parameters { guards_elections: false, ..Parameters::default() };
        let replica =
            Replica::recover(identity, Incarnation::default(), parameters, &log, [], &Steadfast)
                .expect("a log");
        let mut node = Node { replica, peer: NodeId(1 - node), session: SessionId(0) };
        node.link();
        node
    }

    fn link(&mut self) -> Vec<Effect> {
        self.session = self.session.next();
        self.hear(Input::LinkUp { peer: self.peer, session: self.session })
    }

    fn hear(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.replica.step(&Steadfast, input, &mut effects);
        // The tests of this file do not look at timers.
        effects.retain(|it| *it != Effect::ResetElectionTimer);
        effects
    }

    fn receive(&mut self, message: Message) -> Vec<Effect> {
        let packet = Packet { session: self.session, message: Sealed::new(message) };
        self.hear(Input::Receive { from: self.peer, packet })
    }

    fn sync(&mut self) -> Vec<Effect> {
        self.hear(Input::Synced(self.replica.log().length()))
    }

    fn trim(&mut self) {
        self.hear(Input::Trim);
        self.hear(Input::Checkpointed);
    }

    fn put(&mut self, number: u64) -> Vec<Effect> {
        let request = RequestId { client: 2, number };
        let intent = Intent::Put(Content::Inline(b"new".as_slice().into()));
        let (path, base) = (Path::new("a"), Base::Visible);
        let seen = Counter::default();
        self.hear(Input::Write(WriteRequest { request, path, intent, base, seen }))
    }

    fn lead(&mut self) -> Epoch {
        self.hear(Input::ElectionTimeout);
        self.sync();
        assert!(self.replica.leads());
        self.replica.promise()
    }
}

fn append(epoch: Epoch, (vv, digest): (VersionVector, Digest), entries: &[Entry]) -> Message {
    Message::Append(Append { epoch, entries: entries.to_vec(), vv, digest, ..Append::default() })
}

fn ack(epoch: Epoch, (vv, digest): (VersionVector, Digest), entries: &[Entry]) -> Message {
    let (tag, entries, payloads) = (Tag(0), entries.to_vec(), Vec::new());
    Message::Ack(Ack { epoch, tag, vv, digest, staged: Vec::new(), entries, state: None, payloads })
}

fn sends(effects: &[Effect]) -> usize {
    effects.iter().filter(|it| matches!(it, Effect::Send { .. })).count()
}

#[test]
fn a_node_halts_when_a_peer_holds_more_of_its_own_entries_than_its_log() {
    let own = [entry(1, 1, "x"), entry(1, 2, "y")];
    let (vv, digest) = held(&own);
    let (epoch, tag) = (SECOND, Tag(0));
    let (entries, payloads) = (own[1..].to_vec(), Vec::new());
    let messages = [
        append(FIRST, (vv, digest), &own[1..]),
        append(Epoch::ZERO, (vv, digest), &[]),
        Message::Ack(Ack {
            epoch,
            tag,
            vv,
            digest,
            staged: Vec::new(),
            entries: Vec::new(),
            state: None,
            payloads: Vec::new(),
        }),
        Message::VoteRequest(VoteRequest { epoch, vv, digest, staged: Vec::new() }),
        Message::Vote(Vote { epoch, vv, digest, entries, state: None, payloads }),
    ];
    for message in messages {
        let mut node = Node::new(1, 1, &own[..1]);
        let effects = node.receive(message.clone());
        let [held, logged] = [Sequence(2), Sequence(1)];
        let halt = Halt::RolledBack { peer: NodeId(0), held, logged };
        assert_eq!(node.replica.halted(), Some(&halt), "{message}");
        assert_eq!(effects, [], "{message}");
        assert_eq!(node.replica.log().sequence(NodeId(1)), logged, "nothing is learned back");
    }
}

#[test]
fn a_node_with_an_empty_disk_and_its_old_id_halts() {
    let mut node = Node::new(1, 1, &[]);
    node.receive(append(FIRST, held(&[entry(1, 1, "x")]), &[]));
    assert!(matches!(node.replica.halted(), Some(Halt::RolledBack { logged: Sequence(0), .. })));
}

#[test]
fn a_node_halts_when_it_receives_a_different_entry_under_a_dot_that_it_holds() {
    let (mine, other) = (entry(0, 1, "x"), entry(0, 1, "y"));
    let mut node = Node::new(1, 1, &[mine]);
    let others = [other.clone()];
    assert_eq!(node.receive(append(FIRST, held(&others), &others)), []);
    let halt = Halt::EntryDiffers { peer: NodeId(0), dot: other.dot };
    assert_eq!(node.replica.halted(), Some(&halt));
}

#[test]
fn a_node_halts_when_a_peer_holds_different_entries_under_the_same_vector() {
    let mut node = Node::new(1, 1, &[entry(0, 1, "x")]);
    let (vv, digest) = held(&[entry(0, 1, "y")]);
    node.receive(append(FIRST, (vv, digest), &[]));
    assert_eq!(node.replica.halted(), Some(&Halt::EntriesDiffer { peer: NodeId(0), vv }));
}

#[test]
fn a_node_halts_when_a_state_stands_for_different_entries_of_one_origin() {
    let (mine, other) = (entry(0, 1, "x"), entry(0, 1, "y"));
    let (vv, digest) = held(std::slice::from_ref(&mine));
    let state = |of: &Entry| {
        let lineages = fold(std::slice::from_ref(of)).lineages().clone();
        Sealed::new(State {
            since: VersionVector::default(),
            vv,
            lineages,
            counter: Counter(1),
            forgotten: VersionVector::default(),
            heads: vec![mine.clone()],
            requests: Vec::new(),
            after: Place::Start,
            until: None,
        })
    };
    let epoch = FIRST;
    let append = |of| Append { epoch, vv, digest, state: Some(state(of)), ..Append::default() };
    let mut node = Node::new(1, 1, std::slice::from_ref(&mine));
    node.receive(Message::Append(append(&mine)));
    assert_eq!(node.replica.halted(), None);
    node.receive(Message::Append(append(&other)));
    assert_eq!(node.replica.halted(), Some(&Halt::EntriesDiffer { peer: NodeId(0), vv }));
}

#[test]
fn a_node_checks_a_message_for_contradictions_before_it_handles_it() {
    let mut node = Node::new(0, 2, &[]);
    let epoch = node.lead();
    node.put(1);
    node.sync();
    // The follower holds another 0.1, and 1.1, which the leader lacks.
    let others = [entry(0, 1, "other"), entry(1, 1, "x")];
    let effects = node.receive(ack(epoch, held(&others), &others[1..]));
    assert!(matches!(node.replica.halted(), Some(Halt::EntriesDiffer { .. })));
    let request = RequestId { client: 2, number: 1 };
    assert_eq!(effects, [Effect::Answer { request, outcome: Outcome::Unknown }]);
}

#[test]
fn a_node_does_not_halt_on_an_old_message_of_a_peer_whose_newer_entry_it_already_holds() {
    let entries = [entry(0, 1, "x"), entry(0, 2, "y")];
    let mut node = Node::new(1, 1, &entries);
    let (vv, digest) = held(&entries[..1]);
    let epoch = Epoch { round: Round(2), node: NodeId(0) };
    node.receive(Message::VoteRequest(VoteRequest { epoch, vv, digest, staged: Vec::new() }));
    assert_eq!(node.replica.halted(), None);
    assert_eq!(sends(&node.sync()), 1, "it votes");
}

#[test]
fn a_halted_node_refuses_clients_with_its_reason_and_sends_nothing_else() {
    let mut node = Node::new(1, 1, &[]);
    // A vote waits for the promise to be synced.
    let (vv, digest) = held(&[]);
    node.receive(Message::VoteRequest(VoteRequest {
        epoch: FIRST,
        vv,
        digest,
        staged: Vec::new(),
    }));
    let epoch = Epoch { round: Round(2), node: NodeId(0) };
    node.receive(Message::VoteRequest(VoteRequest { epoch, vv, digest, staged: Vec::new() }));
    assert_eq!(node.replica.outbox().len(), 1);
    let (vv, digest) = held(&[entry(1, 1, "x")]);
    assert_eq!(node.receive(append(epoch, (vv, digest), &[])), []);
    let halt = *node.replica.halted().expect("it was rolled back");

    assert_eq!(node.sync(), [], "the vote does not leave");
    let refused = Outcome::Refused(Refusal::Halted { halt });
    let request = RequestId { client: 2, number: 2 };
    assert_eq!(node.put(2), [Effect::Answer { request, outcome: refused.clone() }]);
    for consistency in [Consistency::Stale, Consistency::Linearizable] {
        let read = ReadRequest { request, path: Path::new("a"), consistency };
        let answer = Effect::Answer { request, outcome: refused.clone() };
        assert_eq!(node.hear(Input::Read(read)), [answer]);
    }
    assert_eq!(node.hear(Input::ElectionTimeout), []);
    assert_eq!(node.hear(Input::Tick), []);
    let (vv, digest) = held(&[]);
    let request = VoteRequest { epoch: SECOND, vv, digest, staged: Vec::new() };
    assert_eq!(node.receive(Message::VoteRequest(request)), []);
    assert_eq!((node.link(), node.replica.leads()), (Vec::new(), false));
    assert!(node.replica.is_idle(), "its log is synced");
    assert!(halt.to_string().contains("replace this node"), "{halt}");
}

#[test]
fn a_leader_sends_entries_again_that_a_follower_acknowledged_and_lost() {
    let mut node = Node::new(0, 1, &[]);
    let epoch = node.lead();
    node.put(1);
    node.sync();
    let all: Vec<Entry> = node.replica.log().entries().cloned().collect();
    node.receive(ack(epoch, held(&all), &[]));
    node.hear(Input::LinkDown { peer: NodeId(1) });
    node.link();
    let effects = node.receive(ack(epoch, held(&[]), &[]));
    let resent = effects.iter().find_map(|effect| match effect {
        Effect::Send { packet, .. } => Some(packet.message.entries().to_vec()),
        _ => None,
    });
    assert_eq!(resent, Some(all));
}

#[test]
fn a_node_logs_no_entry_whose_writer_had_seen_another_one_than_it_holds() {
    // The log of node 1 was rolled back: its first entry is another one now. A message brings the second
    // of three, so that no digest of the whole vector can be compared.
    let (lost, again) = (entry(1, 1, "lost"), entry(1, 1, "again"));
    let seen = held(std::slice::from_ref(&again));
    let second =
        EntryBody { context: seen.0, context_digest: seen.1, ..(*entry(1, 2, "second")).clone() };
    let second: Entry = Sealed::new(second);
    let all = held(&[again, second.clone(), entry(1, 3, "third")]);
    let mut node = Node::new(0, 1, &[lost]);
    node.link();
    node.receive(append(SECOND, all, &[second]));
    let peer = NodeId(1);
    assert_eq!(node.replica.halted(), Some(&Halt::EntriesDiffer { peer, vv: seen.0 }));
    assert_eq!(node.replica.log().vv(), &seen.0, "nothing more is logged");
}

#[test]
fn a_halted_node_notes_the_end_of_a_session_and_ignores_a_node_that_is_no_member() {
    let mut node = Node::new(1, 1, &[]);
    node.receive(append(FIRST, held(&[entry(1, 1, "x")]), &[]));
    assert!(node.replica.halted().is_some());
    assert_eq!(node.hear(Input::LinkDown { peer: NodeId(2) }), []);
    assert_eq!(node.replica.session(NodeId(0)), Some(node.session));
    assert_eq!(node.hear(Input::LinkDown { peer: NodeId(0) }), []);
    assert_eq!(node.replica.session(NodeId(0)), None);
}

#[test]
fn a_node_halts_when_a_message_brings_an_entry_of_its_own_that_it_never_made() {
    let mut node = Node::new(1, 1, &[]);
    node.receive(append(FIRST, held(&[]), &[entry(1, 1, "x")]));
    assert!(matches!(node.replica.halted(), Some(Halt::RolledBack { logged: Sequence(0), .. })));
    assert_eq!(node.replica.log().entries().count(), 0);
}

#[test]
fn a_trimmed_node_halts_when_a_peer_holds_other_entries_below_its_floor() {
    // The log of node 0 was rolled back. Before it hears its peer, it makes more entries than it has lost, and trims them.
    let lost = entry(0, 1, "lost");
    let again = [entry(0, 1, "again"), entry(0, 2, "again"), entry(0, 3, "again")];
    let again: Vec<Entry> = (1..)
        .zip(&again)
        .map(|(replaced, it)| {
            let replaces = (1..replaced).map(|it| dot(0, it)).collect();
            Sealed::new(EntryBody { replaces, ..(**it).clone() })
        })
        .collect();
    let trimmed = || {
        let mut node = Node::new(0, 1, &again);
        node.trim();
        assert_eq!(node.replica.log().entries().count(), 1);
        node
    };
    let mut node = trimmed();
    let (vv, digest) = held(std::slice::from_ref(&lost));
    node.receive(append(SECOND, (vv, digest), &[]));
    assert_eq!(node.replica.halted(), Some(&Halt::EntriesDiffer { peer: NodeId(1), vv }));

    let mut node = trimmed();
    node.receive(append(SECOND, held(&again[..1]), &[]));
    assert_eq!(node.replica.halted(), None, "its own first entry");
}

#[test]
fn a_node_halts_when_a_state_replaces_an_entry_that_it_holds_by_another_one_of_the_same_name() {
    let (lost, again) = (entry(0, 1, "lost"), [entry(0, 1, "again"), entry(0, 2, "again")]);
    let fold = fold(&again);
    let state = Sealed::new(State {
        since: VersionVector::default(),
        vv: *fold.vv(),
        lineages: fold.lineages().clone(),
        counter: fold.counter(),
        forgotten: VersionVector::default(),
        heads: Vec::new(),
        requests: Vec::new(),
        after: Place::Start,
        until: None,
    });
    let (epoch, vv, digest) = (FIRST, *fold.vv(), fold.digest());
    let append = Append { epoch, vv, digest, state: Some(state), ..Append::default() };
    for (holds, halts) in [(&lost, true), (&again[0], false)] {
        let mut node = Node::new(1, 1, std::slice::from_ref(holds));
        node.receive(Message::Append(append.clone()));
        let (vv, _) = held(std::slice::from_ref(holds));
        let halt = halts.then_some(Halt::EntriesDiffer { peer: NodeId(0), vv });
        assert_eq!(node.replica.halted(), halt.as_ref());
    }
}

#[test]
fn a_node_halts_when_it_lacks_entries_that_a_leader_knows_to_be_on_all_nodes() {
    let entries = [entry(0, 1, "x"), entry(0, 2, "y")];
    let says = |stable: &[Entry]| {
        let (vv, digest) = held(&entries);
        let (epoch, (stable, _)) = (FIRST, held(stable));
        Message::Append(Append { epoch, vv, digest, stable, ..Append::default() })
    };
    let mut node = Node::new(1, 1, &entries[..1]);
    node.receive(says(&entries[..1]));
    assert_eq!(node.replica.halted(), None);
    node.receive(says(&entries));
    let (peer, dot) = (NodeId(0), entries[1].dot);
    assert_eq!(node.replica.halted(), Some(&Halt::LacksStable { peer, dot }));
}
