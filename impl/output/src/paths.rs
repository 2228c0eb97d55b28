//! Parts of paths.

use std::path::Path;

/// The directory that holds `path`.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
