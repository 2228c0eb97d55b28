//! The bytes of a log on disk. All numbers are little-endian.
//!
//! A log is a directory:
//!
//! ```text
//! LOCK                            locked by the process that has the log open
//! checkpoint                      the root: whose log, from where on, and the state up to there
//! segment-0000000000000001        batches, one after the other
//! segment-0000000000000002
//! segment.reserve                 room for the segment that an opening starts on a full disk
//! checkpoint.draft, segment.draft being made; means nothing, removed when the log is opened
//! ```
//!
//! A segment is a row of *batches*, then bytes that mean nothing: zeros, or the old bytes of
//! a recycled file. A batch begins at a multiple of the block size and ends at one, so that a block
//! with synced data is never written again. It is written and synced before the next one is
//! written, so at most one batch, the last, is not known to be durable.
//!
//! A batch:
//!
//! ```text
//! bytes    field
//!  0.. 8   magic "STDFSTWB"
//!  8..12   version, 2
//! 12..16   count of records
//! 16..32   log id
//! 32..40   segment number
//! 40..48   epoch of the writer: which opening of the log wrote it, counted from 1
//! 48..56   index number of the first record (of the next one, if there is none)
//! 56..64   durable: every record up to this number was synced when the batch was written
//! 64..72   length in bytes that the segment had when it got its name
//! 72..80   newest segment whose name was durable when the batch was written
//! 80..84   length of the body in bytes
//! 84..88   header checksum of the batch before it
//! 88..92   checksum of all that follows the header: body and padding
//! 92..96   header checksum: of the bytes 0..92
//! 96..     body: per record its length (4 bytes) and its bytes
//!          padding: zeros up to the next multiple of the block size
//! ```
//!
//! The checkpoint:
//!
//! ```text
//!  0.. 8   magic "STDFSTWC"
//!  8..12   version, 2
//! 12..16   block size in bytes
//! 16..32   log id
//! 32..40   through: the state stands for every record up to this number
//! 40..48   durable: every record up to this number was synced when the checkpoint was written
//! 48..56   number of the first segment that is needed
//! 56..64   index of the first record in it
//! 64..68   header checksum of the batch before the first batch in it, as that one names it
//! 68..72   checksum of the state
//! 72..80   length of the state in bytes
//! 80..84   checksum of the bytes 0..80
//! 84..     the state, up to the end of the file
//! ```
//!
//! Checksums are CRC32C. [`recovery`](crate::recovery) documents how a log is judged.

pub mod batch;
pub mod checkpoint;
mod fields;
pub mod header;
pub mod names;

/// The version of the format that this code reads and writes.
pub const VERSION: u32 = 2;
