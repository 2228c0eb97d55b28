//! What happens, step by step. Every change of the cluster is a [`Step`], so that whoever has the
//! steps can do the same again.

use steadfast_node::{Cluster, LinkEvent};
use steadfast_protocol::{ContentId, Input, Message, NodeId, NodeSet, Packet, Replica};
use steadfast_trace::{Cut, Step};

use crate::agenda::Event;
use crate::channels::Channels;
use crate::random::Chance;
use crate::storage::Aftermath;
use crate::{Simulation, narrate};

/// What a step was about, for the timeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// The message that arrived or was lost.
    pub packet: Option<Packet>,
    /// What a crash left.
    pub aftermath: Option<Aftermath>,
    /// The content that was to be stored, and whether it could be.
    pub stored: Option<(ContentId, bool)>,
}

impl Simulation {
    /// Lets something from the agenda happen.
    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival { from, to, flight } => self.on_arrival(from, to, flight),
            Event::SyncEnd { node, life } if self.lives(node, life) => self.on_sync_end(node),
            Event::StoreEnd { node, life } if self.lives(node, life) => {
                self.nodes[node.index()].is_storing = false;
                self.take(Step::Store { node });
            }
            Event::LinkNews { node, peer } => self.on_link_news(node, peer),
            Event::ElectionTimeout { .. } | Event::Tick { .. } if self.timers_rest => {}
            Event::ElectionTimeout { node, wait } => self.on_election_timeout(node, wait),
            Event::Tick { node, tick } => self.on_tick(node, tick),
            Event::Scrub => self.scrub(),
            Event::Planned(plan) => self.carry_out(&plan),
            Event::SyncEnd { .. } | Event::StoreEnd { .. } => {}
        }
    }

    /// Whether a node is up and takes no part any more.
    fn has_stopped(&self, node: NodeId) -> bool {
        self.replica(node).is_some_and(|it| !it.takes_part())
    }

    fn lives(&self, node: NodeId, life: u64) -> bool {
        let node = &self.nodes[node.index()];
        node.node.is_up() && node.life == life
    }

    fn on_arrival(&mut self, from: NodeId, to: NodeId, flight: u64) {
        let Some(mut at) = self.channels.position(from, to, flight) else {
            return;
        };
        let Some(packet) = self.channels.get(from, to, at).map(|it| &it.packet) else {
            return;
        };
        let kind = packet.message.kind();
        let waits = self.waits_for_link_up(from, to, packet);
        let is_next = !self.is_ordered() || at == 0;
        if waits || !is_next || self.replica(to).is_none() {
            return self.channels.park(from, to, at);
        }
        if !self.is_ordered() {
            at = self.channels.first_equal(from, to, at);
        }
        let nth = u32::try_from(at).unwrap_or(u32::MAX);
        if self.is_ordered() {
            self.take(Step::Deliver { from, to, nth });
            return self.wake_next(from, to);
        }
        let (loss, doubling) = (self.setup.loss_per_mille, self.setup.duplication_per_mille);
        let mut random = self.random(Chance::Loss, [from.0, to.0, kind]);
        if random.chance(loss) {
            self.take(Step::Drop { from, to, nth });
        } else if random.chance(doubling) {
            self.take(Step::Duplicate { from, to, nth });
            let again = self.now + random.duration(&self.setup.latency);
            self.agenda.add(again, Event::Arrival { from, to, flight });
        } else {
            self.take(Step::Deliver { from, to, nth });
        }
    }

    /// Lets a message arrive that had travelled long enough and waited for the one before it: both
    /// were due at the moment at which the receiver heard of the connection.
    fn wake_next(&mut self, from: NodeId, to: NodeId) {
        let is_waiting =
            |channels: &Channels| channels.get(from, to, 0).is_some_and(|it| it.is_waiting);
        if is_waiting(&self.channels) {
            self.wake(from, to);
        }
    }

    /// Lets the waiting messages of a channel arrive.
    fn wake(&mut self, from: NodeId, to: NodeId) {
        for flight in self.channels.unpark(from, to) {
            self.agenda.add(self.now, Event::Arrival { from, to, flight });
        }
    }

    fn on_sync_end(&mut self, node: NodeId) {
        let ends = self.nodes[node.index()].node.storage_mut().end_sync();
        for end in ends {
            self.nodes[node.index()].node.storage_mut().ending = Some(end);
            self.take(Step::Sync { node });
        }
    }

    fn on_link_news(&mut self, node: NodeId, peer: NodeId) {
        let Some(seen) = self.replica(node).map(|it| it.session(peer)) else {
            return;
        };
        let now = self.world.session(node, peer);
        if seen == now {
            return;
        }
        if seen.is_some() {
            self.take(Step::LinkDown { node, peer });
            self.plan_link_news(node, peer);
        } else {
            self.take(Step::LinkUp { node, peer });
            self.wake(peer, node);
        }
    }

    fn plan_link_news(&mut self, node: NodeId, peer: NodeId) {
        let mut random = self.random(Chance::LinkNews, [node.0, peer.0]);
        let time = self.now + random.duration(&self.setup.link_event);
        self.agenda.add(time, Event::LinkNews { node, peer });
    }

    fn on_election_timeout(&mut self, node: NodeId, wait: u64) {
        if self.nodes[node.index()].wait == wait {
            self.time_out(node);
        }
    }

    /// A node that does not lead has waited long enough for somebody who does.
    pub(crate) fn time_out(&mut self, node: NodeId) {
        if self.replica(node).is_some_and(|it| !it.leads() && it.takes_part()) {
            self.take(Step::Timeout { node });
            self.wait_for_leader(node);
        }
    }

    /// A leader is heard, and whoever lacks a content asks for it again.
    fn on_tick(&mut self, node: NodeId, tick: u64) {
        let Some(replica) = self.replica(node) else {
            return;
        };
        if self.nodes[node.index()].tick != tick {
            return;
        }
        if replica.needs_ticks() {
            self.ledger.heartbeats += 1;
            self.take(Step::Tick { node });
        }
        self.plan_tick(node);
    }

    /// Takes a step: changes the cluster, records, judges and tells it.
    pub(crate) fn take(&mut self, step: Step) {
        let led: NodeSet = self.leaders().collect();
        let took_part = self.taking_part();
        let before = narrate::Before::of(self);
        let Some(details) = self.perform(&step) else {
            return;
        };
        self.connect(&step, took_part);
        self.follow_roles(led);
        let stopped = took_part.iter().filter(|it| self.has_stopped(*it)).count();
        self.ledger.halts += stopped as u64;
        self.steps.push(step);
        self.judge();
        self.narrate(&step, &before, &details);
        if let Some(mut observer) = self.observer.take() {
            observer(&step, self);
            self.observer = Some(observer);
        }
    }

    /// Lets those wait for a leader who led and do not lead any more.
    fn follow_roles(&mut self, led: NodeSet) {
        let leads: NodeSet = self.leaders().collect();
        if leads == led {
            return;
        }
        self.ledger.leaders += leads.iter().filter(|it| !led.contains(*it)).count() as u64;
        for node in led.iter().filter(|it| !leads.contains(*it)) {
            if self.replica(node).is_some() {
                self.wait_for_leader(node);
            }
        }
    }

    fn leaders(&self) -> impl Iterator<Item = NodeId> {
        self.replicas().filter(|it| it.leads()).map(Replica::id)
    }

    fn perform(&mut self, step: &Step) -> Option<Details> {
        match *step {
            Step::Deliver { from, to, nth } => return self.deliver(from, to, nth),
            Step::Sync { node } => {
                let storage = self.nodes[node.index()].node.storage_mut();
                let end = storage.ending.take()?;
                let position = storage.note_synced(end);
                self.ledger.syncs += 1;
                self.hear(node, Input::Synced(position));
            }
            Step::Store { node } => {
                let input = self.store(node)?;
                self.hear(node, input.clone());
                let stored = match input {
                    Input::Stored { content } => Some((content, true)),
                    Input::Unusable { content } => Some((content, false)),
                    _ => None,
                };
                return Some(Details { stored, ..Details::default() });
            }
            Step::LinkUp { node, peer } => {
                let session = self.world.session(node, peer)?;
                self.hear(node, Input::LinkUp { peer, session });
            }
            Step::LinkDown { node, peer } => self.hear(node, Input::LinkDown { peer }),
            Step::Write { .. } | Step::Read { .. } | Step::Retry { .. } => self.ask(step)?,
            Step::Timeout { node } => {
                self.world.spend(|left| &mut left.elections)?;
                self.ledger.timeouts += 1;
                self.hear(node, Input::ElectionTimeout);
            }
            Step::Tick { node } => {
                self.world.spend(|left| &mut left.ticks)?;
                self.hear(node, Input::Tick);
            }
            Step::Crash { .. } | Step::Recover { .. } => return self.stop_or_start(step),
            Step::Rollback { node, .. } => {
                self.world.spend(|left| &mut left.rollbacks)?;
                self.history.on_rolled_back(node);
            }
            Step::Cut { side, one_way } => {
                self.world.spend(|left| &mut left.partitions)?;
                self.world.cut = Some(Cut { side, one_way });
            }
            Step::Heal => self.world.cut = None,
            Step::Rot { node, content } => {
                self.world.spend(|left| &mut left.rot)?;
                let mut random = self.random(Chance::Flip, [node.0]);
                self.nodes[node.index()].node.storage_mut().rot(content, &mut random);
                self.ledger.rotten += 1;
            }
            Step::LoseContent { node, content } => {
                self.world.spend(|left| &mut left.lost_contents)?;
                self.nodes[node.index()].node.storage_mut().remove(content);
                self.ledger.contents_lost += 1;
            }
            Step::Scrub { node, content } => {
                self.ledger.scrubbed += 1;
                self.hear(node, Input::Bad { content });
            }
            Step::Drop { from, to, nth } => {
                self.world.spend(|left| &mut left.drops)?;
                self.ledger.dropped += 1;
                let packet = self.channels.take(from, to, nth as usize);
                return Some(Details { packet, ..Details::default() });
            }
            Step::Duplicate { from, to, nth } => {
                self.world.spend(|left| &mut left.duplicates)?;
                self.ledger.doubled += 1;
                let packet = self.channels.get(from, to, nth as usize)?.packet.clone();
                return Some(self.receive(from, to, packet));
            }
        }
        Some(Details::default())
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<Details> {
        let overtakes = self.channels.overtakes(from, to, nth as usize);
        let packet = self.channels.take(from, to, nth as usize)?;
        self.ledger.overtakings += u64::from(overtakes);
        Some(self.receive(from, to, packet))
    }

    fn receive(&mut self, from: NodeId, to: NodeId, packet: Packet) -> Details {
        self.ledger.deliveries += 1;
        let promise = self.replica(to).map(Replica::promise);
        self.hear(to, Input::Receive { from, packet: packet.clone() });
        let now = self.replica(to).map(Replica::promise);
        let is_heard = match &*packet.message {
            Message::Append(append) => now == Some(append.epoch),
            Message::VoteRequest(request) => now == Some(request.epoch) && promise != now,
            _ => false,
        };
        if is_heard {
            self.wait_for_leader(to);
        }
        Details { packet: Some(packet), ..Details::default() }
    }

    fn stop_or_start(&mut self, step: &Step) -> Option<Details> {
        let mut details = Details::default();
        match *step {
            Step::Crash { node, .. } => {
                self.world.spend(|left| &mut left.crashes)?;
                details.aftermath = self.aftermath.take();
                let at = &mut self.nodes[node.index()];
                at.node.stop();
                at.answers.clear();
                self.history.on_crashed(node);
            }
            Step::Recover { node } => {
                let decisions = self.setup.decisions();
                let at = &mut self.nodes[node.index()];
                at.node.storage_mut().restart();
                at.life += 1;
                at.is_storing = false;
                let _ = at.node.start(decisions);
                self.wait_for_leader(node);
                self.plan_tick(node);
                let mut random = self.random(Chance::Scrub, [node.0]);
                let found = self.now + random.duration(&self.setup.latency) * 20;
                self.agenda.add(found, Event::Scrub);
            }
            _ => {}
        }
        Some(details)
    }

    /// Lets connections follow what happened, and loses what none of them carries any more.
    fn connect(&mut self, step: &Step, took_part: NodeSet) {
        let has_stopped = took_part.iter().any(|it| self.has_stopped(it));
        let is_fault = has_stopped || step.changes_connections();
        if !is_fault && !matches!(step, Step::LinkUp { .. } | Step::LinkDown { .. }) {
            return;
        }
        if let Step::Crash { node, .. } = *step {
            self.ledger.lost += self.channels.retain(|_, to, _| to != node) as u64;
        }
        if is_fault {
            self.world.refresh_links(self.taking_part());
            self.plan_all_link_news();
        }
        let mut channels = std::mem::take(&mut self.channels);
        let lost = channels.retain(|from, to, packet| self.carries(from, to, packet));
        self.ledger.lost += lost as u64;
        self.channels = channels;
    }

    fn plan_all_link_news(&mut self) {
        let events: Vec<LinkEvent> = self.link_events().collect();
        events.iter().for_each(|it| self.plan_link_news(it.node, it.peer));
    }
}
