//! Contents, in verified parts, over the connection of contents.
//!
//! The end that lacks a content pulls it: a [`Receiver`] asks, and the peer's [`Sender`] answers. Each end
//! has one of both per connection, because either may lack contents of the other.
//!
//! The name of a content is the root of its manifest, a tree of hashes, so every part is verified as soon as
//! it comes (see [`steadfast_delta::manifest`]):
//!
//! 1. *Outline.* The receiver asks for a content and names the old content that it has, if any. The sender
//!    answers with the hashes of all sections, which the name of the content verifies. Sections that the
//!    sender has in the same old content as well are a number instead of a hash.
//! 2. *Chunks.* The receiver lists the chunks of each section that its old content lacks. The hash of the
//!    section verifies them. Chunks that the old content has elsewhere are copied.
//! 3. *Stretches.* The receiver wants the missing chunks in stretches of at most [`STRETCH_MAX`] bytes. It
//!    chooses one of three ways:
//!    - *delta*: the sender has the old content, too, and sends a patch against a region of it;
//!    - *exchange*: only the receiver has the old content. It sends the manifest of a region of it down to
//!      the grains, and the sender answers with a patch made by [`steadfast_delta::remote`];
//!    - *whole*: the sender sends the chunks.
//!
//!    A patch that would not save an eighth travels as chunks, and a patch that does not make the chunks is
//!    replaced by them. Each chunk is verified and then written, once.
//!
//! A region is at most [`REGION_MAX`] bytes, so deltas need no content in memory, and a content may be of any
//! length. Memory: at the receiver, for each content that has begun, its manifest (1/500 of its length) and an index
//! of the old one's (as much again); at either end, some regions and a frame. Requests are bounded by
//! [`REQUESTS_MAX`], contents that have begun by [`TRANSFERS_MAX`].
//!
//! At most [`WINDOW`] bytes are under way to a receiver: a request is the credit for its answer. Contents take
//! turns frame by frame. A [`Download`] survives its connection, and goes on over another one, also with
//! another peer, with the chunks that it lacks.

mod download;
mod error;
mod matching;
mod messages;
mod outline;
mod receiver;
mod region;
mod sender;
mod upload;

use std::fmt;

use steadfast_delta::manifest::CHUNK_LENGTH_MAX;
pub use steadfast_delta::{Sink, Source};

pub use download::{Download, Received};
pub use error::TransferError;
pub use receiver::{Outcome, Receiver};
pub use sender::{Asked, Sender, Sent};

/// The bytes that may be under way to a receiver, over all contents of a connection.
pub const WINDOW: u64 = 8 << 20;

/// The longest stretch of missing chunks that is asked for at once, in bytes.
pub const STRETCH_MAX: u64 = lengths::STRETCH as u64;

/// The longest region of an old content that a patch refers to, in bytes.
pub const REGION_MAX: u64 = lengths::REGION as u64;

/// The requests of one content that may be under way.
pub const REQUESTS_MAX: usize = 64;

/// The contents that may be under way over a connection in one direction. Others wait for their turn.
pub const TRANSFERS_MAX: usize = 16;

/// Why a sender does not send a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lack {
    /// It has no good copy now.
    Missing,
    /// It has no copy and needs none any more.
    Gone,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lack::Missing => "it has no good copy",
            Lack::Gone => "it keeps no copy any more",
        })
    }
}

/// A content under way over one connection; the receiver chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u32);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transfer {}", self.0)
    }
}

/// The longest bodies of frames, in bytes.
pub(crate) mod lengths {
    use super::CHUNK_LENGTH_MAX;

    pub(crate) const STRETCH: usize = 256 << 10;
    pub(crate) const REGION: usize = 512 << 10;

    pub(crate) const ASK: usize = 69;
    pub(crate) const LIST: usize = 12;
    /// Its region's manifest has 8 bytes for each grain, whose least length is 128 bytes, and some 40 for
    /// each chunk.
    pub(crate) const WANT: usize = 64 + REGION / 12;
    pub(crate) const CLOSE: usize = 4;
    pub(crate) const OUTLINE: usize = 64 << 10;
    /// A section has at most 4 MiB and a chunk, and its chunks at least 16 KiB.
    pub(crate) const CHUNKS: usize = 16 << 10;
    pub(crate) const PIECE: usize = 12 + CHUNK_LENGTH_MAX;
    pub(crate) const PATCH: usize = 12 + STRETCH;
    pub(crate) const LACKS: usize = 5;
}
