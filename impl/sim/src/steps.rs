//! What happens, one thing at a time. Every change of the cluster is a [`Happening`], and each is a
//! [`Step`] of the trace, so that whoever has the steps can do the same again.

use std::time::Duration;

use steadfast_node::{Cluster, LinkEvent};
use steadfast_protocol::{ContentId, Input, NodeId, NodeSet, Packet};
use steadfast_trace::Step;

use crate::agenda::Event;
use crate::channels::Channels;
use crate::happening::{Happening, count};
use crate::judge::Answer;
use crate::network::Scene;
use crate::random::Chance;
use crate::{Simulation, narrate};

/// What a happening came to, for judge and timeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// The message that arrived or was lost.
    pub packet: Option<Packet>,
    /// The content that was to be stored, and whether it could be.
    pub stored: Option<(ContentId, bool)>,
    /// What clients were told.
    pub answers: Vec<Answer>,
}

impl Simulation {
    /// Lets something from the agenda happen.
    pub(crate) fn handle(&mut self, event: Event) {
        if self.agenda.leaves_out(&event) {
            return;
        }
        if let Event::SyncEnd { node, .. } | Event::StoreEnd { node, .. } = event {
            let hangs_until = self.nodes.at(node).hangs_until;
            if hangs_until > self.now() {
                return self.agenda.add(hangs_until, event);
            }
        }
        match event {
            Event::Arrival { from, to, flight } => self.on_arrival(from, to, flight),
            Event::SyncEnd { node, life } if self.nodes.lives(node, life) => self.on_sync_end(node),
            Event::StoreEnd { node, life } if self.nodes.lives(node, life) => {
                self.nodes.at_mut(node).is_storing = false;
                self.take(Happening::Store { node });
            }
            Event::LinkNews { node, peer } => self.on_link_news(node, peer),
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

    fn on_arrival(&mut self, from: NodeId, to: NodeId, flight: u64) {
        let Some(mut at) = self.network.channels().position(from, to, flight) else {
            return;
        };
        let Some(packet) = self.network.channels().get(from, to, at).map(|it| &it.packet) else {
            return;
        };
        let kind = packet.message.kind();
        let waits = self.scene().waits_for_link_up(from, to, packet);
        let is_next = !self.is_ordered() || at == 0;
        if waits || !is_next || self.replica(to).is_none() {
            return self.network.channels_mut().park(from, to, at);
        }
        if !self.is_ordered() {
            at = self.network.channels_mut().first_equal(from, to, at);
        }
        let nth = count(at);
        if self.is_ordered() {
            self.take(Happening::Deliver { from, to, nth });
            return self.wake_next(from, to);
        }
        let (loss, doubling) = (self.setup.loss_per_mille, self.setup.duplication_per_mille);
        let mut random = self.random(Chance::Loss, [from.0, to.0, kind]);
        if random.chance(loss) {
            self.take(Happening::Drop { from, to, nth });
        } else if random.chance(doubling) {
            self.take(Happening::Duplicate { from, to, nth });
            let again = random.duration(&self.setup.latency);
            self.agenda.add_after(again, Event::Arrival { from, to, flight });
        } else {
            self.take(Happening::Deliver { from, to, nth });
        }
    }

    /// Lets a message arrive that had travelled long enough and waited for the one before it: both
    /// were due at the moment at which the receiver heard of the connection.
    fn wake_next(&mut self, from: NodeId, to: NodeId) {
        let is_waiting =
            |channels: &Channels| channels.get(from, to, 0).is_some_and(|it| it.is_waiting);
        if is_waiting(self.network.channels()) {
            self.wake(from, to);
        }
    }

    /// Lets the waiting messages of a channel arrive.
    fn wake(&mut self, from: NodeId, to: NodeId) {
        for flight in self.network.channels_mut().unpark(from, to) {
            self.agenda.add_after(Duration::ZERO, Event::Arrival { from, to, flight });
        }
    }

    fn on_sync_end(&mut self, node: NodeId) {
        for end in self.nodes.disk_mut(node).end_sync() {
            self.take(Happening::Sync { node, end });
        }
    }

    fn on_link_news(&mut self, node: NodeId, peer: NodeId) {
        let Some(seen) = self.replica(node).map(|it| it.session(peer)) else {
            return;
        };
        let now = self.network.world().session(node, peer);
        if seen == now {
            return;
        }
        if seen.is_some() {
            self.take(Happening::LinkDown { node, peer });
            self.plan_link_news(node, peer);
        } else {
            self.take(Happening::LinkUp { node, peer });
            self.wake(peer, node);
        }
    }

    fn plan_link_news(&mut self, node: NodeId, peer: NodeId) {
        let mut random = self.random(Chance::LinkNews, [node.0, peer.0]);
        let after = random.duration(&self.setup.link_event);
        self.agenda.add_after(after, Event::LinkNews { node, peer });
    }

    fn on_election_timeout(&mut self, node: NodeId, wait: u64) {
        if self.nodes.at(node).wait == wait {
            self.time_out(node);
        }
    }

    /// A node's election timer runs out. It matters to a leader only where it watches its quorum.
    pub(crate) fn time_out(&mut self, node: NodeId) {
        let guards = self.setup.guards_elections;
        if self.replica(node).is_some_and(|it| (guards || !it.leads()) && it.takes_part()) {
            self.take(Happening::Timeout { node });
            self.wait_for_leader(node);
        }
    }

    /// A leader is heard, and whoever lacks a content asks for it again.
    fn on_tick(&mut self, node: NodeId, tick: u64) {
        let Some(replica) = self.replica(node) else {
            return;
        };
        if self.nodes.at(node).tick != tick {
            return;
        }
        if replica.needs_ticks() {
            self.ledger.heartbeats += 1;
            self.take(Happening::Tick { node });
        }
        self.plan_tick(node);
    }

    /// Lets something happen: changes the cluster, records, judges and tells it.
    pub(crate) fn take(&mut self, happening: Happening) {
        let (led, took_part) = (self.nodes.leaders(), self.nodes.taking_part());
        let before = narrate::Before::of(self);
        let Some(details) = self.perform(&happening) else {
            return;
        };
        let step = happening.step();
        self.connect(&happening, &step, took_part);
        self.follow_roles(led);
        let stopped = took_part.iter().filter(|it| self.has_stopped(*it)).count();
        self.ledger.halts += stopped as u64;
        self.recorder.record(step);
        let scene = Scene::of(&self.setup, &self.nodes, &self.network);
        self.judge.judge(scene, &details.answers, self.agenda.now(), &mut self.ledger);
        self.narrate(&happening, &before, &details);
        if let Some(mut observer) = self.observer.take() {
            observer(&step, self);
            self.observer = Some(observer);
        }
    }

    /// Counts those who begin to lead.
    fn follow_roles(&mut self, led: NodeSet) {
        let leads = self.nodes.leaders();
        self.ledger.leaders += leads.iter().filter(|it| !led.contains(*it)).count() as u64;
    }

    fn perform(&mut self, happening: &Happening) -> Option<Details> {
        let answers = match *happening {
            Happening::Deliver { from, to, nth } => return self.deliver(from, to, nth),
            Happening::Drop { from, to, nth } => return self.lose(from, to, nth),
            Happening::Duplicate { from, to, nth } => return self.double(from, to, nth),
            Happening::Store { node } => return self.perform_store(node),
            Happening::Sync { node, end } => {
                let position = self.nodes.disk_mut(node).note_synced(end);
                self.ledger.syncs += 1;
                self.hear(node, Input::Synced(position))
            }
            Happening::LinkUp { node, peer } => {
                let session = self.network.world().session(node, peer)?;
                self.hear(node, Input::LinkUp { peer, session })
            }
            Happening::LinkDown { node, peer } => self.hear(node, Input::LinkDown { peer }),
            Happening::Write { node, path, kind, ref content } => {
                self.ask_to_write(node, path, kind, content.clone())?
            }
            Happening::Read { node, path } => self.ask_to_read(node, path)?,
            Happening::Retry { node, request } => self.ask_again(node, request)?,
            Happening::Timeout { node } => {
                self.network.world_mut().spend(|left| &mut left.elections)?;
                self.ledger.timeouts += u64::from(!self.leads(node));
                self.hear(node, Input::ElectionTimeout)
            }
            Happening::Tick { node } => {
                self.network.world_mut().spend(|left| &mut left.ticks)?;
                self.hear(node, Input::Tick)
            }
            Happening::Scrub { node, content } => {
                self.ledger.scrubbed += 1;
                self.hear(node, Input::Bad { content })
            }
            Happening::Crash { .. }
            | Happening::Recover { .. }
            | Happening::Rollback { .. }
            | Happening::Cut { .. }
            | Happening::Heal
            | Happening::Rot { .. }
            | Happening::LoseContent { .. } => {
                self.fail(happening)?;
                Vec::new()
            }
        };
        Some(Details { answers, ..Details::default() })
    }

    /// Performs a fault, or the end of one: no node hears of it at once.
    fn fail(&mut self, happening: &Happening) -> Option<()> {
        match *happening {
            Happening::Crash { node, .. } => {
                self.network.world_mut().spend(|left| &mut left.crashes)?;
                self.nodes.at_mut(node).node.stop();
                self.judge.history_mut().on_crashed(node);
            }
            Happening::Recover { node } => self.start(node),
            Happening::Rollback { node, .. } => {
                self.network.world_mut().spend(|left| &mut left.rollbacks)?;
                self.judge.history_mut().on_rolled_back(node);
            }
            Happening::Cut(cut) => self.network.cut(cut)?,
            Happening::Heal => self.network.heal(),
            Happening::Rot { node, content } => {
                self.network.world_mut().spend(|left| &mut left.rot)?;
                let mut random = self.random(Chance::Flip, [node.0]);
                self.nodes.disk_mut(node).rot(content, &mut random);
                self.ledger.rotten += 1;
            }
            Happening::LoseContent { node, content } => {
                self.network.world_mut().spend(|left| &mut left.lost_contents)?;
                self.nodes.disk_mut(node).remove(content);
                self.ledger.contents_lost += 1;
            }
            _ => {}
        }
        Some(())
    }

    fn perform_store(&mut self, node: NodeId) -> Option<Details> {
        let input = self.store(node)?;
        let stored = match input {
            Input::Stored { content } => Some((content, true)),
            Input::Unusable { content } => Some((content, false)),
            _ => None,
        };
        let answers = self.hear(node, input);
        Some(Details { answers, stored, ..Details::default() })
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<Details> {
        let overtakes = self.network.channels().overtakes(from, to, nth as usize);
        let packet = self.network.channels_mut().take(from, to, nth as usize)?;
        self.ledger.overtakings += u64::from(overtakes);
        Some(self.receive(from, to, packet))
    }

    fn lose(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<Details> {
        self.network.world_mut().spend(|left| &mut left.drops)?;
        self.ledger.dropped += 1;
        let packet = self.network.channels_mut().take(from, to, nth as usize);
        Some(Details { packet, ..Details::default() })
    }

    fn double(&mut self, from: NodeId, to: NodeId, nth: u32) -> Option<Details> {
        self.network.world_mut().spend(|left| &mut left.duplicates)?;
        self.ledger.doubled += 1;
        let packet = self.network.channels().get(from, to, nth as usize)?.packet.clone();
        Some(self.receive(from, to, packet))
    }

    fn receive(&mut self, from: NodeId, to: NodeId, packet: Packet) -> Details {
        self.ledger.deliveries += 1;
        let answers = self.hear(to, Input::Receive { from, packet: packet.clone() });
        Details { packet: Some(packet), answers, ..Details::default() }
    }

    fn start(&mut self, node: NodeId) {
        let at = self.nodes.at_mut(node);
        at.node.storage_mut().restart();
        at.life += 1;
        at.is_storing = false;
        let _ = at.node.start(self.setup.decisions());
        self.wait_for_leader(node);
        self.plan_tick(node);
        self.plan_scrub(node);
    }

    /// Lets bad copies be found in a while.
    pub(crate) fn plan_scrub(&mut self, node: NodeId) {
        let mut random = self.random(Chance::Scrub, [node.0]);
        let after = random.duration(&self.setup.latency) * 20;
        self.agenda.add_after(after, Event::Scrub);
    }

    /// Lets connections follow what happened, and loses what none of them carries any more.
    fn connect(&mut self, happening: &Happening, step: &Step, took_part: NodeSet) {
        let has_stopped = took_part.iter().any(|it| self.has_stopped(it));
        let is_fault = has_stopped || step.changes_connections();
        if !is_fault && !matches!(happening, Happening::LinkUp { .. } | Happening::LinkDown { .. })
        {
            return;
        }
        if let Happening::Crash { node, .. } = *happening {
            self.ledger.lost += self.network.lose_all_to(node);
        }
        if is_fault {
            self.network.reconnect(self.nodes.taking_part());
            self.plan_all_link_news();
        }
        self.ledger.lost += self.network.lose_uncarried(&self.setup, &self.nodes);
    }

    fn plan_all_link_news(&mut self) {
        let events: Vec<LinkEvent> = self.scene().link_events().collect();
        events.iter().for_each(|it| self.plan_link_news(it.node, it.peer));
    }
}
