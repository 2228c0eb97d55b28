//! What can happen next.

use std::fmt;

use steadfast_guarantees::{Action as Asked, Copy, Status};
use steadfast_protocol::{Change, ContentId, NodeId, NodeSet, Packet, Replica};
use steadfast_trace::{Network, Step, WriteKind};

use crate::{ClusterModel, ClusterState, Node};

/// A step of the model, with the message that it delivers, loses or doubles.
#[derive(Clone, PartialEq)]
pub struct Action {
    /// What happens.
    pub step: Step,
    /// The message, for people; the step says which it is.
    pub packet: Option<Packet>,
}

impl Action {
    fn new(step: Step) -> Action {
        Action { step, packet: None }
    }

    /// A step in a state, with its message if it is about one.
    pub(crate) fn of(step: Step, state: &ClusterState) -> Action {
        let packet = match step {
            Step::Deliver { from, to, nth }
            | Step::Drop { from, to, nth }
            | Step::Duplicate { from, to, nth } => state.packet(from, to, nth).cloned(),
            _ => None,
        };
        Action { step, packet }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.packet {
            Some(packet) => write!(f, "{}: {}", self.step, packet.message),
            None => write!(f, "{}", self.step),
        }
    }
}

impl ClusterModel {
    /// Collects what can happen next, in a fixed order.
    pub(crate) fn collect(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.collect_progress(state, actions);
        self.collect_clients(state, actions);
        self.collect_time(state, actions);
        self.collect_crashes(state, actions);
        self.collect_cuts(state, actions);
        self.collect_losses(state, actions);
        self.collect_rot(state, actions);
    }

    /// Whether a step can happen here. Besides what a search tries, a client may ask a node that
    /// does not lead: it is refused, which no search needs to know.
    #[must_use]
    pub fn admits(&self, state: &ClusterState, step: &Step) -> bool {
        let left = state.world.left;
        let is_up = |node: NodeId| state.replicas().any(|it| it.id() == node);
        let has_path = |path: u16| path < self.scope().bounds.paths;
        match *step {
            Step::Write { node, path, .. } => left.writes > 0 && is_up(node) && has_path(path),
            Step::Read { node, path } => left.reads > 0 && is_up(node) && has_path(path),
            _ => {
                let mut actions = Vec::new();
                self.collect(state, &mut actions);
                actions.iter().any(|it| it.step == *step)
            }
        }
    }

    /// Collects what happens by itself once no fault and no client acts any more.
    pub fn collect_progress(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.collect_deliveries(state, actions);
        for (node, it) in state.nodes() {
            if it.replica.is_some() && it.disk.tail() > 0 {
                actions.push(Action::new(Step::Sync { node }));
            }
            if it.replica.is_some() && !it.disk.storing.is_empty() {
                actions.push(Action::new(Step::Store { node }));
            }
            for content in self.scrubs(it) {
                actions.push(Action::new(Step::Scrub { node, content }));
            }
        }
        let ticks = self.due_ticks(state).map(|node| Action::new(Step::Tick { node }));
        actions.extend(ticks);
        if self.scope().link_events_apart {
            for (node, peer, up) in state.link_events() {
                let step =
                    if up { Step::LinkUp { node, peer } } else { Step::LinkDown { node, peer } };
                actions.push(Action::new(step));
            }
        }
    }

    /// The nodes that lag, on a network where nothing is under way or unsynced but messages may have
    /// been lost or refused. Their next tick is progress and needs no bound: it always comes.
    pub fn due_ticks(&self, state: &ClusterState) -> impl Iterator<Item = NodeId> {
        let is_busy = state.channels().next().is_some()
            || state.nodes().any(|(_, it)| it.disk.tail() > 0 || !it.disk.storing.is_empty());
        let is_due = self.scope().network != Network::Fifo && !is_busy;
        let replicas = is_due.then(|| state.replicas()).into_iter().flatten();
        replicas.filter(|it| it.lags()).map(Replica::id)
    }

    /// The contents whose copies are bad while the node believes them good.
    pub(crate) fn scrubs(&self, node: &Node) -> impl Iterator<Item = ContentId> {
        let wrong = node.disk.contents().iter().filter(|(_, copy)| *copy == Copy::Wrong);
        let is_found = !self.decisions().trusts_unverified_content();
        wrong.map(|(content, _)| *content).filter(move |content| {
            is_found && node.replica.as_ref().is_some_and(|it| it.has_content(*content))
        })
    }

