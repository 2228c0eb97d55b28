//! Inputs and outputs of nodes: the part of a server that surrounds its replica.

use std::time::Duration;

use steadfast_node::{Cluster, ContentCopy, NodeStorage, Output, stored_or_unusable};
use steadfast_protocol::{Input, NodeId, Packet, Payload};

use crate::agenda::Event;
use crate::contents::Stored;
use crate::happening::Happening;
use crate::judge::Answer;
use crate::random::Chance;
use crate::sizes::packet_bytes;
use crate::{Plan, Simulation};

impl Simulation {
    /// Lets a node hear an input, puts its messages under way, and returns its answers to clients.
    pub(crate) fn hear(&mut self, node: NodeId, input: Input) -> Vec<Answer> {
        self.ledger.events += 1;
        let mut answers = Vec::new();
        let mut outputs = std::mem::take(&mut self.outputs);
        self.nodes[node].node.hear(input, self.setup.decisions(), &mut outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Send { to, packet } => self.send(node, to, packet),
                Output::ResetElectionTimer => self.reset_election_timer(node),
                Output::Answer { request, outcome } => answers.push((request, outcome)),
            }
        }
        self.outputs = outputs;
        self.maybe_begin_disk_work(node);
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
        let message = &packet.message;
        let bytes = packet_bytes(&packet, payload_bytes);
        match message.entries().is_empty() && message.payloads().is_empty() {
            true => self.ledger.empty_bytes += bytes,
            false => self.ledger.sent_bytes += bytes,
        }
        let mut random = self.random(Chance::Delay, [from.0, to.0, message.kind()]);
        let (now, latency) = (self.agenda.now(), random.duration(&self.setup.latency));
        let (flight, arrival) = self.network.channels.send((from, to), packet, bytes, now, latency);
        self.agenda.add(arrival, Event::Arrival { from, to, flight });
    }

    /// Makes the bytes of a payload, and returns their number.
    fn encode(&mut self, from: NodeId, payload: Payload) -> u64 {
        let storage = self.nodes[from].node.storage();
        let Some(content) = storage.content(payload.content) else {
            return 0;
        };
        let base = payload.base.and_then(|base| storage.content(base));
        let cost = self.contents.encode(payload, base.map(|it| &*it.bytes), &content.bytes);
        self.ledger.deltas += u64::from(payload.base.is_some());
        self.ledger.bytes_sent += cost.sent;
        self.ledger.bytes_whole += cost.whole;
        cost.sent
    }

    /// Begins to sync the records that a node has appended, and to write the contents that it has
    /// received, where its disk is not at it already.
    fn maybe_begin_disk_work(&mut self, node: NodeId) {
        let storage = self.nodes[node].node.storage_mut();
        let (syncs, stores) = (storage.maybe_begin_sync(), storage.maybe_begin_storing());
        let (now, life) = (self.agenda.now(), self.nodes[node].life);
        if syncs {
            let mut random = self.random(Chance::Sync, [node.0]);
            let takes = random.duration(&self.setup.sync);
            self.agenda.add(now + takes, Event::SyncEnd { node, life });
            let at = &mut self.nodes[node];
            if std::mem::take(&mut at.is_doomed) || at.is_full {
                let moment = now + random.duration(&(Duration::ZERO..=takes));
                self.agenda.add(moment, Event::Planned(Box::new(Plan::Crash { node })));
            }
        }
        if stores {
            let takes = self.random(Chance::Store, [node.0]).duration(&self.setup.store);
            self.agenda.add(now + takes, Event::StoreEnd { node, life });
        }
    }

    /// Lets a node crash in its next sync, or in the one that is under way.
    pub(crate) fn doom(&mut self, node: NodeId) {
        match self.nodes.get_mut(node) {
            Some(at) if at.node.storage().is_syncing() => self.crash(node),
            Some(at) => at.is_doomed = true,
            None => {}
        }
    }

    /// Turns the oldest received payload into a content, and reports to its node whether it can be
    /// used.
    pub(crate) fn store(&mut self, node: NodeId) {
        let decisions = self.setup.decisions();
        let storage = self.nodes[node].node.storage_mut();
        let Some(payload) = storage.take_received() else {
            return;
        };
        let content = payload.content;
        let trusts = decisions.trusts_unverified_content();
        // A base is read as any content is: a bad copy is none, even where the delta would replace
        // the bad bytes in it.
        let base = payload.base.and_then(|base| storage.content(base));
        let base = base.filter(|it| it.is_exact || trusts);
        let made = self.contents.decode(payload, base);
        // A twin that trusts unverified contents also takes a copy that the delta does not fit.
        let made = made.or_else(|| base.filter(|_| trusts).cloned().map(Stored::wrong));
        let copy = made.as_ref().map_or(ContentCopy::Missing, Stored::copy);
        let news = stored_or_unusable(content, copy, decisions);
        if let (Input::Stored { .. }, Some(stored)) = (&news, made) {
            if storage.copy(content) != ContentCopy::Exact {
                self.ledger.useful_bytes += self.contents.cost(payload).sent;
            }
            storage.put(content, stored);
        }
        self.happen(Happening::Store { node, news });
    }

    pub(crate) fn reset_election_timer(&mut self, node: NodeId) {
        let mut random = self.random(Chance::ElectionTimeout, [node.0]);
        let timeout = random.duration(&self.setup.election_timeout);
        let at = &mut self.nodes[node];
        at.election_timer += 1;
        let (reset, time) = (at.election_timer, self.agenda.now() + at.measured(timeout));
        self.agenda.add(time, Event::ElectionTimeout { node, reset });
    }

    pub(crate) fn reset_heartbeat_timer(&mut self, node: NodeId) {
        let at = &mut self.nodes[node];
        at.heartbeat_timer += 1;
        let (reset, time) =
            (at.heartbeat_timer, self.agenda.now() + at.measured(self.setup.heartbeat));
        self.agenda.add(time, Event::Tick { node, reset });
    }
}
