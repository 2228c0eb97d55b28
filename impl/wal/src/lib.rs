//! A write-ahead log: what was synced is there after any crash, and what was not is cleanly gone.
//!
//! A [`Log`] accepts records from many threads, writes them in batches with one sync each, and says
//! up to which number they are durable. A [`SerialLog`] is the same log without threads. An
//! [`Opening`] recovers a log and becomes either one: it holds the state of the last checkpoint and
//! lends the records behind it. The log knows records as bytes only.
//!
//! - [`mod@format`] says what is on disk, [`recovery`] what is made of it, case by case.
//! - [`Decisions`] gathers what the log believes and waits for. The crash-state enumeration runs
//!   the log with wrong ones, to see that it catches them.
//! - [`disk`] says what the log asks of a disk. There is a real one and a simulated one.
//!
//! *Not promised:* rot of the last batch before a crash. It cannot be told from a tear and is
//! reported as an uncertain tail ([`Tail::is_uncertain`]). Whoever deletes the newest segments, or
//! puts back an older copy of the directory, takes the log back to an earlier moment unnoticed.

mod chain;
pub mod checksum;
mod decisions;
pub mod disk;
pub mod format;
pub mod fuzzing;
mod group_commit;
mod ids;
mod inspect;
mod log;
mod opening;
pub mod recovery;
mod segment_reader;
mod serial;
mod settings;
mod store;

pub use checksum::Checksum;
pub use decisions::{Decisions, Stage, Steadfast};
pub use disk::{Disk, DiskError, RealDisk};
pub use format::batch::{Batch, Record, Records};
pub use group_commit::{AppendError, BatchWrite, Failure, GroupCommit};
pub use ids::{LogId, Position, SegmentNumber, Sequence, WriterEpoch};
pub use inspect::{Inspection, inspect};
pub use log::{Log, Synced};
pub use opening::{Opening, Recovered};
pub use recovery::{CASES, Case, CheckpointError, Damage, OpenError, Place, Tail};
pub use serial::SerialLog;
pub use settings::{Settings, SettingsError};
