//! The events to come, and when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use steadfast_protocol::NodeId;

use crate::Time;
use crate::plan::Plan;

/// Something that will happen by itself.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message has travelled long enough.
    Arrival { from: NodeId, to: NodeId, flight: u64 },
    /// Bytes of contents have travelled long enough.
    Bytes { from: NodeId, to: NodeId, flight: u64 },
    /// A sync ends, unless the node has crashed meanwhile.
    SyncEnd { node: NodeId, life: u64 },
    /// A received content has been written.
    StoreEnd { node: NodeId, life: u64 },
    /// A checkpoint has been written.
    CheckpointEnd { node: NodeId, life: u64 },
    /// One end of a connection hears that it began or ended.
    LinkNews { node: NodeId, peer: NodeId },
    /// The election timer runs out that was reset for the `reset`th time.
    ElectionTimeout { node: NodeId, reset: u64 },
    /// The heartbeat timer runs out that was reset for the `reset`th time.
    Tick { node: NodeId, reset: u64 },
    /// A node verifies its contents.
    Scrub { node: NodeId },
    /// A fault or a client; boxed, so that events are small where they move in the heap.
    Planned(Box<Plan>),
}

/// An event with its moment.
#[derive(Clone, Debug)]
struct Due {
    /// The moment in microseconds, and below it the number of events that were added before: one
    /// comparison orders two events, which a heap does about ten times for each.
    key: u128,
    event: Event,
}

impl Due {
    fn time(&self) -> Time {
        Time { micros: (self.key >> 64) as u64 }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.key == other.key
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earlier event is the greater one: a heap yields its greatest element.
impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        other.key.cmp(&self.key)
    }
}

/// The events to come, by time; those of the same time in the order in which they were added. It
/// keeps the present moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    now: Time,
    /// Events other than plans: few at a time, all of them soon.
    heap: BinaryHeap<Due>,
    /// Plans: often many, which would make `heap` deep.
    plans: BinaryHeap<Due>,
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
        let key = u128::from(time.micros) << 64 | u128::from(self.count);
        let heap = match event {
            Event::Planned(_) => &mut self.plans,
            _ => &mut self.heap,
        };
        heap.push(Due { key, event });
    }

    /// When the next event is due.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().max(self.plans.peek()).map(Due::time)
    }

    /// Removes the faults and requests that are still to come.
    pub(crate) fn give_up_plans(&mut self) {
        self.plans.clear();
    }

    /// Lets heartbeats and election timeouts rest, or go on.
    pub(crate) fn rest_timers(&mut self, rest: bool) {
        self.timers_rest = rest;
    }

    /// Takes the next event off the agenda, and moves the present to its moment. Timers that expire
    /// while they rest only let time pass.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        loop {
            let is_plan = self.plans.peek() > self.heap.peek();
            let due = if is_plan { self.plans.pop() } else { self.heap.pop() }?;
            self.now = due.time();
            let is_timer = matches!(due.event, Event::ElectionTimeout { .. } | Event::Tick { .. });
            if !(self.timers_rest && is_timer) {
                return Some(due.event);
            }
        }
    }

    /// Lets time pass without an event.
    pub(crate) fn pass_to(&mut self, time: Time) {
        self.now = time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_those_of_one_moment_as_they_were_added_plans_among_them() {
        let at = |micros| Time { micros };
        let plan = || Event::Planned(Box::new(Plan::Heal));
        let tick = |reset| Event::Tick { node: NodeId(0), reset };
        let mut agenda = Agenda::default();
        for (time, event) in [(7, tick(1)), (7, plan()), (7, tick(2)), (3, plan()), (5, tick(3))] {
            agenda.add(at(time), event);
        }
        let mut popped = Vec::new();
        while let Some(time) = agenda.next_time() {
            let event = agenda.pop().expect("an event is due");
            assert_eq!(agenda.now(), time);
            popped.push(match event {
                Event::Tick { reset, .. } => (time.micros, Some(reset)),
                _ => (time.micros, None),
            });
        }
        assert_eq!(popped, [(3, None), (5, Some(3)), (7, Some(1)), (7, None), (7, Some(2))]);

        agenda.add(at(u64::MAX), tick(4));
        agenda.add(at(9), plan());
        agenda.give_up_plans();
        assert_eq!(agenda.next_time(), Some(at(u64::MAX)));
        agenda.rest_timers(true);
        assert!(agenda.pop().is_none() && agenda.now() == at(u64::MAX), "time passes all the same");
    }
}
