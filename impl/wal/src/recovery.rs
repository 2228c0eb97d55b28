//! How recovery judges a disk, case by case.
//!
//! The checkpoint says where the log begins. From there on each batch names the batch before it, by
//! the number of its first record and by that batch's header checksum. Two rules follow.
//!
//! - **A segment ends where the next one goes on.** A segment is *started* if it begins with a whole
//!   batch of its own. If a later segment is started, the batches before must lead exactly to it,
//!   regardless of the bytes behind them. Only the last started segment has an open end.
//! - **Only the last batch is uncertain.** A batch is written when the one before is synced. So
//!   a batch proves that all batches before it were durable, and where the batches break off before
//!   something durable, there is damage. It is reported and nothing is changed.
//!
//! Opening a log reads it once. A batch is handed out when the batch after it was verified, too, and
//! proves it durable. When everything was read and nothing is damaged, the last batch is written
//! again, as the first batch of a segment never used before, and synced, before it is handed out. So
//! no record that the log hands out rests on a write that may be in a cache only. The copy takes the
//! place of the original, because a segment ends where the next one goes on. Until then nothing is
//! changed. An opening may be cut off anywhere; the next one begins again.
//!
//! The cases, each a row of [`CASES`]:
//!
//! | label | found | consequence |
//! |---|---|---|
//! | `clean-end` | zeros behind the last batch, or the end of the segment | nothing is lost |
//! | `stale-bytes` | behind the last batch, old bytes of a recycled file | nothing is lost |
//! | `torn-batch` | the header of the next batch, and not its body | cut; reported as an uncertain tail |
//! | `torn-header` | bytes that are neither zeros nor a header | cut; reported as an uncertain tail |
//! | `hole` | nothing where a batch must be, and something newer behind | refused as damage |
//! | `rot` | wrong bytes where a batch must be, and something newer behind | refused as damage |
//! | `missing-segment` | a number without a file between two segments, or behind them if a batch says that it was there | refused as damage |
//! | `empty-segment` | a segment of zero bytes, which no crash makes | refused as damage |
//! | `cut-segment` | a segment shorter than its first batch says that it was made, or no whole number of blocks | refused as damage |
//! | `misplaced-segment` | in a segment's file, batches of another segment that is needed or to come | refused as damage |
//! | `other-log-segment` | a segment's file that begins with a batch of another log | refused as damage |
//! | `entry-lost` | a new segment's name did not survive, or no batch in it did | nothing is lost: no batch is written to a segment whose name is not durable |
//! | `draft-left` | a half-made segment or checkpoint | removed |
//! | `retired-left` | segments that the checkpoint no longer needs | recycled or removed |
//! | `half-born` | no checkpoint and no records: the log was being created | created again |
//! | `lost-checkpoint` | records and no checkpoint, which no crash makes | refused as damage |
//! | `damaged-checkpoint` | a checkpoint whose checksums are wrong, or other bytes in its place beside segments | refused as damage |
//!
//! # Whole files
//!
//! Each batch says how long its segment was made and which segment was the newest. A segment has
//! its full length, synced, before it gets its name, and only recovery makes one shorter, when the
//! next is started. A file is used again only for a later segment of the same log, when no
//! checkpoint needs it any more. So `verify` and an opening give the same verdict on a whole file that is
//! wrong; `tests/whole_files.rs` goes through them:
//!
//! | file | fault | verdict |
//! |---|---|---|
//! | a segment with records | missing, and another is behind it or a batch says that it was there | `missing-segment` |
//! | the newest started one | cut to any length | `cut-segment`; `empty-segment` at 0 |
//! | one in the middle | cut to any length | `rot` where its batches break off; `empty-segment` at 0 |
//! | a ready one | missing, and a batch says that it was there | `missing-segment` |
//! | a ready one | cut to whole blocks | clean: it holds nothing, and is not used |
//! | any | longer by zeros | clean |
//! | the newest | longer by something else | uncertain tail: nothing is lost |
//! | any | swapped, or there twice, under the name of one that is needed | `misplaced-segment` |
//! | any with records | another log's in its place | `other-log-segment` |
//! | one in the middle | an older copy of itself | `rot` |
//! | the newest started one | an older copy of itself, or as it was made | **clean: the log is taken back** |
//! | the newest ones | missing, and no batch says that they were there | **clean: the log is taken back** |
//! | `checkpoint` | another log's | `other-log-segment`; an opening says whose log it is |
//! | `checkpoint` | emptied or overwritten, beside segments | `damaged-checkpoint` |
//! | `checkpoint` | an older copy | clean if its segments are there; else `missing-segment` |
//! | drafts, the reserve | anything | clean: they mean nothing |
//!
//! In the two rows in bold a crash leaves the very same files: one that comes before the batches in
//! question are written, or before the name of the next segment is durable. Nothing on the disk
//! distinguishes them.
//!
//! The owner of a file is read from its first batch only, because bytes further behind may belong to a
//! record. Batches of a later segment are recognised anywhere: no record holds a batch that was not
//! written yet.
//!
//! # A full disk
//!
//! A log keeps `segment.reserve`, as long as the longest batch, and makes a segment ready for records
//! only when it is there. An opening that finds the disk full makes its fresh segment of it and
//! gives back all of it but the last batch, which is room for a checkpoint or for the next opening.
//! A checkpoint that finds the disk full takes the reserve's room, if the segments that it gives up are
//! as long; one that frees less is refused. *Not promised:* that other programs do not take the room
//! that was given back.
//!
//! Rot in the last batch looks like a tear. It is reported as an uncertain tail, which a log that was
//! closed cleanly never has: closing writes a batch without records that proves the last one.

mod beginnings;
mod damage;
mod files;
mod runs;
mod source;
mod start;
mod tail;
mod walk;

pub(crate) use damage::ReadError;
pub use damage::{CASES, Case, Damage, DamagedPart, OpenError, Tail};
pub(crate) use files::{Segments, read_root};
pub(crate) use start::{Origin, create, go_on, lost_checkpoint, refuse_what_is_no_log};
pub(crate) use tail::judge;
pub(crate) use walk::{Verified, Walk};
