//! Contents: one file each, named by its root, and its manifest beside it.
//!
//! | name | holds |
//! |---|---|
//! | 64 hexadecimal digits | the bytes of the content with this root |
//! | the same, `-`, a length in decimal | its manifest down to the chunks |
//! | 16 hexadecimal digits, `.tmp` | a file that is being written; removed by the next opening |
//! | `lock` | nothing; locked while the directory is open |
//!
//! Other names are left alone. A writer writes both files under temporary names, syncs the content, renames
//! both, and syncs the directory. So a file under the name of a content is whole. A manifest that is missing or
//! damaged is made from it again, which also proves that the content is the one that its name says.

mod decisions;
mod error;
mod held;
mod manifests;
mod names;
mod new_file;
mod opening;
mod place;
mod reader;
mod scrub;
mod turns;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_delta::manifest::Manifest;
use steadfast_node::ContentCopy;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Call, Disk};

pub use decisions::{ContentDecisions, DefaultContentDecisions};
pub use error::ContentError;
pub use held::HeldContent;
pub use place::ContentPlace;
pub use reader::ContentReader;
pub use scrub::{Scrubbed, Verdict};
pub use writer::ContentWriter;

use scrub::Scrub;
use turns::Turns;

/// The contents of a node. Shared by [`Arc`] between threads.
///
/// Operations that change one content wait for one another; all others run side by side. A content that is
/// written again replaces its copy as a whole. A reader goes on with the bytes that it opened when the
/// content is removed or replaced meanwhile.
pub struct Contents<D: Disk> {
    disk: Arc<D>,
    decisions: &'static dyn ContentDecisions,
    index: Mutex<Index>,
    turns: Turns,
    /// The number of the next temporary file.
    drafts: AtomicU64,
    scrub: Mutex<Scrub<D>>,
    _lock: D::Lock,
}

/// The contents on the disk, with about 60 bytes of memory for each.
#[derive(Debug, Default)]
struct Index {
    /// The durable contents, good or bad, with their lengths in bytes.
    lengths: BTreeMap<ContentId, u64>,
    /// Those whose copies are bad.
    bad: BTreeSet<ContentId>,
    /// The sum of the lengths.
    bytes: u64,
    /// How often each content was made whose report to the node is still to come.
    unreported: BTreeMap<ContentId, u32>,
}

impl Index {
    fn insert(&mut self, content: ContentId, length: u64) {
        let old = self.lengths.insert(content, length);
        self.bytes = self.bytes - old.unwrap_or(0) + length;
        self.bad.remove(&content);
    }

    fn note_unreported(&mut self, content: ContentId) {
        *self.unreported.entry(content).or_insert(0) += 1;
    }

    fn remove(&mut self, content: ContentId) {
        self.bytes -= self.lengths.remove(&content).unwrap_or(0);
        self.bad.remove(&content);
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        match self.lengths.contains_key(&content) {
            false => ContentCopy::Missing,
            true if self.bad.contains(&content) => ContentCopy::Wrong,
            true => ContentCopy::Exact,
        }
    }
}

/// How much a directory of contents holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of contents, bad ones included.
    pub count: usize,
    /// The sum of their lengths.
    pub bytes: u64,
    /// The number of contents that are known to be bad.
    pub bad: usize,
}

