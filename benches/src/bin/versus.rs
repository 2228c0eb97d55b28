//! `versus`: Steadfast beside what others use.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use steadfast_benches::{check, cluster, delta, wal};
use steadfast_output::parse;

/// Runs Steadfast beside what others use, in one run, and judges the ratios.
///
/// Exit codes: 0 every target met, 1 some missed, 2 usage, 3 not judged, 4 input or output.
#[derive(Parser)]
#[command(name = "versus", version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The search engine beside stateright's checkers and Spin.
    Check(check::Options),
    /// Three nodes beside three of etcd, and beside rsync.
    Cluster(cluster::Options),
    /// The delta engine beside other delta and sync tools.
    Delta(delta::Options),
    /// The write-ahead log beside raft-engine, okaywal, sqlite and the raw disk.
    Wal(wal::Options),
    /// Performs one search in a process of its own. Used by `versus` itself.
    #[command(name = "check-search-one", hide = true)]
    CheckSearchOne(check::SearchOne),
    /// Replays one log in a process of its own. Used by `versus` itself.
    #[command(name = "wal-replay-one", hide = true)]
    WalReplayOne(wal::ReplayOne),
}

fn main() -> ExitCode {
    match parse::<Options>().command {
        Command::Check(options) => check::run(&options),
        Command::CheckSearchOne(options) => check::search_one(&options),
        Command::Cluster(options) => cluster::run(&options),
        Command::Delta(options) => delta::run(&options),
        Command::Wal(options) => wal::run(&options),
        Command::WalReplayOne(options) => wal::replay_one(&options),
    }
}
