//! The end that has the old content.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use super::effect::{ATTEMPT_LAST, Effect, Limits};
use super::error::RemoteError;
use super::held::HeldChunks;
use super::ids::{Id, Width, grain_ids, take_ids};
use super::literals::{LITERALS_MAX, unpack};
use super::matching::{Grains, REPLACED_FREE, REPLACED_PER_MISSING, Slot, Slots, replaced};
use super::message::{Held, LiteralPiece, Message, Offer, Runs, Stretch};
use super::output::Output;
use crate::bytes::Reader;
use crate::manifest::cut::{CHUNK_LENGTH_MEAN, GRAIN_LENGTH_MEAN};
use crate::manifest::{Manifest, Root};

/// Receives a content. Feed it the sender's messages and perform the effects in order.
pub struct Receiver<'a> {
    old: &'a [u8],
    manifest: &'a Manifest,
    limits: Limits,
    state: State<'a>,
}

enum State<'a> {
    /// The sender has offered nothing yet, or a message was wrong.
    Waiting,
    /// This end has named its sections and chunks.
    Held {
        offer: Offer,
        chunk_width: Width,
    },
    /// This end has listed the chunks that it lacks.
    Chunks {
        offer: Offer,
        slots: Vec<Slot>,
        unused: Vec<Range<u64>>,
        grain_width: Width,
    },
    /// This end has listed the grains that it lacks; these slots are still to be filled.
    Literals {
        offer: Offer,
        slots: VecDeque<Slot>,
        output: Output<'a>,
    },
    Done,
}

