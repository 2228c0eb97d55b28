//! The messages of an exchange as bytes, version 1.
//!
//! All numbers are little-endian; a varint is an unsigned LEB128 of at most ten bytes. `S` sends
//! the new content, `R` has the old one. A message is a kind and its fields; the transport
//! keeps messages apart. *Names* are short names of a width in bits, packed from the highest bit
//! of the first byte on. *Runs* are a varint count and that number of varints: the lengths of runs of
//! known and of missing parts in turn, the known ones first; only the first length may be 0.
//!
//! | kind | from | fields |
//! |---|---|---|
//! | 1 offer | S | version (1), root (32), length (varint), attempt (1), salt (8) |
//! | 2 delta | S | version (1), root (32), length (varint), base root (32), patch (all the rest) |
//! | 3 same | R | |
//! | 4 held | R | base root (32), width of names of sections (1) and chunks (1), count (varint), names of R's sections |
//! | 5 chunks | S | count (varint), per stretch: sections * 2 + 1 and R's first section (both varint), or chunks * 2 (varint); names of all those chunks |
//! | 6 missing | R | width of names of grains (1), runs over the chunks or grains that were named |
//! | 7 grains | S | per stretch of adjacent missing chunks, cut as if it were one chunk, the number of grains (varint), 0: not named; names of all those grains |
//! | 8 literals | S | count (varint), per piece: length * 2 + 1 if the stretch goes on in the next message (varint); packing (1): 0 raw, 1 zstd; the bytes of all pieces (all the rest) |
//! | 9 done | R | |
//! | 10 again | R | |

use super::error::RemoteError;
use super::ids::{Id, Salt, Width, put_ids, take_ids};
use crate::bytes::Reader;
use crate::manifest::Root;
use crate::wire::varint;

const VERSION: u8 = 1;

/// The content that is to travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) root: Root,
    pub(crate) length: u64,
    pub(crate) attempt: u8,
    pub(crate) salt: Salt,
}

/// The names of R's sections and chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) base: Root,
    pub(crate) section_width: Width,
    pub(crate) chunk_width: Width,
    pub(crate) sections: Vec<Id>,
}

/// A stretch of the new content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// Sections that R has, one after the other from this one on.
    Known { first: u64, sections: u64 },
    /// Chunks that S names.
    Named { chunks: u64 },
}

/// The lengths of runs of known and of missing parts in turn, the known ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs(Vec<u64>);

/// A piece of the content that R lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiteralPiece {
    pub(crate) length: u64,
    /// Whether the rest of the same stretch follows in the next message.
    pub(crate) goes_on: bool,
}

/// A message, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Offer(Offer),
    Delta {
        root: Root,
        length: u64,
        base: Root,
        patch: &'a [u8],
    },
    Same,
    Held(Held),
    /// The names need a width, which R chose before.
    Chunks {
        stretches: Vec<Stretch>,
        names: &'a [u8],
    },
    Missing {
        grain_width: Width,
        runs: Runs,
    },
    /// The numbers and names need what R knows.
    Grains(&'a [u8]),
    Literals {
        pieces: Vec<LiteralPiece>,
        is_packed: bool,
        bytes: &'a [u8],
    },
    Done,
    Again,
}

impl Message<'_> {
    /// Takes a message apart. Allocates in proportion to the bytes given.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Message<'_>, RemoteError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.byte().ok_or(RemoteError::Malformed("it is empty"))?;
        let cut_short = RemoteError::Malformed("it is cut short");
        let message = match kind {
            1 => parse_offer(&mut reader)?,
            2 => parse_delta(&mut reader)?,
            3 => Some(Message::Same),
            4 => parse_held(&mut reader),
            5 => parse_chunks(&mut reader),
            6 => parse_missing(&mut reader),
            7 => Some(Message::Grains(reader.take_rest())),
            8 => parse_literals(&mut reader),
            9 => Some(Message::Done),
            10 => Some(Message::Again),
            _ => return Err(RemoteError::Malformed("its kind is unknown")),
        };
        let message = message.ok_or(cut_short)?;
        match reader.rest() {
            [] => Ok(message),
            _ => Err(RemoteError::Malformed("bytes follow its end")),
        }
    }

    /// The message as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.kind()];
        match self {
            Message::Offer(offer) => put_offer(&mut out, offer),
            Message::Delta { root, length, base, patch } => {
                out.push(VERSION);
                out.extend(root.0);
                varint::put(&mut out, *length);
                out.extend(base.0);
                out.extend_from_slice(patch);
            }
            Message::Held(held) => put_held(&mut out, held),
            Message::Chunks { stretches, names } => {
                put_stretches(&mut out, stretches);
                out.extend_from_slice(names);
            }
            Message::Missing { grain_width, runs } => {
                out.push(grain_width.to_byte());
                varint::put(&mut out, runs.0.len() as u64);
                runs.0.iter().for_each(|run| varint::put(&mut out, *run));
            }
            Message::Grains(rest) => out.extend_from_slice(rest),
            Message::Literals { pieces, is_packed, bytes } => {
                varint::put(&mut out, pieces.len() as u64);
                for piece in pieces {
                    varint::put(&mut out, piece.length << 1 | u64::from(piece.goes_on));
                }
                out.push(u8::from(*is_packed));
                out.extend_from_slice(bytes);
            }
            Message::Same | Message::Done | Message::Again => {}
        }
        out
    }

    /// The error that it does not belong here.
    pub(crate) fn unexpected(&self, expected: &'static str) -> RemoteError {
        const KINDS: [&str; 10] = [
            "an offer",
            "a delta",
            "that it has the same",
            "what it holds",
            "the names of chunks",
            "what is missing",
            "the names of grains",
            "literals",
            "that it is done",
            "to begin again",
        ];
        let found = KINDS[usize::from(self.kind()) - 1];
        RemoteError::Unexpected { found, expected }
    }

    fn kind(&self) -> u8 {
        match self {
            Message::Offer(_) => 1,
            Message::Delta { .. } => 2,
            Message::Same => 3,
            Message::Held(_) => 4,
            Message::Chunks { .. } => 5,
            Message::Missing { .. } => 6,
            Message::Grains(_) => 7,
            Message::Literals { .. } => 8,
            Message::Done => 9,
            Message::Again => 10,
        }
    }
}

