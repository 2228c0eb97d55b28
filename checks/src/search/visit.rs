//! A search, as every engine is asked for it and as every engine answers.

use std::collections::HashMap;
use std::time::Duration;

use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::witnesses::Witness;
use steadfast_trace::Step;

use crate::job::{Job, Progress, Stopped};

/// Hears how a search goes on, about once a second.
pub(crate) type Observer<'a> = &'a (dyn Fn(Progress) + Sync);

/// A job, and what the names in it stand for.
pub(super) struct Asked<'a> {
    pub job: &'a Job,
    pub variant: Option<&'static Variant>,
    pub witnesses: Vec<&'static Witness>,
}

/// What a search went through.
#[derive(Default)]
pub(super) struct Visit {
    pub unique: usize,
    pub generated: usize,
    pub depth: usize,
    pub stopped: Option<Stopped>,
    /// Why the engine cannot search the system, if it cannot.
    pub reason: Option<String>,
    pub wall: Duration,
    /// The runs that break a guarantee, by its name.
    pub found: HashMap<&'static str, Vec<Step>>,
    /// How often each kind of step was taken, in the order of [`StepKind::ALL`].
    pub taken: Vec<u64>,
    /// The witnesses, and whether each was reached; `None` if the search cannot decide that.
    pub reached: Vec<(&'static str, Option<bool>)>,
}
