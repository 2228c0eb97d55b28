//! The steps that are possible in a state.

use std::fmt;

use steadfast_guarantees::{OperationKind, Status};
use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{Change, LogIndex, NodeId, Packet, Replica, first_index, last_index};
use steadfast_trace::{Cut, Network, Step, WriteKind};

use crate::parts::Parts;
use crate::{ClusterModel, ClusterState, View};

/// A step of the model, with the message that it delivers, loses or doubles.
#[derive(Clone, PartialEq)]
pub struct Action {
    /// The step.
    pub step: Step,
    /// The message, for people; the step identifies it.
    pub packet: Option<Packet>,
}

impl Action {
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

/// The sources of steps: each looks at few parts of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Messages arrive.
    Deliveries { from: NodeId, to: NodeId },
    /// The steps of a node by itself.
    Progress(NodeId),
    /// Heartbeats that are progress.
    DueTicks,
    /// A node hears of connections.
    LinkEvents(NodeId),
    /// Clients ask a node.
    Clients(NodeId),
    /// Clients ask a node again.
    Retries(NodeId),
    /// Time passes for a node.
    Time(NodeId),
    /// A node crashes.
    Crashes(NodeId),
    /// A node comes back, possibly without a part of its disk.
    Recoveries(NodeId),
    /// Cuts begin and end.
    Cuts,
    /// Messages are lost and doubled one by one.
    Losses { from: NodeId, to: NodeId },
    /// Copies of contents go bad.
    Rot(NodeId),
    /// A node trims its log.
    Trims(NodeId),
    /// The disk of a node is lost, and it gets a new log while all nodes are down.
    Replacements(NodeId),
}

impl Source {
    /// Whether it can give steps within a scope.
    pub(crate) fn is_possible(self, model: &ClusterModel) -> bool {
        let scope = model.scope();
        let bounds = scope.bounds;
        match self {
            Source::Deliveries { .. } | Source::Progress(_) => true,
            Source::DueTicks => scope.network != Network::Fifo,
            Source::LinkEvents(_) => scope.link_events_apart,
            Source::Clients(_) => bounds.writes > 0 || bounds.reads > 0 || bounds.stale_reads > 0,
            Source::Retries(_) => bounds.retries > 0,
            Source::Time(_) => bounds.elections > 0 || bounds.ticks > 0,
            Source::Crashes(_) => bounds.crashes > 0,
            Source::Recoveries(_) => bounds.crashes > 0 || bounds.replacements > 0,
            Source::Cuts => bounds.partitions > 0,
            Source::Losses { .. } => bounds.drops > 0 || bounds.duplicates > 0,
            Source::Rot(_) => bounds.rot > 0,
            Source::Trims(_) => bounds.trims > 0,
            Source::Replacements(_) => bounds.replacements > 0,
        }
    }
}

