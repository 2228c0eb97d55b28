//! From events to happenings, one at a time. Every change of the cluster is a [`Happening`], and each
//! is a [`Step`](steadfast_trace::Step) of the trace, so that the steps are enough to repeat a run.

use steadfast_guarantees::OperationKind;
use steadfast_node::{Cluster, LinkEvent};
use steadfast_protocol::{
    Consistency, Content, ContentId, Incarnation, Input, Intent, NodeId, WriteRequest,
};

use crate::Simulation;
use crate::agenda::Event;
use crate::happening::{Delivery, Happening};
use crate::judge::Answer;
use crate::moment::Moment;
use crate::network::Scene;
use crate::random::Chance;

impl Simulation {
    /// Lets the next event happen; false if there is none.
    pub fn advance(&mut self) -> bool {
        let Some(event) = self.agenda.pop() else {
            return false;
        };
        match event {
            Event::Arrival { from, to, flight } => self.on_arrival(from, to, flight),
            Event::Bytes { from, to, flight } => self.on_bytes(from, to, flight),
            Event::SyncEnd { node, life }
            | Event::StoreEnd { node, life }
            | Event::CheckpointEnd { node, life } => {
                self.on_disk_done(node, life, event);
            }
            Event::LinkNews { node, peer } => self.on_link_news(node, peer),
            Event::ElectionTimeout { node, reset } => self.on_election_timeout(node, reset),
            Event::Tick { node, reset } => self.on_tick(node, reset),
            Event::Scrub { node } => self.scrub(node),
            Event::Planned(plan) => self.carry_out(&plan),
        }
        true
    }

    fn on_arrival(&mut self, from: NodeId, to: NodeId, flight: u64) {
        let Some((at, sent)) = self.network.packets.find(from, to, flight) else {
            return;
        };
        let kind = sent.packet.message.kind();
        let waits = self.scene().waits_for_link_up(from, to, &sent.packet);
        let is_next = !self.is_ordered() || at == 0;
        if waits || !is_next || self.replica(to).is_none() {
            return self.network.packets.park(from, to, at);
        }
        if self.is_ordered() {
            let packet = self.network.packets.take(from, to, at).decode();
            self.happen(Happening::Deliver(Delivery { from, to, nth: at, packet }));
            return self.wake(from, to);
        }
        let at = self.network.packets.swap_with_first_equal(from, to, at);
        let (loss, doubling) = (self.setup.loss_per_mille, self.setup.duplication_per_mille);
        let mut random = self.random(Chance::Loss, [from.0, to.0, kind]);
        if random.chance(loss) {
            let packet = self.network.packets.take(from, to, at).packet;
            self.happen(Happening::Drop(Delivery { from, to, nth: at, packet }));
        } else if random.chance(doubling) {
            self.ledger.doubled += 1;
            let packet = self.network.packets.look_at(from, to, at).decode();
            self.happen(Happening::Duplicate(Delivery { from, to, nth: at, packet }));
            let again = self.agenda.now() + random.duration(&self.setup.latency);
            self.agenda.add(again, Event::Arrival { from, to, flight });
        } else {
            let overtakes = self.network.packets.overtakes(from, to, at);
            self.ledger.overtakings += u64::from(overtakes);
            let packet = self.network.packets.take(from, to, at).decode();
            self.happen(Happening::Deliver(Delivery { from, to, nth: at, packet }));
        }
    }

    /// Lets the waiting messages of a channel arrive.
    fn wake(&mut self, from: NodeId, to: NodeId) {
        for flight in self.network.packets.unpark(from, to) {
            self.agenda.add(self.agenda.now(), Event::Arrival { from, to, flight });
        }
    }

    /// A disk has finished a sync or the writing of a content or checkpoint, unless it hangs.
    fn on_disk_done(&mut self, node: NodeId, life: u64, event: Event) {
        let at = &mut self.nodes[node];
        if !at.node.is_up() || at.life != life {
            return;
        }
        if at.hangs_until > self.agenda.now() {
            return self.agenda.add(at.hangs_until, event);
        }
        match event {
            Event::StoreEnd { .. } => return self.store(node),
            Event::CheckpointEnd { .. } => return self.end_checkpoint(node),
            _ => {}
        }
        for end in at.node.storage_mut().end_sync() {
            self.happen(Happening::Sync { node, end });
        }
        if self.nodes[node].node.storage().is_trim_due() {
            self.trim(node);
        }
    }

    fn on_link_news(&mut self, node: NodeId, peer: NodeId) {
        let Some(seen) = self.replica(node).map(|it| it.session(peer)) else {
            return;
        };
        match (seen, self.network.world.session(node, peer)) {
            (seen, now) if seen == now => {}
            (None, Some(session)) => {
                self.happen(Happening::LinkUp { node, peer, session });
                self.wake(peer, node);
                self.wake_bytes(peer, node);
            }
            _ => {
                self.happen(Happening::LinkDown { node, peer });
                self.plan_link_news(node, peer);
            }
        }
    }

