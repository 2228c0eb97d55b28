//! What a replica hears.

use serde::{Deserialize, Serialize};

use crate::{Content, ContentId, Dot, LogIndex, NodeId, Packet, Path, RequestId, SessionId};

/// What a client wants done to a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Intent {
    /// Hold this content.
    Put(Content),
    /// Hold nothing.
    Delete,
    /// Hold again what this head of the path holds. Names that head besides the base.
    Restore(Dot),
}

/// Which heads a write takes the place of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Base {
    /// The head that the leader shows.
    #[default]
    Visible,
    /// The heads that the author saw and names. An empty list claims to replace nothing; a list
    /// of all heads resolves a conflict.
    Named(Vec<Dot>),
}

/// A client's write. A delete, a resolve and a restore are writes too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteRequest {
    /// The client's name for it.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// What to do.
    pub intent: Intent,
    /// What it takes the place of.
    pub base: Base,
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Consistency {
    /// Served by the leader, confirmed by W nodes.
    Linearizable,
    /// Served at once by anyone, and says so.
    Stale,
}

/// A client's read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadRequest {
    /// The client's name for it.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// How fresh.
    pub consistency: Consistency,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Input {
    /// A client writes.
    Write(WriteRequest),
    /// A client reads.
    Read(ReadRequest),
    /// The log is on disk up to and including the record at this index.
    Synced(LogIndex),
    /// The election timer has run out. The driver arms it when the node starts, arms it again
    /// whenever it has run out, and restarts it at each
    /// [`Effect::ResetElectionTimer`](crate::Effect::ResetElectionTimer). Its length is drawn at random
    /// each time, so that two nodes seldom ask at once, and is several times the one between ticks.
    ElectionTimeout,
    /// The heartbeat timer has run out. It is needed while
    /// [`Replica::needs_ticks`](crate::Replica::needs_ticks).
    Tick,
    /// A session with a peer began. Its messages are delivered only after this.
    LinkUp {
        /// The other end.
        peer: NodeId,
        /// The session's id, higher than those of all earlier sessions with this peer.
        session: SessionId,
    },
    /// The session with a peer ended.
    LinkDown {
        /// The other end.
        peer: NodeId,
    },
    /// A message arrived.
    Receive {
        /// Who sent it.
        from: NodeId,
        /// The message in its session.
        packet: Packet,
    },
    /// A content is durable, and its bytes are those that its name says.
    Stored {
        /// The content.
        content: ContentId,
    },
    /// A payload could not be turned into its content: its base is missing, or the result's hash
    /// is not the named one.
    Unusable {
        /// The content.
        content: ContentId,
    },
    /// A content that was fetched for a peer is good and ready to be sent.
    Fetched {
        /// The content.
        content: ContentId,
    },
    /// The log could not be written or synced. The node takes no further part until it is started
    /// again.
    LogFailed,
    /// A content's copy was found to be bad or missing.
    Bad {
        /// The content.
        content: ContentId,
    },
}
