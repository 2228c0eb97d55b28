//! The state of nodes, and work that they do on demand.

use bytes::{Buf, BytesMut};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use steadfast_protocol::ContentId;

use crate::answer::Pieces;
use crate::call::Call;
use crate::{Client, Error, Position};

/// The state of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The cluster, 32 hexadecimal digits.
    pub cluster: String,
    /// The name of the node.
    pub node: String,
    /// Its id.
    pub id: u8,
    /// `leader`, `follower`, `candidate`, `pre-candidate` or `halted`.
    pub role: String,
    /// Why it has halted, if it has.
    #[serde(default)]
    pub halt: Option<String>,
    /// Its epoch.
    pub epoch: String,
    /// The name of the node that it follows, or its own.
    pub leader: Option<String>,
    /// N, E and W.
    pub settings: SettingsText,
    /// Its log.
    pub log: LogState,
    /// The writes that it has applied.
    pub vv: Position,
    /// A digest of its files and heads: nodes with the same digest hold the same.
    pub digest: String,
    /// How many files it shows.
    pub files: u64,
    /// How many of them are in conflict.
    pub conflicts: u64,
    /// Its contents.
    pub contents: Contents,
    /// The other nodes, as this one sees them.
    pub peers: Vec<Peer>,
    /// What waits.
    pub queues: Queues,
    /// How long it has been running, in seconds.
    pub uptime_s: u64,
    /// The version of its program.
    pub version: String,
}

/// N, E and W.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsText {
    /// The number of nodes.
    pub nodes: u8,
    /// The votes that a leader needs.
    pub elect: u8,
    /// The copies that a write needs.
    pub write: u8,
}

/// The log of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogState {
    /// The number of the first record.
    pub first: u64,
    /// The number of the last record.
    pub last: u64,
    /// The number of the last synced record.
    pub synced: u64,
    /// The bytes that it takes.
    pub bytes: u64,
}

/// The contents of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How many it has.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many it lacks.
    pub missing: u64,
    /// How many are damaged.
    pub bad: u64,
}

/// A node, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub node: String,
    /// Its id.
    pub id: u8,
    /// Its address.
    pub address: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// The writes that it is known to have.
    pub vv: Option<Position>,
    /// How many writes it lacks.
    pub lag: Option<u64>,
    /// Whether the connection is cut on purpose.
    pub cut: bool,
}

/// What waits in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Requests of clients.
    pub requests: u64,
    /// Events of peers and of the disk.
    pub events: u64,
    /// Messages of peers that wait for contents.
    pub waiting_for_contents: u64,
}

/// The longest line of a verification.
const LINE_LENGTH_MAX: usize = 64 << 10;

impl Client {
    /// The state of one node.
    ///
    /// # Errors
    /// There is no such node in the configuration, or it does not answer.
    pub async fn status(&self, node: &str) -> Result<Status, Error> {
        self.status_at(self.index_of(node)?).await
    }

    async fn status_at(&self, node: usize) -> Result<Status, Error> {
        self.send(Call::get("/status".to_owned()).at(node)).await?.json().await
    }

    /// The state of any node.
    pub(crate) async fn any_status(&self) -> Result<Status, Error> {
        self.send(Call::get("/status".to_owned()).local()).await?.json().await
    }

    /// Asks the nodes who leads, so that a long upload goes to the leader at once. Without an answer, the upload
    /// finds its way by redirects.
    pub(crate) async fn find_leader(&self) {
        for node in 0..self.shared.nodes.len() {
            // Boxed, because asking sends a request, and sending one may ask.
            let status = Box::pin(self.status_at(node)).await;
            let leader = status.ok().and_then(|it| it.leader);
            if let Some(leader) = leader.and_then(|it| self.index_of(&it).ok()) {
                return self.shared.set_leader(Some(leader));
            }
        }
    }

    /// Lets a node verify every content that it has.
    ///
    /// # Errors
    /// There is no such node in the configuration, or it does not answer.
    pub async fn verify(&self, node: &str) -> Result<Verification, Error> {
        let call = Call::new(Method::POST, "/verify".to_owned()).at(self.index_of(node)?);
        let pieces = self.send(call).await?.body;
        Ok(Verification { pieces, bytes: BytesMut::new(), has_ended: false })
    }

    /// Cuts the connections of a node to these peers, until a call with others or none. Only nodes of a demonstration allow it.
    ///
    /// # Errors
    /// The node does not allow it or does not answer.
    pub async fn cut(&self, node: &str, peers: &[&str]) -> Result<(), Error> {
        let call = Call::new(Method::POST, "/admin/cut".to_owned()).at(self.index_of(node)?);
        self.send(call.json(&json!({ "peers": peers }))).await.map(|_| ())
    }
}

/// A result of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Finding {
    /// A content that is damaged.
    Content {
        /// The content.
        content: ContentId,
        /// Whether it is whole.
        ok: bool,
        /// The damage.
        why: Option<String>,
    },
    /// The end: everything was read.
    End {
        /// How many contents were read.
        checked: u64,
        /// How many of them are damaged.
        bad: u64,
        /// How many bytes were read.
        bytes: u64,
    },
}

/// A verification that is under way on a node.
#[derive(Debug)]
pub struct Verification {
    pieces: Pieces,
    bytes: BytesMut,
    has_ended: bool,
}

impl Verification {
    /// The next result; `None` after [`Finding::End`].
    ///
    /// # Errors
    /// The connection ended before the verification did, so that not everything was verified.
    pub async fn next(&mut self) -> Result<Option<Finding>, Error> {
        if self.has_ended {
            return Ok(None);
        }
        loop {
            if let Some(end) = self.bytes.iter().position(|it| *it == b'\n') {
                let line = self.bytes.split_to(end);
                self.bytes.advance(1);
                // Empty lines keep the connection alive.
                if line.is_empty() {
                    continue;
                }
                let finding = self.pieces.parse(&line)?;
                self.has_ended = matches!(finding, Finding::End { .. });
                return Ok(Some(finding));
            }
            if self.bytes.len() > LINE_LENGTH_MAX {
                return Err(self
                    .pieces
                    .nonsense(format!("a line has more than {LINE_LENGTH_MAX} bytes")));
            }
            // A node that reads large contents is silent meanwhile.
            match self.pieces.arrived().await? {
                Some(piece) => self.bytes.extend_from_slice(&piece),
                None => {
                    let why = "the verification ended early".to_owned();
                    return Err(Error::Lost { node: self.pieces.node().to_owned(), why });
                }
            }
        }
    }
}
