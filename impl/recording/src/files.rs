//! The files of a recording.

use std::path::{Path, PathBuf};

use crate::ReadError;
use crate::format::FileNumber;

/// The file with this number, such as `000001-0001.rec`.
pub(crate) fn path_of(directory: &Path, file: FileNumber) -> PathBuf {
    directory.join(format!("{:06}-{:04}.rec", file.start, file.part))
}

/// The name of the first file of a start until the node is up. A start that ended before leaves such a file,
/// which the next start replaces.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn number_of(name: &str) -> Option<FileNumber> {
    let (start, part) = name.strip_suffix(".rec")?.split_once('-')?;
    let is_number = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let is_canonical = start.len() >= 6 && part.len() >= 4 && is_number(start) && is_number(part);
    is_canonical
        .then(|| Some(FileNumber { start: start.parse().ok()?, part: part.parse().ok()? }))
        .flatten()
}

/// The numbers of the files in a directory, in order and without a gap; other files are ignored.
///
/// # Errors
/// The directory cannot be read, or a file is missing.
pub(crate) fn list(directory: &Path) -> Result<Vec<FileNumber>, ReadError> {
    let failed = |source| ReadError::Io { path: directory.to_owned(), source };
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    let mut next = FileNumber { start: 1, part: 1 };
    for number in &numbers {
        let is_next = *number == next || (next.part > 1 && *number == start_behind(next));
        if !is_next {
            return Err(ReadError::Missing(path_of(directory, next)));
        }
        next = FileNumber { start: number.start, part: number.part.saturating_add(1) };
    }
    Ok(numbers)
}

/// The first file of the next start.
fn start_behind(next: FileNumber) -> FileNumber {
    FileNumber { start: next.start.saturating_add(1), part: 1 }
}
