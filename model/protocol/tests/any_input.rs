//! Random inputs: no sequence of them makes a replica panic or break its invariants.

use proptest::collection::vec;
use proptest::prelude::*;
use steadfast_node::put_checkpoint;
use steadfast_protocol::{
    Ack, Append, Base, Change, Checkpoint, Consistency, Content, ContentId, ContentReply, Counter,
    Decisions, Digest, Dot, Effect, Entry, EntryBody, Epoch, Fold, Identity, Incarnation, Input,
    Intent, LogIndex, Message, Need, NodeId, Outcome, Packet, Parameters, Path, Payload, Place,
    ReadRequest, Record, Refusal, Reject, Replica, RequestId, Round, Sealed, Sequence, SessionId,
    Settings, Stamp, State, Steadfast, Tag, VersionVector, Vote, VoteRequest, WriteRequest,
    Written, first_index, last_index,
};

const NODES: u8 = 3;
/// The node under test.
const OWN: NodeId = NodeId(0);

/// Mostly small numbers, so that equal ones are frequent; now and then the largest.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0_u64..4, 1 => Just(u64::MAX)]
}

/// Members, and sometimes a stranger.
fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![20 => (0..NODES).prop_map(NodeId), 1 => any::<u8>().prop_map(NodeId)]
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (number(), node()).prop_map(|(round, node)| Epoch { round: Round(round), node })
}

fn dot() -> impl Strategy<Value = Dot> {
    (node(), number()).prop_map(|(origin, it)| Dot { origin, sequence: Sequence(it) })
}

fn vv() -> impl Strategy<Value = VersionVector> {
    vec(dot(), 0..3).prop_map(|dots| {
        let mut vv = VersionVector::default();
        dots.into_iter().for_each(|dot| vv.insert(dot));
        vv
    })
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![Just(Path::new("a")), Just(Path::new("b"))]
}

fn content() -> impl Strategy<Value = ContentId> {
    (1_u8..4).prop_map(|it| ContentId([it; 32]))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Delete),
        content().prop_map(|it| Change::Put(Content::Named(it))),
        any::<u8>().prop_map(|it| Change::Put(Content::Inline([it].as_slice().into()))),
    ]
}

fn request() -> impl Strategy<Value = RequestId> {
    (0_u64..2, 0_u64..4).prop_map(|(client, number)| RequestId { client, number })
}

prop_compose! {
    fn entry()(
        dot in dot(), fence in proptest::option::of(epoch()), counter in number(), context in vv(),
        incarnation in number().prop_map(Incarnation), digest in number(), replaces in vec(dot(), 0..2), path in path(), change in change(),
        request in request(),
    ) -> Entry {
        let stamp = Stamp { fence, counter: Counter(counter), origin: dot.origin };
        // Most random digests are wrong; a context that covers nothing has that of no entries.
        let context_digest = Digest(if context == VersionVector::default() { 0 } else { digest });
        Sealed::new(EntryBody {
            dot, stamp, context, incarnation, context_digest, replaces, path, change, request,
        })
    }
}

fn payload() -> impl Strategy<Value = Payload> {
    (content(), proptest::option::of(content()))
        .prop_map(|(content, base)| Payload { content, base })
}

fn held() -> impl Strategy<Value = (VersionVector, Digest)> {
    (vv(), number().prop_map(Digest))
}

/// Decisions of a node that never halts, whatever peers claim to hold. Random messages nearly always
/// contradict the log, and a halted node would leave most of the protocol untested.
struct NeverHalts;

impl Decisions for NeverHalts {
    fn is_rolled_back(&self, _: Sequence, _: Sequence) -> bool {
        false
    }
    fn halts_at_differing_entry(&self) -> bool {
        false
    }
    fn digests_differ(&self, _: Digest, _: Digest) -> bool {
        false
    }
    fn context_differs(&self, _: Digest, _: Digest) -> bool {
        false
    }
    fn lacks_stable(&self, _: &VersionVector, _: &VersionVector) -> bool {
        false
    }
    /// Accepts no entries of its own from peers: it would use their numbers twice, and no node could
    /// recover from its log.
    fn closes_no_gap(&self, entry: &Entry, logged: &VersionVector) -> bool {
        entry.dot.origin != OWN && Steadfast.closes_no_gap(entry, logged)
    }
}

/// Decisions by which a node recovers from any log of [`NeverHalts`].
struct TrustsDigests;

impl Decisions for TrustsDigests {
    fn context_differs(&self, _: Digest, _: Digest) -> bool {
        false
    }
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        request().prop_map(Place::Request),
        path().prop_map(Place::Path),
        (path(), 0..3_u32).prop_map(|(path, count)| Place::Heads(path, count)),
    ]
}

