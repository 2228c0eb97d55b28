//! Depth first: the smallest frontier, and no shortest paths.

use std::sync::atomic::Ordering;

use crate::expand::{Batch, Expander};
use crate::frontier::Chunk;
use crate::print::{Print, name};
use crate::run::{Judged, Run, Stop, locked};
use crate::sample::Sampler;
use crate::system::System;
use crate::visited::Inserted;

/// How many states are expanded between two looks at the limits.
const LOOKED_EVERY: u64 = 256;

/// A search on one thread that continues with the state found last.
pub(crate) struct DepthFirst<'r, 'a, S: System, P> {
    run: &'r Run<'a, S, P>,
    expander: Expander,
    sampler: Sampler,
    batch: Batch<P>,
    judged: Judged,
    /// The states that wait, each with its depth.
    waiting: Vec<u32>,
    prints: Vec<(P, u32)>,
    /// The depth of the deepest state.
    pub depth: u64,
}

impl<'r, 'a, S: System, P: Print> DepthFirst<'r, 'a, S, P> {
    /// A search of the states in the frontier.
    pub(crate) fn new(run: &'r Run<'a, S, P>) -> Self {
        let mut search = DepthFirst {
            run,
            expander: run.expander(run.ways()),
            sampler: Sampler::new(run),
            batch: Batch::new(),
            judged: Judged::default(),
            waiting: Vec::new(),
            prints: Vec::new(),
            depth: 0,
        };
        while let Some(chunk) = locked(&run.frontier).take() {
            search.wait(&chunk, 0);
        }
        search
    }

    /// The new states wait, the first one on top.
    fn wait(&mut self, chunk: &Chunk<P>, depth: u32) {
        for nth in (0..chunk.len()).rev() {
            self.waiting.extend_from_slice(chunk.state(nth));
            self.prints.push((chunk.print(nth), depth));
        }
        self.depth = self.depth.max(u64::from(depth));
    }

    /// Searches to the end. Returns the reason if it stops before.
    pub(crate) fn search(&mut self) -> Option<Stop<P>> {
        let stop = self.expand_all();
        self.look(0);
        self.run.add_met(&self.expander);
        stop
    }

    fn expand_all(&mut self) -> Option<Stop<P>> {
        if self.run.end_level() {
            return Some(Stop::Found);
        }
        let mut expanded: u64 = 0;
        while let Some((print, depth)) = self.prints.pop() {
            let begin = self.waiting.len() - self.run.remembered.places;
            let state = self.waiting.split_off(begin);
            match self.expand(&state, print, depth) {
                Ok(false) => {}
                Ok(true) => return Some(Stop::Found),
                Err(stop) => return Some(stop),
            }
            expanded += 1;
            self.run.sample_from(expanded);
            if expanded.is_multiple_of(LOOKED_EVERY) {
                self.look(depth);
                if let Some(stop) = self.run.take_stop() {
                    return Some(stop);
                }
            }
        }
        None
    }

    fn look(&self, depth: u32) {
        let bytes =
            (self.waiting.capacity() * 4 + self.prints.capacity() * size_of::<(P, u32)>()) as u64;
        locked(&self.run.frontier).bytes = bytes;
        *locked(&self.run.level) = (u64::from(depth), self.prints.len() as u64);
        self.run.check_limits();
        if self.run.visited().len() as u64 >= self.run.options.states_max && !self.prints.is_empty()
        {
            self.run.stop(Stop::States);
        }
        self.run.observe(false);
    }

    /// Expands a state. Returns whether a finding ends the search.
    fn expand(&mut self, state: &[u32], print: P, depth: u32) -> Result<bool, Stop<P>> {
        let is_sampled = self.sampler.sample(self.run, state, print)?;
        if is_sampled {
            self.run.counts.sampled.fetch_add(1, Ordering::Relaxed);
            let judged = self.run.assert_judged(state);
            judged.map_err(|flaw| Stop::Flaw(flaw, Some((state.to_vec(), print))))?;
        }
        let DepthFirst { run, expander, batch, judged, .. } = self;
        let taken = expander.taken.clone();
        let found = run.with_tables(|tables| {
            batch.clear();
            expander.taken.clone_from(&taken);
            expander.expand(&run.remembered, tables, (state, print), (0, u64::MAX), batch)
        });
        found.map_err(|flaw| Stop::Flaw(flaw, Some((state.to_vec(), print))))?;
        let mut new = Chunk::new(run.remembered.places);
        let mut written = Vec::new();
        for successor in &batch.successors {
            let key = successor.print.key();
            if insert(run, key, name(print))? == Inserted::New {
                new.push(state, batch.deltas(successor), successor.print);
                written.push(successor.written);
            }
        }
        let generated = batch.successors.len() as u64;
        run.counts.generated.fetch_add(generated, Ordering::Relaxed);
        run.judge(&new, &written, judged)?;
        let ends = run.has_news() && run.end_level();
        if new.len() > 0 {
            self.wait(&new, depth + 1);
        }
        Ok(ends)
    }
}

/// Inserts a state whose first parent stays.
fn insert<S: System, P: Print>(
    run: &Run<'_, S, P>,
    key: [u64; 2],
    parent: u64,
) -> Result<Inserted, Stop<P>> {
    loop {
        let visited = run.visited();
        if visited.has_room(1)
            && let Ok(inserted) = visited.insert(key, parent, u64::MAX)
        {
            if inserted == Inserted::New {
                visited.settle(key);
                visited.count(1);
            }
            return Ok(inserted);
        }
        drop(visited);
        run.grow_visited()?;
    }
}