impl fmt::Debug for Receiver<'_> {
    /// How far it has come. Contents and manifests are too long to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting => "waiting for an offer",
            State::Held { .. } => "has named its sections and chunks",
            State::Chunks { .. } => "has listed the chunks that it lacks",
            State::Literals { .. } => "has listed the grains that it lacks",
            State::Done => "done",
        };
        f.debug_struct("Receiver")
            .field("old_length", &self.old.len())
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl<'a> Receiver<'a> {
    /// Has the content `old`, whose manifest this is. Nothing at all is a content, too.
    ///
    /// # Panics
    /// The manifest is of another length.
    pub fn new(old: &'a [u8], manifest: &'a Manifest, limits: Limits) -> Receiver<'a> {
        assert_eq!(old.len() as u64, manifest.length(), "the manifest is of another content");
        Receiver { old, manifest, limits, state: State::Waiting }
    }

    /// Whether the whole new content was received.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes a message of the sender.
    ///
    /// # Errors
    /// The message is malformed, comes out of turn, or exceeds the limits. The caller must throw away the
    /// received bytes, and the exchange cannot go on.
    pub fn receive(&mut self, message: &[u8]) -> Result<Vec<Effect>, RemoteError> {
        let state = std::mem::replace(&mut self.state, State::Waiting);
        match (state, Message::parse(message)?) {
            (State::Waiting, Message::Offer(offer)) => self.on_offer(offer),
            (State::Waiting, Message::Delta { root, length, base, patch }) => {
                self.on_delta(root, length, base, patch)
            }
            (State::Held { offer, chunk_width }, Message::Chunks { stretches, names }) => {
                self.on_chunks(offer, chunk_width, &stretches, names)
            }
            (State::Chunks { offer, slots, unused, grain_width }, Message::Grains(rest)) => {
                self.on_grains(offer, slots, &unused, grain_width, rest)
            }
            (
                State::Literals { offer, slots, output },
                Message::Literals { pieces, is_packed, bytes },
            ) => {
                let bytes = unpack_pieces(&pieces, is_packed, bytes)?;
                self.on_literals(offer, slots, output, &pieces, &bytes)
            }
            (State::Waiting, message) => Err(message.unexpected("an offer")),
            (State::Held { .. }, message) => Err(message.unexpected("the names of chunks")),
            (State::Chunks { .. }, message) => Err(message.unexpected("the names of grains")),
            (State::Literals { .. }, message) => Err(message.unexpected("literals")),
            (State::Done, message) => Err(message.unexpected("nothing")),
        }
    }

    fn check_length(&self, length: u64) -> Result<(), RemoteError> {
        let limit = self.limits.length_max;
        if length > limit { Err(RemoteError::TooLong { length, limit }) } else { Ok(()) }
    }

    /// The part of the old content that is used: nothing in the last attempt.
    fn base(&self, offer: Offer) -> Option<&'a Manifest> {
        (offer.attempt < ATTEMPT_LAST).then_some(self.manifest)
    }

    fn width(&self, comparisons: u64, offer: Offer) -> Width {
        Width::for_comparisons(comparisons, offer.attempt, self.limits.name_bits_max)
    }

    fn on_offer(&mut self, offer: Offer) -> Result<Vec<Effect>, RemoteError> {
        self.check_length(offer.length)?;
        if offer.root == self.manifest.root() && offer.attempt == 0 {
            let mut output = Output::new(self.old, offer.length, self.manifest);
            output.append_old(0..self.manifest.length());
            return self.finish(offer.root, Some(offer.attempt), output, &Message::Same);
        }
        let sections = self.base(offer).map_or(&[][..], |base| base.sections());
        let held_chunks: usize = sections.iter().map(|section| section.chunks().len()).sum();
        let (offered_sections, offered_chunks) = (offer.length >> 20, offer.length >> 15);
        let compare = |held: usize, offered: u64| (held as u64).saturating_mul(offered);
        let section_width = self.width(compare(sections.len(), offered_sections), offer);
        let chunk_width = self.width(compare(held_chunks, offered_chunks), offer);
        let names = sections.iter();
        let names = names.map(|it| Id::of_hash(it.hash(), offer.salt, section_width)).collect();
        let base = self.manifest.root();
        let held = Held { base, section_width, chunk_width, sections: names };
        self.state = State::Held { offer, chunk_width };
        Ok(vec![Effect::Send(Message::Held(held).to_bytes())])
    }

    fn on_delta(
        &mut self,
        root: Root,
        length: u64,
        base: Root,
        patch: &[u8],
    ) -> Result<Vec<Effect>, RemoteError> {
        self.check_length(length)?;
        if base != self.manifest.root() {
            return Ok(vec![Effect::Send(Message::Again.to_bytes())]);
        }
        let output = Output::of_patch(self.old, patch, length, self.manifest)?;
        self.finish(root, None, output, &Message::Done)
    }

    fn on_chunks(
        &mut self,
        offer: Offer,
        width: Width,
        stretches: &[Stretch],
        names: &[u8],
    ) -> Result<Vec<Effect>, RemoteError> {
        let mut held = HeldChunks::new(self.base(offer), offer.salt, width);
        let mut names = take_chunk_names(stretches, width, names)?.into_iter();
        let (mut slots, mut missing) = (Slots::default(), Vec::new());
        let mut left = offer.length;
        for stretch in stretches {
            match *stretch {
                Stretch::Known { first, sections } => {
                    let bytes = held.find_sections(first, sections).ok_or(NO_SECTIONS)?;
                    left = left.saturating_sub(bytes.end - bytes.start);
                    if left > 0 {
                        held.use_sections(first, sections);
                    }
                    slots.push_old(bytes);
                }
                Stretch::Named { chunks } => {
                    for name in names.by_ref().take(chunks as usize) {
                        let found = held.find(name);
                        missing.push(found.is_none());
                        match found {
                            Some(bytes) => slots.push_old(bytes),
                            None => slots.push_missing(1),
                        }
                    }
                }
            }
        }
        let (slots, unused) = (slots.into_vec(), held.unused());
        if !missing.contains(&true) {
            let output = Output::new(self.old, offer.length, self.manifest);
            return self.on_literals(offer, slots.into(), output, &[], &[]);
        }
        let grain_width = self.width(grain_comparisons(&slots, &unused, self.old.len()), offer);
        self.state = State::Chunks { offer, slots, unused, grain_width };
        let runs = Runs::of(missing);
        Ok(vec![Effect::Send(Message::Missing { grain_width, runs }.to_bytes())])
    }

    fn on_grains(
        &mut self,
        offer: Offer,
        slots: Vec<Slot>,
        unused: &[Range<u64>],
        width: Width,
        rest: &[u8],
    ) -> Result<Vec<Effect>, RemoteError> {
        let named = take_grain_names(&slots, width, rest)?;
        let grains = self.grains(offer, unused, width);
        let mut replaced = replaced(&slots, self.old.len() as u64).into_iter().zip(named);
        let (mut filled, mut missing) = (Slots::default(), Vec::new());
        for slot in slots {
            match slot {
                Slot::Old(range) => filled.push_old(range),
                Slot::Missing(_) => {
                    let Some((replaced, names)) = replaced.next() else { continue };
                    if names.is_empty() {
                        filled.push_missing(1);
                    }
                    for found in grains.find(&names, &replaced) {
                        missing.push(found.is_none());
                        match found {
                            Some(range) => filled.push_old(range),
                            None => filled.push_missing(1),
                        }
                    }
                }
            }
        }
        let slots = VecDeque::from(filled.into_vec());
        let output = Output::new(self.old, offer.length, self.manifest);
        if !slots.iter().any(|slot| matches!(slot, Slot::Missing(_))) {
            return self.on_literals(offer, slots, output, &[], &[]);
        }
        self.state = State::Literals { offer, slots, output };
        let runs = Runs::of(missing);
        Ok(vec![Effect::Send(Message::Missing { grain_width: width, runs }.to_bytes())])
    }

    /// The grains of the old chunks that were not found, stretch by stretch.
    fn grains(&self, offer: Offer, unused: &[Range<u64>], width: Width) -> Grains {
        Grains::new(unused.iter().flat_map(|range| {
            let stretch = &self.old[range.start as usize..range.end as usize];
            grain_ids(stretch, offer.salt, width).scan(range.start, |at, (length, id)| {
                let start = *at;
                *at += length as u64;
                Some((id, start..*at))
            })
        }))
    }

    /// Fills slots with the pieces, whose bytes follow each other.
    fn on_literals(
        &mut self,
        offer: Offer,
        mut slots: VecDeque<Slot>,
        mut output: Output<'a>,
        pieces: &[LiteralPiece],
        mut bytes: &[u8],
    ) -> Result<Vec<Effect>, RemoteError> {
        append_old(&mut slots, &mut output);
        for piece in pieces {
            if slots.is_empty() {
                return Err(RemoteError::Malformed("it fills more than is missing"));
            }
            let (now, later) = bytes.split_at(piece.length as usize);
            output.append(now);
            bytes = later;
            if !piece.goes_on {
                slots.pop_front();
                append_old(&mut slots, &mut output);
            }
        }
        if slots.is_empty() {
            return self.finish(offer.root, Some(offer.attempt), output, &Message::Done);
        }
        let effects = output.take_effects();
        self.state = State::Literals { offer, slots, output };
        Ok(effects)
    }

    /// Compares the content that was made with the one that was named, which decides how it goes on.
    fn finish(
        &mut self,
        named: Root,
        attempt: Option<u8>,
        output: Output<'a>,
        answer: &Message<'_>,
    ) -> Result<Vec<Effect>, RemoteError> {
        let (mut effects, manifest) = output.finish();
        if let Some(manifest) = manifest.filter(|manifest| manifest.root() == named) {
            self.state = State::Done;
            effects.push(Effect::Send(answer.to_bytes()));
            effects.push(Effect::Done(manifest));
            return Ok(effects);
        }
        if attempt.is_some_and(|attempt| attempt >= ATTEMPT_LAST) {
            return Err(RemoteError::OtherContent { named });
        }
        Ok(vec![Effect::Restart, Effect::Send(Message::Again.to_bytes())])
    }
}