prop_compose! {
    /// Mostly a state that fits: from nothing, with a vector that covers its heads.
    fn whole_state()(
        heads in vec(entry(), 0..3), seen in vv(), counter in number(),
        since in prop_oneof![3 => Just(VersionVector::default()), 1 => vv()],
        covers in proptest::bool::weighted(0.9),
        forgotten in prop_oneof![3 => Just(VersionVector::default()), 1 => vv()],
        after in prop_oneof![3 => Just(Place::Start), 1 => place()],
        until in prop_oneof![2 => Just(None), 1 => place().prop_map(Some)],
    ) -> State {
        let mut vv = seen;
        if covers {
            heads.iter().for_each(|head| vv.insert(head.dot));
        }
        let mut heads = heads;
        heads.sort_by(|one, other| one.path.cmp(&other.path));
        let requests = heads.iter().map(|head| (head.request, Written::of(head))).collect();
        let mut fold = Fold::default();
        heads.iter().for_each(|it| fold.apply(&Record::Entry(it.clone()), &Steadfast));
        State {
            since, vv, lineages: fold.lineages().clone(), counter: Counter(counter), forgotten, heads,
            requests, after, until,
        }
    }
}

/// Mostly none.
fn state() -> impl Strategy<Value = Option<Sealed<State>>> {
    prop_oneof![4 => Just(None), 1 => whole_state().prop_map(|it| Some(Sealed::new(it)))]
}

fn message() -> impl Strategy<Value = Message> {
    let carried = || (vec(entry(), 0..4), vec(payload(), 0..3), state());
    prop_oneof![
        (epoch(), number(), held(), held(), carried()).prop_map(
            |(epoch, tag, held, (stable, _), (entries, payloads, state))| {
                let (vv, digest) = held;
                Message::Append(Append {
                    epoch,
                    tag: Tag(tag),
                    entries,
                    state,
                    vv,
                    digest,
                    staged: Vec::new(),
                    payloads,
                    stable,
                })
            }
        ),
        (epoch(), number(), held(), carried()).prop_map(
            |(epoch, tag, held, (entries, payloads, state))| {
                let (vv, digest) = held;
                Message::Ack(Ack {
                    epoch,
                    tag: Tag(tag),
                    vv,
                    digest,
                    staged: Vec::new(),
                    entries,
                    state,
                    payloads,
                })
            }
        ),
        (epoch(), held(), carried()).prop_map(
            |(epoch, (vv, digest), (entries, payloads, state))| {
                Message::Vote(Vote { epoch, vv, digest, entries, state, payloads })
            }
        ),
        (epoch(), held()).prop_map(|(epoch, (vv, digest))| {
            Message::VoteRequest(VoteRequest { epoch, vv, digest, staged: Vec::new() })
        }),
        epoch().prop_map(|promise| Message::Reject(Reject { promise })),
        content().prop_map(|content| Message::Need(Need { content })),
        (content(), proptest::option::of(payload()))
            .prop_map(|(content, payload)| Message::Content(ContentReply { content, payload })),
    ]
}

fn write() -> impl Strategy<Value = WriteRequest> {
    let intent = prop_oneof![
        change().prop_map(|it| match it {
            Change::Put(content) => Intent::Put(content),
            Change::Delete => Intent::Delete,
        }),
        dot().prop_map(Intent::Restore),
    ];
    let base = prop_oneof![Just(Base::Visible), vec(dot(), 0..3).prop_map(Base::Named)];
    let seen = prop_oneof![0..4_u64, any::<u64>()].prop_map(Counter);
    (request(), path(), intent, base, seen).prop_map(|(request, path, intent, base, seen)| {
        WriteRequest { request, path, intent, base, seen }
    })
}

fn read() -> impl Strategy<Value = ReadRequest> {
    let consistency = prop_oneof![Just(Consistency::Linearizable), Just(Consistency::Stale)];
    (request(), path(), consistency).prop_map(|(request, path, consistency)| ReadRequest {
        request,
        path,
        consistency,
    })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => (node(), number(), message()).prop_map(|(from, session, message)| {
            let packet = Packet { session: SessionId(session), message: Sealed::new(message) };
            Input::Receive { from, packet }
        }),
        2 => write().prop_map(Input::Write),
        1 => read().prop_map(Input::Read),
        4 => number().prop_map(|it| Input::Synced(LogIndex(it.saturating_mul(4)))),
        2 => Just(Input::ElectionTimeout),
        1 => Just(Input::Tick),
        2 => (node(), number()).prop_map(|(peer, it)| Input::LinkUp { peer, session: SessionId(it) }),
        1 => node().prop_map(|peer| Input::LinkDown { peer }),
        2 => content().prop_map(|content| Input::Stored { content }),
        1 => content().prop_map(|content| Input::Unusable { content }),
        1 => content().prop_map(|content| Input::Fetched { content }),
        1 => content().prop_map(|content| Input::Bad { content }),
        2 => content().prop_map(|content| Input::Verified { content }),
        1 => content().prop_map(|content| Input::Withdrawn { content }),
        1 => Just(Input::Trim),
        1 => Just(Input::Checkpointed),
    ]
}

