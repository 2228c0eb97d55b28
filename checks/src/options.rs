//! The command line.

mod bounds;
mod processes;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use steadfast_guarantees::twins::Variant;
use steadfast_output::number::whole;
use steadfast_output::{duration, size};
use steadfast_protocol::NODES_MAX;

use crate::catalog::{NamedScope, find_scope, find_variant};
use crate::cluster::Cluster;
use crate::conform::ConformOptions;
use crate::crash_states::CrashStates;
use crate::failure::Failure;
use crate::job::{DeadMessages, Engine, Job, Limits, Reductions, Search};
use crate::program_name::program_name;
use crate::read_files::read_scope;
use crate::replay::ReplayOptions;
use crate::show::ShowOptions;
use crate::shrink::ShrinkOptions;
use crate::trace_to_test::TestOptions;

pub(crate) use self::bounds::ChangedBounds;
use self::processes::Processes;

/// How many nodes there may be, and E and W at most.
const NODES: RangeInclusive<u8> = 1..=NODES_MAX;

/// The most threads of a search.
const THREADS_MAX: u8 = 64;

/// Searches every reachable state of the Steadfast protocol within named bounds, and says what
/// holds, within which bounds, and what does not.
///
/// Exit codes: 0 all as promised, 1 a promise is broken, 2 usage, 3 incomplete, 4 input or output.
#[derive(Debug, Parser)]
#[command(name = "check", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub protocol: Protocol,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the scopes, the guarantees, the twins and the variants, or what a scope allows.
    List {
        /// The scope; everything without it.
        scope: Option<String>,
        /// Print JSON; of a scope, the file that --scope takes.
        #[arg(long)]
        json: bool,
    },
    /// Searches these scopes, with other bounds if options ask for them.
    Run(Box<RunOptions>),
    /// Searches the deep scopes: minutes to an hour.
    Deep {
        #[command(flatten)]
        protocol: Protocol,
        #[command(flatten)]
        output: Output,
    },
    /// Searches all nine settings of (E,W) with three nodes.
    Matrix {
        #[command(flatten)]
        protocol: Protocol,
        #[command(flatten)]
        output: Output,
    },
    /// Searches for the counterexamples that catch the twins.
    Twins {
        /// The twins; all without a name.
        names: Vec<String>,
        #[command(flatten)]
        bounds: Box<ChangedBounds>,
        #[command(flatten)]
        output: Output,
    },
    /// Judges G12 on the graphs of the fault-free continuation.
    Settle {
        #[command(flatten)]
        scopes: Scopes,
        #[command(flatten)]
        bounds: Box<ChangedBounds>,
        #[command(flatten)]
        protocol: Protocol,
        /// Print one JSON object instead of tables.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        limits: LimitOptions,
    },
    /// Recovers the log from every disk that a crash may leave.
    CrashStates(CrashStates),
    /// Runs real nodes under load and faults, and judges what their clients saw and what they keep.
    Cluster(Cluster),
    /// Opens the stateright explorer on a scope.
    Explore {
        #[command(flatten)]
        scope: OneScope,
        #[command(flatten)]
        bounds: Box<ChangedBounds>,
        #[command(flatten)]
        protocol: Protocol,
        /// Where to serve it.
        #[arg(long, default_value = "127.0.0.1:3000", value_parser = address)]
        address: SocketAddr,
        #[command(flatten)]
        limits: LimitOptions,
    },
    /// Runs random clusters, workloads and faults in the simulator.
    Seeds(SeedOptions),
    /// Draws a trace: a page, SVG or text; or exports it for other tools.
    Show(ShowOptions),
    /// Runs a saved counterexample again, step by step.
    Replay(ReplayOptions),
    /// Replays what real nodes recorded (`steadfast serve --record`), and judges it.
    Conform(ConformOptions),
    /// Finds a shorter trace that breaks the same guarantee.
    Shrink(ShrinkOptions),
    /// Prints a Rust test that replays a trace and asserts its guarantee.
    TraceToTest(TestOptions),
    /// Searches one job read from standard input. Used by `check` itself.
    #[command(name = "search-one", hide = true)]
    SearchOne,
}

/// Scopes, by name or as files.
#[derive(Args, Clone, Debug)]
pub(crate) struct Scopes {
    /// The scopes, as `check list` names them.
    #[arg(value_name = "SCOPES")]
    names: Vec<String>,
    /// A scope as a file, which `check list SCOPE --json` writes. May be given more than once.
    #[arg(long = "scope", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Scopes {
    /// The scopes: those with names first.
    pub(crate) fn named(&self) -> Result<Vec<NamedScope>, Failure> {
        let named = self.names.iter().map(|it| find_scope(it).map_err(Failure::usage));
        named.chain(self.files.iter().map(|it| read_scope(it))).collect()
    }
}

