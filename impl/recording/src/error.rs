//! The errors of writing and reading.

use std::io;
use std::path::PathBuf;

use steadfast_protocol::Identity;

use crate::{Cluster, VERSION};

/// Why a recording does not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The directory or a file in it cannot be used.
    #[error("cannot record to {}", .path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The recording in the directory cannot be continued.
    #[error("cannot continue the recording that is there")]
    Read(#[from] ReadError),
    /// The directory holds the recording of another node.
    #[error(
        "{} is the recording of {} in cluster {found_cluster}, and this is {} in cluster \
         {expected_cluster}: give each node a directory of its own",
        .directory.display(), words(found), words(expected)
    )]
    OtherNode {
        /// The directory.
        directory: PathBuf,
        /// The node that is recorded there.
        found: Identity,
        /// Its cluster.
        found_cluster: Cluster,
        /// The node that was to be recorded.
        expected: Identity,
        /// Its cluster.
        expected_cluster: Cluster,
    },
    /// The state with which the node starts could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a recording cannot go on. It holds everything up to the last input that was written whole.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// An input or a record is longer than a frame may be.
    #[error("{} does not take a frame of {bytes} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The length of the frame.
        bytes: usize,
    },
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory or a file in it cannot be read.
    #[error("cannot read {}", .path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The directory holds no recording.
    #[error("{} holds no recording: expected files such as 000001-0001.rec", .0.display())]
    Empty(PathBuf),
    /// A file of the recording is missing.
    #[error("{} is missing: files behind it are there", .0.display())]
    Missing(PathBuf),
    /// A file is no recording, or one of another version.
    #[error("{} is {found}: expected a recording of version {VERSION}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// A description of the file.
        found: String,
    },
    /// Bytes are not those that were written.
    #[error("{}, byte {offset}: the recording is damaged: {why}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The offset of the frame, in bytes.
        offset: u64,
        /// The deviation.
        why: String,
    },
}

fn words(identity: &Identity) -> String {
    let settings = identity.settings;
    let (elect, write, nodes) = (settings.elect(), settings.write(), settings.nodes());
    format!("{} (E={elect}, W={write}, N={nodes})", identity.node)
}
