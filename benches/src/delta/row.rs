//! The figures of a peer on an input, as `--json` prints them.

use serde::{Deserialize, Serialize};

/// Which end holds which version and manifest before the new version travels.
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
    /// Which end holds which version and manifest.
    pub setting: Setting,
    /// Who was measured.
    pub peer: String,
    /// Millions of bytes of the new version per second of CPU time that it takes to make what is
    /// sent; for rsync, whose ends run as one, to do everything.
    pub encode_mb_s: Option<f64>,
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
