//! JSON files with a format and a version.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A kind of files.
pub(crate) trait Kind: Serialize + DeserializeOwned {
    /// The name of the kind, for people.
    const NAME: &'static str;
    /// The name of the format in the files.
    const FORMAT: &'static str;
    /// The version that is read and written.
    const VERSION: u32;
    /// The largest size of a file in bytes. Larger files are rejected.
    const BYTES_MAX: u64;
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read it")]
    Io(#[from] io::Error),
    /// The file is larger than any of its kind.
    #[error("it is larger than any {kind} ({bytes_max} bytes)")]
    TooLarge {
        /// The kind of files.
        kind: &'static str,
        /// The largest size in bytes.
        bytes_max: u64,
    },
    /// The file is no JSON, is cut short, or lacks a field of its kind or has another one.
    #[error("it is damaged or not a {kind}")]
    Malformed {
        /// The kind of files.
        kind: &'static str,
        /// The first error in it.
        source: serde_json::Error,
    },
    /// The file is JSON of another kind.
    #[error("its format is {found:?}, not {expected:?}")]
    OtherFormat {
        /// The format that the file names.
        found: String,
        /// The format of its kind.
        expected: &'static str,
    },
    /// A newer program wrote the file.
    #[error("it has version {found}; this program reads version {expected}")]
    OtherVersion {
        /// The version that the file names.
        found: u32,
        /// The version that this program reads.
        expected: u32,
    },
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// Reads a file.
pub(crate) fn read<T: Kind>(path: &Path) -> Result<T, ReadError> {
    let mut text = Vec::new();
    let length = File::open(path)?.take(T::BYTES_MAX + 1).read_to_end(&mut text)?;
    if length as u64 > T::BYTES_MAX {
        return Err(ReadError::TooLarge { kind: T::NAME, bytes_max: T::BYTES_MAX });
    }
    parse(&text)
}

/// Reads the text of a file.
pub(crate) fn parse<T: Kind>(text: &[u8]) -> Result<T, ReadError> {
    let malformed = |source| ReadError::Malformed { kind: T::NAME, source };
    let Header { format, version } = serde_json::from_slice(text).map_err(malformed)?;
    if format != T::FORMAT {
        return Err(ReadError::OtherFormat { found: format, expected: T::FORMAT });
    }
    if version != T::VERSION {
        return Err(ReadError::OtherVersion { found: version, expected: T::VERSION });
    }
    serde_json::from_slice(text).map_err(malformed)
}

/// Writes a file as [`parse`] reads it.
pub(crate) fn write(file: &impl Kind, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, file)?;
    out.write_all(b"\n")
}
