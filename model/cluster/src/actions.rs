//! What can happen next.

use std::fmt;

use steadfast_guarantees::{Action as Asked, Status};
use steadfast_node::{Cluster, ContentCopy, NodeStorage};
use steadfast_protocol::{Change, NodeId, Packet, Replica};
use steadfast_trace::{Cut, Network, Step, WriteKind};

use crate::{ClusterModel, ClusterState, View};

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
        let has_path = |path: u32| path < self.scope().bounds.paths;
        match *step {
            Step::Write { node, path, .. } => left.writes > 0 && is_up(node) && has_path(path),
            Step::Read { node, path } => left.reads > 0 && is_up(node) && has_path(path),
            Step::StaleRead { node, path } => left.stale_reads > 0 && is_up(node) && has_path(path),
            // A run may lose more links than a search could try sets of.
            Step::Cut(cut) => {
                state.world.cut.is_none() && left.partitions > 0 && self.scope().has_cut(cut)
            }
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
        let view = View { model: self, state };
        for it in state.nodes().filter(|it| it.is_up()) {
            let node = it.id();
            if it.storage().tail() > 0 {
                actions.push(Action::new(Step::Sync { node }));
            }
            if it.storage().is_storing() {
                actions.push(Action::new(Step::Store { node }));
            }
            for content in it.undetected_rot(self.decisions()) {
                actions.push(Action::new(Step::Scrub { node, content }));
            }
        }
        actions.extend(view.due_ticks().map(|node| Action::new(Step::Tick { node })));
        if self.scope().link_events_apart {
            actions.extend(view.link_events().map(|it| Action::new(it.step())));
        }
    }

    /// Whether a step needs no fault, no client and no bound.
    #[must_use]
    pub fn is_progress(&self, state: &ClusterState, step: &Step) -> bool {
        match *step {
            Step::Tick { node } => View { model: self, state }.due_ticks().any(|it| it == node),
            ref step => step.is_progress(),
        }
    }

    fn collect_deliveries(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        let view = View { model: self, state };
        for ((from, to), packets) in state.channels() {
            let mut previous = None;
            for (nth, packet) in (0..).zip(packets) {
                let waits = view.waits_for_link_up(from, to, packet);
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
        for replica in state.replicas().filter(|_| left.stale_reads > 0) {
            let node = replica.id();
            let paths = 0..self.scope().bounds.paths;
            actions.extend(paths.map(|path| Action::new(Step::StaleRead { node, path })));
        }
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
        path: u32,
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
        for replica in state.replicas().filter(|it| it.takes_part()) {
            let node = replica.id();
            let waits = !replica.leads() || self.scope().guards_elections;
            if state.world.left.elections > 0 && waits {
                actions.push(Action::new(Step::Timeout { node }));
            }
            if state.world.left.ticks > 0 && replica.needs_ticks() {
                actions.push(Action::new(Step::Tick { node }));
            }
        }
    }

    fn collect_crashes(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        for it in state.nodes() {
            let node = it.id();
            if !it.is_up() {
                actions.push(Action::new(Step::Recover { node }));
                if state.world.left.rollbacks > 0 {
                    let length = u32::try_from(it.storage().records().len()).unwrap_or(u32::MAX);
                    let kept = 1..length;
                    actions.extend(kept.map(|kept| Action::new(Step::Rollback { node, kept })));
                }
                if state.world.left.lost_contents > 0 {
                    let view = View { model: self, state };
                    let copies = it.storage().copies().iter().map(|it| it.0);
                    let lost = copies.filter(|content| view.may_rot(node, *content));
                    let steps = lost.map(|content| Step::LoseContent { node, content });
                    actions.extend(steps.map(Action::new));
                }
            } else if state.world.left.crashes > 0 {
                let tail = u32::try_from(it.storage().tail()).unwrap_or(u32::MAX);
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
        let (scope, nodes) = (self.scope(), self.scope().settings.nodes());
        let splits = Cut::splits(nodes, scope.one_way_cuts);
        actions.extend(splits.map(|it| Action::new(Step::Cut(it))));
        let links = Cut::of_links(nodes, scope.lost_links, scope.one_way_cuts);
        actions.extend(links.into_iter().map(|it| Action::new(Step::Cut(it))));
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
        let view = View { model: self, state };
        for it in state.nodes() {
            let node = it.id();
            let good = it.storage().copies().iter().filter(|it| it.1 == ContentCopy::Exact);
            for content in good.map(|it| it.0).filter(|content| view.may_rot(node, *content)) {
                actions.push(Action::new(Step::Rot { node, content }));
            }
        }
    }
}
