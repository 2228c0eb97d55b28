//! The messages under way between every two nodes, or the bytes of contents.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use steadfast_protocol::NodeId;

use crate::Time;

/// A message under way.
#[derive(Clone, Debug)]
struct Flight<C> {
    cargo: C,
    number: u64,
    /// It has travelled long enough, and waits for its receiver to hear of the connection, or for
    /// the message before it.
    is_waiting: bool,
}

/// The messages from one node to another, oldest first; on a network that keeps no order in the
/// order of the messages themselves.
#[derive(Clone, Debug)]
struct Channel<C> {
    flights: VecDeque<Flight<C>>,
    /// When the newest message arrives: no later one overtakes it.
    latest: Time,
    /// Until when the link is busy with the messages that were sent before.
    busy_until: Time,
}

impl<C> Default for Channel<C> {
    fn default() -> Channel<C> {
        let (latest, busy_until) = (Time::default(), Time::default());
        Channel { flights: VecDeque::new(), latest, busy_until }
    }
}

/// The messages under way between every two nodes. Messages are ordered by their cargo where the network
/// keeps no order.
#[derive(Clone, Debug)]
pub(crate) struct Channels<C> {
    /// By sender and, for each sender, by receiver.
    channels: Vec<Vec<Channel<C>>>,
    /// Whether the messages between two nodes arrive in the order in which they were sent.
    keeps_order: bool,
    bytes_per_s: Option<NonZeroU64>,
    /// The number of messages under way.
    length: usize,
    /// The number of messages ever sent.
    sent: u64,
}

impl<C: Ord> Channels<C> {
    pub(crate) fn new(
        nodes: u8,
        keeps_order: bool,
        bytes_per_s: Option<NonZeroU64>,
    ) -> Channels<C> {
        let channels = || (0..nodes).map(|_| Channel::default()).collect();
        let channels = (0..nodes).map(|_| channels()).collect();
        Channels { channels, keeps_order, bytes_per_s, length: 0, sent: 0 }
    }

    /// Puts a message of this many bytes under way, behind those that keep the link busy; returns its
    /// number and the moment at which it arrives. On a network that keeps order that is not before
    /// the messages that were sent earlier.
    pub(crate) fn send(
        &mut self,
        (from, to): (NodeId, NodeId),
        cargo: C,
        bytes: u64,
        now: Time,
        latency: Duration,
    ) -> (u64, Time) {
        self.sent += 1;
        self.length += 1;
        let (number, keeps_order) = (self.sent, self.keeps_order);
        let takes = self.bytes_per_s.map_or(Duration::ZERO, |it| transmission(bytes, it));
        let channel = &mut self.channels[from.index()][to.index()];
        channel.busy_until = channel.busy_until.max(now) + takes;
        let mut arrival = channel.busy_until + latency;
        let mut at = channel.flights.len();
        if keeps_order {
            arrival = arrival.max(channel.latest);
            channel.latest = arrival;
        } else {
            at = channel.flights.partition_point(|it| it.cargo <= cargo);
        }
        channel.flights.insert(at, Flight { cargo, number, is_waiting: false });
        (number, arrival)
    }

    /// A message with its place in its channel, if it is still under way.
    pub(crate) fn find(&self, from: NodeId, to: NodeId, number: u64) -> Option<(usize, &C)> {
        let mut flights = self.channels[from.index()][to.index()].flights.iter().enumerate();
        flights.find(|(_, it)| it.number == number).map(|(at, it)| (at, &it.cargo))
    }

    /// The message at a place of a channel, which must hold one.
    pub(crate) fn look_at(&self, from: NodeId, to: NodeId, nth: usize) -> &C {
        &self.channels[from.index()][to.index()].flights[nth].cargo
    }

    /// Whether an earlier message of the channel is still under way.
    pub(crate) fn overtakes(&self, from: NodeId, to: NodeId, at: usize) -> bool {
        let flights = &self.channels[from.index()][to.index()].flights;
        flights.get(at).is_some_and(|it| flights.iter().any(|other| other.number < it.number))
    }

    /// Takes the message at a place of a channel, which must hold one, off its way.
    pub(crate) fn take(&mut self, from: NodeId, to: NodeId, nth: usize) -> C {
        let flight = self.channels[from.index()][to.index()].flights.remove(nth);
        self.length -= 1;
        flight.unwrap_or_else(|| unreachable!("the channel has no place {nth}")).cargo
    }

    /// Lets the first of the messages that equal this one arrive before it, and returns the place
    /// of that message: the model does not distinguish equal messages and delivers the first.
    pub(crate) fn swap_with_first_equal(&mut self, from: NodeId, to: NodeId, at: usize) -> usize {
        let flights = &mut self.channels[from.index()][to.index()].flights;
        let first = flights.partition_point(|it| it.cargo < flights[at].cargo);
        let (one, other) = (flights[first].number, flights[at].number);
        (flights[first].number, flights[at].number) = (other, one);
        first
    }

    /// Lets a message wait for its receiver.
    pub(crate) fn park(&mut self, from: NodeId, to: NodeId, at: usize) {
        if let Some(flight) = self.channels[from.index()][to.index()].flights.get_mut(at) {
            flight.is_waiting = true;
        }
    }

    /// The numbers of the messages of a channel that wait and may now arrive; where order is kept,
    /// none before the first message of the channel.
    pub(crate) fn unpark(&mut self, from: NodeId, to: NodeId) -> Vec<u64> {
        let keeps_order = self.keeps_order;
        let flights = &mut self.channels[from.index()][to.index()].flights;
        if keeps_order && flights.front().is_none_or(|it| !it.is_waiting) {
            return Vec::new();
        }
        let waiting = flights.iter_mut().map(|it| (std::mem::take(&mut it.is_waiting), it.number));
        waiting.filter(|(is_waiting, _)| *is_waiting).map(|(_, number)| number).collect()
    }

    /// Loses the messages that `keeps` refuses, given sender, receiver and message; returns their
    /// number.
    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(NodeId, NodeId, &C) -> bool) -> u64 {
        let before = self.length;
        for (from, receivers) in (0..).map(NodeId).zip(&mut self.channels) {
            for (to, channel) in (0..).map(NodeId).zip(receivers) {
                channel.flights.retain(|it| keeps(from, to, &it.cargo));
                if channel.flights.is_empty() {
                    channel.busy_until = Time::default();
                }
            }
        }
        self.length = self.channels.iter().flatten().map(|it| it.flights.len()).sum();
        (before - self.length) as u64
    }

    /// Until when the link is busy with the messages under way in a direction.
    pub(crate) fn busy_until(&self, from: NodeId, to: NodeId) -> Time {
        self.channels[from.index()][to.index()].busy_until
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// How long a link is busy with a message, to the microsecond.
fn transmission(bytes: u64, bytes_per_s: NonZeroU64) -> Duration {
    let rest = u128::from(bytes % bytes_per_s) * 1_000_000 / u128::from(bytes_per_s.get());
    let rest = u64::try_from(rest)
        .unwrap_or_else(|_| unreachable!("less than a second has less than a million micros"));
    Duration::from_secs(bytes / bytes_per_s) + Duration::from_micros(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_busy_for_as_long_as_its_speed_says_however_long_the_message() {
        let busy = |bytes, speed| transmission(bytes, NonZeroU64::new(speed).expect("a speed"));
        assert_eq!(busy(1_500, 1_000), Duration::from_millis(1_500));
        assert_eq!(busy(u64::MAX, 1), Duration::from_secs(u64::MAX));
        assert_eq!(busy(u64::MAX - 1, u64::MAX), Duration::from_micros(999_999));
    }
}
