//! G13 clients-in-order.

use steadfast_protocol::{Entry, NodeId};

use super::Judge;
use crate::{ClusterView, NodeView};

/// G13: the writes of one client take effect in the order of their numbers, as far as one node can see.
/// A late copy of a request does not overrule a later write of its client.
pub(super) struct ClientsInOrder;

impl Judge for ClientsInOrder {
    fn promise(&self) -> &'static str {
        "no node writes a request for the first time if it holds a later request of the same client"
    }

    /// The judge looks only at the entries in one log, whatever that log has lost.
    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let now = after.node(node);
        let fresh = now.fresh_since(&before.node(node));
        let made = fresh.iter().filter_map(|it| it.entry()).filter(|it| it.dot.origin == node);
        made.into_iter().all(|entry| is_newest(entry, now, after))
    }
}

/// Whether the author of an entry had seen no entry of a later request of the same client. An entry is
/// also in order if the author had seen one of the same request, which it re-issues.
fn is_newest(entry: &Entry, author: NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let (request, seen) = (entry.request, &entry.context);
    let known = || cluster.known_entries(author).filter(|it| seen.covers(it.dot));
    let mut earlier = known().filter(|it| it.request.client == request.client);
    !earlier.any(|it| it.request.number > request.number) || known().any(|it| it.request == request)
}
