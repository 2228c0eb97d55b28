//! Frames: a stream of bytes in pieces with a kind.
//!
//! | field | bytes | |
//! |---|---|---|
//! | length | 4 | of the body, little-endian |
//! | kind | 1 | [`Kind`] |
//! | body | length | depends on the kind |
//!
//! A decoder knows which kinds its channel has and how long a body of each may be. It refuses a frame of
//! another kind or length when it has seen these five bytes.

mod decoder;

use std::fmt;

use thiserror::Error;

use crate::transfer::lengths;

pub use decoder::Decoder;

/// The bytes before the body of a frame.
pub const HEADER_LENGTH: usize = 5;

/// The longest body of any frame.
pub const BODY_LENGTH_MAX: usize = PACKET_LENGTH_MAX;

/// The longest packet. With the default [`Limits`](steadfast_protocol::Limits) a packet of entries takes
/// less than 2 MiB. The rest is for what the limits let through whatever its size: an entry that is larger
/// than the limit, the heads of one path, which travel together, and the lineages of a state, at most some 150 KB. With inline
/// contents and paths of 1 KiB each a path may have some 7,000 heads.
pub const PACKET_LENGTH_MAX: usize = 16 << 20;

/// What a connection is for. The two connections between two nodes do not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Packets: heartbeats, votes and entries.
    Log,
    /// Contents.
    Contents,
}

impl Channel {
    /// The name of the channel in the application-layer protocol negotiation of TLS (ALPN, RFC 7301).
    #[must_use]
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Channel::Log => b"steadfast-log/1",
            Channel::Contents => b"steadfast-contents/1",
        }
    }

    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Channel::Log => 1,
            Channel::Contents => 2,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Channel> {
        [Channel::Log, Channel::Contents].into_iter().find(|it| it.to_byte() == byte)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Channel::Log => "log",
            Channel::Contents => "contents",
        })
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $byte:literal, $name:literal, $channels:expr, $length_max:expr;)*) => {
        /// The kind of a frame.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            /// The number of the kind in the header of a frame.
            #[must_use]
            pub fn to_byte(self) -> u8 {
                match self {
                    $(Kind::$kind => $byte,)*
                }
            }

            /// The longest body of the kind, in bytes.
            #[must_use]
            pub fn length_max(self) -> usize {
                match self {
                    $(Kind::$kind => $length_max,)*
                }
            }

            /// The channels on which it may travel.
            #[must_use]
            pub fn channels(self) -> &'static [Channel] {
                match self {
                    $(Kind::$kind => $channels,)*
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }
        }
    };
}

const BOTH: &[Channel] = &[Channel::Log, Channel::Contents];
const LOG: &[Channel] = &[Channel::Log];
const CONTENTS: &[Channel] = &[Channel::Contents];

kinds! {
    /// The first frame of each end.
    Hello = 1, "hello", BOTH, crate::handshake::HELLO_LENGTH_MAX;
    /// The end agrees to the peer's hello.
    Welcome = 2, "welcome", BOTH, crate::handshake::WELCOME_LENGTH;
    /// The end closes the connection, and says why.
    Refused = 3, "refused", BOTH, crate::handshake::SENTENCE_LENGTH_MAX;
    /// A packet of the protocol.
    Packet = 16, "packet", LOG, PACKET_LENGTH_MAX;
    /// The receiver asks for a content.
    Ask = 32, "ask", CONTENTS, lengths::ASK;
    /// The receiver asks for the chunks of a section.
    List = 33, "list", CONTENTS, lengths::LIST;
    /// The receiver asks for the bytes of chunks.
    Want = 34, "want", CONTENTS, lengths::WANT;
    /// The receiver needs nothing more of a content.
    Close = 35, "close", CONTENTS, lengths::CLOSE;
    /// The sections of a content.
    Outline = 48, "outline", CONTENTS, lengths::OUTLINE;
    /// The chunks of a section.
    Chunks = 49, "chunks", CONTENTS, lengths::CHUNKS;
    /// The bytes of a chunk.
    Piece = 50, "piece", CONTENTS, lengths::PIECE;
    /// What makes the bytes of some chunks from a region of the old content.
    Patch = 51, "patch", CONTENTS, lengths::PATCH;
    /// The sender does not send a content.
    Lacks = 52, "lacks", CONTENTS, lengths::LACKS;
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|it| it.to_byte() == byte)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind.
    pub kind: Kind,
    /// The bytes behind the header, at most [`Kind::length_max`].
    pub body: &'a [u8],
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frame of {} bytes", self.kind, self.body.len())
    }
}

/// Why bytes are not frames, or a frame is not what its kind says. The connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No kind has this number.
    #[error("the peer sent a frame of the unknown kind {0}")]
    UnknownKind(u8),
    /// Frames of this kind do not travel on this connection.
    #[error("the peer sent a {kind} frame on the {channel} connection")]
    WrongChannel {
        /// The kind.
        kind: Kind,
        /// The connection.
        channel: Channel,
    },
    /// The frame is longer than its kind may be.
    #[error("a {kind} frame of {length} bytes is too long: at most {limit} bytes are accepted")]
    TooLong {
        /// The kind.
        kind: Kind,
        /// The length of the body in bytes.
        length: usize,
        /// The longest body in bytes.
        limit: usize,
    },
    /// The body ends within a field.
    #[error("the {kind} frame is cut short")]
    CutShort {
        /// The kind.
        kind: Kind,
    },
    /// Bytes follow the last field.
    #[error("{count} bytes follow the last field of the {kind} frame")]
    Trailing {
        /// The kind.
        kind: Kind,
        /// Their number.
        count: usize,
    },
    /// A field has a value that it cannot have.
    #[error("the {kind} frame is malformed: {rule}")]
    Malformed {
        /// The kind.
        kind: Kind,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The frame is right and comes at a time at which it makes no sense.
    #[error("the peer sent a {kind} frame when {expected} was expected")]
    Unexpected {
        /// The kind.
        kind: Kind,
        /// What should have come.
        expected: &'static str,
    },
}

/// Appends a frame whose body `put` appends. If it fails, `out` is as it was.
///
/// # Errors
/// The body is longer than its kind may be.
pub(crate) fn encode(
    kind: Kind,
    out: &mut Vec<u8>,
    put: impl FnOnce(&mut Vec<u8>),
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind.to_byte()]);
    put(out);
    let (length, limit) = (out.len() - start - HEADER_LENGTH, kind.length_max());
    match u32::try_from(length).ok().filter(|_| length <= limit) {
        Some(length) => {
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        None => {
            out.truncate(start);
            Err(FrameError::TooLong { kind, length, limit })
        }
    }
}

/// Appends a frame whose body cannot be too long.
pub(crate) fn encode_short(kind: Kind, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    if let Err(error) = encode(kind, out, put) {
        panic!("short-frames-fit: {error}");
    }
}