/// One scope, by name or as a file.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct OneScope {
    /// The scope.
    #[arg(value_name = "SCOPE")]
    name: Option<String>,
    /// The scope as a file, which `check list SCOPE --json` writes.
    #[arg(long = "scope", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl OneScope {
    /// The scope.
    pub(crate) fn named(&self) -> Result<NamedScope, Failure> {
        match (&self.name, &self.file) {
            (Some(name), _) => find_scope(name).map_err(Failure::usage),
            (None, Some(file)) => read_scope(file),
            (None, None) => Err(Failure::usage("no scope is named")),
        }
    }
}

/// Which protocol runs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Protocol {
    /// Run this variant, or the one of this twin, instead of the protocol as it is.
    #[arg(long, visible_alias = "twin", value_name = "VARIANT")]
    variant: Option<String>,
}

impl Protocol {
    /// The variant; `None` for the protocol as it is.
    pub(crate) fn variant(&self) -> Result<Option<&'static Variant>, Failure> {
        self.variant.as_deref().map(find_variant).transpose().map_err(Failure::usage)
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Output {
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Write counterexamples into this directory.
    #[arg(long, value_name = "DIR")]
    pub traces: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitOptions,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LimitOptions {
    /// Give up on a search after this many seconds, and report it incomplete.
    #[arg(long, value_name = "SECONDS", default_value = "7200", value_parser = duration::seconds)]
    pub timeout: Duration,
    /// Give up on a search that needs more memory, and report it incomplete.
    /// A number of MiB, or a number with its unit, such as 500M or 8G.
    #[arg(long, value_name = "MIB", default_value = "8192", value_parser = size::mebibytes)]
    pub memory: u64,
}

impl Output {
    /// Without a directory for counterexamples.
    pub(crate) fn without_traces(json: bool, limits: LimitOptions) -> Output {
        Output { json, traces: None, limits }
    }

    /// What a search may use up.
    pub(crate) fn limits(&self) -> Limits {
        self.limits.limits()
    }
}

impl LimitOptions {
    /// What a search may use up.
    pub(crate) fn limits(self) -> Limits {
        Limits { time: self.timeout, memory_bytes: self.memory }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub scopes: Scopes,
    #[command(flatten)]
    pub bounds: ChangedBounds,
    /// Which engine searches: steadfast or stateright [default: steadfast, for walks stateright].
    #[arg(long)]
    pub engine: Option<Engine>,
    /// How to search: bfs, dfs or walk, which only stateright does [default: bfs with the engine
    /// steadfast, dfs with stateright].
    #[arg(long)]
    pub search: Option<Search>,
    /// What the engine steadfast does with messages whose delivery makes no difference: explore them,
    /// check in every state that they make none, or drop them.
    #[arg(long, value_name = "HOW", default_value_t = DeadMessages::Explore)]
    pub dead_messages: DeadMessages,
    /// Leave out steps that lead to the same states in another order (steadfast only).
    #[arg(long)]
    pub sleep_sets: bool,
    /// Tell states apart by 128 bits instead of 64, in half as much memory again (steadfast only).
    #[arg(long)]
    pub wide_fingerprints: bool,
    /// With how many threads each search [default: as many as there are processors for it, for searches
    /// in which more than one help; otherwise 1, also in each of several processes].
    #[arg(long, value_parser = whole::<u8>(1..=THREADS_MAX))]
    pub threads: Option<u8>,
    #[command(flatten)]
    pub processes: Processes,
    /// Where random walks begin [default: 1].
    #[arg(long, value_parser = whole::<u64>(0..=u64::MAX))]
    pub seed: Option<u64>,
    /// How many states random walks visit [default: 1000000].
    #[arg(long, value_name = "COUNT", value_parser = whole::<usize>(1..=usize::MAX))]
    pub states: Option<usize>,
    #[command(flatten)]
    pub protocol: Protocol,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SeedOptions {
    /// Number of seeds [default: 1000, or with --minutes no limit].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=u64::MAX))]
    pub count: Option<u64>,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 0, value_parser = whole::<u64>(0..=u64::MAX))]
    pub from: u64,
    /// Stop after this many minutes.
    #[arg(long, value_name = "M", value_parser = duration::minutes)]
    pub minutes: Option<Duration>,
    #[command(flatten)]
    pub protocol: Protocol,
    /// Look for the first seed that finds each twin, among --count seeds for each.
    #[arg(long, conflicts_with = "variant")]
    pub twins: bool,
    /// Measure the simulator on a workload that does not change.
    #[arg(long, conflicts_with_all = ["count", "from", "minutes", "variant", "twins"])]
    pub speed: bool,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Write the traces of seeds that fail into this directory.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["twins", "speed"])]
    pub traces: Option<PathBuf>,
}

/// Parses an address.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is an IP address and a port, as 127.0.0.1:3000".to_owned())
}

