//! What is going to happen, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use steadfast_protocol::NodeId;

use crate::Time;
use crate::plan::Plan;

/// Something that will happen by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A message has travelled long enough.
    Arrival { from: NodeId, to: NodeId, flight: u64 },
    /// A sync ends, unless the node stopped meanwhile.
    SyncEnd { node: NodeId, life: u64 },
    /// A received content has been written.
    StoreEnd { node: NodeId, life: u64 },
    /// One end of a connection hears what became of it.
    LinkNews { node: NodeId, peer: NodeId },
    /// A node has waited long enough for a leader.
    ElectionTimeout { node: NodeId, wait: u64 },
    /// A node's clock ticks.
    Tick { node: NodeId, tick: u64 },
    /// Bad copies are found.
    Scrub,
    /// A fault or a client.
    Planned(Plan),
}

/// What will happen, by time; at the same time in the order in which it was decided. It keeps the
/// present moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    now: Time,
    heap: BinaryHeap<Reverse<(Time, u64, Event)>>,
    count: u64,
    /// Heartbeats and election timeouts are left out, so that the cluster can come to rest.
    timers_rest: bool,
}

impl Agenda {
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn add(&mut self, time: Time, event: Event) {
        self.count += 1;
        self.heap.push(Reverse((time, self.count, event)));
    }

    /// Lets something happen this long from now.
    pub(crate) fn add_after(&mut self, duration: Duration, event: Event) {
        self.add(self.now + duration, event);
    }

    /// When the next thing happens.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, ..))| *time)
    }

    /// Forgets what was planned.
    pub(crate) fn give_up_plans(&mut self) {
        self.heap.retain(|Reverse((.., event))| !matches!(event, Event::Planned(_)));
    }

    /// Lets heartbeats and election timeouts rest, or go on.
    pub(crate) fn rest_timers(&mut self, rest: bool) {
        self.timers_rest = rest;
    }

    /// Whether the agenda leaves an event out although its time has come.
    pub(crate) fn leaves_out(&self, event: &Event) -> bool {
        self.timers_rest && matches!(event, Event::ElectionTimeout { .. } | Event::Tick { .. })
    }

    /// Takes the next event off the agenda, and moves the present to its moment.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let Reverse((time, _, event)) = self.heap.pop()?;
        self.now = time;
        Some(event)
    }

    /// Lets time pass without an event.
    pub(crate) fn pass_to(&mut self, time: Time) {
        self.now = time;
    }
}
