//! G13 clients-in-order.

use steadfast_protocol::{Entry, NodeId};

use super::Judge;
use crate::{ClusterView, NodeView};

/// G13: the writes of one client take effect in the order of their numbers, as far as one node can
/// see: a late copy of a request does not overrule what its client has written since.
pub(super) struct ClientsInOrder;

impl Judge for ClientsInOrder {
    fn promise(&self) -> &'static str {
        "no node writes a request that it has not written before if it holds a later one of the same \
         client"
    }

    /// It speaks of what one log holds, whatever that log has lost.
    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let (held, now) = (before.node(node).records.len(), after.node(node));
        let fresh = now.records.get(held..).unwrap_or_default();
        let made = fresh.iter().filter_map(|it| it.entry()).filter(|it| it.dot.origin == node);
        made.into_iter().all(|entry| is_newest(entry, now))
    }
}

/// Whether no entry that the author of this one had seen is of a later request of its client. An
/// entry that takes the place of one of the same request is written again, and not late.
fn is_newest(entry: &Entry, author: NodeView<'_>) -> bool {
    let (request, seen) = (entry.request, &entry.context);
    let mut earlier = author.entries().filter(|it| it.request.client == request.client);
    !earlier.any(|it| seen.covers(it.dot) && it.request.number > request.number)
        || author.entries().any(|it| it.request == request && seen.covers(it.dot))
}
