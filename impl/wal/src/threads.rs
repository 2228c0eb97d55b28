//! What the log asks of threads: locks, conditions, counters that threads sleep on, and the threads
//! themselves.
//!
//! [`SystemThreads`] are those of the operating system. A test may bring its own and run the very code
//! of [`Log`](crate::Log) on them: `steadfast-wal-crash` has threads that take turns at the calls to
//! the disk, so that a run depends on its schedule alone.

#[cfg(test)]
mod loom_futex;
pub(crate) mod primitives;
mod system;
mod traits;

pub use system::SystemThreads;
pub use traits::{Futex, Threads};