const NO_SECTIONS: RemoteError = RemoteError::Malformed("it names sections that are not held");
const CUT_SHORT: RemoteError = RemoteError::Malformed("it is cut short");
const LEFT_OVER: RemoteError = RemoteError::Malformed("bytes follow its end");

fn take_chunk_names(
    stretches: &[Stretch],
    width: Width,
    names: &[u8],
) -> Result<Vec<Id>, RemoteError> {
    let named = stretches.iter().map(|stretch| match stretch {
        Stretch::Named { chunks } => *chunks,
        Stretch::Known { .. } => 0,
    });
    let named = named.fold(0, u64::saturating_add);
    let mut reader = Reader::new(names);
    let names = take_ids(&mut reader, width, named).ok_or(CUT_SHORT)?;
    if reader.rest().is_empty() { Ok(names) } else { Err(LEFT_OVER) }
}

/// Per missing slot the names of its grains.
fn take_grain_names(
    slots: &[Slot],
    width: Width,
    rest: &[u8],
) -> Result<Vec<Vec<Id>>, RemoteError> {
    let mut reader = Reader::new(rest);
    let missing = slots.iter().filter(|slot| matches!(slot, Slot::Missing(_)));
    let counts: Option<Vec<u64>> = missing.map(|_| reader.varint()).collect();
    let counts = counts.ok_or(CUT_SHORT)?;
    let all = counts.iter().copied().fold(0, u64::saturating_add);
    let mut names = take_ids(&mut reader, width, all).ok_or(CUT_SHORT)?.into_iter();
    let named = counts.iter().map(|count| names.by_ref().take(*count as usize).collect());
    let named = named.collect();
    if reader.rest().is_empty() { Ok(named) } else { Err(LEFT_OVER) }
}

