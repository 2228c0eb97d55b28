//! `check replay`: runs a saved counterexample again.

use std::path::Path;
use std::process::ExitCode;

use steadfast_cluster::replay as begin;
use steadfast_output::exit_code::IO;
use steadfast_output::{say, shown};
use steadfast_trace::Trace;

use crate::Failure;
use crate::options::find_twin;

/// Replays a trace step by step, and says where what breaks.
pub(crate) fn replay(file: &Path) -> Result<ExitCode, Failure> {
    let bad =
        |message: String| Failure { message: format!("{}: {message}", shown(file)), code: IO };
    let trace = Trace::read(file).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or(String::new(), |it| format!(": {it}"));
        bad(format!("{error}{cause}"))
    })?;
    trace.scope.validate().map_err(|error| bad(error.to_string()))?;
    let twin = trace.twin.as_deref().map(find_twin).transpose().map_err(bad)?;
    let mut run = begin(&trace, twin);
    say(format_args!(
        "scope {}, {}\n",
        trace.scope.name,
        trace.twin.as_deref().unwrap_or("no twin")
    ));
    let mut broken_before = run.broken();
    for (number, step) in (1..).zip(&trace.steps) {
        let (_, outcome) =
            run.take(&step.step).map_err(|error| bad(format!("step {number}: {error}")))?;
        say(format_args!("{number:>3}. {outcome}"));
        let broken = run.broken();
        for guarantee in broken.iter().filter(|it| !broken_before.contains(it)) {
            say(format_args!(
                "     >>> step {number} breaks {guarantee}: {}",
                guarantee.guarantee().promise()
            ));
        }
        broken_before = broken;
    }
    let short: Vec<&str> = broken_before.iter().map(|it| it.short()).collect();
    if short == trace.breaks {
        let breaks = if short.is_empty() { "nothing".to_owned() } else { short.join(", ") };
        say(format_args!("\nAs recorded: the run breaks {breaks}."));
        return Ok(ExitCode::from(u8::from(!short.is_empty())));
    }
    Err(bad(format!("the run breaks {short:?}, but the trace says {:?}", trace.breaks)))
}
