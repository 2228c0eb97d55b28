//! Depth first: the smallest frontier, and no shortest paths.

use std::sync::atomic::Ordering;

use crate::expand::{Batch, Expander};
use crate::frontier::Chunk;
use crate::print::{Print, name};
use crate::run::{Run, Stop, locked};
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
    /// The states that wait, and the depth of each.
    waiting: Chunk<P>,
    depths: Vec<u32>,
    /// The state that is expanded.
    at: Chunk<P>,
    /// Its new successors.
    new: Chunk<P>,
    /// The depth of the deepest state.
    pub depth: u64,
}

impl<'r, 'a, S: System, P: Print> DepthFirst<'r, 'a, S, P> {
    /// A search of the states in the frontier.
    pub(crate) fn new(run: &'r Run<'a, S, P>) -> Self {
        let chunk = || Chunk::new(run.remembered.shape());
        let mut search = DepthFirst {
            run,
            expander: run.expander(run.ways()),
            sampler: Sampler::new(run),
            batch: Batch::new(),
            waiting: chunk(),
            depths: Vec::new(),
            at: chunk(),
            new: chunk(),
            depth: 0,
        };
        while let Some(chunk) = locked(&run.frontier).take() {
            search.new = chunk;
            search.wait(0);
        }
        search
    }

    /// The new states wait, the first one on top.
    fn wait(&mut self, depth: u32) {
        while self.new.len() > 0 {
            self.new.pop_to(&mut self.waiting);
            self.depths.push(depth);
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
        while let Some(depth) = self.depths.pop() {
            self.at.clear();
            self.waiting.pop_to(&mut self.at);
            match self.expand(depth) {
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
        let bytes = self.waiting.bytes() + self.depths.len() as u64 * 4;
        locked(&self.run.frontier).bytes = bytes;
        *locked(&self.run.level) = (u64::from(depth), self.depths.len() as u64);
        self.run.check_limits();
        if self.run.visited().len() as u64 >= self.run.options.states_max && !self.depths.is_empty()
        {
            self.run.stop(Stop::States);
        }
        self.run.observe(false);
    }

    /// Expands the state. Returns whether a finding ends the search.
    fn expand(&mut self, depth: u32) -> Result<bool, Stop<P>> {
        let DepthFirst { run, expander, sampler, batch, at, new, .. } = self;
        let from = at.waiting(0);
        let flawed = |flaw| Stop::Flaw(flaw, Some((from.state.to_vec(), from.print)));
        if sampler.sample(run, from)? {
            run.counts.sampled.fetch_add(1, Ordering::Relaxed);
            run.assert_judged(from.state).map_err(flawed)?;
        }
        let taken = expander.taken.clone();
        let found = run.with_tables(|tables| {
            expander.taken.clone_from(&taken);
            expander.expand(&run.remembered, tables, &[from], &[], batch)
        });
        found.map_err(flawed)?;
        let mut successors = Vec::new();
        for (at, successor) in batch.successors.iter().enumerate() {
            if insert(run, successor.print.key(), name(from.print))? == Inserted::New {
                successors.push(at);
            }
        }
        let generated = batch.successors.len() as u64;
        run.counts.generated.fetch_add(generated, Ordering::Relaxed);
        let answers = batch.answers(0, run.remembered.rules);
        for at in &successors {
            let successor = &batch.successors[*at];
            new.push_successor(from, answers, batch.deltas(successor), successor.print);
        }
        run.judge(new, 0, |tables, nth| {
            let deltas = batch.deltas(&batch.successors[successors[nth]]);
            run.remembered.aspects.changed(tables, from.state, deltas)
        })?;
        let ends = run.has_news() && run.end_level();
        if new.len() > 0 {
            self.wait(depth + 1);
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
