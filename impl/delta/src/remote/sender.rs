//! The end that has the new content.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use super::effect::ATTEMPT_LAST;
use super::error::RemoteError;
use super::ids::{Id, Places, Salt, Width, grain_ids, put_ids};
use super::literals::{LITERALS_MAX, pack};
use super::message::{Held, LiteralPiece, Message, Offer, Runs, Stretch};
use super::{known, patch};
use crate::manifest::{Chunk, GRAIN_LENGTH_MIN, Manifest};
use crate::primes::GOLDEN_RATIO;
use crate::wire::varint;

/// More grains than this are not named; the chunks beyond travel whole.
pub(super) const GRAINS_MAX: usize = 1 << 20;

/// Sends a content. Feed it the receiver's messages, and send those that [`Sender::next_message`] gives
/// until it gives nothing.
pub struct Sender<'a> {
    content: &'a [u8],
    manifest: &'a Manifest,
    /// Of the content that the receiver is believed to have.
    known: Option<&'a Manifest>,
    seed: u64,
    attempt: u8,
    state: State,
    outgoing: VecDeque<Vec<u8>>,
}

enum State {
    /// The delta was sent, or will be.
    Delta,
    /// The offer was sent, or will be.
    Offered,
    /// These chunks were named.
    Chunks(Vec<Range<usize>>),
    /// These grains were named.
    Grains(Vec<NamedStretch>),
    /// These bytes travel, the rest of the first range perhaps in part.
    Literals(VecDeque<Range<usize>>),
    Done,
}

/// A stretch of missing chunks, whose grains are cut as if it were one chunk.
struct NamedStretch {
    bytes: Range<usize>,
    /// The lengths of the grains that were named; empty if none were.
    grains: Vec<usize>,
}

