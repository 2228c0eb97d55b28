//! One content at the receiver.

mod patches;
mod plan;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use steadfast_delta::manifest::{Depth, Manifest, Section};
use steadfast_protocol::ContentId;

use super::messages::{Message, Run, Way};
use super::outline::OutlineReader;
use super::region::Gap;
use super::{REQUESTS_MAX, Sink, Source, TransferError, TransferId, WINDOW, lengths};
use crate::frame::{FrameError, Kind};
use plan::{Plan, Stretch};

/// A content that is being received.
///
/// It belongs to no connection: [`Receiver::add`](super::Receiver::add) lets it go on over one, and
/// [`Receiver::remove`](super::Receiver::remove) takes it away again.
pub struct Download<S, K> {
    content: ContentId,
    old: Option<S>,
    sink: K,
    length_max: u64,
    stage: Stage,
    /// Whether the peer has answered the ask with the whole outline.
    is_answered: bool,
    /// Whether the peer has the old content, too.
    peer_has_old: bool,
    /// What is under way, in the order in which the answers come.
    pending: VecDeque<Pending>,
    under_way: u64,
    /// The stretches in a row that came whole although a patch was wanted.
    futile: usize,
    /// Whether the last patch that was wanted came.
    patches_pay: bool,
    received: Received,
}

enum Stage {
    Outline(OutlineReader),
    Parts(Plan),
}

enum Pending {
    List { part: usize },
    Stretch(Stretch),
}

impl Pending {
    fn is_for_patch(&self) -> bool {
        matches!(self, Pending::Stretch(stretch) if stretch.region.is_some())
    }
}

/// How a content came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The bytes of all frames' bodies.
    pub bytes: u64,
    /// The bytes of the content that came as they are.
    pub whole: u64,
    /// The bytes of the content that patches made.
    pub patched: u64,
    /// The bytes of the content that were copied from the old content.
    pub copied: u64,
}

/// Why a download ends, or the connection does.
pub(super) enum Failure {
    Frame(FrameError),
    Transfer(TransferError),
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Failure {
        Failure::Frame(error)
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Failure {
        Failure::Transfer(error)
    }
}

/// After this number of futile patches in a row, no more are wanted until something of the old content is found
/// again. Until one has come, no more than these are under way.
const FUTILE_MAX: usize = 4;
/// The lists of chunks that may be under way. Each may lead to several stretches.
const LISTS_MAX: usize = 16;
/// While fewer bytes than these are wanted, lists go before stretches, so that the window does not run empty
/// until the next lists come.
const LOOKAHEAD: u64 = WINDOW;

impl<S, K> fmt::Debug for Download<S, K> {
    /// How far it has come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content", &self.content)
            .field("received", &self.received)
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}

impl<S: Source, K: Sink<S>> Download<S, K> {
    /// Receives a content of at most `length_max` bytes into `sink`. `old` is any content of this node that
    /// probably resembles it: the base of the payload, or the newest version of the file.
    #[must_use]
    pub fn new(content: ContentId, old: Option<S>, sink: K, length_max: u64) -> Download<S, K> {
        Download {
            content,
            old,
            sink,
            length_max,
            stage: Stage::Outline(OutlineReader::default()),
            is_answered: false,
            peer_has_old: false,
            pending: VecDeque::new(),
            under_way: 0,
            futile: 0,
            patches_pay: false,
            received: Received::default(),
        }
    }

    /// The content.
    #[must_use]
    pub fn content(&self) -> ContentId {
        self.content
    }

    /// How much has come so far.
    #[must_use]
    pub fn received(&self) -> Received {
        self.received
    }

    /// The bytes that are written and those of the whole content; `None` while the length is unknown.
    #[must_use]
    pub fn progress(&self) -> Option<(u64, u64)> {
        match &self.stage {
            Stage::Outline(_) => None,
            Stage::Parts(plan) => {
                let Received { whole, patched, copied, .. } = self.received;
                Some((whole + patched + copied, plan.length()))
            }
        }
    }

    /// The place of the content, when it is not wanted any more.
    pub fn into_sink(self) -> K {
        self.sink
    }

    /// The bytes that are under way.
    pub(super) fn under_way(&self) -> u64 {
        self.under_way
    }

