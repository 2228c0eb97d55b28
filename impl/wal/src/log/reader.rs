//! Reading an open log by index.

use std::fmt;

use super::faults::planted;
use super::shared::Shared;
use crate::chain::Chain;
use crate::checksum::Checksum;
use crate::disk::{Disk, DiskError};
use crate::format::batch::{Batch, Records};
use crate::format::header::Header;
use crate::segment_reader::SegmentReader;
use crate::threads::{SystemThreads, Threads};
use crate::{Location, LogIndex};

/// Reads the durable records of an open log in order, while the log goes on. [`Log::read_from`] makes
/// one.
///
/// A reader that has caught up waits for more with [`Log::wait`] on [`Reader::next_index`].
///
/// [`Log::read_from`]: crate::Log::read_from
/// [`Log::wait`]: crate::Log::wait
pub struct Reader<'a, D: Disk, T: Threads = SystemThreads> {
    shared: &'a Shared<D, T>,
    /// Records before this one are not shown.
    from: LogIndex,
    /// Recognises the batch at `location`.
    chain: Chain,
    location: Location,
    segment: Option<SegmentReader<D::File>>,
}

impl<D: Disk, T: Threads> fmt::Debug for Reader<'_, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("directory", &self.shared.disk.directory())
            .field("next_index", &self.next_index())
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

const FIRST_RECORD: LogIndex = LogIndex(1);

/// Why records of an open log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// A checkpoint stands for the record, and its segment was given up.
    #[error(
        "record {index} is no longer in the log: a checkpoint stands for it. Begin with record \
         {first}, the first that the log still has"
    )]
    GivenUp {
        /// The next record of the reader.
        index: LogIndex,
        /// The first record that can be read.
        first: LogIndex,
    },
    /// Wrong bytes stand where a durable batch must be.
    #[error(
        "record {index} cannot be read: wrong bytes stand where its batch must be ({location}). \
         Close the log, and see which records are lost with `inspect` and `salvage`"
    )]
    Damaged {
        /// The first record of the batch.
        index: LogIndex,
        /// Where the batch must be.
        location: Location,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A verified batch in the window of the segment.
struct Found {
    offset: u64,
    header: Header,
    checksum: Checksum,
}

impl<'a, D: Disk, T: Threads> Reader<'a, D, T> {
    pub(super) fn new(
        shared: &'a Shared<D, T>,
        from: LogIndex,
    ) -> Result<Reader<'a, D, T>, ReaderError> {
        let from = from.max(FIRST_RECORD);
        let state = shared.state();
        let Some(start) = state.commit.start_of(from) else {
            return Err(ReaderError::GivenUp { index: from, first: state.commit.first() });
        };
        let chain = Chain::new(state.commit.log(), start, shared.settings.decisions);
        let location = Location { segment: start.segment, offset: 0 };
        drop(state);
        Ok(Reader { shared, from, chain, location, segment: None })
    }

    /// The index of the record that is shown next.
    #[must_use]
    pub fn next_index(&self) -> LogIndex {
        self.chain.next.max(self.from)
    }

    /// The records of the next batch that is durable; `None` if there is none yet. The first call reads
    /// up to one segment, to find the record to begin with.
    ///
    /// # Errors
    /// The record was given up for a checkpoint, the disk fails, or wrong bytes stand in a batch that
    /// was durable. A later call tries the same batch again.
    pub fn next_batch(&mut self) -> Result<Option<Records<'_>>, ReaderError> {
        let Some(found) = self.find()? else {
            return Ok(None);
        };
        let body = self.segment.as_ref().map(|it| it.body(found.offset, &found.header));
        let batch = Batch::verified(found.header, found.checksum, body.unwrap_or_default());
        let mut records = batch.records();
        if let Some(known) = self.from.0.checked_sub(found.header.first.0 + 1) {
            records.nth(usize::try_from(known).unwrap_or(usize::MAX));
        }
        Ok(Some(records))
    }

    /// The next durable batch with a record to show.
    fn find(&mut self) -> Result<Option<Found>, ReaderError> {
        loop {
            if self.next_index() > self.shared.synced.durable() {
                return Ok(None);
            }
            self.enter_segment();
            let offset = self.location.offset;
            let Some((header, checksum)) = self.verify_next()? else {
                return Err(self.explain());
            };
            self.location.offset += header.padded_bytes(self.shared.settings.padding());
            if header.count > 0 && self.chain.next > self.from {
                return Ok(Some(Found { offset, header, checksum }));
            }
        }
    }

    /// Moves to the segment of the next record: to that of the first one to show, which may have become
    /// durable in a later segment, or from one segment to the next where that one goes on.
    fn enter_segment(&mut self) {
        let state = self.shared.state();
        if self.chain.next < self.from
            && let Some(start) = state.commit.start_of(self.from)
            && start.segment > self.location.segment
        {
            self.chain = Chain::new(state.commit.log(), start, self.shared.settings.decisions);
            self.location = Location { segment: start.segment, offset: 0 };
            self.segment = None;
        }
        while let Some(next) = state.commit.start_behind(self.location.segment)
            && self.chain.goes_on_at(next.first, next.previous)
        {
            self.location = Location { segment: next.segment, offset: 0 };
            self.segment = None;
        }
        let written = state.commit.tail();
        drop(state);
        if let Some(segment) = &mut self.segment
            && written.segment == segment.segment
        {
            segment.length = written.offset;
        }
    }

    /// Verifies the batch at the location; `None` if it is not there. The window may show bytes from
    /// before the batch was written, so a batch that is not there is looked for once more in the file.
    fn verify_next(&mut self) -> Result<Option<(Header, Checksum)>, ReaderError> {
        for _ in 0..2 {
            let mut segment = match self.segment.take().map_or_else(|| self.open(), Ok) {
                Ok(segment) => segment,
                Err(_) if self.is_given_up() => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            if let Ok(batch) = segment.batch(self.location.offset)?
                && self.chain.accepts(&batch.header, self.location.segment)
            {
                self.chain.push(&batch);
                let verified = (batch.header, batch.checksum);
                self.segment = Some(segment);
                return Ok(Some(verified));
            }
        }
        Ok(None)
    }

    fn open(&self) -> Result<SegmentReader<D::File>, DiskError> {
        let settings = self.shared.settings;
        SegmentReader::open(&*self.shared.disk, self.location.segment, settings, Vec::new())
    }

    /// Whether a checkpoint has given up the segment. A checkpoint that is being written may have removed
    /// the file already, and enters that into the state at its end.
    fn is_given_up(&self) -> bool {
        if !planted!(CheckpointUnawaited) {
            self.shared.wait_for_checkpoint();
        }
        self.shared.state().commit.first_segment() > self.location.segment
    }

    /// Why the batch at the location could not be read.
    fn explain(&self) -> ReaderError {
        let index = self.next_index();
        if self.is_given_up() {
            return ReaderError::GivenUp { index, first: self.shared.state().commit.first() };
        }
        ReaderError::Damaged { index: self.chain.next, location: self.location }
    }
}
