//! Making a store, and opening one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use steadfast_protocol::{Checkpoint, Identity, LogIndex, Record, Sealed, last_index};
use steadfast_wal::disk::{Call, Disk, DiskError};
use steadfast_wal::{LogId, Opening, SerialLog, Settings};

use super::{CreateError, OpenError, Pending, Store, Tail};
use crate::{ContentDecisions, Contents, DefaultContentDecisions, RecordLog, TrimPolicy, codec};

/// Makes the directories of a new node: a log whose first record is the node's identity, and no contents.
/// A log without records, which a crash left, is completed.
///
/// # Errors
/// A directory is in use, or the disk fails. A log with records is not changed.
pub fn create<D: Disk>(
    log_disk: &Arc<D>,
    contents_disk: &Arc<D>,
    identity: Identity,
    layout: (LogId, Settings),
) -> Result<(), CreateError> {
    begin(log_disk, contents_disk, identity, layout)?.close()?;
    Ok(())
}

/// Makes the directories of a node whose log was lost: a log that begins with a checkpoint, and no contents, which the
/// node gets from its peers. A crash may leave the log of a new node, so the caller makes it under a name that no node
/// uses.
///
/// # Errors
/// A directory is in use, or the disk fails.
pub fn create_from<D: Disk>(
    log_disk: &Arc<D>,
    contents_disk: &Arc<D>,
    checkpoint: &Checkpoint,
    layout: (LogId, Settings),
) -> Result<(), CreateError> {
    let mut log = begin(log_disk, contents_disk, checkpoint.identity, layout)?;
    log.sync()?;
    let through = steadfast_wal::LogIndex(checkpoint.length.0);
    log.checkpoint(through, &codec::encode_checkpoint(checkpoint))?;
    log.close()?;
    Ok(())
}

/// A log that holds an identity, which is not synced yet, and a directory without contents.
fn begin<D: Disk>(
    log_disk: &Arc<D>,
    contents_disk: &Arc<D>,
    identity: Identity,
    (log, settings): (LogId, Settings),
) -> Result<SerialLog<D>, CreateError> {
    let in_use = || CreateError::InUse { directory: log_disk.directory() };
    let mut opening = Opening::begin(Arc::clone(log_disk), log, settings)?;
    if !opening.state.is_empty() || opening.through().0 > 0 {
        return Err(in_use());
    }
    while let Some(mut records) = opening.next_batch()? {
        if records.next().is_some() {
            return Err(in_use());
        }
    }
    // Before the identity: a log with it is that of a node.
    let contents = Contents::open(Arc::clone(contents_disk))?;
    if contents.totals().count > 0 {
        let directory = contents_disk.directory();
        return Err(CreateError::HasContents { directory, count: contents.totals().count });
    }
    let (mut log, _) = opening.into_serial_log()?;
    log.append(&codec::encode_record(&Record::Identity(identity)))?;
    Ok(log)
}

impl<L: RecordLog> Store<L> {
    /// Opens the directories of a node: reads the last checkpoint and the records behind it.
    ///
    /// # Errors
    /// There is no log, or that of another node, or it is damaged; or the disk fails.
    pub fn open(
        log_disk: &Arc<L::Disk>,
        contents_disk: &Arc<L::Disk>,
        identity: Identity,
        (log, settings): (LogId, Settings),
        policy: TrimPolicy,
    ) -> Result<Store<L>, OpenError> {
        let decisions = &DefaultContentDecisions;
        Store::open_with(log_disk, contents_disk, identity, (log, settings), policy, decisions)
    }

    /// Opens the directories of a node with contents whose decisions may be wrong, for simulations that must
    /// notice it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(
        log_disk: &Arc<L::Disk>,
        contents_disk: &Arc<L::Disk>,
        identity: Identity,
        (log, settings): (LogId, Settings),
        policy: TrimPolicy,
        decisions: &'static dyn ContentDecisions,
    ) -> Result<Store<L>, OpenError> {
        let directory = log_disk.directory();
        let no_log = || OpenError::NoLog { directory: directory.clone() };
        // An opening would make a log here.
        match log_disk.list() {
            Ok(names) if names.is_empty() => return Err(no_log()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_log()),
            Err(source) => {
                let (call, name) = (Call::List, directory.clone());
                return Err(DiskError { call, name, source }.into());
            }
        }
        let mut opening = Opening::begin(Arc::clone(log_disk), log, settings)?;
        let mut read = Read::default();
        read.checkpoint(&directory, &opening.state, opening.through())?;
        opening.try_for_each(|record| read.record(&directory, record.index, record.payload))?;
        let found = match read.records.first() {
            None => return Err(no_log()),
            Some(first) => first.identity(),
        };
        match found {
            None => return Err(OpenError::NoIdentity { directory }),
            Some(found) if found != identity => {
                return Err(OpenError::OtherIdentity { directory, found, expected: identity });
            }
            Some(_) => {}
        }
        let contents = Arc::new(Contents::open_with(Arc::clone(contents_disk), decisions)?);
        let (log, recovered) = L::start(opening)?;
        let Read { records, state_bytes, tail } = read;
        Ok(Store {
            identity,
            log,
            contents,
            recovered,
            synced: last_index(&records),
            records,
            garbage: Vec::new(),
            state_bytes,
            tail,
            refused: VecDeque::new(),
            checkpoint: Pending::None,
            received: VecDeque::new(),
            storing: 0,
            failure: None,
            policy,
        })
    }
}

/// The part of a log that was read so far.
#[derive(Default)]
pub(super) struct Read {
    pub(super) records: Vec<Record>,
    state_bytes: u64,
    tail: Tail,
}

impl Read {
    pub(super) fn checkpoint(
        &mut self,
        directory: &str,
        state: &[u8],
        through: steadfast_wal::LogIndex,
    ) -> Result<(), OpenError> {
        if state.is_empty() && through.0 == 0 {
            return Ok(());
        }
        let checkpoint = codec::decode_checkpoint(state)
            .map_err(|why| OpenError::Checkpoint { directory: directory.to_owned(), why })?;
        let (found, expected) = (checkpoint.length, LogIndex(through.0));
        if found != expected {
            let directory = directory.to_owned();
            return Err(OpenError::CheckpointLength { directory, found, expected });
        }
        self.state_bytes = state.len() as u64;
        self.records.push(Record::Checkpoint(Sealed::new(checkpoint)));
        Ok(())
    }

    pub(super) fn record(
        &mut self,
        directory: &str,
        index: steadfast_wal::LogIndex,
        bytes: &[u8],
    ) -> Result<(), OpenError> {
        let record = codec::decode_record(bytes).map_err(|why| OpenError::Record {
            directory: directory.to_owned(),
            index: LogIndex(index.0),
            why,
        })?;
        self.records.push(record);
        self.tail.push(bytes.len());
        Ok(())
    }
}
