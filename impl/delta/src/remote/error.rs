//! Why an exchange ends without the new content.

use thiserror::Error;

use crate::error::PatchError;
use crate::manifest::Root;

/// Why an exchange ends without the new content.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// A message breaks a rule of the format.
    #[error("the peer's message is malformed: {0}")]
    Malformed(&'static str),
    /// A version that this program does not speak.
    #[error("the peer speaks version {0} of the exchange, and this program speaks version 1")]
    Version(u8),
    /// A message that does not belong here.
    #[error("the peer sent {found} when {expected} was expected")]
    Unexpected {
        /// The kind of message that came.
        found: &'static str,
        /// The kind of message that should have come.
        expected: &'static str,
    },
    /// The new content is longer than the caller accepts.
    #[error("the peer offers {length} bytes; at most {limit} are accepted")]
    TooLong {
        /// The bytes of the new content.
        length: u64,
        /// The bytes that the caller accepts.
        limit: u64,
    },
    /// The patch of a delta cannot be applied.
    #[error("the peer's delta cannot be applied")]
    Patch(#[from] PatchError),
    /// The received bytes make another content than the one that was named, though the receiver used
    /// nothing of its old content.
    #[error("the peer offers the content {named}, but what it sends makes another one")]
    OtherContent {
        /// The name of the content that was offered.
        named: Root,
    },
    /// The peer asked again and again.
    #[error("the peer could not make the content {0} of what it got, even of all of it")]
    GivenUp(Root),
    /// There is no memory to pack a message.
    #[error("cannot pack what is sent")]
    Pack(#[source] std::io::Error),
}
