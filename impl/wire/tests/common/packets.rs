//! Packets of every kind: fixed ones, and a strategy for all.
#![allow(dead_code, unreachable_pub)]

use proptest::prelude::*;
use steadfast_protocol::{
    Ack, Append, Change, Content, ContentId, ContentReply, Counter, Digest, Dot, Entry, EntryBody,
    Epoch, Incarnation, Lineages, Message, NODES_MAX, Need, NodeId, Packet, Path, Payload, Place,
    PreVote, Reject, RequestId, Round, Sealed, Sequence, SessionId, Staging, Stamp, State, Tag,
    VersionVector, Vote, VoteRequest, WriteDigest, Written,
};

fn dot(origin: u8, sequence: u64) -> Dot {
    Dot { origin: NodeId(origin), sequence: Sequence(sequence) }
}

fn vv(sequences: &[u64]) -> VersionVector {
    let mut vv = VersionVector::default();
    (0..).zip(sequences).for_each(|(origin, it)| vv.insert(dot(origin, *it)));
    vv
}

/// Lineages have no constructor outside the protocol; this is their form as bytes: the first entry of each span and its
/// incarnation.
fn lineages(spans: &[(Dot, Incarnation)]) -> Lineages {
    let bytes = postcard::to_allocvec(spans).expect("bytes");
    postcard::from_bytes(&bytes).expect("lineages")
}

fn epoch() -> Epoch {
    Epoch { round: Round(300), node: NodeId(1) }
}

fn entry(sequence: u64, change: Change) -> Entry {
    Sealed::new(EntryBody {
        dot: dot(1, sequence),
        stamp: Stamp { fence: Some(epoch()), counter: Counter(9), origin: NodeId(1) },
        context: vv(&[3, sequence - 1]),
        incarnation: Incarnation(0xFEDC_BA98_7654_3210),
        context_digest: Digest(0x0123_4567_89AB_CDEF),
        replaces: vec![dot(0, 3)],
        path: Path::new("notes/ä.txt"),
        change,
        request: RequestId { client: 77, number: 5 },
    })
}

fn state() -> State {
    let stamp = Stamp { fence: None, counter: Counter(2), origin: NodeId(2) };
    State {
        since: vv(&[1]),
        vv: vv(&[3, 7]),
        lineages: lineages(&[(dot(0, 1), Incarnation(1)), (dot(1, 4), Incarnation(u64::MAX))]),
        counter: Counter(9),
        forgotten: vv(&[0, 6]),
        heads: vec![entry(7, Change::Delete)],
        requests: vec![(
            RequestId { client: 77, number: 5 },
            Written { dot: dot(1, 7), stamp, write: WriteDigest(5) },
        )],
        after: Place::Start,
        until: Some(Place::Path(Path::new("notes/ä.txt"))),
    }
}

/// A packet of each kind, with every variant in it.
pub fn samples() -> Vec<(&'static str, Packet)> {
    let inline = entry(7, Change::Put(Content::Inline((*b"hello").into())));
    let named = entry(8, Change::Put(Content::Named(ContentId([0xC4; 32]))));
    let (whole, delta) = (
        Payload { content: ContentId([0xC4; 32]), base: None },
        Payload { content: ContentId([0xC4; 32]), base: Some(ContentId([0xB0; 32])) },
    );
    let staging = state().staging().expect("a part that is not the last");
    let (epoch, tag, digest) = (epoch(), Tag(40), Digest(u64::MAX));
    let messages = [
        (
            "append",
            Message::Append(Append {
                epoch,
                tag,
                entries: vec![inline, named],
                state: None,
                vv: vv(&[3, 8]),
                digest,
                staged: vec![staging.clone()],
                payloads: vec![delta],
                stable: vv(&[2, 7]),
            }),
        ),
        (
            "heartbeat",
            Message::Append(Append {
                epoch,
                tag,
                entries: vec![],
                state: None,
                vv: vv(&[3, 8]),
                digest,
                staged: vec![],
                payloads: vec![],
                stable: vv(&[]),
            }),
        ),
        (
            "ack",
            Message::Ack(Ack {
                epoch,
                tag,
                vv: vv(&[3]),
                digest,
                staged: vec![staging.clone()],
                entries: vec![],
                state: Some(Sealed::new(state())),
                payloads: vec![],
            }),
        ),
        ("reject", Message::Reject(Reject { promise: epoch })),
        (
            "vote-request",
            Message::VoteRequest(VoteRequest {
                epoch,
                vv: vv(&[0, 1]),
                digest,
                staged: vec![staging],
            }),
        ),
        (
            "vote",
            Message::Vote(Vote {
                epoch,
                vv: vv(&[]),
                digest,
                entries: vec![entry(1, Change::Delete)],
                state: None,
                payloads: vec![whole],
            }),
        ),
        ("need", Message::Need(Need { content: whole.content })),
        (
            "content",
            Message::Content(ContentReply { content: whole.content, payload: Some(whole) }),
        ),
        ("lacks", Message::Content(ContentReply { content: whole.content, payload: None })),
        ("pre-vote-request", Message::PreVoteRequest(PreVote { epoch })),
        ("pre-vote", Message::PreVote(PreVote { epoch })),
    ];
    let packet = |message| Packet { session: SessionId(1_700_000_000_000), message };
    messages.into_iter().map(|(name, it)| (name, packet(Sealed::new(it)))).collect()
}

