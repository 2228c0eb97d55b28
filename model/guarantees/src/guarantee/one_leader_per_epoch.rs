//! G4 one-leader-per-epoch.

use steadfast_protocol::{Epoch, NodeId, Record};

use super::Judge;
use crate::ClusterView;

/// G4: at most one node leads an epoch, at most once, and E nodes have elected it.
pub(super) struct OneLeaderPerEpoch;

impl Judge for OneLeaderPerEpoch {
    fn promise(&self) -> &'static str {
        "no two nodes ever lead the same epoch, no node leads it twice, and when a node begins to lead, \
         E nodes have synced their promise of its epoch"
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let led = |cluster: &dyn ClusterView| {
            cluster.node(node).replica.filter(|it| it.leads()).map(|it| it.promise())
        };
        match led(after) {
            Some(epoch) if led(before) != Some(epoch) => {
                let leaders = after.history().leaders().iter();
                leaders.filter(|it| it.0 == epoch).count() == 1
                    && promises(after, epoch).count() >= after.settings().elect()
            }
            _ => true,
        }
    }
}

/// The nodes that have synced their promise of an epoch. A checkpoint shows only the newest promise.
fn promises(cluster: &dyn ClusterView, epoch: Epoch) -> impl Iterator<Item = NodeId> {
    let is_promise = move |record: &Record| match record {
        Record::Promise(promise) => *promise == epoch,
        Record::Checkpoint(checkpoint) => checkpoint.fold.promise() >= epoch,
        Record::Identity(_) | Record::Entry(_) | Record::State(_) => false,
    };
    let has_promised = move |records: &[Record]| records.iter().any(is_promise);
    cluster.ids().filter(move |it| has_promised(cluster.disk(*it).synced_records()))
}
