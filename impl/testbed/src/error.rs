//! Why a cluster could not be made or driven.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// A testbed could not do its work.
#[derive(Debug, Error)]
pub enum TestbedError {
    /// There is no program.
    #[error("there is no program {}; `{build}` builds it", path.display())]
    NoProgram {
        /// The place where it was expected.
        path: PathBuf,
        /// The command that builds it.
        build: &'static str,
    },
    /// A file, directory or process cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// The attempt, with the name of the file or node.
        what: String,
        /// The failure.
        source: io::Error,
    },
    /// `steadfast init` failed.
    #[error("the files of the cluster were not made: {said}")]
    Init {
        /// Its messages.
        said: String,
    },
    /// There is no such node, or it is not in the state that the call needs.
    #[error("node {node} {is}")]
    Node {
        /// The name.
        node: String,
        /// Its state.
        is: &'static str,
    },
    /// A client of the cluster cannot be made.
    #[error(transparent)]
    Client(#[from] steadfast_client::Error),
    /// The nodes did not reach a state in time.
    #[error("waited {} s in vain for {what}; the nodes say:\n{state}", after.as_secs())]
    Late {
        /// The state.
        what: String,
        /// How long they had.
        after: Duration,
        /// What was seen last.
        state: String,
    },
}

impl TestbedError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> TestbedError {
        let what = what.into();
        move |source| TestbedError::Io { what, source }
    }
}
