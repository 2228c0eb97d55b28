//! The frames of contents.
//!
//! Numbers are little-endian. Every body begins with the number of the transfer (4 bytes), which the receiver
//! of the content chooses.
//!
//! | kind | from | fields behind the number |
//! |---|---|---|
//! | ask | receiver | content (32), flags (1): 1 an old content follows, 2 no outline is needed; old content (32) if there is one |
//! | list | receiver | section (8), from 0 |
//! | want | receiver | offset in the content (8), section (8), first chunk in the section (2), chunks (2), way (1): 0 whole; 1 delta, followed by the region of the old content: offset (8), length (4); 2 exchange, followed by the manifest of the region (all the rest) |
//! | close | receiver | |
//! | outline | sender | flags (1): 1 the sender has the old content, 2 this is the last frame of the outline; length of the content (8); then per run: 0, length (4) and hash (32) of a section, or 1 and the first (8) and the number (8) of sections of the old content |
//! | chunks | sender | section (8), the chunks as `Section::to_bytes` of `steadfast-delta` gives them |
//! | piece | sender | offset in the content (8), the bytes of a chunk |
//! | patch | sender | offset in the content (8), for a delta a patch, for an exchange a message of `steadfast_delta::remote` |
//! | lacks | sender | 1: no good copy now, 2: no copy any more |

use steadfast_delta::manifest::Hash;
use steadfast_protocol::ContentId;

use super::{Lack, TransferId};
use crate::bytes::Fields;
use crate::frame::{self, Frame, FrameError, Kind};

/// How the bytes of a stretch are to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    Whole,
    Delta { offset: u64, length: u32 },
    Exchange { manifest: &'a [u8] },
}

/// Sections of a content, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    Own { length: u32, hash: Hash },
    Old { first: u64, count: u64 },
}

