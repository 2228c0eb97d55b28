//! The messages of a story: which arrives, which is lost, which was sent.

use std::collections::BTreeSet;

use steadfast_protocol::{NodeId, Packet};
use steadfast_trace::Step;

use super::{Teller, is_under_way};
use crate::story::{Change, Fate, Flight};
use crate::{Scene, words};

impl Teller {
    pub(super) fn begin_flights(&mut self, scene: &dyn Scene) {
        for (from, to, packet) in scene.under_way() {
            self.send(from, to, packet, self.story.first);
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, packet: &Packet, sent: usize) -> usize {
        let entries = packet.message.entries().iter();
        let paths: BTreeSet<String> = entries.map(|it| words::path(&it.path)).collect();
        let at = self.story.flights.len();
        self.under_way.push((at, packet.clone()));
        self.story.flights.push(Flight {
            from,
            to,
            sent,
            doubled: Vec::new(),
            fate: Fate::UnderWay,
            label: words::label(&packet.message),
            words: words::message(&packet.message),
            paths: paths.into_iter().collect(),
        });
        at
    }

    /// Ends the messages that arrive or get lost in a step, and begins those that are sent. Of equal messages the oldest
    /// goes first.
    pub(super) fn follow_flights(
        &mut self,
        number: usize,
        step: &Step,
        before: &dyn Scene,
        after: &dyn Scene,
        changes: &mut Vec<Change>,
        causes: &mut BTreeSet<usize>,
    ) {
        if let Some(at) = self.handled(number, step, before, changes) {
            causes.insert(self.story.flights[at].sent);
        }
        let mut now: Vec<_> = after.under_way();
        let known = std::mem::take(&mut self.under_way);
        for (at, packet) in known {
            let flight = &mut self.story.flights[at];
            let is_it = |it: &(NodeId, NodeId, &Packet)| *it == (flight.from, flight.to, &packet);
            match now.iter().position(is_it) {
                Some(place) => {
                    now.remove(place);
                    self.under_way.push((at, packet));
                }
                None => {
                    flight.fate = Fate::Lost(number);
                    changes.push(Change::Lost(at));
                }
            }
        }
        for (from, to, packet) in now {
            let at = self.send(from, to, packet, number);
            changes.push(Change::Sent(at));
        }
        causes.remove(&self.story.first);
    }

    /// The message that a step is about. One that arrives and stays goes on.
    fn handled(
        &mut self,
        number: usize,
        step: &Step,
        before: &dyn Scene,
        changes: &mut Vec<Change>,
    ) -> Option<usize> {
        let (from, to, nth) = match *step {
            Step::Deliver { from, to, nth }
            | Step::Drop { from, to, nth }
            | Step::Duplicate { from, to, nth } => (from, to, nth),
            _ => return None,
        };
        let flights = before.under_way().into_iter();
        let mut channel =
            flights.filter(|(sender, receiver, _)| (*sender, *receiver) == (from, to));
        let (_, _, packet) = channel.nth(nth as usize)?;
        let place = self.under_way.iter().position(|(at, it)| {
            let flight = &self.story.flights[*at];
            (flight.from, flight.to) == (from, to) && it == packet && is_under_way(flight.fate)
        })?;
        let at = self.under_way[place].0;
        let flight = &mut self.story.flights[at];
        match step {
            Step::Duplicate { .. } => flight.doubled.push(number),
            Step::Drop { .. } => flight.fate = Fate::Lost(number),
            _ => flight.fate = Fate::Arrived(number),
        }
        if !is_under_way(flight.fate) {
            self.under_way.remove(place);
        }
        changes.push(match step {
            Step::Drop { .. } => Change::Lost(at),
            _ => Change::Arrived(at),
        });
        Some(at)
    }
}
