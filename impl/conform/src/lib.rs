//! Replays the recordings of real nodes, and judges them.
//!
//! The recordings of all nodes are merged into one run: a message is received after it was sent, and otherwise
//! the clocks decide. Each node takes its inputs again, and everything that it does is compared with the
//! recording. The guarantees judge the run on the way.
//!
//! Invariant: it knows no server, disk or network. A step fits if the replica takes it as it is recorded.

#![warn(missing_debug_implementations)]

mod channels;
mod entries;
mod inputs;
mod judge;
mod misfit;
mod replayed;
mod run;
mod storage;
#[doc(hidden)]
pub mod testing;
mod verdicts;
mod view;
mod window;

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use steadfast_protocol::{NodeId, Settings, Steadfast};
use steadfast_recording::ReadError;

pub use misfit::Misfit;
pub use verdicts::{Finding, Judged, Moment};

/// The result of a replay that read all recordings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conformance {
    /// N, E and W.
    #[serde(serialize_with = "by_letters")]
    pub settings: Settings,
    /// The size of the run.
    #[serde(flatten)]
    pub counts: Counts,
    /// The first step that does not fit, at which the replay ended.
    pub misfit: Option<Misfit>,
    /// The guarantees, judged up to there.
    pub guarantees: Vec<Judged>,
}

/// The size of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Starts of processes.
    pub starts: u64,
    /// Starts without an end: their processes were killed, or still run.
    pub cuts: u64,
    /// Inputs that were replayed.
    pub inputs: u64,
    /// Effects that were compared.
    pub effects: u64,
    /// Messages that were received.
    pub messages: u64,
}

/// Why recordings cannot be replayed together.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// A recording cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A recording does not begin with a start.
    #[error("{}: the recording does not begin with the start of a node", .directory.display())]
    NoStart {
        /// The directory.
        directory: PathBuf,
    },
    /// The recording of a node is missing.
    #[error(
        "the recording of {} is missing: give the recordings of all {nodes} nodes of the cluster",
        list(missing)
    )]
    Missing {
        /// The nodes.
        missing: Vec<NodeId>,
        /// N.
        nodes: u8,
    },
    /// Two recordings are those of one node.
    #[error("{} and {} are both recordings of {node}", .directories[0].display(), .directories[1].display())]
    Twice {
        /// The node.
        node: NodeId,
        /// The directories.
        directories: [PathBuf; 2],
    },
    /// Two recordings are those of nodes of different clusters, or with different settings.
    #[error(
        "{} and {} are recordings of nodes of different clusters",
        .directories[0].display(), .directories[1].display()
    )]
    OtherCluster {
        /// The directories.
        directories: [PathBuf; 2],
    },
}

fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn by_letters<S: Serializer>(settings: &Settings, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct ByLetters {
        nodes: u8,
        elect: usize,
        write: usize,
    }
    let (nodes, elect, write) = (settings.nodes(), settings.elect(), settings.write());
    ByLetters { nodes, elect, write }.serialize(serializer)
}

/// Replays the recordings of all nodes of a cluster, one directory for each node, and judges the run.
///
/// # Errors
/// A recording cannot be read, or the directories are not those of all nodes of one cluster.
pub fn conform(directories: &[PathBuf]) -> Result<Conformance, ConformError> {
    run::Run::open(directories, &Steadfast, judge::Extent::Touched)?.finish()
}

impl Conformance {
    /// Whether each step fits and no guarantee that is promised was found broken.
    #[must_use]
    pub fn is_conforming(&self) -> bool {
        self.misfit.is_none() && self.guarantees.iter().all(|it| it.finding != Finding::Broken)
    }
}

impl fmt::Display for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { starts, cuts, inputs, effects, messages } = self.counts;
        let verdict = match (&self.misfit, self.is_conforming()) {
            (_, true) => "CONFORMS",
            (Some(_), _) => "DOES NOT CONFORM",
            (None, false) => "BREAKS A GUARANTEE",
        };
        writeln!(
            f,
            "{verdict}: {} nodes, {starts} starts ({cuts} without an end), {inputs} inputs, \
             {effects} effects, {messages} messages",
            self.settings.nodes()
        )?;
        if let Some(misfit) = &self.misfit {
            writeln!(f, "{misfit}")?;
        }
        for judged in &self.guarantees {
            write!(f, "  {judged}")?;
        }
        Ok(())
    }
}
