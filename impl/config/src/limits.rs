//! Bounds of a node towards its clients, and the form of its log.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The largest `inline_bytes_max`. A packet between nodes may have 16 MiB and holds many entries.
pub const INLINE_BYTES_MAX: u64 = 64 << 10;

/// The default of `inline_bytes_max`. A content that travels in its entry is durable with the sync of the log that
/// the entry needs anyway, whereas a file of its own costs two more syncs. But each node keeps such contents
/// in memory while their version is a head, so they stay small: 4 KiB are one page of the disk.
pub(crate) const INLINE_BYTES_DEFAULT: u64 = 4 << 10;

/// Bounds of a node towards its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of clients that are open at the same time; a further one is closed at once.
    pub connections_max: u32,
    /// Requests that wait for the protocol at the same time; a further one is answered 503 `busy`.
    pub requests_max: u32,
    /// How long the head of a request may take, and the TLS handshake.
    pub head_timeout: Duration,
    /// How long a body may stand still, in either direction.
    pub body_timeout: Duration,
    /// How long the cluster may take to answer once the body has arrived.
    pub request_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
}

/// The limits as the file has them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsTable {
    pub(crate) connections_max: u32,
    pub(crate) requests_max: u32,
    pub(crate) head_timeout_ms: u64,
    pub(crate) body_timeout_ms: u64,
    pub(crate) request_timeout_ms: u64,
    pub(crate) idle_timeout_ms: u64,
}

impl Default for LimitsTable {
    fn default() -> Self {
        LimitsTable {
            connections_max: 4096,
            requests_max: 4096,
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            request_timeout_ms: 30_000,
            idle_timeout_ms: 300_000,
        }
    }
}

/// The longest timeout, an hour.
const TIMEOUT_MS_MAX: u64 = 3_600_000;

impl LimitsTable {
    /// The limits, or the key whose value does not fit and the values that do.
    pub(crate) fn check(self) -> Result<Limits, (&'static str, String)> {
        let count = |key, value: u32| match (1..=1_000_000).contains(&value) {
            true => Ok(value),
            false => Err((key, format!("{value} is not in 1 to 1000000"))),
        };
        Ok(Limits {
            connections_max: count("limits.connections_max", self.connections_max)?,
            requests_max: count("limits.requests_max", self.requests_max)?,
            head_timeout: milliseconds("limits.head_timeout_ms", self.head_timeout_ms)?,
            body_timeout: milliseconds("limits.body_timeout_ms", self.body_timeout_ms)?,
            request_timeout: milliseconds("limits.request_timeout_ms", self.request_timeout_ms)?,
            idle_timeout: milliseconds("limits.idle_timeout_ms", self.idle_timeout_ms)?,
        })
    }
}

/// A duration of 1 ms to an hour.
pub(crate) fn milliseconds(key: &'static str, ms: u64) -> Result<Duration, (&'static str, String)> {
    match (1..=TIMEOUT_MS_MAX).contains(&ms) {
        true => Ok(Duration::from_millis(ms)),
        false => Err((key, format!("{ms} is not in 1 to {TIMEOUT_MS_MAX} milliseconds"))),
    }
}

/// The form of a node's log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}