/// Any packet.
pub fn any_packet() -> impl Strategy<Value = Packet> {
    (any::<u64>(), any_message()).prop_map(|(session, message)| Packet {
        session: SessionId(session),
        message: Sealed::new(message),
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_append().prop_map(Message::Append),
        any_append().prop_map(
            |Append { epoch, tag, entries, state, vv, digest, staged, payloads, .. }| {
                Message::Ack(Ack { epoch, tag, vv, digest, staged, entries, state, payloads })
            }
        ),
        any_append().prop_map(|Append { epoch, entries, state, vv, digest, payloads, .. }| {
            Message::Vote(Vote { epoch, vv, digest, entries, state, payloads })
        }),
        any_append().prop_map(|Append { epoch, vv, digest, staged, .. }| {
            Message::VoteRequest(VoteRequest { epoch, vv, digest, staged })
        }),
        any_epoch().prop_map(|promise| Message::Reject(Reject { promise })),
        any_epoch().prop_map(|epoch| Message::PreVoteRequest(PreVote { epoch })),
        any_epoch().prop_map(|epoch| Message::PreVote(PreVote { epoch })),
        any_content().prop_map(|content| Message::Need(Need { content })),
        (any_content(), proptest::option::of(any_payload()))
            .prop_map(|(content, payload)| Message::Content(ContentReply { content, payload })),
    ]
}

fn any_append() -> impl Strategy<Value = Append> {
    let lists = (
        proptest::collection::vec(any_entry(), 0..4),
        proptest::option::of(any_state().prop_map(Sealed::new)),
        proptest::collection::vec(any_staging(), 0..3),
        proptest::collection::vec(any_payload(), 0..3),
    );
    (any_epoch(), any::<u64>(), any_vv(), any_vv(), any::<u64>(), lists).prop_map(
        |(epoch, tag, vv, stable, digest, (entries, state, staged, payloads))| Append {
            epoch,
            tag: Tag(tag),
            entries,
            state,
            vv,
            digest: Digest(digest),
            staged,
            payloads,
            stable,
        },
    )
}

fn any_epoch() -> impl Strategy<Value = Epoch> {
    (any::<u64>(), any::<u8>())
        .prop_map(|(round, node)| Epoch { round: Round(round), node: NodeId(node) })
}

fn any_dot() -> impl Strategy<Value = Dot> {
    (any::<u8>(), any::<u64>()).prop_map(|(origin, sequence)| dot(origin, sequence))
}

fn any_vv() -> impl Strategy<Value = VersionVector> {
    proptest::collection::vec(any::<u64>(), 0..=usize::from(NODES_MAX)).prop_map(|it| vv(&it))
}

fn any_content() -> impl Strategy<Value = ContentId> {
    any::<[u8; 32]>().prop_map(ContentId)
}

fn any_payload() -> impl Strategy<Value = Payload> {
    (any_content(), proptest::option::of(any_content()))
        .prop_map(|(content, base)| Payload { content, base })
}

fn any_path() -> impl Strategy<Value = Path> {
    any::<String>().prop_map(Path::new)
}

fn any_request() -> impl Strategy<Value = RequestId> {
    any::<(u64, u64)>().prop_map(|(client, number)| RequestId { client, number })
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    (proptest::option::of(any_epoch()), any::<u64>(), any::<u8>()).prop_map(
        |(fence, counter, origin)| Stamp {
            fence,
            counter: Counter(counter),
            origin: NodeId(origin),
        },
    )
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Delete),
        any::<Vec<u8>>().prop_map(|it| Change::Put(Content::Inline(it.into()))),
        any_content().prop_map(|it| Change::Put(Content::Named(it))),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let names = (any_dot(), any_stamp(), any_vv(), any::<(u64, u64)>());
    let write =
        (proptest::collection::vec(any_dot(), 0..3), any_path(), any_change(), any_request());
    (names, write).prop_map(
        |((dot, stamp, context, (incarnation, digest)), (replaces, path, change, request))| {
            Sealed::new(EntryBody {
                dot,
                stamp,
                context,
                incarnation: Incarnation(incarnation),
                context_digest: Digest(digest),
                replaces,
                path,
                change,
                request,
            })
        },
    )
}

fn any_place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Start),
        any_request().prop_map(Place::Request),
        any_path().prop_map(Place::Path),
        (any_path(), any::<u32>()).prop_map(|(path, count)| Place::Heads(path, count)),
    ]
}

fn any_staging() -> impl Strategy<Value = Staging> {
    (any_vv(), any_vv(), any::<u64>(), any_place()).prop_map(|(since, vv, digest, until)| Staging {
        since,
        vv,
        digest: Digest(digest),
        until,
    })
}

fn any_written() -> impl Strategy<Value = Written> {
    (any_dot(), any_stamp(), any::<u64>()).prop_map(|(dot, stamp, write)| Written {
        dot,
        stamp,
        write: WriteDigest(write),
    })
}

fn any_lineages() -> impl Strategy<Value = Lineages> {
    let span = (any_dot(), any::<u64>().prop_map(Incarnation));
    proptest::collection::vec(span, 0..3).prop_map(|it| lineages(&it))
}

fn any_state() -> impl Strategy<Value = State> {
    let lists = (
        proptest::collection::vec(any_entry(), 0..3),
        proptest::collection::vec((any_request(), any_written()), 0..3),
        any_place(),
        proptest::option::of(any_place()),
    );
    let vectors = (any_vv(), any_vv(), any_vv());
    (vectors, any_lineages(), any::<u64>(), lists).prop_map(
        |((since, vv, forgotten), lineages, counter, (heads, requests, after, until))| State {
            since,
            vv,
            lineages,
            counter: Counter(counter),
            forgotten,
            heads,
            requests,
            after,
            until,
        },
    )
}
