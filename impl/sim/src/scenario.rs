//! The six scenarios: runs of a cluster on real bytes, with a narration, judged by every
//! guarantee.

mod basic_replication;
mod conflict_resolution;
mod crash_recovery;
mod delta_sync;
mod fixed_blocks;
mod long_absence;
mod network_partition;
mod sources;
mod story;

use std::fmt;
use std::io;

use steadfast_protocol::{Settings, SettingsError};

use crate::{Observer, Setup, Simulation};

pub use sources::{InMemory, Scratch, Source, Splice, default_sources, write_spliced};
use story::Teller;
pub use story::{Finding, Story};

/// The cluster and the files that a scenario runs with.
pub struct Cast<'a> {
    /// The source of all random numbers.
    pub seed: u64,
    /// N; 3 by default.
    pub nodes: u8,
    /// E; without it that of the scenario.
    pub elect: Option<u8>,
    /// W; without it that of the scenario.
    pub write: Option<u8>,
    /// The files, at least one.
    pub sources: Vec<Source>,
    /// The store for changed versions of long files.
    pub scratch: &'a dyn Scratch,
    /// Makes the observer of a story, which is called after every step.
    pub observer: Option<&'a dyn Fn() -> Observer>,
}

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its subject in a few words.
    pub about: &'static str,
    run: fn(&Cast<'_>) -> Result<Vec<Story>, ScenarioError>,
}

/// Why a scenario cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no such cluster.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The scenario needs another kind of cluster.
    #[error("{0}")]
    Unfit(String),
    /// A changed version of a file cannot be kept.
    #[error("cannot keep a changed version of a file")]
    Scratch(#[from] io::Error),
}

/// The six scenarios, in order.
pub static SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "basic-replication",
        about: "the leader's writes reach all followers",
        run: basic_replication::tell,
    },
    Scenario {
        name: "crash-recovery",
        about: "nodes die in the middle of a write, replay their logs and catch up",
        run: crash_recovery::tell,
    },
    Scenario {
        name: "network-partition",
        about: "the cluster splits, goes on as (E,W) lets it, heals and reconciles",
        run: network_partition::tell,
    },
    Scenario {
        name: "conflict-resolution",
        about: "concurrent writes are decided by logical clocks, and the loser is kept and restored",
        run: conflict_resolution::tell,
    },
    Scenario {
        name: "delta-sync",
        about: "of a large file that changes, only what changed travels",
        run: delta_sync::tell,
    },
    Scenario {
        name: "long-absence",
        about: "a node that was away too long gets a state instead of entries",
        run: long_absence::tell,
    },
];

impl Scenario {
    /// Runs the scenario, once for each cluster that it is about.
    ///
    /// # Errors
    /// It cannot run with this cast.
    pub fn tell(&self, cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
        (self.run)(cast)
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Cast<'_> {
    /// The smallest number of votes or copies that is more than half of the nodes.
    fn majority(&self) -> u8 {
        self.nodes / 2 + 1
    }

    /// A runner of a story about a cluster with this E and W, unless the cast names others.
    fn begin(
        &self,
        name: &'static str,
        title: &str,
        elect: u8,
        write: u8,
    ) -> Result<Teller, ScenarioError> {
        self.begin_with(name, title, elect, write, |setup| setup)
    }

    /// As [`Cast::begin`], with a setup that the scenario changes.
    fn begin_with(
        &self,
        name: &'static str,
        title: &str,
        elect: u8,
        write: u8,
        change: impl FnOnce(Setup) -> Setup,
    ) -> Result<Teller, ScenarioError> {
        let (elect, write) = (self.elect.unwrap_or(elect), self.write.unwrap_or(write));
        let settings = Settings::new(self.nodes, elect, write)?;
        let setup = Setup { name: name.to_owned(), ..Setup::new(settings, self.seed) };
        let mut simulation = Simulation::new(change(setup));
        if let Some(observer) = self.observer {
            simulation.observe(observer());
        }
        Ok(Teller::new(name, title, simulation))
    }

    /// Refuses a cluster that does nothing while a node is missing.
    fn need_spare_node(&self, settings: Settings, missing: &str) -> Result<(), ScenarioError> {
        match settings.elect().max(settings.write()) < usize::from(self.nodes) {
            true => Ok(()),
            false => Err(ScenarioError::Unfit(format!(
                "E={} W={}: with a node {missing} nothing goes on; this scenario takes E<N and W<N",
                settings.elect(),
                settings.write()
            ))),
        }
    }

    /// Refuses a cluster that is too small for a scenario.
    fn need_nodes(&self, nodes: u8, why: &str) -> Result<(), ScenarioError> {
        match self.nodes >= nodes {
            true => Ok(()),
            false => Err(ScenarioError::Unfit(format!(
                "{} nodes: {why} takes at least {nodes}",
                self.nodes
            ))),
        }
    }
}
