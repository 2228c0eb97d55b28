//! Follows the batches of a log from its checkpoint to its end, verifies each, and changes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::beginnings::{Beginnings, Started};
use super::damage::{Case, Damage, DamagedPart, ReadError};
use super::files::Segments;
use super::runs::{Run, Runs};
use super::source::Source;
use crate::chain::Chain;
use crate::checksum::Checksum;
use crate::disk::{AlignedBuffer, Disk, DiskError, DiskFile};
use crate::format::batch::{Batch, Records};
use crate::format::checkpoint::{Root, Start};
use crate::format::header::{HEADER_BYTES, Header};
use crate::settings::Settings;
use crate::{Location, LogIndex, SegmentNumber};

/// A batch that was verified and is in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verified {
    pub(crate) location: Location,
    pub(crate) header: Header,
    pub(crate) checksum: Checksum,
}

/// A walk through a log.
pub(crate) struct Walk<F> {
    pub(super) settings: Settings,
    source: Source<F>,
    /// The run that the next batch is in, and the one before, which may hold the last batch.
    run: Option<Run>,
    before: Option<Run>,
    /// A run of a segment further on.
    ahead: Option<Run>,
    /// The segments that are still to be walked through, the present one first.
    started: VecDeque<Started>,
    /// How long the segments are that the log needs.
    pub(super) lengths: BTreeMap<SegmentNumber, u64>,
    /// The chain behind the last batch.
    pub(super) chain: Chain,
    /// The chain before the last batch.
    pub(super) before_last: Chain,
    last: Option<Verified>,
    /// The last record that is known to have been durable.
    pub(super) known_durable: LogIndex,
    /// The newest segment whose name is known to have been durable.
    pub(super) newest: SegmentNumber,
    /// The damage to the beginning or the length of a file. It is reported where the batches break off,
    /// so that those before are shown.
    pub(super) suspect: Option<Damage>,
    /// Where the segments begin that were walked through.
    pub(super) starts: Vec<Start>,
    /// Where the next batch is.
    pub(super) end: Location,
}

impl<F: DiskFile> Walk<F> {
    /// A walk that reads ahead, if that pays with this disk.
    pub(crate) fn ahead<D: Disk<File = F>>(
        disk: &Arc<D>,
        settings: Settings,
        root: &Root,
        segments: &Segments,
    ) -> Result<Walk<F>, ReadError> {
        Walk::new(&**disk, settings, root, segments, |runs| Source::ahead(disk, runs))
    }

    /// A walk that reads when it has to.
    pub(crate) fn asked<D: Disk<File = F>>(
        disk: &D,
        settings: Settings,
        root: &Root,
        segments: &Segments,
    ) -> Result<Walk<F>, ReadError> {
        Walk::new(disk, settings, root, segments, |runs| {
            Ok(Source::Asked(runs, AlignedBuffer::default()))
        })
    }

    fn new<D: Disk<File = F>>(
        disk: &D,
        settings: Settings,
        root: &Root,
        segments: &Segments,
        source: impl FnOnce(Runs<F>) -> Result<Source<F>, DiskError>,
    ) -> Result<Walk<F>, ReadError> {
        let chain = Chain::new(root.log, root.start, settings.decisions);
        let found = Beginnings::look(disk, settings, root, chain, segments)?;
        let numbers = found.started.iter().map(|it| it.segment).collect();
        let walk = Walk {
            settings,
            source: source(Runs::new(settings, numbers))?,
            run: None,
            before: None,
            ahead: None,
            started: found.started,
            lengths: found.lengths,
            chain,
            before_last: chain,
            last: None,
            known_durable: root.durable.max(found.known_durable),
            newest: SegmentNumber(0),
            suspect: found.suspect,
            starts: Vec::new(),
            end: Location { segment: root.start.segment, offset: 0 },
        };
        if walk.started.front().is_none_or(|it| it.segment != root.start.segment) {
            return Err(walk.broken(None).into());
        }
        Ok(walk)
    }

