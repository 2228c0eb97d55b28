//! G11 nothing-from-nowhere.

use steadfast_protocol::{Change, Entry, Intent, NodeId};

use super::{Guarantee, GuaranteeId};
use crate::{Action, ClusterView, History, Status};

/// G11: nothing is shown that no client asked for.
pub(super) struct NothingFromNowhere;

impl Guarantee for NothingFromNowhere {
    fn id(&self) -> GuaranteeId {
        GuaranteeId::NothingFromNowhere
    }

    fn promise(&self) -> &'static str {
        "every visible version was written by a client to that path, and was not refused"
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let (old, new) = (before.node(node).replica, after.node(node).replica);
        let Some(new) = new else {
            return true;
        };
        let refusals =
            |it: &History| it.operations().iter().filter(|it| it.status == Status::Refused).count();
        let is_unchanged = old.is_some_and(|it| it.files() == new.files())
            && refusals(before.history()) == refusals(after.history());
        is_unchanged
            || new
                .files()
                .iter()
                .filter_map(|(_, heads)| heads.first())
                .all(|visible| was_asked_for(visible, after.history()))
    }
}

/// Whether a client asked for this version of this path.
fn was_asked_for(visible: &Entry, history: &History) -> bool {
    let Some(operation) = history.operation(visible.request) else {
        return false;
    };
    let Action::Write { intent, .. } = &operation.action else {
        return false;
    };
    let is_asked = match intent {
        Intent::Put(content) => visible.change == Change::Put(content.clone()),
        Intent::Delete => visible.change == Change::Delete,
        Intent::Restore(dot) => {
            let mut made = history.operations().iter().flat_map(|it| it.made());
            made.any(|(it, _)| it.dot == *dot && it.change == visible.change)
        }
    };
    is_asked && operation.path == visible.path && operation.status != Status::Refused
}
