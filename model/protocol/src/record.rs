//! The records of a log, and the errors of recovery.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Entry, Epoch, Fold, LogIndex, NodeId, Sealed, Settings, State, StateError};

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
    /// The node knows of the entries of a state, and holds its heads.
    State(Sealed<State>),
    /// Stands for all records before it, and for the identity. Only the first record of a log may be
    /// one.
    Checkpoint(Sealed<Checkpoint>),
}

/// The beginning of a log whose first records have been dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The owner of the log.
    pub identity: Identity,
    /// The number of records that it stands for, which is also its own index.
    pub length: LogIndex,
    /// What these records amount to.
    pub fold: Fold,
}

impl Record {
    /// The entry, if the record holds one.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Record::Entry(entry) => Some(entry),
            _ => None,
        }
    }

    /// The entries that the record holds: an entry itself, or the heads of a state or checkpoint.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let (listed, folded) = match self {
            Record::Entry(entry) => (std::slice::from_ref(entry), None),
            Record::State(state) => (&state.heads[..], None),
            Record::Checkpoint(checkpoint) => (&[][..], Some(checkpoint.fold.heads())),
            Record::Identity(_) | Record::Promise(_) => (&[][..], None),
        };
        listed.iter().chain(folded.into_iter().flatten())
    }

    /// The owner of the log, if the record names it.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Record::Identity(identity) => Some(*identity),
            Record::Checkpoint(checkpoint) => Some(checkpoint.identity),
            _ => None,
        }
    }
}

/// The index of the first of these records, which begin a log: above 1 if it is a checkpoint.
#[must_use]
pub fn first_index(records: &[Record]) -> LogIndex {
    match records.first() {
        Some(Record::Checkpoint(checkpoint)) => checkpoint.length,
        _ => LogIndex(1),
    }
}

/// The index of the last of these records, which begin a log.
#[must_use]
pub fn last_index(records: &[Record]) -> LogIndex {
    LogIndex((first_index(records).0 - 1).saturating_add(records.len() as u64))
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Identity(it) => write!(f, "identity {}", it.node),
            Record::Promise(epoch) => write!(f, "promise {epoch}"),
            Record::Entry(entry) => write!(f, "entry {entry}"),
            Record::State(state) => write!(f, "{state}"),
            Record::Checkpoint(it) => write!(f, "checkpoint of {} records {}", it.length, it.fold),
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
    /// The checkpoint at the beginning could not have been written by any node.
    #[error("the checkpoint at the beginning of the log is damaged: {why}")]
    Checkpoint {
        /// The rule that it breaks.
        why: StateError,
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
