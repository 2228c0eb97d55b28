//! A seed that failed: how to see it again, and the shortest schedule that fails in the same way.

use std::panic;

use serde::Serialize;
use steadfast_guarantees::twins::Variant;
use steadfast_sim::{RunFailure, Schedule};
use steadfast_trace::Trace;

use crate::failure::Failure;
use crate::program_name::program_name;
use crate::shrink::{self, shrink};
use crate::traces::Traces;

/// A seed that failed.
#[derive(Debug, Serialize)]
pub(crate) struct FailedSeed {
    pub seed: u64,
    /// The failure.
    pub failure: String,
    /// The guarantee that was broken, if it was one.
    pub guarantee: Option<String>,
    /// The command that shows it again.
    pub again: String,
    /// Where the trace of the shrunk schedule is, if it was written.
    pub trace: Option<String>,
    /// Where the page that shows it is, if it was written.
    pub page: Option<String>,
    /// How many things were planned before the schedule was shrunk.
    pub plans_before: usize,
    /// The shrunk schedule: no line of it can be left out.
    pub schedule: Vec<String>,
    /// The name of the file for the trace.
    #[serde(skip)]
    file: String,
    #[serde(skip)]
    recorded: Trace,
}

impl FailedSeed {
    /// Shrinks the schedule of a seed that failed like this.
    pub(super) fn new(seed: u64, why: RunFailure, variant: Option<&'static Variant>) -> FailedSeed {
        let schedule = Schedule::of(seed, variant);
        let plans_before = schedule.plans.len();
        let (shrunk, recorded) = quietly(|| {
            let shrunk = schedule.shrunk(why);
            let mut simulation = shrunk.begin();
            shrunk.finish(&mut simulation);
            (shrunk, simulation.trace())
        });
        // No plan can be left out any more, but the model can leave out steps.
        let shorter = why.guarantee().and_then(|it| shrink(&recorded, variant, it, shrink::TIME));
        let recorded = shorter.map_or(recorded, |it| it.trace);
        let as_variant = variant.map_or(String::new(), |it| format!(" --variant {}", it.name));
        FailedSeed {
            seed,
            failure: why.to_string(),
            guarantee: why.guarantee().map(|it| it.short().to_owned()),
            again: format!("{} seeds --from {seed} --count 1{as_variant}", program_name()),
            trace: None,
            page: None,
            plans_before,
            schedule: shrunk.to_string().lines().map(str::to_owned).collect(),
            file: match variant {
                Some(it) => format!("{}-seed-{seed}", it.name),
                None => format!("seed-{seed}"),
            },
            recorded,
        }
    }

    /// Writes the trace of the shrunk schedule.
    pub(super) fn save_trace(&mut self, traces: &Traces) -> Result<(), Failure> {
        if let Some(saved) = traces.save(&self.file, &self.recorded)? {
            (self.trace, self.page) = (Some(saved.trace), Some(saved.page));
        }
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("\nseed {} {}\n", self.seed, self.failure);
        text += &format!("  again: {}\n", self.again);
        text += &match &self.trace {
            Some(file) => {
                let picture = self.page.as_deref().unwrap_or("none");
                format!("  step by step: {} replay {file}\n  picture: {picture}\n", program_name())
            }
            None => format!(
                "  step by step: {} --traces traces; {} replay traces/{}.json\n",
                self.again,
                program_name(),
                self.file
            ),
        };
        text += &format!("  shrunk, of {} plans what cannot be left out:\n", self.plans_before);
        self.schedule.iter().for_each(|line| text += &format!("    {line}\n"));
        text
    }
}

/// Lets something panic without saying so: it has been said when the seed was first run.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = work();
    panic::set_hook(hook);
    result
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::replay;
    use steadfast_guarantees::twins::variant;

    use super::*;

    #[test]
    fn the_trace_of_a_shrunk_schedule_breaks_the_model_in_the_same_way() {
        let variant = variant("last-write-by-arrival");
        let failing = (0..100).find_map(|seed| {
            Schedule::of(seed, variant).run().failure.map(|why| FailedSeed::new(seed, why, variant))
        });
        let failing = failing.expect("a seed that fails");
        let mut run = replay(&failing.recorded, variant);
        for step in &failing.recorded.steps {
            run.take(&step.step).expect("a step that is possible in the model");
        }
        let broken: Vec<&str> = run.broken().iter().map(|it| it.short()).collect();
        assert_eq!(broken, failing.recorded.breaks);
        assert!(broken.contains(&failing.guarantee.as_deref().expect("a guarantee")));
        assert!(failing.schedule.len() < failing.plans_before, "{}", failing.text());
    }
}
