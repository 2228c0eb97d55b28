//! The program, with the additions of its author.

use std::process::ExitCode;

use steadfast_guarantees::OwnGuarantee;
use steadfast_guarantees::twins::{Twin, Variant};
use steadfast_output::{parse, warn};
use steadfast_trace::Scope;

use crate::catalog::{NamedScope, Own};
use crate::failure::Failure;
use crate::options::{Command, Options, Output};
use crate::program_name::{note_program_name, program_name};
use crate::{
    child, cluster, conform, crash_states, explore, list, replay, seeds, show, shrink, suite,
    trace_to_test,
};

/// The program `check`, which can be given variants, twins, guarantees and scopes besides the shipped ones.
#[must_use = "the program does nothing until it is run"]
#[derive(Default)]
pub struct Check {
    own: Own,
}

/// The program `check`.
pub fn check() -> Check {
    Check::default()
}

impl Check {
    /// Adds a variant of the protocol: `--variant NAME` runs it.
    pub fn variant(mut self, variant: &'static Variant) -> Check {
        self.own.variants.push(variant);
        self
    }

    /// Adds a twin: a variant for whose counterexample the subcommand `twins` also searches.
    pub fn twin(mut self, twin: &'static Twin) -> Check {
        self.own.twins.push(twin);
        self
    }

    /// Adds a guarantee: every search, simulation and replay judges it with the shipped ones. The first one
    /// is [`GuaranteeId::Own1`](steadfast_guarantees::GuaranteeId::Own1), by which a twin can name it, and
    /// so on; four can be added.
    pub fn guarantee(mut self, guarantee: &'static OwnGuarantee) -> Check {
        self.own.guarantees.push(guarantee);
        self
    }

    /// Adds a scope, with the ids of the witnesses that a search of it must reach.
    pub fn scope(mut self, scope: Scope, witnesses: &[&'static str]) -> Check {
        self.own.scopes.push(NamedScope { scope, witnesses: witnesses.to_vec() });
        self
    }

    /// Does what the arguments of this process say, and returns its exit code: 0 if everything is as
    /// promised, 1 if a promise is broken, 2 if an argument or something that was added is wrong, 3 if a
    /// search is incomplete, 4 if files cannot be read or written.
    ///
    /// Searches run in child processes: this program again, with a hidden subcommand. So `main` should do
    /// nothing else first that must happen only once.
    pub fn run(self) -> ExitCode {
        note_program_name();
        let result = self.own.register().map_err(Failure::usage).and_then(|()| perform(parse()));
        result.unwrap_or_else(|failure| {
            warn(format_args!("{}: {}", program_name(), failure.message));
            ExitCode::from(failure.code)
        })
    }
}

fn perform(options: Options) -> Result<ExitCode, Failure> {
    match options.command {
        None => suite::run_default(options.protocol.variant()?, &options.output),
        Some(Command::List { scope, json }) => list::list(scope.as_deref(), json),
        Some(Command::Run(run)) => suite::run_scopes(&run),
        Some(Command::Deep { protocol, output }) => suite::run_deep(protocol.variant()?, &output),
        Some(Command::Matrix { protocol, output }) => {
            suite::run_matrix(protocol.variant()?, &output)
        }
        Some(Command::Twins { names, bounds, output }) => {
            suite::run_twins(&names, &bounds, &output)
        }
        Some(Command::Explore { scope, bounds, protocol, address, limits }) => {
            let scope = bounds.changed(&scope.named()?.scope).map_err(Failure::usage)?;
            explore::explore(scope, protocol.variant()?, address, limits.limits())
        }
        Some(Command::Settle { scopes, bounds, protocol, json, limits }) => {
            let named = scopes.named()?.into_iter().map(|it| it.scope);
            let named = if named.len() == 0 { suite::settling() } else { named.collect() };
            let changed = named.iter().map(|it| bounds.changed(it)).collect::<Result<_, _>>();
            let changed: Vec<_> = changed.map_err(Failure::usage)?;
            let output = Output::without_traces(json, limits);
            suite::run_settle(&changed, protocol.variant()?, &output)
        }
        Some(Command::CrashStates(options)) => crash_states::run_alone(&options),
        Some(Command::Cluster(options)) => cluster::run(&options),
        Some(Command::Seeds(options)) => seeds::run(&options),
        Some(Command::Show(options)) => show::show(&options),
        Some(Command::Replay(options)) => replay::replay(&options),
        Some(Command::Conform(options)) => conform::run(&options),
        Some(Command::Shrink(options)) => shrink::run(&options),
        Some(Command::TraceToTest(options)) => trace_to_test::run(&options),
        Some(Command::SearchOne) => {
            child::be_child().map(|()| ExitCode::SUCCESS).map_err(Failure::io)
        }
    }
}
