//! One search, as it is asked for and as it is reported. Both cross a process boundary as JSON.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{Guarantee, GuaranteeId, guarantees};
use steadfast_protocol::Settings;
use steadfast_trace::{Bounds, Scope, Trace};

/// How states are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Search {
    /// Breadth first: the first counterexample is a shortest one.
    Bfs,
    /// Depth first: fastest and leanest when every state is to be visited.
    Dfs,
    /// Random walks: a sample, never a proof.
    Walk,
    /// The graph of the fault-free continuation, for what no single state shows (G12).
    Graph,
    /// One shipped schedule, for a counterexample that is too deep to be searched for.
    Script,
}

/// Which engine visits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// Ours, which searches the cluster as components.
    Steadfast,
    /// stateright's own checkers.
    Stateright,
}

/// The names of all engines.
const ENGINES: [&str; 2] = ["steadfast", "stateright"];

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(ENGINES[*self as usize])
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "steadfast" => Ok(Engine::Steadfast),
            "stateright" => Ok(Engine::Stateright),
            _ => {
                Err(format!("no engine is called {name:?}: valid engines: {}", ENGINES.join(", ")))
            }
        }
    }
}

impl Engine {
    /// How it visits every state at best: level by level ours, depth first stateright.
    pub(crate) fn full_search(self) -> Search {
        match self {
            Engine::Steadfast => Search::Bfs,
            Engine::Stateright => Search::Dfs,
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Search::Bfs => "bfs",
            Search::Dfs => "dfs",
            Search::Walk => "walk",
            Search::Graph => "graph",
            Search::Script => "script",
        })
    }
}

impl FromStr for Search {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "bfs" => Ok(Search::Bfs),
            "dfs" => Ok(Search::Dfs),
            "walk" => Ok(Search::Walk),
            _ => Err(format!("no search is called {name:?}: valid searches: bfs, dfs, walk")),
        }
    }
}

/// The treatment of deliveries that make no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeadMessages {
    /// They are steps like any other.
    #[default]
    Explore,
    /// They are steps like any other, and the search checks in every state that they make no difference.
    Check,
    /// They are delivered at once.
    Drop,
}

/// The names of all ways.
const DEAD_MESSAGES: [&str; 3] = ["explore", "check", "drop"];

impl fmt::Display for DeadMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(DEAD_MESSAGES[*self as usize])
    }
}

impl FromStr for DeadMessages {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "explore" => Ok(DeadMessages::Explore),
            "check" => Ok(DeadMessages::Check),
            "drop" => Ok(DeadMessages::Drop),
            _ => Err(format!(
                "{name:?} is no way to treat dead messages: valid ways: {}",
                DEAD_MESSAGES.join(", ")
            )),
        }
    }
}

/// How the engine leaves out what makes no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reductions {
    /// Dead messages.
    pub dead_messages: DeadMessages,
    /// Whether steps are left out that lead to known states in another order.
    pub sleep_sets: bool,
}

impl Reductions {
    /// Whether there is none.
    pub(crate) fn is_none(self) -> bool {
        self.dead_messages == DeadMessages::Explore && !self.sleep_sets
    }
}

/// A search, as a child process is asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Where to search.
    pub scope: Scope,
    /// The witnesses to look for.
    pub witnesses: Vec<String>,
    /// Whether all of them must be reached.
    pub must_reach: bool,
    /// The scope has clients, and changed bounds leave them nothing to ask.
    pub silences_clients: bool,
    /// The variant to run; `None` for the protocol as it is.
    pub variant: Option<String>,
    /// How to search.
    pub search: Search,
    /// With which engine; walks are always stateright's.
    pub engine: Engine,
    /// The reductions.
    pub reductions: Reductions,
    /// Whether fingerprints have 128 bits instead of 64.
    pub has_wide_fingerprints: bool,
    /// With how many threads; of several processes, how many each.
    pub threads: usize,
    /// Among how many processes of this machine it is shared, if it is.
    pub processes: Option<usize>,
    /// The part of a process in a search that several share.
    pub share: Option<Share>,
    /// Where random walks begin.
    pub seed: u64,
    /// How many states random walks visit.
    pub states_max: usize,
    /// When to give up.
    pub limits: Limits,
    /// When to stop before the end.
    pub until: Until,
}

