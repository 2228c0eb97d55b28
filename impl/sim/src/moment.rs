//! A moment of a run, to be narrated later.

use steadfast_guarantees::{GuaranteeId, Operation};
use steadfast_protocol::{NodeId, Replica};

use crate::Time;
use crate::happening::Happening;
use crate::nodes::Nodes;

/// A happening, with its node as it was after it.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub time: Time,
    pub happening: Happening,
    pub after: Option<(NodeId, Option<Replica>)>,
    /// The operations that ended for their clients.
    pub ended: Vec<Operation>,
    /// The guarantees that were found broken.
    pub broken: Vec<GuaranteeId>,
}

impl Moment {
    /// A moment after which this node may have changed.
    pub(crate) fn of(
        time: Time,
        happening: Happening,
        changed: Option<NodeId>,
        nodes: &Nodes,
    ) -> Moment {
        let after = changed.map(|it| (it, nodes[it].node.replica().cloned()));
        Moment { time, happening, after, ended: Vec::new(), broken: Vec::new() }
    }
}
