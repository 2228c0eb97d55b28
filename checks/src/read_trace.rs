//! Traces from files, as every subcommand that takes one reads it.

use std::path::Path;

use steadfast_guarantees::twins::Variant;
use steadfast_output::exit_code::IO;
use steadfast_trace::Trace;

use crate::catalog::find_variant;
use crate::failure::Failure;

/// A trace with what it names.
pub(crate) struct TraceFile {
    /// The name of the file.
    pub name: String,
    pub trace: Trace,
    /// The twin that ran.
    pub variant: Option<&'static Variant>,
}

/// Reads a trace and checks that its scope and twin exist.
pub(crate) fn read(file: &Path) -> Result<TraceFile, Failure> {
    let name = file.display().to_string();
    let bad = |message: String| Failure { message: format!("{name}: {message}"), code: IO };
    let trace = Trace::read(file).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or(String::new(), |it| format!(": {it}"));
        bad(format!("{error}{cause}"))
    })?;
    trace.scope.validate().map_err(|error| bad(error.to_string()))?;
    let variant = trace.variant.as_deref().map(find_variant).transpose().map_err(bad)?;
    Ok(TraceFile { name, trace, variant })
}
