//! The model: what a step does to the cluster, and how it is judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stateright::actor::{ActorModel, ActorModelAction, Id, Network};
use stateright::{Model, Path as Run, Property};
use steadfast_guarantees::twins::Twin;
use steadfast_guarantees::witnesses::{Witness, witness};
use steadfast_guarantees::{
    Action as Asked, GUARANTEES, GuaranteeId, History, Operation, broken_by_step, holds,
};
use steadfast_protocol::{
    Base, Consistency, Content, ContentId, Decisions, Identity, Input, Intent, NodeId, Path,
    ReadRequest, Record, RequestId, Steadfast, WriteRequest,
};
use steadfast_trace::{Network as Delivery, Scope, Start, Step, WriteKind};

use crate::actor::node_id;
use crate::{Action, ClusterState, Cut, Event, ReplicaActor, View, World, diagram, text};

type Actors = ActorModel<ReplicaActor, (), History>;

/// A cluster within a scope.
pub struct ClusterModel {
    scope: Scope,
    decisions: &'static dyn Decisions,
    actors: Actors,
    paths: Vec<Path>,
    witnesses: Vec<&'static Witness>,
    coverage: Coverage,
}

/// What a search has met so far.
#[derive(Debug)]
pub struct Coverage {
    /// How often each kind of step was taken, in the order of [`Step::KINDS`].
    taken: [AtomicU64; Step::KINDS.len()],
    /// Which witnesses were reached.
    reached: Vec<AtomicBool>,
    /// Which guarantees were found broken. Each is reported once, so that in a breadth-first
    /// search the first, shortest counterexample is not replaced by a later one.
    found: [AtomicBool; GUARANTEES.len()],
}

impl Coverage {
    fn new(witnesses: usize) -> Self {
        Coverage {
            taken: Default::default(),
            reached: (0..witnesses).map(|_| AtomicBool::new(false)).collect(),
            found: Default::default(),
        }
    }
}

impl ClusterModel {
    /// The model of a scope; of a twin, or of the protocol as it is.
    #[must_use]
    pub fn new(scope: Scope, twin: Option<&'static Twin>, witnesses: &[&str]) -> Self {
        let decisions = twin.map_or(&Steadfast as &dyn Decisions, |twin| twin.decisions);
        let has_reads = scope.bounds.reads > 0;
        let mut actors = ActorModel::new((), History::new(has_reads));
        actors = actors.init_network(Network::new_ordered([]));
        for node in NodeId::all(scope.settings.nodes()) {
            let identity = Identity { node, settings: scope.settings };
            let pipelined = scope.pipelined_syncs;
            actors = actors.actor(ReplicaActor { identity, decisions, pipelined });
        }
        let witnesses: Vec<_> = witnesses.iter().filter_map(|id| witness(id)).collect();
        ClusterModel {
            paths: (0..scope.bounds.paths).map(path_of).collect(),
            coverage: Coverage::new(witnesses.len()),
            scope,
            decisions,
            actors,
            witnesses,
        }
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The decisions that the nodes run with.
    #[must_use]
    pub fn decisions(&self) -> &'static dyn Decisions {
        self.decisions
    }

    /// A path by number.
    #[must_use]
    pub fn path(&self, number: u8) -> &Path {
        &self.paths[usize::from(number)]
    }

    /// Whether a guarantee holds in a state.
    #[must_use]
    pub fn keeps(&self, guarantee: GuaranteeId, state: &ClusterState) -> bool {
        holds(guarantee, &View { model: self, state })
    }

    /// How often each kind of step was taken so far, in the order of [`Step::KINDS`].
    #[must_use]
    pub fn taken(&self) -> Vec<u64> {
        self.coverage.taken.iter().map(|it| it.load(Ordering::Relaxed)).collect()
    }

    /// The witnesses of this run, and whether each was reached so far.
    pub fn reached(&self) -> impl Iterator<Item = (&'static Witness, bool)> {
        let reached = self.coverage.reached.iter().map(|it| it.load(Ordering::Relaxed));
        self.witnesses.iter().copied().zip(reached)
    }

    /// What happens to the cluster in one step. The step must be possible.
    #[must_use]
    pub fn perform(&self, before: &ClusterState, step: &Step) -> Option<ClusterState> {
        let mut next = self.act(before, step)?;
        let links_change = matches!(
            step,
            Step::Cut { .. } | Step::Heal | Step::Crash { .. } | Step::Recover { .. }
        );
        if links_change {
            next.world.refresh_links(next.up());
        }
        if links_change && !self.scope.link_events_apart {
            self.show_links(&mut next);
        }
        if links_change || self.scope.link_events_apart {
            self.lose_what_no_session_carries(&mut next);
        }
        if self.scope.network != Delivery::Fifo {
            sort_channels(&mut next);
        }
        self.observe(before, step, &mut next);
        Some(next)
    }

