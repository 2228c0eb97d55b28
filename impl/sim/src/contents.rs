//! Contents by name, and how they travel.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;
use std::sync::Arc;

use steadfast_delta::manifest::{Depth, Kept, Manifest};
use steadfast_delta::{OldContent, Options, apply, apply_stream, diff};
use steadfast_node::ContentCopy;
use steadfast_protocol::{ContentId, Payload};

/// A content up to this length that a delta makes gets memory of its own. A longer one that equals
/// the client's bytes shares their memory, and its manifest is carried over to the versions that
/// follow it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Whatever holds the bytes of a content.
pub trait Memory: AsRef<[u8]> + Any + Send + Sync {}

impl<T: AsRef<[u8]> + Any + Send + Sync> Memory for T {}

/// The bytes of a content, shared: in memory, or mapped from a file of any size.
#[derive(Clone)]
pub struct Bytes(Arc<dyn Memory>);

impl Bytes {
    /// Shares the bytes of something.
    pub fn new(owner: impl Memory) -> Bytes {
        Bytes(Arc::new(owner))
    }

    /// The owner of the bytes, if it is of this type.
    #[must_use]
    pub fn owner<T: Memory>(&self) -> Option<&T> {
        (&*self.0 as &dyn Any).downcast_ref()
    }
}

/// Whether two contents are equal. Contents that share their memory are not compared byte by byte.
pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
    std::ptr::eq(one, other) || one == other
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::new(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes::new(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(bytes: &[u8; N]) -> Bytes {
        Bytes::new(bytes.to_vec())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A copy of a content on a disk.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub bytes: Bytes,
    /// Whether the bytes are those that the name says.
    pub is_exact: bool,
}

impl Stored {
    /// The state of the copy.
    pub(crate) fn copy(&self) -> ContentCopy {
        if self.is_exact { ContentCopy::Exact } else { ContentCopy::Wrong }
    }

    /// The same bytes under a name that is not theirs.
    pub(crate) fn wrong(self) -> Stored {
        Stored { is_exact: false, ..self }
    }
}

/// The name of a content: the root of its manifest.
pub(crate) fn content_id(bytes: &[u8]) -> ContentId {
    ContentId(Manifest::of(bytes, Depth::Chunks).root().0)
}

/// The contents of clients, and the bytes of payloads on the wire. Equal payloads have
/// equal bytes, so that each is made once.
#[derive(Default)]
pub(crate) struct Contents {
    bytes: HashMap<ContentId, Bytes>,
    /// The contents by first address and length. They stay there: `bytes` owns them.
    places: HashMap<(usize, usize), ContentId>,
    /// The manifests of long contents.
    manifests: HashMap<ContentId, Manifest>,
    payloads: HashMap<Payload, Bytes>,
}

/// The cost of a payload, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The bytes that travel.
    pub sent: u64,
    /// The length of a whole copy.
    pub whole: u64,
}

impl Contents {
    /// Takes in the bytes that a client brings, in the place of `base` if there is one; returns their
    /// name.
    pub(crate) fn add(&mut self, bytes: Bytes, base: Option<ContentId>) -> ContentId {
        let place = (bytes.as_ptr().addr(), bytes.len());
        if let Some(content) = self.places.get(&place) {
            return *content;
        }
        let content = match bytes.len() > KEPT_BYTES_MAX {
            true => self.name_long(&bytes, base),
            false => content_id(&bytes),
        };
        if let Entry::Vacant(vacant) = self.bytes.entry(content) {
            vacant.insert(bytes);
            self.places.insert(place, content);
        }
        content
    }

    /// Names a long content without hashing the parts again that it has in common with its base.
    fn name_long(&mut self, bytes: &Bytes, base: Option<ContentId>) -> ContentId {
        let base = base.and_then(|it| Some((it, self.bytes.get(&it)?, self.manifests.get(&it)?)));
        let (manifest, delta) = match base {
            None => (Manifest::of(bytes, Depth::Chunks), None),
            Some((base, old, manifest)) => {
                let patch = patch(old, bytes);
                let kept = Kept::of_patch(&*patch, bytes.len() as u64)
                    .unwrap_or_else(|error| panic!("patches-are-readable: {error}"));
                (manifest.carry(bytes, &kept), Some((base, patch)))
            }
        };
        let content = ContentId(manifest.root().0);
        self.manifests.insert(content, manifest);
        if let Some((base, patch)) = delta {
            self.payloads.insert(Payload { content, base: Some(base) }, Bytes::new(patch));
        }
        content
    }

    /// The bytes that a client brought under this name.
    pub(crate) fn get(&self, content: ContentId) -> Option<Bytes> {
        self.bytes.get(&content).cloned()
    }

    /// Makes the bytes of a payload from the sender's copies.
    pub(crate) fn encode(
        &mut self,
        payload: Payload,
        base: Option<&[u8]>,
        content: &Bytes,
    ) -> Cost {
        let bytes = self.payloads.entry(payload).or_insert_with(|| match base {
            None => content.clone(),
            Some(base) => Bytes::new(patch(base, content)),
        });
        Cost { sent: bytes.len() as u64, whole: content.len() as u64 }
    }

    /// The cost of a payload that was sent.
    pub(crate) fn cost(&self, payload: Payload) -> Cost {
        let length = |bytes: Option<&Bytes>| bytes.map_or(0, |it| it.len() as u64);
        Cost {
            sent: length(self.payloads.get(&payload)),
            whole: length(self.bytes.get(&payload.content)),
        }
    }

    /// Makes a content from a payload and the receiver's copy of its base; `None` when the payload
    /// cannot be applied to that copy. It is exact if it equals the client's bytes.
    pub(crate) fn decode(&self, payload: Payload, base: Option<&Stored>) -> Option<Stored> {
        let sent = self.payloads.get(&payload)?;
        let brought = self.bytes.get(&payload.content)?;
        if payload.base.is_none() {
            return Some(Stored { bytes: sent.clone(), is_exact: are_equal(sent, brought) });
        }
        let base = &base?.bytes;
        if brought.len() > KEPT_BYTES_MAX {
            let mut compared = Compared { brought, length: 0, is_equal: true };
            apply_stream(&Base(base), &**sent, &mut compared, u64::MAX).ok()?;
            // Nothing holds a long content that differs from the client's bytes.
            return compared.is_whole().then(|| Stored { bytes: brought.clone(), is_exact: true });
        }
        let made = apply(base, sent, u64::MAX).ok()?;
        Some(Stored { is_exact: are_equal(&made, brought), bytes: Bytes::from(&*made) })
    }
}

/// The patch that makes a content from another one.
fn patch(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut patch = Vec::new();
    let written = diff(old, new, Options::default(), &mut patch);
    written.unwrap_or_else(|error| panic!("memory-takes-patches: {error}"));
    patch
}

/// The receiver's copy that a delta is applied to.
struct Base<'a>(&'a [u8]);

