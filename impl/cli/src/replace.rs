//! `steadfast replace`: a new log for a node whose disk is lost.

use std::fs::{self, File};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use steadfast_config::NodeConfig;
use steadfast_output::{say, shown, warn};
use steadfast_protocol::{NodeId, ReplacementError, VersionVector};
use steadfast_server::{ReplaceError, Replaced};

use crate::failure::{Failure, with_causes};
use crate::serve::{config_of, load};

/// How long a node may take to accept a connection before it counts as stopped.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Advice for a running node.
const STOP_ALL: &str =
    "stop all nodes, copy their `data` again, and start none before the new log is in its place";

/// The options of `steadfast replace`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The directory of the node, as `steadfast init` made it, without `data`; or its config file.
    #[arg(value_name = "NODE")]
    node: PathBuf,
    /// The directory `data` of each other node, or a copy of it, or the directory that it is in. The contents are not needed,
    /// `data/log` is enough. Nothing in it is changed.
    #[arg(long, value_name = "DIR", num_args = 1.., required = true)]
    from: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Makes the new log, under a temporary name, and puts it in its place in one step.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let config = load(&config_of(&options.node), "replace the node of")?;
    refuse_data(&config.data)?;
    refuse_running(&config)?;
    let around = parent(&config.data);
    let staged = tempfile::Builder::new().prefix(".steadfast-replace-").tempdir_in(around);
    let staged = staged.map_err(|error| unwritten(&config.data, &error))?;
    let data = staged.path().join("data");
    let replaced = steadfast_server::replace(&config, &options.from, &data).map_err(refused)?;
    // Rename replaces an empty directory, and nothing else.
    fs::rename(&data, &config.data).map_err(|error| unwritten(&config.data, &error))?;
    let synced = File::open(around).and_then(|it| it.sync_all());
    synced.map_err(|error| unwritten(&config.data, &error))?;
    match options.json {
        true => say(as_json(&config, &replaced)),
        false => tell(options, &config, &replaced),
    }
    Ok(ExitCode::SUCCESS)
}

/// A directory with anything in it may be that of a node.
fn refuse_data(data: &Path) -> Result<(), Failure> {
    let used = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(Failure::io(format!("cannot read {}", shown(data)), &error)),
    };
    match used {
        true => Err(Failure::of_io(format!("{} is not empty: nothing was changed", shown(data)))
            .help(
                "move it away if the log in it is lost for good; otherwise start the node from it",
            )),
        false => Ok(()),
    }
}

/// A node that accepts connections is not down. Nodes that cannot be reached from here are not noticed.
fn refuse_running(config: &NodeConfig) -> Result<(), Failure> {
    for member in &config.members {
        let addresses = member.address.to_string().to_socket_addrs().into_iter().flatten();
        let mut answers = addresses.filter(|it| TcpStream::connect_timeout(it, ANSWER_MAX).is_ok());
        if let Some(address) = answers.next() {
            let name = &member.name;
            let message = format!("node {name} is not stopped: something listens at {address}");
            return Err(Failure::usage(message).help(STOP_ALL));
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn unwritten(data: &Path, error: &io::Error) -> Failure {
    Failure::io(format!("cannot make {}", shown(data)), error)
}

fn refused(error: ReplaceError) -> Failure {
    let message = with_causes("no log was made".to_owned(), &error);
    match &error {
        ReplaceError::NoLog { .. } => {
            Failure::usage(message).help("--from names the directory `data` of each other node")
        }
        ReplaceError::Read { .. } | ReplaceError::Create(_) => Failure::of_io(message),
        ReplaceError::NoIdentity { .. } => Failure::broken(message),
        ReplaceError::OtherCluster { .. } => Failure::usage(message),
        ReplaceError::Logs(error) => match error {
            ReplacementError::Damaged { .. } => Failure::broken(message),
            ReplacementError::LacksOwnEntries { .. } | ReplacementError::LacksOwnPromise { .. } => {
                Failure::broken(message).help(STOP_ALL)
            }
            ReplacementError::EntriesDiffer { .. } => Failure::broken(message).help(
                "one of the two logs has lost records and went on: no log can be made from both",
            ),
            _ => Failure::usage(message).help("--from needs the log of each other node, each once"),
        },
    }
}

/// How many entries a vector covers.
fn entries(vv: &VersionVector) -> u64 {
    vv.beyond(&VersionVector::default())
}

fn name(config: &NodeConfig, node: NodeId) -> String {
    let member = config.members.iter().find(|it| it.id == node);
    member.map_or(node.to_string(), |it| it.name.to_string())
}

fn as_json(config: &NodeConfig, replaced: &Replaced) -> serde_json::Value {
    let sources = replaced.sources.iter().map(|it| {
        json!({
            "node": name(config, it.node),
            "directory": it.directory,
            "records": it.records,
            "is_uncertain": it.is_uncertain,
        })
    });
    json!({
        "cluster": config.cluster,
        "node": config.name,
        "data": config.data,
        "promise": {"round": replaced.promise.round.0, "node": name(config, replaced.promise.node)},
        "entries": entries(&replaced.vv),
        "heads": replaced.heads,
        "files": replaced.files,
        "contents": replaced.contents,
        "from": sources.collect::<Vec<_>>(),
    })
}

fn tell(options: &Options, config: &NodeConfig, replaced: &Replaced) {
    for source in replaced.sources.iter().filter(|it| it.is_uncertain) {
        warn(format_args!(
            "steadfast: the log in {} ends in a way that a crash may have caused; what stands before was used",
            shown(&source.directory)
        ));
    }
    let Replaced { promise, heads, files, contents, .. } = replaced;
    let (count, entries) = (replaced.sources.len(), entries(&replaced.vv));
    say(format!("{}: a new log for node {} from {count} logs", shown(&config.data), config.name));
    say(format!("  promise {promise}, {entries} entries, {files} files with {heads} versions"));
    if config.settings.write() == 1 {
        say("  W is 1: writes that only the lost node had are lost");
    }
    say(
        "All nodes must have been down since before their logs were copied. Start them now, this one with",
    );
    say(format!(
        "  steadfast serve {}\nIt fetches {contents} contents from the others; `steadfast status` shows when all nodes hold the same.",
        shown(&options.node)
    ));
}
