//! The view of a driver that a teller needs.

use steadfast_guarantees::ClusterView;
use steadfast_protocol::{NodeId, Packet};
use steadfast_trace::World;

/// A cluster at one moment, with everything around it that a picture shows.
pub trait Scene {
    /// The nodes, and the history beside them.
    fn cluster(&self) -> &dyn ClusterView;

    /// The connections and the cut.
    fn world(&self) -> &World;

    /// The messages under way, per ordered pair of nodes oldest first: sender, receiver, message.
    fn under_way(&self) -> Vec<(NodeId, NodeId, &Packet)>;
}
