//! The disk of a node: its log with checkpoints, and the contents beside it.
//!
//! A [`Store`] is the [`NodeStorage`](steadfast_node::NodeStorage) of a real node. It keeps the records of
//! the log in memory, as the protocol asks, and their bytes in a log of `steadfast-wal`: with threads for a
//! server ([`ThreadedLog`]), without for a simulator ([`SerialLog`]). [`Contents`] keeps the
//! contents, one file each, which readers verify chunk by chunk. [`codec`] documents the bytes of records and
//! checkpoints, and [`TrimPolicy`] decides when the log is long enough to be shortened.
//!
//! A node has two directories, one for its log and one for its contents. Both are `Disk`s of
//! `steadfast-wal`, so that they may be simulated.
//!
//! Invariant: this crate knows no clock, network or randomness. All calls block until the disk has answered.

#![warn(missing_debug_implementations)]

pub mod codec;
mod contents;
pub mod fuzzing;
mod log;
mod policy;
mod store;

pub use contents::{
    ContentDecisions, ContentError, ContentPlace, ContentReader, ContentWriter, Contents,
    DefaultContentDecisions, HeldContent, Scrubbed, Totals, Verdict,
};
pub use log::{RecordLog, SerialLog, ThreadedLog};
pub use policy::{TailSize, TrimPolicy, log_settings};
pub use store::{
    CheckpointJob, Checkpointed, CreateError, OpenError, StoppedLog, Store, StoreFailure, create,
    create_from, read,
};
