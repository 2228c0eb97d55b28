//! Contents and records for tests.
#![allow(dead_code, unreachable_pub)]

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_protocol::{
    Change, Content, ContentId, Counter, Digest, Dot, Entry, EntryBody, Epoch, Identity, NodeId,
    Path, Record, RequestId, Round, Sealed, Sequence, Settings, Stamp, VersionVector,
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
