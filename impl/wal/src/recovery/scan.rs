//! Reads a log from its checkpoint to its end, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::damage::{Case, Damage, OpenError, Place, ReadError, Tail};
use crate::chain::Chain;
use crate::disk::{Access, Call, Disk, DiskError, DiskFile, read_full};
use crate::format::batch::{Batch, NoBatch};
use crate::format::checkpoint::{NoCheckpoint, Root, Start};
use crate::format::header::{Header, NoHeader};
use crate::format::names::{CHECKPOINT, FileName, segment_name};
use crate::segment_reader::SegmentReader;
use crate::settings::Settings;
use crate::{Position, SegmentNumber, Sequence};

/// The longest state of a checkpoint, in bytes.
const STATE_BYTES_MAX: u64 = 4 << 30;

/// No disk writes less than this at once, in bytes.
const SECTOR_BYTES_MIN: u64 = 512;

/// The files of a log.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    pub(crate) numbers: BTreeSet<SegmentNumber>,
    pub(crate) drafts: Vec<String>,
    pub(crate) has_checkpoint: bool,
    pub(crate) has_lock: bool,
}

impl Segments {
    /// Lists the directory, and refuses one with files in it that are none of a log's.
    pub(crate) fn list<D: Disk>(disk: &D) -> Result<Segments, OpenError> {
        let mut found = Segments::default();
        for name in disk.list().map_err(DiskError::of(Call::List, disk.place()))? {
            match FileName::parse(&name) {
                Some(FileName::Lock) => found.has_lock = true,
                Some(FileName::Checkpoint) => found.has_checkpoint = true,
                Some(FileName::Draft) => found.drafts.push(name),
                Some(FileName::Segment(number)) => {
                    found.numbers.insert(number);
                }
                None => return Err(OpenError::ForeignFile { place: disk.place(), name }),
            }
        }
        Ok(found)
    }
}

/// Reads the checkpoint: what it says, and the state.
pub(crate) fn read_root<D: Disk>(
    disk: &D,
    settings: Settings,
) -> Result<(Root, Vec<u8>), OpenError> {
    let place = || disk.place();
    let damaged = || OpenError::Damaged {
        place: place(),
        damage: Damage {
            case: Case::DamagedCheckpoint,
            place: Place::File(CHECKPOINT.to_owned()),
            lost: None,
        },
    };
    let file =
        disk.open(CHECKPOINT, Access::Read).map_err(DiskError::of(Call::Open, CHECKPOINT))?;
    let length = file.length().map_err(DiskError::of(Call::Read, CHECKPOINT))?;
    if length > STATE_BYTES_MAX {
        return Err(damaged());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged())?];
    let read = read_full(&file, &mut bytes, 0).map_err(DiskError::of(Call::Read, CHECKPOINT))?;
    bytes.truncate(read);
    match Root::decode(&bytes, settings.decisions) {
        Ok((root, state)) => Ok((root, state.to_vec())),
        Err(NoCheckpoint::NotOne) => Err(OpenError::NotALog { place: place() }),
        Err(NoCheckpoint::OtherVersion(version)) => {
            Err(OpenError::OtherVersion { place: place(), version })
        }
        Err(NoCheckpoint::Damaged) => Err(damaged()),
    }
}

/// A part of a segment whose batches are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where the segment begins.
    pub start: Start,
    /// Where what is in the log ends, in bytes.
    pub end: u64,
}

/// A segment behind the last started one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unstarted {
    pub(crate) segment: SegmentNumber,
    pub(crate) length: u64,
    /// Whether somebody has tried to start it.
    pub(crate) is_touched: bool,
}

/// What a log holds.
pub(crate) struct Scan {
    pub(crate) extents: Vec<Extent>,
    /// The chain behind the last batch.
    pub(crate) chain: Chain,
    /// The chain before the last batch.
    pub(crate) before_last: Chain,
    /// Where the last batch is. A log has at least one.
    pub(crate) last: Position,
    pub(crate) tail: Tail,
    pub(crate) unstarted: Vec<Unstarted>,
}