    fn plan_link_news(&mut self, node: NodeId, peer: NodeId) {
        let mut random = self.random(Chance::LinkNews, [node.0, peer.0]);
        let time = self.agenda.now() + random.duration(&self.setup.link_event);
        self.agenda.add(time, Event::LinkNews { node, peer });
    }

    fn on_election_timeout(&mut self, node: NodeId, reset: u64) {
        if self.nodes[node].election_timer == reset {
            self.time_out(node);
        }
    }

    /// A node's election timer runs out. It matters to a leader only where it watches its quorum.
    pub(crate) fn time_out(&mut self, node: NodeId) {
        let guards = self.setup.guards_elections;
        if self.replica(node).is_some_and(|it| (guards || !it.leads()) && it.takes_part()) {
            self.happen(Happening::Timeout { node });
            self.reset_election_timer(node);
        }
    }

    /// A node's heartbeat timer runs out: a leader is heard, and a node that lacks a content asks for
    /// it again.
    fn on_tick(&mut self, node: NodeId, reset: u64) {
        let Some(replica) = self.replica(node) else {
            return;
        };
        if self.nodes[node].heartbeat_timer != reset {
            return;
        }
        if replica.needs_ticks() {
            self.ledger.heartbeats += 1;
            self.happen(Happening::Tick { node });
        }
        self.reset_heartbeat_timer(node);
    }

    /// A node verifies its contents.
    fn scrub(&mut self, node: NodeId) {
        if self.replica(node).is_none() {
            return;
        }
        for content in self.nodes[node].node.storage().scrub() {
            self.find_bad(node, content);
        }
    }

    /// A node finds a copy bad, and hears of it unless it knows that already.
    pub(crate) fn find_bad(&mut self, node: NodeId, content: ContentId) {
        let is_news = |it: ContentId| it == content;
        if self.nodes[node].node.undetected_rot(self.setup.decisions()).any(is_news) {
            self.happen(Happening::Scrub { node, content });
        }
    }

    /// Lets a happening take place: changes the cluster, then records, judges and narrates the step.
    pub(crate) fn happen(&mut self, happening: Happening) {
        let before = self.nodes.roles();
        let answers = self.apply(&happening);
        let after = self.nodes.roles();
        let halted = after.halted_since(before);
        self.ledger.halts += u64::from(halted);
        self.ledger.leaders += u64::from(after.elected_since(before));
        let step = self.recorder.record(&happening);
        if halted > 0 || step.changes_connections() {
            self.reconnect();
        }
        if let Happening::LinkUp { .. } | Happening::LinkDown { .. } = happening {
            self.lose_uncarried();
        }
        let scene = Scene::of(&self.setup, &self.nodes, &self.network);
        let now = self.agenda.now();
        let did = (step.node(), answers);
        self.judge.judge(scene, &mut self.history, did, now, &mut self.ledger);
        if self.setup.narrated {
            let moment = Moment::of(now, happening, step.node(), &self.nodes);
            self.narrator.note(moment, &self.history, self.judge.broken(), &self.contents);
        }
        if let Some(mut observer) = self.observer.take() {
            observer(&step, self);
            self.observer = Some(observer);
        }
    }

