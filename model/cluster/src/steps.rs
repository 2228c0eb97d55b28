//! What each kind of step does to the cluster.

use stateright::Model;
use stateright::actor::{ActorModelAction, Id, Network};
use steadfast_guarantees::{Action as Asked, Operation};
use steadfast_protocol::{
    Base, Consistency, Content, Input, Intent, NodeId, NodeSet, ReadRequest, RequestId,
    WriteRequest,
};
use steadfast_trace::{Bounds, Cut, Step, WriteKind};

use crate::actor::node_id;
use crate::{ClusterModel, ClusterState, Event};

impl ClusterModel {
    /// The cluster after a step, before connections and history follow.
    pub(crate) fn act(&self, before: &ClusterState, step: &Step) -> Option<ClusterState> {
        let hear = |node, input| self.tell(before, node, Event::Input(input));
        match *step {
            Step::Deliver { from, to, nth } => self.deliver(before, from, to, nth),
            Step::Sync { node } => Some(self.tell(before, node, Event::Sync)),
            Step::Store { node } => Some(self.tell(before, node, Event::Store)),
            Step::LinkUp { node, peer } => {
                let session = before.world.session(node, peer)?;
                Some(hear(node, Input::LinkUp { peer, session }))
            }
            Step::LinkDown { node, peer } => Some(hear(node, Input::LinkDown { peer })),
            Step::Write { node, path, kind } => self.write(before, node, path, kind),
            Step::Retry { node, request } => self.retry(before, node, request),
            Step::Read { node, path } => self.read(before, node, path),
            Step::Timeout { node } => {
                spend(hear(node, Input::ElectionTimeout), |left| &mut left.elections)
            }
            Step::Tick { node } => match self.due_ticks(before).any(|it| it == node) {
                true => Some(hear(node, Input::Tick)),
                false => spend(hear(node, Input::Tick), |left| &mut left.ticks),
            },
            Step::Crash { node, kept, torn } => self.crash(before, node, kept, torn),
            Step::Rollback { node, kept } => self.roll_back(before, node, kept),
            Step::Recover { node } => Some(self.tell(before, node, Event::Recover)),
            Step::Cut { side, one_way } => cut(before, side, one_way),
            Step::Heal => Some(heal(before)),
            Step::Rot { node, content } => {
                spend(self.tell(before, node, Event::Rot(content)), |left| &mut left.rot)
            }
            Step::Scrub { node, content } => Some(hear(node, Input::Bad { content })),
            Step::Drop { from, to, nth } => lose(before, from, to, nth),
            Step::Duplicate { from, to, nth } => self.duplicate(before, from, to, nth),
        }
    }

    fn deliver(
        &self,
        before: &ClusterState,
        from: NodeId,
        to: NodeId,
        nth: u16,
    ) -> Option<ClusterState> {
        let msg = before.packet(from, to, nth)?.clone();
        let (src, dst) = (Id::from(from.index()), Id::from(to.index()));
        let actors =
            self.actors.next_state(&before.actors, ActorModelAction::Deliver { src, dst, msg })?;
        Some(ClusterState { actors, world: before.world.clone() })
    }

    /// Delivers a message that stays under way.
    fn duplicate(
        &self,
        before: &ClusterState,
        from: NodeId,
        to: NodeId,
        nth: u16,
    ) -> Option<ClusterState> {
        let packet = before.packet(from, to, nth)?.clone();
        let mut next = spend(self.deliver(before, from, to, nth)?, |left| &mut left.duplicates)?;
        if let Network::Ordered(channels) = &mut next.actors.network {
            channels.entry(channel(from, to)).or_default().push_back(packet);
        }
        Some(next)
    }

    /// Lets something happen to one node.
    fn tell(&self, before: &ClusterState, node: NodeId, event: Event) -> ClusterState {
        let action = ActorModelAction::Timeout(Id::from(node.index()), event);
        let actors = self.actors.next_state(&before.actors, action);
        let actors = actors.unwrap_or_else(|| before.actors.clone());
        ClusterState { actors, world: before.world.clone() }
    }

    fn crash(
        &self,
        before: &ClusterState,
        node: NodeId,
        kept: u16,
        torn: bool,
    ) -> Option<ClusterState> {
        let next = self.tell(before, node, Event::Crash { kept, torn });
        let mut next = spend(next, |left| &mut left.crashes)?;
        let apart = self.scope().link_events_apart;
        retain_channels(&mut next, |from, to| to != node && (apart || from != node));
        next.actors.history.on_crashed(node);
        Some(next)
    }

    fn roll_back(&self, before: &ClusterState, node: NodeId, kept: u32) -> Option<ClusterState> {
        let next = self.tell(before, node, Event::Rollback { kept });
        let mut next = spend(next, |left| &mut left.rollbacks)?;
        next.actors.history.on_rolled_back(node);
        Some(next)
    }

    fn write(
        &self,
        before: &ClusterState,
        node: NodeId,
        path: u16,
        kind: WriteKind,
    ) -> Option<ClusterState> {
        let request = next_request(before);
        let path = self.path(path).clone();
        let heads = before.replica(node)?.files().heads(&path);
        let base = match kind {
            WriteKind::Resolve => Base::Named(heads.iter().map(|head| head.dot).collect()),
            _ => Base::Visible,
        };
        let intent = match kind {
            WriteKind::Put | WriteKind::Resolve => {
                Intent::Put(self.scope().content(before.world.requests))
            }
            WriteKind::Delete => Intent::Delete,
            WriteKind::Restore(dot) => Intent::Restore(dot),
        };
        let asked = Asked::write(intent.clone(), base.clone());
        let write = WriteRequest { request, path: path.clone(), intent, base };
        let mut next = self.bring_and_write(before, node, write);
        next.actors.history.on_invoked(request, path, node, asked);
        next.world.requests = next.world.requests.saturating_add(1);
        next = spend(next, |left| &mut left.writes)?;
        match kind {
            WriteKind::Put => Some(next),
            WriteKind::Delete => spend(next, |left| &mut left.deletes),
            WriteKind::Resolve | WriteKind::Restore(_) => spend(next, |left| &mut left.resolves),
        }
    }

