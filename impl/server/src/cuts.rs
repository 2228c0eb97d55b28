//! Connections that are cut on purpose, for demonstrations.

use std::collections::BTreeSet;

use steadfast_protocol::NodeId;
use tokio::sync::watch;

/// The peers to which this node has no connections.
#[derive(Debug)]
pub(crate) struct Cuts(watch::Sender<BTreeSet<NodeId>>);

impl Cuts {
    pub(crate) fn none() -> Cuts {
        Cuts(watch::Sender::new(BTreeSet::new()))
    }

    /// Cuts the connections to exactly these peers.
    pub(crate) fn set(&self, peers: BTreeSet<NodeId>) {
        self.0.send_replace(peers);
    }

    pub(crate) fn is_cut(&self, peer: NodeId) -> bool {
        self.0.borrow().contains(&peer)
    }

    /// Returns once the peer is cut.
    pub(crate) async fn until_cut(&self, peer: NodeId) {
        let mut cuts = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = cuts.wait_for(|it| it.contains(&peer)).await;
    }

    /// Returns once the peer is not cut.
    pub(crate) async fn until_healed(&self, peer: NodeId) {
        let mut cuts = self.0.subscribe();
        let _ = cuts.wait_for(|it| !it.contains(&peer)).await;
    }
}
