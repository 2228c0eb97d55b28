//! Whether some order of the operations of a path explains its reads.

use std::collections::BTreeMap;

use steadfast_protocol::{Path, RequestId};

use crate::linearizability::{
    Access, Explained, NotLinearizable, Operation as Judged, Time, judge,
};
use crate::{History, Operation, OperationId, OperationKind, Status};

/// The largest number of ways to choose what a path's reads of nothing have read, for which these reads are
/// judged together.
const CHOICES_MAX: usize = 1_000;

impl History {
    /// The reason why no order of the operations explains the reads of the path of a request, if there is
    /// none: the operations that were judged, and those that contradict each other, by their index among
    /// these. The value of a write is its request id; a deleted path reads as its delete, or as nothing once the
    /// delete is forgotten. `None` also in runs that do not judge linearizability.
    #[must_use]
    pub fn contradiction(&self, request: RequestId) -> Option<(Vec<OperationId>, NotLinearizable)> {
        self.clock.0?;
        let path = self.operation(request).filter(|it| it.kind.is_ordered()).map(|it| &it.path);
        let path = path?;
        let operations = self.operations.iter().enumerate();
        let of_path: Vec<_> = operations.filter(|(_, it)| it.path == *path).collect();
        contradiction(&of_path)
    }

    /// The paths whose reads no order of the operations explains, each with the reason, as
    /// [`History::contradiction`] gives it. Takes one pass over all operations; `None` in runs that do not judge
    /// linearizability.
    #[must_use]
    pub fn contradictions(&self) -> Option<Vec<(Path, Vec<OperationId>, NotLinearizable)>> {
        self.clock.0?;
        let mut by_path: BTreeMap<&Path, Vec<(OperationId, &Operation)>> = BTreeMap::new();
        for (id, operation) in self.operations.iter().enumerate() {
            by_path.entry(&operation.path).or_default().push((id, operation));
        }
        let contradicted = by_path.into_iter().filter_map(|(path, operations)| {
            let (ids, why) = contradiction(&operations)?;
            Some((path.clone(), ids, why))
        });
        Some(contradicted.collect())
    }
}

/// The operations of a path that were judged, and why no order explains them. `None` if one does.
fn contradiction(
    operations: &[(OperationId, &Operation)],
) -> Option<(Vec<OperationId>, NotLinearizable)> {
    let judged = operations.iter().filter_map(|(id, it)| Some((*id, judged(it)?)));
    let (ids, judged): (Vec<_>, Vec<_>) = judged.unzip();
    let why = judge(&judged).err()?;
    let deletes = Deletes::of(operations.iter().map(|(_, it)| *it));
    (!is_explained(judged, &deletes)).then_some((ids, why))
}

/// Whether some order explains the operations of a path if each read of nothing may have read the initial value or
/// a delete, which its node may have forgotten. If these reads allow too many choices, each of them is judged without
/// the others.
fn is_explained(judged: Vec<Judged<RequestId>>, deletes: &Deletes) -> bool {
    let (unclear, mut clear): (Vec<_>, Vec<_>) = judged.into_iter().partition(is_of_nothing);
    // A value that does not explain a read without the others does not explain it with them: they only add to what
    // must come before what.
    let choices: Option<Vec<Vec<Judged<RequestId>>>> = Explained::of(&clear).ok().map(|order| {
        let of_read = |read: &Judged<RequestId>| {
            let values = read.returned.map(|it| deletes.explaining(&order, read.invoked, it));
            let values = values.into_iter().flatten().map(|it| Access::Read(it.copied()));
            values.map(|access| Judged { access, ..read.clone() }).collect()
        };
        unclear.iter().map(of_read).collect()
    });
    let Some(choices) = choices.filter(|it| it.iter().all(|it| !it.is_empty())) else {
        return false;
    };
    let count = choices.iter().try_fold(1, |count: usize, it| count.checked_mul(it.len()));
    count.is_none_or(|it| it > CHOICES_MAX) || are_explained(&mut clear, &choices)
}

/// Whether some order explains the operations together with the reads, each by one of its choices.
fn are_explained(judged: &mut Vec<Judged<RequestId>>, reads: &[Vec<Judged<RequestId>>]) -> bool {
    let Some((first, others)) = reads.split_first() else {
        return judge(judged).is_ok();
    };
    first.iter().any(|choice| {
        judged.push(choice.clone());
        let are_explained = are_explained(judged, others);
        judged.pop();
        are_explained
    })
}

/// Whether an operation is an answered read of nothing, which may have read a delete that its node has forgotten.
pub(crate) fn is_of_nothing(it: &Judged<RequestId>) -> bool {
    it.access == Access::Read(None) && it.returned.is_some()
}

/// An operation that linearizability concerns, as its judge takes it.
pub(crate) fn judged(operation: &Operation) -> Option<Judged<RequestId>> {
    let access = match &operation.kind {
        _ if operation.status == Status::Refused => return None,
        OperationKind::Write { .. } => Access::Write(operation.request),
        OperationKind::Read { version } => Access::Read(version.as_ref().map(|it| it.request)),
        OperationKind::StaleRead { .. } => return None,
    };
    Some(Judged { access, invoked: operation.invoked, returned: operation.returned })
}

/// The writes of a path that may have deleted its file, in the order of their requests.
#[derive(Default)]
pub(crate) struct Deletes(Vec<(Time, RequestId)>);

impl Deletes {
    pub(crate) fn of<'a>(operations: impl Iterator<Item = &'a Operation>) -> Deletes {
        let deletes = operations.filter(|it| it.status != Status::Refused && it.may_delete());
        let mut deletes: Vec<_> = deletes.map(|it| (it.invoked, it.request)).collect();
        deletes.sort_unstable();
        Deletes(deletes)
    }

    /// The values that explain a read of nothing: deletes, the latest of them first, and the initial value.
    pub(crate) fn explaining<'a>(
        &'a self,
        order: &'a Explained<'a, RequestId>,
        invoked: Time,
        returned: Time,
    ) -> impl Iterator<Item = Option<&'a RequestId>> {
        let requested = self.0.partition_point(|(requested, _)| *requested <= returned);
        // Most likely it was the latest delete.
        let deletes = self.0[..requested].iter().rev().map(|(_, request)| Some(request));
        let values = deletes.chain([None]);
        values.filter(move |it| order.explains_read(*it, invoked, returned))
    }
}