/// Reads a log, verifies every batch of it, and shows each to `visit`.
pub(crate) fn scan<D: Disk>(
    disk: &D,
    settings: Settings,
    root: &Root,
    segments: &Segments,
    visit: &mut dyn FnMut(Position, &Batch<'_>),
) -> Result<Scan, ReadError> {
    let mut scanner = Scanner {
        disk,
        settings,
        chain: Chain::new(root.log, root.start, settings.decisions),
        before_last: Chain::new(root.log, root.start, settings.decisions),
        last: None,
        known_durable: root.durable,
        extents: Vec::new(),
        window: Vec::new(),
    };
    let needed = scanner.needed(root, segments)?;
    let (started, lengths) = scanner.started(&needed)?;
    if !started.contains_key(&root.start.segment) {
        return Err(scanner.broken(root.start.segment, 0, None));
    }
    let mut numbers = started.keys().copied().peekable();
    let mut end = Position { segment: root.start.segment, offset: 0 };
    while let Some(number) = numbers.next() {
        let next = numbers.peek().map(|it| &started[it]);
        end = scanner.walk(number, next, visit)?;
    }
    let Some(last) = scanner.last else {
        return Err(scanner.broken(root.start.segment, 0, None));
    };
    let unstarted = scanner.unstarted(end.segment, &lengths)?;
    let tail = scanner.tail(end, &unstarted)?;
    let Scanner { extents, chain, before_last, .. } = scanner;
    Ok(Scan { extents, chain, before_last, last, tail, unstarted })
}

fn missing(segment: SegmentNumber) -> Damage {
    Damage { case: Case::MissingSegment, place: Place::File(segment_name(segment)), lost: None }
}

struct Scanner<'a, D: Disk> {
    disk: &'a D,
    settings: Settings,
    chain: Chain,
    before_last: Chain,
    last: Option<Position>,
    /// The last record that is known to have been durable.
    known_durable: Sequence,
    extents: Vec<Extent>,
    window: Vec<u8>,
}

