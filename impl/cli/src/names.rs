//! Names of files on the command line: `-` stands for standard input or output.

use std::path::Path;

/// The name that stands for standard input and standard output.
const STANDARD: &str = "-";

/// Whether a name stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// A name, as messages show it.
pub(crate) fn shown(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { steadfast_output::shown(path) }
}
