//! The searches that are compared, each in a process of its own.

use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Args;
use nix::sys::resource::UsageWho;
use serde::{Deserialize, Serialize};
use stateright::{Checker, HasDiscoveries, Model};
use steadfast_cluster::{ClusterComponents, ClusterModel, shipped};
use steadfast_output::{say, warn};
use steadfast_search::{DeadSteps, Ended, Options, Search as Engine, System};

use super::subject::Subject;
use super::{Result, spin};
use crate::usage::{cpu_s, peak_rss_bytes, peak_rss_bytes_of_children};

#[expect(dead_code, reason = "its main is another program")]
#[path = "../../../model/search/examples/two_phase_commit.rs"]
mod two_phase_commit;

#[path = "../../../model/search/tests/models/stock_two_phase_commit.rs"]
mod stock_two_phase_commit;

use stock_two_phase_commit::TwoPhaseSys;
use two_phase_commit::TwoPhaseCommit;

/// Who searches, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Our engine, breadth first.
    Engine { dead_steps: DeadSteps, sleep_sets: bool },
    /// stateright.
    Stock { depth_first: bool },
    /// A verifier that Spin made.
    Spin,
}

/// A way to search.
#[derive(Debug)]
pub(super) struct Search {
    /// Its name in tables, JSON and options.
    pub(super) name: &'static str,
    how: How,
    pub(super) threads: usize,
}

/// All ways. The first is the one that the others are compared with.
pub(super) const SEARCHES: [Search; 9] = [
    Search::of_engine("engine", 1, DeadSteps::Explore, false),
    Search::of_engine("engine-2-threads", 2, DeadSteps::Explore, false),
    Search::of_engine("engine-dead-dropped", 1, DeadSteps::Drop, false),
    Search::of_engine("engine-sleep-sets", 1, DeadSteps::Explore, true),
    Search::of_stock("stateright-dfs", 1, true),
    Search::of_stock("stateright-dfs-2-threads", 2, true),
    Search::of_stock("stateright-bfs", 1, false),
    Search::of_stock("stateright-bfs-2-threads", 2, false),
    Search { name: "spin", how: How::Spin, threads: 1 },
];

/// The result of one search.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Different states.
    pub(super) unique: u64,
    /// Generated states: initial ones, and one for each step.
    pub(super) generated: u64,
    /// CPU seconds of the process.
    pub(super) cpu_s: f64,
    /// Seconds by the clock.
    pub(super) wall_s: f64,
    /// The most memory that the process had, in bytes.
    pub(super) peak_rss_bytes: u64,
}

impl Search {
    const fn of_engine(
        name: &'static str,
        threads: usize,
        dead_steps: DeadSteps,
        sleep_sets: bool,
    ) -> Search {
        Search { name, how: How::Engine { dead_steps, sleep_sets }, threads }
    }

    const fn of_stock(name: &'static str, threads: usize, depth_first: bool) -> Search {
        Search { name, how: How::Stock { depth_first }, threads }
    }

    pub(super) fn is_spin(&self) -> bool {
        self.how == How::Spin
    }

    /// Whether it visits every step, so that its counts must be those of all others that do.
    pub(super) fn is_full(&self) -> bool {
        match self.how {
            How::Engine { dead_steps, sleep_sets } => {
                dead_steps == DeadSteps::Explore && !sleep_sets
            }
            How::Stock { .. } | How::Spin => true,
        }
    }

    /// Whether it can search a subject: two-phase commit has no dead steps, and only two-phase commit
    /// is written in Spin's language as well.
    pub(super) fn can_search(&self, subject: &Subject) -> bool {
        let drops = matches!(self.how, How::Engine { dead_steps: DeadSteps::Drop, .. });
        match subject {
            Subject::Scope(_) => !self.is_spin(),
            Subject::TwoPhaseCommit(_) => !drops,
        }
    }

