//! The checkpoint, which is the root of a log.

use super::VERSION;
use super::fields::Fields;
use crate::checksum::Checksum;
use crate::decisions::Decisions;
use crate::{LogId, LogIndex, SegmentNumber};

/// The length of the fields before the state, in bytes.
pub const CHECKPOINT_HEADER_BYTES: usize = 84;
/// The longest state that a checkpoint may hold, in bytes: longer ones are neither written nor read.
pub const STATE_BYTES_MAX: u64 = 4 << 30;
const COVERED_BYTES: usize = 80;
const MAGIC: [u8; 8] = *b"STDFSTWC";

/// Where a segment begins: enough to recognise its first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The segment.
    pub segment: SegmentNumber,
    /// The number of its first record.
    pub first: LogIndex,
    /// The header checksum of the batch before its first batch, as that one names it.
    pub previous: Checksum,
}

/// The fields of a checkpoint, without the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The block size of the log, in bytes.
    pub block_bytes: u32,
    /// Whose log this is.
    pub log: LogId,
    /// The state stands for every record up to this number.
    pub through: LogIndex,
    /// Every record up to this number was synced when the checkpoint was written.
    pub durable: LogIndex,
    /// Where the first segment that is needed begins.
    pub start: Start,
}

/// Why some bytes are not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCheckpoint {
    /// They do not begin as one does.
    NotOne,
    /// They do, but a checksum or the length is wrong.
    Damaged,
    /// It is of a format that this code does not know.
    OtherVersion(u32),
}

impl Root {
    /// The bytes of a checkpoint with this state.
    #[must_use]
    pub fn encode(&self, state: &[u8]) -> Vec<u8> {
        let fields: [&[u8]; 11] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &self.block_bytes.to_le_bytes(),
            &self.log.0.to_le_bytes(),
            &self.through.0.to_le_bytes(),
            &self.durable.0.to_le_bytes(),
            &self.start.segment.0.to_le_bytes(),
            &self.start.first.0.to_le_bytes(),
            &self.start.previous.0.to_le_bytes(),
            &Checksum::of(state).0.to_le_bytes(),
            &(state.len() as u64).to_le_bytes(),
        ];
        let mut bytes = Vec::with_capacity(CHECKPOINT_HEADER_BYTES + state.len());
        fields.iter().for_each(|it| bytes.extend_from_slice(it));
        let checksum = Checksum::of(&bytes);
        bytes.extend_from_slice(&checksum.0.to_le_bytes());
        bytes.extend_from_slice(state);
        bytes
    }

    /// The checkpoint that these bytes are, and its state.
    ///
    /// # Errors
    /// They are no checkpoint.
    pub fn decode<'a>(
        bytes: &'a [u8],
        decisions: &dyn Decisions,
    ) -> Result<(Root, &'a [u8]), NoCheckpoint> {
        let (header, state) =
            bytes.split_first_chunk::<CHECKPOINT_HEADER_BYTES>().ok_or(NoCheckpoint::NotOne)?;
        let mut fields = Fields(header);
        if fields.bytes() != Some(MAGIC) {
            return Err(NoCheckpoint::NotOne);
        }
        let version = fields.u32().ok_or(NoCheckpoint::Damaged)?;
        let root = Root::fields(&mut fields).ok_or(NoCheckpoint::Damaged)?;
        let state_checksum = Checksum(fields.u32().ok_or(NoCheckpoint::Damaged)?);
        let state_bytes = fields.u64().ok_or(NoCheckpoint::Damaged)?;
        let stored = Checksum(fields.u32().ok_or(NoCheckpoint::Damaged)?);
        let computed = Checksum::of(&header[..COVERED_BYTES]);
        if !decisions.checkpoint_is_intact(computed, stored) {
            return Err(NoCheckpoint::Damaged);
        }
        if version != VERSION {
            return Err(NoCheckpoint::OtherVersion(version));
        }
        let is_whole = state_bytes == state.len() as u64
            && decisions.checkpoint_is_intact(Checksum::of(state), state_checksum);
        if is_whole { Ok((root, state)) } else { Err(NoCheckpoint::Damaged) }
    }

    fn fields(fields: &mut Fields<'_>) -> Option<Root> {
        Some(Root {
            block_bytes: fields.u32()?,
            log: LogId(fields.u128()?),
            through: LogIndex(fields.u64()?),
            durable: LogIndex(fields.u64()?),
            start: Start {
                segment: SegmentNumber(fields.u64()?),
                first: LogIndex(fields.u64()?),
                previous: Checksum(fields.u32()?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DefaultDecisions;

    fn root() -> Root {
        Root {
            block_bytes: 4096,
            log: LogId(7),
            through: LogIndex(10),
            durable: LogIndex(12),
            start: Start {
                segment: SegmentNumber(3),
                first: LogIndex(8),
                previous: Checksum(0x0102_0304),
            },
        }
    }

    #[test]
    fn the_bytes_are_frozen() {
        let hex: String = root().encode(b"ab").iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(
            hex,
            "53544446535457430200000000100000\
             07000000000000000000000000000000\
             0a000000000000000c00000000000000\
             03000000000000000800000000000000\
             040302013629a2e20200000000000000ebfcc4826162"
        );
    }

    #[test]
    fn every_flipped_bit_and_every_wrong_length_is_noticed() {
        let bytes = root().encode(b"state");
        assert_eq!(Root::decode(&bytes, &DefaultDecisions), Ok((root(), b"state".as_slice())));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Root::decode(&flipped, &DefaultDecisions).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Root::decode(&bytes[..length], &DefaultDecisions).is_err(), "{length} bytes");
        }
    }
}
