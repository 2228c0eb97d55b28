//! Why a call failed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use steadfast_config::ConfigError;
use steadfast_protocol::ContentId;
use thiserror::Error;

use crate::Version;

/// A call failed. No variant means that half of something was written: a write took place or not, and a file
/// that is saved is complete or not there.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration or a certificate of the client cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No file can have this path.
    #[error("{path:?} is no path of a file: {why}")]
    Path {
        /// The path.
        path: String,
        /// The reason.
        why: String,
    },
    /// An argument of the call does not fit.
    #[error("{0}")]
    Argument(String),
    /// No connection to a node.
    #[error("cannot connect to node {node} at {address}: {why}")]
    Connect {
        /// The node.
        node: String,
        /// Its address.
        address: String,
        /// The reason.
        why: String,
    },
    /// A connection ended, or stood still, before the answer was complete.
    #[error("lost the connection to node {node}: {why}")]
    Lost {
        /// The node.
        node: String,
        /// The reason.
        why: String,
    },
    /// A node refused the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An answer that no node of this version gives.
    #[error("node {node} gave an answer that makes no sense: {why}")]
    Nonsense {
        /// The node.
        node: String,
        /// The part that does not fit.
        why: String,
    },
    /// The bytes that arrived are not those of the content.
    #[error(
        "{path}: the bytes of version {version} from node {node} are damaged: they do not have the name {content}; `steadfast verify` reads all contents"
    )]
    Damaged {
        /// The path.
        path: String,
        /// The version.
        version: Version,
        /// The name of its content.
        content: ContentId,
        /// The node from which the last of them came.
        node: String,
    },
    /// No node answered in time.
    #[error("gave up after {} s; the last failure: {last}{}", after.as_secs(), fate(*outcome_unknown, key))]
    GaveUp {
        /// How long the client tried without progress.
        after: Duration,
        /// The last failure.
        last: Box<Error>,
        /// Whether the write may have taken place, or may yet.
        outcome_unknown: bool,
        /// The idempotency key of the write: a repetition with it does not write twice.
        key: Option<String>,
    },
    /// The source of an upload cannot be read, or changed meanwhile. Nothing was written.
    #[error("cannot read {of}: {source}")]
    Source {
        /// The file, or a description of the source.
        of: String,
        /// The failure.
        source: io::Error,
    },
    /// The upload was interrupted and cannot be repeated, because its source can be read only once.
    #[error("the upload was interrupted ({last}) and cannot be repeated, because its source is gone{}", fate(*outcome_unknown, key))]
    SourceGone {
        /// The failure that interrupted it.
        last: Box<Error>,
        /// Whether the write may have taken place, or may yet.
        outcome_unknown: bool,
        /// The idempotency key of the write.
        key: Option<String>,
    },
    /// A file cannot be written here. The old file, if there is one, stays.
    #[error("cannot write {}: {source}", path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

fn fate(outcome_unknown: bool, key: &Option<String>) -> String {
    match (outcome_unknown, key) {
        (true, Some(key)) => format!(
            "; it is unknown whether the write took place, and a repetition with the idempotency key {key} does not write twice"
        ),
        _ => String::new(),
    }
}

/// A node refused a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} ({code}, said node {node})")]
pub struct Refusal {
    /// The node.
    pub node: String,
    /// The status of HTTP.
    pub status: u16,
    /// The reason as a code.
    pub code: Code,
    /// The reason in words.
    pub message: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The reasons for which nodes refuse requests.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A code that this version does not know.
            Other(String),
        }

        impl Code {
            /// The code as the API writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Code::$name => $text,)*
                    Code::Other(text) => text,
                }
            }
        }

        impl From<&str> for Code {
            fn from(text: &str) -> Code {
                match text {
                    $($text => Code::$name,)*
                    other => Code::Other(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// No file can have this path.
    BadPath = "bad-path",
    /// The request is malformed.
    BadRequest = "bad-request",
    /// There has never been such a file.
    NotFound = "not-found",
    /// The file was deleted.
    Deleted = "deleted",
    /// The file shows another version than the condition says.
    PreconditionFailed = "precondition-failed",
    /// The content ends before the range.
    RangeNotSatisfiable = "range-not-satisfiable",
    /// The body is too long, or a delta makes a content that is far longer than its base.
    TooLong = "too-long",
    /// No file can be made of the delta.
    BadDelta = "bad-delta",
    /// The node lacks the base of the delta; the client puts the file whole.
    BaseMissing = "base-missing",
    /// The delta makes another content than it names; the client puts the file whole.
    OtherContent = "other-content",
    /// The node lacks a content that was asked for by its name.
    UnknownContent = "unknown-content",
    /// The body has another media type than the resource takes.
    OtherMediaType = "other-media-type",
    /// Only an administrator of the node may allow this.
    NotAllowed = "not-allowed",
    /// There is no such resource.
    NoSuchResource = "no-such-resource",
    /// The leader's disk is full.
    DiskFull = "disk-full",
    /// The node has too many requests; repeated by the client.
    Busy = "busy",
    /// No leader is known; repeated by the client.
    NoLeader = "no-leader",
    /// The node is starting; repeated by the client.
    NotReady = "not-ready",
    /// The leader stepped down; repeated by the client under the same key.
    UnknownOutcome = "unknown-outcome",
    /// A later request of the same client took place.
    Superseded = "superseded",
    /// The idempotency key is too old to say whether its write took place.
    Forgotten = "forgotten",
    /// The idempotency key belongs to another request.
    RequestReused = "request-reused",
    /// The write took place, and another one has replaced it or won over it.
    Overtaken = "overtaken",
    /// The file has no such version.
    UnknownVersion = "unknown-version",
    /// The version is no head of the file any more.
    NotAHead = "not-a-head",
    /// The node lacks the content.
    ContentMissing = "content-missing",
    /// The node does not take part any more; its message says why.
    Halted = "halted",
    /// The resource has no such method.
    MethodNotAllowed = "method-not-allowed",
    /// The body was shorter than announced.
    IncompleteBody = "incomplete-body",
    /// The request took too long to arrive.
    Timeout = "timeout",
    /// The node failed.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Code {
    /// Whether the same request may succeed later, or at another node.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(
            self,
            Code::Busy | Code::NoLeader | Code::NotReady | Code::UnknownOutcome | Code::Halted
        )
    }
}

impl Error {
    /// The code of the refusal, if a node refused the request.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        match self {
            Error::Refused(refusal) => Some(&refusal.code),
            Error::GaveUp { last, .. } | Error::SourceGone { last, .. } => last.code(),
            _ => None,
        }
    }
}
