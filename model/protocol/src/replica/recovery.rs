//! Recovery: a node's state is the replay of its log.

use std::sync::Arc;

use super::{Contents, LoggedFiles, Replica, Role};
use crate::{
    ContentId, Decisions, Files, Identity, Log, LogIndex, Parameters, Record, RecoverError,
    VersionVector,
};

impl Replica {
    /// Starts a node from its log and the contents that are durable beside it. The node starts as a
    /// follower without sessions.
    ///
    /// The replica takes all `records` as synced, so the driver syncs the log before it calls this. The
    /// log of a new node holds its identity and nothing else.
    ///
    /// # Errors
    /// The log belongs to another node or to a cluster with other settings, or no node could have written
    /// it.
    // Ensures: G6, because a node shows only synced entries, and replays all of them.
    pub fn recover(
        identity: Identity,
        parameters: Parameters,
        records: &[Record],
        contents: impl IntoIterator<Item = ContentId>,
        decisions: &dyn Decisions,
    ) -> Result<Replica, RecoverError> {
        check_identity(identity, records)?;
        let mut log = Log::default();
        let mut files = Files::default();
        let mut synced_vv = VersionVector::default();
        for (index, record) in (1..).map(LogIndex).zip(records) {
            check_record(index, record, &log, identity, decisions)?;
            log.push(record);
            if let Record::Entry(entry) = record {
                synced_vv.insert(entry.dot);
                if decisions.replays() {
                    files.apply(entry, decisions);
                }
            }
        }
        if !decisions.recovers_requests() {
            log.forget_requests();
        }
        Ok(Replica {
            identity,
            parameters,
            synced: log.length(),
            applied: log.length(),
            synced_vv,
            tail: Vec::new(),
            logged_files: LoggedFiles(files.clone()),
            files,
            sequence: decisions.recovered_sequence(log.sequence(identity.node)),
            role: Role::default(),
            sessions: vec![None; usize::from(identity.settings.nodes())],
            outbox: Vec::new(),
            halted: None,
            contents: Contents::recover(&log, contents, decisions),
            log: Arc::new(log),
        })
    }
}

fn check_identity(expected: Identity, records: &[Record]) -> Result<(), RecoverError> {
    match records.first() {
        Some(Record::Identity(found)) if *found == expected => Ok(()),
        Some(Record::Identity(found)) => {
            Err(RecoverError::OtherIdentity { found: *found, expected })
        }
        _ => Err(RecoverError::NoIdentity),
    }
}

fn check_record(
    index: LogIndex,
    record: &Record,
    log: &Log,
    identity: Identity,
    decisions: &dyn Decisions,
) -> Result<(), RecoverError> {
    let follows = match record {
        Record::Identity(_) => index == LogIndex(1),
        Record::Promise(_) => true,
        Record::Entry(entry) => {
            let is_member = entry.dot.origin.0 < identity.settings.nodes();
            let is_other = |held| decisions.context_differs(entry.context_digest, held);
            is_member
                && decisions.closes_no_gap(entry, log.vv())
                && !log.digest(&entry.context).is_some_and(is_other)
        }
    };
    if follows {
        return Ok(());
    }
    let record = record.to_string();
    Err(RecoverError::OutOfOrder { index, record })
}
