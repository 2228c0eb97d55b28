//! A batch: building one, and the records of one.

use super::header::{HEADER_BYTES, Header, NoHeader, padded};
use crate::checksum::Checksum;
use crate::decisions::Decisions;
use crate::disk::AlignedBuffer;
use crate::{LogId, LogIndex, SegmentNumber, WriterEpoch};

/// The length of the field before a record's bytes, in bytes.
pub const RECORD_OVERHEAD_BYTES: usize = 4;
/// The longest body of a batch in bytes. A decoder allocates no more.
pub const BODY_BYTES_MAX: u32 = 64 << 20;
/// Bytes are checksummed in pieces of this length: long enough for full speed, and short enough that a
/// piece that was just copied is still in the processor's cache.
const SUMMED_AT_ONCE_BYTES: usize = 16 << 10;

/// The bytes of a record that is appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload<'a> {
    /// The bytes.
    pub(crate) bytes: &'a [u8],
    /// The checksum of a long record: the appending thread computes it before it takes the lock.
    checksum: Option<Checksum>,
}

impl<'a> Payload<'a> {
    /// These bytes.
    pub(crate) fn of(bytes: &'a [u8]) -> Payload<'a> {
        let is_long = bytes.len() >= SUMMED_AT_ONCE_BYTES;
        Payload { bytes, checksum: is_long.then(|| Checksum::of(bytes)) }
    }
}

/// A record as it lies in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its index.
    pub index: LogIndex,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A batch whose checksums are right and whose records fill its body.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: Header,
    /// The checksum of its header, which the next batch names.
    pub checksum: Checksum,
    body: &'a [u8],
}

/// Why some bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBatch {
    /// They do not begin with a header.
    Header(NoHeader),
    /// The header is right, and the body is not.
    Body(Header),
}

impl<'a> Batch<'a> {
    /// The batch at the beginning of these bytes.
    ///
    /// # Errors
    /// There is none; the error names which part is wrong.
    pub fn decode(
        bytes: &'a [u8],
        block_bytes: u64,
        decisions: &dyn Decisions,
    ) -> Result<Batch<'a>, NoBatch> {
        let (header, checksum) = Header::decode(bytes, decisions).map_err(NoBatch::Header)?;
        let torn = NoBatch::Body(header);
        let length = usize::try_from(header.padded_bytes(block_bytes)).map_err(|_| torn)?;
        let covered = bytes.get(HEADER_BYTES..length).ok_or(torn)?;
        if !decisions.body_is_intact(&|| Checksum::of(covered), header.body) {
            return Err(torn);
        }
        let body = covered.get(..header.length as usize).ok_or(torn)?;
        let batch = Batch { header, checksum, body };
        if batch.is_filled() { Ok(batch) } else { Err(torn) }
    }

    /// A batch that was decoded before.
    pub(crate) fn verified(header: Header, checksum: Checksum, body: &'a [u8]) -> Batch<'a> {
        Batch { header, checksum, body }
    }

    /// Its records, in order.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records { next: self.header.first, rest: self.body }
    }

    /// Its body: the records with their lengths, as they lie on disk.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the number of records in the header fills exactly the body.
    fn is_filled(&self) -> bool {
        let mut records = self.records();
        records.by_ref().count() == self.header.count as usize && records.rest.is_empty()
    }
}

/// The records of a batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    next: LogIndex,
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (length, rest) = self.rest.split_first_chunk::<RECORD_OVERHEAD_BYTES>()?;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.rest = rest;
        let index = self.next;
        self.next = LogIndex(index.0.wrapping_add(1));
        Some(Record { index, payload })
    }
}

/// The fields of a batch's header that do not follow from its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// Whose log it is in.
    pub(crate) log: LogId,
    /// The segment it is written to.
    pub(crate) segment: SegmentNumber,
    /// The opening of the log that writes it.
    pub(crate) epoch: WriterEpoch,
    /// The number of its first record.
    pub(crate) first: LogIndex,
    /// The last durable record when it is written.
    pub(crate) durable: LogIndex,
    /// The length in bytes that the segment had when it got its name.
    pub(crate) segment_bytes: u64,
    /// The newest segment whose name is durable.
    pub(crate) newest: SegmentNumber,
    /// The header checksum of the batch before it.
    pub(crate) previous: Checksum,
}

/// Memory in which a batch grows, aligned for direct I/O.
///
/// The checksum is computed as records come, while another batch is being synced.
pub(crate) struct BatchBuffer {
    memory: AlignedBuffer,
    filled: usize,
    count: u32,
    /// Of the body up to `summed`.
    checksum: Checksum,
    summed: usize,
    block_bytes: u64,
}

