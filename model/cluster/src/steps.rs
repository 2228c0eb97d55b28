//! The effects of each kind of step on the cluster.

use steadfast_guarantees::OperationKind;
use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Consistency, Content, Input, Intent, NodeId, NodeSet, ReadRequest, WriteRequest, replacement,
};
use steadfast_trace::{Directions, Step, WriteKind};

use crate::parts::{Changing, Cost, Follow, HistoryChange, WorldChange};
use crate::{ClusterModel, Event};

impl ClusterModel {
    /// Takes a step, without its consequences; `None` if it cannot happen.
    pub(crate) fn take<P: Changing>(&self, parts: &mut P, step: &Step) -> Option<()> {
        self.act(parts, step)?;
        let touched = parts.touched();
        let keeps_answers = !touched.answers;
        if step.changes_connections() || touched.taking_part {
            let (told, emptied) = (touched.told, touched.emptied);
            // A node that is down sees no changes of its connections.
            let is_final =
                |parts: &mut P, it| !parts.is_up(it) && parts.has_judged_alone(it, keeps_answers);
            let unjudged = told.iter().filter(|it| !is_final(parts, *it)).collect();
            parts.then(Follow::Links { told, unjudged, emptied });
        } else {
            if self.scope().link_events_apart {
                for (from, to) in self.pairs() {
                    if parts.may_have_lost_its_session(from, to) {
                        parts.then(Follow::Lose { from, to });
                    }
                }
            }
            touched.told.iter().for_each(|node| parts.judge(node, keeps_answers));
        }
        Some(())
    }

    /// Runs a consequence of a step.
    pub(crate) fn follow<P: Changing>(&self, parts: &mut P, follow: &Follow) {
        match *follow {
            Follow::Links { told, unjudged, emptied } => {
                self.refresh_links(parts, (told, unjudged), emptied);
            }
            Follow::Show { node, was_told } => {
                // Most of the node is looked at in the end; its session alone is not worth a look.
                let _ = parts.node(node);
                show_links(parts, node);
                if parts.touched().told.contains(node) {
                    parts.judge_shown(node, was_told);
                }
            }
            Follow::Lose { from, to } => lose_what_no_session_carries(parts, from, to),
            Follow::Judge { node, keeps_answers } => judge(parts, node, keeps_answers),
            Follow::Reconsider { nodes } => {
                if !parts.has_kept_history() {
                    let changed = nodes.iter().filter(|it| !parts.has_kept_node(*it));
                    let changed: Vec<_> = changed.collect();
                    for node in changed {
                        parts.then(Follow::Judge { node, keeps_answers: false });
                    }
                }
            }
            Follow::Reach { step, has_waited: false } => {
                parts.then(Follow::Reach { step, has_waited: true });
            }
            Follow::Reach { step, has_waited: true } => parts.note_reached(&step),
        }
    }