impl OldContent for Base<'_> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        // A place that memory cannot have lies behind the end, as does its sum with a length.
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let until = from.saturating_add(bytes.len());
        let found = self.0.get(from..until).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}

/// The output of a delta, which is compared with the client's bytes and not kept.
struct Compared<'a> {
    brought: &'a [u8],
    length: usize,
    is_equal: bool,
}

impl Compared<'_> {
    fn is_whole(&self) -> bool {
        self.is_equal && self.length == self.brought.len()
    }
}

impl Write for Compared<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let end = self.length + piece.len();
        self.is_equal = self.is_equal && self.brought.get(self.length..end) == Some(piece);
        self.length = end;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(random: &mut crate::Random) -> Vec<u8> {
        (0..KEPT_BYTES_MAX / 2).flat_map(|_| random.bits().to_le_bytes()).collect()
    }

    #[test]
    fn a_long_content_has_the_same_name_whether_it_is_carried_over_or_hashed() {
        let random = &mut crate::Random::new(1);
        let old = long(random);
        for at in [0, 1_000_000, old.len()] {
            let new = [&old[..at], b"inserted", &old[at..]].concat();
            let mut contents = Contents::default();
            let base = contents.add(old.clone().into(), None);
            let carried = contents.add(new.clone().into(), Some(base));
            assert_eq!(carried, content_id(&new));
        }
    }

    #[test]
    fn what_a_delta_makes_is_exact_only_if_it_is_what_the_client_brought() {
        let random = &mut crate::Random::new(2);
        let old = long(random);
        for (old, new) in [(&old[..], [&old, &b"!"[..]].concat()), (b"old", b"new".to_vec())] {
            let mut contents = Contents::default();
            let base = contents.add(old.into(), None);
            let content = contents.add(new.clone().into(), Some(base));
            let payload = Payload { content, base: Some(base) };
            contents.encode(payload, Some(old), &new.into());
            let copy = Stored { bytes: old.into(), is_exact: true };
            let made = contents.decode(payload, Some(&copy)).expect("a delta that fits");
            assert!(made.is_exact);

            // The bytes under the name are others now, so that the output is not the client's.
            let last = contents.bytes[&content].len() - 1;
            let mut other = contents.bytes[&content].to_vec();
            other[last] ^= 1;
            for other in [other.clone(), other[..last].to_vec()] {
                contents.bytes.insert(content, other.into());
                let made = contents.decode(payload, Some(&copy));
                assert!(made.is_none_or(|it| !it.is_exact));
            }
        }
    }
}
