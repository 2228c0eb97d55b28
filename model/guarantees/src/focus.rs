//! The part of a cluster that a driver asks to be judged.

use std::collections::BTreeSet;

use steadfast_protocol::{Entry, Epoch, Files, Path, Replica};

use crate::view::is_lone_delete;
use crate::{ClusterView, Operation, OperationId, OperationKind};

/// The part of a cluster that must be judged because a step has touched it. The driver judges every step, so the
/// rest was judged before and has not changed since: a judgement takes time for the part alone, however long the run.
///
/// A driver that gives a focus judges the order of all operations (G5) by itself, once at the end, by
/// [`History::contradictions`](crate::History::contradictions) and
/// [`History::unexplained_refusals`](crate::History::unexplained_refusals).
#[derive(Clone, Debug, Default)]
pub struct Focus {
    /// The paths whose heads or contents have changed at a node, and those of the answered operations.
    pub paths: BTreeSet<Path>,
    /// The writes whose acknowledged entries are judged.
    pub acknowledged: BTreeSet<OperationId>,
    /// The operations that a node has answered in the step, each with the newest epoch that had a leader when it
    /// began, if it is a read.
    pub answered: Vec<(OperationId, Epoch)>,
}

/// The files of a node that are to be judged, each with its heads.
pub(crate) fn files_in<'a>(
    focus: Option<&'a Focus>,
    files: &'a Files,
) -> impl Iterator<Item = (&'a Path, &'a [Entry])> + use<'a> {
    let some = focus.map(|it| it.paths.iter().map(|path| (path, files.heads(path))));
    let all = focus.is_none().then(|| files.iter());
    some.into_iter().flatten().chain(all.into_iter().flatten())
}

/// The part of the cluster that is to be judged, or everything.
impl dyn ClusterView + '_ {
    /// The acknowledged entries to judge, each with the epoch of the leader that made it.
    pub(crate) fn acknowledged(&self) -> Box<dyn Iterator<Item = &(Entry, Epoch)> + '_> {
        let operations = self.history().operations();
        match self.focus() {
            None => Box::new(self.history().acknowledged()),
            Some(focus) => {
                let ids = focus.acknowledged.iter();
                Box::new(ids.filter_map(|id| operations.get(*id)?.acknowledged()))
            }
        }
    }

    /// The operations whose answers in the step from `before` reveal the state of a file, each with the newest
    /// epoch that had a leader when it began, if it is a read.
    pub(crate) fn answered_since<'a>(
        &'a self,
        before: &'a dyn ClusterView,
    ) -> Box<dyn Iterator<Item = (&'a Operation, Epoch)> + 'a> {
        let operations = self.history().operations();
        match self.focus() {
            None => Box::new(self.history().answered_since(before.history())),
            Some(focus) => {
                let answered = focus.answered.iter();
                let answered =
                    answered.filter_map(|(id, known)| Some((operations.get(*id)?, *known)));
                Box::new(answered.filter(|(it, _)| it.reveals_file()))
            }
        }
    }

    /// Whether the step from `before` acknowledged a write.
    pub(crate) fn has_acknowledged_since(&self, before: &dyn ClusterView) -> bool {
        let is_acknowledged =
            |it: &Operation| matches!(&it.kind, OperationKind::Write { acked: Some(_), .. });
        match self.focus() {
            Some(_) => self.answered_since(before).any(|(it, _)| is_acknowledged(it)),
            None => {
                let count = |it: &dyn ClusterView| it.history().acknowledged().count();
                !self.has_answers_of(before) && count(before) != count(self)
            }
        }
    }

    /// Whether two nodes show the same files, as far as these are to be judged, except deletes that one of them has
    /// forgotten.
    pub(crate) fn show_the_same(&self, one: &Replica, other: &Replica) -> bool {
        let forgot = |node: &Replica, path: &Path, at: &Replica| {
            node.parameters().forgets_deletes
                && node.files().heads(path).is_empty()
                && is_lone_delete(at.files().heads(path))
        };
        let is_same = |path: &Path| {
            one.files().heads(path) == other.files().heads(path)
                || forgot(one, path, other)
                || forgot(other, path, one)
        };
        match self.focus() {
            None => one.files().changed_since(other.files()).iter().all(is_same),
            Some(focus) => focus.paths.iter().all(is_same),
        }
    }
}
