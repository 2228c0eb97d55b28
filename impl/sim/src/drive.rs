//! Inputs and effects: what a server does around its replica.

use std::time::Duration;

use steadfast_node::{Cluster, ContentCopy, NodeStorage, Output, stored_or_unusable};
use steadfast_protocol::{Input, NodeId, Packet, Payload};

use crate::agenda::Event;
use crate::judge::Answer;
use crate::random::Chance;
use crate::sizes::packet_bytes;
use crate::storage::Stored;
use crate::{Plan, Simulation};

impl Simulation {
    /// Lets a node hear an input, puts under way what leaves it, and returns its answers to clients.
    pub(crate) fn hear(&mut self, node: NodeId, input: Input) -> Vec<Answer> {
        self.ledger.events += 1;
        let mut answers = Vec::new();
        let mut outputs = self.nodes.hear(node, input, &self.setup);
        for output in outputs.drain(..) {
            match output {
                Output::Send { to, packet } => self.send(node, to, packet),
                Output::ResetElectionTimer => self.wait_for_leader(node),
                Output::Answer { request, outcome } => answers.push((node, request, outcome)),
            }
        }
        self.nodes.reuse(outputs);
        self.maybe_begin_sync(node);
        self.maybe_begin_storing(node);
        answers
    }

    /// Puts a message under way, if its connection still carries it.
    fn send(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        let payloads = packet.message.payloads().iter();
        let payload_bytes: u64 = payloads.map(|it| self.encode(from, *it)).sum();
        if !self.scene().carries(from, to, &packet) {
            self.ledger.lost += 1;
            return;
        }
        let ordered = self.is_ordered();
        let mut random = self.random(Chance::Delay, [from.0, to.0, packet.message.kind()]);
        let bytes = packet_bytes(&packet, payload_bytes);
        let message = &packet.message;
        match message.entries().is_empty() && message.payloads().is_empty() {
            true => self.ledger.empty_bytes += bytes,
            false => self.ledger.sent_bytes += bytes,
        }
        let (now, takes) = (self.now(), self.setup.transmission(bytes));
        let left = self.network.channels_mut().transmit(from, to, now, takes);
        let arrival = left + random.duration(&self.setup.latency);
        let channels = self.network.channels_mut();
        let flight = channels.send(from, to, packet, ordered);
        let arrival = match ordered {
            true => channels.in_order(from, to, arrival),
            false => arrival,
        };
        self.agenda.add(arrival, Event::Arrival { from, to, flight });
    }

    /// Makes the bytes of a payload, and returns their number.
    fn encode(&mut self, from: NodeId, payload: Payload) -> u64 {
        let storage = self.nodes.disk(from);
        let Some(content) = storage.content(payload.content) else {
            return 0;
        };
        let base = payload.base.and_then(|base| storage.content(base));
        let cost = self.library.encode(payload, base.map(|it| &*it.bytes), &content.bytes);
        self.ledger.deltas += u64::from(payload.base.is_some());
        self.ledger.bytes_sent += cost.sent;
        self.ledger.bytes_whole += cost.whole;
        cost.sent
    }

    fn maybe_begin_sync(&mut self, node: NodeId) {
        let storage = self.nodes.disk(node);
        if storage.tail() == 0 || storage.is_syncing() {
            return;
        }
        let mut random = self.random(Chance::Sync, [node.0]);
        let at = self.nodes.at_mut(node);
        at.node.storage_mut().begin_sync();
        let takes = random.duration(&self.setup.sync);
        self.agenda.add_after(takes, Event::SyncEnd { node, life: at.life });
        if std::mem::take(&mut at.is_doomed) || at.is_full {
            let moment = random.duration(&(Duration::ZERO..=takes));
            self.agenda.add_after(moment, Event::Planned(Plan::Crash { node }));
        }
    }

    fn maybe_begin_storing(&mut self, node: NodeId) {
        let at = self.nodes.at_mut(node);
        if !at.node.storage().is_storing() || at.is_storing {
            return;
        }
        at.is_storing = true;
        let life = at.life;
        let takes = self.random(Chance::Store, [node.0]).duration(&self.setup.store);
        self.agenda.add_after(takes, Event::StoreEnd { node, life });
    }

    /// Lets a node crash in its next sync, or in the one that is under way.
    pub(crate) fn doom(&mut self, node: NodeId) {
        if self.nodes.disk(node).is_syncing() {
            return self.crash(node);
        }
        self.nodes.at_mut(node).is_doomed = true;
    }

    /// Turns the oldest received payload into a content, and says whether it can be used.
    pub(crate) fn store(&mut self, node: NodeId) -> Option<Input> {
        let decisions = self.setup.decisions();
        let storage = self.nodes.disk_mut(node);
        let payload = storage.take_received()?;
        let content = payload.content;
        let trusts = decisions.trusts_unverified_content();
        // A base is read as any content is: a bad copy is none, even where the delta would replace
        // what is bad in it.
        let base = payload.base.and_then(|base| storage.content(base));
        let base = base.filter(|it| it.is_exact || trusts);
        let made = self.library.decode(payload, base);
        // Whoever trusts what it cannot verify takes even what the delta does not fit.
        let made = made.or_else(|| base.filter(|_| trusts).cloned().map(Stored::wrong));
        let copy = made.as_ref().map_or(ContentCopy::Missing, Stored::copy);
        let input = stored_or_unusable(content, copy, decisions);
        if let (Input::Stored { .. }, Some(stored)) = (&input, made) {
            if storage.copy(content) != ContentCopy::Exact {
                self.ledger.useful_bytes += self.library.cost(payload).sent;
            }
            storage.put(content, stored);
        }
        Some(input)
    }

    /// Sets the clock by which a node waits for a leader back to its start.
    pub(crate) fn wait_for_leader(&mut self, node: NodeId) {
        let patience =
            self.random(Chance::Patience, [node.0]).duration(&self.setup.election_timeout);
        let at = self.nodes.at_mut(node);
        at.wait += 1;
        let patience = slowed(patience, at.clock_per_mille);
        self.agenda.add_after(patience, Event::ElectionTimeout { node, wait: at.wait });
    }

    /// Lets a node's clock tick in a while.
    pub(crate) fn plan_tick(&mut self, node: NodeId) {
        let at = self.nodes.at_mut(node);
        at.tick += 1;
        let interval = slowed(self.setup.heartbeat, at.clock_per_mille);
        self.agenda.add_after(interval, Event::Tick { node, tick: at.tick });
    }
}

/// How long a clock that runs at this speed takes to count a duration.
fn slowed(duration: std::time::Duration, per_mille: u64) -> std::time::Duration {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    std::time::Duration::from_micros(micros.saturating_mul(1_000) / per_mille.max(1))
}
