//! G5 linearizable.

use steadfast_protocol::{Epoch, NodeId, Settings};

use super::Judge;
use crate::{ClusterView, Operation, OperationKind, Status};

/// G5: the store behaves like one register per path (Herlihy and Wing, "Linearizability", ACM
/// TOPLAS 12(3), 1990). Judged when a read, an acknowledgement or a refusal that tells of a file
/// returns.
///
/// A leader that does not know of its successor may answer a read with the right value by luck, as
/// long as the successor has acknowledged nothing. So the epochs are judged as well.
pub(super) struct Linearizable;

impl Judge for Linearizable {
    fn promise(&self) -> &'static str {
        "reads, acknowledged writes and refusals that tell of a file are linearizable, and no read is \
         answered by the leader of a lower epoch than one that had been led when the read began, when \
         E+W>N"
    }

    fn is_promised(&self, settings: Settings) -> bool {
        settings.is_consistent()
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, _: NodeId) -> bool {
        if after.has_history_of(before) {
            return true;
        }
        let history = after.history();
        history.answered_since(before.history()).all(|(it, known)| {
            let is_explained = match it.status {
                Status::Refused => history.explains_refusal(it),
                _ => history.contradiction(it.request).is_none(),
            };
            is_explained && !is_answered_late(it, known, after)
        })
    }
}

/// Whether the node that answered a read leads a lower epoch than the newest that had been led when
/// the read began. With E+W<=N nothing stops it.
fn is_answered_late(read: &Operation, known: Epoch, after: &dyn ClusterView) -> bool {
    let leader = after.node(read.node).replica;
    after.settings().is_consistent()
        && matches!(read.kind, OperationKind::Read { .. })
        && leader.is_some_and(|it| it.promise() < known)
}
