//! Why a download fails.

use std::io;

use steadfast_delta::manifest::ManifestError;
use steadfast_protocol::ContentId;
use thiserror::Error;

/// Why a download fails. The connection goes on, and another peer may have a better copy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The outline does not make the name.
    #[error("the outline frames name other sections than those of content {content}")]
    OtherContent {
        /// The content.
        content: ContentId,
    },
    /// The outline has more or fewer bytes or sections than a content of its length.
    #[error("the outline frames of content {content} are wrong: {rule}")]
    Outline {
        /// The content.
        content: ContentId,
        /// The rule that they break.
        rule: &'static str,
    },
    /// The content is longer than the driver accepts.
    #[error("content {content} has {length} bytes; at most {limit} are accepted")]
    TooLong {
        /// The content.
        content: ContentId,
        /// Its length in bytes.
        length: u64,
        /// The bytes that the driver accepts.
        limit: u64,
    },
    /// The chunks of a section are not those that its hash names.
    #[error("the chunks frame of section {section} of content {content} is wrong: {error}")]
    Chunks {
        /// The content.
        content: ContentId,
        /// The number of the section, from 0.
        section: u64,
        /// The reason.
        #[source]
        error: ManifestError,
    },
    /// The bytes of a chunk are not those that its hash names.
    #[error(
        "the piece frame for the {length} bytes at {offset} of content {content} has other bytes than its hash names"
    )]
    Piece {
        /// The content.
        content: ContentId,
        /// Where the chunk begins.
        offset: u64,
        /// The length of the chunk in bytes.
        length: u32,
    },
    /// The content cannot be written.
    #[error("cannot write content {content}")]
    Sink {
        /// The content.
        content: ContentId,
        /// The reason.
        #[source]
        error: io::Error,
    },
}
