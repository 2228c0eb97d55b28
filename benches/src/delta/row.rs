//! What was measured, as `--json` prints it.

use serde::{Deserialize, Serialize};

/// Who holds what when the new version is to travel.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Setting {
    /// The sender has both versions.
    Local,
    /// The sender has the new version and a summary of the old one (signature, manifest).
    Cached,
    /// The sender has the new version only.
    Cold,
}

impl Setting {
    /// All of them.
    pub(super) const ALL: [Setting; 3] = [Setting::Local, Setting::Cached, Setting::Cold];

    /// The name in tables and JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Setting::Local => "local",
            Setting::Cached => "cached",
            Setting::Cold => "cold",
        }
    }
}

/// One peer on one input in one setting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// The input's name.
    pub input: String,
    /// Who holds what.
    pub setting: Setting,
    /// Who was measured.
    pub peer: String,
    /// Millions of bytes of the new version per second of CPU time that it takes to make what is
    /// sent; for rsync, whose ends run as one, to do everything.
    pub encode_mb_s: f64,
    /// The same to make the new version from the old one and what was sent.
    pub apply_mb_s: Option<f64>,
    /// Bytes from the receiver to the sender.
    pub bytes_up: u64,
    /// Bytes from the sender to the receiver.
    pub bytes_down: u64,
    /// The most memory in use beyond the two versions; for commands, all they use.
    pub peak_rss_bytes: u64,
}

impl Row {
    /// Bytes both ways.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes_up + self.bytes_down
    }
}

/// A figure that must be reached.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Target {
    /// Its number.
    pub id: &'static str,
    /// What is asked.
    pub must: &'static str,
    /// What was found: the worst ratio of each kind and where.
    pub measured: String,
    /// Whether it was reached; nothing when rows that it needs are missing.
    pub met: Option<bool>,
}

/// Where the figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Machine {
    /// The processor as it calls itself.
    pub cpu: String,
    /// How many processors there are.
    pub cpus: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// This machine, as far as Linux tells.
    pub(super) fn this() -> Machine {
        let field = |file: &str, name: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let kib = field("/proc/meminfo", "MemTotal");
        Machine {
            cpu: field("/proc/cpuinfo", "model name"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0_u64) << 10,
        }
    }
}
