//! Entries. An entry is one write.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ContentId, Counter, Digest, Dot, Epoch, Incarnation, NodeId, Path, RequestId, Sealed,
    VersionVector,
};

/// The last-write-wins order: fence, then Lamport counter, then origin, compared in that order.
///
/// Invariant (G7, effect-beats-cause): an entry that saw another has the higher stamp. No two entries have the same
/// stamp, because the counters of an origin rise; so it makes no difference whether code compares stamps with `<` or `<=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The epoch of the leader that made the entry, when E+W>N; otherwise `None`.
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

/// The content of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Content {
    /// A small content travels within its entry.
    Inline(#[serde(with = "crate::inline_bytes")] Arc<[u8]>),
    /// A large content is stored beside the log. Entries name it by its id, and nodes send it whole or
    /// as a delta.
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

/// The change that a write makes to its path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// The path holds this content.
    Put(Content),
    /// The path holds nothing. A delete is an entry like any other, so that nodes keep it.
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

/// One write. Immutable; [`Entry`] is the shared handle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryBody {
    /// The entry's name. A node never reuses the dot of an entry that it has sent.
    pub dot: Dot,
    /// The place of the entry in the last-write-wins order.
    pub stamp: Stamp,
    /// The entries that this write had seen: the writer's logged version vector when it wrote.
    pub context: VersionVector,
    /// The incarnation of the origin that made the entry.
    pub incarnation: Incarnation,
    /// The digest of the entries that the context covers, as the writer held them. A node that holds
    /// other entries under these dots halts instead of logging this one.
    pub context_digest: Digest,
    /// The heads that this write replaces, in order. The context covers all of them. Empty if and only if the
    /// author saw no version of the path: an entry that replaces none of several versions names itself.
    pub replaces: Vec<Dot>,
    /// The file that the write changes.
    pub path: Path,
    /// The change to the file.
    pub change: Change,
    /// The id of the client's request, by which leaders recognise a retry.
    pub request: RequestId,
}

impl EntryBody {
    /// The size of the parts of variable length, in bytes: the path and an inline content.
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
