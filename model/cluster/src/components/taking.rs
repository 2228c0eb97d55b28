//! A step as it is taken: its reads are noted, and its changes are kept.

use std::cell::Cell;
use std::sync::Arc;

use steadfast_guarantees::witnesses::Witness;
use steadfast_guarantees::{Did, GuaranteeSet, History, NodeView, broken_by_step};
use steadfast_node::{Cluster, Node};
use steadfast_protocol::{
    Checkpoint, Decisions, Input, NodeId, NodeSet, Packet, Replica, Sealed, SessionId,
};
use steadfast_search::{Look, Place};
use steadfast_trace::{Bounds, Network, Step, World};

use super::alone::Alone;
use super::seen::{Seen, SeenAfter};
use super::{ClusterComponents, Component, How, LINKS, may_reach};
use crate::parts::{Changing, Follow as After, HistoryChange, Parts, Touched, WorldChange};
use crate::{ActorNode, Disk, Event};

/// How a component changes in a step.
pub(super) enum Changed {
    To(Component),
    By(How),
}

/// A step that is being taken, with its changes. Only nodes can be read again after they changed.
pub(super) struct Taking<'a> {
    before: Seen<'a>,
    now: Seen<'a>,
    /// The nodes that have changed.
    nodes: Vec<ActorNode>,
    changes: Vec<(Place, Changed)>,
    pub(super) follows: Vec<After>,
    touched: Touched,
    /// The directions in which messages were put under way.
    pushed: Vec<(NodeId, NodeId)>,
    /// The nodes whose sessions changed.
    sessions: NodeSet,
    pub(super) reached: Vec<u16>,
    /// Whether a part that is not a node has changed and must not be read any more.
    has_changed_world: bool,
    has_changed_history: bool,
}

impl<'a> Taking<'a> {
    pub(super) fn new(
        system: &'a ClusterComponents,
        before: &'a Look<'a, Component>,
        now: &'a Look<'a, Component>,
    ) -> Self {
        Taking {
            before: system.seen(before),
            now: system.seen(now),
            nodes: Vec::new(),
            changes: Vec::new(),
            follows: Vec::new(),
            touched: Touched::default(),
            pushed: Vec::new(),
            sessions: NodeSet::default(),
            reached: Vec::new(),
            has_changed_world: false,
            has_changed_history: false,
        }
    }

    fn system(&self) -> &'a ClusterComponents {
        self.now.system
    }

    fn changed_node(&self, node: NodeId) -> Option<&ActorNode> {
        self.nodes.iter().find(|it| it.node.id() == node)
    }

    fn actor(&self, node: NodeId) -> &ActorNode {
        self.changed_node(node).unwrap_or_else(|| self.now.actor(node))
    }

    /// All changes. Nodes are put at last, each once: no other change affects them.
    pub(super) fn into_changes(self) -> impl Iterator<Item = (Place, Changed)> {
        let node = |it: ActorNode| {
            (ClusterComponents::node_at(it.node.id()), Changed::To(Component::Node(Arc::new(it))))
        };
        self.changes.into_iter().chain(self.nodes.into_iter().map(node))
    }

    /// The guarantees that the step breaks, as far as one node is concerned; `None` if they look at
    /// more than that node, whose two states are known here. Mostly they do not.
    fn judged_alone(
        &self,
        before: &ActorNode,
        node: NodeId,
        keeps_answers: bool,
    ) -> Option<GuaranteeSet> {
        let looks_elsewhere = Cell::new(false);
        let alone = |actor| Alone {
            system: self.system(),
            actor,
            keeps_answers,
            looks_elsewhere: &looks_elsewhere,
        };
        let (before, after) = (alone(before), alone(self.actor(node)));
        let broken = broken_by_step(&before, &after, node);
        (!looks_elsewhere.get()).then_some(broken)
    }

    fn note_broken(&mut self, broken: GuaranteeSet) {
        if !broken.is_empty() {
            self.change_history(HistoryChange::Broken(broken));
        }
    }

    /// Whether the only effect of the step is to take a message off that is about no content.
    pub(super) fn is_dead_delivery(&self, step: &Step) -> bool {
        let Step::Deliver { from, to, nth } = *step else {
            return false;
        };
        let is_same = |it: &ActorNode| *it == *self.now.actor(it.node.id());
        let nth = usize::try_from(nth).unwrap_or(usize::MAX);
        let packet = self.before.packets_of(from, to).get(nth);
        packet.is_some_and(|it| it.message.is_of_log())
            && self.changes.len() == 1
            && self.follows.is_empty()
            && self.nodes.iter().all(is_same)
    }

    fn change(&mut self, place: Place, how: How) {
        self.changes.push((place, Changed::By(how)));
    }
}

impl Cluster for Taking<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        assert!(!self.has_changed_world, "the world is read before it changes");
        self.now.world_summary(LINKS)
    }

    fn network(&self) -> Network {
        self.now.network()
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system().model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        NodeId::all(self.system().nodes()).map(|it| &self.actor(it).node)
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        &self.actor(node).node
    }

    fn has_messages(&self) -> bool {
        assert!(self.pushed.is_empty(), "messages are asked for before some are sent");
        self.now.has_messages()
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.changed_node(node).map_or_else(|| self.now.is_up(node), |it| it.node.is_up())
    }

    fn takes_part(&self, node: NodeId) -> bool {
        match self.changed_node(node) {
            Some(it) => it.node.replica().is_some_and(Replica::takes_part),
            None => self.now.takes_part(node),
        }
    }

    fn session_seen(&self, node: NodeId, peer: NodeId) -> Option<SessionId> {
        match self.changed_node(node) {
            Some(it) => it.node.replica()?.session(peer),
            None => self.now.session_seen(node, peer),
        }
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> {
        NodeId::all(self.system().nodes())
    }
}

