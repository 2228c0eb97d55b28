//! A new log for a node whose own log is lost, made from the logs of all other nodes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use steadfast_config::NodeConfig;
use steadfast_protocol::{
    Change, Epoch, Fold, Identity, NodeId, Record, ReplacementError, Steadfast, VersionVector,
    replacement,
};
use steadfast_store::{CreateError, OpenError, StoppedLog, create_from, log_settings};
use steadfast_wal::{Disk, RealDisk};

use crate::serve::{disks, log_id};

/// Why no log is made for a lost node.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// A directory holds no log.
    #[error("{} holds no directory `log`", .directory.display())]
    NoLog {
        /// The directory.
        directory: PathBuf,
    },
    /// A log cannot be read.
    #[error("the log in {} cannot be used", .directory.display())]
    Read {
        /// The directory.
        directory: PathBuf,
        /// The reason.
        source: Box<OpenError>,
    },
    /// A log does not say who owns it.
    #[error("the log in {} does not begin with an identity: no node wrote it", .directory.display())]
    NoIdentity {
        /// The directory.
        directory: PathBuf,
    },
    /// A log belongs to another cluster.
    #[error("the log in {} belongs to another cluster than {cluster}", .directory.display())]
    OtherCluster {
        /// The directory.
        directory: PathBuf,
        /// The cluster of the node that is replaced.
        cluster: String,
    },
    /// The logs are not those of all other nodes, or contradict each other.
    #[error(transparent)]
    Logs(#[from] ReplacementError),
    /// The new log cannot be written.
    #[error(transparent)]
    Create(#[from] CreateError),
}

/// A log from which a new one was made.
#[derive(Debug)]
pub struct Source {
    /// Its directory.
    pub directory: PathBuf,
    /// Its owner.
    pub node: NodeId,
    /// How many records it has.
    pub records: usize,
    /// Whether its end is damaged in a way that a crash alone may have caused.
    pub is_uncertain: bool,
}

/// The new log of a node.
#[derive(Debug)]
pub struct Replaced {
    /// The highest epoch that any node has promised to follow.
    pub promise: Epoch,
    /// The entries that it stands for.
    pub vv: VersionVector,
    /// How many of these it holds: the versions of all paths, conflict versions and deletes included.
    pub heads: usize,
    /// How many paths show a file.
    pub files: usize,
    /// How many contents the node fetches from its peers.
    pub contents: usize,
    /// The logs from which it was made.
    pub sources: Vec<Source>,
}

/// Makes the directory `data` of a node whose log is lost, with a new log and no contents, from the logs of all other
/// nodes: each directory holds the directory `log` of one of them, or is that of a node, with `data/log`. The directories
/// are not changed. The new one is durable when this returns; until then it may be incomplete, so the caller makes it
/// under a name that no node uses.
///
/// All nodes must be down until the new log is in its place. A log of this machine that a node has open is refused, and
/// so is one that lacks what its own node has sent to another.
///
/// # Errors
/// A log cannot be read, belongs to another cluster, is missing or given twice; logs contradict each other; the new
/// log cannot be written.
pub fn replace(
    config: &NodeConfig,
    from: &[PathBuf],
    data: &Path,
) -> Result<Replaced, ReplaceError> {
    let identity = Identity { node: config.id, settings: config.settings };
    let mut sources = Vec::new();
    let mut logs = Vec::new();
    for directory in from {
        let (source, log) = read(config, directory)?;
        sources.push(source);
        logs.push(log.records);
    }
    let logs: Vec<&[Record]> = logs.iter().map(Vec::as_slice).collect();
    let checkpoint = replacement(identity, &logs, &Steadfast)?;
    let parent = RealDisk::new(data);
    let made = parent.create_directory();
    made.map_err(|source| CreateError::Directory { directory: Disk::directory(&parent), source })?;
    let (log, contents) = disks(data);
    let layout = (log_id(config.cluster, config.id), log_settings());
    create_from(&log, &contents, &checkpoint, layout)?;
    Ok(replaced(&checkpoint.fold, sources))
}

fn replaced(fold: &Fold, sources: Vec<Source>) -> Replaced {
    let named: BTreeSet<_> = fold.heads().filter_map(|it| it.change.named()).collect();
    let shown = fold.files().iter().filter_map(|(_, heads)| heads.first());
    Replaced {
        promise: fold.promise(),
        vv: *fold.vv(),
        heads: fold.heads().count(),
        files: shown.filter(|it| it.change != Change::Delete).count(),
        contents: named.len(),
        sources,
    }
}

fn read(config: &NodeConfig, directory: &Path) -> Result<(Source, StoppedLog), ReplaceError> {
    let places = [directory.join("log"), directory.join("data").join("log")];
    let place = places.into_iter().find(|it| it.is_dir());
    let directory = directory.to_owned();
    let Some(place) = place else {
        return Err(ReplaceError::NoLog { directory });
    };
    let log = match steadfast_store::read(&RealDisk::new(place)) {
        Ok(log) => log,
        Err(error) => return Err(ReplaceError::Read { directory, source: Box::new(error) }),
    };
    let Some(owner) = log.records.first().and_then(Record::identity) else {
        return Err(ReplaceError::NoIdentity { directory });
    };
    if log.log != log_id(config.cluster, owner.node) {
        let cluster = config.cluster.to_string();
        return Err(ReplaceError::OtherCluster { directory, cluster });
    }
    let (node, records, is_uncertain) = (owner.node, log.records.len(), log.tail.is_uncertain());
    Ok((Source { directory, node, records, is_uncertain }, log))
}
