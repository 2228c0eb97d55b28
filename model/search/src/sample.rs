//! The sample of states that is computed in full, and the claim about dead steps.

use std::sync::atomic::Ordering;

use crate::expand::{Batch, Expander, Ways, step_of};
use crate::flaw::{FOLLOWS_MAX, Fault, Flaw};
use crate::options::DeadSteps;
use crate::plain::{Claim, compare};
use crate::print::{Print, mixed, name};
use crate::run::{Run, Stop};
use crate::system::{Expected, System};
use crate::tables::Tables;

/// Successors without any reduction: step, dead or not, state and fingerprint.
type Raw<P> = Vec<(u32, bool, Vec<u32>, P)>;

/// Compares some states with the full computation.
pub(crate) struct Sampler {
    expander: Expander,
}

impl Sampler {
    pub(crate) fn new<S: System, P: Print>(run: &Run<'_, S, P>) -> Self {
        let ways = Ways { drops_dead: false, sleeps: false, tells: false };
        Sampler { expander: run.expander(ways) }
    }

    /// Compares a state, if it belongs to the sample. Membership depends only on its fingerprint
    /// and its level, so that the sample is the same for every number of threads. Returns whether
    /// the state was compared.
    pub(crate) fn sample<S: System, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        state: &[u32],
        print: P,
    ) -> Result<bool, Stop<P>> {
        let is_chosen = mixed(name(print)).is_multiple_of(run.options.sample_every.get());
        let is_sampled = is_chosen || run.samples_all.load(Ordering::Relaxed);
        let checks_dead = is_sampled || run.options.dead_steps == DeadSteps::Check;
        let flawed = |flaw| Stop::Flaw(flaw, Some((state.to_vec(), print)));
        if is_sampled {
            let claim = self.claim(run, state, print).map_err(flawed)?;
            compare(run.remembered.system, &claim).map_err(|it| flawed(Box::new(it)))?;
        }
        if checks_dead {
            self.check_dead(run, state, print).map_err(flawed)?;
        }
        Ok(is_sampled)
    }

    /// The remembered answers about a state.
    fn claim<S: System, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        state: &[u32],
        print: P,
    ) -> Result<Claim<S>, Box<Flaw>> {
        let (next, hashes, verdicts) = run.with_tables(|tables| {
            let next = self.raw(run, tables, state, print)?;
            let hashes: Vec<_> = state.iter().map(|it| tables.hashes.of(*it)).collect();
            Ok((next, hashes, verdicts(run, tables, state)?))
        })?;
        let components = &run.remembered.components;
        let next = next.iter().map(|it| (step_of(&run.remembered, it.0), components.values(&it.2)));
        Ok(Claim {
            state: components.values(state),
            hashes,
            next: next.collect(),
            verdicts,
            has_ties: components.counts().1 > 0,
        })
    }

    fn raw<S: System, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        tables: &Tables,
        state: &[u32],
        print: P,
    ) -> Result<Raw<P>, Fault> {
        let mut batch = Batch::new();
        let from = (state, print);
        self.expander.expand(&run.remembered, tables, from, (0, u64::MAX), &mut batch)?;
        let successors = batch.successors.iter().map(|it| {
            let mut next = state.to_vec();
            batch.deltas(it).iter().for_each(|(place, new)| next[*place as usize] = *new);
            (it.step, it.is_dead, next, it.print)
        });
        Ok(successors.collect())
    }

    /// Checks the claim about dead steps, as [`DeadSteps::Drop`] states it, in a state; where dead
    /// steps are taken at once, in the states before they are.
    fn check_dead<S: System, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        state: &[u32],
        print: P,
    ) -> Result<(), Box<Flaw>> {
        if run.options.dead_steps != DeadSteps::Drop {
            let wrong =
                run.with_tables(|tables| self.dead_that_matters(run, tables, state, print))?;
            return matters(run, wrong);
        }
        for (_, _, next, print) in run.with_tables(|tables| self.raw(run, tables, state, print))? {
            self.check_dead_from(run, next, print)?;
        }
        Ok(())
    }

    /// Checks the claim in a state and in those that dead steps lead to, one after the other.
    pub(crate) fn check_dead_from<S: System, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        mut state: Vec<u32>,
        mut print: P,
    ) -> Result<(), Box<Flaw>> {
        for _ in 0..FOLLOWS_MAX {
            let (wrong, next) = run.with_tables(|tables| {
                let wrong = self.dead_that_matters(run, tables, &state, print)?;
                Ok((wrong, self.raw(run, tables, &state, print)?))
            })?;
            matters(run, wrong)?;
            let Some((_, _, after, after_print)) = next.into_iter().find(|it| it.1) else {
                break;
            };
            (state, print) = (after, after_print);
        }
        Ok(())
    }

    fn dead_that_matters<S: System, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        tables: &Tables,
        state: &[u32],
        print: P,
    ) -> Result<Option<(u32, String)>, Fault> {
        let next = self.raw(run, tables, state, print)?;
        for (at, (dead, is_dead, after, after_print)) in next.iter().enumerate() {
            if !is_dead {
                continue;
            }
            for (at, property) in run.properties.iter().enumerate() {
                let [before, after] = [state, after].map(|it| run.holds(tables, at, it));
                if !is_kept_by_dead(property.expected, before?, after?) {
                    let detail = format!("{:?} differs between the states", property.name);
                    return Ok(Some((*dead, detail)));
                }
            }
            let behind = self.raw(run, tables, after, *after_print)?;
            for (other, (step, other_is_dead, beside, beside_print)) in next.iter().enumerate() {
                let dead_then = self.raw(run, tables, beside, *beside_print)?;
                let first = dead_then.iter().filter(|it| it.1).map(|it| it.3);
                let joins = |it: P| {
                    let second = behind.iter().filter(|it| !other_is_dead || it.1);
                    it == *after_print || second.map(|it| it.3).any(|there| there == it)
                };
                if other != at && !first.chain([*beside_print]).any(joins) {
                    let step = step_of(&run.remembered, *step);
                    return Ok(Some((*dead, format!("it does not commute with {step:?}"))));
                }
            }
        }
        Ok(None)
    }
}

/// Whether a property may have these values before and after a dead step. A search that takes the
/// step at once judges only the state after it. So a property that must hold in every state must
/// have the same value in both. A property that must hold in some state must hold after the step if
/// it holds before: then the state after all dead steps shows it if any state before them does. It
/// may begin to hold with the step, because the state after it is judged; a cluster, for instance,
/// comes to rest when the last message is delivered, even if the receiver ignores it.
fn is_kept_by_dead(expected: Expected, before: bool, after: bool) -> bool {
    match expected {
        Expected::Always => before == after,
        Expected::Sometimes => !before || after,
    }
}

/// The flaw of a dead step that makes a difference.
fn matters<S: System, P: Print>(
    run: &Run<'_, S, P>,
    wrong: Option<(u32, String)>,
) -> Result<(), Box<Flaw>> {
    wrong.map_or(Ok(()), |(step, detail)| {
        let step = format!("{:?}", step_of(&run.remembered, step));
        Err(Box::new(Flaw::DeadStepMatters { step, detail }))
    })
}

fn verdicts<S: System, P: Print>(
    run: &Run<'_, S, P>,
    tables: &Tables,
    state: &[u32],
) -> Result<Vec<bool>, Fault> {
    (0..run.properties.len()).map(|at| run.holds(tables, at, state)).collect()
}
