//! The first frames of a connection.
//!
//! Each end sends a hello at once. An end that finds that the peer's hello fits sends a welcome with the id
//! of the session, which is the higher one of the two proposals; an end that finds that it does not fit
//! sends a refusal, and both ends log its sentence. A connection is open at an end that has sent a welcome
//! and received one, so neither end opens a connection that the other one refuses.
//!
//! The driver proposes a session id that is above every id that it used before, and above its clock, so that
//! a node that has lost its memory proposes a new one nevertheless.

mod hello;

use steadfast_protocol::{Halt, NodeId, SessionId, Settings};
use thiserror::Error;

use crate::ClusterId;
use crate::bytes::Fields;
use crate::frame::{self, Channel, Frame, FrameError, Kind};
pub(crate) use hello::HELLO_LENGTH_MAX;
use hello::Hello;

/// The version of everything that this crate defines. Nodes of different versions do not talk.
pub const VERSION: u16 = 3;

/// The length of a welcome in bytes.
pub(crate) const WELCOME_LENGTH: usize = 8;

/// The longest sentence of a refusal, in bytes.
pub(crate) const SENTENCE_LENGTH_MAX: usize = 1024;

/// The highest session id. A peer that proposes a higher one, by a fault, would leave no ids for the
/// sessions that follow.
pub const SESSION_MAX: SessionId = SessionId(u64::MAX >> 1);

/// Which node an end is.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node's id.
    pub node: NodeId,
    /// The settings of the cluster, as the node's log has them.
    pub settings: Settings,
    /// Why the node has halted, if it has. It refuses every connection then.
    pub halt: Option<Halt>,
}

/// The state of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More frames must come.
    Waiting,
    /// The connection is open.
    Open {
        /// The id of the session.
        session: SessionId,
    },
}

/// Why a connection is not opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// This end refuses. The output holds a frame with the reason.
    #[error("refused {peer}: {refusal}")]
    Refused {
        /// The node that the peer's certificate names.
        peer: NodeId,
        /// The reason.
        refusal: Refusal,
    },
    /// The peer refuses.
    #[error("{peer} refused: {sentence}")]
    RefusedByPeer {
        /// The node that the peer's certificate names.
        peer: NodeId,
        /// The peer's reason, without control characters.
        sentence: String,
    },
    /// A frame is malformed or comes out of turn. The output holds a frame with the reason.
    #[error("the handshake with {peer} failed: {error}")]
    Frame {
        /// The node that the peer's certificate names.
        peer: NodeId,
        /// The reason.
        #[source]
        error: FrameError,
    },
}

/// Why an end refuses a connection. The sentence goes to the peer as well, so that both ends log it: "this
/// node" is the one that refuses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The peer does not speak this protocol at all.
    #[error("the peer does not begin as a Steadfast node does")]
    NotANode,
    /// The peer has another version.
    #[error(
        "this node speaks version {VERSION} of the protocol between nodes and the peer version {0}: run the same \
         release on all nodes"
    )]
    Version(u16),
    /// One end takes this for the connection of packets and the other one for that of contents.
    #[error("this is the {own} connection here, and the {other} connection at the peer")]
    Channel {
        /// This end's channel.
        own: Channel,
        /// The peer's channel.
        other: Channel,
    },
    /// The peer belongs to another cluster.
    #[error("this node is in cluster {own} and the peer in cluster {other}: check the addresses")]
    Cluster {
        /// This node's cluster.
        own: ClusterId,
        /// The peer's cluster.
        other: ClusterId,
    },
    /// The logs of the two nodes have different settings.
    #[error(
        "this node has N={}, E={}, W={} and the peer N={}, E={}, W={}: all nodes must have the same settings",
        own.nodes(), own.elect(), own.write(), other.nodes(), other.elect(), other.write()
    )]
    Settings {
        /// The settings of this node's log.
        own: Settings,
        /// The settings of the peer's log.
        other: Settings,
    },
    /// The peer says that it is another node than its certificate says.
    #[error(
        "the certificate names node {certified} and the peer says that it is {found}: check its config"
    )]
    Certificate {
        /// The node that the certificate names.
        certified: NodeId,
        /// The node that the peer says it is.
        found: NodeId,
    },
    /// The peer has the id of this node.
    #[error("both ends are node {0}: check the addresses, and that no two nodes have the same id")]
    Itself(NodeId),
    /// The cluster has no such node.
    #[error("the cluster has {nodes} nodes, from n0 on, and no node {found}")]
    Stranger {
        /// The number of nodes.
        nodes: u8,
        /// The peer's id.
        found: NodeId,
    },
    /// The peer proposes a session id that leaves none for later.
    #[error("the peer proposes the session id {0}, above {SESSION_MAX}: check its clock")]
    Session(SessionId),
    /// This node has halted.
    #[error("node {node} has halted: {halt}")]
    Halted {
        /// This node.
        node: NodeId,
        /// The reason.
        halt: Halt,
    },
}

/// The handshake at one end of a connection.
#[derive(Debug)]
pub struct Handshake {
    local: Local,
    channel: Channel,
    certified: NodeId,
    proposal: SessionId,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The peer's hello must come.
    Greeted,
    /// The peer's welcome must come.
    Welcomed(SessionId),
    Open,
    Failed,
}

