//! The events that reach the thread of a node, and the answers that leave it.

use steadfast_protocol::{
    Base, Change, Consistency, ContentId, Counter, Dot, Entry, Files, Intent, NodeId, Outcome,
    Packet, Path, RequestId, SessionId,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::disk::StoredContent;

/// An end of a connection that carries packets to a peer.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The packets that wait to be written, at most [`PACKETS_WAITING_MAX`].
    pub packets: mpsc::Sender<Packet>,
    /// Ends the connection.
    pub end: CancellationToken,
}

/// How many packets may wait for the connection to a peer. The protocol bounds the entries under way; a peer
/// that does not even take heartbeats for so long is cut off.
pub(crate) const PACKETS_WAITING_MAX: usize = 1_024;

/// An event of peers or of the disk.
#[derive(Debug)]
pub(crate) enum Event {
    /// A session with a peer began.
    LinkUp { peer: NodeId, session: SessionId, link: Link },
    /// The session with a peer ended. Ignored if a newer one has begun.
    LinkDown { peer: NodeId, session: SessionId },
    /// A packet arrived.
    Received { from: NodeId, packet: Packet },
    /// The content of a payload was stored, or could not be.
    Made(Result<StoredContent, ContentId>),
    /// A content could not be read for a peer, which then asks another one.
    Unreadable(ContentId),
    /// The bytes of a content were found to be wrong.
    Rotten(ContentId),
}

/// The state of a path that a client requires for its write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Any.
    #[default]
    Any,
    /// The path shows one of these versions, and the write replaces those of them that are heads.
    Shows(Vec<Dot>),
    /// The path shows a file.
    Exists,
    /// The path shows no file.
    Absent,
    /// The path shows none of these versions.
    ShowsNone(Vec<Dot>),
}

impl Condition {
    /// Whether a path with these heads, the visible one first, is as required.
    pub(crate) fn holds(&self, heads: &[Entry]) -> bool {
        let shown = heads.first();
        let is_file = shown.is_some_and(|it| it.change != Change::Delete);
        match self {
            Condition::Any => true,
            Condition::Shows(dots) => shown.is_some_and(|it| dots.contains(&it.dot)),
            Condition::Exists => is_file,
            Condition::Absent => !is_file,
            Condition::ShowsNone(dots) => !shown.is_some_and(|it| dots.contains(&it.dot)),
        }
    }
}

/// The name that a client gives to its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The id of the request.
    pub request: RequestId,
    /// The highest Lamport counter that the client had seen when it made the key.
    pub seen: Counter,
}

/// A write that a client requests.
#[derive(Debug)]
pub(crate) struct Write {
    /// The name of the request, if the client has given it one.
    pub key: Option<Key>,
    /// The content that was stored for this write. The node learns of it together with the write, so that
    /// no content is there that nothing names.
    pub stored: Option<StoredContent>,
    /// The file.
    pub path: Path,
    /// The change.
    pub intent: Intent,
    /// The versions that the write replaces, unless the condition names them.
    pub base: Base,
    /// The state of the path that the client requires.
    pub condition: Condition,
}

/// A request of a client.
#[derive(Debug)]
pub(crate) enum Request {
    /// A write.
    Write(Write, oneshot::Sender<Reply>),
    /// A read of one path.
    Read(Path, Consistency, oneshot::Sender<Reply>),
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The outcome, with the files that the node shows at that moment.
    Outcome(Outcome, Files),
    /// The condition of the write does not hold. W nodes have confirmed that the node leads.
    ConditionFailed,
}
