//! The operations of a path as those of a register, for the judge of linearizability.

use steadfast_guarantees::linearizability::{self, Access, NotLinearizable, Source, Time};

use crate::cluster::history::{Operation, OperationId};

/// The operations of a path as those of a register whose values are the numbers of writes.
#[derive(Clone, Default)]
pub(crate) struct Register {
    pub(crate) operations: Vec<linearizability::Operation<OperationId>>,
    /// The operation of the history behind each.
    of: Vec<OperationId>,
}

impl Register {
    pub(crate) fn add_write(&mut self, id: OperationId, it: &Operation) {
        let returned = it.acknowledged().and(it.answered);
        self.add(id, Access::Write(id), moment(it.invoked, 0), returned.map(|at| moment(at, 0)));
    }

    /// A read of a write's value. It lies within its operation, so that the read and the write of a conditional write
    /// do not share a moment.
    pub(crate) fn add_read(&mut self, id: OperationId, it: &Operation, seen: Option<OperationId>) {
        let returned = it.answered.map(|at| moment(at - 1, 2));
        self.add(id, Access::Read(seen), moment(it.invoked, 1), returned);
    }

    fn add(
        &mut self,
        id: OperationId,
        access: Access<OperationId>,
        invoked: Time,
        returned: Option<Time>,
    ) {
        self.operations.push(linearizability::Operation { access, invoked, returned });
        self.of.push(id);
    }

    /// The contradiction in words of the history.
    pub(crate) fn explain(&self, error: &NotLinearizable) -> (String, Vec<OperationId>) {
        let of = |at: usize| self.of[at];
        let source = |it: Source| match it {
            Source::InitialValue => None,
            Source::Write(at) => Some(of(at)),
        };
        let name = |it: Option<OperationId>| match it {
            None => "nothing".to_owned(),
            Some(id) => format!("write {id}"),
        };
        match *error {
            NotLinearizable::DuplicateValue { first, second } => {
                (error.to_string(), vec![of(first), of(second)])
            }
            NotLinearizable::ReadOfUnwritten { read } => {
                let why =
                    format!("operation {} read a value that nobody wrote to this path", of(read));
                (why, vec![of(read)])
            }
            NotLinearizable::ReadBeforeWrite { read, write } => {
                let why = format!(
                    "operation {} read write {} before that was requested",
                    of(read),
                    of(write)
                );
                (why, vec![of(read), of(write)])
            }
            NotLinearizable::StaleRead { read, old, new } => {
                let (old, new) = (source(old), source(new));
                let why = format!(
                    "operation {} read {}, which {} had replaced before it began",
                    of(read),
                    name(old),
                    name(new)
                );
                (why, [Some(of(read)), old, new].into_iter().flatten().collect())
            }
            NotLinearizable::ContradictoryReads { first_read, first, second_read, second } => {
                let (first, second) = (source(first), source(second));
                let why = format!(
                    "operation {} read {} after {} was there, and operation {} the other way round",
                    of(first_read),
                    name(first),
                    name(second),
                    of(second_read)
                );
                let ids = [Some(of(first_read)), first, Some(of(second_read)), second];
                (why, ids.into_iter().flatten().collect())
            }
        }
    }
}

/// A moment at an event of the history, or in one of the three gaps behind it.
fn moment(event: u64, gap: u64) -> Time {
    Time(event * 4 + gap)
}
