//! The transfer of contents between nodes: below the trace, which has the message that leads to a transfer, and
//! its end.

use std::sync::Arc;

use steadfast_protocol::{ContentId, NodeId, Payload};

use crate::Simulation;
use crate::agenda::Event;
use crate::exchange::Ends;
use crate::network::SentBytes;
use crate::random::Chance;

impl Simulation {
    /// Begins to transfer the content of a payload that a node has received, from the peer that sent it.
    pub(crate) fn begin_transfer(&mut self, node: NodeId, payload: Payload, from: NodeId) {
        let at = &mut self.nodes[node];
        let old = at.node.probable_base(payload);
        let contents = Arc::clone(at.node.storage().contents_store());
        let exchange = &mut at.exchanges[from.index()];
        let begins = exchange.session().is_some();
        at.node.storage_mut().add_arrival(payload, from, begins);
        if begins {
            let goes_on = exchange.want(payload.content, old, &contents, &mut at.parked);
            self.ledger.resumed += u64::from(goes_on);
            self.send_bytes(node, from);
        }
    }

    /// The connection with a peer has ended, and with it all transfers from it.
    pub(crate) fn end_transfers(&mut self, node: NodeId, peer: NodeId) {
        let at = &mut self.nodes[node];
        let ends = at.exchanges[peer.index()].disconnect(&mut at.parked);
        self.note_ends(node, peer, ends);
    }

    fn note_ends(&mut self, node: NodeId, peer: NodeId, ends: Ends) {
        let storage = self.nodes[node].node.storage_mut();
        for (content, arriving) in ends {
            storage.end_transfer(peer, content, arriving);
        }
    }

    /// Bytes have travelled long enough. They wait for those before them, and until their receiver has heard
    /// of the connection.
    pub(crate) fn on_bytes(&mut self, from: NodeId, to: NodeId, flight: u64) {
        let Some((at, sent)) = self.network.contents.find(from, to, flight) else {
            return;
        };
        let is_open = self.nodes[to].exchanges[from.index()].session() == Some(sent.session);
        if at > 0 || !is_open {
            return self.network.contents.park(from, to, at);
        }
        let SentBytes { bytes, .. } = self.network.contents.take(from, to, at);
        let at = &mut self.nodes[to];
        let contents = Arc::clone(at.node.storage().contents_store());
        let exchange = &mut at.exchanges[from.index()];
        let ends = exchange.receive(&bytes, &contents, &mut at.parked);
        let ends =
            ends.unwrap_or_else(|error| panic!("peers-send-frames: {from} to {to}: {error}"));
        self.note_ends(to, from, ends);
        self.maybe_begin_disk_work(to);
        for content in self.send_bytes(to, from) {
            self.find_bad(to, content);
        }
        self.wake_bytes(from, to);
    }

    /// Lets the waiting bytes of a connection arrive.
    pub(crate) fn wake_bytes(&mut self, from: NodeId, to: NodeId) {
        for flight in self.network.contents.unpark(from, to) {
            self.agenda.add(self.agenda.now(), Event::Bytes { from, to, flight });
        }
    }

    /// Puts the bytes of one end of a connection under way; returns the contents that the end cannot read.
    fn send_bytes(&mut self, from: NodeId, to: NodeId) -> Vec<ContentId> {
        let exchange = &mut self.nodes[from].exchanges[to.index()];
        let Some(session) = exchange.session() else {
            return Vec::new();
        };
        let (stretches, bad) = exchange.send();
        for bytes in stretches {
            let length = bytes.len() as u64;
            let is_carried = self.scene().carries_bytes(from, to, session);
            if !self.network.takes_bytes((from, to), session, is_carried) {
                self.ledger.lost_stretches += 1;
                continue;
            }
            self.ledger.sent_bytes += length;
            let mut random = self.random(Chance::Bytes, [from.0, to.0]);
            let latency = random.duration(&self.setup.latency);
            // Packets go first.
            let begins = self.agenda.now().max(self.network.packets.busy_until(from, to));
            let sent = SentBytes { session, bytes };
            let contents = &mut self.network.contents;
            let (flight, arrival) = contents.send((from, to), sent, length, begins, latency);
            self.agenda.add(arrival, Event::Bytes { from, to, flight });
        }
        bad
    }
}