/// A frame, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    Ask { content: ContentId, old: Option<ContentId>, needs_outline: bool },
    List { section: u64 },
    Want { offset: u64, section: u64, first: u16, count: u16, way: Way<'a> },
    Close,
    Outline { has_old: bool, is_last: bool, length: u64, runs: Vec<Run> },
    Chunks { section: u64, list: &'a [u8] },
    Piece { offset: u64, bytes: &'a [u8] },
    Patch { offset: u64, bytes: &'a [u8] },
    Lacks(Lack),
}

const OLD: u8 = 1;
const NO_OUTLINE: u8 = 2;
const HAS_OLD: u8 = 1;
const LAST: u8 = 2;

/// The longest form of a run, in bytes.
pub(super) const RUN_LENGTH_MAX: usize = 37;
/// An outline frame before its runs, in bytes.
pub(super) const OUTLINE_HEAD: usize = 13;

impl Message<'_> {
    fn kind(&self) -> Kind {
        match self {
            Message::Ask { .. } => Kind::Ask,
            Message::List { .. } => Kind::List,
            Message::Want { .. } => Kind::Want,
            Message::Close => Kind::Close,
            Message::Outline { .. } => Kind::Outline,
            Message::Chunks { .. } => Kind::Chunks,
            Message::Piece { .. } => Kind::Piece,
            Message::Patch { .. } => Kind::Patch,
            Message::Lacks(_) => Kind::Lacks,
        }
    }

    /// Appends the frame. Every bound on lengths leaves room for what the crate puts into the frame.
    pub(super) fn encode(&self, id: TransferId, out: &mut Vec<u8>) {
        frame::encode_short(self.kind(), out, |out| {
            out.extend(id.0.to_le_bytes());
            self.put(out);
        });
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Message::Ask { content, old, needs_outline } => {
                let flags = if *needs_outline { 0 } else { NO_OUTLINE };
                out.extend(content.0);
                out.push(flags | if old.is_some() { OLD } else { 0 });
                old.iter().for_each(|old| out.extend(old.0));
            }
            Message::List { section } => out.extend(section.to_le_bytes()),
            Message::Want { offset, section, first, count, way } => {
                out.extend(offset.to_le_bytes());
                out.extend(section.to_le_bytes());
                out.extend(first.to_le_bytes());
                out.extend(count.to_le_bytes());
                put_way(way, out);
            }
            Message::Close => {}
            Message::Outline { has_old, is_last, length, runs } => {
                let flags = if *has_old { HAS_OLD } else { 0 };
                out.push(flags | if *is_last { LAST } else { 0 });
                out.extend(length.to_le_bytes());
                runs.iter().for_each(|run| put_run(run, out));
            }
            Message::Chunks { section, list } => {
                out.extend(section.to_le_bytes());
                out.extend_from_slice(list);
            }
            Message::Piece { offset, bytes } | Message::Patch { offset, bytes } => {
                out.extend(offset.to_le_bytes());
                out.extend_from_slice(bytes);
            }
            Message::Lacks(Lack::Missing) => out.push(1),
            Message::Lacks(Lack::Gone) => out.push(2),
        }
    }
}

fn put_way(way: &Way<'_>, out: &mut Vec<u8>) {
    match way {
        Way::Whole => out.push(0),
        Way::Delta { offset, length } => {
            out.push(1);
            out.extend(offset.to_le_bytes());
            out.extend(length.to_le_bytes());
        }
        Way::Exchange { manifest } => {
            out.push(2);
            out.extend_from_slice(manifest);
        }
    }
}

fn put_run(run: &Run, out: &mut Vec<u8>) {
    match run {
        Run::Own { length, hash } => {
            out.push(0);
            out.extend(length.to_le_bytes());
            out.extend(hash.0);
        }
        Run::Old { first, count } => {
            out.push(1);
            out.extend(first.to_le_bytes());
            out.extend(count.to_le_bytes());
        }
    }
}

impl<'a> Message<'a> {
    /// Takes a frame apart. Allocates in proportion to its bytes.
    ///
    /// # Errors
    /// The frame is malformed, or is none of contents.
    pub(super) fn decode(frame: Frame<'a>) -> Result<(TransferId, Message<'a>), FrameError> {
        let mut fields = Fields::new(frame.kind, frame.body);
        let id = |fields: &mut Fields<'a>| Ok(TransferId(u32::from_le_bytes(fields.array()?)));
        let (id, message) = match frame.kind {
            Kind::Ask => (id(&mut fields)?, take_ask(&mut fields)?),
            Kind::List => (id(&mut fields)?, Message::List { section: fields.u64()? }),
            Kind::Want => (id(&mut fields)?, take_want(&mut fields)?),
            Kind::Close => (id(&mut fields)?, Message::Close),
            Kind::Outline => (id(&mut fields)?, take_outline(&mut fields)?),
            Kind::Chunks => {
                let id = id(&mut fields)?;
                (id, Message::Chunks { section: fields.u64()?, list: fields.rest() })
            }
            Kind::Piece => {
                let id = id(&mut fields)?;
                (id, Message::Piece { offset: fields.u64()?, bytes: fields.rest() })
            }
            Kind::Patch => {
                let id = id(&mut fields)?;
                (id, Message::Patch { offset: fields.u64()?, bytes: fields.rest() })
            }
            Kind::Lacks => (id(&mut fields)?, Message::Lacks(take_lack(&mut fields)?)),
            Kind::Hello | Kind::Welcome | Kind::Refused | Kind::Packet => {
                return Err(FrameError::Unexpected { kind: frame.kind, expected: "a content" });
            }
        };
        fields.end()?;
        Ok((id, message))
    }
}

fn take_ask<'a>(fields: &mut Fields<'a>) -> Result<Message<'a>, FrameError> {
    let content = ContentId(fields.array()?);
    let flags = fields.u8()?;
    if flags & !(OLD | NO_OUTLINE) != 0 {
        return Err(fields.malformed("it has unknown flags"));
    }
    let old = match flags & OLD {
        0 => None,
        _ => Some(ContentId(fields.array()?)),
    };
    Ok(Message::Ask { content, old, needs_outline: flags & NO_OUTLINE == 0 })
}

fn take_want<'a>(fields: &mut Fields<'a>) -> Result<Message<'a>, FrameError> {
    let (offset, section) = (fields.u64()?, fields.u64()?);
    let (first, count) = (fields.u16()?, fields.u16()?);
    let way = match fields.u8()? {
        0 => Way::Whole,
        1 => Way::Delta { offset: fields.u64()?, length: fields.u32()? },
        2 => Way::Exchange { manifest: fields.rest() },
        _ => return Err(fields.malformed("it names an unknown way")),
    };
    Ok(Message::Want { offset, section, first, count, way })
}

