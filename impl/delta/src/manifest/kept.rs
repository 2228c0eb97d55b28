//! Which runs of the old content a patch keeps.

use std::io::Read;

use super::CHUNK_LENGTH_MIN;
use crate::apply::driver::judge;
use crate::error::PatchError;
use crate::wire::frame::{Broken, PackedFrame};
use crate::wire::header::Header;
use crate::wire::operations::{Changes, Operations};
use crate::wire::progress::Progress;
use crate::wire::reader::PatchReader;

/// A run of bytes of the old content that is found again in the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where the run begins in the old content.
    pub old_offset: u64,
    /// Where it begins in the new content.
    pub new_offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Kept {
    /// The runs that a patch keeps, in the order of the new content; only those that can hold a
    /// chunk, so there are few: one for each 16 KiB of the new content, of at most `limit` bytes.
    /// Literals are not unpacked.
    ///
    /// # Errors
    /// The patch cannot be read, is damaged or malformed, or makes more than `limit` bytes.
    pub fn of_patch(patch: impl Read, limit: u64) -> Result<Vec<Kept>, PatchError> {
        let mut reader = PatchReader::open(patch)?;
        let header = reader.header();
        judge(&mut reader, header.old_length, limit)?;
        let mut runs = Runs { new_length: header.new_length, runs: Vec::new(), open: None };
        let mut progress = Progress::default();
        while progress.new < header.new_length {
            let frame = reader.frames_read();
            let packed = PackedFrame::parse(reader.next_body()?, header);
            let after = packed.and_then(|packed| runs.add_frame(&packed, progress, header));
            progress = after.map_err(|rule| PatchError::Malformed { frame, rule })?;
        }
        reader.trailer()?;
        runs.close();
        Ok(runs.runs)
    }
}

struct Runs {
    new_length: u64,
    runs: Vec<Kept>,
    /// The last run, which may still grow.
    open: Option<Kept>,
}

impl Runs {
    fn add_frame(
        &mut self,
        packed: &PackedFrame<'_>,
        progress: Progress,
        header: Header,
    ) -> Result<Progress, Broken> {
        let frame = packed.unpack_operations()?;
        let progress = packed.keep(progress)?;
        let mut operations = Operations::new(&frame, packed.literals_length(), header, progress);
        let mut changes = Changes::new(&frame)?;
        let mut new_offset = progress.new;
        while let Some(operation) = operations.next()? {
            new_offset += operation.literal as u64;
            let length = operation.copy.end - operation.copy.start;
            let run = Kept { old_offset: operation.copy.start, new_offset, length };
            // Copies of kept literals are new bytes.
            let is_old = operation.copy.end <= header.old_length;
            self.add_copy(run, is_old, &mut changes)?;
            new_offset += length;
        }
        let after = operations.finish()?;
        if after.new == progress.new { Err("it makes nothing") } else { Ok(after) }
    }

    /// Passes over a copy and adds its parts that lie between changes, if they are of the old content.
    fn add_copy(
        &mut self,
        mut copy: Kept,
        is_old: bool,
        changes: &mut Changes<'_>,
    ) -> Result<(), Broken> {
        while copy.length > 0 {
            let unchanged = changes.unchanged(copy.length);
            if is_old {
                self.add(Kept { length: unchanged, ..copy });
            }
            changes.pass(unchanged);
            if unchanged < copy.length {
                changes.apply(&mut [0])?;
            }
            copy = copy.from((unchanged + 1).min(copy.length));
        }
        Ok(())
    }

    fn add(&mut self, run: Kept) {
        match &mut self.open {
            Some(open) if open.goes_on_with(&run) => open.length += run.length,
            _ => {
                self.close();
                self.open = Some(run);
            }
        }
    }

    fn close(&mut self) {
        let is_useful = |run: &Kept| {
            run.length >= CHUNK_LENGTH_MIN as u64 || run.new_offset + run.length == self.new_length
        };
        self.runs.extend(self.open.take().filter(is_useful));
    }
}

impl Kept {
    fn from(self, skipped: u64) -> Kept {
        Kept {
            old_offset: self.old_offset + skipped,
            new_offset: self.new_offset + skipped,
            length: self.length - skipped,
        }
    }

    fn goes_on_with(&self, run: &Kept) -> bool {
        self.new_offset + self.length == run.new_offset
            && self.old_offset + self.length == run.old_offset
    }
}