    /// The connection has ended: whatever was under way must be asked for again.
    pub(super) fn disconnect(&mut self) {
        self.is_answered = false;
        self.peer_has_old = false;
        self.under_way = 0;
        match &mut self.stage {
            Stage::Outline(reader) => *reader = OutlineReader::default(),
            Stage::Parts(plan) => {
                for pending in self.pending.drain(..).rev() {
                    match pending {
                        Pending::List { part } => plan.list_again(part),
                        Pending::Stretch(stretch) => plan.want_first(stretch),
                    }
                }
            }
        }
    }

    pub(super) fn ask(&self, id: TransferId, out: &mut Vec<u8>) {
        let old = self.old.as_ref().map(|it| ContentId(it.manifest().root().0));
        let needs_outline = matches!(self.stage, Stage::Outline(_));
        Message::Ask { content: self.content, old, needs_outline }.encode(id, out);
    }

    /// Appends the next request, if there is one and its answer takes at most `room` bytes.
    pub(super) fn next_request(&mut self, id: TransferId, room: u64, out: &mut Vec<u8>) -> bool {
        let Stage::Parts(plan) = &mut self.stage else { return false };
        if !self.is_answered || self.pending.len() >= REQUESTS_MAX {
            return false;
        }
        if plan.wanted() < LOOKAHEAD && self.list(id, room, out) {
            return true;
        }
        self.next_want(id, room, out)
    }

    /// Asks for the chunks of the next part.
    fn list(&mut self, id: TransferId, room: u64, out: &mut Vec<u8>) -> bool {
        let Stage::Parts(plan) = &mut self.stage else { return false };
        let lists = self.pending.iter().filter(|it| matches!(it, Pending::List { .. })).count();
        if lists >= LISTS_MAX || room < lengths::CHUNKS as u64 {
            return false;
        }
        let Some(part) = plan.next_list() else { return false };
        Message::List { section: part as u64 }.encode(id, out);
        self.under_way += lengths::CHUNKS as u64;
        self.pending.push_back(Pending::List { part });
        true
    }

    /// Asks for the next stretch.
    fn next_want(&mut self, id: TransferId, room: u64, out: &mut Vec<u8>) -> bool {
        let Stage::Parts(plan) = &mut self.stage else { return false };
        let tries = self.pending.iter().filter(|it| it.is_for_patch()).count();
        let may_try = self.patches_pay || self.futile >= FUTILE_MAX || tries < FUTILE_MAX;
        let Some(stretch) = plan.next_stretch() else { return false };
        if stretch.length > room || !(may_try || stretch.region.is_none()) {
            plan.want_first(stretch);
            return false;
        }
        self.want(id, stretch, out);
        true
    }

    fn want(&mut self, id: TransferId, mut stretch: Stretch, out: &mut Vec<u8>) {
        if self.futile >= FUTILE_MAX {
            stretch.region = None;
        }
        let manifest = match (&stretch.region, &self.old) {
            (Some(region), Some(old)) if !self.peer_has_old => {
                patches::region_manifest(old, region).map(|it| it.to_bytes())
            }
            _ => None,
        };
        let way = match (&stretch.region, &manifest) {
            (Some(_), Some(manifest)) => Way::Exchange { manifest },
            (Some(region), None) if self.peer_has_old => {
                // A region has at most REGION_MAX bytes.
                let length = u32::try_from(region.end - region.start).unwrap_or(u32::MAX);
                Way::Delta { offset: region.start, length }
            }
            _ => Way::Whole,
        };
        if way == Way::Whole {
            stretch.region = None;
        }
        // A section has at most 261 chunks.
        let number = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
        let (first, count) = (number(stretch.chunks.start), number(stretch.chunks.len()));
        let (offset, section) = (stretch.offset, stretch.part as u64);
        Message::Want { offset, section, first, count, way }.encode(id, out);
        self.under_way += stretch.length;
        self.pending.push_back(Pending::Stretch(stretch));
    }

    /// Takes an answer, and returns whether the content is complete.
    pub(super) fn receive(&mut self, message: Message<'_>, bytes: u64) -> Result<bool, Failure> {
        self.received.bytes += bytes;
        match message {
            Message::Outline { has_old, is_last, length, runs } => {
                self.on_outline(has_old, (length, is_last), &runs)?;
            }
            Message::Chunks { section, list } => self.on_chunks(section, list)?,
            Message::Piece { offset, bytes } => self.on_piece(offset, bytes)?,
            Message::Patch { offset, bytes } => self.on_patch(offset, bytes)?,
            Message::Ask { .. }
            | Message::List { .. }
            | Message::Want { .. }
            | Message::Close
            | Message::Lacks(_) => {}
        }
        Ok(self.is_complete())
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(&self.stage, Stage::Parts(plan) if plan.is_complete())
    }

