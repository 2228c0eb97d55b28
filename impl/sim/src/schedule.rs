//! Schedules of requests and faults: how one is run and judged, and how one that fails is made
//! shorter.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use steadfast_guarantees::GuaranteeId;

use crate::{Ledger, Plan, Setup, Simulation, Time};

/// A cluster, with its requests and faults in time.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The cluster.
    pub setup: Setup,
    /// The requests and faults, in order.
    pub plans: Vec<(Duration, Plan)>,
    /// How long the run is before faults end.
    pub length: Duration,
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunFailure {
    /// A promise was broken.
    Broken(GuaranteeId),
    /// The cluster did not come to rest once faults had ended.
    Unsettled,
    /// An invariant of the log, the replica or the simulator itself was broken, which said so.
    Panicked,
}

impl RunFailure {
    /// The guarantee that was broken, if it was one: G12 promises that a cluster comes to rest.
    #[must_use]
    pub fn guarantee(self) -> Option<GuaranteeId> {
        match self {
            RunFailure::Broken(guarantee) => Some(guarantee),
            RunFailure::Unsettled => Some(GuaranteeId::Settles),
            RunFailure::Panicked => None,
        }
    }
}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunFailure::Broken(guarantee) => write!(f, "breaks {guarantee}"),
            RunFailure::Unsettled => write!(f, "breaks G12 settles: it does not come to rest"),
            RunFailure::Panicked => write!(f, "panics"),
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Counts of the faults injected and the events reached.
    pub ledger: Ledger,
    /// How much virtual time passed.
    pub simulated: Time,
    /// A digest of every step that was taken.
    pub digest: u64,
    /// Why it failed, if it did.
    pub failure: Option<RunFailure>,
}

impl Schedule {
    /// The simulation, with all requests and faults planned.
    #[must_use]
    pub fn begin(&self) -> Simulation {
        let mut simulation = Simulation::new(self.setup.clone());
        self.plans.iter().for_each(|(at, plan)| simulation.plan(*at, plan.clone()));
        simulation
    }

    /// Runs the schedule to its end, lets faults stop, and demands that the cluster settles.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.finish(&mut self.begin())
    }

    /// Lets a simulation that was begun run to its end.
    pub fn finish(&self, simulation: &mut Simulation) -> Outcome {
        // A simulation that panicked is looked at, and never goes on.
        let judged = catch_unwind(AssertUnwindSafe(|| self.judged(simulation)));
        let failure = judged.unwrap_or(Some(RunFailure::Panicked));
        Outcome {
            ledger: *simulation.ledger(),
            simulated: simulation.now(),
            digest: simulation.digest(),
            failure,
        }
    }

    fn judged(&self, simulation: &mut Simulation) -> Option<RunFailure> {
        let end = Time::default() + self.length;
        while simulation.broken().is_empty() && simulation.now() < end && simulation.advance() {}
        let is_kept = simulation.broken().is_empty();
        let settled = if is_kept { simulation.settle() } else { Ok(()) };
        let broken = simulation.broken().first().map(|(id, _)| RunFailure::Broken(*id));
        broken.or(settled.err().map(|_| RunFailure::Unsettled))
    }

    /// A shorter schedule that fails in the same way: no single part of it can be left out
    /// (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002,
    /// section 3.2: minimizing by halves, quarters and so on).
    #[must_use]
    pub fn shrunk(&self, failure: RunFailure) -> Schedule {
        let fails = |plans: &[(Duration, Plan)]| {
            let schedule = Schedule { plans: plans.to_vec(), ..self.clone() };
            schedule.run().failure == Some(failure)
        };
        let mut plans = self.plans.clone();
        let mut size = plans.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            let mut is_shorter = false;
            while at < plans.len() {
                let mut fewer = plans.clone();
                fewer.drain(at..(at + size).min(plans.len()));
                if fails(&fewer) {
                    plans = fewer;
                    is_shorter = true;
                } else {
                    at += size;
                }
            }
            size = if size == 1 && is_shorter { 1 } else { size / 2 };
        }
        Schedule { plans, ..self.clone() }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.setup)?;
        for (at, plan) in &self.plans {
            writeln!(f, "{:>14}  {plan}", (Time::default() + *at).to_string())?;
        }
        let end = Time::default() + self.length;
        write!(f, "{:>14}  faults stop, and the cluster must settle", end.to_string())
    }
}
