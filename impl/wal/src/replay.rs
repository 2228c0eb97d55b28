//! Reads the records of a log that was opened.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Sequence;
use crate::chain::Chain;
use crate::disk::Disk;
use crate::format::batch::{Record, Records};
use crate::recovery::{Case, Damage, Extent, Place, ReadError};
use crate::segment_reader::SegmentReader;
use crate::settings::Settings;

/// The records that were in a log when it was opened and that its checkpoint does not stand for, in
/// order, batch by batch. Each byte is verified before it is shown.
///
/// Records are lent: they lie in the memory that the next batch is read into.
pub struct Replay<D: Disk> {
    disk: Arc<D>,
    settings: Settings,
    extents: VecDeque<Extent>,
    chain: Chain,
    /// The checkpoint stands for records up to this one.
    through: Sequence,
    reader: Option<SegmentReader<D::File>>,
    offset: u64,
}

impl<D: Disk> Replay<D> {
    pub(crate) fn new(
        disk: Arc<D>,
        settings: Settings,
        extents: Vec<Extent>,
        chain: Chain,
        through: Sequence,
    ) -> Replay<D> {
        let extents = extents.into();
        Replay { disk, settings, extents, chain, through, reader: None, offset: 0 }
    }

    /// The records of the next batch; `None` at the end.
    ///
    /// # Errors
    /// When the disk fails, or when bytes are not what they were when the log was opened.
    pub fn next_batch(&mut self) -> Result<Option<Records<'_>>, ReadError> {
        if !self.seek()? {
            return Ok(None);
        }
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let (segment, position) = (reader.segment, reader.position(self.offset));
        match reader.batch(self.offset)? {
            Ok(batch) if self.chain.accepts(&batch.header, segment) => {
                self.offset += batch.header.padded_bytes(self.settings.padding());
                self.chain.push(&batch);
                let mut records = batch.records();
                if batch.header.first <= self.through {
                    let known = self.through.0 - batch.header.first.0;
                    records.nth(usize::try_from(known).unwrap_or(usize::MAX));
                }
                Ok(Some(records))
            }
            _ => {
                let place = Place::At(position);
                Err(Damage { case: Case::Rot, place, lost: None }.into())
            }
        }
    }

    /// Shows every record that is left to a function.
    ///
    /// # Errors
    /// As [`Replay::next_batch`]; the records before have been shown then.
    pub fn for_each(&mut self, mut show: impl FnMut(Record<'_>)) -> Result<(), ReadError> {
        while let Some(records) = self.next_batch()? {
            records.for_each(&mut show);
        }
        Ok(())
    }

    /// Moves on to the segment that the next batch is in; false if there is none.
    fn seek(&mut self) -> Result<bool, ReadError> {
        while let Some(extent) = self.extents.front() {
            let is_open = self.reader.as_ref().is_some_and(|it| it.segment == extent.start.segment);
            if is_open && self.offset < extent.end {
                return Ok(true);
            }
            if is_open || extent.end == 0 {
                self.extents.pop_front();
                continue;
            }
            let window = self.reader.take().map_or_else(Vec::new, SegmentReader::into_window);
            let reader =
                SegmentReader::open(&*self.disk, extent.start.segment, self.settings, window)?;
            self.reader = Some(reader);
            self.offset = 0;
        }
        Ok(false)
    }
}
