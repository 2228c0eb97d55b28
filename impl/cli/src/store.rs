//! The commands on the files of a cluster. Each is a client of the nodes.

mod conflicts;
mod get;
mod list;
mod log;
mod put;
mod remove;
mod status;
mod sync;
mod verify;
mod watch;
mod write;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use steadfast_client::{Client, Code, Error, Options, PATH_BYTES_MAX};
use steadfast_config::ClientConfig;
use steadfast_output::duration::seconds;
use steadfast_output::say;

use crate::failure::Failure;
use crate::init::of_config;

/// The variable that names the directory of the client.
const CLIENT: &str = "STEADFAST_CLIENT";

/// A command on the files of a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a file.
    Put(put::Options),
    /// Reads a file.
    Get(get::Options),
    /// Lists the files.
    Ls(list::Options),
    /// Deletes files.
    Rm(remove::Options),
    /// Shows the versions of a file that nothing replaces, the visible one first.
    Log(log::Options),
    /// Lists the files in conflict, with their versions.
    Conflicts(conflicts::Options),
    /// Ends the conflict of a file: writes one version again, over all others.
    Resolve(write::Again),
    /// Writes a version of a file again, over the visible one.
    Restore(write::Again),
    /// Makes the files below a prefix equal to a directory, or the directory to them.
    ///
    /// Only what changed is moved: files are compared by the names of their contents. A file that another client
    /// changes meanwhile is left alone and named; exit code 3 then says that the sides may differ.
    Sync(sync::Options),
    /// Prints changes as they happen.
    Watch(watch::Options),
    /// Shows who leads, who lags, and whether all nodes hold the same.
    Status(status::Options),
    /// Lets nodes verify every content that they have against its name.
    Verify(verify::Options),
}

/// Which cluster, and how long to wait for it.
#[derive(Args, Debug)]
pub(crate) struct Cluster {
    /// The directory of the client, which `steadfast init` made; else that in STEADFAST_CLIENT, else ./client.
    #[arg(long, value_name = "DIR")]
    client: Option<PathBuf>,
    /// Ask this node first, which names its leader: during a cut, a node of the side that is meant.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Give up after this many seconds without progress.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Print JSON: one object, or one per line where there are several.
    #[arg(long)]
    json: bool,
}

impl Command {
    fn cluster(&self) -> &Cluster {
        match self {
            Command::Put(it) => &it.cluster,
            Command::Get(it) => &it.cluster,
            Command::Ls(it) => &it.cluster,
            Command::Rm(it) => &it.cluster,
            Command::Log(it) => &it.cluster,
            Command::Conflicts(it) => &it.cluster,
            Command::Resolve(it) | Command::Restore(it) => &it.cluster,
            Command::Sync(it) => &it.cluster,
            Command::Watch(it) => &it.cluster,
            Command::Status(it) => &it.cluster,
            Command::Verify(it) => &it.cluster,
        }
    }

    async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        match self {
            Command::Put(it) => it.run(client).await,
            Command::Get(it) => it.run(client).await,
            Command::Ls(it) => it.run(client).await,
            Command::Rm(it) => it.run(client).await,
            Command::Log(it) => it.run(client).await,
            Command::Conflicts(it) => it.run(client).await,
            Command::Resolve(it) => it.resolve(client).await,
            Command::Restore(it) => it.restore(client).await,
            Command::Sync(it) => it.run(client).await,
            Command::Watch(it) => it.run(client).await,
            Command::Status(it) => it.run(client).await,
            Command::Verify(it) => it.run(client).await,
        }
    }
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    let client = command.cluster().connect()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot begin", &error))?;
    let result = runtime.block_on(command.run(&client));
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    result
}

impl Cluster {
    fn connect(&self) -> Result<Client, Failure> {
        let named = self.client.clone().or_else(|| env::var_os(CLIENT).map(PathBuf::from));
        let directory = named.unwrap_or_else(|| "client".into());
        let config = ClientConfig::load(&directory).map_err(|it| of_config(&it))?;
        let options = Options { deadline: self.timeout, ..Options::default() };
        let client = Client::new(&config, options).map_err(|it| of_config(&it))?;
        if let Some(node) = &self.node {
            client.begin_with(node).map_err(failed)?;
        }
        Ok(client)
    }

    /// Prints a record as JSON, or the line for people.
    fn show(&self, record: &impl Serialize, line: impl FnOnce() -> String) -> Result<(), Failure> {
        if !self.json {
            say(line());
            return Ok(());
        }
        let text = serde_json::to_string(record);
        say(text.map_err(|error| Failure::io("cannot write JSON", &error))?);
        Ok(())
    }
}

/// A failure of the client library, with its exit code and advice.
fn failed(error: Error) -> Failure {
    let message = error.to_string();
    match &error {
        Error::Config(error) => of_config(error),
        Error::Path { .. } => {
            debug_assert_eq!(PATH_BYTES_MAX, 1024, "the advice says so");
            Failure::usage(message).help(
                "a path is 1 to 1024 bytes of UTF-8: names between slashes, none empty, `.` or `..`, without control characters",
            )
        }
        Error::Argument(_) => Failure::usage(message),
        Error::Damaged { .. } => Failure::broken(message),
        Error::GaveUp { outcome_unknown: true, .. }
        | Error::SourceGone { outcome_unknown: true, .. } => {
            Failure::incomplete(message).help("`--key` repeats a write safely")
        }
        _ => match error.code() {
            Some(Code::ContentMissing) => Failure::broken(message),
            Some(Code::PreconditionFailed | Code::NotAHead | Code::UnknownVersion) => {
                Failure::of_io(message).help("`steadfast log PATH` shows the versions of the file")
            }
            _ => Failure::of_io(message),
        },
    }
}
