//! Steadfast beside what others use. Both sides run on the same machine in one run, and what is
//! judged are ratios.

pub mod check;
pub mod cluster;
pub mod delta;
mod machine;
mod target;
pub mod tuning;
mod usage;
pub mod wal;
