//! G5 linearizable.

use steadfast_protocol::{Epoch, NodeId, Settings};

use super::Judge;
use crate::{ClusterView, Operation, OperationKind, Status};

/// G5: the store behaves like one register per path (Herlihy and Wing, "Linearizability", ACM
/// TOPLAS 12(3), 1990). Judged when the answer to a read, an acknowledgement, or a refusal that reveals
/// the state of a file arrives.
///
/// A leader that does not know of its successor may by luck return the right value, as long as the
/// successor has acknowledged nothing. So the judge compares the epochs as well.
pub(super) struct Linearizable;

impl Judge for Linearizable {
    fn promise(&self) -> &'static str {
        "with E+W>N, reads, acknowledged writes and refusals that reveal the state of a file are \
         linearizable, and if an epoch had a leader when a read began, no leader of a lower epoch answers \
         the read"
    }

    fn is_promised(&self, settings: Settings) -> bool {
        settings.is_consistent()
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, _: NodeId) -> bool {
        if after.has_answers_of(before) {
            return true;
        }
        let history = after.history();
        after.answered_since(before).all(|(it, known)| {
            let is_explained = match it.status {
                // The driver judges the order of all operations at once.
                _ if after.focus().is_some() => true,
                Status::Refused => history.explains_refusal(it),
                _ => history.contradiction(it.request).is_none(),
            };
            is_explained && !is_answered_late(it, known, after)
        })
    }
}

/// Whether the node that answered a read leads a lower epoch than `known`, the newest epoch that had a
/// leader when the read began. With E+W<=N nothing prevents that.
fn is_answered_late(read: &Operation, known: Epoch, after: &dyn ClusterView) -> bool {
    let leader = after.node(read.node).replica;
    after.settings().is_consistent()
        && matches!(read.kind, OperationKind::Read { .. })
        && leader.is_some_and(|it| it.promise() < known)
}
