//! Digests, by which two nodes notice that they hold different entries.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::{Change, Content, Dot, EntryBody, NODES_MAX, NodeId, Path};

/// A 64-bit hash of a set of entries. A message carries it beside a version vector: it is the digest
/// of the entries that the sender holds up to that vector.
///
/// Each entry of an origin is hashed with the digest of the entries before it, so that one value
/// identifies all of them (Merkle, "A Digital Signature Based on a Conventional Encryption
/// Function", CRYPTO 1987, in its simplest form, a chain). The hash is XXH3 over bytes that this module
/// defines, because nodes built by different compilers must agree. It detects accidents, not attacks:
/// two different sets of entries have the same digest with probability 2^-64.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Digest(pub u64);

impl Digest {
    /// The digest of an origin's entries up to `entry`; `self` is the digest of the entries before it.
    #[must_use]
    pub fn then(self, entry: &EntryBody) -> Digest {
        Digest(XxHash3_64::oneshot_with_seed(self.0, &bytes_of(entry)))
    }

    /// The digest of two sets of entries together, which have no origin in common.
    #[must_use]
    pub fn with(self, other: Digest) -> Digest {
        Digest(self.0 ^ other.0)
    }
}

/// A 64-bit hash of the path and the change of a write, by which a leader notices that a client has used
/// one request id for two writes, also when it has dropped the entry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WriteDigest(pub u64);

impl WriteDigest {
    /// The hash of this change of this path.
    #[must_use]
    pub fn of(path: &Path, change: &Change) -> WriteDigest {
        let mut bytes = Vec::with_capacity(128);
        put_bytes(&mut bytes, path.as_str().as_bytes());
        put_change(&mut bytes, change);
        WriteDigest(XxHash3_64::oneshot(&bytes))
    }
}

/// An entry as bytes: integers in eight bytes, lowest first; parts of variable length begin with their
/// length, and enums with the number of the variant.
fn bytes_of(entry: &EntryBody) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut put = |number: u64| bytes.extend(number.to_le_bytes());
    let dot = |put: &mut dyn FnMut(u64), it: Dot| {
        put(it.origin.0.into());
        put(it.sequence.0);
    };
    dot(&mut put, entry.dot);
    let fence = entry.stamp.fence.unwrap_or_default();
    put(entry.stamp.fence.is_some().into());
    put(fence.round.0);
    put(fence.node.0.into());
    put(entry.stamp.counter.0);
    put(entry.stamp.origin.0.into());
    NodeId::all(NODES_MAX).for_each(|origin| put(entry.context.sequence(origin).0));
    put(entry.context_digest.0);
    put(entry.replaces.len() as u64);
    entry.replaces.iter().for_each(|it| dot(&mut put, *it));
    put(entry.request.client);
    put(entry.request.number);
    put_bytes(&mut bytes, entry.path.as_str().as_bytes());
    put_change(&mut bytes, &entry.change);
    bytes
}

fn put_change(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Delete => bytes.push(0),
        Change::Put(Content::Inline(content)) => {
            bytes.push(1);
            put_bytes(bytes, content);
        }
        Change::Put(Content::Named(content)) => {
            bytes.push(2);
            put_bytes(bytes, &content.0);
        }
    }
}

fn put_bytes(bytes: &mut Vec<u8>, more: &[u8]) {
    bytes.extend((more.len() as u64).to_le_bytes());
    bytes.extend(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ContentId, Counter, Entry, Epoch, Path, RequestId, Round, Sealed, Sequence, Stamp,
        VersionVector,
    };

    fn body() -> EntryBody {
        let origin = NodeId(1);
        EntryBody {
            dot: Dot { origin, sequence: Sequence(2) },
            stamp: Stamp { fence: None, counter: Counter(3), origin },
            context: VersionVector::default(),
            context_digest: Digest::default(),
            replaces: Vec::new(),
            path: Path::new("a"),
            change: Change::Delete,
            request: RequestId { client: 1, number: 4 },
        }
    }

    /// An entry, and variants of it with one part changed each.
    fn variants() -> Vec<Entry> {
        let dot = |sequence| Dot { origin: NodeId(0), sequence: Sequence(sequence) };
        let fence = Some(Epoch { round: Round(0), node: NodeId(0) });
        let mut context = VersionVector::default();
        context.insert(dot(1));
        let inline = |text: &[u8]| Change::Put(Content::Inline(text.into()));
        let stamp = body().stamp;
        let variants = [
            body(),
            EntryBody { dot: dot(2), ..body() },
            EntryBody { dot: Dot { sequence: Sequence(3), ..body().dot }, ..body() },
            EntryBody { stamp: Stamp { fence, ..stamp }, ..body() },
            EntryBody { stamp: Stamp { counter: Counter(4), ..stamp }, ..body() },
            EntryBody { stamp: Stamp { origin: NodeId(0), ..stamp }, ..body() },
            EntryBody { context, ..body() },
            EntryBody { context_digest: Digest(1), ..body() },
            EntryBody { replaces: vec![dot(1)], ..body() },
            EntryBody { replaces: vec![dot(1), dot(2)], ..body() },
            EntryBody { path: Path::new("b"), ..body() },
            EntryBody { change: inline(b""), ..body() },
            EntryBody { change: inline(b"a"), ..body() },
            EntryBody { change: Change::Put(Content::Named(ContentId([b'a'; 32]))), ..body() },
            EntryBody { change: inline(&[b'a'; 32]), ..body() },
            EntryBody { request: RequestId { client: 2, number: 4 }, ..body() },
            EntryBody { request: RequestId { client: 1, number: 5 }, ..body() },
        ];
        variants.into_iter().map(Sealed::new).collect()
    }

    #[test]
    fn every_part_of_an_entry_and_all_before_it_count() {
        let variants = variants();
        let mut digests: Vec<Digest> =
            variants.iter().map(|it| Digest::default().then(it)).collect();
        digests.extend(variants[1..].iter().map(|it| Digest::default().then(it).then(&body())));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn the_bytes_that_are_hashed_are_the_same_in_every_build() {
        let hashed = |body: EntryBody| format!("{:016x}", Digest::default().then(&body).0);
        assert_eq!(hashed(body()), "6fc5dce0950014e2");
        let replaces = vec![Dot { origin: NodeId(0), sequence: Sequence(1) }];
        assert_eq!(hashed(EntryBody { replaces, ..body() }), "67c02d579c3247d8");
        let inline = Change::Put(Content::Inline(b"text".as_slice().into()));
        assert_eq!(hashed(EntryBody { change: inline, ..body() }), "4e3370b6c4ac0b45");
        let named = Change::Put(Content::Named(ContentId([b'a'; 32])));
        assert_eq!(hashed(EntryBody { change: named, ..body() }), "60ec76243d06e7c6");
    }
}
