//! `check shrink`: the shortest trace found that breaks the same guarantee.
//!
//! Steps are left out by halves, quarters and so on until no single one can be (Zeller and
//! Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002, section
//! 3.2), then two by two; nodes, paths and what the scope allows are taken away in between. What a
//! candidate can no longer do is skipped instead of ending it.

mod candidate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use steadfast_cluster::{record, replay};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, guarantees};
use steadfast_output::exit_code::{INCOMPLETE, IO, USAGE};
use steadfast_output::{WholeFile, duration, say, warn};
use steadfast_trace::Trace;

use crate::failure::Failure;
use crate::json::for_terminal;
use crate::read_files::read_trace;
use candidate::Candidate;

/// The default time limit of shrinking. A walk of 100 steps needs less.
pub(crate) const TIME: Duration = Duration::from_secs(10);
/// In traces of up to this many steps, each pair of steps is tried to be left out together.
const PAIRS_MAX: usize = 60;

/// The options of `check shrink`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShrinkOptions {
    /// The trace.
    pub trace: PathBuf,
    /// Where to write the shorter trace; to standard output without it.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The guarantee to break still, as G5; the first that the trace breaks without it.
    #[arg(long, value_name = "ID", value_parser = guarantee)]
    pub guarantee: Option<GuaranteeId>,
    /// Take the shortest trace found after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = duration::seconds)]
    pub time: Duration,
}

/// A guarantee by its short id.
pub(crate) fn guarantee(id: &str) -> Result<GuaranteeId, String> {
    let found =
        guarantees().iter().map(|it| it.id()).find(|it| it.short().eq_ignore_ascii_case(id));
    found.ok_or_else(|| {
        let valid: Vec<&str> = guarantees().iter().map(|it| it.id().short()).collect();
        format!("no guarantee is called {id:?}: valid ids: {}", valid.join(", "))
    })
}

/// A shorter trace.
pub(crate) struct Shrunk {
    pub trace: Trace,
    /// The time was up before nothing more could be left out.
    pub is_late: bool,
}