    /// Changes the cluster as a happening does; returns the answers to clients.
    fn apply(&mut self, happening: &Happening) -> Vec<Answer> {
        match *happening {
            Happening::Deliver(ref it) | Happening::Duplicate(ref it) => {
                self.ledger.deliveries += 1;
                self.hear(it.to, Input::Receive { from: it.from, packet: it.packet.clone() })
            }
            Happening::Store { node, arrived, .. } => {
                let content = arrived.payload.content;
                self.hear(
                    node,
                    match arrived.made {
                        Some(_) => Input::Stored { content },
                        None => Input::Unusable { content },
                    },
                )
            }
            Happening::Sync { node, end } => {
                self.ledger.syncs += 1;
                let synced = self.nodes[node].node.storage_mut().note_synced(end);
                self.hear(node, synced)
            }
            Happening::LinkUp { node, peer, session } => {
                self.nodes[node].exchanges[peer.index()].connect(session);
                self.hear(node, Input::LinkUp { peer, session })
            }
            Happening::LinkDown { node, peer } => {
                self.end_transfers(node, peer);
                self.hear(node, Input::LinkDown { peer })
            }
            Happening::Write { node, ref write, .. } => {
                self.ledger.writes += 1;
                let kind =
                    OperationKind::write(write.intent.clone(), write.base.clone(), write.seen);
                self.history.on_invoked(write.request, write.path.clone(), node, kind);
                self.bring_and_write(node, write)
            }
            Happening::Retry { node, ref write } => {
                self.history.on_retried(write.request, node);
                self.bring_and_write(node, write)
            }
            Happening::Read { node, ref read } => {
                let kind = match read.consistency {
                    Consistency::Linearizable => {
                        self.ledger.reads += 1;
                        OperationKind::read()
                    }
                    Consistency::Stale => OperationKind::stale_read(),
                };
                self.history.on_invoked(read.request, read.path.clone(), node, kind);
                self.hear(node, Input::Read(read.clone()))
            }
            Happening::Timeout { node } => {
                self.ledger.timeouts += u64::from(!self.leads(node));
                self.hear(node, Input::ElectionTimeout)
            }
            Happening::Tick { node } => self.hear(node, Input::Tick),
            Happening::Trim { node } => self.hear(node, Input::Trim),
            Happening::Checkpoint { node } => {
                self.ledger.trims += 1;
                let stored = self.contents(node);
                let checkpointed = self.nodes[node].node.storage_mut().end_checkpoint();
                let answers = self.hear(node, checkpointed);
                self.ledger.discards += (stored - self.contents(node)) as u64;
                answers
            }
            Happening::Scrub { node, content } => {
                self.ledger.scrubbed += 1;
                self.hear(node, Input::Bad { content })
            }
            Happening::Drop(_)
            | Happening::Crash { .. }
            | Happening::Recover { .. }
            | Happening::Rollback { .. }
            | Happening::Replace { .. }
            | Happening::Cut { .. }
            | Happening::Heal
            | Happening::Rot { .. }
            | Happening::LoseContent { .. } => {
                self.apply_fault(happening);
                Vec::new()
            }
        }
    }

    /// Applies a fault, or the end of one: no node hears of it at once.
    fn apply_fault(&mut self, happening: &Happening) {
        match *happening {
            Happening::Drop(_) => self.ledger.dropped += 1,
            Happening::Crash { node, .. } => {
                self.nodes[node].node.stop();
                self.history.on_crashed(node);
                let lost = self.network.lose_all_to(node);
                self.note_lost(lost);
            }
            Happening::Recover { node } => self.start(node),
            Happening::Rollback { node, .. } => self.history.on_rolled_back(node),
            Happening::Replace { node, promise } => self.history.on_replaced(node, promise),
            Happening::Cut(cut) => self.network.world.cut = Some(cut),
            Happening::Heal => self.network.world.cut = None,
            Happening::Rot { node, content } => {
                let mut random = self.random(Chance::Flip, [node.0]);
                self.nodes[node].node.storage_mut().rot(content, &mut random);
                self.ledger.rotten += 1;
            }
            Happening::LoseContent { node, content } => {
                self.nodes[node].node.storage_mut().lose(content);
                self.ledger.contents_lost += 1;
            }
            _ => {}
        }
    }

    /// A client makes the content durable that its write names, or the node verifies its copy; then the client writes.
    fn bring_and_write(&mut self, node: NodeId, write: &WriteRequest) -> Vec<Answer> {
        let mut answers = Vec::new();
        if let Intent::Put(Content::Named(content)) = write.intent {
            if let Some(bytes) = self.contents.get(content) {
                self.nodes[node].node.storage_mut().bring(content, bytes, &self.contents);
            }
            answers = self.hear(node, Input::Stored { content });
        }
        let decisions = self.setup.decisions();
        if let Some(input) = self.nodes[node].node.verified_for(write, decisions) {
            answers.extend(self.hear(node, input));
        }
        answers.extend(self.hear(node, Input::Write(write.clone())));
        answers
    }

    fn start(&mut self, node: NodeId) {
        let at = &mut self.nodes[node];
        at.life += 1;
        let _ = at.node.start(Incarnation(at.life), self.setup.decisions());
        self.reset_election_timer(node);
        self.reset_heartbeat_timer(node);
        self.plan_scrub(node);
    }

    /// Lets bad copies be found in a while.
    pub(crate) fn plan_scrub(&mut self, node: NodeId) {
        let mut random = self.random(Chance::Scrub, [node.0]);
        let time = self.agenda.now() + random.duration(&self.setup.latency) * 20;
        self.agenda.add(time, Event::Scrub { node });
    }

    /// Lets connections follow a change of the cluster, and loses the messages that none of them
    /// carries any more.
    fn reconnect(&mut self) {
        self.ledger.refused_connections += self.network.refresh_links(&self.setup, &self.nodes);
        let events: Vec<LinkEvent> = self.scene().link_events().collect();
        events.iter().for_each(|it| self.plan_link_news(it.node, it.peer));
        self.lose_uncarried();
    }

    fn lose_uncarried(&mut self) {
        let lost = self.network.lose_uncarried(&self.setup, &self.nodes);
        self.note_lost(lost);
    }

    fn note_lost(&mut self, (messages, stretches): (u64, u64)) {
        self.ledger.lost += messages;
        self.ledger.lost_stretches += stretches;
    }
}
