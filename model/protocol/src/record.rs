//! The records of a log, and the errors of recovery.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Entry, Epoch, LogIndex, NodeId, Settings};

/// The owner of a log, and the settings of its cluster. The first record of every log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The node that owns the log.
    pub node: NodeId,
    /// The settings of its cluster, which never change during the life of the log.
    pub settings: Settings,
}

/// One record of the log, the only durable state besides content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record {
    /// The owner of the log.
    Identity(Identity),
    /// The node follows no epoch below this one from here on.
    Promise(Epoch),
    /// The node holds this entry.
    Entry(Entry),
}

impl Record {
    /// The entry, if the record holds one.
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
    #[error(
        "the log does not begin with an identity record, so it does not say which node owns it"
    )]
    NoIdentity,
    /// The log belongs to another node, or to a cluster with other settings.
    #[error(
        "the log belongs to {} of a cluster with {:?}, not to {} of a cluster with {:?}",
        .found.node, .found.settings, .expected.node, .expected.settings
    )]
    OtherIdentity {
        /// The identity in the log.
        found: Identity,
        /// The identity of the node that was to start.
        expected: Identity,
    },
    /// An entry cannot follow the records before it, or there is a second identity.
    #[error("record {index} of the log cannot follow those before it: {record}")]
    OutOfOrder {
        /// The place of the record.
        index: LogIndex,
        /// The record as text.
        record: String,
    },
}
