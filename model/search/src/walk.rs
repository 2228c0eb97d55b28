//! Random walks: samples, never a proof.

use std::sync::atomic::Ordering;

use crate::expand::{Batch, Numbered, Told, Ways};
use crate::frontier::Chunk;
use crate::print::{Print, mixed};
use crate::report::Path;
use crate::run::{EVERYTHING, Judged, Run, Stop};
use crate::sample::Sampler;
use crate::system::System;

/// How walks choose.
pub struct Walk<'a, S: System> {
    /// The same seed walks the same way.
    pub seed: u64,
    /// The greatest length of a walk; then another one begins.
    pub steps_max: u64,
    /// How likely a step is, compared with the others that can be taken. One of weight 0 is never
    /// taken.
    pub weight: &'a (dyn Fn(&S::Step) -> u32 + Sync),
}

/// The state of a walk.
pub(crate) struct Walker<'r, 'a, S: System, P> {
    run: &'r Run<'a, S, P>,
    walk: &'r Walk<'r, S>,
    sampler: Sampler,
    judged: Judged,
    random: u64,
    initial: Chunk<P>,
    /// The steps to each finding, by the positions of the properties.
    pub paths: Vec<Option<Path<S>>>,
    /// The longest walk.
    pub depth: u64,
    /// The number of visits to states, repeated ones included.
    pub visited: u64,
}

impl<'r, 'a, S: System, P: Print> Walker<'r, 'a, S, P> {
    pub(crate) fn new(run: &'r Run<'a, S, P>, walk: &'r Walk<'r, S>, initial: Chunk<P>) -> Self {
        Walker {
            run,
            walk,
            sampler: Sampler::new(run),
            judged: Judged::default(),
            random: walk.seed,
            initial,
            paths: run.properties.iter().map(|_| None).collect(),
            depth: 0,
            visited: 0,
        }
    }

    /// Walks until something ends it.
    pub(crate) fn search(&mut self) -> Stop<P> {
        if self.initial.len() == 0 {
            return Stop::States;
        }
        loop {
            if let Err(stop) = self.once() {
                return stop;
            }
        }
    }

    /// Walks from an initial state to an end.
    fn once(&mut self) -> Result<(), Stop<P>> {
        let begin = self.below(self.initial.len() as u64);
        let begin = usize::try_from(begin).unwrap_or_default();
        let (mut state, mut print) =
            (self.initial.state(begin).to_vec(), self.initial.print(begin));
        let initial = state.clone();
        let mut told = Vec::new();
        for steps in 0..=self.walk.steps_max {
            self.depth = self.depth.max(steps);
            self.visited += 1;
            self.run.sample_from(self.visited);
            self.look(&initial, &told, (&state, print))?;
            let is_sampled = self.sampler.sample(self.run, &state, print)?;
            self.run.counts.sampled.fetch_add(u64::from(is_sampled), Ordering::Relaxed);
            let Some((steps, next)) = self.choose(&state, print)? else {
                return Ok(());
            };
            told.extend(steps);
            (state, print) = next;
        }
        Ok(())
    }

    /// Judges a state and looks at the limits.
    fn look(
        &mut self,
        initial: &[u32],
        told: &Told,
        (state, print): (&[u32], P),
    ) -> Result<(), Stop<P>> {
        let mut chunk = Chunk::new(state.len());
        chunk.push(state, &[], print);
        self.run.judge(&chunk, &[EVERYTHING], &mut self.judged)?;
        if self.run.has_news() {
            for (at, _) in self.run.found() {
                let path = || self.run.path_of(initial, told);
                self.paths[at].get_or_insert_with(path);
            }
            if self.run.end_level() {
                return Err(Stop::Found);
            }
        }
        if self.visited > self.run.options.states_max {
            return Err(Stop::States);
        }
        if self.visited.is_multiple_of(256) {
            self.run.check_limits();
            self.run.observe(false);
        }
        self.run.take_stop().map_or(Ok(()), Err)
    }

    /// Takes a step; `None` if no step is possible.
    fn choose(&mut self, state: &[u32], print: P) -> Result<Option<(Told, Numbered<P>)>, Stop<P>> {
        let run = self.run;
        let mut expander = run.expander(Ways { tells: true, sleeps: false, ..run.ways() });
        let mut batch = Batch::new();
        let found = run.with_tables(|tables| {
            batch.clear();
            expander.expand(&run.remembered, tables, (state, print), (0, u64::MAX), &mut batch)
        });
        found.map_err(|flaw| Stop::Flaw(flaw, Some((state.to_vec(), print))))?;
        run.counts.generated.fetch_add(1, Ordering::Relaxed);
        let weights = batch
            .successors
            .iter()
            .map(|it| (self.walk.weight)(&run.remembered.steps.value(it.step)));
        let weights: Vec<u64> = weights.map(u64::from).collect();
        let all: u64 = weights.iter().sum();
        if all == 0 {
            return Ok(None);
        }
        let mut left = self.below(all);
        let chosen = weights.iter().position(|weight| match left.checked_sub(*weight) {
            Some(less) => {
                left = less;
                false
            }
            None => true,
        });
        let chosen = chosen.unwrap_or_default();
        let told = batch.told.swap_remove(chosen);
        let after = told.last().map_or_else(|| state.to_vec(), |it| it.1.clone());
        Ok(Some((told, (after, batch.successors[chosen].print))))
    }

    /// A number below a bound, from splitmix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let drawn = u128::from(mixed(self.random)) * u128::from(bound);
        u64::try_from(drawn >> 64).unwrap_or_default()
    }
}
