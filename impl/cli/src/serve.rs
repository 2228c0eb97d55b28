//! `steadfast serve`: runs a node.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use steadfast_config::{ConfigError, LogFormat, NodeConfig};
use steadfast_output::{shown, warn};
use steadfast_server::ServeError;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// How long threads that still write files may take to end.
const ENDING_MAX: Duration = Duration::from_secs(5);

/// The file in the directory of a node.
const CONFIG: &str = "node.toml";

#[derive(Args)]
pub(crate) struct Options {
    /// The directory of the node, as `steadfast init` made it, or its config file.
    #[arg(value_name = "NODE")]
    node: PathBuf,
    /// Record all inputs of the node to this directory, so that `check conform` can replay them. Each node has a
    /// directory of its own, and each start adds files to it. The node stops when it cannot write there.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// End when standard input ends, so that the node does not outlive the program that started it.
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// Runs the node until a signal ends it.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut config = load(&config_of(&options.node), "start from")?;
    config.record = options.record.clone().or(config.record);
    log_to_standard_error(config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start the threads of the node", &error))?;
    let name = config.name.to_string();
    let stop = CancellationToken::new();
    if options.until_input_ends {
        stop_after_input(stop.clone())
            .map_err(|error| Failure::io("cannot start a thread", &error))?;
    }
    let served = runtime.block_on(async {
        let interrupted = stop.clone();
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            warn(format_args!("steadfast: signals cannot be caught; a kill ends the node safely"));
            return steadfast_server::serve(config, stop, || {}).await;
        };
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            interrupted.cancel();
        });
        steadfast_server::serve(config, stop, || {}).await
    });
    runtime.shutdown_timeout(ENDING_MAX);
    served.map_err(|error| refused(&name, &error))?;
    Ok(ExitCode::SUCCESS)
}

/// The config file of a node that is named by its directory or by that file.
pub(crate) fn config_of(node: &Path) -> PathBuf {
    match node.is_dir() {
        true => node.join(CONFIG),
        false => node.to_owned(),
    }
}

/// Loads the configuration of a node, to do this with it.
pub(crate) fn load(file: &Path, purpose: &str) -> Result<NodeConfig, Failure> {
    let loaded = NodeConfig::load(file);
    loaded.map_err(|error| misconfigured(format!("cannot {purpose} {}", shown(file)), &error))
}

/// Stops the node when standard input ends. The thread is not waited for.
fn stop_after_input(stop: CancellationToken) -> io::Result<()> {
    let waiting = move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        stop.cancel();
    };
    std::thread::Builder::new().spawn(waiting).map(drop)
}

/// A configuration that cannot be read is a failure of input, and one that does not fit is wrong usage.
fn misconfigured(what: String, error: &ConfigError) -> Failure {
    match error {
        ConfigError::Read { .. } => Failure::io(what, error),
        _ => Failure::usage(crate::failure::with_causes(what, error)),
    }
}

fn refused(name: &str, error: &ServeError) -> Failure {
    let what = format!("node {name} does not run");
    match error {
        ServeError::Recover(_) => Failure::broken(crate::failure::with_causes(what, error)),
        error => Failure::io(what, error),
    }
}

/// Writes the log to standard error; `RUST_LOG` chooses what it says.
fn log_to_standard_error(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    // Only a second node in the same process would have set one before.
    let _ = set;
}
