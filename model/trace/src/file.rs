//! Traces as text.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Scope, Step};

const FORMAT: &str = "steadfast-trace";
const VERSION: u32 = 1;
/// Larger files are rejected.
const BYTES_MAX: u64 = 64 << 20;

/// A run as a list of inputs, which any driver can replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    format: String,
    version: u32,
    /// The scope of the run.
    pub scope: Scope,
    /// The twin that ran, or `None` for the protocol as it is.
    #[serde(rename = "twin")]
    pub variant: Option<String>,
    /// The ids of the guarantees that the last step breaks.
    pub breaks: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<TraceStep>,
}

/// A step, with a note for people that no program parses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The step.
    pub step: Step,
    /// The same in words.
    #[serde(default)]
    pub note: String,
}

/// Why a file cannot be read as a trace.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read it")]
    Io(#[from] io::Error),
    /// The file is larger than any trace.
    #[error("it is larger than any trace ({BYTES_MAX} bytes)")]
    TooLarge,
    /// The file is no JSON, is cut short, or lacks a field of traces.
    #[error("it is damaged or not a trace")]
    Malformed(#[from] serde_json::Error),
    /// The file is JSON of another kind.
    #[error("its format is {found:?}, not {FORMAT:?}")]
    OtherFormat {
        /// The version that it names.
        found: String,
    },
    /// The trace was written by a newer program.
    #[error("it has version {found}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version that the file names.
        found: u32,
    },
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

impl Trace {
    /// A trace of these steps.
    #[must_use]
    pub fn new(
        scope: Scope,
        variant: Option<String>,
        breaks: Vec<String>,
        steps: Vec<TraceStep>,
    ) -> Self {
        Trace { format: FORMAT.to_owned(), version: VERSION, scope, variant, breaks, steps }
    }

    /// Reads a trace from a file.
    ///
    /// # Errors
    /// The file cannot be read or is no trace of this version.
    pub fn read(path: &Path) -> Result<Trace, ReadError> {
        let mut text = Vec::new();
        let file = File::open(path)?;
        let length = file.take(BYTES_MAX + 1).read_to_end(&mut text)?;
        if length as u64 > BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        Trace::parse(text)
    }

    /// Reads a trace from text.
    ///
    /// # Errors
    /// The text is no trace of this version.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Trace, ReadError> {
        let text = text.as_ref();
        let header: Header = serde_json::from_slice(text)?;
        if header.format != FORMAT {
            return Err(ReadError::OtherFormat { found: header.format });
        }
        if header.version != VERSION {
            return Err(ReadError::OtherVersion { found: header.version });
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// Writes the trace as text, as [`Trace::parse`] reads it.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }
}