    fn collect_deliveries(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        for ((from, to), packets) in state.channels() {
            let seen = state.seen(to, from);
            let mut previous = None;
            for (nth, packet) in (0..).zip(packets) {
                let waits = self.decisions().waits_for_link_up() && seen != Some(packet.session);
                let is_down = state.replica(to).is_none();
                if !waits && !is_down && previous != Some(packet) {
                    let step = Step::Deliver { from, to, nth };
                    actions.push(Action { step, packet: Some(packet.clone()) });
                }
                if self.scope().network == Network::Fifo {
                    break;
                }
                previous = Some(packet);
            }
        }
    }

    fn collect_clients(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        let left = state.world.left;
        for replica in state.replicas().filter(|it| it.leads()) {
            let node = replica.id();
            for path in 0..self.scope().bounds.paths {
                if left.writes > 0 {
                    self.collect_writes(state, replica, path, actions);
                }
                if left.reads > 0 {
                    actions.push(Action::new(Step::Read { node, path }));
                }
            }
            if left.retries > 0 {
                let operations = state.history().operations().iter();
                for (request, operation) in (0..).zip(operations) {
                    let is_open = matches!(operation.status, Status::Unknown | Status::Pending);
                    if is_open && matches!(operation.action, Asked::Write { .. }) {
                        actions.push(Action::new(Step::Retry { node, request }));
                    }
                }
            }
        }
    }

    fn collect_writes(
        &self,
        state: &ClusterState,
        leader: &Replica,
        path: u16,
        actions: &mut Vec<Action>,
    ) {
        let (node, left) = (leader.id(), state.world.left);
        let mut write = |kind| actions.push(Action::new(Step::Write { node, path, kind }));
        let heads = leader.files().heads(self.path(path));
        write(WriteKind::Put);
        if left.deletes > 0 && heads.first().is_some_and(|it| it.change != Change::Delete) {
            write(WriteKind::Delete);
        }
        if left.resolves > 0 && heads.len() > 1 {
            write(WriteKind::Resolve);
            heads[1..].iter().for_each(|head| write(WriteKind::Restore(head.dot)));
        }
    }

    fn collect_time(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        for replica in state.replicas() {
            let node = replica.id();
            if state.world.left.elections > 0 && !replica.leads() {
                actions.push(Action::new(Step::Timeout { node }));
            }
            if state.world.left.ticks > 0 && ticks(replica) {
                actions.push(Action::new(Step::Tick { node }));
            }
        }
    }

    fn collect_crashes(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        for (node, it) in state.nodes() {
            if it.replica.is_none() {
                actions.push(Action::new(Step::Recover { node }));
            } else if state.world.left.crashes > 0 {
                let tail = u16::try_from(it.disk.tail()).unwrap_or(u16::MAX);
                for kept in 0..=tail {
                    actions.push(Action::new(Step::Crash { node, kept, torn: false }));
                    if kept < tail {
                        actions.push(Action::new(Step::Crash { node, kept, torn: true }));
                    }
                }
            }
        }
    }

    fn collect_cuts(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        if state.world.cut.is_some() {
            return actions.push(Action::new(Step::Heal));
        }
        if state.world.left.partitions == 0 {
            return;
        }
        let everyone = (1_u8 << self.scope().settings.nodes()) - 1;
        for side in (1..everyone).map(NodeSet::from_bits) {
            if side.contains(NodeId(0)) {
                actions.push(Action::new(Step::Cut { side, one_way: false }));
            }
            if self.scope().one_way_cuts {
                actions.push(Action::new(Step::Cut { side, one_way: true }));
            }
        }
    }

    fn collect_losses(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        let left = state.world.left;
        if left.drops == 0 && left.duplicates == 0 {
            return;
        }
        for ((from, to), packets) in state.channels() {
            for (nth, packet) in (0..).zip(packets) {
                let packet = Some(packet.clone());
                if left.drops > 0 {
                    let step = Step::Drop { from, to, nth };
                    actions.push(Action { step, packet: packet.clone() });
                }
                if left.duplicates > 0 {
                    let step = Step::Duplicate { from, to, nth };
                    actions.push(Action { step, packet });
                }
            }
        }
    }

    /// A copy may go bad while another node that synced an entry naming it has a good one.
    fn collect_rot(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        if state.world.left.rot == 0 {
            return;
        }
        for (node, it) in state.nodes() {
            for (content, _) in it.disk.contents().iter().filter(|(_, copy)| *copy == Copy::Exact) {
                let is_good = |other: &Node| {
                    let mut synced = other.view().synced_entries();
                    other.disk.copy(*content) == Copy::Exact
                        && synced.any(|entry| entry.change.named() == Some(*content))
                };
                if state.nodes().any(|(other, it)| other != node && is_good(it)) {
                    actions.push(Action::new(Step::Rot { node, content: *content }));
                }
            }
        }
    }
}

/// Whether the passing of time makes a node say something.
fn ticks(replica: &Replica) -> bool {
    replica.leads() || !replica.wants().is_empty()
}
