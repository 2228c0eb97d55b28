//! The events to come, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use steadfast_protocol::NodeId;

use crate::Time;
use crate::plan::Plan;

/// Something that will happen by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A message has travelled long enough.
    Arrival { from: NodeId, to: NodeId, flight: u64 },
    /// A sync ends, unless the node has crashed meanwhile.
    SyncEnd { node: NodeId, life: u64 },
    /// A received content has been written.
    StoreEnd { node: NodeId, life: u64 },
    /// One end of a connection hears that it began or ended.
    LinkNews { node: NodeId, peer: NodeId },
    /// The election timer runs out that was reset for the `reset`th time.
    ElectionTimeout { node: NodeId, reset: u64 },
    /// The heartbeat timer runs out that was reset for the `reset`th time.
    Tick { node: NodeId, reset: u64 },
    /// Bad copies are found.
    Scrub,
    /// A fault or a client; boxed, so that events are small where they move in the heap.
    Planned(Box<Plan>),
}

/// The events to come, by time; those of the same time in the order in which they were added. It
/// keeps the present moment.
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

    /// When the next event is due.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, ..))| *time)
    }

    /// Removes the faults and requests that are still to come.
    pub(crate) fn give_up_plans(&mut self) {
        self.heap.retain(|Reverse((.., event))| !matches!(event, Event::Planned(_)));
    }

    /// Lets heartbeats and election timeouts rest, or go on.
    pub(crate) fn rest_timers(&mut self, rest: bool) {
        self.timers_rest = rest;
    }

    /// Takes the next event off the agenda, and moves the present to its moment. Timers that expire
    /// while they rest only let time pass.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        loop {
            let Reverse((time, _, event)) = self.heap.pop()?;
            self.now = time;
            let is_timer = matches!(event, Event::ElectionTimeout { .. } | Event::Tick { .. });
            if !(self.timers_rest && is_timer) {
                return Some(event);
            }
        }
    }

    /// Lets time pass without an event.
    pub(crate) fn pass_to(&mut self, time: Time) {
        self.now = time;
    }
}