impl Handshake {
    /// Begins at one end of a connection whose peer has proved that it is `certified`, and appends the
    /// hello to `out`.
    #[must_use]
    pub fn begin(
        local: Local,
        channel: Channel,
        certified: NodeId,
        proposal: SessionId,
        out: &mut Vec<u8>,
    ) -> Handshake {
        let proposal = proposal.min(SESSION_MAX);
        let Local { cluster, node, settings, .. } = local;
        Hello { channel, cluster, node, settings, proposal }.encode(out);
        Handshake { local, channel, certified, proposal, state: State::Greeted }
    }

    /// Takes the next frame of the peer, and appends the answer to `out`.
    ///
    /// # Errors
    /// The connection is not opened. The driver sends what is in `out`, logs the error and closes the
    /// connection.
    pub fn receive(
        &mut self,
        frame: Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeError> {
        let received = self.dispatch(frame, out);
        if let Err(error) = &received {
            self.state = State::Failed;
            match error {
                HandshakeError::Refused { refusal, .. } => refuse(&refusal.to_string(), out),
                HandshakeError::Frame { error, .. } => refuse(&error.to_string(), out),
                HandshakeError::RefusedByPeer { .. } => {}
            }
        }
        received
    }

    fn dispatch(
        &mut self,
        frame: Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeError> {
        let peer = self.certified;
        let unexpected = |expected| {
            let error = FrameError::Unexpected { kind: frame.kind, expected };
            Err(HandshakeError::Frame { peer, error })
        };
        match (self.state, frame.kind) {
            (_, Kind::Refused) => {
                Err(HandshakeError::RefusedByPeer { peer, sentence: read_refusal(frame) })
            }
            (State::Greeted, Kind::Hello) => self.on_hello(frame, out),
            (State::Welcomed(session), Kind::Welcome) => self.on_welcome(session, frame),
            (State::Greeted, _) => unexpected("a hello"),
            (State::Welcomed(_), _) => unexpected("a welcome"),
            (State::Open, _) => unexpected("no further frame of the handshake"),
            (State::Failed, _) => unexpected("no further frame"),
        }
    }

    fn on_hello(
        &mut self,
        frame: Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeError> {
        let peer = self.certified;
        let refused = |refusal| HandshakeError::Refused { peer, refusal };
        let hello = match Hello::decode(frame) {
            Ok(hello) => hello.map_err(refused)?,
            Err(error) => return Err(HandshakeError::Frame { peer, error }),
        };
        self.judge(&hello).map_err(refused)?;
        let session = hello.proposal.max(self.proposal);
        frame::encode_short(Kind::Welcome, out, |out| out.extend(session.0.to_le_bytes()));
        self.state = State::Welcomed(session);
        Ok(Progress::Waiting)
    }

    fn on_welcome(
        &mut self,
        session: SessionId,
        frame: Frame<'_>,
    ) -> Result<Progress, HandshakeError> {
        let failed = |error| HandshakeError::Frame { peer: self.certified, error };
        if read_welcome(frame).map_err(failed)? != session {
            let rule = "it names another session than the higher one of the two proposals";
            return Err(failed(FrameError::Malformed { kind: Kind::Welcome, rule }));
        }
        self.state = State::Open;
        Ok(Progress::Open { session })
    }

    /// Whether the peer belongs to this end.
    fn judge(&self, hello: &Hello) -> Result<(), Refusal> {
        let Local { cluster, node, settings, halt } = self.local;
        let found = hello.node;
        if hello.channel != self.channel {
            return Err(Refusal::Channel { own: self.channel, other: hello.channel });
        }
        if hello.cluster != cluster {
            return Err(Refusal::Cluster { own: cluster, other: hello.cluster });
        }
        if hello.settings != settings {
            return Err(Refusal::Settings { own: settings, other: hello.settings });
        }
        if found == node {
            return Err(Refusal::Itself(node));
        }
        if found.0 >= settings.nodes() {
            return Err(Refusal::Stranger { nodes: settings.nodes(), found });
        }
        if found != self.certified {
            return Err(Refusal::Certificate { certified: self.certified, found });
        }
        if hello.proposal > SESSION_MAX {
            return Err(Refusal::Session(hello.proposal));
        }
        match halt {
            Some(halt) => Err(Refusal::Halted { node, halt }),
            None => Ok(()),
        }
    }
}

/// Appends a refusal. A driver sends one before it closes an open connection by its own decision, for
/// example because the node has halted.
pub fn refuse(sentence: &str, out: &mut Vec<u8>) {
    let length = sentence.floor_char_boundary(SENTENCE_LENGTH_MAX);
    frame::encode_short(Kind::Refused, out, |out| {
        out.extend_from_slice(&sentence.as_bytes()[..length]);
    });
}

/// The sentence of a refusal, without control characters.
#[must_use]
pub fn read_refusal(frame: Frame<'_>) -> String {
    let sentence = String::from_utf8_lossy(frame.body);
    sentence
        .chars()
        .map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it })
        .collect()
}

fn read_welcome(frame: Frame<'_>) -> Result<SessionId, FrameError> {
    let mut fields = Fields::new(frame.kind, frame.body);
    let session = SessionId(fields.u64()?);
    fields.end()?;
    Ok(session)
}
