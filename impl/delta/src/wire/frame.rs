//! A frame: the operations that make the next stretch of the new content, as six streams.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use super::columns;
use super::header::{Header, VERSION_FIRST};
use super::packing::compression::unpack;
use super::packing::{Packer, Packing};
use super::progress::Progress;
use super::varint;

/// The streams of a frame.
pub(crate) const STREAMS: usize = 6;
/// The stream of the bytes that are in no copy; the others are numbered in the order of [`Frame`].
const LITERALS: usize = 5;
/// The streams before this one hold varints.
const VARINTS: usize = 4;
/// The bit of the first byte of a body that says that its literals are kept.
const KEPT: u8 = 1 << 7;
/// The most literals that a patch keeps, in bytes.
pub(crate) const KEPT_MAX: u64 = 64 << 20;
/// The most bytes that each stream has when unpacked.
pub(crate) const STREAM_MAX: [usize; STREAMS] =
    [1 << 20, 1 << 20, 1 << 20, 4 << 20, 4 << 20, 4 << 20];
/// The most literals of a frame, in bytes.
pub(crate) const LITERALS_MAX: usize = STREAM_MAX[LITERALS];
/// The most bytes of a body: every stream raw, and room for their lengths.
pub(crate) const BODY_MAX: usize = {
    let [a, b, c, d, e, f] = STREAM_MAX;
    a + b + c + d + e + f + 1024
};
/// The most skipped old bytes of a frame.
pub(crate) const SKIPPED_MAX: u64 = 1 << 20;

/// The unpacked streams of a frame.
#[derive(Default)]
pub(crate) struct Frame<'a> {
    /// Per operation the bytes from the literals.
    pub literal_lengths: Cow<'a, [u8]>,
    /// Per operation the bytes from the old content.
    pub copy_lengths: Cow<'a, [u8]>,
    /// Per operation with a copy, how far it moved against the last one.
    pub shifts: Cow<'a, [u8]>,
    /// Per changed byte of the copies the unchanged bytes before it.
    pub gaps: Cow<'a, [u8]>,
    /// Per changed byte, new minus old.
    pub differences: Cow<'a, [u8]>,
    /// The bytes that are in no copy.
    pub literals: Cow<'a, [u8]>,
    /// Whether later copies may be of its literals.
    pub keeps: bool,
}

impl Frame<'_> {
    /// The body in two parts: all bytes before the packed literals, and these. `skipped` are the stretches of
    /// skipped old bytes. Each of `times` is two budgets in nanoseconds, the first for packing any stream but
    /// the literals, the second for these; each stream is packed within every budget, and the shortest result
    /// is kept.
    ///
    /// # Errors
    /// zstd has no memory.
    pub(crate) fn to_body(
        &self,
        skipped: &[&[u8]],
        times: &[[usize; 2]],
        packer: &mut Packer,
    ) -> io::Result<(Vec<u8>, Cow<'_, [u8]>)> {
        let streams: [&[u8]; STREAMS] = [
            &self.literal_lengths,
            &self.copy_lengths,
            &self.shifts,
            &self.gaps,
            &self.differences,
            &self.literals,
        ];
        let present = (0..STREAMS).filter(|it| !streams[*it].is_empty());
        let kept = if self.keeps { KEPT } else { 0 };
        let mut body = vec![present.clone().map(|it| 1 << it).sum::<u8>() | kept];
        let mut tail = Cow::Borrowed(&[][..]);
        for index in present {
            let stream = streams[index];
            let literals = index == LITERALS;
            let times: Vec<_> = times.iter().map(|it| it[usize::from(literals)]).collect();
            let packed = match index {
                ..VARINTS => packer.pack_varints(stream, &times)?,
                LITERALS => packer.pack(stream, skipped, &times)?,
                VARINTS.. => packer.pack(stream, &[], &times)?,
            };
            let (packing, bytes) = match packed {
                Some((packing, packed)) => (packing, Cow::Owned(packed)),
                None => (Packing::Raw, Cow::Borrowed(stream)),
            };
            varint::put(&mut body, (stream.len() as u64) << 2 | u64::from(packing.to_byte()));
            if packing != Packing::Raw {
                varint::put(&mut body, bytes.len() as u64);
            }
            match literals {
                true => tail = bytes,
                false => body.extend_from_slice(&bytes),
            }
        }
        Ok((body, tail))
    }
}

/// A body whose streams were found, none unpacked yet.
pub(crate) struct PackedFrame<'a> {
    body: &'a [u8],
    keeps: bool,
    streams: [Option<PackedStream>; STREAMS],
}

#[derive(Clone)]
struct PackedStream {
    packing: Packing,
    length: usize,
    bytes: Range<usize>,
}

/// The rule of the format that a body breaks.
pub(crate) type Broken = &'static str;