    fn act(&self, before: &ClusterState, step: &Step) -> Option<ClusterState> {
        let mut next = before.clone();
        let left = &mut next.world.left;
        match *step {
            Step::Deliver { from, to, nth } => return self.deliver(before, from, to, nth),
            Step::Sync { node } => self.tell(&mut next, node, Event::Sync),
            Step::Store { node } => self.tell(&mut next, node, Event::Store),
            Step::LinkUp { node, peer } => {
                let session = next.world.session(node, peer)?;
                self.tell(&mut next, node, Event::Input(Input::LinkUp { peer, session }));
            }
            Step::LinkDown { node, peer } => {
                self.tell(&mut next, node, Event::Input(Input::LinkDown { peer }));
            }
            Step::Write { node, path, kind } => self.write(&mut next, node, path, kind)?,
            Step::Retry { node, request } => self.retry(&mut next, node, request)?,
            Step::Read { node, path } => self.read(&mut next, node, path)?,
            Step::Timeout { node } => {
                left.elections = left.elections.checked_sub(1)?;
                self.tell(&mut next, node, Event::Input(Input::ElectionTimeout));
            }
            Step::Tick { node } => {
                if self.due_heartbeat(before) != Some(node) {
                    left.ticks = left.ticks.checked_sub(1)?;
                }
                self.tell(&mut next, node, Event::Input(Input::Tick));
            }
            Step::Crash { node, kept, torn } => {
                left.crashes = left.crashes.checked_sub(1)?;
                let apart = self.scope.link_events_apart;
                self.tell(&mut next, node, Event::Crash { kept, torn });
                retain_channels(&mut next, |from, to| to != node && (apart || from != node));
                next.actors.history.on_crashed(node);
            }
            Step::Recover { node } => self.tell(&mut next, node, Event::Recover),
            Step::Cut { side, one_way } => {
                left.partitions = left.partitions.checked_sub(1)?;
                next.world.cut = Some(Cut { side, one_way });
                let world = next.world.clone();
                retain_channels(&mut next, |from, to| world.reaches(from, to));
            }
            Step::Heal => next.world.cut = None,
            Step::Rot { node, content } => {
                left.rot = left.rot.checked_sub(1)?;
                self.tell(&mut next, node, Event::Rot(content));
            }
            Step::Scrub { node, content } => {
                self.tell(&mut next, node, Event::Input(Input::Bad { content }));
            }
            Step::Drop { from, to, nth } => {
                left.drops = left.drops.checked_sub(1)?;
                remove_packet(&mut next, from, to, nth)?;
            }
            Step::Duplicate { from, to, nth } => {
                let packet = before.packet(from, to, nth)?.clone();
                let mut next = self.deliver(before, from, to, nth)?;
                next.world.left.duplicates = next.world.left.duplicates.checked_sub(1)?;
                insert_packet(&mut next, from, to, packet);
                return Some(next);
            }
        }
        Some(next)
    }

    fn deliver(
        &self,
        before: &ClusterState,
        from: NodeId,
        to: NodeId,
        nth: u8,
    ) -> Option<ClusterState> {
        let msg = before.packet(from, to, nth)?.clone();
        let (src, dst) = (Id::from(from.index()), Id::from(to.index()));
        let actors =
            self.actors.next_state(&before.actors, ActorModelAction::Deliver { src, dst, msg })?;
        Some(ClusterState { actors, world: before.world.clone() })
    }

    /// Lets something happen to one node.
    fn tell(&self, state: &mut ClusterState, node: NodeId, event: Event) {
        let action = ActorModelAction::Timeout(Id::from(node.index()), event);
        if let Some(actors) = self.actors.next_state(&state.actors, action) {
            state.actors = actors;
        }
    }

    fn write(
        &self,
        next: &mut ClusterState,
        node: NodeId,
        path: u8,
        kind: WriteKind,
    ) -> Option<()> {
        let left = &mut next.world.left;
        left.writes = left.writes.checked_sub(1)?;
        match kind {
            WriteKind::Put => {}
            WriteKind::Delete => left.deletes = left.deletes.checked_sub(1)?,
            WriteKind::Resolve | WriteKind::Restore(_) => {
                left.resolves = left.resolves.checked_sub(1)?;
            }
        }
        let request = next_request(&mut next.world);
        let path = self.path(path).clone();
        let heads = next.replica(node)?.files().heads(&path);
        let base = match kind {
            WriteKind::Resolve => Base::Named(heads.iter().map(|head| head.dot).collect()),
            _ => Base::Visible,
        };
        let intent = match kind {
            WriteKind::Put | WriteKind::Resolve => Intent::Put(self.content(request)),
            WriteKind::Delete => Intent::Delete,
            WriteKind::Restore(dot) => Intent::Restore(dot),
        };
        if let Intent::Put(Content::Named(content)) = intent {
            self.tell(next, node, Event::Bring(content));
        }
        let history = &mut next.actors.history;
        history.on_invoked(request, path.clone(), node, Asked::write(intent.clone(), base.clone()));
        let write = WriteRequest { request, path, intent, base };
        self.tell(next, node, Event::Input(Input::Write(write)));
        Some(())
    }

