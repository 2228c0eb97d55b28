//! Judges how a log ends, from the bytes behind the last batch.

use super::beginnings::whole_file;
use super::damage::{Case, Damage, DamagedPart, ReadError, Tail};
use super::walk::Walk;
use crate::chain::Chain;
use crate::disk::{Disk, DiskError};
use crate::format::batch::NoBatch;
use crate::format::header::NoHeader;
use crate::segment_reader::SegmentReader;
use crate::settings::Settings;
use crate::{Location, LogIndex, SegmentNumber};

/// No disk writes less than this at once, in bytes.
const SECTOR_BYTES_MIN: u64 = 512;

/// A segment behind the last started one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unstarted {
    pub(crate) segment: SegmentNumber,
    pub(crate) length: u64,
    /// Whether an opening has tried to start it.
    pub(crate) is_touched: bool,
    /// Whether nothing but a torn copy of the last batch is lost when it is written over.
    pub(crate) is_free: bool,
}

/// How a log ends.
pub(crate) struct End {
    pub(crate) tail: Tail,
    pub(crate) unstarted: Vec<Unstarted>,
}

/// Says how the log ends that was walked through, or that something durable is missing there.
pub(crate) fn judge<D: Disk>(disk: &D, walk: &Walk<D::File>) -> Result<End, ReadError> {
    let mut judge = Judge {
        disk,
        settings: walk.settings,
        chain: walk.chain,
        known_durable: walk.known_durable,
        newest: walk.newest,
        misplaced: None,
        window: Vec::new(),
    };
    let unstarted = judge.unstarted(walk)?;
    let tail = judge.tail(walk, &unstarted)?;
    Ok(End { tail, unstarted })
}

/// Of the segments behind the last started one, those that may have been written to although nothing
/// of their own is in the ones before.
///
/// Segments are written to in order, but an opening passes over a segment that an opening before it
/// has tried to start, and over one that is not as long as it wants them. So all are such up to the
/// first that is untouched, and further on each that is not as long as all the ones before it.
fn written_first(unstarted: &[Unstarted]) -> impl Iterator<Item = SegmentNumber> {
    let may_be_passed_over_for =
        |before: &Unstarted, it: &Unstarted| before.is_touched || before.length != it.length;
    unstarted.iter().enumerate().filter_map(move |(at, it)| {
        let all_may_be = unstarted[..at].iter().all(|before| may_be_passed_over_for(before, it));
        all_may_be.then_some(it.segment)
    })
}

struct Judge<'a, D: Disk> {
    disk: &'a D,
    settings: Settings,
    /// The chain behind the last batch.
    chain: Chain,
    /// The last record that is known to have been durable.
    known_durable: LogIndex,
    /// The newest segment whose name is known to have been durable.
    newest: SegmentNumber,
    /// Where a batch stands that was written to a later segment than the file's.
    misplaced: Option<Location>,
    window: Vec<u8>,
}