impl<'a> PackedFrame<'a> {
    /// Finds the streams of a body.
    ///
    /// # Errors
    /// The body breaks a rule of the format.
    pub(crate) fn parse(body: &'a [u8], header: Header) -> Result<PackedFrame<'a>, Broken> {
        let mut rest = body;
        let first = *rest.split_off_first().ok_or("it is empty")?;
        let is_first_version = header.version == VERSION_FIRST;
        let keeps = first & KEPT != 0 && !is_first_version;
        let present = if keeps { first ^ KEPT } else { first };
        if present >> STREAMS != 0 {
            return Err("it has streams that this version does not know");
        }
        let mut streams = [const { None }; STREAMS];
        for index in (0..STREAMS).filter(|it| present >> it & 1 == 1) {
            let stream = PackedStream::take(body.len(), &mut rest, STREAM_MAX[index], header)?;
            streams[index] = Some(stream);
        }
        match rest {
            [] => Ok(PackedFrame { body, keeps, streams }),
            _ => Err("bytes follow its last stream"),
        }
    }

    /// The progress behind the frames before, and the literals of this one if they are kept.
    ///
    /// # Errors
    /// The patch keeps more literals than any may.
    pub(crate) fn keep(&self, progress: Progress) -> Result<Progress, Broken> {
        let literals = if self.keeps { self.literals_length() as u64 } else { 0 };
        let kept = Some(progress.kept + literals).filter(|it| *it <= KEPT_MAX);
        Ok(Progress { kept: kept.ok_or("the patch keeps too many literals")?, ..progress })
    }

    /// Whether its literals are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether the literals need the skipped old bytes.
    pub(crate) fn needs_skipped(&self) -> bool {
        let literals = &self.streams[LITERALS];
        literals.as_ref().is_some_and(|it| it.packing == Packing::ZstdBehindPrefix)
    }

    /// The bytes of the literals when unpacked.
    pub(crate) fn literals_length(&self) -> usize {
        self.streams[LITERALS].as_ref().map_or(0, |it| it.length)
    }

    /// The bytes of each stream, unpacked and packed.
    pub(crate) fn lengths(&self) -> [(usize, usize); STREAMS] {
        let lengths = |it: &PackedStream| (it.length, it.bytes.len());
        std::array::from_fn(|it| self.streams[it].as_ref().map_or((0, 0), lengths))
    }

    /// Unpacks all streams but the literals, which stay empty.
    ///
    /// # Errors
    /// A stream does not unpack to the length that it is said to have.
    pub(crate) fn unpack_operations(&self) -> Result<Frame<'a>, Broken> {
        Ok(Frame {
            literal_lengths: self.unpack(0, &[])?,
            copy_lengths: self.unpack(1, &[])?,
            shifts: self.unpack(2, &[])?,
            gaps: self.unpack(3, &[])?,
            differences: self.unpack(4, &[])?,
            literals: Cow::Borrowed(&[]),
            keeps: self.keeps,
        })
    }

    /// Unpacks the literals behind the skipped old bytes.
    ///
    /// # Errors
    /// They do not unpack to the length that they are said to have.
    pub(crate) fn unpack_literals(&self, skipped: &[u8]) -> Result<Cow<'a, [u8]>, Broken> {
        self.unpack(LITERALS, skipped)
    }

    fn unpack(&self, index: usize, skipped: &[u8]) -> Result<Cow<'a, [u8]>, Broken> {
        let Some(stream) = &self.streams[index] else { return Ok(Cow::Borrowed(&[])) };
        let bytes = &self.body[stream.bytes.clone()];
        let prefix = match stream.packing {
            Packing::Raw => return Ok(Cow::Borrowed(bytes)),
            Packing::Zstd => &[],
            Packing::ZstdOfColumns if index < VARINTS => &[],
            Packing::ZstdOfColumns => return Err("a stream of bytes has columns of numbers"),
            Packing::ZstdBehindPrefix if index == LITERALS => skipped,
            Packing::ZstdBehindPrefix => {
                return Err("a stream other than the literals has a prefix");
            }
        };
        let unpacked = unpack(bytes, prefix, stream.length);
        let unpacked = unpacked.ok_or("a stream does not unpack to its length")?;
        match stream.packing {
            Packing::ZstdOfColumns => {
                let joined = columns::join(&unpacked).ok_or("columns that hold no numbers");
                joined.map(Cow::Owned)
            }
            _ => Ok(Cow::Owned(unpacked)),
        }
    }
}

impl PackedStream {
    fn take(
        body: usize,
        rest: &mut &[u8],
        length_max: usize,
        header: Header,
    ) -> Result<PackedStream, Broken> {
        let cut = "a stream is cut short";
        let head = varint::take(rest).ok_or(cut)?;
        let packing = Packing::from_byte((head & 3) as u8).ok_or("an unknown packing")?;
        if packing == Packing::ZstdOfColumns && header.version == VERSION_FIRST {
            return Err("an unknown packing");
        }
        let length = usize::try_from(head >> 2).ok().filter(|it| (1..=length_max).contains(it));
        let length = length.ok_or("a stream is longer than its bound or said to be empty")?;
        let packed_length = match packing {
            Packing::Raw => length,
            _ => usize::try_from(varint::take(rest).ok_or(cut)?).map_err(|_| cut)?,
        };
        let start = body - rest.len();
        rest.split_off(..packed_length).ok_or(cut)?;
        Ok(PackedStream { packing, length, bytes: start..start + packed_length })
    }
}
