//! Inputs and outputs of nodes: the part of a server that surrounds its replica.

use std::time::Duration;

use steadfast_node::{Cluster, ContentCopy, NodeStorage, Output};
use steadfast_protocol::{Input, NodeId, Packet, Payload};

use crate::agenda::Event;
use crate::happening::Happening;
use crate::judge::Answer;
use crate::network::SentPacket;
use crate::random::Chance;
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
        while let Some((payload, from)) = self.nodes[node].node.storage_mut().take_received() {
            self.begin_transfer(node, payload, from);
        }
        self.maybe_begin_disk_work(node);
        answers
    }

    /// Puts a message under way, if its connection still carries it.
    fn send(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        if !self.scene().carries(from, to, &packet) {
            self.ledger.lost += 1;
            return;
        }
        let sent = SentPacket::encode(packet);
        let (message, bytes) = (&sent.packet.message, sent.frame.len() as u64);
        match message.entries().is_empty() && message.payloads().is_empty() {
            true => self.ledger.empty_bytes += bytes,
            false => self.ledger.sent_bytes += bytes,
        }
        let mut random = self.random(Chance::Delay, [from.0, to.0, message.kind()]);
        let (now, latency) = (self.agenda.now(), random.duration(&self.setup.latency));
        let (flight, arrival) = self.network.packets.send((from, to), sent, bytes, now, latency);
        self.agenda.add(arrival, Event::Arrival { from, to, flight });
    }

    /// Begins to sync the records that a node has appended, and to write the contents that it has
    /// received and the checkpoint that it asked for, where its disk is not at it already.
    pub(crate) fn maybe_begin_disk_work(&mut self, node: NodeId) {
        let storage = self.nodes[node].node.storage_mut();
        let (syncs, stores) = (storage.maybe_begin_sync(), storage.maybe_begin_storing());
        let checkpoints = storage.maybe_begin_checkpoint();
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
        if checkpoints {
            let takes = self.random(Chance::Checkpoint, [node.0]).duration(&self.setup.checkpoint);
            self.agenda.add(now + takes, Event::CheckpointEnd { node, life });
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

    /// Ends the transfer of the oldest received payload, and reports to its node whether the content is there.
    pub(crate) fn store(&mut self, node: NodeId) {
        let storage = self.nodes[node].node.storage_mut();
        let Some(oldest) = storage.oldest_arrival() else {
            return;
        };
        // The model has no transfers. Its node makes a content if the base is good; a real one may get it
        // without the base, or not get it because the peer has lost it or the connection.
        let Payload { content, base } = oldest;
        let has_base = base.is_none_or(|it| storage.copy_on_disk(it) == ContentCopy::Exact);
        let lacks_it = storage.copy_on_disk(content) != ContentCopy::Exact;
        let Some(arrived) = storage.take_arrived(&self.contents) else {
            return;
        };
        let trusts = self.setup.decisions().trusts_unverified_content();
        let is_derived = arrived.made.is_some() == has_base && (has_base || !trusts);
        if let Some((received, length)) = arrived.made {
            self.ledger.deltas += u64::from(received.patched + received.copied > 0);
            self.ledger.bytes_received += received.bytes;
            self.ledger.bytes_whole += length;
            self.ledger.useful_bytes += if lacks_it { received.bytes } else { 0 };
        }
        self.ledger.transfers_ended += u64::from(arrived.made.is_none());
        self.happen(Happening::Store { node, arrived, is_derived });
    }

    /// Notes that the checkpoint of a node is durable.
    pub(crate) fn end_checkpoint(&mut self, node: NodeId) {
        self.judge.keep_records(node, self.nodes[node].node.storage().records());
        self.happen(Happening::Checkpoint { node });
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
