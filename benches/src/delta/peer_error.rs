//! Why a peer cannot be measured.

use std::io;

use thiserror::Error;

/// Why a peer cannot be measured.
#[derive(Debug, Error)]
pub(super) enum PeerError {
    /// A file or a pipe fails.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    /// The system does not say what a step took.
    #[error("cannot ask for the CPU time")]
    Usage(#[from] nix::Error),
    /// A command fails.
    #[error("{program} fails: {message}")]
    Command {
        /// The command.
        program: String,
        /// What it said.
        message: String,
    },
    /// A peer in this process fails.
    #[error("{0}")]
    Failed(String),
    /// A peer made something else than the new version.
    #[error("the result is not the new version")]
    Wrong,
}