impl Parts for Taking<'_> {
    fn left(&self) -> Bounds {
        assert!(!self.has_changed_world, "the world is read before it changes");
        self.now.left()
    }

    fn next_number(&self) -> u64 {
        assert!(!self.has_changed_world, "the world is read before it changes");
        self.now.next_number()
    }

    fn history(&self) -> &History {
        assert!(!self.has_changed_history, "the history is read before it changes");
        self.now.history_of()
    }

    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        let is_changed = self.pushed.contains(&(from, to));
        assert!(!is_changed, "messages are read before others are put under way");
        self.now.packets_of(from, to).iter()
    }
}

impl Changing for Taking<'_> {
    fn tell(&mut self, node: NodeId, event: Event) {
        let system = self.system();
        let before = self.nodes.iter().position(|it| it.node.id() == node);
        let before = match before {
            Some(at) => &self.nodes.remove(at),
            None => self.now.actor(node),
        };
        let mut after = before.clone();
        let sent = system.model.actors.actors[node.index()].react(&mut after, &event);
        let answers = std::mem::take(&mut after.answers);
        let did = Did::of(&NodeView::of(&before.node), &NodeView::of(&after.node), answers);
        self.touched.note_told(&before.node, &after.node);
        let session = |it: &ActorNode, peer| it.node.replica().and_then(|it| it.session(peer));
        let mut nodes = NodeId::all(system.nodes());
        if nodes.any(|peer| session(before, peer) != session(&after, peer)) {
            self.sessions.insert(node);
        }
        self.nodes.push(after);
        sent.into_iter().for_each(|(to, packet)| self.push(node, to, packet));
        if !did.is_nothing() {
            self.change_history(HistoryChange::Did(did));
        }
    }

    fn replace_disk(&mut self, node: NodeId, checkpoint: Sealed<Checkpoint>) {
        let changed = self.nodes.iter().position(|it| it.node.id() == node);
        let changed = changed.map(|at| self.nodes.remove(at));
        let mut actor = changed.unwrap_or_else(|| self.now.actor(node).clone());
        let system = self.system();
        system.model.actors.actors[node.index()].replace_disk(&mut actor, checkpoint);
        self.touched.told.insert(node);
        self.nodes.push(actor);
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<()> {
        let mut packets: Vec<Packet> = self.packets(from, to).cloned().collect();
        let nth = usize::try_from(nth).ok().filter(|it| *it < packets.len())?;
        let packet = packets.remove(nth);
        self.put_packets(from, to, packets);
        self.tell(to, Event::Input(Input::Receive { from, packet }));
        Some(())
    }

    fn push(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        self.pushed.push((from, to));
        self.touched.emptied.remove(from, to);
        self.change(self.system().packets_at(from, to), How::Push(packet));
    }

    fn put_packets(&mut self, from: NodeId, to: NodeId, packets: Vec<Packet>) {
        let place = self.system().packets_at(from, to);
        if packets.is_empty() {
            self.touched.emptied.insert(from, to);
        }
        self.changes.push((place, Changed::To(Component::Packets(packets))));
    }

    fn change_world(&mut self, change: WorldChange) {
        self.has_changed_world = true;
        self.change(self.system().world_at(), How::World(change));
    }

    fn change_history(&mut self, change: HistoryChange) {
        self.touched.answers |= change.may_answer();
        self.has_changed_history = true;
        self.change(self.system().history_at(), How::History(change));
    }

    fn then(&mut self, follow: After) {
        self.follows.push(follow);
    }

    fn touched(&self) -> Touched {
        self.touched
    }

    /// Before the step every message had a session that carries it.
    fn may_have_lost_its_session(&self, from: NodeId, to: NodeId) -> bool {
        self.pushed.contains(&(from, to)) || self.sessions.contains(to)
    }

    fn judge(&mut self, node: NodeId, keeps_answers: bool) {
        match self.judged_alone(self.before.actor(node), node, keeps_answers) {
            None => self.then(After::Judge { node, keeps_answers }),
            Some(broken) => self.note_broken(broken),
        }
    }

    fn has_judged_alone(&mut self, node: NodeId, keeps_answers: bool) -> bool {
        let broken = self.judged_alone(self.before.actor(node), node, keeps_answers);
        broken.map(|it| self.note_broken(it)).is_some()
    }

    /// A node that had no event before has been in one state since the step began.
    fn judge_shown(&mut self, node: NodeId, was_told: bool) {
        let before = if was_told { self.before } else { self.now };
        match self.judged_alone(before.actor(node), node, true) {
            None => self.then(After::Judge { node, keeps_answers: false }),
            Some(broken) => self.note_broken(broken),
        }
    }

    fn has_kept_history(&self) -> bool {
        self.now.look.has_kept(self.system().history_at(), self.before.look)
    }

    fn has_kept_node(&self, node: NodeId) -> bool {
        self.now.look.has_kept(ClusterComponents::node_at(node), self.before.look)
    }

    fn follows_up_on_all(&self) -> bool {
        false
    }

    fn broken(&self, node: NodeId, keeps_answers: bool) -> GuaranteeSet {
        let after = SeenAfter { now: self.now, before: self.before, keeps_answers };
        broken_by_step(&self.before, &after, node)
    }

    fn note_reached(&mut self, step: &Step) {
        let after = SeenAfter { now: self.now, before: self.before, keeps_answers: false };
        let reached =
            |it: &Witness| may_reach(it, step) && it.is_reached(&self.before, step, &after);
        let witnesses = (0..).zip(&self.system().by_steps).filter(|it| reached(it.1));
        let reached: Vec<u16> = witnesses.map(|it| it.0).collect();
        self.reached.extend(reached);
    }
}
