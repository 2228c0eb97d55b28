//! `check replay`: runs a saved counterexample again.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use steadfast_cluster::{Action, Replay, replay as begin};
use steadfast_guarantees::{Guarantee, GuaranteeId};
use steadfast_output::exit_code::{BROKEN, INCOMPLETE};
use steadfast_output::{say, warn};
use steadfast_trace::TraceStep;

use crate::failure::Failure;
use crate::read_files::{TraceFile, read_trace};

/// The options of `check replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayOptions {
    /// The trace.
    pub trace: PathBuf,
    /// Stop after this many steps, and show the whole state there.
    #[arg(long, value_name = "STEP")]
    pub until: Option<usize>,
}

/// Replays a trace step by step, and says where what breaks.
pub(crate) fn replay(options: &ReplayOptions) -> Result<ExitCode, Failure> {
    let file = read_trace(&options.trace)?;
    let count = file.trace.steps.len();
    let until = options.until.unwrap_or(count);
    if until > count {
        let message = format!("--until {until}: {} has {count} steps", file.name);
        return Err(Failure::usage(message));
    }
    let variant = file.variant.map_or(String::new(), |it| format!(" as {}: {}", it.name, it.about));
    say(format_args!("scope {}{variant}\n", file.trace.scope.name));
    let mut following = Following::begin(&file);
    for (number, step) in (1..=until).zip(&file.trace.steps) {
        following.step(number, step)?;
    }
    match options.until {
        Some(until) => following.finish_at(until),
        None => following.finish(),
    }
}

/// A trace that is being followed.
struct Following<'a> {
    file: &'a TraceFile,
    run: Replay,
    broken: Vec<GuaranteeId>,
    /// The first step that does something else than its note says, and what.
    differs: Option<String>,
}

impl<'a> Following<'a> {
    fn begin(file: &'a TraceFile) -> Self {
        let run = begin(&file.trace, file.variant);
        Following { file, broken: run.broken(), run, differs: None }
    }

    fn step(&mut self, number: usize, step: &TraceStep) -> Result<(), Failure> {
        let taken = self.run.take(&step.step);
        let (action, outcome) = taken.map_err(|error| {
            let recorded = recorded(step).map_or(String::new(), |it| format!(" (recorded: {it})"));
            self.bad(&format!("step {number}{recorded}: {error}"), INCOMPLETE)
        })?;
        self.compare(number, step, &action);
        say(format_args!("{number:>3}. {outcome}"));
        let broken = self.run.broken();
        for guarantee in broken.iter().filter(|it| !self.broken.contains(it)) {
            let guarantee = guarantee.guarantee();
            let promised = if self.promises(guarantee) { "" } else { " (not promised here)" };
            say(format_args!(
                "     >>> step {number} breaks {}{promised}: {}",
                guarantee.id(),
                guarantee.promise()
            ));
        }
        self.broken = broken;
        Ok(())
    }

    /// Notes the first step that is another one than was recorded.
    fn compare(&mut self, number: usize, step: &TraceStep, action: &Action) {
        let now = format!("{action:?}");
        if let Some(recorded) = recorded(step).filter(|it| *it != now && self.differs.is_none()) {
            self.differs = Some(format!(
                "the first step that differs is {number}: recorded `{recorded}`, now `{now}`"
            ));
        }
    }

    /// An error that also says where the run began to differ from what was recorded.
    fn bad(&self, message: &str, code: u8) -> Failure {
        let differs = self.differs.as_ref().map_or(String::new(), |it| format!("; {it}"));
        Failure { message: format!("{}: {message}{differs}", self.file.name), code }
    }

    fn promises(&self, guarantee: &Guarantee) -> bool {
        guarantee.is_promised(self.file.trace.scope.settings)
    }

    /// The code of `check run` for the same violations.
    fn exit_code(&self) -> ExitCode {
        let is_broken = self.broken.iter().any(|it| self.promises(it.guarantee()));
        ExitCode::from(if is_broken { BROKEN } else { 0 })
    }

    fn short(&self) -> Vec<&'static str> {
        self.broken.iter().map(|it| it.short()).collect()
    }

    /// Ends in the middle.
    fn finish_at(self, until: usize) -> Result<ExitCode, Failure> {
        say(format_args!("\nAfter step {until}:\n{:?}", self.run.state));
        self.differs.iter().for_each(|it| warn(format_args!("note: {it}")));
        Ok(self.exit_code())
    }

    /// Ends as the trace does, or says how not.
    fn finish(self) -> Result<ExitCode, Failure> {
        let (short, recorded) = (self.short(), &self.file.trace.breaks);
        if short != *recorded {
            let message = format!("the run breaks {short:?}, but the trace says {recorded:?}");
            return Err(self.bad(&message, BROKEN));
        }
        self.differs.iter().for_each(|it| warn(format_args!("note: {it}")));
        let promised = |it: &GuaranteeId| {
            if self.promises(it.guarantee()) { "" } else { ", which is not promised here" }
        };
        let breaks = self.broken.iter().map(|it| format!("{}{}", it.short(), promised(it)));
        let breaks = breaks.collect::<Vec<_>>().join(", ");
        let breaks = if breaks.is_empty() { "nothing".to_owned() } else { breaks };
        say(format_args!("\nAs recorded: the run breaks {breaks}."));
        Ok(self.exit_code())
    }
}

/// What the note of a step says, if it has one.
fn recorded(step: &TraceStep) -> Option<&str> {
    Some(step.note.as_str()).filter(|it| !it.is_empty())
}
