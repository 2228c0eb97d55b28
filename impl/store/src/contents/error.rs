//! Why a content cannot be written, read or removed.

use std::io;

use steadfast_delta::manifest::Root;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Call, DiskError};

/// Why a content cannot be written, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// There is no copy.
    #[error("there is no content {}", Root(.0.0))]
    Missing(ContentId),
    /// The copy is bad. A good copy must come from a peer.
    #[error(
        "the copy of content {} is damaged{}: a good one must come from another node",
        Root(.content.0),
        .offset.map_or(String::new(), |it| format!(" in the chunk at byte {it}"))
    )]
    Rotten {
        /// The content.
        content: ContentId,
        /// The first byte of the chunk that differs from the manifest, if it was found just now.
        offset: Option<u64>,
    },
    /// The bytes that were written are another content.
    #[error(
        "the bytes that were written are content {}, not {}: nothing was stored",
        Root(.found.0), Root(.expected.0)
    )]
    OtherContent {
        /// The content that was expected.
        expected: ContentId,
        /// The root of the bytes.
        found: ContentId,
    },
    /// A read goes beyond the end.
    #[error("bytes {offset} to {} of content {}, which has {length} bytes", .offset + .bytes, Root(.content.0))]
    OutOfRange {
        /// The content.
        content: ContentId,
        /// Where the read begins.
        offset: u64,
        /// How many bytes were asked for.
        bytes: u64,
        /// The length of the content.
        length: u64,
    },
    /// The directory is open already.
    #[error(
        "the contents in {directory} are in use by {}: stop it first",
        match .is_this_process { true => "this process", false => "another process" }
    )]
    InUse {
        /// The directory.
        directory: String,
        /// Whether this process has it open.
        is_this_process: bool,
    },
    /// The disk fails.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl ContentError {
    pub(super) fn disk(call: Call, name: &str) -> impl FnOnce(io::Error) -> ContentError {
        move |source| DiskError { call, name: name.to_owned(), source }.into()
    }

    /// Whether the disk was full.
    #[must_use]
    pub fn is_out_of_space(&self) -> bool {
        matches!(self, ContentError::Disk(error) if error.is_out_of_space())
    }
}