    /// Searches in a process of its own.
    pub(super) fn in_child(
        &self,
        subject: &Subject,
        states_max: u64,
        verifier: Option<&Path>,
    ) -> Result<Sample> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["check-search-one", &subject.to_string(), self.name]);
        command.args(["--states-max", &states_max.to_string()]);
        // Huge pages, where the system grants them: searches read large tables at random.
        command.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
        if let Some(verifier) = verifier {
            command.arg("--verifier").arg(verifier);
        }
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{subject}, {}: {}: {said}", self.name, output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn search(&self, one: &SearchOne) -> Result<(u64, u64)> {
        let subject: Subject = one.subject.parse()?;
        match (self.how, &subject) {
            (How::Engine { .. }, Subject::Scope(name)) => {
                let scope = shipped(name).ok_or("no such scope")?.scope();
                let system = ClusterComponents::new(scope, None, &[]);
                let drops = matches!(self.how, How::Engine { dead_steps: DeadSteps::Drop, .. });
                let system = if drops { system.with_dead_messages() } else { system };
                self.with_engine(&system, one.states_max)
            }
            (How::Engine { .. }, Subject::TwoPhaseCommit(resources)) => {
                self.with_engine(&TwoPhaseCommit(*resources), one.states_max)
            }
            (How::Stock { depth_first }, Subject::Scope(name)) => {
                let scope = shipped(name).ok_or("no such scope")?.scope();
                Ok(self.with_stateright(ClusterModel::new(scope, None), depth_first))
            }
            (How::Stock { depth_first }, Subject::TwoPhaseCommit(resources)) => {
                Ok(self.with_stateright(TwoPhaseSys(usize::from(*resources)), depth_first))
            }
            (How::Spin, _) => spin::verify(one.verifier.as_deref().ok_or("no verifier")?),
        }
    }

    fn with_engine<S: System>(&self, system: &S, states_max: u64) -> Result<(u64, u64)> {
        let How::Engine { dead_steps, sleep_sets } = self.how else {
            return Err("no search of the engine".into());
        };
        let threads = NonZero::new(self.threads).ok_or("no thread")?;
        let options = Options { threads, dead_steps, sleep_sets, states_max, ..Options::default() };
        let report = Engine::new(system, options).breadth_first();
        if let Some(violation) = report.violation() {
            return Err(format!("{} is violated", violation.property).into());
        }
        match &report.ended {
            Ended::Complete => Ok((report.unique, report.generated)),
            Ended::States if states_max < u64::MAX => Ok((report.unique, report.generated)),
            ended => Err(format!("the engine does not search to the end: {ended}").into()),
        }
    }

    fn with_stateright<M>(&self, model: M, depth_first: bool) -> (u64, u64)
    where
        M: Model + Send + Sync + 'static,
        M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
        M::Action: Clone + Debug + PartialEq + Send + Sync,
    {
        let builder = model.checker().threads(self.threads).finish_when(HasDiscoveries::All);
        match depth_first {
            true => counts(&builder.spawn_dfs().join()),
            false => counts(&builder.spawn_bfs().join()),
        }
    }
}

fn counts<M: Model>(checker: &impl Checker<M>) -> (u64, u64) {
    (checker.unique_state_count() as u64, checker.state_count() as u64)
}

/// One search.
#[derive(Args, Clone, Debug)]
pub struct SearchOne {
    /// Of which system.
    subject: String,
    /// Which of the searches.
    search: String,
    /// The number of states after which it stops.
    #[arg(long)]
    states_max: u64,
    /// The verifier that Spin made.
    #[arg(long)]
    verifier: Option<PathBuf>,
}

/// Performs the search, and prints a sample.
#[must_use]
pub fn search_one(one: &SearchOne) -> ExitCode {
    match sample(one).and_then(|it| Ok(serde_json::to_string(&it)?)) {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            warn(error);
            ExitCode::from(4)
        }
    }
}

fn sample(one: &SearchOne) -> Result<Sample> {
    let search = SEARCHES.iter().find(|it| it.name == one.search).ok_or("no such search")?;
    let begun = Instant::now();
    let (unique, generated) = search.search(one)?;
    let wall_s = begun.elapsed().as_secs_f64();
    let (who, peak) = match search.is_spin() {
        true => (UsageWho::RUSAGE_CHILDREN, Some(peak_rss_bytes_of_children()?)),
        false => (UsageWho::RUSAGE_SELF, peak_rss_bytes()),
    };
    let peak_rss_bytes = peak.ok_or("the system does not say how much memory is used")?;
    Ok(Sample { unique, generated, cpu_s: cpu_s(who)?, wall_s, peak_rss_bytes })
}
