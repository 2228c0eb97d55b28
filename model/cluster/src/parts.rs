//! The parts of a cluster that a step reads and changes.
//!
//! Steps are written once, over [`Parts`] and [`Changing`]. A whole [`ClusterState`] makes each
//! change at once. The components of a search note the reads, and keep the changes.

use steadfast_guarantees::{Did, GuaranteeSet, History, OperationKind};
use steadfast_node::Cluster;
use steadfast_protocol::{Checkpoint, Epoch, NodeId, NodeSet, Packet, Path, RequestId, Sealed};
use steadfast_trace::{Bounds, Cut, Directions, Step, World, WriteKind};

use crate::{Disk, Event};

/// A cluster whose parts can be read.
pub(crate) trait Parts: Cluster<Storage = Disk> {
    /// The rest of the bounds.
    fn left(&self) -> Bounds;

    /// The number of the next request, from 0.
    fn next_number(&self) -> u64;

    /// The ghost history.
    fn history(&self) -> &History;

    /// The messages under way from one node to another, oldest first.
    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet>;
}

/// A cluster in a step.
pub(crate) trait Changing: Parts {
    /// Applies an event to a node. Its messages go under way, and the history records its effects.
    fn tell(&mut self, node: NodeId, event: Event);

    /// Gives a node that is down a new disk with this log. The node counts as one that had an event.
    fn replace_disk(&mut self, node: NodeId, checkpoint: Sealed<Checkpoint>);

    /// Lets a message arrive; `None` if it is not under way.
    fn deliver(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<()>;

    /// Puts a message behind those that are under way.
    fn push(&mut self, from: NodeId, to: NodeId, packet: Packet);

    /// Replaces the messages under way.
    fn put_packets(&mut self, from: NodeId, to: NodeId, packets: Vec<Packet>);

    /// Changes the world.
    fn change_world(&mut self, change: WorldChange);

    /// Changes the history.
    fn change_history(&mut self, change: HistoryChange);

    /// Adds a consequence, after the earlier ones.
    fn then(&mut self, follow: Follow);

    /// The parts that the step has touched so far.
    fn touched(&self) -> Touched;

    /// Judges the new state of a node. Only the node, and possibly the history, has changed.
    fn judge(&mut self, node: NodeId, keeps_answers: bool) {
        self.then(Follow::Judge { node, keeps_answers });
    }

    /// Judges the new state of a node as its connections change; more of the step follows. `was_told`
    /// says whether it had an event before, in the same step.
    fn judge_shown(&mut self, node: NodeId, was_told: bool) {
        let _ = (node, was_told);
    }

    /// Judges the new state of a node that does not change any more in this step. Returns whether the
    /// verdict depends on nothing that may still change; otherwise the node is judged later.
    fn has_judged_alone(&mut self, node: NodeId, keeps_answers: bool) -> bool {
        let _ = (node, keeps_answers);
        false
    }

    /// Whether the history is that of the state before the step.
    fn has_kept_history(&self) -> bool;

    /// Whether a node is in the state that it had before the step.
    fn has_kept_node(&self, node: NodeId) -> bool;

    /// Whether the consequences cover every node and every direction. Otherwise the step skips the
    /// nodes and directions that it has not touched, because nothing can follow for them.
    fn follows_up_on_all(&self) -> bool;

    /// Whether a message may have been put under way that no session carries, or have lost its
    /// session.
    fn may_have_lost_its_session(&self, from: NodeId, to: NodeId) -> bool;

    /// The guarantees that the step breaks as far as one node is concerned.
    fn broken(&self, node: NodeId, keeps_answers: bool) -> GuaranteeSet;

    /// Notes a witness that the step reaches.
    fn note_reached(&mut self, step: &Step);
}

/// The parts that a step has touched so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Touched {
    /// The nodes that had an event.
    pub told: NodeSet,
    /// The directions that lost all messages under way.
    pub emptied: Directions,
    /// Whether some node has begun or ceased to take part.
    pub taking_part: bool,
    /// Whether the history may say something else of answers and acknowledged entries.
    pub answers: bool,
}

/// A consequence of a step, once its changes are made. Consequences run in the order in which they
/// were added.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Follow {
    /// Connections begin and end, according to the changes of nodes and cuts.
    Links {
        /// The nodes that had an event in the step.
        told: NodeSet,
        /// Those of them that have not been judged yet.
        unjudged: NodeSet,
        /// The directions that lost all messages under way.
        emptied: Directions,
    },
    /// A node sees the changes of its connections: ends before beginnings. `was_told` says whether it
    /// had an event before, in the same step.
    Show { node: NodeId, was_told: bool },
    /// Messages that no session carries are lost.
    Lose { from: NodeId, to: NodeId },
    /// The guarantees judge the new state of a node.
    Judge { node: NodeId, keeps_answers: bool },
    /// They have judged nodes that saw their connections change on the assumption that the history
    /// does not change, and judge again if it has.
    Reconsider { nodes: NodeSet },
    /// The witnesses that the step reaches are noted, once everything else has followed.
    /// [`Follow::Links`] adds consequences after this one, so it is put off once.
    Reach { step: Step, has_waited: bool },
}

