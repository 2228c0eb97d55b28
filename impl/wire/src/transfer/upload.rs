//! One content at the sender.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use steadfast_delta::manifest::{Chunk, Depth, Manifest};
use steadfast_delta::{Effort, Options, diff, remote};
use steadfast_protocol::ContentId;

use super::messages::{Message, Way};
use super::outline::OutlineWriter;
use super::{REGION_MAX, REQUESTS_MAX, STRETCH_MAX, Source, TransferId};
use crate::frame::{FrameError, Kind};

/// A content that is being sent.
pub(super) struct Upload<S> {
    source: S,
    /// The content that the receiver has, if this end has it, too.
    old: Option<S>,
    /// Where each section begins.
    offsets: Vec<u64>,
    outline: Option<OutlineWriter>,
    /// In the order of their arrival.
    requests: VecDeque<Request>,
}

enum Request {
    List { section: usize },
    Stretch { section: usize, chunks: Range<usize>, offset: u64, answer: Answer },
}

/// How a stretch is to be answered.
enum Answer {
    Whole,
    Delta(Range<u64>),
    Exchange(Box<Manifest>),
}

/// A patch that is longer than this share of the bytes that it makes is not sent.
const PATCH_SHARE: (usize, usize) = (7, 8);

impl<S: Source> Upload<S> {
    /// Sends a content to a receiver that needs its outline, or has it already.
    pub(super) fn new(source: S, old: Option<S>, needs_outline: bool) -> Upload<S> {
        let mut offset = 0;
        let offsets = source.manifest().sections().iter().map(|section| {
            let start = offset;
            offset += section.length();
            start
        });
        let offsets = offsets.collect();
        let writer = match needs_outline {
            true => OutlineWriter::new(old.as_ref().map(|it| it.manifest())),
            false => OutlineWriter::behind_all(source.manifest()),
        };
        Upload { source, old, offsets, outline: Some(writer), requests: VecDeque::new() }
    }

    /// The name of the content.
    pub(super) fn content(&self) -> ContentId {
        ContentId(self.source.manifest().root().0)
    }

    /// Takes a request for the chunks of a section.
    pub(super) fn on_list(&mut self, section: u64) -> Result<(), FrameError> {
        let known = usize::try_from(section).ok().filter(|it| *it < self.offsets.len());
        let section = known.ok_or(malformed(Kind::List, "the content has no such section"))?;
        self.push(Kind::List, Request::List { section })
    }

    /// Takes a request for the bytes of chunks.
    pub(super) fn on_want(
        &mut self,
        (offset, section): (u64, u64),
        (first, count): (u16, u16),
        way: &Way<'_>,
    ) -> Result<(), FrameError> {
        let wrong = |rule| malformed(Kind::Want, rule);
        let no_chunks = wrong("the content has no such chunks");
        let section = usize::try_from(section).map_err(|_| no_chunks.clone())?;
        let chunks = usize::from(first)..usize::from(first) + usize::from(count);
        let (start, length) = self.place(section, &chunks).ok_or(no_chunks)?;
        if start != offset {
            return Err(wrong("the chunks are at another offset"));
        }
        if length > STRETCH_MAX {
            return Err(wrong("the stretch is too long"));
        }
        let answer = self.answer(way)?;
        self.push(Kind::Want, Request::Stretch { section, chunks, offset, answer })
    }

    fn answer(&self, way: &Way<'_>) -> Result<Answer, FrameError> {
        let wrong = |rule| malformed(Kind::Want, rule);
        match *way {
            Way::Whole => Ok(Answer::Whole),
            Way::Delta { offset, length } => {
                let old = self.old.as_ref().ok_or(wrong("the sender lacks the old content"))?;
                let end = offset.checked_add(length.into());
                let end = end.filter(|it| *it <= old.manifest().length());
                let end = end.ok_or(wrong("the region is not within the old content"))?;
                if u64::from(length) > REGION_MAX {
                    return Err(wrong("the region is too long"));
                }
                Ok(Answer::Delta(offset..end))
            }
            Way::Exchange { manifest } => {
                let manifest = Manifest::from_bytes(manifest);
                let manifest = manifest.map_err(|_| wrong("the region's manifest is malformed"))?;
                if manifest.depth() != Depth::Grains || manifest.length() > REGION_MAX {
                    return Err(wrong("the region's manifest is too long or has no grains"));
                }
                Ok(Answer::Exchange(Box::new(manifest)))
            }
        }
    }

    fn push(&mut self, kind: Kind, request: Request) -> Result<(), FrameError> {
        if self.outline.is_some() {
            return Err(FrameError::Unexpected {
                kind,
                expected: "nothing before the outline's end",
            });
        }
        if self.requests.len() >= REQUESTS_MAX {
            return Err(malformed(kind, "more requests are under way than may be"));
        }
        self.requests.push_back(request);
        Ok(())
    }

