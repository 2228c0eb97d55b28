//! Contents and records for tests.
#![allow(dead_code, unreachable_pub)]

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_protocol::{
    Change, Checkpoint, Content, ContentId, Counter, Digest, Dot, Entry, EntryBody, Epoch, Fold,
    Identity, Incarnation, LogIndex, NodeId, Path, Place, Record, RequestId, Round, Sealed,
    Sequence, Settings, Stamp, State, Steadfast, VersionVector, Written,
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

/// What the bytes of a version of the codec say.
#[derive(Clone, Copy)]
pub struct Form {
    /// Whether they say which deletes are forgotten.
    pub has_forgotten: bool,
    /// Whether they have incarnations and lineages.
    pub has_lineages: bool,
}

/// The form that is written.
pub const NEWEST: Form = Form { has_forgotten: true, has_lineages: true };

/// The entry with this number of node 0.
pub fn entry(number: u64) -> Entry {
    NEWEST.entry(number)
}

pub fn promise(round: u64) -> Record {
    Record::Promise(Epoch { round: Round(round), node: NodeId(0) })
}

impl Form {
    fn entry(self, number: u64) -> Entry {
        let mut context = VersionVector::default();
        let dot = |sequence| Dot { origin: NodeId(0), sequence: Sequence(sequence) };
        context.insert(dot(number - 1));
        let (incarnation, digest) = match self.has_lineages {
            true => (number / 2, number.wrapping_mul(77)),
            false => (0, 0),
        };
        Sealed::new(EntryBody {
            dot: dot(number),
            stamp: Stamp { fence: None, counter: Counter(number), origin: NodeId(0) },
            context,
            incarnation: Incarnation(incarnation),
            context_digest: Digest(digest),
            replaces: Vec::new(),
            path: Path::new(format!("file-{}", number % 5)),
            change: Change::Put(Content::Inline(number.to_le_bytes().as_slice().into())),
            request: RequestId { client: 9, number },
        })
    }

    /// A delete of a file of its own, if the form says that it is forgotten.
    fn forgotten(self) -> Option<Entry> {
        let path = Path::new("gone");
        let delete = EntryBody { path, change: Change::Delete, ..(*self.entry(8)).clone() };
        self.has_forgotten.then(|| Sealed::new(delete))
    }

    /// What a log of these entries amounts to.
    fn fold(self, last: u64) -> Fold {
        let mut fold = Fold::default();
        (1..=last).for_each(|it| fold.apply(&Record::Entry(self.entry(it)), &Steadfast));
        fold
    }

    /// One record of each kind with each variant of its parts, with names for their golden vectors.
    pub fn records(self) -> Vec<(&'static str, Record)> {
        let body = |change| EntryBody { change, ..(*self.entry(3)).clone() };
        let fenced = EntryBody {
            stamp: Stamp {
                fence: Some(Epoch { round: Round(300), node: NodeId(2) }),
                counter: Counter(70_000),
                origin: NodeId(2),
            },
            replaces: vec![self.entry(1).dot, self.entry(2).dot],
            ..body(Change::Delete)
        };
        let named = ContentId(std::array::from_fn(|at| u8::try_from(at * 8).expect("a byte")));
        let empty = body(Change::Put(Content::Inline([].into())));
        let mut records = vec![
            ("identity", Record::Identity(identity())),
            ("promise", promise(1 << 40)),
            ("entry-inline", Record::Entry(self.entry(3))),
            ("entry-empty", Record::Entry(Sealed::new(empty))),
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
            records.push((name, Record::State(Sealed::new(self.state(after, until)))));
        }
        records
    }

    /// A part of a state.
    pub fn state(self, after: Place, until: Option<Place>) -> State {
        let request = RequestId { client: 9, number: 2 };
        let mut vv = self.entry(6).context;
        let mut forgotten = VersionVector::default();
        if let Some(delete) = self.forgotten() {
            vv.insert(delete.dot);
            forgotten.insert(delete.dot);
        }
        State {
            since: self.entry(1).context,
            vv,
            lineages: self.fold(5).lineages().clone(),
            counter: Counter(5),
            forgotten,
            heads: vec![self.entry(4), self.entry(5)],
            requests: vec![(request, Written::of(&self.entry(2)))],
            after,
            until,
        }
    }

    /// A checkpoint with files, requests and an incomplete state.
    pub fn checkpoint(self) -> Checkpoint {
        let mut fold = self.fold(7);
        fold.apply(&promise(12), &Steadfast);
        if let Some(delete) = self.forgotten() {
            fold.apply(&Record::Entry(delete.clone()), &Steadfast);
            fold.forget(&[delete]);
        }
        let part = self.state(Place::Start, Some(Place::Path(Path::new("file-0"))));
        fold.apply(&Record::State(Sealed::new(part)), &Steadfast);
        Checkpoint { identity: identity(), length: LogIndex(10), fold }
    }
}
