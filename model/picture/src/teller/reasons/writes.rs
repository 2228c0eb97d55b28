//! Reasons about the promises to writers: acknowledged writes and requests.

use steadfast_guarantees::{ClusterView, NodeView, OperationKind, Status};
use steadfast_protocol::{Change, Entry, Intent, NodeId};

use super::{Around, Reason, fresh, listed};
use crate::teller::Teller;
use crate::words;

impl Teller {
    pub(super) fn lost_write(&self, around: Around<'_>) -> Option<Reason> {
        let cluster = around.after;
        let wanted = cluster.settings().write();
        if let Some(reason) = self.read_of_few_copies(around) {
            return Some(reason);
        }
        for (entry, _) in cluster.history().acknowledged() {
            let holders: Vec<NodeId> = cluster
                .nodes()
                .map(|it| it.0)
                .filter(|it| cluster.has_synced(*it, entry))
                .collect();
            let (text, steps) = self.acknowledged(entry, cluster);
            if holders.len() < wanted {
                let words = format!(
                    "{text} is synced on {} of the {wanted} nodes that W demands{}",
                    holders.len(),
                    listed(&holders)
                );
                return Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])));
            }
            let misses = |node: &NodeView<'_>| {
                let heads = node.replica.map_or(&[][..], |it| it.files().heads(&entry.path));
                !heads.iter().any(|it| it.dot == entry.dot) && !is_replaced(entry, node, cluster)
            };
            let is_settled = cluster.is_settled() && cluster.has_leader();
            let is_hidden = |node: &NodeView<'_>| {
                let visible = node.replica.and_then(|it| it.files().visible(&entry.path));
                cluster.settings().is_consistent() && visible.is_some_and(|it| it.dot != entry.dot)
            };
            let mut nodes = cluster.nodes().filter(|_| is_settled);
            if let Some((id, _)) = nodes.find(|(_, it)| !misses(it) && is_hidden(it)) {
                let words = format!(
                    "the cluster has settled, and {id} lists {text} as a conflict only, which no \
                     client asked for"
                );
                return Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])));
            }
            if let Some((id, _)) = cluster.nodes().find(|(_, node)| misses(node)) {
                let words = format!(
                    "the cluster has settled, and {id} shows {text} neither as visible nor as a \
                     conflict, although no write that it holds named it"
                );
                return Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])));
            }
        }
        None
    }

    pub(super) fn overruling(&self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        around.after.nodes().find_map(|(id, node)| {
            let shown = node.shown(around.after.decisions());
            let visible = shown.iter().filter_map(|(_, heads)| heads.first());
            let mut overruling = visible.filter(|it| !history.is_acknowledged(it)).filter_map(|it| {
                let epoch = history.epoch_of(it)?;
                let (acked, newer) = history.acknowledged().find(|(acked, newer)| {
                    acked.path == it.path
                        && *newer > epoch
                        && node.synced_entries().any(|held| held.dot == acked.dot)
                })?;
                let (text, [made, heard]) = self.acknowledged(acked, around.after);
                let words = format!(
                    "{id} shows {} of epoch {epoch}, which nobody acknowledged, over {text} of the \
                     newer epoch {newer}",
                    words::entry(it)
                );
                Some(Reason::new(words, [self.logged(id, it), made, heard, Some(around.number)]))
            });
            overruling.next().or_else(|| self.broken_promise(id, &node, around))
        })
    }

    pub(super) fn unasked(&self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        let again = around.after.nodes().find_map(|(id, new)| {
            let fresh = fresh(&around.before.node(id), &new);
            fresh.into_iter().filter(|it| it.dot.origin == id).find_map(|entry| {
                let is_same = |it: &&Entry| it.request == entry.request && it.dot != entry.dot;
                let first = new.entries().find(is_same)?;
                let words = format!(
                    "{id} wrote {} for a request that {} had been written for",
                    words::entry(entry),
                    words::entry(first)
                );
                Some(Reason::new(words, [self.logged(id, first), Some(around.number)]))
            })
        });
        again.or_else(|| {
            around.after.replicas().find_map(|replica| {
                let mut visible = replica.files().iter().filter_map(|(_, heads)| heads.first());
                let wrong = |entry: &Entry| match history.operation(entry.request) {
                    None => Some("nobody asked for it"),
                    Some(it) if it.status == Status::Refused => {
                        Some("its client was told that it is refused")
                    }
                    Some(it) if it.path != entry.path => Some("its client asked for another path"),
                    Some(it) => match &it.kind {
                        OperationKind::Write { intent: Intent::Put(content), .. } => {
                            let is_it = entry.change == Change::Put(content.clone());
                            (!is_it).then_some("its client put something else")
                        }
                        OperationKind::Write { .. } => None,
                        OperationKind::Read { .. } | OperationKind::StaleRead { .. } => {
                            Some("its client read and did not write")
                        }
                    },
                };
                let (entry, why) = visible.find_map(|it| Some((it, wrong(it)?)))?;
                let words = format!("{} shows {}, but {why}", replica.id(), words::entry(entry));
                Some(Reason::new(words, [self.logged(replica.id(), entry), Some(around.number)]))
            })
        })
    }
}

fn is_replaced(entry: &Entry, node: &NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    node.entries().any(|it| cluster.history().names(it, entry.dot))
}
