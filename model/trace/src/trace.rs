//! Traces as text.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::{self, Kind};
use crate::{ReadError, Scope, Step};

/// A run as a list of inputs, which any driver can replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    format: String,
    version: u32,
    /// The scope of the run.
    pub scope: Scope,
    /// The variant that ran, mostly that of a twin; `None` for the protocol as it is.
    #[serde(rename = "twin")]
    pub variant: Option<String>,
    /// The ids of the guarantees that the last step breaks.
    pub breaks: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<TraceStep>,
}

/// A step, with a note for people that no program parses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceStep {
    /// The step.
    pub step: Step,
    /// The same in words.
    #[serde(default)]
    pub note: String,
}

impl Kind for Trace {
    const NAME: &'static str = "trace";
    const FORMAT: &'static str = "steadfast-trace";
    const VERSION: u32 = 1;
    const BYTES_MAX: u64 = 64 << 20;
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
        let (format, version) = (Trace::FORMAT.to_owned(), Trace::VERSION);
        Trace { format, version, scope, variant, breaks, steps }
    }

    /// Reads a trace from a file.
    ///
    /// # Errors
    /// The file cannot be read or is no trace of this version.
    pub fn read(path: &Path) -> Result<Trace, ReadError> {
        file::read(path)
    }

    /// Reads a trace from text.
    ///
    /// # Errors
    /// The text is no trace of this version.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Trace, ReadError> {
        file::parse(text.as_ref())
    }

    /// Writes the trace as text, as [`Trace::parse`] reads it.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        file::write(self, out)
    }
}