    fn retry(&self, before: &ClusterState, node: NodeId, number: u16) -> Option<ClusterState> {
        let operation = before.history().operations().get(usize::from(number))?.clone();
        let Operation { request, path, action: Asked::Write { intent, base, .. }, .. } = operation
        else {
            return None;
        };
        let write = WriteRequest { request, path, intent, base };
        let mut next = self.bring_and_write(before, node, write);
        next.actors.history.on_retried(request, node);
        spend(next, |left| &mut left.retries)
    }

    /// A client makes the content durable that its write names, and then writes.
    fn bring_and_write(
        &self,
        before: &ClusterState,
        node: NodeId,
        write: WriteRequest,
    ) -> ClusterState {
        let brought = match write.intent {
            Intent::Put(Content::Named(content)) => {
                Some(self.tell(before, node, Event::Bring(content)))
            }
            _ => None,
        };
        let event = Event::Input(Input::Write(write));
        self.tell(brought.as_ref().unwrap_or(before), node, event)
    }

    fn read(&self, before: &ClusterState, node: NodeId, path: u16) -> Option<ClusterState> {
        let request = next_request(before);
        let path = self.path(path).clone();
        let consistency = Consistency::Linearizable;
        let read = ReadRequest { request, path: path.clone(), consistency };
        let mut next = self.tell(before, node, Event::Input(Input::Read(read)));
        next.actors.history.on_invoked(request, path, node, Asked::read());
        next.world.requests = next.world.requests.saturating_add(1);
        spend(next, |left| &mut left.reads)
    }

    /// Lets both ends of every connection see at once what became of it: ends before beginnings.
    pub(crate) fn show_links(&self, state: &mut ClusterState) {
        for comes_up in [false, true] {
            for (node, peer, up) in state.link_events() {
                let input = match (comes_up, up, state.world.session(node, peer)) {
                    (false, false, _) => Input::LinkDown { peer },
                    (true, true, Some(session)) => Input::LinkUp { peer, session },
                    _ => continue,
                };
                *state = self.tell(state, node, Event::Input(input));
            }
        }
    }

    /// Drops what its receiver will never take: messages of a session that the receiver has seen
    /// end, or that ended before the receiver saw it begin.
    pub(crate) fn lose_what_no_session_carries(&self, state: &mut ClusterState) {
        let seen = |from, to| (state.seen(to, from), state.world.session(from, to));
        let mut ends = std::collections::BTreeMap::new();
        for ((from, to), _) in state.channels() {
            ends.insert((from, to), seen(from, to));
        }
        let decisions = self.decisions();
        let world = state.world.clone();
        let Network::Ordered(channels) = &mut state.actors.network else {
            return;
        };
        for ((from, to), packets) in channels.iter_mut() {
            let (from, to) = (node_id(*from), node_id(*to));
            let (seen, alive) = ends[&(from, to)];
            packets.retain(|packet| {
                let is_taken = decisions.is_of_session(packet.session, seen);
                world.reaches(from, to) && (is_taken || alive == Some(packet.session))
            });
        }
        channels.retain(|_, packets| !packets.is_empty());
    }
}

/// Uses up one of what a bound allows; `None` when nothing is left.
fn spend(mut next: ClusterState, bound: impl Fn(&mut Bounds) -> &mut u32) -> Option<ClusterState> {
    let left = bound(&mut next.world.left);
    *left = left.checked_sub(1)?;
    Some(next)
}

fn cut(before: &ClusterState, side: NodeSet, one_way: bool) -> Option<ClusterState> {
    let mut next = spend(before.clone(), |left| &mut left.partitions)?;
    let cut = Cut { side, one_way };
    next.world.cut = Some(cut);
    retain_channels(&mut next, |from, to| !cut.loses(from, to));
    Some(next)
}

fn heal(before: &ClusterState) -> ClusterState {
    let mut next = before.clone();
    next.world.cut = None;
    next
}

fn lose(before: &ClusterState, from: NodeId, to: NodeId, nth: u16) -> Option<ClusterState> {
    let mut next = spend(before.clone(), |left| &mut left.drops)?;
    let Network::Ordered(channels) = &mut next.actors.network else {
        return None;
    };
    let packets = channels.get_mut(&channel(from, to))?;
    packets.remove(usize::from(nth))?;
    if packets.is_empty() {
        channels.remove(&channel(from, to));
    }
    Some(next)
}

fn channel(from: NodeId, to: NodeId) -> (Id, Id) {
    (Id::from(from.index()), Id::from(to.index()))
}

fn next_request(state: &ClusterState) -> RequestId {
    RequestId { client: 1, number: u64::from(state.world.requests) }
}

fn retain_channels(state: &mut ClusterState, keeps: impl Fn(NodeId, NodeId) -> bool) {
    if let Network::Ordered(channels) = &mut state.actors.network {
        channels.retain(|(from, to), _| keeps(node_id(*from), node_id(*to)));
    }
}

/// Messages that travel in any order are kept sorted, so that the same messages are the same
/// state.
pub(crate) fn sort_channels(state: &mut ClusterState) {
    if let Network::Ordered(channels) = &mut state.actors.network {
        channels.values_mut().for_each(|packets| packets.make_contiguous().sort());
    }
}