    /// All ordered pairs of nodes.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (NodeId, NodeId)> + use<> {
        let nodes = self.scope().settings.nodes();
        let others = move |from| NodeId::all(nodes).filter(move |to| *to != from);
        NodeId::all(nodes).flat_map(move |from| others(from).map(move |to| (from, to)))
    }

    /// `told` are the nodes that had an event in the step itself, `unjudged` those of them that are
    /// still to be judged, and `emptied` the directions that lost all messages.
    fn refresh_links<P: Changing>(
        &self,
        parts: &mut P,
        (told, unjudged): (NodeSet, NodeSet),
        emptied: Directions,
    ) {
        let nodes = || NodeId::all(self.scope().settings.nodes());
        let taking_part = nodes().filter(|it| parts.takes_part(*it)).collect();
        let change = WorldChange::Refresh(taking_part);
        let mut after = parts.world().clone();
        change.make(&mut after);
        let is_same = |one, other| parts.world().has_link_of(&after, one, other);
        let changed: Vec<_> = self.pairs().filter(|(from, to)| !is_same(*from, *to)).collect();
        let has_changed = |node| changed.iter().any(|(from, _)| *from == node);
        // A node that is down sees nothing.
        let affected = nodes().filter(|it| has_changed(*it) && parts.is_up(*it));
        let affected: NodeSet = affected.collect();
        parts.change_world(change);
        // Before the step every end had seen all of its connections, unless link events are apart.
        let concerns_all = parts.follows_up_on_all();
        if !self.scope().link_events_apart {
            for node in nodes().filter(|it| concerns_all || affected.contains(*it)) {
                parts.then(Follow::Show { node, was_told: told.contains(node) });
            }
        }
        for (from, to) in self.pairs() {
            let is_affected = changed.contains(&(from, to)) || told.contains(to);
            if concerns_all || (is_affected && !emptied.contains(from, to)) {
                parts.then(Follow::Lose { from, to });
            }
        }
        for node in nodes() {
            // The nodes that see changes of their connections are judged then.
            if concerns_all || unjudged.contains(node) {
                parts.then(Follow::Judge { node, keeps_answers: false });
            }
        }
        if !concerns_all && !self.scope().link_events_apart && !affected.is_empty() {
            parts.then(Follow::Reconsider { nodes: affected });
        }
    }

    fn act<P: Changing>(&self, parts: &mut P, step: &Step) -> Option<()> {
        match *step {
            Step::Deliver { from, to, nth } => parts.deliver(from, to, nth),
            Step::Sync { node } => tell(parts, node, Event::Sync),
            Step::Store { node } => tell(parts, node, Event::Store),
            Step::Transfer { node, made } => tell(parts, node, Event::Transfer { made }),
            Step::LinkUp { node, peer } => {
                let session = parts.world().session(node, peer)?;
                hear(parts, node, Input::LinkUp { peer, session })
            }
            Step::LinkDown { node, peer } => hear(parts, node, Input::LinkDown { peer }),
            Step::Write { node, path, kind } => self.write(parts, node, path, kind),
            Step::Retry { node, request } => retry(parts, node, request),
            Step::Read { node, path } => self.read(parts, node, path, Consistency::Linearizable),
            Step::StaleRead { node, path } => self.read(parts, node, path, Consistency::Stale),
            Step::Timeout { node } => {
                spend(parts, Cost::Election)?;
                hear(parts, node, Input::ElectionTimeout)
            }
            Step::Tick { node } => {
                if !parts.due_ticks().any(|it| it == node) {
                    spend(parts, Cost::Tick)?;
                }
                hear(parts, node, Input::Tick)
            }
            Step::Crash { node, kept, torn } => self.crash(parts, node, kept, torn),
            Step::Rollback { node, kept } => {
                spend(parts, Cost::Rollback)?;
                parts.change_history(HistoryChange::RolledBack(node));
                tell(parts, node, Event::Rollback { kept })
            }
            Step::LoseContent { node, content } => {
                spend(parts, Cost::LostContent)?;
                tell(parts, node, Event::LoseContent(content))
            }
            Step::Recover { node } => tell(parts, node, Event::Recover),
            Step::Replace { node } => self.replace(parts, node),
            Step::Cut(cut) => {
                Cost::Partition.is_left(parts.left()).then_some(())?;
                parts.change_world(WorldChange::Cut(cut));
                let lost = self.pairs().filter(|(from, to)| cut.loses(*from, *to));
                lost.for_each(|(from, to)| parts.put_packets(from, to, Vec::new()));
                Some(())
            }
            Step::Heal => {
                parts.change_world(WorldChange::Heal);
                Some(())
            }
            Step::Rot { node, content } => {
                spend(parts, Cost::Rot)?;
                tell(parts, node, Event::Rot(content))
            }
            Step::Trim { node } => {
                spend(parts, Cost::Trim)?;
                hear(parts, node, Input::Trim)
            }
            Step::Checkpoint { node } => tell(parts, node, Event::Checkpoint),
            Step::Scrub { node, content } => hear(parts, node, Input::Bad { content }),
            Step::Drop { from, to, nth } => {
                spend(parts, Cost::Drop)?;
                let mut packets: Vec<_> = parts.packets(from, to).cloned().collect();
                let nth = usize::try_from(nth).ok().filter(|it| *it < packets.len())?;
                packets.remove(nth);
                parts.put_packets(from, to, packets);
                Some(())
            }
            Step::Duplicate { from, to, nth } => {
                spend(parts, Cost::Duplicate)?;
                // It arrives, and stays under way.
                let packet = parts.packets(from, to).nth(usize::try_from(nth).ok()?)?.clone();
                parts.deliver(from, to, nth)?;
                parts.push(from, to, packet);
                Some(())
            }
        }
    }

    fn crash<P: Changing>(&self, parts: &mut P, node: NodeId, kept: u32, torn: bool) -> Option<()> {
        spend(parts, Cost::Crash)?;
        tell(parts, node, Event::Crash { kept, torn })?;
        let apart = self.scope().link_events_apart;
        let is_lost = |(from, to): &(NodeId, NodeId)| *to == node || (*from == node && !apart);
        self.pairs().filter(is_lost).for_each(|(from, to)| parts.put_packets(from, to, Vec::new()));
        parts.change_history(HistoryChange::Crashed(node));
        Some(())
    }

    /// All nodes stop, and one gets a new log. An operator starts them again, one by one.
    fn replace<P: Changing>(&self, parts: &mut P, node: NodeId) -> Option<()> {
        spend(parts, Cost::Replacement)?;
        let nodes = || NodeId::all(self.scope().settings.nodes());
        let up: Vec<NodeId> = nodes().filter(|it| parts.is_up(*it)).collect();
        for it in up {
            tell(parts, it, Event::Crash { kept: 0, torn: false })?;
            parts.change_history(HistoryChange::Crashed(it));
        }
        self.pairs().for_each(|(from, to)| parts.put_packets(from, to, Vec::new()));
        let logs = nodes().filter(|it| *it != node).map(|it| parts.node(it).storage().records());
        let logs: Vec<_> = logs.collect();
        let identity = parts.node(node).identity();
        let checkpoint = replacement(identity, &logs, self.decisions()).ok()?;
        parts.change_history(HistoryChange::Replaced(node, checkpoint.fold.promise()));
        parts.replace_disk(node, checkpoint);
        Some(())
    }

    fn write<P: Changing>(
        &self,
        parts: &mut P,
        node: NodeId,
        path: u32,
        kind: WriteKind,
    ) -> Option<()> {
        let path = self.path(path).clone();
        let request = self.scope().clients().request(parts.next_number());
        let content = self.scope().content(request.number);
        let replica = parts.node(node).replica()?;
        let counter = replica.log().fold().counter();
        let seen = self.scope().clients().seen(counter);
        let heads = replica.files().heads(&path);
        let (intent, base) = kind.intent(heads, Some(content))?;
        let cost = Cost::Write(kind);
        cost.is_left(parts.left()).then_some(())?;
        parts.change_world(WorldChange::Ask(cost));
        let kind = OperationKind::write(intent.clone(), base.clone(), seen);
        parts.change_history(HistoryChange::Invoked { request, path: path.clone(), node, kind });
        bring_and_write(parts, node, WriteRequest { request, path, intent, base, seen })
    }

    fn read<P: Changing>(
        &self,
        parts: &mut P,
        node: NodeId,
        path: u32,
        consistency: Consistency,
    ) -> Option<()> {
        let (cost, kind) = match consistency {
            Consistency::Linearizable => (Cost::Read, OperationKind::read()),
            Consistency::Stale => (Cost::StaleRead, OperationKind::stale_read()),
        };
        cost.is_left(parts.left()).then_some(())?;
        let request = self.scope().clients().request(parts.next_number());
        parts.change_world(WorldChange::Ask(cost));
        let path = self.path(path).clone();
        parts.change_history(HistoryChange::Invoked { request, path: path.clone(), node, kind });
        hear(parts, node, Input::Read(ReadRequest { request, path, consistency }))
    }
}

