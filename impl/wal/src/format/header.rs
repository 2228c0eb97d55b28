//! The header of a batch.

use super::VERSION;
use super::fields::Fields;
use crate::checksum::Checksum;
use crate::decisions::Decisions;
use crate::{LogId, LogIndex, SegmentNumber, WriterEpoch};

/// The length of a header in bytes.
pub const HEADER_BYTES: usize = 96;
/// The part of it that its own checksum covers.
const COVERED_BYTES: usize = 92;
const MAGIC: [u8; 8] = *b"STDFSTWB";

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many records it has.
    pub count: u32,
    /// The log that it was written to.
    pub log: LogId,
    /// The segment it was written to.
    pub segment: SegmentNumber,
    /// The opening of the log that wrote it.
    pub epoch: WriterEpoch,
    /// The number of its first record; of the next record, if it has none.
    pub first: LogIndex,
    /// Every record up to this number was synced when it was written.
    pub durable: LogIndex,
    /// The length in bytes that its segment had when it got its name.
    pub segment_bytes: u64,
    /// The newest segment whose name was durable when it was written.
    pub newest: SegmentNumber,
    /// The length of its body in bytes.
    pub length: u32,
    /// The header checksum of the batch before it.
    pub previous: Checksum,
    /// The checksum of body and padding.
    pub body: Checksum,
}

/// Why some bytes are not the header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHeader {
    /// All of them are zero.
    Zeros,
    /// They do not begin as a header does, or are too few, or their checksum is wrong.
    Garbage,
    /// The header of a format that this code does not know.
    OtherVersion(u32),
}

impl Header {
    /// The bytes of this header, and its checksum.
    #[must_use]
    pub fn encode(&self) -> ([u8; HEADER_BYTES], Checksum) {
        let fields: [&[u8]; 13] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.log.0.to_le_bytes(),
            &self.segment.0.to_le_bytes(),
            &self.epoch.0.to_le_bytes(),
            &self.first.0.to_le_bytes(),
            &self.durable.0.to_le_bytes(),
            &self.segment_bytes.to_le_bytes(),
            &self.newest.0.to_le_bytes(),
            &self.length.to_le_bytes(),
            &self.previous.0.to_le_bytes(),
            &self.body.0.to_le_bytes(),
        ];
        let mut bytes = [0; HEADER_BYTES];
        let mut at = 0;
        for field in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        let checksum = Checksum::of(&bytes[..at]);
        bytes[at..].copy_from_slice(&checksum.0.to_le_bytes());
        (bytes, checksum)
    }

    /// The header at the beginning of these bytes, and its checksum.
    ///
    /// # Errors
    /// There is none; the error names the bytes that are there instead.
    pub fn decode(bytes: &[u8], decisions: &dyn Decisions) -> Result<(Header, Checksum), NoHeader> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(NoHeader::Garbage);
        };
        if bytes.iter().all(|it| *it == 0) {
            return Err(NoHeader::Zeros);
        }
        let mut fields = Fields(bytes);
        if fields.bytes() != Some(MAGIC) {
            return Err(NoHeader::Garbage);
        }
        let version = fields.u32().ok_or(NoHeader::Garbage)?;
        let header = Header::fields(&mut fields).ok_or(NoHeader::Garbage)?;
        let stored = Checksum(fields.u32().ok_or(NoHeader::Garbage)?);
        let is_intact = decisions.header_is_intact(Checksum::of(&bytes[..COVERED_BYTES]), stored);
        if !is_intact {
            return Err(NoHeader::Garbage);
        }
        if version != VERSION {
            return Err(NoHeader::OtherVersion(version));
        }
        Ok((header, stored))
    }

    fn fields(fields: &mut Fields<'_>) -> Option<Header> {
        Some(Header {
            count: fields.u32()?,
            log: LogId(fields.u128()?),
            segment: SegmentNumber(fields.u64()?),
            epoch: WriterEpoch(fields.u64()?),
            first: LogIndex(fields.u64()?),
            durable: LogIndex(fields.u64()?),
            segment_bytes: fields.u64()?,
            newest: SegmentNumber(fields.u64()?),
            length: fields.u32()?,
            previous: Checksum(fields.u32()?),
            body: Checksum(fields.u32()?),
        })
    }

    /// The number after its last record; `None` when numbers run out, which no log gets to.
    #[must_use]
    pub fn end(&self) -> Option<LogIndex> {
        self.first.0.checked_add(u64::from(self.count)).map(LogIndex)
    }

    /// How many bytes the batch takes: header, body, and padding to whole blocks.
    #[must_use]
    pub fn padded_bytes(&self, block_bytes: u64) -> u64 {
        padded(HEADER_BYTES as u64 + u64::from(self.length), block_bytes)
    }
}

/// A number of bytes, rounded up to whole blocks.
#[must_use]
pub(crate) fn padded(bytes: u64, block_bytes: u64) -> u64 {
    bytes.next_multiple_of(block_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DefaultDecisions;

    fn header() -> Header {
        Header {
            count: 3,
            log: LogId(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
            segment: SegmentNumber(9),
            epoch: WriterEpoch(2),
            first: LogIndex(100),
            durable: LogIndex(99),
            segment_bytes: 8192,
            newest: SegmentNumber(10),
            length: 400,
            previous: Checksum(0xdead_beef),
            body: Checksum(0x1234_5678),
        }
    }

    #[test]
    fn the_bytes_are_frozen() {
        let (bytes, checksum) = header().encode();
        let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(
            hex,
            "5354444653545742020000000300000010\
             0f0e0d0c0b0a090807060504030201\
             090000000000000002000000000000006400000000000000\
             630000000000000000200000000000000a00000000000000\
             90010000efbeadde78563412f16ca948"
        );
        assert_eq!(Header::decode(&bytes, &DefaultDecisions), Ok((header(), checksum)));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (bytes, _) = header().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Header::decode(&flipped, &DefaultDecisions),
                Err(NoHeader::Garbage),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let (mut bytes, _) = header().encode();
        bytes[8] = 7;
        let checksum = Checksum::of(&bytes[..COVERED_BYTES]);
        bytes[COVERED_BYTES..].copy_from_slice(&checksum.0.to_le_bytes());
        assert_eq!(Header::decode(&bytes, &DefaultDecisions), Err(NoHeader::OtherVersion(7)));
    }

    #[test]
    fn nothing_but_zeros_is_named() {
        assert_eq!(Header::decode(&[0; HEADER_BYTES], &DefaultDecisions), Err(NoHeader::Zeros));
        assert_eq!(
            Header::decode(&[0; HEADER_BYTES - 1], &DefaultDecisions),
            Err(NoHeader::Garbage)
        );
    }
}
