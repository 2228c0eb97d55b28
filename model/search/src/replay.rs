//! From a state back to an initial one, and forward again.

use crate::expand::{Batch, Numbered, Told, Ways, step_of};
use crate::print::{Print, name};
use crate::report::Path;
use crate::run::Run;
use crate::shared::Sharing;
use crate::system::System;

impl<S: System, P: Print> Run<'_, S, P> {
    /// The run that led to a state: its parents up to an initial state, and then the first steps
    /// that lead from each to the next. `None` if it cannot be repeated, which means that the system
    /// is not deterministic.
    pub(crate) fn path(&self, print: P) -> Option<Path<S>> {
        let mut names = vec![name(print)];
        let mut parent = self.parent(name(print))?;
        let told = self.sharing.as_ref().map_or(0, Sharing::told_len);
        while parent != 0 {
            if names.len() > self.visited().len() + told {
                return None;
            }
            names.push(parent);
            parent = self.parent(parent)?;
        }
        let (initial, mut told, mut state) = self.initial_named(names.pop()?)?;
        while let Some(next) = names.pop() {
            let (steps, after) = self.step_to(&state, next)?;
            told.extend(steps);
            state = after;
        }
        Some(self.path_of(&initial, &told))
    }

    /// A path in components.
    pub(crate) fn path_of(&self, initial: &[u32], told: &Told) -> Path<S> {
        let components = &self.remembered.components;
        let step = |(step, state): &(u32, Vec<u32>)| {
            ((*step_of(&self.remembered, *step)).clone(), components.values(state))
        };
        Path { initial: components.values(initial), steps: told.iter().map(step).collect() }
    }

    /// The initial state of a name, with the dead steps that were taken at once, and the state after
    /// them.
    fn initial_named(&self, wanted: u64) -> Option<(Vec<u32>, Told, Numbered<P>)> {
        for state in self.remembered.system.initial_states() {
            let state: Vec<_> = state.into_iter().map(std::sync::Arc::new).collect();
            let (initial, print) = self.number(&state).ok()?;
            let (state, print, told) = self.without_dead(&initial, print).ok()?;
            if name(print) == wanted {
                return Some((initial, told, (state, print)));
            }
        }
        None
    }

    /// The first step, with the dead ones that were taken at once, that leads to the state of a name.
    fn step_to(&self, (state, print): &Numbered<P>, wanted: u64) -> Option<(Told, Numbered<P>)> {
        let mut expander = self.expander(Ways { sleeps: false, tells: true, ..self.ways() });
        let mut batch = Batch::new();
        let expanded = self.with_tables(|tables| {
            batch.clear();
            let from = (&**state, *print);
            expander.expand(&self.remembered, tables, from, (0, u64::MAX), &mut batch)
        });
        expanded.ok()?;
        let at = batch.successors.iter().position(|it| name(it.print) == wanted)?;
        let told = batch.told.swap_remove(at);
        let after = told.last()?.1.clone();
        Some((told, (after, batch.successors[at].print)))
    }
}
