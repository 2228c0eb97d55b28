//! Entries: one write each.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ContentId, Counter, Dot, Epoch, NodeId, Path, RequestId, Sealed, VersionVector};

/// The last-write-wins order: fence, then Lamport counter, then origin, compared in that order.
///
/// Invariant (G7, effect-beats-cause): an entry that saw another has the higher stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The writing leader's epoch when E+W>N, else nothing.
    pub fence: Option<Epoch>,
    /// One more than the highest counter in the writer's log.
    pub counter: Counter,
    /// The node that made the entry.
    pub origin: NodeId,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fence {
            Some(fence) => write!(f, "{fence}/{}@{}", self.counter, self.origin),
            None => write!(f, "{}@{}", self.counter, self.origin),
        }
    }
}

/// What a file holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Content {
    /// A small content travels within its entry.
    Inline(Arc<[u8]>),
    /// A large content is named, stored beside the log and sent whole or as a delta.
    Named(ContentId),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Inline(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Content::Named(content) => write!(f, "content {content}"),
        }
    }
}

/// What a write does to its path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// The path holds this content.
    Put(Content),
    /// The path holds nothing. A delete is an entry like any other, so that it is never forgotten.
    Delete,
}

impl Change {
    /// The content that must be stored beside the log, if there is one.
    #[must_use]
    pub fn named(&self) -> Option<ContentId> {
        match self {
            Change::Put(Content::Named(content)) => Some(*content),
            Change::Put(Content::Inline(_)) | Change::Delete => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Put(content) => write!(f, "{content:?}"),
            Change::Delete => write!(f, "deleted"),
        }
    }
}

/// One write. Immutable once made; [`Entry`] is the shared handle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryBody {
    /// The entry's name; one that left its node is never reused.
    pub dot: Dot,
    /// Where the entry stands in the last-write-wins order.
    pub stamp: Stamp,
    /// The writer's logged version vector when it wrote: what this write had seen.
    pub context: VersionVector,
    /// The heads this write takes the place of, in order. All of them lie in the context.
    pub replaces: Vec<Dot>,
    /// The file that is written.
    pub path: Path,
    /// What is done to it.
    pub change: Change,
    /// The client's name for this write, by which a retry is recognised.
    pub request: RequestId,
}

impl EntryBody {
    /// The bytes that vary in length: those of the path and of an inline content.
    #[must_use]
    pub(crate) fn size(&self) -> u64 {
        let content = match &self.change {
            Change::Put(Content::Inline(bytes)) => bytes.len(),
            Change::Put(Content::Named(_)) | Change::Delete => 0,
        };
        (self.path.as_str().len() + content) as u64
    }
}

/// A shared, immutable [`EntryBody`].
pub type Entry = Sealed<EntryBody>;

impl fmt::Display for EntryBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}={}", self.dot, self.path, self.change)
    }
}
