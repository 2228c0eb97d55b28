//! Effects: the actions that a replica requests of its driver.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    Checkpoint, ContentId, Counter, Dot, Entry, Halt, NodeId, Packet, Path, Payload, Record,
    RequestId, Sealed,
};

/// An action for the driver, which performs effects in the order in which `step` returned them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Append these records to the log, sync them when convenient, then report
    /// [`Input::Synced`](crate::Input::Synced).
    Append {
        /// The records, in the order of the log.
        records: Vec<Record>,
    },
    /// Replace the synced records of the log by this checkpoint, in one step, then report
    /// [`Input::Checkpointed`](crate::Input::Checkpointed). The log goes on behind it: the indexes of
    /// records do not change. The node goes on meanwhile.
    Checkpoint {
        /// The checkpoint.
        checkpoint: Sealed<Checkpoint>,
    },
    /// Send a message, with the bytes of its payloads. If the driver cannot read a payload, it leaves it
    /// out ([`Message::without_payload`](crate::Message::without_payload)) and reports
    /// [`Input::Bad`](crate::Input::Bad).
    Send {
        /// The receiver.
        to: NodeId,
        /// The message in its session; the driver drops it if that session has ended.
        packet: Packet,
    },
    /// Restart the election timer: the node has heard its leader, voted, or changed its role.
    ResetElectionTimer,
    /// Send a client the outcome of its request.
    Answer {
        /// The request.
        request: RequestId,
        /// The outcome.
        outcome: Outcome,
    },
    /// Turn a received payload into a durable content, then report
    /// [`Input::Stored`](crate::Input::Stored) or [`Input::Unusable`](crate::Input::Unusable).
    Store {
        /// The payload.
        payload: Payload,
        /// The peer that sent the payload.
        from: NodeId,
    },
    /// Delete the copy of a content, good or bad, if there is one: nothing here names it any more. The driver
    /// lets reads of the copy that have begun go on to their end. It does not delete a copy that it has
    /// begun to make, or has made and not reported yet; the report makes the node keep that copy.
    Discard {
        /// The content.
        content: ContentId,
    },
    /// Look for a good copy of a content that a peer has asked for, then report
    /// [`Input::Fetched`](crate::Input::Fetched) or [`Input::Bad`](crate::Input::Bad). A driver that verifies
    /// the bytes as it sends them need not read them before it reports.
    Fetch {
        /// The content.
        content: ContentId,
    },
}

/// The answer to a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The write is synced on W nodes.
    Acknowledged {
        /// The entry that the write made.
        dot: Dot,
    },
    /// The request was refused and has no effect.
    Refused(Refusal),
    /// The leader stepped down before it knew the outcome. The write may take effect later, or never.
    /// The client retries with the same request id, so that the write does not happen twice.
    Unknown,
    /// The result of a read.
    Value {
        /// The visible version: for a deleted path its delete, for a path never written `None`.
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
        /// The leader, if this node knows one.
        leader: Option<NodeId>,
    },
    /// The leader has no copy of the content that the write names, or none that was verified for this write.
    #[error(
        "the leader has no good copy of content {content}: upload it, or try again once the leader has got it from \
         another node"
    )]
    ContentMissing {
        /// The content.
        content: ContentId,
    },
    /// The write names a version that this node does not know as a version of the path.
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
    /// The request was tried before, and the entry that an older leader made for it is not visible:
    /// another write has replaced it, or it is a conflict version that lost to a write which had not
    /// seen it.
    #[error("{dot}, which this request wrote, is not the visible version of {path}")]
    Overtaken {
        /// The version that the request wrote.
        dot: Dot,
        /// The path.
        path: Path,
    },
    /// The log holds a later request of this client, and no entry of this one. The request may be a late
    /// copy, and writing it would overrule the client's later write.
    #[error(
        "this client's later request {newest} is already written: number requests in rising order, \
         and retry a write before you send the next one"
    )]
    Superseded {
        /// The number of the newest request of the client that is logged.
        newest: u64,
    },
    /// The log holds no entry of this request, and may have forgotten one: nodes remember requests for
    /// [`REMEMBERED`](crate::REMEMBERED) Lamport times. Only reads can say whether the request was written.
    #[error(
        "this request is too old to say whether it is written: its client had seen clock {seen} when it sent \
         it first, and requests before {horizon} are forgotten"
    )]
    Forgotten {
        /// The Lamport counter that the request names.
        seen: Counter,
        /// Requests with a lower Lamport counter are forgotten.
        horizon: Counter,
    },
    /// The log holds a different write under this request id.
    #[error("this request id belongs to another write, {dot}: give every request an id of its own")]
    RequestReused {
        /// The entry of the write that used the id first.
        dot: Dot,
    },
    /// The node has halted: it takes no further part in the cluster.
    #[error("this node has halted: {halt}")]
    Halted {
        /// The reason.
        halt: Halt,
    },
    /// The write deletes a path that shows no file.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: Path,
    },
}