impl<D: Disk> Scanner<'_, D> {
    /// The segments from the first that is needed on, none of which may be missing.
    fn needed(&self, root: &Root, segments: &Segments) -> Result<Vec<SegmentNumber>, Damage> {
        let first = root.start.segment;
        let needed: Vec<SegmentNumber> = segments.numbers.range(first..).copied().collect();
        let mut expected = first;
        for number in &needed {
            if *number != expected {
                return Err(missing(expected));
            }
            expected = number.next();
        }
        if needed.is_empty() {
            return Err(missing(first));
        }
        Ok(needed)
    }

    fn reader(&mut self, segment: SegmentNumber) -> Result<SegmentReader<D::File>, DiskError> {
        let window = std::mem::take(&mut self.window);
        SegmentReader::open(self.disk, segment, self.settings, window)
    }

    /// The segments that begin with a whole batch of their own, with its header; and how long all
    /// segments are.
    #[allow(clippy::type_complexity)]
    fn started(
        &mut self,
        needed: &[SegmentNumber],
    ) -> Result<(BTreeMap<SegmentNumber, Header>, BTreeMap<SegmentNumber, u64>), ReadError> {
        let (mut started, mut lengths) = (BTreeMap::new(), BTreeMap::new());
        for &number in needed {
            let chain = self.chain;
            let mut reader = self.reader(number)?;
            if reader.length == 0 {
                let place = Place::File(segment_name(number));
                return Err(Damage { case: Case::EmptySegment, place, lost: None }.into());
            }
            lengths.insert(number, reader.length);
            if let Ok(batch) = reader.batch(0)?
                && chain.is_at_home(&batch.header, number)
            {
                started.insert(number, batch.header);
            }
            self.window = reader.into_window();
        }
        Ok((started, lengths))
    }

    /// Follows the chain through a started segment, up to where the next started one goes on or,
    /// if there is none, up to where it breaks off.
    fn walk(
        &mut self,
        number: SegmentNumber,
        next: Option<&Header>,
        visit: &mut dyn FnMut(Position, &Batch<'_>),
    ) -> Result<Position, ReadError> {
        let mut reader = self.reader(number)?;
        let start =
            Start { segment: number, first: self.chain.next, previous: self.chain.previous };
        let block_bytes = self.settings.padding();
        let mut offset = 0;
        while !next.is_some_and(|it| self.chain.goes_on_at(it)) {
            let position = reader.position(offset);
            let found = if offset < reader.length { Some(reader.batch(offset)?) } else { None };
            match found {
                Some(Ok(batch)) if self.chain.accepts(&batch.header, number) => {
                    visit(position, &batch);
                    self.before_last = self.chain;
                    self.last = Some(position);
                    self.chain.push(&batch);
                    offset += batch.header.padded_bytes(block_bytes);
                }
                _ if next.is_some() => return Err(self.broken(number, offset, next)),
                _ => break,
            }
        }
        self.extents.push(Extent { start, end: offset });
        self.window = reader.into_window();
        Ok(Position { segment: number, offset })
    }

    /// The damage that there is when the batches break off before a segment that is started.
    fn broken(&self, segment: SegmentNumber, offset: u64, next: Option<&Header>) -> ReadError {
        let known = next.map_or(self.known_durable, |it| it.first.previous());
        self.damage(Position { segment, offset }, Case::Rot, known).into()
    }

    fn damage(&self, position: Position, case: Case, known_durable: Sequence) -> Damage {
        let lost = (known_durable >= self.chain.next).then_some((self.chain.next, known_durable));
        Damage { case, place: Place::At(position), lost }
    }

    fn unstarted(
        &mut self,
        last: SegmentNumber,
        lengths: &BTreeMap<SegmentNumber, u64>,
    ) -> Result<Vec<Unstarted>, ReadError> {
        let mut unstarted = Vec::new();
        for (&segment, &length) in lengths.range(last.next()..) {
            let chain = self.chain;
            let mut reader = self.reader(segment)?;
            let is_touched = match reader.batch(0)? {
                Ok(batch) => chain.is_at_home(&batch.header, segment),
                Err(NoBatch::Body(header)) => chain.is_at_home(&header, segment),
                Err(NoBatch::Header(_)) => false,
            };
            unstarted.push(Unstarted { segment, length, is_touched });
            self.window = reader.into_window();
        }
        Ok(unstarted)
    }

    /// Says how the log ends, or that something durable is missing there.
    fn tail(&mut self, end: Position, unstarted: &[Unstarted]) -> Result<Tail, ReadError> {
        let (mut tail, is_blank) = self.break_at(end)?;
        if tail.case == Case::CleanEnd || tail.case == Case::StaleBytes {
            // The batch that was being written may have been the first of the next segment.
            if let Some(next) = unstarted.first() {
                let (other, _) = self.break_at(Position { segment: next.segment, offset: 0 })?;
                tail = if other.is_uncertain() { other } else { tail };
            }
        }
        if self.settings.decisions.looks_behind_the_break() {
            self.look_behind(end, &mut tail)?;
            // A segment is written to only after the one before it, so if nothing of its own is in
            // the next one, nothing is in those behind it; how they begin was looked at already.
            if let Some(next) = unstarted.first() {
                self.look_behind(Position { segment: next.segment, offset: 0 }, &mut tail)?;
            }
        }
        if self.settings.decisions.is_damage(self.chain.next, self.known_durable) {
            let case = if is_blank { Case::Hole } else { Case::Rot };
            return Err(self.damage(end, case, self.known_durable).into());
        }
        Ok(tail)
    }

    /// What stands where the batches break off, and whether that is nothing.
    fn break_at(&mut self, position: Position) -> Result<(Tail, bool), DiskError> {
        let next = self.chain.next;
        let chain = self.chain;
        let mut reader = self.reader(position.segment)?;
        let is_blank = position.offset >= reader.length || reader.is_zero(position.offset)?;
        let (case, cut) = if is_blank {
            (Case::CleanEnd, None)
        } else {
            match reader.batch(position.offset)? {
                Ok(_) | Err(NoBatch::Header(NoHeader::OtherVersion(_))) => (Case::StaleBytes, None),
                Err(NoBatch::Body(header)) if chain.is_at_home(&header, position.segment) => {
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
        Ok((Tail { case, position, cut }, is_blank))
    }

    /// Reads what stands behind the break, sector by sector, for whatever proves that more was
    /// durable: a newer batch, or a header that says so. A batch that a disk wrote to the wrong
    /// place need not begin where a block does.
    fn look_behind(&mut self, from: Position, tail: &mut Tail) -> Result<(), DiskError> {
        let chain = self.chain;
        let step = self.settings.padding().min(SECTOR_BYTES_MIN);
        let mut reader = self.reader(from.segment)?;
        let mut offset = from.offset;
        let mut known_durable = self.known_durable;
        let mut is_recycled = false;
        while offset < reader.length {
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
                Ok(_) | Err(NoBatch::Body(_)) => {
                    is_recycled = true;
                    None
                }
                Err(NoBatch::Header(_)) => None,
            };
            known_durable = known_durable.max(header.map_or(Sequence(0), |it| it.durable));
            // Behind a header that did not reach the disk, the rest of its batch may stand.
            let is_open = tail.case == Case::CleanEnd && tail.position.segment == from.segment;
            if is_open && header.is_none() && !is_recycled && !reader.is_zero(offset)? {
                tail.case = Case::TornHeader;
            }
            offset += step;
        }
        self.known_durable = known_durable;
        self.window = reader.into_window();
        Ok(())
    }
}