impl RunOptions {
    /// The searches that are asked for.
    pub(crate) fn jobs(&self, variant: Option<&Variant>) -> Result<Vec<Job>, Failure> {
        let scopes = self.scopes.named()?;
        if scopes.is_empty() {
            let program = program_name();
            return Err(Failure::usage(format!(
                "no scope is named: `{program} list` names the valid scopes, and --scope takes a file"
            )));
        }
        let share = self.processes.share()?;
        if share.is_some() && scopes.len() > 1 {
            return Err(Failure::usage("--hosts shares one search: name one scope"));
        }
        let searches = scopes.len();
        let jobs = scopes.into_iter().map(|it| {
            let mut job = Job { share: share.clone(), ..self.job(it, variant)? };
            let threads = || match self.processes.are_asked_for() {
                true => 1,
                false => default_threads(&job, searches, processors()),
            };
            job.threads = self.threads.map_or_else(threads, usize::from);
            Ok(job)
        });
        jobs.collect::<Result<_, String>>().map_err(Failure::usage)
    }

    fn job(&self, named: NamedScope, variant: Option<&Variant>) -> Result<Job, String> {
        let scope = self.bounds.changed(&named.scope)?;
        // The witnesses of a scope are known to be reached within its own bounds, by the protocol as it is.
        let must_reach = scope == named.scope && variant.is_none();
        let engine = self.engine.unwrap_or(Engine::Steadfast);
        let search = self.search.unwrap_or(engine.full_search());
        if search == Search::Walk && self.engine == Some(Engine::Steadfast) {
            return Err("only the engine stateright walks: leave --engine steadfast out".to_owned());
        }
        if search != Search::Walk && (self.seed.is_some() || self.states.is_some()) {
            return Err("only --search walk takes --seed and --states: leave them out".to_owned());
        }
        let is_ours = engine == Engine::Steadfast && search != Search::Walk;
        if self.wide_fingerprints && !is_ours {
            return Err(
                "only the engine steadfast has --wide-fingerprints, and it does not walk: leave \
                        them out"
                    .to_owned(),
            );
        }
        let is_by_level = engine == Engine::Steadfast && search == Search::Bfs;
        if self.processes.are_asked_for() && !is_by_level {
            return Err(
                "only the engine steadfast shares a search, level by level: leave --engine and --search \
                 out"
                    .to_owned(),
            );
        }
        let mut job = Job::new(scope, &named.witnesses).of_variant(variant);
        job.processes = self.processes.processes;
        job.must_reach = must_reach;
        job.silences_clients =
            named.scope.bounds.lets_clients_ask() && !job.scope.bounds.lets_clients_ask();
        job.engine = engine;
        job.reductions = self.reductions()?;
        job.has_wide_fingerprints = self.wide_fingerprints;
        job.search = search;
        job.seed = self.seed.unwrap_or(1);
        job.states_max = self.states.unwrap_or(1_000_000);
        job.limits = self.output.limits();
        Ok(job)
    }

    /// The reductions that are asked for, if the search can have them.
    fn reductions(&self) -> Result<Reductions, String> {
        let reductions =
            Reductions { dead_messages: self.dead_messages, sleep_sets: self.sleep_sets };
        let engine = self.engine.unwrap_or(Engine::Steadfast);
        let search = self.search.unwrap_or(engine.full_search());
        let is_ours = engine == Engine::Steadfast && search != Search::Walk;
        if !reductions.is_none() && !is_ours {
            return Err(
                "only the engine steadfast has --dead-messages and --sleep-sets, and it does \
                        not walk: leave them out"
                    .to_owned(),
            );
        }
        if self.sleep_sets && search == Search::Dfs {
            return Err("--sleep-sets needs a search level by level: --search bfs".to_owned());
        }
        if self.sleep_sets && self.dead_messages == DeadMessages::Drop {
            return Err("--sleep-sets and --dead-messages drop exclude each other".to_owned());
        }
        Ok(reductions)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The number of threads of one of several searches that run on these processors. Searches in processes
/// of their own, one on each processor, take less CPU time than as many threads of one search. So a
/// search gets those processors for which there is no other search. Only our engine gains by them, and
/// only level by level; stateright does not, and a depth-first search has one thread.
fn default_threads(job: &Job, searches: usize, processors: usize) -> usize {
    match (job.engine, job.search) {
        (Engine::Steadfast, Search::Bfs) => {
            (processors / searches.max(1)).clamp(1, usize::from(THREADS_MAX))
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::shipped;

    use super::*;

    #[test]
    fn a_search_gets_the_processors_that_no_other_search_needs() {
        let ours = Job::new(shipped("cold").expect("a shipped scope").scope(), &[]);
        let threads = |searches, processors| default_threads(&ours, searches, processors);
        assert_eq!([(1, 2), (1, 8), (3, 8), (9, 8)].map(|it| threads(it.0, it.1)), [2, 8, 2, 1]);
        assert_eq!((threads(1, 1), threads(1, 500)), (1, 64));

        let depth_first = Job { search: Search::Dfs, ..ours.clone() };
        let walk = Job { search: Search::Walk, ..ours.clone() };
        let stateright = Job { engine: Engine::Stateright, ..ours };
        for job in [depth_first, walk, stateright] {
            assert_eq!(default_threads(&job, 1, 8), 1);
        }
    }
}