/// Shrinks a trace from a file.
pub(crate) fn run(options: &ShrinkOptions) -> Result<ExitCode, Failure> {
    let file = read_trace(&options.trace)?;
    let bad = |message: &str, code| Failure { message: format!("{}: {message}", file.name), code };
    let wanted = match options.guarantee {
        Some(wanted) => wanted,
        None => broken_by(&file.trace).ok_or_else(|| {
            bad("the trace breaks no guarantee: shrink a trace that breaks one", USAGE)
        })?,
    };
    let begin = Instant::now();
    let shrunk = shrink(&file.trace, file.variant, wanted, options.time).ok_or_else(|| {
        if begin.elapsed() >= options.time {
            let message =
                "the time was up before the trace was replayed once; give it more with --time";
            return bad(message, INCOMPLETE);
        }
        let message =
            format!("no step of the trace breaks {wanted} in this code; see check replay");
        bad(&message, USAGE)
    })?;
    let (before, after) = (size(&file.trace), size(&shrunk.trace));
    warn(format_args!("{before} became {after}, and {wanted} is still broken"));
    if shrunk.is_late {
        warn(format_args!("note: the time was up; a longer --time may find a shorter trace"));
    }
    match &options.out {
        Some(out) => WholeFile::write(out, |file| shrunk.trace.write(file)).map_err(|error| {
            let message = format!("cannot write the trace {}: {error}", out.display());
            Failure { message, code: IO }
        })?,
        None => {
            let mut text = Vec::new();
            shrunk.trace.write(&mut text).map_err(Failure::io)?;
            say(for_terminal(String::from_utf8_lossy(&text).trim_end()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The guarantee that a trace says it breaks, first one that its settings promise.
pub(crate) fn broken_by(trace: &Trace) -> Option<GuaranteeId> {
    let broken = trace.breaks.iter().filter_map(|it| guarantee(it).ok());
    let broken: Vec<GuaranteeId> = broken.collect();
    let is_promised = |it: &&GuaranteeId| it.guarantee().is_promised(trace.scope.settings);
    broken.iter().find(is_promised).or(broken.first()).copied()
}

fn size(trace: &Trace) -> String {
    let (nodes, paths) = (trace.scope.settings.nodes(), trace.scope.bounds.paths);
    format!("{} steps, {nodes} nodes and {paths} paths", trace.steps.len())
}

/// The shortest trace found within some time that still breaks a guarantee, if this one does.
pub(crate) fn shrink(
    trace: &Trace,
    variant: Option<&'static Variant>,
    wanted: GuaranteeId,
    time: Duration,
) -> Option<Shrunk> {
    let deadline = Instant::now().checked_add(time);
    let begin = Candidate::of(trace);
    let mut shrinking = Shrinking { variant, wanted, deadline, best: begin.clone() };
    shrinking.best = shrinking.attempt(&begin)?;
    while shrinking.leave_out_steps() | shrinking.simplify() | shrinking.leave_out_pairs() {}
    let is_late = shrinking.is_late();
    let best = shrinking.best.with_used_bounds();
    recorded(&best.trace(variant), variant, wanted).map(|trace| Shrunk { trace, is_late })
}

/// The trace with its notes, and with what it breaks, if it is as it was found.
fn recorded(
    trace: &Trace,
    variant: Option<&'static Variant>,
    wanted: GuaranteeId,
) -> Option<Trace> {
    let mut run = replay(trace, variant);
    let taken = trace.steps.iter().map(|it| run.take(&it.step).ok().map(|it| it.0));
    let actions = taken.collect::<Option<Vec<_>>>()?;
    let trace = record(&run.model, variant, actions.iter().map(|it| it.step));
    trace.breaks.iter().any(|it| it == wanted.short()).then_some(trace)
}

struct Shrinking {
    variant: Option<&'static Variant>,
    wanted: GuaranteeId,
    deadline: Option<Instant>,
    best: Candidate,
}

impl Shrinking {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|it| Instant::now() >= it)
    }

    /// A candidate without the steps that it cannot take, and without those behind the break; `None` if
    /// it breaks nothing.
    fn attempt(&self, candidate: &Candidate) -> Option<Candidate> {
        candidate.breaking(self.variant, self.wanted, &|| self.is_late())
    }

    /// Takes a candidate if it breaks and is shorter, or as long and simpler.
    fn adopt(&mut self, candidate: &Candidate) -> bool {
        let better = self.attempt(candidate).filter(|it| it.cost() < self.best.cost());
        let is_better = better.is_some();
        if let Some(better) = better {
            self.best = better;
        }
        is_better
    }

    fn leave_out_steps(&mut self) -> bool {
        let before = self.best.cost();
        let mut size = self.best.items.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            let mut is_shorter = false;
            while at < self.best.items.len() && !self.is_late() {
                let to = (at + size).min(self.best.items.len());
                match self.adopt(&self.best.without(at..to)) {
                    true => is_shorter = true,
                    false => at += size,
                }
            }
            size = if size == 1 && is_shorter && !self.is_late() { 1 } else { size / 2 };
        }
        self.best.cost() < before
    }

    /// Takes away nodes, paths and what the scope allows.
    fn simplify(&mut self) -> bool {
        let before = self.best.cost();
        let mut goes_on = true;
        while goes_on && !self.is_late() {
            let simpler = self.best.simpler();
            goes_on = simpler.iter().any(|it| !self.is_late() && self.adopt(it));
        }
        self.best.cost() < before
    }

    /// Leaves out two steps that need each other, as a cut and its end.
    fn leave_out_pairs(&mut self) -> bool {
        let before = self.best.cost();
        if self.best.items.len() > PAIRS_MAX {
            return false;
        }
        let mut first = 0;
        while first < self.best.items.len() {
            let mut second = first + 1;
            while second < self.best.items.len() && !self.is_late() {
                let without = self.best.without(second..second + 1).without(first..first + 1);
                if !self.adopt(&without) {
                    second += 1;
                }
            }
            first += 1;
        }
        self.best.cost() < before
    }
}

#[cfg(test)]
mod tests {
    use stateright::Model;
    use steadfast_cluster::{ClusterModel, script, shipped};
    use steadfast_guarantees::twins::{Twin, twin, variant};
    use steadfast_sim::Random;

    use super::*;

    fn broken(trace: &Trace, variant: Option<&'static Variant>) -> Vec<&'static str> {
        let mut run = replay(trace, variant);
        trace.steps.iter().for_each(|it| drop(run.take(&it.step).expect("a possible step")));
        run.broken().iter().map(|it| it.short()).collect()
    }

    /// The first random walk of a twin that breaks its guarantee after at least this many steps.
    fn walk(name: &str, steps_min: usize) -> Trace {
        let Twin { variant, caught_by, .. } = twin(name).expect("a twin");
        let mut scope = shipped("walk").expect("a shipped scope").scope();
        scope.bounds.elections = 50;
        scope.bounds.writes = 50;
        let model = ClusterModel::new(scope, Some(variant));
        let walk = (0..3_000).find_map(|seed| {
            let mut random = Random::new(seed);
            let mut state = model.init_states().swap_remove(0);
            let mut taken = Vec::new();
            while taken.len() < 400 && model.keeps(*caught_by, &state) {
                let mut actions = Vec::new();
                model.actions(&state, &mut actions);
                let at = random.below(actions.len().max(1));
                let action = (at < actions.len()).then(|| actions.swap_remove(at))?;
                state = model.perform(&state, &action.step)?;
                taken.push(action);
            }
            let breaks = !model.keeps(*caught_by, &state) && taken.len() >= steps_min;
            breaks.then(|| record(&model, Some(variant), taken.iter().map(|it| it.step)))
        });
        walk.expect("a walk that breaks it")
    }

    #[test]
    fn a_walk_of_a_hundred_steps_becomes_a_short_trace_that_breaks_the_same() {
        let (trace, variant) =
            (walk("last-write-by-arrival", 100), variant("last-write-by-arrival"));
        let wanted = GuaranteeId::VersionsNeverGoBack;
        let shrunk = shrink(&trace, variant, wanted, 6 * TIME).expect("it breaks").trace;
        assert!(broken(&shrunk, variant).contains(&wanted.short()));
        assert!(shrunk.steps.len() <= 20, "{} steps of {}", shrunk.steps.len(), trace.steps.len());
        assert!(shrunk.scope.bounds.writes < trace.scope.bounds.writes);
    }

    #[test]
    fn no_single_step_of_a_shrunk_trace_can_be_left_out() {
        let trace = script("ack-without-epoch").expect("a shipped script");
        let variant = variant("ack-without-epoch");
        let wanted = GuaranteeId::Linearizable;
        let shrunk = shrink(&trace, variant, wanted, 6 * TIME).expect("it breaks").trace;
        assert!(shrunk.steps.len() <= trace.steps.len());
        for at in 0..shrunk.steps.len() {
            let mut fewer = shrunk.clone();
            fewer.steps.remove(at);
            let mut run = replay(&fewer, variant);
            let is_possible = fewer.steps.iter().all(|it| run.take(&it.step).is_ok());
            assert!(!is_possible || run.model.keeps(wanted, &run.state), "step {at}");
        }
    }

    #[test]
    fn a_trace_that_breaks_nothing_is_not_shrunk() {
        let mut trace = script("ack-without-epoch").expect("a shipped script");
        trace.steps.truncate(20);
        let variant = variant("ack-without-epoch");
        assert!(shrink(&trace, variant, GuaranteeId::Linearizable, TIME).is_none());
        trace.breaks.clear();
        assert_eq!(broken_by(&trace), None);
    }
}
