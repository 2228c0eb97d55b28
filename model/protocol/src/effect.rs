//! What a replica asks its driver to do.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ContentId, Dot, Entry, Halt, NodeId, Packet, Path, Payload, Record, RequestId};

/// One effect. Effects are performed in the order in which they are returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Append these records to the log, sync when convenient, then say
    /// [`Input::Synced`](crate::Input::Synced).
    Append {
        /// In this order.
        records: Vec<Record>,
    },
    /// Send a message, with the bytes of its payloads. A payload that cannot be read is left out
    /// ([`Message::without_payload`](crate::Message::without_payload)) and reported with
    /// [`Input::Bad`](crate::Input::Bad).
    Send {
        /// The receiver.
        to: NodeId,
        /// The message in its session; lost if that session is over.
        packet: Packet,
    },
    /// Restart the election timer: a leader was heard, a vote given, or the node's role has changed.
    ResetElectionTimer,
    /// Tell the client what became of its request.
    Answer {
        /// The request.
        request: RequestId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Make a received payload a durable content, then say
    /// [`Input::Stored`](crate::Input::Stored) or [`Input::Unusable`](crate::Input::Unusable).
    Store {
        /// What to store.
        payload: Payload,
        /// Whose bytes.
        from: NodeId,
    },
    /// Read a content and verify it, then say [`Input::Fetched`](crate::Input::Fetched) or
    /// [`Input::Bad`](crate::Input::Bad).
    Fetch {
        /// What to read.
        content: ContentId,
    },
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The write is synced on W nodes.
    Acknowledged {
        /// The entry it made.
        dot: Dot,
    },
    /// The request was refused and has no effect.
    Refused(Refusal),
    /// The leader was deposed before it knew. The write may take effect later, or never; a retry
    /// with the same request id does not write twice.
    Unknown,
    /// What a read found: the visible version, or `None` for a path never written.
    Value {
        /// The visible version; of a deleted path its delete.
        version: Option<Entry>,
        /// Whether a newer version may have been acknowledged before the read began.
        stale: bool,
    },
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
pub enum Refusal {
    /// Only a leader accepts writes and linearizable reads.
    #[error("this node does not lead{}", .leader.map_or(String::new(), |it| format!("; ask {it}")))]
    NotLeader {
        /// Who leads, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// The content that the write names is not stored on the leader.
    #[error("content {content} is not stored on the leader: store it first")]
    ContentMissing {
        /// The content.
        content: ContentId,
    },
    /// The write names a version that this node does not know as one of the path.
    #[error("{dot} is not a known version of {path}")]
    UnknownVersion {
        /// The version that was named.
        dot: Dot,
        /// The path.
        path: Path,
    },
    /// A restore names a version that is no longer a head of its path.
    #[error("{dot} is not a current version of {path}: it has been replaced")]
    NotAHead {
        /// The version that was named.
        dot: Dot,
        /// The path.
        path: Path,
    },
    /// A retry finds what its first try wrote under an older leader, and it is not visible: it has
    /// been replaced, or has lost to a write that had not seen it and is kept as a conflict.
    #[error("{dot}, which this request wrote, is not the visible version of {path}")]
    Overtaken {
        /// The version that the request wrote.
        dot: Dot,
        /// The path.
        path: Path,
    },
    /// The log holds a later request of this client, and none by this id. The request, or a late
    /// copy of it, would overrule what the client wrote since.
    #[error("this client's request {newest} came first: an older one is not written any more")]
    Superseded {
        /// The number of the newest request of the client that is logged.
        newest: u64,
    },
    /// The log holds another write by this id.
    #[error("another write has this request id, it is {dot}: give every request an id of its own")]
    RequestReused {
        /// What the request wrote that had the id first.
        dot: Dot,
    },
    /// The node takes no further part.
    #[error("this node has stopped: {halt}")]
    Halted {
        /// Why.
        halt: Halt,
    },
    /// There is nothing to delete.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: Path,
    },
}