impl BatchBuffer {
    /// An empty batch that may take bodies of up to this many bytes.
    pub(crate) fn new(body_bytes_max: u32, block_bytes: u64) -> BatchBuffer {
        let bytes = padded(HEADER_BYTES as u64 + u64::from(body_bytes_max), block_bytes);
        BatchBuffer {
            // Valid settings ask for no buffer that exceeds the address space.
            memory: AlignedBuffer::zeroed(usize::try_from(bytes).unwrap_or(usize::MAX)),
            filled: HEADER_BYTES,
            count: 0,
            checksum: Checksum::default(),
            summed: HEADER_BYTES,
            block_bytes,
        }
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Whether a record of this length has room.
    pub(crate) fn has_room(&self, payload_bytes: usize) -> bool {
        self.filled
            .checked_add(RECORD_OVERHEAD_BYTES)
            .and_then(|it| it.checked_add(payload_bytes))
            .is_some_and(|it| it <= self.memory.len())
    }

    /// How many bytes the batch will take on disk with one more record of this length.
    pub(crate) fn padded_bytes_with(&self, payload_bytes: usize) -> u64 {
        let more = RECORD_OVERHEAD_BYTES as u64 + payload_bytes as u64;
        padded(self.filled as u64 + more, self.block_bytes)
    }

    /// How many bytes the batch will take on disk.
    pub(crate) fn padded_bytes(&self) -> u64 {
        padded(self.filled as u64, self.block_bytes)
    }

    /// Adds a record.
    ///
    /// # Panics
    /// When it has no room.
    pub(crate) fn push(&mut self, payload: Payload<'_>) {
        let Payload { bytes, checksum } = payload;
        assert!(self.has_room(bytes.len()), "a batch has room for the record");
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.copy(&length.to_le_bytes());
        if let Some(checksum) = checksum {
            self.sum();
            self.checksum = self.checksum.joined(checksum, bytes.len());
            self.summed += bytes.len();
        }
        self.copy(bytes);
        if self.filled - self.summed >= SUMMED_AT_ONCE_BYTES {
            self.sum();
        }
        self.count += 1;
    }

    /// Adds the records of another batch as they are.
    ///
    /// # Panics
    /// When they have no room.
    pub(crate) fn push_body(&mut self, body: &[u8], count: u32) {
        self.copy(body);
        self.sum();
        self.count += count;
    }

    /// Checksums the bytes that were added since the last call.
    fn sum(&mut self) {
        self.checksum = self.checksum.and(&self.memory[self.summed..self.filled]);
        self.summed = self.filled;
    }

    fn copy(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        self.memory[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    /// Completes the batch with its header and padding, and returns the header with its checksum.
    pub(crate) fn seal(&mut self, placement: Placement) -> (Header, Checksum) {
        // The memory holds a whole number of blocks, so the padding has room.
        let end = self.filled.next_multiple_of(usize::try_from(self.block_bytes).unwrap_or(1));
        self.memory[self.filled..end].fill(0);
        let body = self.checksum.and(&self.memory[self.summed..end]);
        let header = Header {
            count: self.count,
            log: placement.log,
            segment: placement.segment,
            epoch: placement.epoch,
            first: placement.first,
            durable: placement.durable,
            segment_bytes: placement.segment_bytes,
            newest: placement.newest,
            length: u32::try_from(self.filled - HEADER_BYTES).unwrap_or(u32::MAX),
            previous: placement.previous,
            body,
        };
        let (bytes, checksum) = header.encode();
        self.memory[..HEADER_BYTES].copy_from_slice(&bytes);
        (header, checksum)
    }

    /// The sealed batch, whole blocks.
    pub(crate) fn bytes(&self) -> &[u8] {
        let end = self.filled.next_multiple_of(usize::try_from(self.block_bytes).unwrap_or(1));
        &self.memory[..end]
    }

    /// Empties the batch.
    pub(crate) fn clear(&mut self) {
        self.filled = HEADER_BYTES;
        self.count = 0;
        self.checksum = Checksum::default();
        self.summed = HEADER_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::DefaultDecisions;

    const BLOCK_BYTES: u64 = 4096;

    fn placement() -> Placement {
        Placement {
            log: LogId(1),
            segment: SegmentNumber(2),
            epoch: WriterEpoch(3),
            first: LogIndex(4),
            durable: LogIndex(3),
            segment_bytes: 1 << 20,
            newest: SegmentNumber(3),
            previous: Checksum(5),
        }
    }

    /// A buffer is filled with records of these lengths, sealed, read back, and used again.
    #[test]
    fn records_of_every_length_come_back_from_one_batch() {
        let long = SUMMED_AT_ONCE_BYTES;
        let lengths =
            [0, 5, long - 5, long - 1, long, 3, long + 1, 3 * long, 100, 100_000, long, long, 7];
        let contents: Vec<u8> =
            (0..100_000_u32).map(|it| (it.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
        let mut buffer = BatchBuffer::new(1 << 20, BLOCK_BYTES);
        for count in 0..=lengths.len() {
            for &length in &lengths[..count] {
                buffer.push(Payload::of(&contents[..length]));
            }
            let (header, _) = buffer.seal(placement());
            let batch = Batch::decode(buffer.bytes(), BLOCK_BYTES, &DefaultDecisions)
                .unwrap_or_else(|what| panic!("{count} records: {what:?}"));
            assert_eq!(batch.header, header);
            let found: Vec<&[u8]> = batch.records().map(|it| it.payload).collect();
            let expected: Vec<&[u8]> = lengths[..count].iter().map(|it| &contents[..*it]).collect();
            assert!(found == expected, "{count} records");
            let mut again = BatchBuffer::new(1 << 20, BLOCK_BYTES);
            again.push_body(batch.body(), header.count);
            assert_eq!(again.seal(placement()).0, header);
            buffer.clear();
        }
    }
}