/// The part of a process in a search that several share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Share {
    /// Its number, from 0.
    pub index: usize,
    /// The number of processes.
    pub count: usize,
    /// Their addresses. Without them, the process listens at a port of its own, says so, and hears the
    /// addresses then.
    pub addresses: Option<Vec<String>>,
}

/// The resources that one of several processes used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ProcessUsage {
    pub cpu_s: f64,
    pub peak_rss_bytes: u64,
}

/// Which finding ends a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Until {
    /// None: every state is visited.
    Everything,
    /// The first broken guarantee.
    FirstBroken,
    /// This guarantee, broken.
    Broken(GuaranteeId),
}

/// What a search may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// By the clock.
    pub time: Duration,
    /// Resident memory of its process.
    pub memory_bytes: u64,
}

impl Default for Limits {
    /// Two hours and 8 GiB.
    fn default() -> Limits {
        Limits { time: Duration::from_secs(7_200), memory_bytes: 8 << 30 }
    }
}

/// Why a search did not visit every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stopped {
    /// It used up its time.
    Time,
    /// It used up its memory.
    Memory,
    /// It found what it searched for.
    Found,
    /// It is a sample.
    Sampled,
    /// The engine cannot search the system; [`Run::reason`] says why.
    Flawed,
    /// Its process ended early, or could not be started; [`Run::reason`] says how.
    Died,
    /// The user did not want to wait any longer.
    Interrupted,
}

impl Job {
    /// A search of a scope to its end.
    pub(crate) fn new(scope: Scope, witnesses: &[&str]) -> Job {
        Job {
            scope,
            witnesses: witnesses.iter().map(|it| (*it).to_owned()).collect(),
            must_reach: true,
            silences_clients: false,
            variant: None,
            search: Engine::Steadfast.full_search(),
            engine: Engine::Steadfast,
            reductions: Reductions::default(),
            has_wide_fingerprints: false,
            threads: 1,
            processes: None,
            share: None,
            seed: 1,
            states_max: 300_000,
            limits: Limits::default(),
            until: Until::Everything,
        }
    }

    /// The same search of a variant; of the protocol as it is without one.
    pub(crate) fn of_variant(self, variant: Option<&Variant>) -> Job {
        Job { variant: variant.map(|it| it.name.to_owned()), ..self }
    }
}

/// What a search found out about one guarantee.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// Its short id.
    pub id: String,
    /// The promise: `holds`, or `unpromised`; `violated` where the search must find that.
    pub expected: String,
    /// What was found: `holds`, `violated`, or `unknown` where not every state was visited.
    pub found: String,
    /// The length of the counterexample.
    pub steps: Option<usize>,
    /// The counterexample, or the file it was written to.
    pub trace: Option<TraceOrFile>,
    /// The page that shows it, if it was written.
    pub page: Option<String>,
}

/// A counterexample, or where it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum TraceOrFile {
    /// The file.
    File(String),
    /// The trace itself.
    Trace(Box<Trace>),
}

impl Finding {
    /// Nothing yet.
    pub(crate) fn unknown(guarantee: &Guarantee, settings: Settings) -> Finding {
        let expected = if guarantee.is_promised(settings) { "holds" } else { "unpromised" };
        Finding {
            id: guarantee.id().short().to_owned(),
            expected: expected.to_owned(),
            found: "unknown".to_owned(),
            steps: None,
            trace: None,
            page: None,
        }
    }

    pub(crate) fn is_violated(&self) -> bool {
        self.found == "violated"
    }

    pub(crate) fn is_promised(&self) -> bool {
        self.expected == "holds"
    }
}

/// Whether a witness was reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// The witness.
    pub id: String,
    /// Whether it was reached.
    pub reached: bool,
}

/// How often a kind of step was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The kind.
    pub action: String,
    /// How often.
    pub times: u64,
    /// Whether the bounds of the scope allow it at all.
    pub is_possible: bool,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The level that is searched.
    pub level: u64,
    /// How many states it has.
    pub frontier: u64,
    /// How many of these have been gone on from.
    pub expanded: u64,
    /// How many different states were found.
    pub unique: u64,
    /// Bytes of tables and frontier.
    pub bytes: u64,
    /// Seconds since the search began.
    pub wall_s: f64,
}

