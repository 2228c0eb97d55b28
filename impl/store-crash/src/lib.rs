//! Every state that a crash may leave in a node's directory of contents, recovered and compared.
//!
//! ```
//! use steadfast_store::DefaultContentDecisions;
//! use steadfast_store_crash::{enumerate, short_workloads, twins};
//!
//! let (counts, violations) = enumerate(&short_workloads(1), &DefaultContentDecisions, false);
//! assert!(counts.crash_states > 100 && violations.is_empty());
//!
//! let twin = twins().into_iter().find(|it| it.name == "content-not-synced").expect("a twin");
//! let (_, violations) = enumerate(&short_workloads(1), twin.decisions, true);
//! println!("{:#?}", violations[0]); // The workload, the crash or fault, and the promise that was broken.
//! ```
//!
//! A workload runs on a simulated disk. For each moment between two calls of its last operation to the disk,
//! the enumeration makes each disk that a crash may leave, opens the contents on it, and compares them with the
//! promises of that moment ([`Promise`]): a finished content is there, whole; an unfinished one is whole or
//! gone; no reader gets bytes that are not those of the content; a scrub finds every bad copy and spares the
//! good ones; no temporary file is left. While the contents recover, the machine crashes again, and everything
//! that an opening has shown must survive that. Besides, each call fails or is cut short once.
//!
//! [`twins`] are stores that decide one thing wrongly. Each must be caught.

#![warn(missing_debug_implementations)]

mod enumerate;
mod judge;
mod subject;
mod twins;
mod workload;

pub use enumerate::{Counts, Violation, enumerate};
pub use judge::Promise;
pub use twins::{Twin, twins};
pub use workload::{Letter, Operation, Workload, long_workloads, short_workloads};
