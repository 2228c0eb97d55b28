//! Contents by name, and how they travel.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;
use std::sync::Arc;

use steadfast_delta::manifest::{Depth, Manifest, ManifestBuilder};
use steadfast_delta::{OldContent, Options, apply_stream, diff};
use steadfast_protocol::{ContentId, Payload};

use crate::storage::Stored;

/// Contents that a delta makes are kept in memory up to this length. Of longer ones only the name
/// is taken; if it is right, the bytes are those that the client brought.
const KEPT_BYTES_MAX: u64 = 1 << 20;

/// The bytes of a content, shared: in memory, or mapped from a file of any size.
#[derive(Clone)]
pub struct Bytes(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Bytes {
    /// Shares the bytes of something.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Bytes {
        Bytes(Arc::new(owner))
    }
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

/// The name of a content: the root of its manifest.
#[must_use]
pub fn content_id(bytes: &[u8]) -> ContentId {
    ContentId(Manifest::of(bytes, Depth::Chunks).root().0)
}

/// What clients brought, and the bytes that payloads are made of on the wire. Equal payloads have
/// equal bytes, so that each is made once.
#[derive(Default)]
pub(crate) struct Library {
    contents: HashMap<ContentId, Bytes>,
    payloads: HashMap<Payload, Bytes>,
}

/// What a payload costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// What travels.
    pub sent: u64,
    /// What a whole copy would have been.
    pub whole: u64,
}

impl Library {
    /// Takes in what a client brings, and says its name.
    pub(crate) fn add(&mut self, bytes: Bytes) -> ContentId {
        let content = content_id(&bytes);
        self.contents.insert(content, bytes);
        content
    }

    /// What a client brought under this name.
    pub(crate) fn get(&self, content: ContentId) -> Option<Bytes> {
        self.contents.get(&content).cloned()
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
            Some(base) => {
                let mut patch = Vec::new();
                let written = diff(base, content, Options::default(), &mut patch);
                written.unwrap_or_else(|error| panic!("memory-takes-patches: {error}"));
                Bytes::new(patch)
            }
        });
        Cost { sent: bytes.len() as u64, whole: content.len() as u64 }
    }

    /// What a payload that was sent costs.
    pub(crate) fn cost(&self, payload: Payload) -> Cost {
        let length = |bytes: Option<&Bytes>| bytes.map_or(0, |it| it.len() as u64);
        Cost {
            sent: length(self.payloads.get(&payload)),
            whole: length(self.contents.get(&payload.content)),
        }
    }

    /// Makes a content from a payload and the receiver's copy of its base; `None` when the payload
    /// cannot be applied to that copy.
    pub(crate) fn decode(&self, payload: Payload, base: Option<&Stored>) -> Option<Stored> {
        let sent = self.payloads.get(&payload)?;
        if payload.base.is_none() {
            let is_exact = content_id(sent) == payload.content;
            return Some(Stored { bytes: sent.clone(), is_exact });
        }
        let mut made =
            Made { manifest: ManifestBuilder::new(Depth::Chunks), bytes: Some(Vec::new()) };
        apply_stream(&Base(&base?.bytes), &**sent, &mut made, u64::MAX).ok()?;
        let is_exact = ContentId(made.manifest.finish().root().0) == payload.content;
        let bytes = match made.bytes {
            Some(bytes) => Bytes::new(bytes),
            None => self.get(payload.content).filter(|_| is_exact)?,
        };
        Some(Stored { bytes, is_exact })
    }
}

/// The receiver's copy that a delta is applied to.
struct Base<'a>(&'a [u8]);

impl OldContent for Base<'_> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let until = from.saturating_add(bytes.len());
        let found = self.0.get(from..until).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}

/// What a delta makes: its name, and its bytes if they are few.
struct Made {
    manifest: ManifestBuilder,
    bytes: Option<Vec<u8>>,
}

impl Write for Made {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.manifest.update(piece);
        let length = |bytes: &Vec<u8>| (bytes.len() + piece.len()) as u64;
        self.bytes = self.bytes.take().filter(|bytes| length(bytes) <= KEPT_BYTES_MAX);
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(piece);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