    /// Verifies the next batch; `None` where the batches of the last started segment break off.
    pub(crate) fn next<D: Disk<File = F>>(
        &mut self,
        disk: &D,
    ) -> Result<Option<Verified>, ReadError> {
        self.enter_segment();
        if !self.find_run(disk)? {
            return self.break_off();
        }
        let bytes = self.run.as_ref().and_then(|it| it.from(self.end)).unwrap_or_default();
        let found = Batch::decode(bytes, self.settings.padding(), self.settings.decisions);
        match found {
            Ok(batch) if self.chain.accepts(&batch.header, self.end.segment) => {
                let (header, checksum) = (batch.header, batch.checksum);
                let verified = Verified { location: self.end, header, checksum };
                self.before_last = self.chain;
                self.chain.push(&batch);
                self.last = Some(verified);
                self.newest = self.newest.max(header.newest);
                self.end.offset += header.padded_bytes(self.settings.padding());
                Ok(Some(verified))
            }
            _ => self.break_off(),
        }
    }

    /// Moves on to the next segment if the present one ends here: where the next one goes on.
    fn enter_segment(&mut self) {
        let chain = self.chain;
        while self
            .started
            .get(1)
            .is_some_and(|it| chain.goes_on_at(it.first.first, it.first.previous))
        {
            self.started.pop_front();
        }
        let segment = self.started.front().map_or(self.end.segment, |it| it.segment);
        if segment != self.end.segment {
            self.end = Location { segment, offset: 0 };
        }
        if self.starts.last().is_none_or(|it| it.segment != segment) {
            self.starts.push(Start { segment, first: chain.next, previous: chain.previous });
        }
    }

    /// Fetches the run that the next batch is in; false if there is none.
    fn find_run<D: Disk<File = F>>(&mut self, disk: &D) -> Result<bool, DiskError> {
        if self.run.as_ref().is_some_and(|it| it.from(self.end).is_some()) {
            return Ok(true);
        }
        loop {
            let next = match self.ahead.take() {
                Some(run) => Some(run),
                None => self.source.next(disk)?,
            };
            let Some(run) = next else {
                return Ok(false);
            };
            if run.location == self.end {
                if let Some(oldest) = self.before.take() {
                    self.source.recycle(oldest);
                }
                self.before = self.run.replace(run);
                return Ok(true);
            }
            if run.location > self.end {
                self.ahead = Some(run);
                return Ok(false);
            }
            self.source.recycle(run);
        }
    }

    /// There is no next batch here: damage, if a later segment is started.
    fn break_off(&self) -> Result<Option<Verified>, ReadError> {
        match self.started.get(1) {
            Some(next) => Err(self.broken(Some(&next.first)).into()),
            None => Ok(None),
        }
    }

    /// The settings of the log.
    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether a segment behind the present one is started, so that all batches before it were
    /// durable.
    pub(crate) fn is_followed(&self) -> bool {
        self.started.len() > 1
    }

    /// The last batch that was verified. A log has at least one.
    pub(crate) fn last(&self) -> Result<Verified, Damage> {
        self.last.ok_or_else(|| self.broken(None))
    }

    /// The body of one of the last two batches that were verified.
    pub(crate) fn body(&self, batch: &Verified) -> &[u8] {
        let runs = [&self.run, &self.before];
        let bytes = runs.iter().find_map(|it| it.as_ref()?.from(batch.location));
        let end = HEADER_BYTES + batch.header.length as usize;
        bytes.and_then(|it| it.get(HEADER_BYTES..end)).unwrap_or_default()
    }

    /// The records of one of the last two batches that were verified.
    pub(crate) fn records(&self, batch: &Verified) -> Records<'_> {
        self.batch(batch).records()
    }

    /// One of the last two batches that were verified.
    pub(crate) fn batch(&self, batch: &Verified) -> Batch<'_> {
        Batch::verified(batch.header, batch.checksum, self.body(batch))
    }

    /// The index of the last record.
    pub(crate) fn last_record(&self) -> LogIndex {
        self.chain.next.previous()
    }

    /// The damage where the batches break off before a segment that is started.
    fn broken(&self, next: Option<&Header>) -> Damage {
        let known = next.map_or(self.known_durable, |it| it.first.previous());
        match &self.suspect {
            Some(suspect) => self.lost_by(suspect.clone(), known.max(self.known_durable)),
            None => self.damage(self.end, Case::Rot, known),
        }
    }

    /// Damage, with the records that are lost by it as far as known.
    pub(super) fn lost_by(&self, damage: Damage, known_durable: LogIndex) -> Damage {
        let lost = (known_durable >= self.chain.next).then_some((self.chain.next, known_durable));
        Damage { lost, ..damage }
    }

    pub(super) fn damage(&self, location: Location, case: Case, known_durable: LogIndex) -> Damage {
        self.lost_by(
            Damage { case, part: DamagedPart::Segment(location), lost: None },
            known_durable,
        )
    }
}