    fn on_outline(
        &mut self,
        has_old: bool,
        (length, is_last): (u64, bool),
        runs: &[Run],
    ) -> Result<(), Failure> {
        if self.is_answered {
            let expected = "an answer to a request";
            return Err(FrameError::Unexpected { kind: Kind::Outline, expected }.into());
        }
        let (content, old) = (self.content, self.old.as_ref().map(|it| it.manifest()));
        if let Stage::Outline(reader) = &mut self.stage {
            let whole = reader.receive(content, self.length_max, old, (length, is_last), runs)?;
            if let Some((length, sections)) = whole {
                let plan = Plan::new(length, sections, old);
                let like = self.old.as_ref().filter(|_| plan.keeps_parts_in_place());
                let begun = self.sink.begin(length, like);
                begun.map_err(|error| TransferError::Sink { content, error })?;
                self.stage = Stage::Parts(plan);
            }
        } else if !runs.is_empty() {
            let rule = "an outline comes that was not asked for";
            return Err(FrameError::Malformed { kind: Kind::Outline, rule }.into());
        }
        self.is_answered = is_last;
        self.peer_has_old = has_old && self.old.is_some();
        Ok(())
    }

    fn on_chunks(&mut self, section: u64, list: &[u8]) -> Result<(), Failure> {
        let kind = Kind::Chunks;
        let Stage::Parts(plan) = &mut self.stage else { return Err(unexpected(kind, None)) };
        let part = match self.pending.pop_front() {
            Some(Pending::List { part }) if part as u64 == section => part,
            pending => return Err(unexpected(kind, pending.as_ref())),
        };
        self.under_way -= lengths::CHUNKS as u64;
        let (hash, ends_content) = plan.named(part);
        let section = Section::from_bytes(list, &hash, ends_content)
            .map_err(|error| TransferError::Chunks { content: self.content, section, error })?;
        let old = self.old.as_ref().map(|it| it.manifest());
        let wrong = |rule| TransferError::Outline { content: self.content, rule };
        if plan.list(part, section, old).map_err(wrong)? {
            self.futile = 0;
        }
        Ok(())
    }

    fn on_piece(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let kind = Kind::Piece;
        let Stage::Parts(plan) = &mut self.stage else { return Err(unexpected(kind, None)) };
        let stretch = match self.pending.front_mut() {
            Some(Pending::Stretch(stretch)) if stretch.offset == offset => stretch,
            pending => return Err(unexpected(kind, pending.as_deref())),
        };
        let content = self.content;
        let (part, index) = (stretch.part, stretch.chunks.start);
        let length = plan.chunk(part, index).length();
        if !plan.chunk(part, index).is_of(bytes) {
            return Err(TransferError::Piece { content, offset, length }.into());
        }
        self.sink
            .write_at(bytes, offset)
            .map_err(|error| TransferError::Sink { content, error })?;
        plan.complete(part, 1);
        self.received.whole += u64::from(length);
        self.under_way -= u64::from(length);
        if stretch.region.take().is_some() {
            self.futile += 1;
            self.patches_pay = false;
        }
        stretch.offset += u64::from(length);
        stretch.length -= u64::from(length);
        stretch.chunks.start += 1;
        if stretch.chunks.is_empty() {
            self.pending.pop_front();
        }
        Ok(())
    }

