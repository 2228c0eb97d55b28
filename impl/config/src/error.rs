//! Why files of a cluster cannot be used or made.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A configuration or a certificate cannot be used. Every message names the file.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// A file is longer than any such file.
    #[error("{} is longer than {limit} bytes, which no such file is", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The length that is accepted.
        limit: u64,
    },
    /// It is no TOML, or has an unknown key, a value of another type, or lacks a key.
    #[error("{}, {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, the mistake and, for an unknown key, the known ones.
        message: String,
    },
    /// A value does not fit.
    #[error("{}: {key}: {why}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key with that value.
        key: &'static str,
        /// The reason, and the accepted values.
        why: String,
    },
    /// A certificate or a key is damaged, or does not belong to the others.
    #[error("{}: {why}", path.display())]
    Credential {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A certificate is not valid any more.
    #[error("{}: the certificate expired on {since}; {}", path.display(), renewal(.is_authority))]
    Expired {
        /// The file.
        path: PathBuf,
        /// The day and time of expiry.
        since: String,
        /// Whether it is that of the certificate authority.
        is_authority: bool,
    },
    /// A certificate is not valid yet.
    #[error("{}: the certificate is valid from {from} on; is the clock of this machine right?", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// The day and time.
        from: String,
    },
    /// Others may read a private key.
    #[error("{}: other users may read this private key (mode {mode:o}); `chmod 600` it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// rustls refuses the certificates.
    #[error("{}: {source}", path.display())]
    Tls {
        /// The certificate.
        path: PathBuf,
        /// The refusal.
        source: rustls::Error,
    },
}

fn renewal(is_authority: &bool) -> &'static str {
    match is_authority {
        false => "`steadfast renew DIR`, where the directory of the cluster is, makes another one",
        true => {
            "with the certificate authority of a cluster, all its certificates end; make new ones with `steadfast init`"
        }
    }
}

/// The files of a cluster cannot be made or renewed. Nothing is left behind.
#[derive(Debug, Error)]
pub enum InitError {
    /// The plan fits no cluster.
    #[error("{0}")]
    Plan(String),
    /// There is something at the path already.
    #[error("{} exists already; name a directory that does not, because the files of a cluster are never overwritten", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot make {}: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// The caller's part of a node's directory failed.
    #[error("cannot prepare node {node}: {source}")]
    Prepare {
        /// The name of the node.
        node: String,
        /// The failure.
        source: io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(io::Error),
    /// Files that are there cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
