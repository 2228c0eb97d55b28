//! What each kind of step does to the cluster.

use stateright::Model;
use stateright::actor::{ActorModelAction, Id, Network};
use steadfast_guarantees::Action as Asked;
use steadfast_node::{Cluster, LinkEvent};
use steadfast_protocol::{Consistency, Content, Input, Intent, NodeId, ReadRequest, WriteRequest};
use steadfast_trace::{Bounds, Cut, Step, WriteKind};

use crate::actor::node_id;
use crate::{ClusterModel, ClusterState, Event, View};

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
            Step::Read { node, path } => self.read(before, node, path, Consistency::Linearizable),
            Step::StaleRead { node, path } => self.read(before, node, path, Consistency::Stale),
            Step::Timeout { node } => {
                spend(hear(node, Input::ElectionTimeout), |left| &mut left.elections)
            }
            Step::Tick { node } => match self.is_progress(before, step) {
                true => Some(hear(node, Input::Tick)),
                false => spend(hear(node, Input::Tick), |left| &mut left.ticks),
            },
            Step::Crash { node, kept, torn } => self.crash(before, node, kept, torn),
            Step::Rollback { node, kept } => self.roll_back(before, node, kept),
            Step::LoseContent { node, content } => {
                spend(self.tell(before, node, Event::LoseContent(content)), |left| {
                    &mut left.lost_contents
                })
            }
            Step::Recover { node } => Some(self.tell(before, node, Event::Recover)),
            Step::Cut(it) => cut(before, it),
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
        nth: u32,
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
        nth: u32,
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
        kept: u32,
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
        path: u32,
        kind: WriteKind,
    ) -> Option<ClusterState> {
        let path = self.path(path).clone();
        let heads = before.replica(node)?.files().heads(&path);
        let content = self.scope().content(before.world.next_number());
        let (intent, base) = kind.intent(heads, Some(content))?;
        let asked = Asked::write(intent.clone(), base.clone());
        let mut world = before.world.clone();
        world.spend_write(kind)?;
        let request = world.count_request();
        let write = WriteRequest { request, path: path.clone(), intent, base };
        let mut next = self.bring_and_write(before, node, write);
        next.actors.history.on_invoked(request, path, node, asked);
        next.world = world;
        Some(next)
    }

    fn retry(&self, before: &ClusterState, node: NodeId, number: u64) -> Option<ClusterState> {
        let write = before.history().retry(number)?;
        let request = write.request;
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

    fn read(
        &self,
        before: &ClusterState,
        node: NodeId,
        path: u32,
        consistency: Consistency,
    ) -> Option<ClusterState> {
        let mut world = before.world.clone();
        let asked = match consistency {
            Consistency::Linearizable => {
                world.spend(|left| &mut left.reads)?;
                Asked::read()
            }
            Consistency::Stale => {
                world.spend(|left| &mut left.stale_reads)?;
                Asked::stale_read()
            }
        };
        let request = world.count_request();
        let path = self.path(path).clone();
        let read = ReadRequest { request, path: path.clone(), consistency };
        let mut next = self.tell(before, node, Event::Input(Input::Read(read)));
        next.actors.history.on_invoked(request, path, node, asked);
        next.world = world;
        Some(next)
    }

    /// Lets both ends of every connection see at once what became of it: ends before beginnings.
    pub(crate) fn show_links(&self, state: &mut ClusterState) {
        for comes_up in [false, true] {
            let events = View { model: self, state }.link_events().collect::<Vec<_>>();
            for LinkEvent { node, peer, .. } in events.into_iter().filter(|it| it.is_up == comes_up)
            {
                let input = match (comes_up, state.world.session(node, peer)) {
                    (false, _) => Input::LinkDown { peer },
                    (true, Some(session)) => Input::LinkUp { peer, session },
                    (true, None) => continue,
                };
                *state = self.tell(state, node, Event::Input(input));
            }
        }
    }

    /// Drops what its receiver will never take: messages of a session that the receiver has seen
    /// end, or that ended before the receiver saw it begin.
    pub(crate) fn lose_what_no_session_carries(&self, state: &mut ClusterState) {
        let Network::Ordered(channels) = &mut state.actors.network else {
            return;
        };
        let mut channels = std::mem::take(channels);
        let view = View { model: self, state };
        for ((from, to), packets) in &mut channels {
            packets.retain(|packet| view.carries(node_id(*from), node_id(*to), packet));
        }
        channels.retain(|_, packets| !packets.is_empty());
        state.actors.network = Network::Ordered(channels);
    }
}

/// Uses up one of what a bound allows; `None` when nothing is left.
fn spend(mut next: ClusterState, bound: impl Fn(&mut Bounds) -> &mut u32) -> Option<ClusterState> {
    next.world.spend(bound)?;
    Some(next)
}

fn cut(before: &ClusterState, cut: Cut) -> Option<ClusterState> {
    let mut next = spend(before.clone(), |left| &mut left.partitions)?;
    next.world.cut = Some(cut);
    retain_channels(&mut next, |from, to| !cut.loses(from, to));
    Some(next)
}

fn heal(before: &ClusterState) -> ClusterState {
    let mut next = before.clone();
    next.world.cut = None;
    next
}

fn lose(before: &ClusterState, from: NodeId, to: NodeId, nth: u32) -> Option<ClusterState> {
    let mut next = spend(before.clone(), |left| &mut left.drops)?;
    let Network::Ordered(channels) = &mut next.actors.network else {
        return None;
    };
    let packets = channels.get_mut(&channel(from, to))?;
    packets.remove(nth as usize)?;
    if packets.is_empty() {
        channels.remove(&channel(from, to));
    }
    Some(next)
}

fn channel(from: NodeId, to: NodeId) -> (Id, Id) {
    (Id::from(from.index()), Id::from(to.index()))
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
