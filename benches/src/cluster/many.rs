//! Many files: the memory of each, and how long a node takes to start with them.

use std::time::Instant;

use serde::Serialize;

use super::Result;
use super::load::write_all;
use super::processes::memory_bytes;
use super::system::{NODES, System};

/// What many files take.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Many {
    pub(crate) files: u64,
    /// Seconds to put them with 64 clients.
    pub(crate) put_s: f64,
    /// Memory of a node that has just started, less that of an idle one, for each file.
    pub(crate) memory_per_file_bytes: f64,
    /// Seconds from the start of a node until it has the same as the others.
    pub(crate) start_s: f64,
}

/// Puts this number of files of 16 bytes, and starts a follower again.
pub(crate) async fn measure(system: &mut System, files: u64, idle_bytes: u64) -> Result<Many> {
    let leader = system.settle().await?;
    let begun = Instant::now();
    write_all(system, leader, ("many", files), files, 16).await?;
    let put_s = begun.elapsed().as_secs_f64();
    let leader = system.settle().await?;
    let follower = (leader + 1) % NODES;
    system.kill(follower)?;
    let begun = Instant::now();
    system.start(follower)?;
    system.settle().await?;
    let start_s = begun.elapsed().as_secs_f64();
    let (now, _) = memory_bytes(system.process(follower)?)?;
    let memory_per_file_bytes = now.saturating_sub(idle_bytes) as f64 / files as f64;
    Ok(Many { files, put_s, memory_per_file_bytes, start_s })
}