impl Progress {
    pub(crate) fn of(progress: &steadfast_search::Progress) -> Progress {
        Progress {
            level: progress.depth,
            frontier: progress.frontier,
            expanded: progress.expanded,
            unique: progress.unique,
            bytes: progress.bytes,
            wall_s: progress.wall.as_secs_f64(),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { level, frontier, expanded, unique, bytes, wall_s } = self;
        let done = 100.0 * *expanded as f64 / (*frontier as f64).max(1.0);
        let speed = *unique as f64 / wall_s.max(1e-3);
        let megabytes = *bytes as f64 / 1e6;
        write!(
            f,
            "level {level}: {done:.0}% of {frontier}, {unique} states, {speed:.0}/s, {megabytes:.0} MB"
        )
    }
}

/// What the process of a search says, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// The address at which it listens for the other processes of its search.
    Listens(String),
    /// How far it is.
    Progress(Progress),
    /// What it found.
    Run(Box<Run>),
}

/// What a search reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub scope: String,
    pub variant: Option<String>,
    pub nodes: u8,
    pub elect: usize,
    pub write: usize,
    pub bounds: Bounds,
    pub search: Search,
    pub engine: Engine,
    pub reductions: Reductions,
    pub threads: usize,
    /// Every reachable state was visited.
    pub complete: bool,
    /// Why not, if so.
    pub stopped: Option<Stopped>,
    /// Why the engine cannot search the system, or how the search died, if so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Why a counterexample could not be written to a file, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unwritten: Option<String>,
    pub unique: usize,
    pub generated: usize,
    pub depth: usize,
    pub wall_s: f64,
    pub cpu_s: f64,
    pub peak_rss_bytes: u64,
    pub states_per_cpu_s: f64,
    pub bytes_per_state: f64,
    /// How many bits tell two states apart.
    pub fingerprint_bits: u32,
    /// The chance that some two states shared a fingerprint (birthday bound).
    pub collision_chance: f64,
    pub guarantees: Vec<Finding>,
    /// The witnesses that the search decides: each is reached or it is not.
    pub witnesses: Vec<Reached>,
    /// Whether all of them must be reached. Within changed bounds, or by a variant, they need not be.
    pub must_reach: bool,
    /// Whether the scope has clients, and changed bounds leave them nothing to ask.
    pub silences_clients: bool,
    /// The other witnesses: the search left out steps that may have reached them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub undecided: Vec<String>,
    pub actions: Vec<Taken>,
    /// The processes that shared the search, if several of this machine did.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub processes: Vec<ProcessUsage>,
}

impl Run {
    /// A search that has no result.
    pub(crate) fn without_result(job: &Job, stopped: Stopped, reason: Option<String>) -> Run {
        let settings = job.scope.settings;
        Run {
            scope: job.scope.name.clone(),
            variant: job.variant.clone(),
            nodes: settings.nodes(),
            elect: settings.elect(),
            write: settings.write(),
            bounds: job.scope.bounds,
            search: job.search,
            engine: if job.search == Search::Walk { Engine::Stateright } else { job.engine },
            reductions: job.reductions,
            threads: job.threads,
            complete: false,
            stopped: Some(stopped),
            reason,
            unwritten: None,
            unique: 0,
            generated: 0,
            depth: 0,
            wall_s: 0.0,
            cpu_s: 0.0,
            peak_rss_bytes: 0,
            states_per_cpu_s: 0.0,
            bytes_per_state: 0.0,
            fingerprint_bits: if job.has_wide_fingerprints { 128 } else { 64 },
            collision_chance: 0.0,
            guarantees: guarantees().iter().map(|it| Finding::unknown(it, settings)).collect(),
            witnesses: Vec::new(),
            must_reach: job.must_reach,
            silences_clients: job.silences_clients,
            undecided: Vec::new(),
            actions: Vec::new(),
            processes: Vec::new(),
        }
    }

    /// The promised guarantees that were found broken.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.guarantees.iter().filter(|it| it.is_promised() && it.is_violated())
    }

    /// The witnesses that were not reached.
    pub(crate) fn unreached(&self) -> impl Iterator<Item = &Reached> {
        self.witnesses.iter().filter(|it| !it.reached)
    }

    /// What was found out about a guarantee.
    pub(crate) fn finding(&self, guarantee: GuaranteeId) -> Option<&Finding> {
        self.guarantees.iter().find(|it| it.id == guarantee.short())
    }
}
