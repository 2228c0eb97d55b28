//! Reading the log of a node that has stopped, without a change to it.

use steadfast_protocol::Record;
use steadfast_wal::disk::Disk;
use steadfast_wal::{LogId, Tail, read_checkpoint, try_inspect};

use super::OpenError;
use super::opening::Read;

/// The log of a node that has stopped.
#[derive(Debug)]
pub struct StoppedLog {
    /// The id of the log.
    pub log: LogId,
    /// Its records. The first is the checkpoint, if there is one.
    pub records: Vec<Record>,
    /// How it ends.
    pub tail: Tail,
}

/// Reads a log and verifies it. Nothing on the disk is changed, and the log is locked meanwhile. What is read is as
/// durable as the disk made it; a node that opens the log syncs it first.
///
/// # Errors
/// There is no log, a node has it open, it is damaged, or the disk fails.
pub fn read<D: Disk>(disk: &D) -> Result<StoppedLog, OpenError> {
    let directory = disk.directory();
    let mut read = Read::default();
    let (root, state) = read_checkpoint(disk)?;
    read.checkpoint(&directory, &state, root.through)?;
    let inspection = try_inspect(disk, &mut |_, batch| {
        let mut behind = batch.records().filter(|it| it.index > root.through);
        behind.try_for_each(|it| read.record(&directory, it.index, it.payload))
    })?;
    // Between the checkpoint and the records the log was not locked.
    match inspection.root.through == root.through {
        true => Ok(StoppedLog { log: root.log, records: read.records, tail: inspection.tail }),
        false => Err(OpenError::Changed { directory }),
    }
}
