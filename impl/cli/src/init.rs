//! `steadfast init`: makes the files of a new cluster.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use steadfast_config::{InitError, NodeIdentity, Plan, PlannedNode};
use steadfast_output::{say, shown};

use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Options {
    /// The directory to make.
    #[arg(value_name = "CLUSTER")]
    directory: PathBuf,
    /// The nodes, each with the address at which the others and clients reach it.
    #[arg(long, value_name = "NAME=HOST:PORT", value_delimiter = ',', required = true)]
    nodes: Vec<PlannedNode>,
    /// The votes that a leader needs; a majority by default.
    #[arg(long, value_name = "E", requires = "write")]
    elect: Option<u8>,
    /// The copies that a write needs before it is acknowledged; a majority by default. With E+W at most N
    /// the cluster accepts writes on both sides of a cut and keeps all versions.
    #[arg(long, value_name = "W", requires = "elect")]
    write: Option<u8>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made {
    cluster: String,
    nodes: Vec<MadeNode>,
    client: PathBuf,
}

#[derive(Serialize)]
struct MadeNode {
    name: String,
    address: String,
    directory: PathBuf,
}

/// Makes the cluster and says how to go on.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let plan = Plan::new(options.nodes.clone()).map_err(|error| wrong(&error))?;
    let plan = match (options.elect, options.write) {
        (Some(elect), Some(write)) => plan.quorums(elect, write).map_err(|error| wrong(&error))?,
        _ => plan,
    };
    let made = steadfast_config::init(&options.directory, &plan, &mut prepare)
        .map_err(|error| wrong(&error))?;
    let nodes = made.nodes.iter().map(|it| MadeNode {
        name: it.name.to_string(),
        address: it.address.to_string(),
        directory: it.directory.clone(),
    });
    let made = Made { cluster: made.id.to_string(), nodes: nodes.collect(), client: made.client };
    if options.json {
        say(serde_json::to_string_pretty(&made).unwrap_or_default());
        return Ok(());
    }
    say(format_args!("cluster {}", made.cluster));
    for MadeNode { directory, address, .. } in &made.nodes {
        let directory = shown(directory);
        say(format_args!("  on {address}: steadfast serve {directory}"));
    }
    say(format_args!("  clients: steadfast --client {} status", shown(&made.client)));
    say(
        "Copy each directory to its machine. Keep ca-key.pem off the nodes: it admits nodes and clients.",
    );
    Ok(())
}

/// Makes the data directory of a node.
pub(crate) fn prepare(node: &NodeIdentity) -> io::Result<()> {
    steadfast_server::create(&node.data(), node.cluster, node.id, node.settings)
        .map_err(io::Error::other)
}

fn wrong(error: &InitError) -> Failure {
    match error {
        InitError::Plan(_) | InitError::Exists(_) => {
            Failure::usage(format!("no cluster was made: {error}"))
        }
        error => Failure::io("no cluster was made", error),
    }
}
