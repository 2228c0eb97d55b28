//! Inputs: the events to which a replica reacts.

use serde::{Deserialize, Serialize};

use crate::{
    Content, ContentId, Counter, Dot, LogIndex, NodeId, Packet, Path, RequestId, SessionId,
};

/// The change of a path that a client requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Intent {
    /// Store this content under the path.
    Put(Content),
    /// Delete the path.
    Delete,
    /// Store the content of this head again, or delete the path if the head is a delete. The write
    /// replaces that head in addition to its base.
    Restore(Dot),
}

/// The heads that a write replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Base {
    /// The head that is visible at the leader.
    #[default]
    Visible,
    /// The heads that the client names. With an empty list the write replaces nothing; a list of all
    /// heads resolves a conflict.
    Named(Vec<Dot>),
}

/// A client's write. Deletes, restores and resolutions of conflicts are writes too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteRequest {
    /// The id of the request.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// The change to the file.
    pub intent: Intent,
    /// The heads that the write replaces.
    pub base: Base,
    /// The highest Lamport counter that the client had seen at any node when it sent the request for the first
    /// time. All tries name the same one, and a later request of the client no lower one. The write gets a higher
    /// counter. A leader that may have forgotten the request refuses it by
    /// [`Refusal::Forgotten`](crate::Refusal::Forgotten).
    pub seen: Counter,
}

/// The consistency of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Consistency {
    /// The leader answers, after W nodes have confirmed that it leads.
    Linearizable,
    /// Any node answers at once, and marks the value as stale.
    Stale,
}

/// A client's read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadRequest {
    /// The id of the request.
    pub request: RequestId,
    /// The file.
    pub path: Path,
    /// The consistency that the client requires.
    pub consistency: Consistency,
}

/// An event that a driver passes to a replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Input {
    /// A client requests a write.
    Write(WriteRequest),
    /// A client requests a read.
    Read(ReadRequest),
    /// The log is on disk up to and including the record at this index.
    Synced(LogIndex),
    /// The election timer has run out. The driver starts the timer when the node starts, whenever it
    /// has run out, and at each [`Effect::ResetElectionTimer`](crate::Effect::ResetElectionTimer). Each
    /// time it draws the length at random, so that two nodes rarely become candidates together. The
    /// length is several times the interval between ticks.
    ElectionTimeout,
    /// The heartbeat timer has run out. The driver needs this timer only while
    /// [`Replica::needs_ticks`](crate::Replica::needs_ticks).
    Tick,
    /// A session with a peer began. The driver delivers its messages only after this input.
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
        /// The sender.
        from: NodeId,
        /// The message in its session.
        packet: Packet,
    },
    /// A content is durable, and the hash of its bytes is its id: the node asked for it with
    /// [`Effect::Store`](crate::Effect::Store), or a client has uploaded it. The driver reports every upload,
    /// also of a content that the node has already. The node keeps an uploaded content until it has handled
    /// a write that names it, until the driver withdraws it ([`Input::Withdrawn`]), or until it starts again.
    Stored {
        /// The content.
        content: ContentId,
    },
    /// The driver could not turn a payload into its content: the base is missing, the hash of the result is not
    /// the id of the content, or the sender no longer has the content. The node asks the sender again. So a driver
    /// whose own disk fails tries again instead of reporting this, and one that has got wrong bytes waits before it does.
    Unusable {
        /// The content.
        content: ContentId,
    },
    /// The driver has a copy of a content that a peer has asked for, and has not found it bad.
    Fetched {
        /// The content.
        content: ContentId,
    },
    /// The log is longer than the driver likes, so the node drops entries that it need not hold: it returns
    /// [`Effect::Checkpoint`](crate::Effect::Checkpoint).
    Trim,
    /// The log on disk begins with the checkpoint that the node asked for last, instead of the records that
    /// it stands for. A crash leaves either.
    Checkpointed,
    /// The driver could not write or sync the log. The node halts until it is started again.
    LogFailed,
    /// The driver found the copy of a content to be bad or missing.
    Bad {
        /// The content.
        content: ContentId,
    },
    /// The driver has read all bytes of a copy, and their hash is the id of the content. Counts for the next write only
    /// ([`Replica::unverified`](crate::Replica::unverified)).
    Verified {
        /// The content.
        content: ContentId,
    },
    /// A client has uploaded a content, and its write will not come: the node no longer keeps the content for it.
    Withdrawn {
        /// The content.
        content: ContentId,
    },
}
