//! What recovery makes of a disk, case by case.
//!
//! The checkpoint says where the log begins. From there on each batch names the batch before it, by
//! the number of its first record and by that batch's header checksum. Two rules follow.
//!
//! - **A segment ends where the next one goes on.** A segment is *started* if it begins with a whole
//!   batch of its own. If a later segment is started, the batches before must lead exactly to it,
//!   whatever else stands behind them. Only the last started segment has an open end.
//! - **Only the last batch is uncertain.** A batch is written when the one before is synced. So
//!   whoever finds a batch knows that all before it was durable, and where the batches break off
//!   before something durable, there is damage. It is reported and nothing is changed.
//!
//! Opening a log reads it once. A batch is handed out when the batch after it was verified, too, and
//! proves it durable. When everything was read and nothing is damaged, the last batch is written
//! again, as the first batch of a segment never used before, and synced, before it is handed out:
//! what the log says is there does not rest on a write that might be in a cache only. The copy takes
//! the place of the original, because a segment ends where the next one goes on. Until then nothing
//! is changed. Opening may be cut off anywhere; then it starts over.
//!
//! The cases, each a row of [`CASES`]:
//!
//! | label | what is found | what happens |
//! |---|---|---|
//! | `clean-end` | zeros behind the last batch, or the end of the segment | nothing is lost |
//! | `stale-bytes` | behind the last batch, what a recycled file held before | nothing is lost |
//! | `torn-batch` | the header of the next batch, and not its body | cut; reported as an uncertain tail |
//! | `torn-header` | bytes that are neither zeros nor a header | cut; reported as an uncertain tail |
//! | `hole` | nothing where a batch must be, and something newer behind | refused as damage |
//! | `rot` | wrong bytes where a batch must be, and something newer behind | refused as damage |
//! | `missing-segment` | a number between two segments without a file | refused as damage |
//! | `empty-segment` | a segment of zero bytes, which no crash makes | refused as damage |
//! | `entry-lost` | a new segment's name did not survive, or no batch in it did | nothing is lost: no batch is written to a segment whose name is not durable |
//! | `draft-left` | a half-made segment or checkpoint | removed |
//! | `retired-left` | segments that the checkpoint no longer needs | recycled or removed |
//! | `half-born` | no checkpoint and no records: the log was being created | created anew |
//! | `lost-checkpoint` | records and no checkpoint, which no crash makes | refused as damage |
//! | `damaged-checkpoint` | a checkpoint whose checksums are wrong | refused as damage |
//!
//! Rot in the last batch looks like a tear. It is reported as an uncertain tail, which a log that was
//! closed cleanly never has: closing writes a batch without records that proves the last one.

mod damage;
mod files;
mod runs;
mod source;
mod start;
mod tail;
mod walk;

pub(crate) use damage::ReadError;
pub use damage::{CASES, Case, CheckpointError, Damage, OpenError, Place, Tail};
pub(crate) use files::{Segments, read_root};
pub(crate) use start::{create, go_on, lost_checkpoint, refuse_what_is_no_log};
pub(crate) use tail::judge;
pub(crate) use walk::{Verified, Walk};
