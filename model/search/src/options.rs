//! The options of a search.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::report::Progress;

/// The options of a search.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of threads. The counts, the depth and the counterexamples do not depend on it.
    pub threads: NonZero<usize>,
    /// The width of the fingerprints by which states are compared.
    pub fingerprints: Width,
    /// Which findings end the search; the level in which one is found is searched to its end.
    pub until: Until,
    /// The treatment of steps that the system claims to be dead.
    pub dead_steps: DeadSteps,
    /// Leaves out steps to states that the same steps reach in another order. Finds the same states at the same depths with fewer steps; the counterexample to a property
    /// may be another one of the same length. In systems with more than 64 rules, only the first 64
    /// sleep. Not together with [`DeadSteps::Drop`], and breadth-first only.
    pub sleep_sets: bool,
    /// The search ends as incomplete with the level in which it has found this many states.
    pub states_max: u64,
    /// The search ends as incomplete after this time.
    pub time_max: Duration,
    /// The search ends as incomplete before its tables and its frontier take more bytes. Memory that
    /// the components own is not counted.
    pub memory_max_bytes: u64,
    /// One in this many states is computed in full and compared with the remembered answers. 1
    /// compares every state.
    pub sample_every: NonZero<u64>,
}

impl Default for Options {
    /// One thread, until every state is visited, without reductions and limits.
    fn default() -> Self {
        Options {
            threads: NonZero::<usize>::MIN,
            fingerprints: Width::Bits64,
            until: Until::Everything,
            dead_steps: DeadSteps::Explore,
            sleep_sets: false,
            states_max: u64::MAX,
            time_max: Duration::MAX,
            memory_max_bytes: u64::MAX,
            sample_every: NonZero::new(1 << 10).unwrap_or(NonZero::<u64>::MIN),
        }
    }
}

/// The width of fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 64 bits: 16 bytes for each slot of the visited table, and a chance of one in 37 that two of a
    /// billion states are taken for one: see [`Report::collision_chance`](crate::Report).
    Bits64,
    /// 128 bits: 24 bytes for each slot, and no chance worth a number.
    Bits128,
}

/// Which findings end a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// None: every state is visited.
    Everything,
    /// The first state in which a property that must always hold does not.
    FirstViolation,
    /// The first finding for each property: a violation or, where it must hold sometimes, a state
    /// in which it holds.
    AllFound,
    /// The finding for the property of this position.
    Found(usize),
}

/// The treatment of steps that the system claims to be dead (see
/// [`Outcome::dead`](crate::Outcome::dead)). A dead step changes neither the steps that can follow
/// nor the values of properties; an example is the delivery of a message that its receiver ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadSteps {
    /// They are steps like any other. The claim is checked in the states of the sample.
    Explore,
    /// They are steps like any other, and the claim is checked in every state. If such a search
    /// ends complete, [`DeadSteps::Drop`] finds the same properties.
    Check,
    /// They are taken at once, as part of the step before, so that no state with one is kept.
    ///
    /// This is the prioritisation of confluent steps (Groote, van de Pol, "State Space Reduction
    /// Using Partial tau-Confluence", MFCS 2000, section 4). The claim that is checked: let `d` be a
    /// dead step of a state `s` to `sd`, and `t` another one, to `st`. Then there is a state `x` that
    /// is `st` or a dead step away from it, and that is `sd` or a step away from it, a dead one if
    /// `t` is dead; every property that must always hold says the same of `s` and `sd`; and every
    /// property that must hold sometimes holds in `sd` if it holds in `s`. Write `N(s)` for the state
    /// after all dead steps; by the claim for dead `t` it is the same in whichever order they are
    /// taken, as they end. If `s` leads to `st`, then `N(s)` is, or leads to, a `y` with `N(y) =
    /// N(st)`: go from `s` to `N(s)` by dead steps and apply the claim to each. So by induction the
    /// reduced search visits `N(s)` of every reachable `s`. A violation in `s` is one in `N(s)`, and
    /// a property that must hold sometimes and holds in `s` holds in `N(s)`. Conversely the full
    /// search visits every `N(s)`, so both searches find the same properties.
    ///
    /// Depths differ, because dead steps are not counted. Marks differ as well: the claim says
    /// nothing of them, so a mark that is reached is reached in the full search, but a mark that is not
    /// reached may be reached in the full search.
    Drop,
}

/// An observer of the progress of a search.
pub trait Observer: Sync {
    /// Called about ten times a second, by the thread that started the search, and at the end of
    /// each level. [`ControlFlow::Break`] ends the search as incomplete, with the reason.
    fn on_progress(&self, progress: &Progress) -> ControlFlow<String>;
}

impl<F: Fn(&Progress) -> ControlFlow<String> + Sync> Observer for F {
    fn on_progress(&self, progress: &Progress) -> ControlFlow<String> {
        self(progress)
    }
}
