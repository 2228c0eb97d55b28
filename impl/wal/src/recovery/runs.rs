//! Reads the batches of segments, one segment after the other, many batches at a time.

use std::collections::VecDeque;

use crate::disk::{Access, AlignedBuffer, Call, Disk, DiskError, DiskFile, read_full};
use crate::format::batch::BODY_BYTES_MAX;
use crate::format::header::{HEADER_BYTES, Header};
use crate::format::names::segment_name;
use crate::settings::Settings;
use crate::{Location, SegmentNumber};

/// How much is read at once, in bytes, or one batch if that is longer: few enough bytes that they are
/// still in a processor's cache when they are verified.
pub(super) const READ_BYTES: usize = 256 << 10;

/// Batches as they lie on disk, one after the other. Only the lengths in their headers were looked at.
pub(super) struct Run {
    pub(super) location: Location,
    memory: AlignedBuffer,
    length: usize,
}

impl Run {
    /// The batches.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.length]
    }

    /// The offset in the segment at which the run ends.
    pub(super) fn end(&self) -> u64 {
        self.location.offset + self.length as u64
    }

    /// The bytes of the run from a location on, if it is in it.
    pub(super) fn from(&self, location: Location) -> Option<&[u8]> {
        let is_in = self.location.segment == location.segment
            && (self.location.offset..self.end()).contains(&location.offset);
        let at = usize::try_from(location.offset - self.location.offset.min(location.offset));
        self.bytes().get(at.ok().filter(|_| is_in)?..)
    }

    /// How much memory it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.len()
    }

    /// Gives its memory back, for another run.
    pub(super) fn into_memory(self) -> AlignedBuffer {
        self.memory
    }
}

/// Reads segments run by run.
pub(super) struct Runs<F> {
    settings: Settings,
    segments: VecDeque<SegmentNumber>,
    file: Option<File<F>>,
    /// The bytes that were read behind the last run: the beginning of the next.
    carried: Vec<u8>,
    /// The length of the last batch, with its padding: the next ones are often as long.
    batch_bytes: usize,
}

struct File<F> {
    file: F,
    segment: SegmentNumber,
    length: u64,
    offset: u64,
}

impl<F: DiskFile> Runs<F> {
    /// Will read these segments.
    pub(super) fn new(settings: Settings, segments: VecDeque<SegmentNumber>) -> Runs<F> {
        Runs { settings, segments, file: None, carried: Vec::new(), batch_bytes: 0 }
    }

    /// The next run, in this memory; `None` behind the last segment. A segment's runs end where
    /// no batch begins.
    pub(super) fn next<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        mut memory: AlignedBuffer,
    ) -> Result<Option<Run>, DiskError> {
        loop {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => match self.segments.pop_front() {
                    Some(segment) => File::open(disk, segment)?,
                    None => return Ok(None),
                },
            };
            let location = Location { segment: file.segment, offset: file.offset };
            let (length, has_more) = self.fill(&file, &mut memory)?;
            file.offset += length as u64;
            if has_more {
                self.file = Some(file);
            } else {
                self.carried.clear();
            }
            if length > 0 {
                return Ok(Some(Run { location, memory, length }));
            }
        }
    }

    /// Reads the next bytes of a file into this memory. Returns how many of them are whole batches, and
    /// whether more may follow.
    fn fill(
        &mut self,
        file: &File<F>,
        memory: &mut AlignedBuffer,
    ) -> Result<(usize, bool), DiskError> {
        let left = usize::try_from(file.length - file.offset).unwrap_or(usize::MAX);
        let mut filled = self.carried.len();
        grow(memory, 0, self.size().max(filled).min(left.max(filled)));
        memory[..filled].copy_from_slice(&self.carried);
        let size = self.size().min(left);
        filled = file.read(memory, filled, size)?;
        let mut length = 0;
        loop {
            match self.batch_at(&memory[length..filled], left - length) {
                Some(bytes) if length + bytes <= filled => length += bytes,
                // A batch longer than one read.
                Some(bytes) if length == 0 => {
                    grow(memory, filled, bytes);
                    let read = file.read(memory, filled, bytes)?;
                    if read < bytes {
                        return Ok((0, false));
                    }
                    filled = read;
                }
                found => {
                    let has_more = found.is_some() || filled - length < HEADER_BYTES;
                    let has_more = has_more && length > 0 && length < left;
                    self.carried.clear();
                    self.carried.extend_from_slice(&memory[length..filled]);
                    return Ok((length, has_more));
                }
            }
        }
    }

    /// How much to read at once: whole batches, if the next ones are as long as the last.
    fn size(&self) -> usize {
        match READ_BYTES.checked_div(self.batch_bytes) {
            None => READ_BYTES,
            Some(count) => count.max(1) * self.batch_bytes,
        }
    }

    /// The length of the batch that begins here, if one begins here and takes at most `left` bytes.
    fn batch_at(&mut self, bytes: &[u8], left: usize) -> Option<usize> {
        let (header, _) = Header::decode(bytes, self.settings.decisions).ok()?;
        let padded_bytes = usize::try_from(header.padded_bytes(self.settings.padding())).ok()?;
        // Nothing is read or allocated for a length that the segment has no room for.
        if header.length > BODY_BYTES_MAX || padded_bytes > left {
            return None;
        }
        self.batch_bytes = padded_bytes;
        Some(padded_bytes)
    }
}

/// Extends memory to this length, and keeps the bytes that it is filled with.
fn grow(memory: &mut AlignedBuffer, filled: usize, bytes: usize) {
    if memory.len() < bytes {
        let mut longer = AlignedBuffer::zeroed(bytes);
        longer[..filled].copy_from_slice(&memory[..filled]);
        *memory = longer;
    }
}

impl<F: DiskFile> File<F> {
    fn open<D: Disk<File = F>>(disk: &D, segment: SegmentNumber) -> Result<File<F>, DiskError> {
        let name = segment_name(segment);
        let file = disk.open(&name, Access::Read).map_err(DiskError::of(Call::Open, &name))?;
        let length = file.length().map_err(DiskError::of(Call::Read, &name))?;
        Ok(File { file, segment, length, offset: 0 })
    }

    /// Reads on behind the `filled` bytes that memory holds of the file, up to this size. Returns how
    /// many it holds then.
    fn read(&self, memory: &mut [u8], filled: usize, size: usize) -> Result<usize, DiskError> {
        if size <= filled {
            return Ok(filled);
        }
        let from = self.offset + filled as u64;
        let read = read_full(&self.file, &mut memory[filled..size], from)
            .map_err(DiskError::of(Call::Read, segment_name(self.segment)))?;
        Ok(filled + read)
    }
}