/// The grains of a chunk.
const CHUNK_GRAINS: u64 = (CHUNK_LENGTH_MEAN / GRAIN_LENGTH_MEAN) as u64;
/// One missing grain in this number is compared with all that are unused, by an estimate.
const FAR_SHARE: u64 = 8;

/// How often grains that differ will be compared, about: all that are missing with those that
/// they replaced, and one in [`FAR_SHARE`] with all that are unused.
fn grain_comparisons(slots: &[Slot], unused: &[Range<u64>], old_length: usize) -> u64 {
    let missing = slots.iter().filter_map(|slot| match slot {
        Slot::Missing(chunks) => Some(*chunks as u64 * CHUNK_GRAINS),
        Slot::Old(_) => None,
    });
    let near =
        missing.clone().zip(replaced(slots, old_length as u64)).map(|(missing, replaced)| {
            let replaced = grains_in(&replaced);
            missing.saturating_mul(replaced.min(missing * REPLACED_PER_MISSING + REPLACED_FREE))
        });
    let unused: u64 = unused.iter().map(grains_in).sum();
    let far = (missing.sum::<u64>() / FAR_SHARE).saturating_mul(unused);
    near.fold(far, u64::saturating_add)
}

/// The grains in a stretch of a content, about.
fn grains_in(stretch: &Range<u64>) -> u64 {
    stretch.end.saturating_sub(stretch.start) / GRAIN_LENGTH_MEAN as u64
}

fn unpack_pieces(
    pieces: &[LiteralPiece],
    is_packed: bool,
    bytes: &[u8],
) -> Result<Vec<u8>, RemoteError> {
    let length = pieces.iter().map(|piece| piece.length).fold(0, u64::saturating_add);
    let bounded = usize::try_from(length).ok().filter(|it| *it <= LITERALS_MAX);
    let length = bounded.ok_or(RemoteError::Malformed("its pieces are too long"))?;
    if is_packed {
        return unpack(bytes, length).ok_or(RemoteError::Malformed("it does not unpack"));
    }
    match bytes.len() == length {
        true => Ok(bytes.to_vec()),
        false => Err(RemoteError::Malformed("its pieces and bytes differ in length")),
    }
}

fn append_old(slots: &mut VecDeque<Slot>, output: &mut Output<'_>) {
    while let Some(Slot::Old(range)) = slots.front() {
        output.append_old(range.clone());
        slots.pop_front();
    }
}
