//! Counters that several parts of a node raise and `/metrics` shows.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a node since its start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Bytes of packets written to peers.
    pub packet_bytes_sent: Counter,
    /// Bytes of packets read from peers.
    pub packet_bytes_received: Counter,
    /// Bytes of contents written to peers, as they travel.
    pub content_bytes_sent: Counter,
    /// Bytes of contents read from peers, as they travel.
    pub content_bytes_received: Counter,
    /// Contents received from peers.
    pub contents_received: Counter,
    /// Of these, as a delta against a content that this node had.
    pub contents_received_as_delta: Counter,
    /// The lengths of the contents received, in bytes.
    pub content_bytes_made: Counter,
    /// Syncs of the log that the node has seen end.
    pub syncs: Counter,
    /// The time of these from their first record on, in microseconds.
    pub sync_us: Counter,
    /// Elections that this node began.
    pub elections: Counter,
    /// Checkpoints written.
    pub checkpoints: Counter,
    /// Connections of peers that ended.
    pub disconnections: Counter,
    /// Contents that scrubbing has verified.
    pub contents_scrubbed: Counter,
    /// Bad contents that were found.
    pub contents_found_bad: Counter,
}