impl ClusterModel {
    /// All sources of steps, in the order in which steps are tried.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let mut sources = self.sources_of_progress();
        let nodes = || NodeId::all(self.scope().settings.nodes());
        sources.extend(nodes().flat_map(|it| [Source::Clients(it), Source::Retries(it)]));
        sources.extend(nodes().map(Source::Time));
        sources.extend(nodes().flat_map(|it| [Source::Crashes(it), Source::Recoveries(it)]));
        sources.push(Source::Cuts);
        sources.extend(self.pairs().map(|(from, to)| Source::Losses { from, to }));
        sources.extend(nodes().map(Source::Rot));
        sources.extend(nodes().map(Source::Trims));
        sources.extend(nodes().map(Source::Replacements));
        sources
    }

    /// The sources of the steps that happen by themselves once no fault and no client acts any
    /// more.
    fn sources_of_progress(&self) -> Vec<Source> {
        let nodes = || NodeId::all(self.scope().settings.nodes());
        let deliveries = self.pairs().map(|(from, to)| Source::Deliveries { from, to });
        let mut sources: Vec<_> = deliveries.collect();
        sources.extend(nodes().map(Source::Progress));
        sources.push(Source::DueTicks);
        sources.extend(nodes().map(Source::LinkEvents));
        sources
    }

    /// Collects the possible steps, in a fixed order.
    pub(crate) fn collect(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.collect_from(&self.sources, state, actions);
    }

    /// Collects the steps that happen by themselves once no fault and no client acts any more.
    pub fn collect_progress(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.collect_from(&self.sources_of_progress(), state, actions);
    }

    fn collect_from(&self, sources: &[Source], state: &ClusterState, actions: &mut Vec<Action>) {
        let view = View { model: self, state };
        let mut steps = Vec::new();
        sources.iter().for_each(|it| self.steps_from(*it, &view, &mut steps));
        actions.extend(steps.into_iter().map(|step| Action::of(step, state)));
    }

    /// Whether a step can happen here. In addition to the steps of a search, a client may ask a
    /// node that does not lead; the node refuses, and a search need not try this.
    #[must_use]
    pub fn admits(&self, state: &ClusterState, step: &Step) -> bool {
        let left = state.world.left;
        let is_up = |node: NodeId| state.replicas().any(|it| it.id() == node);
        let has_path = |path: u32| path < self.scope().bounds.paths;
        match *step {
            Step::Write { node, path, .. } => left.writes > 0 && is_up(node) && has_path(path),
            Step::Read { node, path } => left.reads > 0 && is_up(node) && has_path(path),
            Step::StaleRead { node, path } => left.stale_reads > 0 && is_up(node) && has_path(path),
            // In a run, a transfer may also end in ways that a search does not try.
            Step::Transfer { node, .. } => is_up(node) && state.node(node).storage().is_storing(),
            // A run may lose more links at once than a search tries.
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

    /// Whether the steps of a source happen by themselves once no fault and no client acts any more.
    pub(crate) fn is_source_of_progress(&self, source: Source) -> bool {
        self.sources_of_progress().contains(&source)
    }

    /// The steps of one source, in a fixed order.
    pub(crate) fn steps_from<P: Parts>(&self, source: Source, parts: &P, steps: &mut Vec<Step>) {
        match source {
            Source::Deliveries { from, to } => self.deliveries(parts, from, to, steps),
            Source::Progress(node) => self.progress(parts, node, steps),
            Source::DueTicks => steps.extend(parts.due_ticks().map(|node| Step::Tick { node })),
            Source::LinkEvents(node) => {
                let apart = self.scope().link_events_apart;
                let events = apart.then(|| parts.link_events_of(node));
                steps.extend(events.into_iter().flatten().map(|it| it.step()));
            }
            Source::Clients(node) => self.clients(parts, node, steps),
            Source::Retries(node) => retries(parts, node, steps),
            Source::Time(node) => self.time(parts, node, steps),
            Source::Crashes(node) => crashes(parts, node, steps),
            Source::Recoveries(node) => recoveries(parts, node, steps),
            Source::Cuts => self.cuts(parts, steps),
            Source::Losses { from, to } => losses(parts, from, to, steps),
            Source::Rot(node) => rot(parts, node, steps),
            Source::Trims(node) => trims(parts, node, steps),
            Source::Replacements(node) => replacements(parts, node, steps),
        }
    }

    fn deliveries<P: Parts>(&self, parts: &P, from: NodeId, to: NodeId, steps: &mut Vec<Step>) {
        let mut previous = None;
        for (nth, packet) in (0..).zip(parts.packets(from, to)) {
            let is_up = parts.node(to).is_up();
            let waits = parts.waits_for_link_up(from, to, packet);
            if !waits && is_up && previous != Some(packet) {
                steps.push(Step::Deliver { from, to, nth });
            }
            if self.scope().network == Network::Fifo {
                break;
            }
            previous = Some(packet);
        }
    }

    fn progress<P: Parts>(&self, parts: &P, node: NodeId, steps: &mut Vec<Step>) {
        let it = parts.node(node);
        if !it.is_up() {
            return;
        }
        if it.storage().tail() > 0 {
            steps.push(Step::Sync { node });
        }
        if let Some((payload, sender)) = it.storage().storing().first() {
            steps.push(Step::Store { node });
            // A message and its payloads arrive at once, and the bytes later.
            if parts.node(*sender).storage().copy(payload.content) != ContentCopy::Exact {
                steps.push(Step::Transfer { node, made: false });
            }
        }
        if it.storage().is_checkpointing() {
            steps.push(Step::Checkpoint { node });
        }
        let rot = it.undetected_rot(self.decisions());
        steps.extend(rot.map(|content| Step::Scrub { node, content }));
    }

    fn clients<P: Parts>(&self, parts: &P, node: NodeId, steps: &mut Vec<Step>) {
        let left = parts.left();
        if left.writes == 0 && left.reads == 0 && left.stale_reads == 0 {
            return;
        }
        if left.stale_reads > 0 && parts.node(node).is_up() {
            let paths = 0..self.scope().bounds.paths;
            steps.extend(paths.map(|path| Step::StaleRead { node, path }));
        }
        let leader = parts.node(node).replica().filter(|it| it.leads());
        for (leader, path) in
            leader.into_iter().flat_map(|it| (0..self.scope().bounds.paths).map(move |at| (it, at)))
        {
            if left.writes > 0 {
                self.writes(parts, leader, path, steps);
            }
            if left.reads > 0 {
                steps.push(Step::Read { node, path });
            }
        }
    }

    fn writes<P: Parts>(&self, parts: &P, leader: &Replica, path: u32, steps: &mut Vec<Step>) {
        let (node, left) = (leader.id(), parts.left());
        let mut write = |kind| steps.push(Step::Write { node, path, kind });
        let heads = leader.files().heads(self.path(path));
        write(WriteKind::Put);
        let is_there = heads.first().is_some_and(|it| it.change != Change::Delete);
        if left.deletes > 0 && (is_there || self.may_miss(parts, path)) {
            write(WriteKind::Delete);
        }
        if left.resolves > 0 {
            heads.iter().for_each(|head| write(WriteKind::Restore(head.dot)));
        }
        if left.resolves > 0 && heads.len() > 1 {
            write(WriteKind::Resolve);
        }
    }

    /// Whether a leader that shows nothing of a path may lack an acknowledged write: then its
    /// refusal reveals something that a guarantee can judge.
    fn may_miss<P: Parts>(&self, parts: &P, path: u32) -> bool {
        let acknowledged = || parts.history().acknowledged();
        self.scope().judges_order() && acknowledged().any(|(it, _)| it.path == *self.path(path))
    }

    fn time<P: Parts>(&self, parts: &P, node: NodeId, steps: &mut Vec<Step>) {
        let left = parts.left();
        if left.elections == 0 && left.ticks == 0 {
            return;
        }
        let Some(replica) = parts.node(node).replica().filter(|it| it.takes_part()) else {
            return;
        };
        let waits = !replica.leads() || self.scope().guards_elections;
        if left.elections > 0 && waits {
            steps.push(Step::Timeout { node });
        }
        if left.ticks > 0 && replica.needs_ticks() {
            steps.push(Step::Tick { node });
        }
    }

    fn cuts<P: Parts>(&self, parts: &P, steps: &mut Vec<Step>) {
        if parts.world().cut.is_some() {
            return steps.push(Step::Heal);
        }
        if parts.left().partitions == 0 {
            return;
        }
        let (scope, nodes) = (self.scope(), self.scope().settings.nodes());
        steps.extend(Cut::splits(nodes, scope.one_way_cuts).map(Step::Cut));
        let links = Cut::of_links(nodes, scope.lost_links, scope.one_way_cuts);
        steps.extend(links.into_iter().map(Step::Cut));
    }
}

fn retries<P: Parts>(parts: &P, node: NodeId, steps: &mut Vec<Step>) {
    let leads = || parts.node(node).replica().is_some_and(Replica::leads);
    if parts.left().retries == 0 || !leads() {
        return;
    }
    for (request, operation) in (0..).zip(parts.history().operations()) {
        let is_open = matches!(operation.status, Status::Unknown | Status::Pending);
        if is_open && matches!(operation.kind, OperationKind::Write { .. }) {
            steps.push(Step::Retry { node, request });
        }
    }
}

fn crashes<P: Parts>(parts: &P, node: NodeId, steps: &mut Vec<Step>) {
    if parts.left().crashes == 0 || !parts.node(node).is_up() {
        return;
    }
    let tail = u32::try_from(parts.node(node).storage().tail()).unwrap_or(u32::MAX);
    for kept in 0..=tail {
        steps.push(Step::Crash { node, kept, torn: false });
        if kept < tail {
            steps.push(Step::Crash { node, kept, torn: true });
        }
    }
}

fn recoveries<P: Parts>(parts: &P, node: NodeId, steps: &mut Vec<Step>) {
    if parts.node(node).is_up() {
        return;
    }
    steps.push(Step::Recover { node });
    if parts.left().rollbacks > 0 {
        let records = parts.node(node).storage().records();
        let index = |it: LogIndex| u32::try_from(it.0).unwrap_or(u32::MAX);
        let kept = index(first_index(records))..index(last_index(records));
        steps.extend(kept.map(|kept| Step::Rollback { node, kept }));
    }
    if parts.left().lost_contents > 0 {
        let copies = parts.node(node).storage().copies().iter().map(|it| it.0);
        let lost = copies.filter(|content| parts.may_rot(node, *content));
        steps.extend(lost.map(|content| Step::LoseContent { node, content }));
    }
}

fn losses<P: Parts>(parts: &P, from: NodeId, to: NodeId, steps: &mut Vec<Step>) {
    let left = parts.left();
    if left.drops == 0 && left.duplicates == 0 {
        return;
    }
    for (nth, _) in (0..).zip(parts.packets(from, to)) {
        if left.drops > 0 {
            steps.push(Step::Drop { from, to, nth });
        }
        if left.duplicates > 0 {
            steps.push(Step::Duplicate { from, to, nth });
        }
    }
}

/// A node may trim its log if that drops entries.
fn trims<P: Parts>(parts: &P, node: NodeId, steps: &mut Vec<Step>) {
    if parts.left().trims == 0 {
        return;
    }
    if parts.node(node).replica().is_some_and(Replica::gains_by_trim) {
        steps.push(Step::Trim { node });
    }
}

/// The disk of a node may get lost while the others have a good copy of every content that they name.
fn replacements<P: Parts>(parts: &P, node: NodeId, steps: &mut Vec<Step>) {
    if parts.left().replacements > 0 && parts.may_lose_disk(node) {
        steps.push(Step::Replace { node });
    }
}

/// A copy may go bad while another node that synced the entries naming it has a good one.
fn rot<P: Parts>(parts: &P, node: NodeId, steps: &mut Vec<Step>) {
    if parts.left().rot == 0 {
        return;
    }
    let copies = parts.node(node).storage().copies().iter();
    let good = copies.filter(|it| it.1 == ContentCopy::Exact).map(|it| it.0);
    let rotting = good.filter(|content| parts.may_rot(node, *content));
    steps.extend(rotting.map(|content| Step::Rot { node, content }));
}