impl fmt::Debug for Sender<'_> {
    /// How far it has come. Contents and manifests are too long to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Delta => "sends a delta",
            State::Offered => "has offered the content",
            State::Chunks(_) => "has named chunks",
            State::Grains(_) => "has named grains",
            State::Literals(_) => "sends literals",
            State::Done => "done",
        };
        f.debug_struct("Sender")
            .field("length", &self.content.len())
            .field("state", &state)
            .field("messages_waiting", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Sender<'a> {
    /// Sends `content`, whose manifest this is, in four round trips to a receiver with an unknown old
    /// content. A random seed keeps an adversary from making contents whose short names
    /// collide.
    ///
    /// # Panics
    /// The manifest is of another length.
    pub fn new(content: &'a [u8], manifest: &'a Manifest, seed: u64) -> Sender<'a> {
        assert_eq!(content.len() as u64, manifest.length(), "the manifest is of another content");
        let outgoing = VecDeque::new();
        let state = State::Offered;
        let mut sender =
            Sender { content, manifest, known: None, seed, attempt: 0, state, outgoing };
        sender.offer();
        sender
    }

    /// As [`Sender::new`], to a receiver that is believed to have the content of the manifest
    /// `known`: in one round trip if it has. A manifest down to the grains makes the delta small.
    ///
    /// # Errors
    /// There is no memory to pack a message.
    pub fn with_known(
        content: &'a [u8],
        manifest: &'a Manifest,
        known: &'a Manifest,
        seed: u64,
    ) -> Result<Sender<'a>, RemoteError> {
        let mut sender = Sender::new(content, manifest, seed);
        sender.outgoing.clear();
        sender.known = Some(known);
        sender.send_delta(known)?;
        Ok(sender)
    }

    /// The next message to send, or `None` when it is the receiver's turn.
    ///
    /// # Errors
    /// There is no memory to pack a message.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, RemoteError> {
        if let Some(message) = self.outgoing.pop_front() {
            return Ok(Some(message));
        }
        let State::Literals(ranges) = &mut self.state else { return Ok(None) };
        if ranges.is_empty() {
            return Ok(None);
        }
        next_literals(self.content, ranges).map(Some)
    }

    /// Whether the receiver has the content.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes a message of the receiver.
    ///
    /// # Errors
    /// The message is malformed or does not belong here, or the receiver gives up.
    pub fn receive(&mut self, message: &[u8]) -> Result<(), RemoteError> {
        match (&mut self.state, Message::parse(message)?) {
            (State::Done, message) => Err(message.unexpected("nothing")),
            (State::Offered, Message::Same) | (_, Message::Done) => {
                self.state = State::Done;
                Ok(())
            }
            (_, Message::Again) => self.on_again(),
            (State::Offered, Message::Held(held)) => self.on_held(&held),
            (State::Chunks(chunks), Message::Missing { grain_width, runs }) => {
                let chunks = std::mem::take(chunks);
                self.on_missing_chunks(chunks, grain_width, &runs)
            }
            (State::Grains(stretches), Message::Missing { runs, .. }) => {
                let stretches = std::mem::take(stretches);
                self.on_missing_grains(&stretches, &runs)
            }
            (_, message) => Err(message.unexpected("an answer to what was sent")),
        }
    }

    /// Under a salt that the receiver cannot foresee if it does not know the seed.
    fn salt(&self) -> Salt {
        Salt(self.seed.wrapping_add(u64::from(self.attempt).wrapping_mul(GOLDEN_RATIO)))
    }

    fn send(&mut self, message: &Message<'_>) {
        self.outgoing.push_back(message.to_bytes());
    }

    fn offer(&mut self) {
        let (root, length) = (self.manifest.root(), self.manifest.length());
        let (attempt, salt) = (self.attempt, self.salt());
        self.state = State::Offered;
        self.send(&Message::Offer(Offer { root, length, attempt, salt }));
    }

    fn send_delta(&mut self, base: &Manifest) -> Result<(), RemoteError> {
        let pieces = known::pieces(self.content, self.manifest, base);
        let patch =
            patch::write(&pieces, self.content, base.length()).map_err(RemoteError::Pack)?;
        let (root, length) = (self.manifest.root(), self.manifest.length());
        self.state = State::Delta;
        self.send(&Message::Delta { root, length, base: base.root(), patch: &patch });
        Ok(())
    }

    fn on_again(&mut self) -> Result<(), RemoteError> {
        match self.state {
            State::Delta => self.known = None,
            _ if self.attempt < ATTEMPT_LAST => self.attempt += 1,
            _ => return Err(RemoteError::GivenUp(self.manifest.root())),
        }
        self.outgoing.clear();
        self.offer();
        Ok(())
    }

    fn on_held(&mut self, held: &Held) -> Result<(), RemoteError> {
        let mut theirs = Places::default();
        for (index, id) in (0_u64..).zip(&held.sections) {
            theirs.insert(*id, index);
        }
        let (mut stretches, mut named, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let mut chunks = self.chunks();
        for section in self.manifest.sections() {
            let own = chunks.by_ref().take(section.chunks().len());
            let id = Id::of_hash(section.hash(), self.salt(), held.section_width);
            match theirs.find(id) {
                Some(first) => {
                    own.for_each(drop);
                    push_known(&mut stretches, first);
                }
                None => {
                    push_named(&mut stretches, section.chunks().len() as u64);
                    own.for_each(|(bytes, chunk)| {
                        names.push(Id::of_hash(chunk.hash(), self.salt(), held.chunk_width));
                        named.push(bytes);
                    });
                }
            }
        }
        drop(chunks);
        let mut packed = Vec::new();
        put_ids(&mut packed, held.chunk_width, names);
        self.send(&Message::Chunks { stretches, names: &packed });
        self.state = State::Chunks(named);
        Ok(())
    }

    fn chunks(&self) -> impl Iterator<Item = (Range<usize>, &'a Chunk)> {
        self.manifest.chunks().map(|(offset, chunk)| {
            let offset = offset as usize;
            (offset..offset + chunk.length() as usize, chunk)
        })
    }

    fn on_missing_chunks(
        &mut self,
        chunks: Vec<Range<usize>>,
        width: Width,
        runs: &Runs,
    ) -> Result<(), RemoteError> {
        let missing = runs.missing(chunks.len()).ok_or(RUNS_DO_NOT_FIT)?;
        let (mut stretches, mut names) = (Vec::<NamedStretch>::new(), Vec::new());
        for (bytes, missing) in chunks.into_iter().zip(missing) {
            if !missing {
                continue;
            }
            match stretches.last_mut() {
                Some(stretch) if stretch.bytes.end == bytes.start => stretch.bytes.end = bytes.end,
                _ => stretches.push(NamedStretch { bytes, grains: Vec::new() }),
            }
        }
        for stretch in &mut stretches {
            let bytes = &self.content[stretch.bytes.clone()];
            if names.len() + bytes.len() / GRAIN_LENGTH_MIN < GRAINS_MAX {
                for (length, id) in grain_ids(bytes, self.salt(), width) {
                    stretch.grains.push(length);
                    names.push(id);
                }
            }
        }
        let mut rest = Vec::new();
        for stretch in &stretches {
            varint::put(&mut rest, stretch.grains.len() as u64);
        }
        put_ids(&mut rest, width, names);
        self.send(&Message::Grains(&rest));
        self.state = State::Grains(stretches);
        Ok(())
    }

    fn on_missing_grains(
        &mut self,
        stretches: &[NamedStretch],
        runs: &Runs,
    ) -> Result<(), RemoteError> {
        let grains = stretches.iter().map(|stretch| stretch.grains.len()).sum();
        let mut missing = runs.missing(grains).ok_or(RUNS_DO_NOT_FIT)?.into_iter();
        let mut ranges = VecDeque::new();
        for stretch in stretches {
            if stretch.grains.is_empty() {
                ranges.push_back(stretch.bytes.clone());
                continue;
            }
            let mut at = stretch.bytes.start;
            let mut is_after_missing = false;
            for (length, missing) in stretch.grains.iter().zip(missing.by_ref()) {
                match ranges.back_mut() {
                    Some(last) if missing && is_after_missing => last.end = at + length,
                    _ if missing => ranges.push_back(at..at + length),
                    _ => {}
                }
                is_after_missing = missing;
                at += length;
            }
        }
        self.state = State::Literals(ranges);
        Ok(())
    }
}