    /// Where chunks begin in the content, and their length.
    fn place(&self, section: usize, chunks: &Range<usize>) -> Option<(u64, u64)> {
        let all = self.source.manifest().sections().get(section)?.chunks();
        let length = |chunks: &[Chunk]| chunks.iter().map(|it| u64::from(it.length())).sum::<u64>();
        let wanted = all.get(chunks.clone()).filter(|it| !it.is_empty())?;
        let start = self.offsets.get(section)? + length(&all[..chunks.start]);
        Some((start, length(wanted)))
    }

    /// Appends the next frame, and returns whether there was one.
    ///
    /// # Errors
    /// The content cannot be read, or is not the one that its manifest names.
    pub(super) fn next_frame(&mut self, id: TransferId, out: &mut Vec<u8>) -> io::Result<bool> {
        if let Some(writer) = &mut self.outline {
            let old = self.old.as_ref().map(|it| it.manifest());
            let (message, is_last) = writer.next(self.source.manifest(), old);
            message.encode(id, out);
            if is_last {
                self.outline = None;
            }
            return Ok(true);
        }
        let Some(request) = self.requests.pop_front() else { return Ok(false) };
        match request {
            Request::List { section } => {
                let list = self.source.manifest().sections()[section].to_bytes();
                let section = section as u64;
                Message::Chunks { section, list: &list }.encode(id, out);
            }
            Request::Stretch { section, chunks, offset, answer } => {
                if let Some(patch) = self.patch(section, &chunks, offset, answer)? {
                    Message::Patch { offset, bytes: &patch }.encode(id, out);
                } else {
                    self.piece(id, (section, chunks, offset), out)?;
                }
            }
        }
        Ok(true)
    }

    /// Sends the first chunk of a stretch, and the others in further frames.
    fn piece(
        &mut self,
        id: TransferId,
        (section, chunks, offset): (usize, Range<usize>, u64),
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let bytes = self.read(section, chunks.start..chunks.start + 1, offset)?;
        Message::Piece { offset, bytes: &bytes }.encode(id, out);
        let rest = chunks.start + 1..chunks.end;
        if !rest.is_empty() {
            let (offset, answer) = (offset + bytes.len() as u64, Answer::Whole);
            let request = Request::Stretch { section, chunks: rest, offset, answer };
            self.requests.push_front(request);
        }
        Ok(())
    }

    /// Reads and verifies chunks.
    fn read(&self, section: usize, chunks: Range<usize>, offset: u64) -> io::Result<Vec<u8>> {
        let chunks = &self.source.manifest().sections()[section].chunks()[chunks];
        let length: usize = chunks.iter().map(|it| it.length() as usize).sum();
        let mut bytes = vec![0; length];
        self.source.read_exact_at(&mut bytes, offset)?;
        let mut rest = &bytes[..];
        for chunk in chunks {
            let (its, after) = rest.split_at(chunk.length() as usize);
            if !chunk.is_of(its) {
                let at = offset + (length - rest.len()) as u64;
                let text = format!("the {} bytes at {at} are damaged", chunk.length());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            rest = after;
        }
        Ok(bytes)
    }

    /// The patch that makes a stretch, if it saves enough.
    fn patch(
        &self,
        section: usize,
        chunks: &Range<usize>,
        offset: u64,
        answer: Answer,
    ) -> io::Result<Option<Vec<u8>>> {
        let (patch, length) = match answer {
            Answer::Whole => return Ok(None),
            Answer::Delta(region) => {
                let Some(old) = self.region(&region) else { return Ok(None) };
                let new = self.read(section, chunks.clone(), offset)?;
                (delta(&old, &new)?, new.len())
            }
            Answer::Exchange(region) => {
                let new = self.read(section, chunks.clone(), offset)?;
                (exchange(&region, &new)?, new.len())
            }
        };
        let (most, of) = PATCH_SHARE;
        Ok(Some(patch).filter(|it| it.len() * of < length * most))
    }

    /// The bytes of a region of the old content; none if they cannot be read.
    fn region(&self, region: &Range<u64>) -> Option<Vec<u8>> {
        let length = usize::try_from(region.end - region.start).ok()?;
        let mut bytes = vec![0; length];
        self.old.as_ref()?.read_exact_at(&mut bytes, region.start).ok()?;
        Some(bytes)
    }
}

/// The patch against bytes that both ends have. The hashes of the chunks verify what it makes.
fn delta(old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let mut patch = Vec::new();
    let options = Options { effort: Effort::Default, summed: false, ..Options::default() };
    diff(old, new, options, &mut patch)?;
    Ok(patch)
}

/// The patch against bytes that only the peer has; their manifest is here.
fn exchange(old: &Manifest, new: &[u8]) -> io::Result<Vec<u8>> {
    let manifest = Manifest::of(new, Depth::Chunks);
    let sender = remote::Sender::with_known(new, &manifest, old, 0);
    let message = sender.and_then(|mut sender| sender.next_message()).map_err(io::Error::other)?;
    Ok(message.unwrap_or_default())
}

fn malformed(kind: Kind, rule: &'static str) -> FrameError {
    FrameError::Malformed { kind, rule }
}