impl<D: Disk> Judge<'_, D> {
    fn reader(&mut self, segment: SegmentNumber) -> Result<SegmentReader<D::File>, DiskError> {
        let window = std::mem::take(&mut self.window);
        SegmentReader::open(self.disk, segment, self.settings, window)
    }

    fn unstarted(&mut self, walk: &Walk<D::File>) -> Result<Vec<Unstarted>, DiskError> {
        let mut unstarted = Vec::new();
        for (&segment, &length) in walk.lengths.range(walk.end.segment.next()..) {
            let chain = self.chain;
            let mut reader = self.reader(segment)?;
            let header = match reader.batch(0)? {
                Ok(batch) => Some(batch.header),
                Err(NoBatch::Body(header)) => Some(header),
                Err(NoBatch::Header(_)) => None,
            };
            let first = header.filter(|it| chain.is_at_home(it, segment));
            let is_touched = first.is_some();
            let is_free = first.is_none_or(|it| it.end().is_some_and(|it| it <= chain.next));
            unstarted.push(Unstarted { segment, length, is_touched, is_free });
            self.window = reader.into_window();
        }
        Ok(unstarted)
    }

    fn tail(&mut self, walk: &Walk<D::File>, unstarted: &[Unstarted]) -> Result<Tail, ReadError> {
        let end = walk.end;
        let (mut tail, is_blank) = self.break_at(end)?;
        if tail.case == Case::CleanEnd || tail.case == Case::StaleBytes {
            // The batch that was being written may have been the first of the next segment.
            if let Some(next) = unstarted.first() {
                let (other, _) = self.break_at(Location { segment: next.segment, offset: 0 })?;
                tail = if other.is_uncertain() { other } else { tail };
            }
        }
        if self.settings.decisions.looks_behind_the_break() {
            self.look_behind(end, &mut tail)?;
            for segment in written_first(unstarted) {
                self.look_behind(Location { segment, offset: 0 }, &mut tail)?;
            }
        }
        if let Some(damage) = self.wrong_file(walk) {
            return Err(walk.lost_by(damage, self.known_durable).into());
        }
        if self.settings.decisions.is_damage(self.chain.next, self.known_durable) {
            let case = if is_blank { Case::Hole } else { Case::Rot };
            let damage: Damage = walk.damage(end, case, self.known_durable);
            return Err(damage.into());
        }
        Ok(tail)
    }

    /// The damage that there is when a file is not the one that must be there.
    fn wrong_file(&self, walk: &Walk<D::File>) -> Option<Damage> {
        let found = walk.lengths.keys().next_back().copied().unwrap_or_default();
        let is_missing = self.settings.decisions.is_newest_missing(found, self.newest);
        let missing = is_missing.then(|| whole_file(Case::MissingSegment, found.next()));
        let misplaced = self.misplaced.map(|it| Damage {
            case: Case::MisplacedSegment,
            part: DamagedPart::Segment(it),
            lost: None,
        });
        walk.suspect.clone().or(missing).or(misplaced)
    }

    /// The case of the bytes where the batches break off, and whether they are all zero.
    fn break_at(&mut self, location: Location) -> Result<(Tail, bool), DiskError> {
        let next = self.chain.next;
        let chain = self.chain;
        let mut reader = self.reader(location.segment)?;
        let is_blank = location.offset >= reader.length || reader.is_zero(location.offset)?;
        let (case, cut) = if is_blank {
            (Case::CleanEnd, None)
        } else {
            match reader.batch(location.offset)? {
                Ok(_) | Err(NoBatch::Header(NoHeader::OtherVersion(_))) => (Case::StaleBytes, None),
                Err(NoBatch::Body(header)) if chain.is_at_home(&header, location.segment) => {
                    let last = header.end().unwrap_or(next).previous();
                    let cut = (last >= next).then_some((header.first, last));
                    // A torn copy of the last batch, which is held anyway, cuts nothing.
                    (if cut.is_some() { Case::TornBatch } else { Case::CleanEnd }, cut)
                }
                Err(NoBatch::Body(_)) => (Case::StaleBytes, None),
                Err(NoBatch::Header(_)) => (Case::TornHeader, None),
            }
        };
        self.window = reader.into_window();
        Ok((Tail { case, location, cut }, is_blank))
    }

    /// Searches the bytes behind the break, sector by sector, for proof that more was durable: a newer
    /// batch, or a header that names a later durable record. A batch that a disk wrote to the wrong
    /// place need not begin where a block does.
    fn look_behind(&mut self, from: Location, tail: &mut Tail) -> Result<(), DiskError> {
        let chain = self.chain;
        let step = self.settings.padding().min(SECTOR_BYTES_MIN);
        let mut reader = self.reader(from.segment)?;
        let mut offset = from.offset;
        let mut known_durable = self.known_durable;
        let (mut newest, mut misplaced) = (self.newest, self.misplaced);
        let mut is_recycled = false;
        loop {
            offset = reader.skip_zeros(offset, step)?;
            if offset >= reader.length {
                break;
            }
            let header = match reader.batch(offset)? {
                Ok(batch) if chain.is_at_home(&batch.header, from.segment) => {
                    if batch.header.count > 0 {
                        let last = batch.header.end().unwrap_or_default().previous();
                        known_durable = known_durable.max(last);
                    }
                    Some(batch.header)
                }
                Err(NoBatch::Body(header)) if chain.is_at_home(&header, from.segment) => {
                    Some(header)
                }
                Ok(batch)
                    if chain.is_of_log(&batch.header)
                        && !chain.may_be_recycled(&batch.header, from.segment) =>
                {
                    misplaced = misplaced.or(Some(Location { offset, ..from }));
                    known_durable = known_durable.max(batch.header.first.previous());
                    Some(batch.header)
                }
                Ok(_) | Err(NoBatch::Body(_)) => {
                    is_recycled = true;
                    None
                }
                Err(NoBatch::Header(_)) => None,
            };
            newest = newest.max(header.map_or(SegmentNumber(0), |it| it.newest));
            known_durable = known_durable.max(header.map_or(LogIndex(0), |it| it.durable));
            // Behind a header that did not reach the disk, the rest of its batch may stand.
            let is_open = tail.case == Case::CleanEnd && tail.location.segment == from.segment;
            if is_open && header.is_none() && !is_recycled && !reader.is_zero(offset)? {
                tail.case = Case::TornHeader;
            }
            offset += step;
        }
        (self.known_durable, self.newest, self.misplaced) = (known_durable, newest, misplaced);
        self.window = reader.into_window();
        Ok(())
    }
}