const RUNS_DO_NOT_FIT: RemoteError = RemoteError::Malformed("its runs do not fit what was named");

fn push_known(stretches: &mut Vec<Stretch>, index: u64) {
    match stretches.last_mut() {
        Some(Stretch::Known { first, sections }) if *first + *sections == index => *sections += 1,
        _ => stretches.push(Stretch::Known { first: index, sections: 1 }),
    }
}

fn push_named(stretches: &mut Vec<Stretch>, more: u64) {
    match stretches.last_mut() {
        Some(Stretch::Named { chunks }) => *chunks += more,
        _ => stretches.push(Stretch::Named { chunks: more }),
    }
}

/// As many bytes as a message may have, taken from the front of the ranges.
fn next_literals(
    content: &[u8],
    ranges: &mut VecDeque<Range<usize>>,
) -> Result<Vec<u8>, RemoteError> {
    let (mut pieces, mut bytes) = (Vec::new(), Vec::new());
    while bytes.len() < LITERALS_MAX
        && let Some(range) = ranges.front_mut()
    {
        let length = range.len().min(LITERALS_MAX - bytes.len());
        bytes.extend_from_slice(&content[range.start..range.start + length]);
        range.start += length;
        let goes_on = range.start < range.end;
        pieces.push(LiteralPiece { length: length as u64, goes_on });
        if !goes_on {
            ranges.pop_front();
        }
    }
    let packed = pack(&bytes).map_err(RemoteError::Pack)?;
    let is_packed = packed.is_some();
    let bytes = packed.as_deref().unwrap_or(&bytes);
    Ok(Message::Literals { pieces, is_packed, bytes }.to_bytes())
}
