//! Salvage of a damaged log: every whole batch, also behind the damage. Nothing is changed.

mod intact;

use crate::checksum::Checksum;
use crate::disk::{Disk, DiskError};
use crate::format::batch::{NoBatch, Record};
use crate::format::checkpoint::Root;
use crate::format::header::Header;
use crate::inspect::lock_for_reading;
use crate::recovery::{OpenError, Segments, read_root};
use crate::segment_reader::SegmentReader;
use crate::settings::Settings;
use crate::{Location, LogId, LogIndex, SegmentNumber};
pub use intact::{Rescued, SalvageError, salvage_into};

/// The smallest and the largest block, as powers of two: tried where no checkpoint names the size.
const BLOCK_POWERS: std::ops::RangeInclusive<u32> = 9..=16;
/// No disk writes less than this at once, in bytes.
const SECTOR_BYTES_MIN: u64 = 512;

/// The account of a salvage.
#[derive(Debug)]
pub struct Salvage {
    /// Whose log it is; `None` if there is neither a checkpoint nor a whole batch.
    pub log: Option<LogId>,
    /// The checkpoint's state stands for every record up to this one; `None` if the checkpoint is
    /// missing or damaged.
    pub through: Option<LogIndex>,
    /// The records that were shown, run by run, in rising order.
    pub runs: Vec<SalvagedRun>,
    /// The last record that a batch or the checkpoint says was durable.
    pub known_durable: LogIndex,
}

/// Records without a gap, in batches that name each other by their checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SalvagedRun {
    /// The first record.
    pub first: LogIndex,
    /// The last record.
    pub last: LogIndex,
    /// Where the batch of the first record stands.
    pub location: Location,
}

impl Salvage {
    /// The first and the last record of each gap, as far as known.
    #[must_use]
    pub fn missing(&self) -> Vec<(LogIndex, LogIndex)> {
        let mut missing = Vec::new();
        let mut next = self.through.map(LogIndex::next);
        for run in &self.runs {
            missing.extend(next.filter(|it| *it < run.first).map(|it| (it, run.first.previous())));
            next = next.max(Some(run.last.next()));
        }
        let end = next.filter(|it| *it <= self.known_durable);
        missing.extend(end.map(|it| (it, self.known_durable)));
        missing
    }
}