impl<D: Disk> fmt::Debug for Contents<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("directory", &self.disk.directory())
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Contents<D> {
    /// Opens a directory of contents; makes it if there is none. Removes temporary files, and completes
    /// contents whose manifest is missing.
    ///
    /// # Errors
    /// The directory is open already, or the disk fails.
    pub fn open(disk: Arc<D>) -> Result<Contents<D>, ContentError> {
        Contents::open_with(disk, &DefaultContentDecisions)
    }

    /// Opens a directory of contents with decisions that may be wrong, for the enumeration of crash states.
    ///
    /// # Errors
    /// As [`Contents::open`].
    pub fn open_with(
        disk: Arc<D>,
        decisions: &'static dyn ContentDecisions,
    ) -> Result<Contents<D>, ContentError> {
        let (lock, index) = opening::open(&*disk, decisions)?;
        Ok(Contents {
            disk,
            decisions,
            index: Mutex::new(index),
            turns: Turns::default(),
            drafts: AtomicU64::new(0),
            scrub: Mutex::new(Scrub::default()),
            _lock: lock,
        })
    }

    /// The number of another temporary file.
    fn next_draft(&self) -> u64 {
        self.drafts.fetch_add(1, Ordering::Relaxed)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of all contents, good or bad, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<ContentId> {
        self.index().lengths.keys().copied().collect()
    }

    /// The names of the contents that are known to be bad, in order.
    #[must_use]
    pub fn bad(&self) -> Vec<ContentId> {
        self.index().bad.iter().copied().collect()
    }

    /// The state of the copy of a content, as far as known: a copy that has gone bad unnoticed counts as
    /// exact until a reader or a scrub meets it.
    #[must_use]
    pub fn copy(&self, content: ContentId) -> ContentCopy {
        self.index().copy(content)
    }

    /// The length of a content in bytes, if there is a copy, good or bad.
    #[must_use]
    pub fn length(&self, content: ContentId) -> Option<u64> {
        self.index().lengths.get(&content).copied()
    }

    /// The number of contents and of their bytes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let index = self.index();
        Totals { count: index.lengths.len(), bytes: index.bytes, bad: index.bad.len() }
    }

    /// Begins to write a content.
    ///
    /// # Errors
    /// The disk fails.
    pub fn writer(self: &Arc<Self>) -> Result<ContentWriter<D>, ContentError> {
        ContentWriter::begin(Arc::clone(self), None)
    }

    /// Begins to write a content that probably has many bytes of `old` at the same offsets. On a disk with reflinks,
    /// both contents share the blocks of the bytes that [`ContentWriter::keep`] takes.
    ///
    /// # Errors
    /// The disk fails.
    pub fn writer_like(
        self: &Arc<Self>,
        old: &HeldContent<D>,
    ) -> Result<ContentWriter<D>, ContentError> {
        ContentWriter::begin(Arc::clone(self), Some(old))
    }

    /// Begins to write a content whose bytes come in any order.
    ///
    /// # Errors
    /// The disk fails.
    pub fn place(self: &Arc<Self>) -> Result<ContentPlace<D>, ContentError> {
        ContentPlace::begin(Arc::clone(self))
    }

    /// Opens a content for reading.
    ///
    /// # Errors
    /// There is no good copy, or the disk fails.
    pub fn reader(self: &Arc<Self>, content: ContentId) -> Result<ContentReader<D>, ContentError> {
        ContentReader::open(Arc::clone(self), content)
    }

    /// The manifest of a content, down to the chunks.
    ///
    /// # Errors
    /// As [`Contents::reader`].
    pub fn manifest(self: &Arc<Self>, content: ContentId) -> Result<Manifest, ContentError> {
        self.reader(content).map(ContentReader::into_manifest)
    }

    /// Notes that the copy of a content is bad. The copy stays until it is replaced or removed.
    pub fn mark_bad(&self, content: ContentId) {
        let mut index = self.index();
        if index.lengths.contains_key(&content) {
            index.bad.insert(content);
        }
    }

    /// Notes that the node knows of a content that was made, or that it need not know of it. Every end of a
    /// writer or of a place is to be followed by one such note.
    pub fn note_reported(&self, content: ContentId) {
        let mut index = self.index();
        if let Some(count) = index.unreported.get_mut(&content) {
            *count -= 1;
            if *count == 0 {
                index.unreported.remove(&content);
            }
        }
    }

    /// Removes a content that nothing names any more, unless it was made just now and the node does not know
    /// that yet: then the report lets the node keep it. Returns whether it was removed.
    ///
    /// # Errors
    /// As [`Contents::remove`].
    pub fn discard(&self, content: ContentId) -> Result<bool, ContentError> {
        let _turn = self.turns.take(content);
        // Not within a `match`, which would hold the index while the content is removed.
        let is_unreported = self.index().unreported.contains_key(&content);
        if is_unreported {
            return Ok(false);
        }
        self.remove_in_turn(content)
    }

    /// Removes a content, and returns whether there was one. After a crash the content may be there again.
    ///
    /// # Errors
    /// The disk fails. The content may be removed or not.
    pub fn remove(&self, content: ContentId) -> Result<bool, ContentError> {
        let _turn = self.turns.take(content);
        self.remove_in_turn(content)
    }

    fn remove_in_turn(&self, content: ContentId) -> Result<bool, ContentError> {
        let Some(length) = self.length(content) else {
            return Ok(false);
        };
        // The manifest last: the next opening removes a manifest without a content, and would have to read
        // a content without a manifest.
        self.remove_file(&names::content(content))?;
        self.index().remove(content);
        self.remove_file(&names::manifest(content, length))?;
        Ok(true)
    }

    /// Removes a file that somebody else may have removed.
    fn remove_file(&self, name: &str) -> Result<(), ContentError> {
        match self.disk.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(ContentError::disk(Call::Remove, name)),
        }
    }
}
