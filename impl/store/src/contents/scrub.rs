//! Scrubbing: all contents are read and verified, a few bytes at a time.

use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use steadfast_protocol::ContentId;
use steadfast_wal::disk::Disk;

use super::{ContentError, ContentReader, Contents};

/// Where a scrub stands.
pub(super) struct Scrub<D: Disk> {
    /// The content that was verified last, wholly or in part.
    last: Option<ContentId>,
    /// That content, and its next chunk, if some are left.
    rest: Option<(ContentReader<D>, usize)>,
}

impl<D: Disk> Default for Scrub<D> {
    fn default() -> Self {
        Scrub { last: None, rest: None }
    }
}

impl<D: Disk> fmt::Debug for Scrub<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrub").field("last", &self.last).finish_non_exhaustive()
    }
}

/// The result of the verification of one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The content.
    pub content: ContentId,
    /// Whether its bytes are those that its name says.
    pub is_good: bool,
}

/// The result of one call of [`Contents::scrub`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// How many bytes were read.
    pub bytes: u64,
    /// The contents whose verification ended.
    pub verdicts: Vec<Verdict>,
    /// Whether all contents have been verified; the next call begins from the first.
    pub is_complete: bool,
}

impl<D: Disk> Contents<D> {
    /// Verifies the next bytes, about `bytes_max` of them: whole chunks, and at least one. The caller decides
    /// how often to call this, and so the rate. A content that is found bad counts as bad from then on.
    ///
    /// # Errors
    /// The disk fails. The next call goes on behind the content that could not be read.
    pub fn scrub(self: &Arc<Self>, bytes_max: u64) -> Result<Scrubbed, ContentError> {
        let mut scrub = self.scrub.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = Scrubbed::default();
        loop {
            let Some((mut reader, mut next)) = self.next_to_scrub(&mut scrub, &mut done)? else {
                return Ok(done);
            };
            while next < reader.chunks() && (done.bytes < bytes_max || done.bytes == 0) {
                match reader.verify(next, self.decisions.scrub_verifies()) {
                    Ok(bytes) => (done.bytes, next) = (done.bytes + bytes, next + 1),
                    Err(ContentError::Rotten { content, .. }) => {
                        done.bytes += reader.chunk_length(next);
                        done.verdicts.push(Verdict { content, is_good: false });
                        next = usize::MAX;
                    }
                    Err(error) => return Err(error),
                }
            }
            if next < reader.chunks() {
                scrub.rest = Some((reader, next));
                return Ok(done);
            }
            if next != usize::MAX {
                self.pass(reader.content(), &mut done);
            }
            if done.bytes >= bytes_max {
                return Ok(done);
            }
        }
    }

    /// Reads all of a content, and returns its length in bytes. A content that is found bad counts as bad from then on.
    ///
    /// # Errors
    /// There is no good copy, or the disk fails.
    pub fn verify(self: &Arc<Self>, content: ContentId) -> Result<u64, ContentError> {
        let mut reader = self.reader(content)?;
        for at in 0..reader.chunks() {
            reader.verify(at, self.decisions.scrub_verifies())?;
        }
        Ok(reader.length())
    }

    fn pass(&self, content: ContentId, done: &mut Scrubbed) {
        let is_good = !self.decisions.scrub_condemns_good_copies();
        if !is_good {
            self.mark_bad(content);
        }
        done.verdicts.push(Verdict { content, is_good });
    }

    /// The content to verify, and its next chunk; `None` behind the last one.
    fn next_to_scrub(
        self: &Arc<Self>,
        scrub: &mut Scrub<D>,
        done: &mut Scrubbed,
    ) -> Result<Option<(ContentReader<D>, usize)>, ContentError> {
        if let Some(rest) = scrub.rest.take() {
            return Ok(Some(rest));
        }
        loop {
            let Some(content) = self.following(scrub.last) else {
                *scrub = Scrub::default();
                done.is_complete = true;
                return Ok(None);
            };
            scrub.last = Some(content);
            match self.reader(content) {
                Ok(reader) => return Ok(Some((reader, 0))),
                Err(ContentError::Rotten { .. }) => {
                    done.verdicts.push(Verdict { content, is_good: false });
                }
                // It was removed just now.
                Err(ContentError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The first content behind this one.
    fn following(&self, last: Option<ContentId>) -> Option<ContentId> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.index().lengths.range((from, Bound::Unbounded)).next().map(|it| *it.0)
    }
}