/// Shows every record in a whole batch of a log, in rising order and each once, to `visit`.
///
/// Records behind damage are less certain than those that [`inspect`](crate::inspect) shows: each batch
/// is whole and of this log, and nothing proves that it follows the one shown before it. A new
/// [`SalvagedRun`] begins where batches do not name each other.
///
/// # Errors
/// There is no log, it is in use or of another version, or the disk fails. Copy a disk that
/// cannot be read everywhere first, with a tool that leaves out unreadable sectors.
pub fn salvage<D: Disk>(disk: &D, visit: &mut dyn FnMut(Record<'_>)) -> Result<Salvage, OpenError> {
    try_salvage(disk, &mut |record| {
        visit(record);
        Ok(())
    })
}

/// As [`salvage`], until `visit` returns an error.
///
/// # Errors
/// That of `visit`; or as [`salvage`].
pub fn try_salvage<D: Disk, E: From<OpenError>>(
    disk: &D,
    visit: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
) -> Result<Salvage, E> {
    let segments = Segments::list(disk)?;
    let _lock = lock_for_reading(disk, &segments)?;
    let root = readable_root(disk, &segments)?;
    let through = root.map(|it| it.through);
    let known_durable = root.map_or(LogIndex(0), |it| it.durable);
    let runs = Vec::new();
    let mut salvager = Salvager {
        settings: Settings::default(),
        salvage: Salvage { log: root.map(|it| it.log), through, runs, known_durable },
        next: LogIndex(1),
        last_checksum: None,
        visit,
    };
    let files = salvager.sort(disk, &segments, root).map_err(OpenError::from)?;
    if files.is_empty() && root.is_none() {
        return Err(OpenError::NoLog { directory: disk.directory() }.into());
    }
    for (own, file) in files {
        salvager.file(disk, own, file)?;
    }
    Ok(salvager.salvage)
}

/// The checkpoint, if it is there and whole.
fn readable_root<D: Disk>(disk: &D, segments: &Segments) -> Result<Option<Root>, OpenError> {
    if !segments.has_checkpoint {
        return Ok(None);
    }
    match read_root(disk, Settings::default(), segments) {
        Ok((root, _)) => Ok(Some(root)),
        Err(OpenError::Damaged { .. } | OpenError::NotALog { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Salvager<'a, E> {
    settings: Settings,
    salvage: Salvage,
    /// The next record that was not shown yet.
    next: LogIndex,
    /// The header checksum of the last batch that was shown.
    last_checksum: Option<Checksum>,
    visit: &'a mut dyn FnMut(Record<'_>) -> Result<(), E>,
}

impl<E: From<OpenError>> Salvager<'_, E> {
    /// The files in the order of the segments that they hold, by the number in their first batch or
    /// else by their name, so that segments under each other's names are read in the right order.
    fn sort<D: Disk>(
        &mut self,
        disk: &D,
        segments: &Segments,
        root: Option<Root>,
    ) -> Result<Vec<(SegmentNumber, SegmentNumber)>, DiskError> {
        let block_sizes: Vec<u32> = match root {
            Some(root) => vec![root.block_bytes],
            None => BLOCK_POWERS.map(|it| 1 << it).collect(),
        };
        let mut is_size_known = false;
        let mut files = Vec::new();
        for &file in &segments.numbers {
            let mut own = file;
            for &block_bytes in &block_sizes {
                if is_size_known && block_bytes != self.settings.block_bytes {
                    continue;
                }
                let settings = Settings { block_bytes, ..self.settings };
                let mut reader = SegmentReader::open(disk, file, settings, Vec::new())?;
                if let Ok(batch) = reader.batch(0)? {
                    (self.settings, is_size_known) = (settings, true);
                    let log = *self.salvage.log.get_or_insert(batch.header.log);
                    own = if batch.header.log == log { batch.header.segment } else { file };
                    break;
                }
            }
            if root.is_none_or(|it| own >= it.start.segment) {
                files.push((own, file));
            }
        }
        if let (Some(root), false) = (root, is_size_known) {
            self.settings.block_bytes = root.block_bytes;
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Shows the whole batches of a segment in a file.
    fn file<D: Disk>(
        &mut self,
        disk: &D,
        segment: SegmentNumber,
        file: SegmentNumber,
    ) -> Result<(), E> {
        let step = self.settings.padding().min(SECTOR_BYTES_MIN);
        let mut reader =
            SegmentReader::open(disk, file, self.settings, Vec::new()).map_err(OpenError::from)?;
        let mut offset = 0;
        loop {
            offset = reader.skip_zeros(offset, step).map_err(OpenError::from)?;
            if offset >= reader.length {
                return Ok(());
            }
            let is_own = |it: &Header| Some(it.log) == self.salvage.log && it.segment == segment;
            match reader.batch(offset).map_err(OpenError::from)? {
                Ok(batch) if is_own(&batch.header) => {
                    let location = Location { segment: file, offset };
                    self.note_durable(&batch.header);
                    self.show(location, &batch.header, batch.checksum, batch.records())?;
                    offset += batch.header.padded_bytes(self.settings.padding());
                }
                Err(NoBatch::Body(header)) if is_own(&header) => {
                    self.note_durable(&header);
                    offset += step;
                }
                _ => offset += step,
            }
        }
    }

    /// A batch is written when the one before it is durable.
    fn note_durable(&mut self, header: &Header) {
        let known = header.durable.max(header.first.previous());
        self.salvage.known_durable = self.salvage.known_durable.max(known);
    }

    /// Shows the records of a batch that were not shown yet.
    fn show<'a>(
        &mut self,
        location: Location,
        header: &Header,
        checksum: Checksum,
        records: impl Iterator<Item = Record<'a>>,
    ) -> Result<(), E> {
        let is_linked = self.last_checksum == Some(header.previous) && header.first == self.next;
        for record in records.filter(|it| it.index >= self.next) {
            match self.salvage.runs.last_mut() {
                Some(run)
                    if run.last.next() == record.index
                        && (is_linked || run.last >= header.first) =>
                {
                    run.last = record.index;
                }
                _ => {
                    let (first, last) = (record.index, record.index);
                    self.salvage.runs.push(SalvagedRun { first, last, location });
                }
            }
            (self.visit)(record)?;
        }
        if let Some(end) = header.end().filter(|it| *it >= self.next) {
            (self.next, self.last_checksum) = (end, Some(checksum));
        }
        Ok(())
    }
}
