//! Scopes as text.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::{self, Kind};
use crate::{ReadError, Scope};

/// A scope as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeFile {
    format: String,
    version: u32,
    /// The scope.
    pub scope: Scope,
    /// The ids of the witnesses that a search must reach.
    #[serde(default)]
    pub witnesses: Vec<String>,
}

impl Kind for ScopeFile {
    const NAME: &'static str = "scope";
    const FORMAT: &'static str = "steadfast-scope";
    const VERSION: u32 = 1;
    const BYTES_MAX: u64 = 1 << 20;
}

impl ScopeFile {
    /// The file of a scope.
    #[must_use]
    pub fn new(scope: Scope, witnesses: Vec<String>) -> Self {
        let (format, version) = (ScopeFile::FORMAT.to_owned(), ScopeFile::VERSION);
        ScopeFile { format, version, scope, witnesses }
    }

    /// Reads a scope from a file.
    ///
    /// # Errors
    /// The file cannot be read or is no scope of this version.
    pub fn read(path: &Path) -> Result<ScopeFile, ReadError> {
        file::read(path)
    }

    /// Writes the scope as text, as [`ScopeFile::read`] reads it.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        file::write(self, out)
    }
}
