//! Where operations are in a long history.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{Dot, Entry, Epoch, Path, RequestId};

use crate::OperationId;

/// The operations of a history by request, by the dots of their entries, and by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Index {
    by_request: BTreeMap<RequestId, OperationId>,
    makers: BTreeMap<Dot, Vec<OperationId>>,
    acknowledged: BTreeSet<Dot>,
    /// The acknowledged writes of each path, by the epoch of the leader that made their entry.
    by_path: BTreeMap<Path, BTreeMap<Epoch, Vec<OperationId>>>,
}

impl Index {
    pub(crate) fn operation(&self, request: RequestId) -> Option<OperationId> {
        self.by_request.get(&request).copied()
    }

    /// The operations for which a leader made the entry of this dot: several if a crash took one from a log.
    pub(crate) fn makers_of(&self, dot: Dot) -> impl Iterator<Item = OperationId> {
        self.makers.get(&dot).into_iter().flatten().copied()
    }

    pub(crate) fn is_acknowledged(&self, dot: Dot) -> bool {
        self.acknowledged.contains(&dot)
    }

    /// The acknowledged writes of a path by leaders of newer epochs than this one.
    pub(crate) fn acknowledged_after(
        &self,
        path: &Path,
        epoch: Epoch,
    ) -> impl Iterator<Item = OperationId> {
        let newer = (Bound::Excluded(epoch), Bound::Unbounded);
        let of_path = self.by_path.get(path).map(|it| it.range(newer));
        of_path.into_iter().flatten().flat_map(|(_, operations)| operations).copied()
    }

    pub(crate) fn note_invoked(&mut self, request: RequestId, at: OperationId) {
        self.by_request.insert(request, at);
    }

    pub(crate) fn note_made(&mut self, dot: Dot, at: OperationId) {
        self.makers.entry(dot).or_default().push(at);
    }

    pub(crate) fn note_acknowledged(&mut self, entry: &Entry, epoch: Epoch, at: OperationId) {
        self.acknowledged.insert(entry.dot);
        let of_path = self.by_path.entry(entry.path.clone()).or_default();
        of_path.entry(epoch).or_default().push(at);
    }
}
