//! The states that a search begins with.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::flaw::{Flaw, caught};
use crate::frontier::Chunk;
use crate::options::DeadSteps;
use crate::print::Print;
use crate::run::{EVERYTHING, Judged, Run, Stop, locked};
use crate::sample::Sampler;
use crate::system::System;
use crate::visited::Inserted;

impl<S: System, P: Print> Run<'_, S, P> {
    /// The initial states, in numbers.
    pub(crate) fn initial(&mut self) -> Result<Chunk<P>, Stop<P>> {
        let flawed = |flaw| Stop::Flaw(flaw, None);
        let system = self.remembered.system;
        let states = caught(|| "the initial states".into(), || system.initial_states());
        let states = states.map_err(flawed)?;
        let places = states.first().map_or(0, Vec::len);
        self.remembered.places = places;
        let mut chunk = Chunk::new(places);
        for state in states {
            if state.len() != places {
                let during = "an initial state".into();
                let flaw = Flaw::NoSuchPlace { during, place: state.len(), places };
                return Err(flawed(Box::new(flaw)));
            }
            let state: Vec<_> = state.into_iter().map(Arc::new).collect();
            let (numbers, print) = self.number(&state).map_err(flawed)?;
            if self.options.dead_steps == DeadSteps::Drop {
                let mut sampler = Sampler::new(self);
                let checked = sampler.check_dead_from(self, numbers.clone(), print);
                checked.map_err(|flaw| Stop::Flaw(flaw, Some((numbers.clone(), print))))?;
            }
            let (numbers, print, _) = self.without_dead(&numbers, print).map_err(flawed)?;
            chunk.push(&numbers, &[], print);
        }
        Ok(chunk)
    }

    /// Enters the initial states.
    pub(crate) fn begin(&mut self) -> Result<(), Stop<P>> {
        let initial = self.initial()?;
        let mut chunk = Chunk::new(self.remembered.places);
        for nth in 0..initial.len() {
            let print = initial.print(nth);
            if !self.owns(print) {
                continue;
            }
            let inserted = loop {
                let inserted = self.visited().insert(print.key(), 0, u64::MAX);
                match inserted {
                    Ok(inserted) => break inserted,
                    Err(_) => self.grow_visited()?,
                }
            };
            if inserted == Inserted::New {
                self.visited().count(1);
                chunk.push(initial.state(nth), &[], print);
                self.visited().settle(print.key());
            }
        }
        // Of several processes, one counts them.
        if self.sharing.as_ref().is_none_or(|it| it.index == 0) {
            self.counts.generated.store(initial.len() as u64, Ordering::Relaxed);
        }
        self.judge(&chunk, &vec![EVERYTHING; chunk.len()], &mut Judged::default())?;
        let mut frontier = locked(&self.frontier);
        frontier.add(chunk);
        frontier.current = std::mem::take(&mut frontier.next).into();
        Ok(())
    }
}
