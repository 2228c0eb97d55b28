//! Parameters of one node, chosen at each start. The [`Settings`](crate::Settings) of its cluster, in
//! contrast, never change during the life of a log.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Entry;

/// How a node deals with its network and with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// Set this where the messages of a session can be lost or overtake each other. Then a leader's
    /// heartbeats send unacknowledged entries again, candidates repeat their vote requests, and nodes
    /// repeat their questions for contents. Otherwise a node sends nothing twice within a session.
    pub retransmits: bool,
    /// A node asks whether it would be elected before it asks for votes (pre-vote), and a leader
    /// whose disk hangs, or that does not hear enough nodes to acknowledge a write, steps down
    /// (check-quorum). Without this a node asks for votes whenever its election timer runs out. That
    /// deposes more leaders, and breaks no guarantee.
    pub guards_elections: bool,
    /// A leader says which entries all nodes hold, and a node that trims its log forgets the deletes among
    /// them. Nodes that do and nodes that do not understand each other. Without this the memory of a
    /// node grows with the number of paths that ever existed.
    pub forgets_deletes: bool,
    /// Bounds on replication.
    pub limits: Limits,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            retransmits: false,
            guards_elections: true,
            forgets_deletes: true,
            limits: Limits::default(),
        }
    }
}

/// Bounds on the size of one message and on the entries under way to one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Entries per message.
    pub entries: NonZeroU32,
    /// Bytes of paths and inline contents per message. An entry that is larger travels alone.
    pub bytes: NonZeroU32,
    /// Entries per message whose contents travel beside them.
    pub payloads: NonZeroU32,
    /// Entries sent to one peer and not acknowledged yet. The node sends another message while fewer
    /// entries than this are under way.
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

/// The room left in a message.
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

    /// Room for more than any message or log has.
    pub(crate) fn unlimited() -> Room {
        Room { is_empty: true, entries: u32::MAX, bytes: u64::MAX, payloads: u32::MAX }
    }

    /// Reserves room for a request with its entry's dot, and returns whether it fits.
    pub(crate) fn reserve_request(&mut self) -> bool {
        let fits = self.entries > 0;
        self.is_empty = false;
        self.entries = self.entries.saturating_sub(1);
        fits
    }

    /// Reserves room for an entry if it fits, and returns whether it did. The first entry always fits.
    pub(crate) fn reserve(&mut self, entry: &Entry) -> bool {
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