/// Notes the guarantees that a step breaks, as far as one node is concerned.
fn judge<P: Changing>(parts: &mut P, node: NodeId, keeps_answers: bool) {
    let broken = parts.broken(node, keeps_answers);
    if !broken.is_empty() {
        parts.change_history(HistoryChange::Broken(broken));
    }
}

/// Uses up one event that a bound allows; `None` when none is left.
fn spend<P: Changing>(parts: &mut P, cost: Cost) -> Option<()> {
    cost.is_left(parts.left()).then(|| parts.change_world(WorldChange::Spend(cost)))
}

fn tell<P: Changing>(parts: &mut P, node: NodeId, event: Event) -> Option<()> {
    parts.tell(node, event);
    Some(())
}

fn hear<P: Changing>(parts: &mut P, node: NodeId, input: Input) -> Option<()> {
    tell(parts, node, Event::Input(input))
}

fn retry<P: Changing>(parts: &mut P, node: NodeId, number: u64) -> Option<()> {
    let write = parts.history().retry(number)?;
    spend(parts, Cost::Retry)?;
    parts.change_history(HistoryChange::Retried { request: write.request, node });
    bring_and_write(parts, node, write)
}

/// A client makes the content durable that its write names, or the node verifies its copy; then the client writes.
fn bring_and_write<P: Changing>(parts: &mut P, node: NodeId, write: WriteRequest) -> Option<()> {
    if let Intent::Put(Content::Named(content)) = write.intent {
        parts.tell(node, Event::Bring(content));
    }
    // For speed: other writes name no content.
    if !matches!(write.intent, Intent::Put(Content::Inline(_)) | Intent::Delete) {
        parts.tell(node, Event::Verify(write.clone()));
    }
    hear(parts, node, Input::Write(write))
}

/// Lets a node see the changes of its connections: ends before beginnings.
pub(crate) fn show_links<P: Changing>(parts: &mut P, node: NodeId) {
    let events: Vec<_> = parts.link_events_of(node).collect();
    for it in events.into_iter().filter(|it| !it.is_up) {
        parts.tell(node, Event::Input(Input::LinkDown { peer: it.peer }));
    }
    let events: Vec<_> = parts.link_events_of(node).collect();
    for it in events.into_iter().filter(|it| it.is_up) {
        if let Some(session) = parts.world().session(node, it.peer) {
            parts.tell(node, Event::Input(Input::LinkUp { peer: it.peer, session }));
        }
    }
}

/// Drops messages that their receiver will never take: those of a session that the receiver has
/// seen end, or that ended before the receiver saw it begin.
fn lose_what_no_session_carries<P: Changing>(parts: &mut P, from: NodeId, to: NodeId) {
    let is_carried = |it: &&_| parts.carries(from, to, it);
    let packets = parts.packets(from, to);
    let count = parts.packets(from, to).count();
    let carried: Vec<_> = packets.filter(is_carried).cloned().collect();
    if carried.len() < count {
        parts.put_packets(from, to, carried);
    }
}
