//! Contents and records for tests.
#![allow(dead_code, unreachable_pub)]

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_protocol::{
    Change, Checkpoint, Content, ContentId, Counter, Digest, Dot, Entry, EntryBody, Epoch, Fold,
    Identity, LogIndex, NodeId, Path, Place, Record, RequestId, Round, Sealed, Sequence, Settings,
    Stamp, State, Steadfast, VersionVector, Written,
};

/// Bytes without a pattern.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// The name of a content.
pub fn content_of(bytes: &[u8]) -> ContentId {
    ContentId(Manifest::of(bytes, Depth::Chunks).root().0)
}

pub fn identity() -> Identity {
    Identity { node: NodeId(1), settings: Settings::new(3, 2, 2).expect("settings") }
}

/// The entry with this number of node 0.
pub fn entry(number: u64) -> Entry {
    let mut context = VersionVector::default();
    let dot = |sequence| Dot { origin: NodeId(0), sequence: Sequence(sequence) };
    context.insert(dot(number - 1));
    Sealed::new(EntryBody {
        dot: dot(number),
        stamp: Stamp { fence: None, counter: Counter(number), origin: NodeId(0) },
        context,
        context_digest: Digest(number.wrapping_mul(77)),
        replaces: Vec::new(),
        path: Path::new(format!("file-{}", number % 5)),
        change: Change::Put(Content::Inline(number.to_le_bytes().as_slice().into())),
        request: RequestId { client: 9, number },
    })
}

pub fn promise(round: u64) -> Record {
    Record::Promise(Epoch { round: Round(round), node: NodeId(0) })
}

/// A delete of a file of its own.
pub fn delete() -> Entry {
    let path = Path::new("gone");
    Sealed::new(EntryBody { path, change: Change::Delete, ..(*entry(8)).clone() })
}

/// One record of each kind with each variant of its parts, with names for their golden vectors. The states come
/// from a node that has forgotten these deletes.
pub fn records(forgotten: &[Entry]) -> Vec<(&'static str, Record)> {
    let body = |change| EntryBody { change, ..(*entry(3)).clone() };
    let fenced = EntryBody {
        stamp: Stamp {
            fence: Some(Epoch { round: Round(300), node: NodeId(2) }),
            counter: Counter(70_000),
            origin: NodeId(2),
        },
        replaces: vec![entry(1).dot, entry(2).dot],
        ..body(Change::Delete)
    };
    let named = ContentId(std::array::from_fn(|at| u8::try_from(at * 8).expect("a byte")));
    let mut records = vec![
        ("identity", Record::Identity(identity())),
        ("promise", promise(1 << 40)),
        ("entry-inline", Record::Entry(entry(3))),
        ("entry-empty", Record::Entry(Sealed::new(body(Change::Put(Content::Inline([].into())))))),
        ("entry-named", Record::Entry(Sealed::new(body(Change::Put(Content::Named(named)))))),
        ("entry-delete", Record::Entry(Sealed::new(fenced))),
    ];
    let request = RequestId { client: 9, number: 2 };
    let places = [
        ("state-whole", Place::Start, None),
        ("state-begins", Place::Start, Some(Place::Request(request))),
        ("state-goes-on", Place::Request(request), Some(Place::Path(Path::new("file-2")))),
        ("state-ends", Place::Path(Path::new("file-2")), None),
        (
            "state-in-a-path",
            Place::Path(Path::new("a")),
            Some(Place::Heads(Path::new("file-2"), 300)),
        ),
    ];
    for (name, after, until) in places {
        records.push((name, Record::State(Sealed::new(state(forgotten, after, until)))));
    }
    records
}

/// A part of a state, from a node that has forgotten these deletes.
pub fn state(forgotten: &[Entry], after: Place, until: Option<Place>) -> State {
    let request = RequestId { client: 9, number: 2 };
    let mut vv = entry(6).context;
    forgotten.iter().for_each(|it| vv.insert(it.dot));
    State {
        since: entry(1).context,
        vv,
        digests: Fold::default().digests().to_owned(),
        counter: Counter(5),
        forgotten: forgotten.iter().fold(VersionVector::default(), |mut vv, it| {
            vv.insert(it.dot);
            vv
        }),
        heads: vec![entry(4), entry(5)],
        requests: vec![(request, Written::of(&entry(2)))],
        after,
        until,
    }
}

/// A checkpoint with files, requests, these forgotten deletes and an incomplete state.
pub fn checkpoint(forgotten: &[Entry]) -> Checkpoint {
    let mut fold = Fold::default();
    (1..=7).for_each(|it| fold.apply(&Record::Entry(entry(it)), &Steadfast));
    fold.apply(&promise(12), &Steadfast);
    forgotten.iter().for_each(|it| fold.apply(&Record::Entry(it.clone()), &Steadfast));
    fold.forget(forgotten);
    let part = state(forgotten, Place::Start, Some(Place::Path(Path::new("file-0"))));
    fold.apply(&Record::State(Sealed::new(part)), &Steadfast);
    Checkpoint { identity: identity(), length: LogIndex(10), fold }
}
