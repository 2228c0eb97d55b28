//! What is going to happen, and when.

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

/// What will happen, by time; at the same time in the order in which it was decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<(Time, u64, Event)>>,
    count: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, time: Time, event: Event) {
        self.count += 1;
        self.heap.push(Reverse((time, self.count, event)));
    }

    /// When the next thing happens.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, ..))| *time)
    }

    /// Forgets what was planned.
    pub(crate) fn give_up_plans(&mut self) {
        self.heap.retain(|Reverse((.., event))| !matches!(event, Event::Planned(_)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|Reverse((time, _, event))| (time, event))
    }
}
