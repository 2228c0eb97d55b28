//! A write-ahead log: records that were synced survive any crash, and the others are cleanly gone.
//!
//! A [`Log`] accepts records from many threads, writes them in batches with one sync each, and reports
//! the index of the last durable record. A [`SerialLog`] is the same log without threads. An
//! [`Opening`] recovers a log and becomes either one: it holds the state of the last checkpoint and
//! lends the records behind it. To the log, records are bytes.
//!
//! ```
//! use std::sync::Arc;
//! use steadfast_wal::{LogId, Opening, RealDisk, Settings};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("log");
//! let disk = Arc::new(RealDisk::new(path));
//! let settings = Settings { segment_bytes: 64 << 10, batch_bytes: 4_096, ..Settings::default() };
//! let (log, _) = Opening::begin(Arc::clone(&disk), LogId(7), settings)?.into_log()?;
//! log.write(b"remember the milk")?; // Durable when this returns.
//! let eggs = log.append(b"and the eggs")?; // Durable once `wait` or `synced` says so.
//! log.wait(eggs)?;
//! drop(log);
//!
//! let mut records = Vec::new();
//! let mut opening = Opening::begin(disk, LogId(7), settings)?;
//! opening.for_each(|record| records.push(record.payload.to_vec()))?;
//! let (log, recovered) = opening.into_log()?;
//! assert_eq!(records, [&b"remember the milk"[..], b"and the eggs"]);
//! assert_eq!((recovered.last, recovered.tail.is_uncertain()), (eggs, false));
//! # log.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`mod@format`] documents the bytes on disk, [`recovery`] how they are judged, case by case.
//! - [`Decisions`] lists everything that the log decides to believe or to wait for. The enumeration of
//!   crash states runs the log with wrong decisions, and must catch each.
//! - [`disk`] lists the calls that a disk must offer. The real disk is here, a simulated one in the
//!   crate `steadfast-simulated-disk`.
//! - [`Log::read_from`] reads an open log by index; [`inspect`] and [`salvage`](fn@salvage) read a log
//!   that is not open, also a damaged one, and [`salvage_into`] makes a new log of its intact part.
//!
//! *Not promised:* rot of the last batch before a crash. It cannot be distinguished from a tear and is
//! reported as an uncertain tail ([`Tail::is_uncertain`]). Restoring an older copy of the directory or
//! of its newest segment takes the log back to an earlier moment unnoticed, and so does deleting a
//! segment that was begun only just now ([`recovery`] has the rows).

#![warn(missing_debug_implementations)]

mod chain;
pub mod checksum;
mod decisions;
pub mod disk;
mod errors;
pub mod format;
mod group_commit;
mod ids;
mod inspect;
mod log;
mod opening;
mod operations;
mod parts;
pub mod recovery;
mod salvage;
mod segment_reader;
mod serial;
mod settings;
mod store;
pub mod threads;

pub use checksum::Checksum;
pub use decisions::{Decisions, DefaultDecisions, Stage};
pub use disk::{Disk, DiskError, RealDisk};
pub use errors::{AppendError, CheckpointError, LogFailure};
pub use format::batch::{Batch, Record, Records};
pub use ids::{Location, LogId, LogIndex, SegmentNumber, WriterEpoch};
pub use inspect::{Inspection, inspect, read_checkpoint, try_inspect};
pub use log::{Log, Reader, ReaderError, Synced};
pub use opening::{Opening, Recovered};
pub use recovery::{CASES, Case, Damage, DamagedPart, OpenError, Tail};
pub use salvage::{
    Rescued, Salvage, SalvageError, SalvagedRun, salvage, salvage_into, try_salvage,
};
pub use serial::SerialLog;
pub use settings::{Settings, SettingsError};
pub use threads::SystemThreads;
