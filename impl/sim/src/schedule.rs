//! Schedules: what is done to a cluster and when, how it is run and judged, and how one that fails
//! is made shorter.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::twins::Twin;

use crate::swarm;
use crate::{Ledger, Plan, Setup, Simulation, Time};

/// A cluster, and what is done to it when.
#[derive(Clone)]
pub struct Schedule {
    /// The cluster.
    pub setup: Setup,
    /// What is done to it, in order.
    pub plans: Vec<(Duration, Plan)>,
    /// How long the run is before faults stop.
    pub length: Duration,
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A promise was broken.
    Broken(GuaranteeId),
    /// The cluster did not come to rest once faults had stopped.
    Unsettled,
    /// An invariant of the log, the replica or the simulator itself was broken, which said so.
    Panicked,
}

impl Failure {
    /// The guarantee that was broken, if it was one: coming to rest is what G12 promises.
    #[must_use]
    pub fn guarantee(self) -> Option<GuaranteeId> {
        match self {
            Failure::Broken(guarantee) => Some(guarantee),
            Failure::Unsettled => Some(GuaranteeId::Settles),
            Failure::Panicked => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Broken(guarantee) => write!(f, "breaks {guarantee}"),
            Failure::Unsettled => write!(f, "breaks G12 settles: it does not come to rest"),
            Failure::Panicked => write!(f, "panics"),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was injected and reached.
    pub ledger: Ledger,
    /// How much virtual time passed.
    pub simulated: Time,
    /// A digest of every step that was taken.
    pub digest: u64,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl Schedule {
    /// The schedule of a seed.
    #[must_use]
    pub fn of(seed: u64, twin: Option<&'static Twin>) -> Schedule {
        swarm::schedule(seed, twin)
    }

    /// The simulation, with everything planned that is done to it.
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
        let failure = judged.unwrap_or(Some(Failure::Panicked));
        Outcome {
            ledger: *simulation.ledger(),
            simulated: simulation.now(),
            digest: simulation.digest(),
            failure,
        }
    }

    fn judged(&self, simulation: &mut Simulation) -> Option<Failure> {
        let end = Time::default() + self.length;
        while simulation.broken().is_empty() && simulation.now() < end && simulation.advance() {}
        let is_kept = simulation.broken().is_empty();
        let settled = if is_kept { simulation.settle() } else { Ok(()) };
        let broken = simulation.broken().first().map(|(id, _)| Failure::Broken(*id));
        broken.or(settled.err().map(|_| Failure::Unsettled))
    }

    /// A shorter schedule that fails in the same way: no single part of it can be left out
    /// (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002,
    /// section 3.2: minimizing by halves, quarters and so on).
    #[must_use]
    pub fn shrunk(&self, failure: Failure) -> Schedule {
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
