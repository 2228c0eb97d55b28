//! What the programs write: standard output, which may be closed by whoever reads it, files that
//! appear when they are complete, and exit codes.

pub mod exit_code;
mod file;
mod standard;

pub use file::{WholeFile, directory_of, sync_directory_of};
pub use standard::{StandardOutput, say};