    fn retry(&self, next: &mut ClusterState, node: NodeId, number: u8) -> Option<()> {
        next.world.left.retries = next.world.left.retries.checked_sub(1)?;
        let operation = next.history().operations().get(usize::from(number))?.clone();
        let Operation { request, path, action: Asked::Write { intent, .. }, .. } = operation else {
            return None;
        };
        next.actors.history.on_retried(request, node);
        let write = WriteRequest { request, path, intent, base: Base::Visible };
        self.tell(next, node, Event::Input(Input::Write(write)));
        Some(())
    }

    fn read(&self, next: &mut ClusterState, node: NodeId, path: u8) -> Option<()> {
        next.world.left.reads = next.world.left.reads.checked_sub(1)?;
        let request = next_request(&mut next.world);
        let path = self.path(path).clone();
        next.actors.history.on_invoked(request, path.clone(), node, Asked::read());
        let consistency = Consistency::Linearizable;
        let read = ReadRequest { request, path, consistency };
        self.tell(next, node, Event::Input(Input::Read(read)));
        Some(())
    }

    fn content(&self, request: RequestId) -> Content {
        match self.scope.named_contents {
            true => Content::Named(ContentId([u8::try_from(request.number).unwrap_or(0) + 1; 32])),
            false => Content::Inline(format!("v{}", request.number).into_bytes().into()),
        }
    }

    /// Lets both ends of every connection see at once what became of it: ends before beginnings.
    fn show_links(&self, state: &mut ClusterState) {
        for comes_up in [false, true] {
            for (node, peer, up) in state.link_events() {
                let input = match (comes_up, up, state.world.session(node, peer)) {
                    (false, false, _) => Input::LinkDown { peer },
                    (true, true, Some(session)) => Input::LinkUp { peer, session },
                    _ => continue,
                };
                self.tell(state, node, Event::Input(input));
            }
        }
    }