/// A replica with the log that its effects wrote.
struct Driven {
    replica: Replica,
    log: Vec<Record>,
    /// The checkpoint that is being written.
    checkpoint: Option<Sealed<Checkpoint>>,
    decisions: &'static dyn Decisions,
    /// Whether it halts when a message proves that logs differ.
    halts: bool,
}

fn identity(elect: u8, write: u8) -> Identity {
    Identity { node: OWN, settings: Settings::new(NODES, elect, write).expect("legal") }
}

impl Driven {
    fn new(identity: Identity, halts: bool) -> Driven {
        let decisions: &dyn Decisions = if halts { &Steadfast } else { &NeverHalts };
        let log = vec![Record::Identity(identity)];
        let replica = Replica::recover(
            identity,
            Incarnation::default(),
            Parameters::default(),
            &log,
            [],
            &Steadfast,
        )
        .expect("a new log");
        Driven { replica, log, checkpoint: None, decisions, halts }
    }

    fn hear(&mut self, input: Input) -> Result<(), TestCaseError> {
        let before = self.replica.clone();
        if input == Input::Checkpointed
            && let Some(checkpoint) = self.checkpoint.take()
        {
            put_checkpoint(&mut self.log, checkpoint);
        }
        let mut effects = Vec::new();
        self.replica.step(self.decisions, input, &mut effects);
        let has_halted = before.halted().is_some();
        prop_assert!(!has_halted || effects.iter().all(is_refusal), "a halted node goes on");
        for effect in effects {
            match effect {
                Effect::Append { records } => {
                    prop_assert!(!records.is_empty(), "an Append without records");
                    self.log.extend(records);
                }
                Effect::Checkpoint { checkpoint } => {
                    self.checkpoint = Some(checkpoint);
                }
                _ => {}
            }
        }
        let now = &self.replica;
        prop_assert!(now.promise() >= before.promise(), "the promise has decreased");
        prop_assert!(now.synced() >= before.synced(), "the synced index has decreased");
        prop_assert!(now.synced() <= now.log().length(), "the synced index is beyond the log");
        prop_assert_eq!(
            now.log().length(),
            last_index(&self.log),
            "the log is not the appended records"
        );
        prop_assert!(now.log().vv().includes(now.synced_vv()));
        let is_closed = |it: &Entry| now.log().vv().includes(&it.context);
        // A random head of a state may have any context.
        let is_whole = now.log().floor() == &VersionVector::default();
        prop_assert!(!is_whole || now.log().entries().all(is_closed), "a gap");
        Ok(())
    }

    /// The node after a crash that keeps this much of its log.
    fn recovered(&self, kept: usize) -> Replica {
        let identity = Identity { node: self.replica.id(), settings: self.replica.settings() };
        // A node that never halts logs entries with wrong digests of their contexts, too.
        let decisions: &dyn Decisions = if self.halts { &Steadfast } else { &TrustsDigests };
        Replica::recover(
            identity,
            Incarnation::default(),
            Parameters::default(),
            &self.log[..kept],
            [],
            decisions,
        )
        .expect("its own log")
    }

    fn check_replay(&self) -> Result<(), TestCaseError> {
        let before = first_index(&self.log).0 - 1;
        let synced = usize::try_from(self.replica.synced().0 - before).expect("a short log");
        let replayed = self.recovered(synced);
        prop_assert_eq!(
            replayed.fold(),
            self.replica.fold(),
            "the fold is the replay of the synced log"
        );
        let is_recovered = |kept| self.recovered(kept).log().length().0 == before + kept as u64;
        let mut kept = synced..=self.log.len();
        prop_assert!(kept.all(is_recovered), "a crash leaves a log that cannot be recovered");
        Ok(())
    }
}

/// Whether an effect is the only one that a halted node may return: a refusal.
fn is_refusal(effect: &Effect) -> bool {
    let halted = |it: &Outcome| matches!(it, Outcome::Refused(Refusal::Halted { .. }));
    matches!(effect, Effect::Answer { outcome, .. } if halted(outcome))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_makes_a_replica_panic_or_break_an_invariant(
        elect in 1..=NODES, write in 1..=NODES, halts in any::<bool>(), inputs in vec(input(), 0..80),
    ) {
        let mut node = Driven::new(identity(elect, write), halts);
        for input in inputs {
            node.hear(input)?;
        }
        node.check_replay()?;
        node.hear(Input::Checkpointed)?;
        node.check_replay()?;
    }
}
