//! Reads the batches of a segment.

use std::io;

use crate::SegmentNumber;
use crate::disk::{Access, Call, Disk, DiskError, DiskFile, read_full};
use crate::format::batch::{BODY_BYTES_MAX, Batch, NoBatch};
use crate::format::header::{HEADER_BYTES, Header};
use crate::format::names::segment_name;
use crate::settings::Settings;

/// How much is read at once, in bytes: it stays in a processor's cache until it was looked at.
const READ_BYTES: usize = 256 << 10;

/// An open segment and a window on it.
pub(crate) struct SegmentReader<F> {
    file: F,
    pub(crate) segment: SegmentNumber,
    pub(crate) length: u64,
    settings: Settings,
    window: Vec<u8>,
    /// The offset at which the window begins.
    begin: u64,
    filled: usize,
}

impl<F: DiskFile> SegmentReader<F> {
    /// Opens a segment. A window that is no longer needed may be handed on to this one.
    pub(crate) fn open<D: Disk<File = F>>(
        disk: &D,
        segment: SegmentNumber,
        settings: Settings,
        window: Vec<u8>,
    ) -> Result<SegmentReader<F>, DiskError> {
        let name = segment_name(segment);
        let file = disk.open(&name, Access::Read).map_err(DiskError::of(Call::Open, &name))?;
        let length = file.length().map_err(DiskError::of(Call::Read, &name))?;
        Ok(SegmentReader { file, segment, length, settings, window, begin: 0, filled: 0 })
    }

    /// The size to whose multiples batches are padded, in bytes.
    pub(crate) fn padding(&self) -> u64 {
        self.settings.padding()
    }

    /// Gives the window back, for another segment.
    pub(crate) fn into_window(self) -> Vec<u8> {
        self.window
    }

    /// The batch at an offset, or the reason why there is none.
    pub(crate) fn batch(&mut self, offset: u64) -> Result<Result<Batch<'_>, NoBatch>, DiskError> {
        let decisions = self.settings.decisions;
        let block_bytes = self.settings.padding();
        let bytes = self.bytes(offset, HEADER_BYTES)?;
        let header = match Header::decode(bytes, decisions) {
            Ok((header, _)) => header,
            Err(what) => return Ok(Err(NoBatch::Header(what))),
        };
        let padded_bytes = header.padded_bytes(block_bytes);
        // Nothing is read or allocated for a length that the segment has no room for.
        if header.length > BODY_BYTES_MAX || offset + padded_bytes > self.length {
            return Ok(Err(NoBatch::Body(header)));
        }
        let padded_bytes = usize::try_from(padded_bytes).unwrap_or(usize::MAX);
        let bytes = self.bytes(offset, padded_bytes)?;
        Ok(Batch::decode(bytes, block_bytes, decisions))
    }

    /// The body of a batch that [`SegmentReader::batch`] has just verified at this offset.
    pub(crate) fn body(&self, offset: u64, header: &Header) -> &[u8] {
        let from = usize::try_from(offset - self.begin).unwrap_or(usize::MAX);
        let batch = self.window[..self.filled].get(from..).unwrap_or_default();
        batch.get(HEADER_BYTES..HEADER_BYTES + header.length as usize).unwrap_or_default()
    }

    /// Whether a block is all zero, as far as the file has it.
    pub(crate) fn is_zero(&mut self, offset: u64) -> Result<bool, DiskError> {
        let block_bytes = self.settings.block_bytes as usize;
        let bytes = self.bytes(offset, block_bytes)?;
        let block = &bytes[..bytes.len().min(block_bytes)];
        Ok(zeros(block) == block.len())
    }

    /// The next offset, by steps, at which a block begins that is not all zero, or the end of the
    /// file.
    pub(crate) fn skip_zeros(&mut self, mut offset: u64, step: u64) -> Result<u64, DiskError> {
        let block_bytes = self.settings.block_bytes as usize;
        while offset < self.length {
            let bytes = self.bytes(offset, block_bytes)?;
            let zeros = zeros(bytes);
            if zeros < bytes.len().min(block_bytes) {
                return Ok(offset);
            }
            if offset + zeros as u64 >= self.length {
                break;
            }
            // Only a whole block of zeros says that a place can be left out.
            offset += ((zeros - block_bytes) as u64 / step + 1) * step;
        }
        Ok(self.length)
    }

    /// At least this many bytes from this offset on, fewer where the file ends.
    fn bytes(&mut self, offset: u64, wanted: usize) -> Result<&[u8], DiskError> {
        let end = self.begin + self.filled as u64;
        if offset < self.begin || offset + wanted as u64 > end {
            self.read(offset, wanted)
                .map_err(|it| DiskError::of(Call::Read, segment_name(self.segment))(it))?;
        }
        let from = usize::try_from(offset - self.begin).unwrap_or(usize::MAX);
        Ok(self.window[..self.filled].get(from..).unwrap_or_default())
    }

    /// Moves the window so that it begins at this offset and shows at least `wanted` bytes, keeping the
    /// bytes that it shows already.
    fn read(&mut self, offset: u64, wanted: usize) -> io::Result<()> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let size = wanted.max(READ_BYTES).min(left);
        if self.window.len() < size {
            self.window.resize(size, 0);
        }
        let kept = match usize::try_from(offset.wrapping_sub(self.begin)) {
            Ok(from) if offset >= self.begin && from < self.filled => {
                self.window.copy_within(from..self.filled, 0);
                self.filled - from
            }
            _ => 0,
        };
        self.begin = offset;
        self.filled = kept;
        if kept < size {
            let begin = offset + kept as u64;
            self.filled += read_full(&self.file, &mut self.window[kept..size], begin)?;
        }
        Ok(())
    }
}

/// How many zeros these bytes begin with.
fn zeros(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<64>();
    let is_zero = |it: &&[u8; 64]| it.iter().fold(0, |all, byte| all | byte) == 0;
    let begin = chunks.iter().take_while(is_zero).count() * 64;
    begin + bytes[begin..].iter().take_while(|it| **it == 0).count()
}
