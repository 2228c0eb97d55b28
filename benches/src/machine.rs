//! What is measured on.

use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

/// Where the figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor as it calls itself.
    pub(crate) cpu: String,
    /// How many processors there are.
    pub(crate) cpus: usize,
    /// Memory in bytes.
    pub(crate) memory_bytes: u64,
}

impl Machine {
    /// This machine, as far as Linux says.
    pub(crate) fn this() -> Machine {
        let kib = field("/proc/meminfo", "MemTotal");
        Machine {
            cpu: field("/proc/cpuinfo", "model name"),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0_u64) << 10,
        }
    }
}

/// The first field of this name.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
}
