//! `steadfast init` and `steadfast renew`: the files of a cluster.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use steadfast_config::{
    Cluster, ConfigError, InitError, LEAF_YEARS, NodeIdentity, Plan, PlannedNode,
};
use steadfast_output::{say, shown};

use crate::failure::Failure;

/// The options of `steadfast init`.
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The directory that is made. It must not exist.
    #[arg(value_name = "CLUSTER")]
    directory: PathBuf,
    /// The nodes, each with its name and the address at which the others reach it. At most 7.
    #[arg(long, value_name = "NAME=HOST:PORT", value_delimiter = ',', required = true)]
    nodes: Vec<PlannedNode>,
    /// E: votes needed to lead. A majority if not given.
    #[arg(long, value_name = "E")]
    elect: Option<u8>,
    /// W: synced copies needed to acknowledge a write. A majority if not given.
    #[arg(long, value_name = "W")]
    write: Option<u8>,
    /// Let clients cut nodes from each other, for a demonstration of a split network.
    #[arg(long)]
    allow_cut: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The options of `steadfast renew`.
#[derive(Args, Debug)]
pub(crate) struct Renew {
    /// The directory that `init` made, with the key of the authority.
    #[arg(value_name = "CLUSTER")]
    directory: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Makes the files of a cluster.
pub(crate) fn init(options: &Init) -> Result<ExitCode, Failure> {
    let plan = Plan::new(options.nodes.clone()).map_err(failure)?;
    let majority = u8::try_from(options.nodes.len() / 2 + 1).unwrap_or(u8::MAX);
    let (elect, write) = (options.elect.unwrap_or(majority), options.write.unwrap_or(majority));
    let plan = plan.quorums(elect, write).map_err(failure)?.allow_cut(options.allow_cut);
    let cluster = steadfast_config::init(&options.directory, &plan, &mut prepare);
    let cluster = cluster.map_err(failure)?;
    match options.json {
        true => say(as_json(options, &cluster)),
        false => tell(options, &cluster),
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the data directory of a node.
pub(crate) fn prepare(node: &NodeIdentity) -> io::Result<()> {
    steadfast_server::create(&node.data(), node.cluster, node.id, node.settings)
        .map_err(io::Error::other)
}

fn as_json(options: &Init, cluster: &Cluster) -> serde_json::Value {
    let nodes = cluster.nodes.iter().map(|it| {
        json!({"name": it.name, "id": it.id, "address": it.address, "directory": it.directory})
    });
    json!({
        "cluster": cluster.id,
        "directory": options.directory,
        "nodes": nodes.collect::<Vec<_>>(),
        "client": cluster.client,
    })
}

fn tell(options: &Init, cluster: &Cluster) {
    say(format!("cluster {} in {}", cluster.id, shown(&options.directory)));
    for node in &cluster.nodes {
        let (name, address) = (&node.name, &node.address);
        say(format!("  {name}  {address}  steadfast serve {}", shown(&node.directory)));
    }
    say(format!("  client  {}  for everybody who may use the files", shown(&cluster.client)));
    say(format!(
        "Copy the directory of each node to its machine. Keep ca-key.pem secret and off the nodes. `steadfast renew {}` renews the certificates, which are valid for {LEAF_YEARS} years.",
        shown(&options.directory)
    ));
}

/// Renews the certificates of a cluster.
pub(crate) fn renew(options: &Renew) -> Result<ExitCode, Failure> {
    let renewed = steadfast_config::renew(&options.directory).map_err(failure)?;
    if options.json {
        say(json!({"certificates": renewed.certificates, "valid_until": renewed.until}));
        return Ok(ExitCode::SUCCESS);
    }
    for path in &renewed.certificates {
        say(shown(path));
    }
    say(format!(
        "valid until {}; copy each to its machine and start the node again",
        renewed.until
    ));
    Ok(ExitCode::SUCCESS)
}

fn failure(error: InitError) -> Failure {
    match error {
        InitError::Plan(_) | InitError::Exists(_) => Failure::usage(error.to_string()),
        InitError::Config(error) => of_config(&error),
        _ => Failure::of_io(error.to_string()),
    }
}

/// A configuration that cannot be read is an error of input, and one that does not fit is one of usage.
pub(crate) fn of_config(error: &ConfigError) -> Failure {
    match error {
        ConfigError::Read { .. } => Failure::of_io(error.to_string())
            .help("`--client DIR` or STEADFAST_CLIENT names the directory `client` that `steadfast init` made"),
        _ => Failure::usage(error.to_string()),
    }
}
