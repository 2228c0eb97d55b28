//! Recovery: a node's state is the replay of its log.

use std::sync::Arc;

use super::{Contents, Replica, Role, Shown};
use crate::state::check_covered;
use crate::{
    ContentId, Decisions, Entry, Fold, Identity, Incarnation, Log, LogIndex, Parameters, Record,
    RecoverError, StateError, VersionVector, first_index,
};

impl Replica {
    /// Starts a node from its log and the contents that are durable beside it. The node starts as a
    /// follower without sessions.
    ///
    /// The replica takes all `records` as synced, so the driver syncs the log before it calls this. The
    /// log of a new node holds its identity and nothing else; that of a node that has trimmed it begins with
    /// its newest checkpoint. The incarnation differs from those of all earlier starts of the node, also if the log has lost
    /// records since; a random number other than zero does. Otherwise nodes may not notice a rolled-back log.
    ///
    /// # Errors
    /// The log belongs to another node or to a cluster with other settings, or no node could have written
    /// it.
    // Ensures: G6, because a node shows only synced entries, and replays all of them.
    pub fn recover(
        identity: Identity,
        incarnation: Incarnation,
        parameters: Parameters,
        records: &[Record],
        contents: impl IntoIterator<Item = ContentId>,
        decisions: &dyn Decisions,
    ) -> Result<Replica, RecoverError> {
        let mut log = replay(identity, records, decisions)?;
        if !decisions.recovers_requests() {
            log.forget_requests();
        }
        if !decisions.replays() {
            log.forget_files();
        }
        let fold = log.fold().clone();
        Ok(Replica {
            identity,
            incarnation: decisions.recovered_incarnation(incarnation),
            parameters,
            synced: log.length(),
            shown: Shown(fold.files().clone()),
            fold,
            tail: Vec::new(),
            trimming: None,
            stable: VersionVector::default(),
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

/// The log that these records make up.
pub(crate) fn replay(
    identity: Identity,
    records: &[Record],
    decisions: &dyn Decisions,
) -> Result<Log, RecoverError> {
    check_identity(identity, records)?;
    let mut log = Log::default();
    for (index, record) in (first_index(records).0..).map(LogIndex).zip(records) {
        check_record(index, record, &log, identity, decisions)?;
        log.push(record, decisions);
    }
    Ok(log)
}

fn check_identity(expected: Identity, records: &[Record]) -> Result<(), RecoverError> {
    let found = records.first().and_then(Record::identity).ok_or(RecoverError::NoIdentity)?;
    match found == expected {
        true => Ok(()),
        false => Err(RecoverError::OtherIdentity { found, expected }),
    }
}

fn check_record(
    index: LogIndex,
    record: &Record,
    log: &Log,
    identity: Identity,
    decisions: &dyn Decisions,
) -> Result<(), RecoverError> {
    let nodes = identity.settings.nodes();
    let follows = match record {
        Record::Identity(_) => index == LogIndex(1),
        Record::Checkpoint(checkpoint) if log.length() == LogIndex(0) => {
            let fold = &checkpoint.fold;
            return check_fold(fold, nodes).map_err(|why| RecoverError::Checkpoint { why });
        }
        Record::Checkpoint(_) => false,
        Record::State(state) => {
            state.check(nodes).is_ok()
                && log.fold().takes(state)
                && decisions.can_join(&state.since, log.vv())
        }
        Record::Promise(_) => true,
        Record::Entry(entry) => {
            let is_member = entry.dot.origin.0 < nodes;
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

/// Whether a node of a cluster of `nodes` nodes can have written a checkpoint with this fold.
fn check_fold(fold: &Fold, nodes: u8) -> Result<(), StateError> {
    if !fold.lineages.is_within(&fold.vv) {
        return Err(StateError::Lineages);
    }
    fold.staged.iter().try_for_each(|part| part.check(nodes))?;
    let heads: Vec<Entry> = fold.heads().cloned().collect();
    check_covered(&heads, fold.forgotten(), fold.vv(), nodes)
}
