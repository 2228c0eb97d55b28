//! The parts of a patch, counted without the old content.

use std::io::{self, Read};

use crate::error::PatchError;
use crate::old_content::OldContent;
use crate::sum::Sum;
use crate::wire::frame::{Broken, PackedFrame, STREAMS};
use crate::wire::operations::Operations;
use crate::wire::progress::Progress;
use crate::wire::reader::PatchReader;

/// The names of the streams, in their order.
pub const STREAM_NAMES: [&str; STREAMS] =
    ["literal lengths", "copy lengths", "shifts", "gaps", "differences", "literals"];

/// The bytes of a stream, in all frames together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// As they are applied.
    pub unpacked: u64,
    /// As they travel.
    pub packed: u64,
}

/// The parts of a patch, in bytes and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The bytes of the patch.
    pub patch_length: u64,
    /// The bytes of the old content.
    pub old_length: u64,
    /// The bytes of the new content.
    pub new_length: u64,
    /// Its frames.
    pub frames: u64,
    /// Its operations: literals, then a copy, where either may be empty.
    pub operations: u64,
    /// Its copies that are not empty.
    pub copies: u64,
    /// The new bytes that are copied from the old content.
    pub copied: u64,
    /// The new bytes that are copied from literals which travelled before.
    pub repeated: u64,
    /// Those of them that are then changed.
    pub changed: u64,
    /// The new bytes that travel as literals.
    pub literals: u64,
    /// Whether it carries a sum of the new content.
    pub summed: bool,
    /// Whether no copy moves, so that it can be applied in place.
    pub in_place: bool,
    /// The last check of the patch, which depends on every byte of it. Two patches with the same check are
    /// the same, unless chance (1 in 2^64) or malice made them collide.
    pub identity: u64,
    /// The sum of the new content.
    sum: Option<Sum>,
    /// The bytes of its streams, in the order of [`STREAM_NAMES`].
    pub streams: [StreamStats; STREAMS],
}

/// Reads a patch to its end and counts its parts.
///
/// Its checks and operations are verified; the sums are not, because they need the contents.
///
/// # Errors
/// The patch cannot be read, is damaged or malformed.
pub fn stats(patch: impl Read) -> Result<Stats, PatchError> {
    let mut reader = PatchReader::open(patch)?;
    let header = reader.header();
    let mut stats =
        Stats { old_length: header.old_length, new_length: header.new_length, ..Stats::default() };
    let mut progress = Progress::default();
    while progress.new < header.new_length {
        let frame = reader.frames_read();
        let packed = PackedFrame::parse(reader.next_body()?, header);
        let counted = packed.and_then(|it| stats.count(&it, progress, header));
        progress = counted.map_err(|rule| PatchError::Malformed { frame, rule })?;
    }
    let trailer = reader.trailer()?;
    stats.summed = trailer.sum.is_some();
    stats.sum = trailer.sum;
    stats.identity = reader.identity();
    stats.in_place = trailer.touched.is_some();
    stats.frames = reader.frames_read();
    stats.patch_length = reader.bytes_read();
    Ok(stats)
}

impl Stats {
    /// Whether a content has the sum that the patch carries for the new one. Always false for a patch
    /// without a sum. Reads all of the content if its length is the right one.
    ///
    /// # Errors
    /// The content cannot be read.
    pub fn is_new(&self, content: &(impl OldContent + ?Sized)) -> io::Result<bool> {
        match self.sum {
            Some(expected) if content.length()? == self.new_length => {
                Ok(Sum::of_content(content)? == expected)
            }
            _ => Ok(false),
        }
    }

    fn count(
        &mut self,
        packed: &PackedFrame<'_>,
        progress: Progress,
        header: crate::wire::header::Header,
    ) -> Result<Progress, Broken> {
        let frame = packed.unpack_operations()?;
        let literals = packed.literals_length();
        let kept = packed.keep(progress)?;
        let mut operations = Operations::new(&frame, literals, header, kept);
        while let Some(operation) = operations.next()? {
            self.operations += 1;
            self.copies += u64::from(!operation.copy.is_empty());
            let is_old = operation.copy.end <= header.old_length;
            let copied = if is_old { &mut self.copied } else { &mut self.repeated };
            *copied += operation.copy.end - operation.copy.start;
            self.literals += operation.literal as u64;
        }
        self.changed += frame.differences.len() as u64;
        let lengths = packed.lengths();
        for (stream, (unpacked, packed)) in self.streams.iter_mut().zip(lengths) {
            stream.unpacked += unpacked as u64;
            stream.packed += packed as u64;
        }
        let after = operations.finish()?;
        if after.new == progress.new { Err("it makes nothing") } else { Ok(after) }
    }
}
