//! Reasons about a cluster that has come to rest.

use steadfast_protocol::{Entry, NodeId};

use super::{Around, Reason, listed};
use crate::teller::Teller;
use crate::words;

impl Teller {
    pub(super) fn divergence(&self, around: Around<'_>) -> Option<Reason> {
        let mut replicas = around.after.replicas();
        let first = replicas.next()?;
        let other = replicas
            .find(|it| it.files() != first.files() || it.synced_vv() != first.synced_vv())?;
        let path = other.files().changed_since(first.files()).into_iter().next();
        let words = match &path {
            Some(path) => {
                let shows = |heads: &[Entry]| {
                    let versions: Vec<String> = heads.iter().map(words::version).collect();
                    words::versions(&versions)
                };
                format!(
                    "the cluster has settled, and for {} {} shows {} while {} shows {}",
                    words::path(path),
                    first.id(),
                    shows(first.files().heads(path)),
                    other.id(),
                    shows(other.files().heads(path))
                )
            }
            None => format!(
                "the cluster has settled, and {} holds {} while {} holds {}",
                first.id(),
                first.synced_vv(),
                other.id(),
                other.synced_vv()
            ),
        };
        let heads = path
            .iter()
            .flat_map(|it| first.files().heads(it).iter().chain(other.files().heads(it)));
        let made: Vec<Option<usize>> = heads.map(|it| self.logged(it.dot.origin, it)).collect();
        Some(Reason::new(words, made.into_iter().chain([Some(around.number)])))
    }

    pub(super) fn unsettled(&self, around: Around<'_>) -> Option<Reason> {
        let cluster = around.after;
        let leaders: Vec<NodeId> =
            cluster.replicas().filter(|it| it.leads()).map(|it| it.id()).collect();
        if leaders.len() > 1 {
            let words = format!(
                "nothing is left to happen, and {} nodes lead{}",
                leaders.len(),
                listed(&leaders)
            );
            return Some(Reason::new(words, [Some(around.number)]));
        }
        let busy = cluster.replicas().find(|it| !it.is_idle());
        if let Some(replica) = busy {
            let words = format!(
                "nothing is left to happen, but {} still waits for a message, a sync or a content",
                replica.id()
            );
            return Some(Reason::new(words, [Some(around.number)]));
        }
        if let Some(reason) = self.missing_content(around) {
            return Some(reason);
        }
        let open = self.story.operations.iter().find(|it| it.ended.is_none());
        let diverged = self.divergence(around);
        diverged.or_else(|| {
            let open = open?;
            let words = format!(
                "nothing is left to happen, but request {} ({}) has no answer",
                open.number, open.asked
            );
            Some(Reason::new(words, [Some(open.invoked), Some(around.number)]))
        })
    }
}
