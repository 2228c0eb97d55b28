//! Traces of the model: recording a run, and running it again.

use stateright::Model;
use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::guarantees;
use steadfast_guarantees::twins::Variant;
use steadfast_trace::{Step, Trace, TraceStep};
use thiserror::Error;

use crate::{Action, ClusterModel, ClusterState, text};

/// A run of the model that follows given steps.
pub struct Replay {
    /// The model.
    pub model: ClusterModel,
    /// The current state.
    pub state: ClusterState,
}

/// A step of a trace that is not possible in its state.
#[derive(Debug, Error)]
#[error("`{step}` is not possible here; possible are: {}", possible.join("; "))]
pub struct IllegalStep {
    /// The step.
    pub step: Step,
    /// The possible steps.
    pub possible: Vec<String>,
}

/// Begins to follow a trace.
#[must_use]
pub fn replay(trace: &Trace, variant: Option<&'static Variant>) -> Replay {
    let model = ClusterModel::new(trace.scope.clone(), variant);
    let state = model.init_states().swap_remove(0);
    Replay { model, state }
}

impl Replay {
    /// Takes a step, and returns its changes in words.
    ///
    /// # Errors
    /// The step is not possible here.
    pub fn take(&mut self, step: &Step) -> Result<(Action, String), IllegalStep> {
        let action = Action::of(*step, &self.state);
        let before = self.step(step)?;
        let outcome = text::outcome(&self.model, &before, &action, &self.state);
        Ok((action, outcome))
    }

    /// Takes a step, and returns the state before it.
    ///
    /// # Errors
    /// The step is not possible here.
    pub fn step(&mut self, step: &Step) -> Result<ClusterState, IllegalStep> {
        let illegal = || {
            let mut actions = Vec::new();
            self.model.actions(&self.state, &mut actions);
            let possible = actions.iter().map(|it| it.step.to_string()).collect();
            IllegalStep { step: *step, possible }
        };
        if !self.model.admits(&self.state, step) {
            return Err(illegal());
        }
        let next = self.model.perform(&self.state, step).ok_or_else(illegal)?;
        Ok(std::mem::replace(&mut self.state, next))
    }

    /// The guarantees that do not hold in the current state.
    #[must_use]
    pub fn broken(&self) -> Vec<GuaranteeId> {
        let ids = guarantees().iter().map(|it| it.id());
        ids.filter(|it| !self.model.keeps(*it, &self.state)).collect()
    }
}

/// The shipped trace that catches a twin whose counterexample is too deep for a search.
#[must_use]
pub fn script(variant: &str) -> Option<Trace> {
    let (_, json) = SCRIPTS.iter().find(|(name, _)| *name == variant)?;
    Trace::parse(json).ok()
}

const SCRIPTS: &[(&str, &str)] = &[
    ("ack-without-epoch", include_str!("../../../snapshots/traces/ack-without-epoch.json")),
    (
        "context-digests-ignored",
        include_str!("../../../snapshots/traces/context-digests-ignored.json"),
    ),
    ("leads-before-sync", include_str!("../../../snapshots/traces/leads-before-sync.json")),
    ("refused-state-awaited", include_str!("../../../snapshots/traces/refused-state-awaited.json")),
    ("stable-by-peers-alone", include_str!("../../../snapshots/traces/stable-by-peers-alone.json")),
];

/// The trace of a run of the model.
#[must_use]
pub fn record(
    model: &ClusterModel,
    variant: Option<&Variant>,
    taken: impl IntoIterator<Item = Step>,
) -> Trace {
    let mut state = model.init_states().swap_remove(0);
    let mut steps = Vec::new();
    for step in taken {
        steps.push(TraceStep { step, note: format!("{:?}", Action::of(step, &state)) });
        match model.perform(&state, &step) {
            Some(next) => state = next,
            None => break,
        }
    }
    let ids = guarantees().iter().map(|it| it.id()).filter(|it| !model.keeps(*it, &state));
    let breaks = ids.map(|it| it.short().to_owned()).collect();
    Trace::new(model.scope().clone(), variant.map(|it| it.name.to_owned()), breaks, steps)
}