impl Runs {
    /// Counts known and missing ones.
    pub(crate) fn of(missing: impl IntoIterator<Item = bool>) -> Runs {
        let (mut runs, mut is_missing) = (vec![0], false);
        for missing in missing {
            if missing != is_missing {
                runs.push(0);
                is_missing = missing;
            }
            if let Some(last) = runs.last_mut() {
                *last += 1;
            }
        }
        Runs(runs)
    }

    /// For each of `count` things whether it is missing, or `None` if the runs are of another
    /// number.
    pub(crate) fn missing(&self, count: usize) -> Option<Vec<bool>> {
        let mut missing = Vec::with_capacity(count);
        for (index, run) in self.0.iter().enumerate() {
            let run = usize::try_from(*run).ok().filter(|run| *run <= count - missing.len())?;
            missing.resize(missing.len() + run, index % 2 == 1);
        }
        (missing.len() == count).then_some(missing)
    }
}

fn parse_version(reader: &mut Reader<'_>) -> Result<(), RemoteError> {
    match reader.byte() {
        Some(VERSION) => Ok(()),
        Some(version) => Err(RemoteError::Version(version)),
        None => Err(RemoteError::Malformed("it is cut short")),
    }
}

fn parse_offer<'a>(reader: &mut Reader<'a>) -> Result<Option<Message<'a>>, RemoteError> {
    parse_version(reader)?;
    let mut offer = || {
        let (root, length) = (Root(reader.array()?), reader.varint()?);
        let (attempt, salt) = (reader.byte()?, Salt(u64::from_le_bytes(reader.array()?)));
        Some(Message::Offer(Offer { root, length, attempt, salt }))
    };
    Ok(offer())
}

fn parse_delta<'a>(reader: &mut Reader<'a>) -> Result<Option<Message<'a>>, RemoteError> {
    parse_version(reader)?;
    let mut delta = || {
        let (root, length, base) = (Root(reader.array()?), reader.varint()?, Root(reader.array()?));
        Some(Message::Delta { root, length, base, patch: reader.take_rest() })
    };
    Ok(delta())
}

fn put_offer(out: &mut Vec<u8>, offer: &Offer) {
    out.push(VERSION);
    out.extend(offer.root.0);
    varint::put(out, offer.length);
    out.push(offer.attempt);
    out.extend(offer.salt.0.to_le_bytes());
}

fn parse_held<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    let base = Root(reader.array()?);
    let section_width = Width::from_byte(reader.byte()?)?;
    let chunk_width = Width::from_byte(reader.byte()?)?;
    let count = reader.varint()?;
    let sections = take_ids(reader, section_width, count)?;
    Some(Message::Held(Held { base, section_width, chunk_width, sections }))
}

fn put_held(out: &mut Vec<u8>, held: &Held) {
    out.extend(held.base.0);
    out.push(held.section_width.to_byte());
    out.push(held.chunk_width.to_byte());
    varint::put(out, held.sections.len() as u64);
    put_ids(out, held.section_width, held.sections.iter().copied());
}

fn parse_chunks<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    let count = reader.varint()?;
    let mut stretches = Vec::with_capacity(reader.capacity_for(count));
    for _ in 0..count {
        let number = reader.varint()?;
        stretches.push(match number & 1 {
            0 => Stretch::Named { chunks: number >> 1 },
            _ => Stretch::Known { first: reader.varint()?, sections: number >> 1 },
        });
    }
    Some(Message::Chunks { stretches, names: reader.take_rest() })
}

fn put_stretches(out: &mut Vec<u8>, stretches: &[Stretch]) {
    varint::put(out, stretches.len() as u64);
    for stretch in stretches {
        match *stretch {
            Stretch::Named { chunks } => varint::put(out, chunks << 1),
            Stretch::Known { first, sections } => {
                varint::put(out, sections << 1 | 1);
                varint::put(out, first);
            }
        }
    }
}

fn parse_missing<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    let grain_width = Width::from_byte(reader.byte()?)?;
    let count = reader.varint()?;
    let mut runs = Vec::with_capacity(reader.capacity_for(count));
    for _ in 0..count {
        runs.push(reader.varint()?);
    }
    Some(Message::Missing { grain_width, runs: Runs(runs) })
}

fn parse_literals<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    let count = reader.varint()?;
    let mut pieces = Vec::with_capacity(reader.capacity_for(count));
    for _ in 0..count {
        let number = reader.varint()?;
        pieces.push(LiteralPiece { length: number >> 1, goes_on: number & 1 == 1 });
    }
    let is_packed = match reader.byte()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    Some(Message::Literals { pieces, is_packed, bytes: reader.take_rest() })
}
