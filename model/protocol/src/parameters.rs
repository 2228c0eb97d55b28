//! Parameters of one node, chosen at each start. The [`Settings`](crate::Settings) of its cluster are
//! fixed for the log's life.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Entry;

/// How a node deals with its network and with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// Messages of a session can be lost or overtake each other. Then a heartbeat sends again what
    /// is not acknowledged, and questions for contents are repeated. Otherwise nothing is sent twice
    /// within a session.
    pub retransmits: bool,
    /// A node asks whether it would be elected before it asks for votes (pre-vote), and a leader
    /// whose disk hangs, or that does not hear enough nodes to acknowledge a write, steps down
    /// (check-quorum). Without this a node asks for votes whenever its election timer runs out: more
    /// leaders are deposed, and every promise but the liveness of a leader is kept.
    pub guards_elections: bool,
    /// Bounds on replication.
    pub limits: Limits,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { retransmits: false, guards_elections: true, limits: Limits::default() }
    }
}

/// Bounds on what one message carries and on what is under way to one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Entries per message.
    pub entries: NonZeroU32,
    /// Bytes of entries per message: their paths and inline contents. A first entry that is larger
    /// travels alone.
    pub bytes: NonZeroU32,
    /// Contents that travel beside the entries of one message.
    pub payloads: NonZeroU32,
    /// Entries sent to one peer and not acknowledged yet. A message leaves while fewer than this
    /// many are under way.
    pub window: NonZeroU32,
}

const fn limit(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(limit) => limit,
        None => NonZeroU32::MIN,
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            entries: limit(1_024),
            bytes: limit(1 << 20),
            payloads: limit(16),
            window: limit(4_096),
        }
    }
}

/// The room that is left in a message.
pub(crate) struct Room {
    is_empty: bool,
    entries: u32,
    bytes: u64,
    payloads: u32,
}

impl Room {
    pub(crate) fn new(limits: Limits) -> Room {
        Room {
            is_empty: true,
            entries: limits.entries.get(),
            bytes: limits.bytes.get().into(),
            payloads: limits.payloads.get(),
        }
    }

    /// Whether the entry fits. The first always does.
    pub(crate) fn takes(&mut self, entry: &Entry) -> bool {
        let (bytes, payloads) = (entry.size(), u32::from(entry.change.named().is_some()));
        let fits = self.entries > 0 && self.bytes >= bytes && self.payloads >= payloads;
        if !fits && !self.is_empty {
            return false;
        }
        self.is_empty = false;
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.payloads = self.payloads.saturating_sub(payloads);
        true
    }
}
