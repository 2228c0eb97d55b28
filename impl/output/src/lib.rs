//! The common parts of the programs: standard output, which a reader may close, files that appear when
//! they are complete, exit codes, options that are numbers, durations or sizes, names as a terminal may show
//! them, and threads that the system may refuse.
//!
//! ```
//! use std::io::Write;
//! use steadfast_output::{WholeFile, shown, size};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("report");
//! let mut file = WholeFile::create(&path)?;
//! file.write_all(b"half of it")?;
//! assert!(!path.exists(), "a file appears when it is complete");
//! file.finish()?;
//! assert_eq!(std::fs::read(&path)?, b"half of it");
//!
//! assert_eq!(size::bytes("64K"), Ok(65_536));
//! assert!(!shown("red\u{1b}[31m".as_ref()).contains('\u{1b}'), "no name controls a terminal");
//! # Ok::<(), std::io::Error>(())
//! ```

#![warn(missing_debug_implementations)]

mod descriptor;
pub mod duration;
pub mod exit_code;
mod file;
pub mod number;
mod options;
mod paths;
#[cfg(all(test, target_os = "linux"))]
mod refusals;
mod shown;
mod signals;
pub mod size;
mod standard;
mod sync;
mod workers;

pub use descriptor::{names_standard_output, standard_input};
pub use file::{WholeFile, mode_for_others};
pub use options::parse;
pub use paths::directory_of;
pub use shown::{escaped, shown};
pub use signals::{is_interrupted, on_interrupt};
pub use standard::{StandardOutput, say, warn};
pub use sync::{sync_directory_of, sync_file};
pub use workers::{assert_threads, in_parallel};
