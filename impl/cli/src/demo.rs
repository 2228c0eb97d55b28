//! `steadfast demo`: three nodes on this machine, whose network can be cut and healed.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::{Args, Subcommand};
use steadfast_client::Client;
use steadfast_config::{Plan, PlannedNode};
use steadfast_output::{say, shown};

use crate::failure::Failure;
use crate::init::prepare;

/// The names of the nodes.
const NODES: [&str; 3] = ["n0", "n1", "n2"];

/// How often the demo looks whether its nodes run.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long a node may take to end.
const ENDING_MAX: Duration = Duration::from_secs(15);

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    /// The directory with the nodes; the first run makes it.
    #[arg(long, value_name = "DIR", default_value = "steadfast-demo", global = true)]
    directory: PathBuf,
    /// Make a cluster in which only a majority takes writes. Without this, both sides of a cut take writes, and
    /// after the heal all nodes keep all versions.
    #[arg(long)]
    consistent: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Cuts the network between a node of the demo and the others.
    Cut {
        /// The node: n0, n1 or n2.
        node: String,
    },
    /// Heals the network of the demo.
    Heal,
}

/// Runs the demo, or cuts or heals the network of one that runs.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    match &options.action {
        None => run_nodes(options),
        Some(Action::Cut { node }) => cut(&options.directory, Some(node)),
        Some(Action::Heal) => cut(&options.directory, None),
    }
}

fn run_nodes(options: &Options) -> Result<ExitCode, Failure> {
    let directory = &options.directory;
    if !directory.exists() {
        make(directory, options.consistent)?;
    }
    let mut nodes = Vec::new();
    for name in NODES {
        match start(directory, name) {
            Ok(node) => nodes.push(node),
            Err(error) => {
                end(nodes);
                return Err(Failure::io(format!("cannot start node {name}"), &error));
            }
        }
    }
    explain(directory);
    // With a handler, Ctrl-C ends the nodes first.
    steadfast_output::on_interrupt(|| {});
    let ended = loop {
        if steadfast_output::is_interrupted() {
            break None;
        }
        if let Some(name) = nodes.iter_mut().find_map(|node| node.has_ended()) {
            break Some(name);
        }
        std::thread::sleep(INTERVAL);
    };
    end(nodes);
    match ended {
        None => {
            say("The nodes have stopped. The next `steadfast demo` starts them with their files.");
            Ok(ExitCode::SUCCESS)
        }
        Some(name) => {
            let log = shown(&directory.join(name).join("log.txt"));
            Err(Failure::of_io(format!("node {name} has stopped: {log} says why")))
        }
    }
}

/// Makes the cluster, on ports that are free now.
fn make(directory: &Path, is_consistent: bool) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::io("no demo was made", error);
    // All are held until all are chosen, so that they differ.
    let ports = NODES.map(|_| TcpListener::bind(("127.0.0.1", 0)));
    let mut planned = Vec::new();
    for (name, port) in NODES.iter().zip(&ports) {
        let port = match port {
            Ok(port) => port.local_addr().map_err(|error| failed(&error))?.port(),
            Err(error) => return Err(failed(error)),
        };
        let node: Result<PlannedNode, String> = format!("{name}=127.0.0.1:{port}").parse();
        planned.push(node.map_err(Failure::of_io)?);
    }
    let plan = Plan::new(planned).map_err(|error| failed(&error))?.allow_cut(true);
    let plan = match is_consistent {
        true => plan,
        false => plan.quorums(1, 1).map_err(|error| failed(&error))?,
    };
    steadfast_config::init(directory, &plan, &mut prepare).map_err(|error| failed(&error))?;
    Ok(())
}

/// A node of the demo.
struct Node {
    name: &'static str,
    process: Child,
}

impl Node {
    /// The name, if the process has ended.
    fn has_ended(&mut self) -> Option<&'static str> {
        // A process that cannot be asked is gone.
        (!matches!(self.process.try_wait(), Ok(None))).then_some(self.name)
    }
}

/// Starts a node, which ends when its standard input does, so that it never outlives the demo.
fn start(directory: &Path, name: &'static str) -> io::Result<Node> {
    let node = directory.join(name);
    let log = File::options().create(true).append(true).open(node.join("log.txt"))?;
    let process = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg("--until-input-ends")
        .arg(&node)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(Node { name, process })
}

/// Ends the nodes and waits for them.
fn end(nodes: Vec<Node>) {
    let mut processes: Vec<Child> = nodes.into_iter().map(|it| it.process).collect();
    processes.iter_mut().for_each(|it| drop(it.stdin.take()));
    let until = std::time::Instant::now() + ENDING_MAX;
    for mut process in processes {
        while matches!(process.try_wait(), Ok(None)) && std::time::Instant::now() < until {
            std::thread::sleep(INTERVAL / 10);
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn explain(directory: &Path) {
    let client = shown(&directory.join("client"));
    let at = match directory == Path::new("steadfast-demo") {
        true => String::new(),
        false => format!(" --directory {}", shown(directory)),
    };
    say(format_args!(
        "Three nodes run: n0, n1 and n2. Their files and logs are in {}. Ctrl-C stops them.

In another terminal:
  export STEADFAST_CLIENT={client}
  steadfast status
  echo one | steadfast put - notes/hello
  steadfast get notes/hello

Cut the network, write on both sides, and look at both:
  steadfast demo{at} cut n0
  echo left  | steadfast put --node n0 - notes/hello
  echo right | steadfast put --node n1 - notes/hello
  steadfast status

Heal it. No version is lost:
  steadfast demo{at} heal
  steadfast conflicts
  steadfast log notes/hello",
        shown(directory)
    ));
}

/// Cuts a node off from the others, or heals everything.
fn cut(directory: &Path, cut_off: Option<&str>) -> Result<ExitCode, Failure> {
    if let Some(node) = cut_off.filter(|it| !NODES.contains(it)) {
        let nodes = NODES.join(", ");
        return Err(Failure::usage(format!("{node:?} is no node of the demo, which has {nodes}")));
    }
    let client = Client::open(&directory.join("client"));
    let client = client.map_err(|error| {
        Failure::io(format!("no demo is in {}", shown(directory)), &error)
            .help("`steadfast demo` starts one; `--directory` names another place")
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot start", &error))?;
    for node in NODES {
        let others = NODES.iter().copied().filter(|it| *it != node);
        let peers: Vec<&str> = match cut_off {
            None => Vec::new(),
            Some(cut_off) if cut_off == node => others.collect(),
            Some(cut_off) => others.filter(|it| *it == cut_off).collect(),
        };
        let result = runtime.block_on(client.cut(node, &peers));
        result.map_err(|error| Failure::io(format!("node {node} does not do that"), &error))?;
    }
    say(match cut_off {
        Some(node) => format!("{node} no longer hears the others, nor they it"),
        None => "all nodes hear each other again".to_owned(),
    });
    Ok(ExitCode::SUCCESS)
}