    /// Drops what its receiver will never take: messages of a session that the receiver has seen
    /// end, or that ended before the receiver saw it begin.
    fn lose_what_no_session_carries(&self, state: &mut ClusterState) {
        let seen = |from, to| (state.seen(to, from), state.world.session(from, to));
        let mut ends = std::collections::BTreeMap::new();
        for ((from, to), _) in state.channels() {
            ends.insert((from, to), seen(from, to));
        }
        let decisions = self.decisions;
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

    /// Brings the history up to date and judges the step.
    fn observe(&self, before: &ClusterState, step: &Step, next: &mut ClusterState) {
        self.coverage.taken[step.kind()].fetch_add(1, Ordering::Relaxed);
        let is_changed = |node: &NodeId| {
            let at = node.index();
            !Arc::ptr_eq(&before.actors.actor_states[at], &next.actors.actor_states[at])
        };
        let changed: Vec<NodeId> =
            NodeId::all(self.scope.settings.nodes()).filter(is_changed).collect();
        for node in &changed {
            self.chronicle(before, *node, next);
        }
        for node in changed {
            let (old, new) =
                (View { model: self, state: before }, View { model: self, state: next });
            let broken = broken_by_step(&old, &new, node);
            broken.iter().for_each(|it| next.actors.history.note_broken(it));
        }
        for (witness, reached) in self.witnesses.iter().zip(&self.coverage.reached) {
            let (old, new) =
                (View { model: self, state: before }, View { model: self, state: next });
            if !reached.load(Ordering::Relaxed) && witness.is_reached(&old, step, &new) {
                reached.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Notes in the history what one node did: entries made, leaderships begun, clients answered.
    fn chronicle(&self, before: &ClusterState, node: NodeId, next: &mut ClusterState) {
        let state = Arc::make_mut(&mut next.actors.actor_states[node.index()]);
        let answers = std::mem::take(&mut state.answers);
        let history = &mut next.actors.history;
        let old = before.node(node);
        let fresh = state.disk.records().get(old.disk.records().len()..).unwrap_or_default();
        if let Some(replica) = &state.replica {
            for record in fresh {
                if let Record::Entry(entry) = record
                    && entry.dot.origin == node
                {
                    history.on_made(entry, replica.promise());
                }
            }
            history.on_stepped(old.replica.as_ref(), replica);
        }
        for (request, outcome) in answers {
            history.on_answered(request, &outcome);
        }
    }

    /// A cluster whose connections have begun, and in which node 0 leads if the scope says so: it
    /// was elected by the protocol itself.
    fn first_state(&self) -> ClusterState {
        let mut actors = self.actors.init_states();
        let actors = actors.swap_remove(0);
        let world = World::new(self.scope.settings.nodes(), self.scope.bounds);
        let mut state = ClusterState { actors, world };
        state.world.refresh_links(state.up());
        self.show_links(&mut state);
        if self.scope.start == Start::Cold {
            return state;
        }
        state.world.left.elections = 1;
        let mut step = Some(Step::Timeout { node: NodeId(0) });
        while let Some(next) = step.and_then(|step| self.perform(&state, &step)) {
            state = next;
            let mut actions = Vec::new();
            self.collect_progress(&state, &mut actions);
            step = actions.first().map(|action| action.step);
        }
        state.world.left = self.scope.bounds;
        state
    }
}

fn path_of(number: u8) -> Path {
    Path::new(char::from(b'a' + number).to_string())
}

fn next_request(world: &mut World) -> RequestId {
    let number = u64::from(world.requests);
    world.requests = world.requests.saturating_add(1);
    RequestId { client: 1, number }
}

fn retain_channels(state: &mut ClusterState, keeps: impl Fn(NodeId, NodeId) -> bool) {
    if let Network::Ordered(channels) = &mut state.actors.network {
        channels.retain(|(from, to), _| keeps(node_id(*from), node_id(*to)));
    }
}

/// Messages that travel in any order are kept sorted, so that the same messages are the same
/// state.
fn sort_channels(state: &mut ClusterState) {
    if let Network::Ordered(channels) = &mut state.actors.network {
        channels.values_mut().for_each(|packets| packets.make_contiguous().sort());
    }
}

fn remove_packet(state: &mut ClusterState, from: NodeId, to: NodeId, nth: u8) -> Option<()> {
    let Network::Ordered(channels) = &mut state.actors.network else {
        return None;
    };
    let channel = (Id::from(from.index()), Id::from(to.index()));
    let packets = channels.get_mut(&channel)?;
    packets.remove(usize::from(nth))?;
    if packets.is_empty() {
        channels.remove(&channel);
    }
    Some(())
}

fn insert_packet(
    state: &mut ClusterState,
    from: NodeId,
    to: NodeId,
    packet: steadfast_protocol::Packet,
) {
    if let Network::Ordered(channels) = &mut state.actors.network {
        channels
            .entry((Id::from(from.index()), Id::from(to.index())))
            .or_default()
            .push_back(packet);
    }
}

macro_rules! properties {
    ($($guarantee:ident),*) => {
        vec![$(Property::always(GuaranteeId::$guarantee.name(), |model: &ClusterModel, state| {
            let found = &model.coverage.found[GuaranteeId::$guarantee as usize];
            let keeps = found.load(Ordering::Relaxed) || model.keeps(GuaranteeId::$guarantee, state);
            if !keeps {
                found.store(true, Ordering::Relaxed);
            }
            keeps
        })),*]
    };
}

impl Model for ClusterModel {
    type State = ClusterState;
    type Action = Action;

    fn init_states(&self) -> Vec<ClusterState> {
        vec![self.first_state()]
    }

    fn actions(&self, state: &ClusterState, actions: &mut Vec<Action>) {
        self.collect(state, actions);
    }

    fn next_state(&self, before: &ClusterState, action: Action) -> Option<ClusterState> {
        self.perform(before, &action.step)
    }

    fn format_action(&self, action: &Action) -> String {
        format!("{action:?}")
    }

    fn format_step(&self, before: &ClusterState, action: Action) -> Option<String> {
        let after = self.perform(before, &action.step)?;
        Some(text::outcome(self, before, &action, &after))
    }

    fn as_svg(&self, run: Run<ClusterState, Action>) -> Option<String> {
        Some(diagram::svg(self, &run.into_vec()))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties![
            AckedWritesSurvive,
            ReplicasConverge,
            LogBeforeApply,
            OneLeaderPerEpoch,
            Linearizable,
            VersionsNeverGoBack,
            EffectBeatsCause,
            NoGaps,
            DeposedLeadersDoNotOverrule,
            ContentIsExact,
            NothingFromNowhere,
            Settles
        ];
        // Never broken, so that a search goes on until every state was visited.
        properties.push(Property::always("searched to the end", |_, _| true));
        properties
    }
}
