//! What the programs have in common: standard output, which may be closed by whoever reads it, files
//! that appear when they are complete, exit codes, and options that are durations.

pub mod duration;
pub mod exit_code;
mod file;
mod standard;

pub use file::{WholeFile, directory_of, sync_directory_of};
pub use standard::{StandardOutput, say};
