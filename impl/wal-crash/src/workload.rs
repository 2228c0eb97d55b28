//! The operations on a log before it crashes.

use std::fmt;

use serde::{Serialize, Serializer};

/// An operation on a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A record that fits into a block is appended, not synced.
    Append,
    /// A record that fits into a block is appended and synced.
    Write,
    /// A record of several blocks is appended and synced.
    WriteLong,
    /// Three records are appended and synced together.
    WriteMany,
    /// Records are written until the segment is full and the next one is begun.
    Fill,
    /// A checkpoint is written that stands for all that is durable.
    Checkpoint,
    /// The log is closed and opened again.
    Reopen,
    /// The process dies, the machine does not, and the log is opened again.
    Kill,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 8] = [
        Operation::Append,
        Operation::Write,
        Operation::WriteLong,
        Operation::WriteMany,
        Operation::Fill,
        Operation::Checkpoint,
        Operation::Reopen,
        Operation::Kill,
    ];
}

/// Operations, one after the other, on a log that was just created.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Workload(pub Vec<Operation>);

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl Serialize for Workload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

/// Every workload of up to this many operations, the empty one included.
#[must_use]
pub fn workloads(operations_max: usize) -> Vec<Workload> {
    let mut all = vec![Workload(Vec::new())];
    let mut begin = 0;
    for _ in 0..operations_max {
        let end = all.len();
        for at in begin..end {
            for operation in Operation::ALL {
                let mut longer = all[at].0.clone();
                longer.push(operation);
                all.push(Workload(longer));
            }
        }
        begin = end;
    }
    all
}

/// Longer workloads, with checkpoints, recycled segments and openings upon openings.
#[must_use]
pub fn long_workloads() -> Vec<Workload> {
    use Operation::{Append, Checkpoint, Fill, Kill, Reopen, Write, WriteLong, WriteMany};
    let workloads: [&[Operation]; 10] = [
        &[Fill, Checkpoint, Fill, Checkpoint, Fill, WriteLong],
        &[Fill, Fill, Checkpoint, Fill, Fill, Checkpoint, Write],
        &[Write, Fill, Checkpoint, WriteLong, Reopen, Fill, Checkpoint, Write],
        &[Kill, Kill, Kill, Kill, Write],
        &[Reopen, Reopen, WriteMany, Kill, Kill, WriteLong, Checkpoint],
        &[WriteLong, Kill, WriteLong, Kill, Checkpoint, WriteLong, Kill, Fill],
        &[Fill, Checkpoint, Kill, Fill, Checkpoint, Kill, Fill, Checkpoint, WriteMany],
        &[Append, Kill, Append, Write, Kill, Append, Checkpoint, Kill],
        &[Checkpoint, Checkpoint, Write, Checkpoint, Reopen, Checkpoint, Kill, WriteLong],
        &[Fill, Fill, Fill, Checkpoint, Fill, Kill, WriteLong, Checkpoint, Fill, Fill],
    ];
    workloads.iter().map(|it| Workload(it.to_vec())).collect()
}
