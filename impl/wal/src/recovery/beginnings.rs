//! How the files of a log begin and how long they are: which segments are started, and which files
//! are not as a crash can leave them.

use std::collections::{BTreeMap, VecDeque};

use super::damage::{Case, Damage, DamagedPart, ReadError};
use super::files::Segments;
use crate::chain::Chain;
use crate::disk::{Disk, DiskError, DiskFile};
use crate::format::batch::NoBatch;
use crate::format::checkpoint::Root;
use crate::format::header::Header;
use crate::format::names::segment_name;
use crate::segment_reader::SegmentReader;
use crate::settings::Settings;
use crate::{LogIndex, SegmentNumber};

/// A segment that begins with a whole batch of its own.
pub(super) struct Started {
    pub(super) segment: SegmentNumber,
    pub(super) first: Header,
}

/// How the segments begin that the log needs.
pub(super) struct Beginnings {
    /// Those that begin with a whole batch of their own.
    pub(super) started: VecDeque<Started>,
    /// How long all of them are, in bytes.
    pub(super) lengths: BTreeMap<SegmentNumber, u64>,
    /// The damage of the first file that is not as it must be.
    pub(super) suspect: Option<Damage>,
    /// The last record that batches in wrong files prove to have been durable.
    pub(super) known_durable: LogIndex,
    /// The last segment that is started and those behind it that an opening tried to start. These must
    /// be as long as they were made: recovery shortens a segment when it has started the next.
    last: Vec<Lengths>,
    settings: Settings,
    chain: Chain,
    first_needed: SegmentNumber,
}

impl Beginnings {
    /// Looks at the first batch of each segment. It is always one that the log wrote there, never
    /// the bytes of a record, so its header can be believed about whose file this is.
    pub(super) fn look<D: Disk>(
        disk: &D,
        settings: Settings,
        root: &Root,
        chain: Chain,
        segments: &Segments,
    ) -> Result<Beginnings, ReadError> {
        refuse_gaps(root, segments)?;
        let mut found = Beginnings {
            started: VecDeque::new(),
            lengths: BTreeMap::new(),
            suspect: None,
            known_durable: LogIndex(0),
            last: Vec::new(),
            settings,
            chain,
            first_needed: root.start.segment,
        };
        let mut window = Vec::new();
        for &segment in &segments.numbers {
            let mut reader = SegmentReader::open(disk, segment, settings, window)?;
            let (header, is_whole) = first_header(&mut reader)?;
            if segment < root.start.segment {
                found.stranger(header, &mut reader)?;
            } else if reader.length == 0 {
                return Err(whole_file(Case::EmptySegment, segment).into());
            } else {
                found.lengths.insert(segment, reader.length);
                found.segment(header, is_whole, &mut reader)?;
            }
            window = reader.into_window();
        }
        std::mem::take(&mut found.last).into_iter().for_each(|it| found.judge_length(it));
        Ok(found)
    }

    /// A segment that is needed.
    fn segment<F: DiskFile>(
        &mut self,
        header: Option<Header>,
        is_whole: bool,
        reader: &mut SegmentReader<F>,
    ) -> Result<(), DiskError> {
        let (segment, bytes) = (reader.segment, reader.length);
        match header.filter(|it| self.chain.is_at_home(it, segment)) {
            Some(first) => {
                if is_whole {
                    self.started.push_back(Started { segment, first });
                    self.last.clear();
                }
                self.last.push(Lengths { segment, bytes, recorded_bytes: first.segment_bytes });
            }
            None => {
                self.stranger(header, reader)?;
                // A segment takes whole blocks.
                let whole_bytes = bytes.next_multiple_of(self.settings.padding());
                self.judge_length(Lengths { segment, bytes, recorded_bytes: whole_bytes });
            }
        }
        Ok(())
    }

    fn judge_length(&mut self, file: Lengths) {
        let Lengths { segment, bytes, recorded_bytes } = file;
        if !self.settings.decisions.is_whole_segment(bytes, recorded_bytes) {
            self.suspect(Case::CutSegment, segment);
        }
    }

    /// Notes a file that begins with a batch that recycling cannot have left in it.
    fn stranger<F: DiskFile>(
        &mut self,
        header: Option<Header>,
        reader: &mut SegmentReader<F>,
    ) -> Result<(), DiskError> {
        let segment = reader.segment;
        let Some(header) = header.filter(|it| !self.chain.is_at_home(it, segment)) else {
            return Ok(());
        };
        if !self.chain.is_of_log(&header) {
            if !self.settings.decisions.may_be_of_other_log() {
                self.suspect(Case::OtherLogSegment, segment);
            }
        } else if !self.chain.may_be_recycled(&header, self.first_needed) {
            self.known_durable = self.known_durable.max(last_record(reader)?);
            self.suspect(Case::MisplacedSegment, segment);
        }
        Ok(())
    }

    /// Keeps the first that is found.
    fn suspect(&mut self, case: Case, segment: SegmentNumber) {
        self.suspect.get_or_insert_with(|| whole_file(case, segment));
    }
}

/// How long a file is and how long it was made, in bytes.
#[derive(Clone, Copy)]
struct Lengths {
    segment: SegmentNumber,
    bytes: u64,
    recorded_bytes: u64,
}

/// The header that a file begins with, and whether the batch is whole.
fn first_header<F: DiskFile>(
    reader: &mut SegmentReader<F>,
) -> Result<(Option<Header>, bool), DiskError> {
    Ok(match reader.batch(0)? {
        Ok(batch) => (Some(batch.header), true),
        Err(NoBatch::Body(header)) => (Some(header), false),
        Err(NoBatch::Header(_)) => (None, false),
    })
}

/// The last record of the batches that a file begins with, whatever segment they were written to.
fn last_record<F: DiskFile>(reader: &mut SegmentReader<F>) -> Result<LogIndex, DiskError> {
    let (mut offset, mut last) = (0, LogIndex(0));
    while offset < reader.length {
        let Ok(batch) = reader.batch(offset)? else { break };
        last = last.max(batch.header.end().unwrap_or_default().previous());
        offset += batch.header.padded_bytes(reader.padding());
    }
    Ok(last)
}

/// Of the segments from the first that is needed on, none may be missing.
fn refuse_gaps(root: &Root, segments: &Segments) -> Result<(), Damage> {
    let mut expected = root.start.segment;
    for &number in segments.numbers.range(expected..) {
        if number != expected {
            return Err(whole_file(Case::MissingSegment, expected));
        }
        expected = number.next();
    }
    let is_none = expected == root.start.segment;
    if is_none { Err(whole_file(Case::MissingSegment, expected)) } else { Ok(()) }
}

/// Damage to a segment as a whole.
pub(super) fn whole_file(case: Case, segment: SegmentNumber) -> Damage {
    Damage { case, part: DamagedPart::File(segment_name(segment)), lost: None }
}
