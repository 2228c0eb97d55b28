//! Messages under way.

use std::collections::VecDeque;
use std::time::Duration;

use steadfast_protocol::{NodeId, Packet};

use crate::Time;

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub packet: Packet,
    pub number: u64,
    /// It has travelled long enough, and waits for its receiver to hear of the connection, or for
    /// the message before it.
    pub is_waiting: bool,
}

/// What is under way from one node to another, oldest first; on a network that keeps no order in
/// the order of the messages themselves.
#[derive(Clone, Debug, Default)]
struct Channel {
    flights: VecDeque<Flight>,
    /// When the newest message arrives: no later one overtakes it.
    latest: Time,
    /// Until when the link is busy with the messages that were sent before.
    busy_until: Time,
}

/// What is under way between every two nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channels {
    /// By sender and, for each sender, by receiver.
    channels: Vec<Channel>,
    nodes: usize,
    /// How many messages are under way.
    length: usize,
    /// How many messages were ever sent.
    count: u64,
}

impl Channels {
    pub(crate) fn new(nodes: u8) -> Channels {
        let nodes = usize::from(nodes);
        Channels { channels: vec![Channel::default(); nodes * nodes], nodes, length: 0, count: 0 }
    }

    fn channel(&self, from: NodeId, to: NodeId) -> &Channel {
        &self.channels[from.index() * self.nodes + to.index()]
    }

    fn channel_mut(&mut self, from: NodeId, to: NodeId) -> &mut Channel {
        &mut self.channels[from.index() * self.nodes + to.index()]
    }

    /// Adds a message, and says its number.
    pub(crate) fn send(&mut self, from: NodeId, to: NodeId, packet: Packet, ordered: bool) -> u64 {
        self.count += 1;
        self.length += 1;
        let number = self.count;
        let flight = Flight { packet, number, is_waiting: false };
        let flights = &mut self.channel_mut(from, to).flights;
        let at = match ordered {
            true => flights.len(),
            false => flights.partition_point(|it| it.packet <= flight.packet),
        };
        flights.insert(at, flight);
        number
    }

    /// Queues a message that keeps the link busy for a while behind those before it; returns the moment
    /// at which its last byte has left.
    pub(crate) fn transmit(
        &mut self,
        from: NodeId,
        to: NodeId,
        now: Time,
        takes: Duration,
    ) -> Time {
        let channel = self.channel_mut(from, to);
        channel.busy_until = channel.busy_until.max(now) + takes;
        channel.busy_until
    }

    /// When a message may arrive that would arrive then if it were alone: not before those that
    /// were sent before it.
    pub(crate) fn in_order(&mut self, from: NodeId, to: NodeId, arrival: Time) -> Time {
        let channel = self.channel_mut(from, to);
        channel.latest = arrival.max(channel.latest);
        channel.latest
    }

    /// The place of a message in its channel, if it is still under way.
    pub(crate) fn position(&self, from: NodeId, to: NodeId, number: u64) -> Option<usize> {
        self.channel(from, to).flights.iter().position(|it| it.number == number)
    }

    pub(crate) fn get(&self, from: NodeId, to: NodeId, at: usize) -> Option<&Flight> {
        self.channel(from, to).flights.get(at)
    }

    /// Whether an earlier message of the channel is still under way.
    pub(crate) fn overtakes(&self, from: NodeId, to: NodeId, at: usize) -> bool {
        let flights = &self.channel(from, to).flights;
        flights.get(at).is_some_and(|it| flights.iter().any(|other| other.number < it.number))
    }

    pub(crate) fn take(&mut self, from: NodeId, to: NodeId, at: usize) -> Option<Packet> {
        let flight = self.channel_mut(from, to).flights.remove(at)?;
        self.length -= 1;
        Some(flight.packet)
    }

    /// Lets the first of the messages that are equal to this one arrive in its stead, and says
    /// which it is.
    pub(crate) fn first_equal(&mut self, from: NodeId, to: NodeId, at: usize) -> usize {
        let flights = &mut self.channel_mut(from, to).flights;
        let first = flights.partition_point(|it| it.packet < flights[at].packet);
        let (one, other) = (flights[first].number, flights[at].number);
        (flights[first].number, flights[at].number) = (other, one);
        first
    }

    /// Lets a message wait for its receiver.
    pub(crate) fn park(&mut self, from: NodeId, to: NodeId, at: usize) {
        if let Some(flight) = self.channel_mut(from, to).flights.get_mut(at) {
            flight.is_waiting = true;
        }
    }

    /// The messages of a channel that wait for their receiver, which has news.
    pub(crate) fn unpark(&mut self, from: NodeId, to: NodeId) -> Vec<u64> {
        let flights = &mut self.channel_mut(from, to).flights;
        let waiting = flights.iter_mut().map(|it| (std::mem::take(&mut it.is_waiting), it.number));
        waiting.filter(|(is_waiting, _)| *is_waiting).map(|(_, number)| number).collect()
    }

    /// Keeps what `keeps` says: of each message sender, receiver and itself. Says how many were
    /// lost.
    pub(crate) fn retain(&mut self, keeps: impl Fn(NodeId, NodeId, &Packet) -> bool) -> usize {
        let before = self.length;
        for (at, channel) in self.channels.iter_mut().enumerate() {
            let node = |at: usize| NodeId(u8::try_from(at).unwrap_or(u8::MAX));
            let (from, to) = (node(at / self.nodes), node(at % self.nodes));
            channel.flights.retain(|it| keeps(from, to, &it.packet));
            if channel.flights.is_empty() {
                channel.busy_until = Time::default();
            }
        }
        self.length = self.channels.iter().map(|it| it.flights.len()).sum();
        before - self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}
