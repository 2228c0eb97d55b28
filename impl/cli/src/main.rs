//! `steadfast`: nodes, files of a cluster, the simulator, deltas and logs from the command line.

mod delta;
mod demo;
mod failure;
mod init;
mod mapped;
mod names;
mod packaging;
mod replace;
mod scratch;
mod serve;
mod simulate;
mod source;
mod store;
mod wal;
mod whole;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use steadfast_output::parse;

/// A replicated file store whose protocol is exhaustively checked.
///
/// Exit codes: 0 success, 1 an input or a content is damaged or a promise is broken, 2 wrong usage, 3 not everything
/// was done or printed, or a write may have taken place or not, 4 reading, writing or a request failed.
#[derive(Parser)]
#[command(name = "steadfast", version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the files of a new cluster: certificates and configurations.
    Init(init::Init),
    /// Renews the certificates of a cluster, expired or not.
    Renew(init::Renew),
    /// Runs a node.
    Serve(serve::Options),
    /// Makes a new log for a node whose disk is lost, from the logs of all other nodes.
    ///
    /// All nodes must be stopped, and stay so until the new log is in its place: a node that runs meanwhile may take part in
    /// something that the new log does not know. Checked is that no node of the cluster accepts connections, that no
    /// process of this machine has one of the logs open, that each log has everything that its node has sent to the owner of
    /// another, and that the logs hold the same entries. A copy that was made too early is noticed in this way only if
    /// another log proves it.
    ///
    /// The node gets the contents from the others when it runs again. If W is 1, writes that only the lost disk had are lost.
    Replace(replace::Options),
    /// Runs three nodes on this machine, whose network can be cut and healed.
    Demo(demo::Options),
    #[command(flatten)]
    Store(store::Command),
    /// Makes and applies patches between two versions of a file.
    #[command(subcommand)]
    Delta(delta::Command),
    /// Runs six scenarios of a simulated cluster on real bytes.
    Simulate(simulate::Options),
    /// Shows, verifies and salvages a write-ahead log.
    #[command(subcommand)]
    Wal(wal::Command),
    /// Prints the completions of this program for a shell.
    ///
    /// For bash, `steadfast completions bash > ~/.local/share/bash-completion/completions/steadfast` installs them.
    Completions(packaging::Completions),
    /// Writes the manual pages of this program, one per command.
    Man(packaging::Pages),
}

fn main() -> ExitCode {
    match parse::<Options>().command {
        Command::Init(options) => init::init(&options).unwrap_or_else(|it| it.report()),
        Command::Renew(options) => init::renew(&options).unwrap_or_else(|it| it.report()),
        Command::Serve(options) => serve::run(&options).unwrap_or_else(|it| it.report()),
        Command::Replace(options) => replace::run(&options).unwrap_or_else(|it| it.report()),
        Command::Demo(options) => demo::run(&options).unwrap_or_else(|it| it.report()),
        Command::Store(command) => store::run(&command).unwrap_or_else(|it| it.report()),
        Command::Delta(command) => match delta::run(command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        },
        Command::Simulate(options) => {
            simulate::run(&options).unwrap_or_else(|failure| failure.report())
        }
        Command::Wal(command) => wal::run(&command),
        Command::Completions(options) => {
            packaging::completions::<Options>(&options).unwrap_or_else(|it| it.report())
        }
        Command::Man(options) => {
            packaging::pages::<Options>(&options).unwrap_or_else(|it| it.report())
        }
    }
}
