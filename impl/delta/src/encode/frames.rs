//! Frames on their way out, and the patch that they make.

use std::io::{self, Write};

use super::times::times;
use crate::effort::Effort;
use crate::pair::Pair;
use crate::summing::Summing;
use crate::touched::Touched;
use crate::wire::frame::Frame;
use crate::wire::header::{Header, Trailer, VERSION};
use crate::wire::packing::Packer;
use crate::wire::reader::check;
use crate::wire::varint;

/// Packs frames and writes them.
pub(super) struct Frames<W> {
    out: W,
    /// The bytes that were written.
    written: u64,
    /// The check of the last part that was written, which is the seed of the next one.
    check: u64,
    effort: Effort,
    /// About the bytes of all literals of the patch.
    literals: usize,
    packer: Packer,
    /// Up to where the new content is in frames.
    new_end: usize,
}

impl<W: Write> Frames<W> {
    /// Writes the header of a patch, which will have about this number of literals.
    pub(super) fn new(
        pair: Pair<'_>,
        literals: usize,
        effort: Effort,
        mut out: W,
    ) -> io::Result<Frames<W>> {
        let (old_length, new_length) = (pair.old.len() as u64, pair.new.len() as u64);
        let header = Header { version: VERSION, old_length, new_length }.to_bytes();
        out.write_all(&header)?;
        let (written, check) = (header.len() as u64, check(0, &[&header]));
        let packer = Packer::with_columns();
        Ok(Frames { out, written, check, effort, literals, packer, new_end: 0 })
    }

    /// Writes a frame that describes the new content up to `new_end`; `skipped` are the pieces of its
    /// skipped old bytes.
    pub(super) fn write(
        &mut self,
        frame: &Frame<'_>,
        skipped: &[&[u8]],
        new_end: usize,
    ) -> io::Result<()> {
        let times = times(self.effort, new_end - self.new_end, &frame.literals, self.literals);
        self.new_end = new_end;
        let (body, literals) = frame.to_body(skipped, &times, &mut self.packer)?;
        let mut head = Vec::new();
        varint::put(&mut head, (body.len() + literals.len()) as u64);
        self.check = check(self.check, &[&body, &literals]);
        for part in [&head[..], &body, &literals, &self.check.to_le_bytes()] {
            self.out.write_all(part)?;
            self.written += part.len() as u64;
        }
        Ok(())
    }
}

/// A patch that lacks its trailer.
pub(crate) struct Unsealed<W> {
    out: W,
    written: u64,
    check: u64,
    touched: Touched,
}

impl<W> Unsealed<W> {
    pub(super) fn new(frames: Frames<W>, touched: Touched) -> Unsealed<W> {
        let Frames { out, written, check, .. } = frames;
        Unsealed { out, written, check, touched }
    }

    /// The bytes that were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The output, and the patch without it.
    pub(crate) fn split(self) -> (W, Unsealed<()>) {
        let Unsealed { out, written, check, touched } = self;
        (out, Unsealed { out: (), written, check, touched })
    }

    /// The same patch, where the same bytes were written to `out`.
    pub(crate) fn onto<V>(self, out: V) -> Unsealed<V> {
        let Unsealed { written, check, touched, .. } = self;
        Unsealed { out, written, check, touched }
    }
}

impl<W: Write> Unsealed<W> {
    /// Writes the trailer and returns the bytes of the patch.
    ///
    /// # Errors
    /// The patch cannot be written, or the new content has another sum by now.
    pub(crate) fn seal(mut self, old: &[u8], mut summing: Summing<'_>) -> io::Result<u64> {
        let touched = self.touched.sum(old, summing.take_differing());
        let bytes = Trailer { sum: summing.finish()?, touched }.to_bytes();
        self.out.write_all(&bytes)?;
        self.out.write_all(&check(self.check, &[&bytes]).to_le_bytes())?;
        Ok(self.written + bytes.len() as u64 + 8)
    }
}