    fn on_patch(&mut self, offset: u64, patch: &[u8]) -> Result<(), Failure> {
        let kind = Kind::Patch;
        let Stage::Parts(plan) = &mut self.stage else { return Err(unexpected(kind, None)) };
        let stretch = match self.pending.pop_front() {
            Some(Pending::Stretch(it)) if it.offset == offset && it.region.is_some() => it,
            pending => return Err(unexpected(kind, pending.as_ref())),
        };
        self.under_way -= stretch.length;
        let made = match (&self.old, &stretch.region) {
            (Some(old), Some(region)) if self.peer_has_old => {
                patches::of_delta(old, region, patch, stretch.length)
            }
            (Some(old), Some(region)) => patches::of_exchange(old, region, patch, stretch.length),
            _ => None,
        };
        let made = made.filter(|bytes| plan.is_stretch(&stretch, bytes));
        let Some(bytes) = made else {
            // The old content is damaged, or names collided.
            self.futile += 1;
            self.patches_pay = false;
            plan.want_first(Stretch { region: None, ..stretch });
            return Ok(());
        };
        let content = self.content;
        self.sink
            .write_at(&bytes, offset)
            .map_err(|error| TransferError::Sink { content, error })?;
        plan.complete(stretch.part, stretch.chunks.len());
        self.received.patched += stretch.length;
        self.futile = 0;
        self.patches_pay = true;
        Ok(())
    }

    /// Whether something of the old content is to be copied.
    pub(super) fn has_work(&self) -> bool {
        matches!(&self.stage, Stage::Parts(plan) if plan.has_copies())
    }

    /// Copies a bounded part of the old content, and returns whether the content is complete.
    pub(super) fn work(&mut self) -> Result<bool, TransferError> {
        let (Stage::Parts(plan), Some(old)) = (&mut self.stage, &self.old) else {
            return Ok(false);
        };
        let Some(copy) = plan.next_copy() else { return Ok(false) };
        let content = self.content;
        let (part, offset, old_offset) = (copy.part, copy.offset, copy.old_offset);
        let chunks = copy.chunks.clone();
        let lengths: Vec<usize> =
            chunks.clone().map(|it| plan.chunk(part, it).length() as usize).collect();
        let mut bytes = vec![0; lengths.iter().sum()];
        let is_good =
            old.read_unverified_at(&mut bytes, old_offset).is_ok() && plan.is_copy(&copy, &bytes);
        if is_good {
            let copied = self.sink.copy_at(&bytes, offset, old, old_offset);
            copied.map_err(|error| TransferError::Sink { content, error })?;
            plan.complete(part, chunks.len());
            self.received.copied += bytes.len() as u64;
            return Ok(plan.is_complete());
        }
        // The copy on the disk is damaged. The verified read marks it as bad. Good bytes of that read may come from a
        // cache, so they are written, even where the sink began as a copy.
        let is_read = old.read_exact_at(&mut bytes, old_offset).is_ok();
        let (mut at, mut good) = (0, 0..0);
        for (index, length) in chunks.zip(lengths) {
            let end = at + length;
            if is_read && plan.chunk(part, index).is_of(&bytes[at..end]) {
                good.end = end;
                plan.complete(part, 1);
            } else {
                self.received.copied += write(&mut self.sink, content, offset, &bytes, &good)?;
                good = end..end;
                plan.want_chunk(part, index, offset + at as u64);
            }
            at = end;
        }
        self.received.copied += write(&mut self.sink, content, offset, &bytes, &good)?;
        Ok(plan.is_complete())
    }

    /// The place of the content and its manifest.
    pub(super) fn finish(self) -> (K, Manifest, Received) {
        let manifest = match self.stage {
            Stage::Parts(plan) => plan.into_manifest(),
            Stage::Outline(_) => Manifest::of(&[], Depth::Chunks),
        };
        (self.sink, manifest, self.received)
    }
}

/// Writes a part of what was copied, and returns its length.
fn write<S, K: Sink<S>>(
    sink: &mut K,
    content: ContentId,
    offset: u64,
    bytes: &[u8],
    part: &Range<usize>,
) -> Result<u64, TransferError> {
    if part.is_empty() {
        return Ok(0);
    }
    let at = offset + part.start as u64;
    let written = sink.write_at(&bytes[part.clone()], at);
    written.map_err(|error| TransferError::Sink { content, error })?;
    Ok(part.len() as u64)
}

/// The error that an answer is not the one whose turn it is.
fn unexpected(kind: Kind, pending: Option<&Pending>) -> Failure {
    let expected = match pending {
        None => "nothing",
        Some(Pending::List { .. }) => "the chunks of the section that was listed first",
        Some(Pending::Stretch(it)) if it.region.is_some() => {
            "the bytes of the stretch that was wanted first, or a patch for it"
        }
        Some(Pending::Stretch(_)) => "the bytes of the stretch that was wanted first",
    };
    FrameError::Unexpected { kind, expected }.into()
}