/// A change of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WorldChange {
    /// One event that a bound allows is used up.
    Spend(Cost),
    /// A client asks for something.
    Ask(Cost),
    /// A cut begins.
    Cut(Cut),
    /// The cut ends.
    Heal,
    /// Sessions begin between these nodes where they reach each other, and all others end.
    Refresh(NodeSet),
}

/// A bound that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cost {
    Write(WriteKind),
    Read,
    StaleRead,
    Retry,
    Crash,
    Partition,
    Election,
    Tick,
    Rot,
    Drop,
    Duplicate,
    Rollback,
    LostContent,
    Trim,
    Replacement,
}

impl Cost {
    /// Whether enough of the bound is left.
    pub(crate) fn is_left(self, left: Bounds) -> bool {
        self.spend(&mut World::new(0, left)).is_some()
    }

    fn spend(self, world: &mut World) -> Option<()> {
        world.spend(|left| match self {
            Cost::Write(_) => &mut left.writes,
            Cost::Read => &mut left.reads,
            Cost::StaleRead => &mut left.stale_reads,
            Cost::Retry => &mut left.retries,
            Cost::Crash => &mut left.crashes,
            Cost::Partition => &mut left.partitions,
            Cost::Election => &mut left.elections,
            Cost::Tick => &mut left.ticks,
            Cost::Rot => &mut left.rot,
            Cost::Drop => &mut left.drops,
            Cost::Duplicate => &mut left.duplicates,
            Cost::Rollback => &mut left.rollbacks,
            Cost::LostContent => &mut left.lost_contents,
            Cost::Trim => &mut left.trims,
            Cost::Replacement => &mut left.replacements,
        })?;
        match self {
            Cost::Write(WriteKind::Delete) => world.spend(|left| &mut left.deletes),
            Cost::Write(WriteKind::Resolve | WriteKind::Restore(_)) => {
                world.spend(|left| &mut left.resolves)
            }
            _ => Some(()),
        }
    }
}

impl WorldChange {
    /// Changes a world in which enough is left of the bounds.
    pub(crate) fn make(self, world: &mut World) {
        let is_left = match self {
            WorldChange::Spend(cost) => cost.spend(world),
            WorldChange::Ask(cost) => {
                world.count_request();
                cost.spend(world)
            }
            WorldChange::Cut(cut) => {
                world.cut = Some(cut);
                Cost::Partition.spend(world)
            }
            WorldChange::Heal => {
                world.cut = None;
                Some(())
            }
            WorldChange::Refresh(up) => {
                world.refresh_links(up);
                Some(())
            }
        };
        assert!(
            is_left.is_some(),
            "invariant: a step that is too much for the bounds is not taken"
        );
    }
}

/// A change of the history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HistoryChange {
    /// A client asks a node for something.
    Invoked { request: RequestId, path: Path, node: NodeId, kind: OperationKind },
    /// A client repeats a request.
    Retried { request: RequestId, node: NodeId },
    /// A node had an event.
    Did(Did),
    /// A node crashed.
    Crashed(NodeId),
    /// The log of a node lost synced records.
    RolledBack(NodeId),
    /// The log of a node was replaced by one with this promise.
    Replaced(NodeId, Epoch),
    /// The step broke these guarantees.
    Broken(GuaranteeSet),
}

impl HistoryChange {
    /// Whether the history may say something else afterwards of answers, or of the entries that were
    /// made for requests.
    pub(crate) fn may_answer(&self) -> bool {
        match self {
            HistoryChange::Did(did) => did.answers_or_makes(),
            HistoryChange::Invoked { .. }
            | HistoryChange::Crashed(_)
            | HistoryChange::Replaced(..) => false,
            HistoryChange::Retried { .. }
            | HistoryChange::RolledBack(_)
            | HistoryChange::Broken(_) => true,
        }
    }

    /// Changes a history.
    pub(crate) fn make(&self, history: &mut History) {
        match self {
            HistoryChange::Invoked { request, path, node, kind } => {
                history.on_invoked(*request, path.clone(), *node, kind.clone());
            }
            HistoryChange::Retried { request, node } => history.on_retried(*request, *node),
            HistoryChange::Did(did) => history.on_did(did),
            HistoryChange::Crashed(node) => history.on_crashed(*node),
            HistoryChange::RolledBack(node) => history.on_rolled_back(*node),
            HistoryChange::Replaced(node, promise) => history.on_replaced(*node, *promise),
            HistoryChange::Broken(broken) => broken.iter().for_each(|it| history.note_broken(it)),
        }
    }
}
