//! Clusters of real nodes for tests, benches and the torture chamber: each node is a process of the program
//! `steadfast`, with its own disk and certificates.
//!
//! A [`Plan`] becomes a [`Testbed`], which owns the processes and the directory around their files. Both are gone when
//! it is dropped, unless the directory is to be kept. The nodes also end when the process that owns them is killed: each
//! of them reads a pipe from it, and a node that is stopped gets SIGHUP from the system, because its process group is
//! orphaned then.
//!
//! ```no_run
//! use steadfast_testbed::{Plan, Program};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut testbed = Plan::new(Program::find(None)?).make()?;
//! testbed.start_all()?;
//! let leader = testbed.settle().await?;
//! testbed.kill(&leader)?;
//! testbed.client()?.put("notes/a", steadfast_client::Upload::bytes("milk")).await?;
//! # Ok(())
//! # }
//! ```

#![warn(missing_debug_implementations)]

mod error;
mod plan;
mod process;
mod program;
mod testbed;

pub use error::TestbedError;
pub use plan::Plan;
pub use program::Program;
pub use testbed::Testbed;