fn take_outline<'a>(fields: &mut Fields<'a>) -> Result<Message<'a>, FrameError> {
    let flags = fields.u8()?;
    if flags & !(HAS_OLD | LAST) != 0 {
        return Err(fields.malformed("it has unknown flags"));
    }
    let length = fields.u64()?;
    let mut runs = Vec::new();
    while !fields.is_empty() {
        runs.push(match fields.u8()? {
            0 => Run::Own { length: fields.u32()?, hash: Hash(fields.array()?) },
            1 => Run::Old { first: fields.u64()?, count: fields.u64()? },
            _ => return Err(fields.malformed("it has a run of an unknown kind")),
        });
    }
    let (has_old, is_last) = (flags & HAS_OLD != 0, flags & LAST != 0);
    Ok(Message::Outline { has_old, is_last, length, runs })
}

fn take_lack(fields: &mut Fields<'_>) -> Result<Lack, FrameError> {
    match fields.u8()? {
        1 => Ok(Lack::Missing),
        2 => Ok(Lack::Gone),
        _ => Err(fields.malformed("it names an unknown reason")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Channel, Decoder};

    const GOLDEN: &str = include_str!("../../tests/golden-contents.txt");
    const LIST: &[u8] = &[1, 0x90, 0x4E];

    /// A frame of each kind, with every variant in it.
    fn samples() -> Vec<(&'static str, Message<'static>)> {
        let content = ContentId(std::array::from_fn(|at| u8::try_from(at).expect("a byte")));
        let hash = Hash([0xA5; 32]);
        let (offset, section) = (0x0102_0304_0506, 0x0201);
        let runs = vec![Run::Own { length: 0x0010_0001, hash }, Run::Old { first: 3, count: 513 }];
        let want = |way| Message::Want { offset, section, first: 258, count: 7, way };
        vec![
            ("ask", Message::Ask { content, old: None, needs_outline: true }),
            (
                "ask with an old content",
                Message::Ask { content, old: Some(ContentId([0xB0; 32])), needs_outline: false },
            ),
            ("list", Message::List { section }),
            ("want whole", want(Way::Whole)),
            ("want delta", want(Way::Delta { offset: 9, length: 0x0001_0203 })),
            ("want exchange", want(Way::Exchange { manifest: b"SfMf" })),
            ("close", Message::Close),
            ("outline", Message::Outline { has_old: true, is_last: false, length: 1 << 40, runs }),
            (
                "outline end",
                Message::Outline { has_old: false, is_last: true, length: 0, runs: vec![] },
            ),
            ("chunks", Message::Chunks { section, list: LIST }),
            ("piece", Message::Piece { offset, bytes: b"bytes" }),
            ("patch", Message::Patch { offset, bytes: b"patch" }),
            ("lacks missing", Message::Lacks(Lack::Missing)),
            ("lacks gone", Message::Lacks(Lack::Gone)),
        ]
    }

    const ID: TransferId = TransferId(0x0403_0201);

    fn encoded(message: &Message<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(ID, &mut out);
        out
    }

    #[test]
    fn the_bytes_of_every_frame_are_the_same_in_every_build() {
        let hex = |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect::<String>();
        let samples = samples();
        let lines = samples.iter().map(|(name, it)| format!("{name}: {}", hex(&encoded(it))));
        let found: Vec<String> = lines.collect();
        assert_eq!(found.join("\n"), GOLDEN.trim_end());
        for kind in Kind::ALL.iter().filter(|it| it.channels() == [Channel::Contents]) {
            assert!(samples.iter().any(|(_, it)| it.kind() == *kind), "no vector of {kind}");
        }
    }

    fn any_run() -> impl Strategy<Value = Run> {
        prop_oneof![
            any::<(u32, [u8; 32])>()
                .prop_map(|(length, hash)| Run::Own { length, hash: Hash(hash) }),
            any::<(u64, u64)>().prop_map(|(first, count)| Run::Old { first, count }),
        ]
    }

    /// A number, and bytes to refer to.
    type Fields = ((u64, u64, u32), (u16, u16), Vec<u8>, [u8; 32]);

    /// The message of a kind with these fields.
    fn message<'a>(kind: u8, fields: &'a Fields, runs: &[Run]) -> Message<'a> {
        let ((offset, section, length), (first, count), bytes, name) = fields;
        let (offset, section, length) = (*offset, *section, *length);
        let (first, count, content) = (*first, *count, ContentId(*name));
        let want = |way| Message::Want { offset, section, first, count, way };
        let is_even = offset % 2 == 0;
        match kind % 11 {
            0 => Message::Ask { content, old: None, needs_outline: is_even },
            1 => Message::Ask { content, old: Some(content), needs_outline: is_even },
            2 => Message::List { section },
            3 => want(Way::Whole),
            4 => want(Way::Delta { offset: section, length }),
            5 => want(Way::Exchange { manifest: bytes }),
            6 => Message::Outline {
                has_old: is_even,
                is_last: section % 2 == 0,
                length: section,
                runs: runs.to_vec(),
            },
            7 => Message::Chunks { section, list: bytes },
            8 => Message::Piece { offset, bytes },
            9 => Message::Patch { offset, bytes },
            _ => Message::Lacks(if is_even { Lack::Gone } else { Lack::Missing }),
        }
    }

    proptest! {
        #[test]
        fn any_frames_come_back_however_the_stream_is_split(
            fields: Vec<(u8, u32, Fields)>,
            runs in proptest::collection::vec(any_run(), 0..20),
            step in 1..200_usize,
            flip: Option<(prop::sample::Index, u8)>,
        ) {
            let all = fields.iter();
            let messages = all.map(|(kind, id, it)| (TransferId(*id), message(*kind, it, &runs)));
            let messages: Vec<_> = messages.collect();
            let mut stream = Vec::new();
            messages.iter().for_each(|(id, it)| it.encode(*id, &mut stream));
            if let Some((at, bit)) = flip.filter(|_| !stream.is_empty()) {
                let at = at.index(stream.len());
                stream[at] ^= 1 << (bit % 8);
            }
            let (mut decoder, mut found) = (Decoder::new(Channel::Contents), 0);
            for mut piece in stream.chunks(step) {
                while let Ok(Some(frame)) = decoder.next(&mut piece) {
                    match Message::decode(frame) {
                        Ok(read) if flip.is_none() => prop_assert_eq!(&read, &messages[found]),
                        // Another frame: it has these bytes.
                        Ok((id, read)) => {
                            let mut again = Vec::new();
                            read.encode(id, &mut again);
                            prop_assert_eq!(&again[5..], frame.body);
                        }
                        Err(error) => prop_assert!(flip.is_some(), "{}", error),
                    }
                    found += 1;
                }
            }
            prop_assert!(flip.is_some() || found == messages.len());
        }
    }

    #[test]
    fn frames_come_back_and_parts_and_additions_are_refused_or_other_frames() {
        for (name, message) in samples() {
            let bytes = encoded(&message);
            let (body, mut rest) = (&bytes[5..], &bytes[..]);
            let mut decoder = Decoder::new(Channel::Contents);
            let frame = decoder.next(&mut rest).expect("frames").expect("a whole one");
            assert_eq!(Message::decode(frame), Ok((ID, message.clone())), "{name}");
            for length in 0..body.len() {
                let found = Message::decode(Frame { body: &body[..length], ..frame });
                assert!(found != Ok((ID, message.clone())), "{name}");
            }
            let longer = [body, &[7]].concat();
            let found = Message::decode(Frame { body: &longer, ..frame });
            assert!(found != Ok((ID, message.clone())), "{name}");
        }
    }

    #[test]
    fn unknown_flags_ways_runs_and_reasons_are_refused() {
        let wrong = |message: &Message<'_>, at: usize, byte| {
            let mut bytes = encoded(message);
            bytes[5 + at] = byte;
            Message::decode(Frame { kind: message.kind(), body: &bytes[5..] }).map(|_| ())
        };
        let samples = samples();
        let find = |name| &samples.iter().find(|it| it.0 == name).expect("a sample").1;
        let cases =
            [("ask", 36), ("want whole", 24), ("outline", 4), ("outline", 13), ("lacks gone", 4)];
        for (name, at) in cases {
            let found = wrong(find(name), at, 0x44);
            assert!(matches!(found, Err(FrameError::Malformed { .. })), "{name}: {found:?}");
        }
    }
}
