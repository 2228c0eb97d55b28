//! Every state that a crash may leave on the disk of the log, recovered and compared.
//!
//! ```
//! use steadfast_wal::{Decisions, DefaultDecisions, Stage};
//! use steadfast_wal_crash::{LogKind, SMALL, Scope, enumerate, workloads};
//!
//! /// A log that calls a record durable before it is synced.
//! struct Hasty;
//! impl Decisions for Hasty {
//!     fn is_durable(&self, _: Stage) -> bool {
//!         true
//!     }
//! }
//!
//! let scope = Scope {
//!     geometry: SMALL,
//!     kinds: vec![LogKind::Serial],
//!     workloads: workloads(1),
//!     is_every_operation: false,
//!     has_crashes: true,
//!     has_faults: true,
//!     has_damages: false,
//!     has_wrong_files: false,
//! };
//! let (counts, violations) = enumerate(&scope, &DefaultDecisions, false);
//! assert!(counts.crash_states > 100 && violations.is_empty());
//! let (_, violations) = enumerate(&scope, &Hasty, true);
//! println!("{:#?}", violations[0]); // The workload, the fault, and the promise that was broken.
//! ```
//!
//! A workload runs on a simulated disk. For each moment between two calls to the disk, the enumeration
//! makes each disk that a crash may leave, opens the log on it, and compares its records with the
//! promises of that moment: every record that was called durable is there, byte for byte and in order,
//! followed by nothing but records that were accepted after it. While the log recovers, it crashes
//! again, at each moment and in each way. Besides, bits are flipped, and calls fail, are cut short and
//! go astray; then the log must name the damage and refuse, or lose nothing, or report that its last
//! batch is uncertain.
//!
//! Each workload runs on the log without threads and on the log with threads, whose threads take turns
//! at the disk ([`Schedule`]), so that the log that serves users is the log that is checked. With the
//! client first, the log with threads mostly repeats the calls of the log without; an operation that it
//! repeats call by call is left to the scopes of the log without threads.
//!
//! [`TWINS`] are logs that decide one thing wrongly. Each must be caught.

#![warn(missing_debug_implementations)]

mod damage;
mod driver;
mod enumerate;
mod fingerprints;
pub mod fuzzing;
mod geometry;
mod history;
mod judge;
mod subject;
mod suite;
mod turns;
mod twins;
mod workload;
mod wrong_files;

pub use enumerate::{Counts, Scope, Violation, enumerate};
pub use geometry::{Geometry, LARGE, LARGE_TORN, SEGMENTS_AHEAD, SMALL, TORN_BLOCKS};
pub use subject::LogKind;
pub use suite::{Caught, Extent, Report, Row, catch, catch_with_threads, run, scopes};
pub use turns::Schedule;
pub use twins::{TWINS, Variant, WEAKENED};
pub use workload::{Operation, Workload, long_workloads, workloads};
