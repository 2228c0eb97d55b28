//! What a log is made of, and how recovery can fail.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Entry, Epoch, LogIndex, NodeId, Settings};

/// Whose log this is. The first record of every log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The node whose log this is.
    pub node: NodeId,
    /// The settings of its cluster, fixed for the log's life.
    pub settings: Settings,
}

/// One record of the log, the only durable state besides content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record {
    /// Whose log this is.
    Identity(Identity),
    /// The node vowed to follow no lower epoch than this.
    Promise(Epoch),
    /// The node holds this entry.
    Entry(Entry),
}

impl Record {
    /// The entry, if the record is one.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Record::Entry(entry) => Some(entry),
            Record::Identity(_) | Record::Promise(_) => None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Identity(it) => write!(f, "identity {}", it.node),
            Record::Promise(epoch) => write!(f, "promise {epoch}"),
            Record::Entry(entry) => write!(f, "entry {entry}"),
        }
    }
}

/// Why a node cannot start from the log it was given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecoverError {
    /// The log does not begin with an identity.
    #[error("the log does not say whose it is: its first record must be an identity")]
    NoIdentity,
    /// The log belongs to another node, or to a cluster with other settings.
    #[error("the log belongs to {found:?}, but {expected:?} was to start from it")]
    OtherIdentity {
        /// What the log says.
        found: Identity,
        /// What was asked for.
        expected: Identity,
    },
    /// An entry or a second identity stands where it cannot.
    #[error("record {index} of the log cannot follow those before it: {record}")]
    OutOfOrder {
        /// The place of the record.
        index: LogIndex,
        /// What stands there.
        record: String,
    },
}
