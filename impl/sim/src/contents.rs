//! The contents that clients brought.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_protocol::ContentId;

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

/// The name of a content: the root of its manifest.
pub(crate) fn content_id(bytes: &[u8]) -> ContentId {
    ContentId(Manifest::of(bytes, Depth::Chunks).root().0)
}

/// The contents that clients brought, by name. The judge compares copies with them.
#[derive(Default)]
pub(crate) struct Contents {
    bytes: HashMap<ContentId, Bytes>,
    /// The contents by first address and length. They stay there: `bytes` owns them.
    places: HashMap<(usize, usize), ContentId>,
}

impl Contents {
    /// Takes in the bytes that a client brings; returns their name.
    pub(crate) fn add(&mut self, bytes: Bytes) -> ContentId {
        let place = (bytes.as_ptr().addr(), bytes.len());
        if let Some(content) = self.places.get(&place) {
            return *content;
        }
        let content = content_id(&bytes);
        if let Entry::Vacant(vacant) = self.bytes.entry(content) {
            vacant.insert(bytes);
            self.places.insert(place, content);
        }
        content
    }

    /// The bytes that a client brought under this name.
    pub(crate) fn get(&self, content: ContentId) -> Option<&Bytes> {
        self.bytes.get(&content)
    }
}
