//! `check`: searches every reachable state of the Steadfast protocol within named bounds, and runs
//! seeds in the simulator.

mod child;
mod crash_states;
mod explore;
mod failure;
mod job;
mod matrix;
mod named;
mod options;
mod oracle;
mod progress_bar;
mod read_trace;
mod replay;
mod report;
mod search;
mod seeds;
mod settling;
mod show;
mod shrink;
mod suite;
mod summary;
mod trace_to_test;
mod traces;
mod twins;
mod usage;
mod verdict;

use std::process::ExitCode;

use steadfast_output::{parse, warn};
use steadfast_trace::Scope;

use failure::Failure;
use options::{Command, Options};

fn main() -> ExitCode {
    let options = parse::<Options>();
    let result = match options.command {
        None => suite::run_default(&options.output),
        Some(Command::List) => suite::list(),
        Some(Command::Run(run)) => suite::run_scopes(&run),
        Some(Command::Deep(output)) => suite::run_deep(&output),
        Some(Command::Matrix(output)) => suite::run_matrix(&output),
        Some(Command::Twins { names, output }) => suite::run_twins(&names, &output),
        Some(Command::Explore { scope, twin, elect, write, address }) => {
            explored(&scope, elect, write)
                .and_then(|scope| explore::explore(scope, twin.as_deref(), address))
        }
        Some(Command::Settle(output)) => suite::run_settle(&output),
        Some(Command::CrashStates(options)) => crash_states::run_alone(&options),
        Some(Command::Seeds(options)) => seeds::run(&options),
        Some(Command::Show(options)) => show::show(&options),
        Some(Command::Replay(options)) => replay::replay(&options),
        Some(Command::Shrink(options)) => shrink::run(&options),
        Some(Command::TraceToTest(options)) => trace_to_test::run(&options),
        Some(Command::SearchOne) => {
            child::be_child().map(|()| ExitCode::SUCCESS).map_err(Failure::io)
        }
    };
    result.unwrap_or_else(|failure| {
        warn(format_args!("check: {}", failure.message));
        ExitCode::from(failure.code)
    })
}

/// The scope to explore.
fn explored(name: &str, elect: Option<u8>, write: Option<u8>) -> Result<Scope, Failure> {
    let mut scope = named::find_scope(name).map_err(Failure::usage)?.scope();
    scope.settings = options::settings(&scope, None, elect, write).map_err(Failure::usage)?;
    Ok(scope)
}
