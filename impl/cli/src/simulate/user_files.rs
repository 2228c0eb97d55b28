//! The user's files that a simulation is told on: those of a directory and of the directories below it.
//!
//! A file is called by its path from the directory. A link to a file is read as that file; a link to a
//! directory is left out, so that the walk ends and stays below the directory that the user named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use steadfast_output::warn;
use steadfast_sim::scenario::Source;
use steadfast_trace::Scope;

use crate::failure::Failure;
use crate::names::shown;
use crate::scratch::MappedFiles;
use crate::whole::{Whole, is_short_of_room};

/// A simulation takes no more files.
const FILES_MAX: usize = Scope::PATHS_MAX as usize;
/// A simulation takes no more bytes of all files together, unless a single file may have more: it keeps them on
/// every simulated disk, in memory.
const BYTES_MAX: u64 = 256 << 20;
/// So many names are looked at: most of a directory tree with more is no input that was meant.
const NAMES_MAX: usize = 100_000;

/// Takes in all files below a directory that have no more than `length_max` bytes, in the order of their names.
/// Files that cannot be used are named and left out.
pub(super) fn read(
    directory: &Path,
    length_max: u64,
    files: &MappedFiles,
) -> Result<Vec<Source>, Failure> {
    let (sources, waiting) = (Vec::new(), Vec::new());
    let bytes_left = BYTES_MAX.max(length_max);
    let mut walk =
        Walk { root: directory, length_max, bytes_left, files, sources, names: 0, waiting };
    let failed =
        |error: io::Error| Failure::io(format!("cannot read {}", shown(directory)), &error);
    walk.enter(directory).map_err(failed)?;
    while let Some(path) = walk.waiting.pop() {
        walk.visit(&path)?;
    }
    if walk.sources.is_empty() {
        let place = shown(directory);
        return Err(Failure::usage(format!("{place}: there is no file in it that can be used")));
    }
    Ok(walk.sources)
}

struct Walk<'a> {
    root: &'a Path,
    /// The most bytes of a file.
    length_max: u64,
    /// The bytes of further files.
    bytes_left: u64,
    files: &'a MappedFiles,
    sources: Vec<Source>,
    names: usize,
    /// The paths to come, the next one last.
    waiting: Vec<PathBuf>,
}

impl Walk<'_> {
    /// Puts the entries of a directory before those that wait; returns their number.
    fn enter(&mut self, directory: &Path) -> io::Result<usize> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)?.take(NAMES_MAX + 1 - self.names) {
            paths.push(entry?.path());
        }
        self.names += paths.len();
        paths.sort_by(|one, other| other.cmp(one));
        let found = paths.len();
        self.waiting.extend(paths);
        Ok(found)
    }

    fn visit(&mut self, path: &Path) -> Result<(), Failure> {
        let place = shown(self.root);
        if self.names > NAMES_MAX {
            let refusal = format!("{place}: more than {NAMES_MAX} files and directories");
            return Err(Failure::usage(refusal).help("name a directory with fewer"));
        }
        match self.take_in(path) {
            Ok(()) => {}
            Err(Refusal::Ends(failure)) => return Err(failure),
            Err(Refusal::LeftOut(why)) => {
                warn(format_args!("warning: {} is left out: {why}", shown(path)))
            }
        }
        if self.sources.len() > FILES_MAX {
            let refusal = format!(
                "{place}: more than {FILES_MAX} files: a simulation takes 1 to {FILES_MAX}"
            );
            return Err(Failure::usage(refusal));
        }
        Ok(())
    }

    fn take_in(&mut self, path: &Path) -> Result<(), Refusal> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return self.take_in_directory(path);
        }
        let name = path.strip_prefix(self.root).unwrap_or(path).to_str();
        let name = name.ok_or_else(|| left_out("its name is not UTF-8"))?.to_owned();
        if name.chars().any(char::is_control) {
            return Err(left_out("its name has control characters in it"));
        }
        if !metadata.is_file() {
            return Err(left_out("it is not a regular file"));
        }
        if metadata.len() > self.length_max {
            let (length, limit) = (metadata.len(), self.length_max);
            let why = format!("it has {length} bytes, and --file-limit is {limit}");
            return Err(Refusal::LeftOut(why));
        }
        let whole = Whole::try_open(path).map_err(|error| match is_short_of_room(&error) {
            true => Refusal::Ends(Failure::io(format!("cannot read {}", shown(path)), &error)),
            false => Refusal::from(error),
        })?;
        if whole.is_empty() {
            return Err(left_out("it is empty"));
        }
        let bytes = self.files.keep_foreign(whole);
        let left = self.bytes_left.checked_sub(bytes.len() as u64);
        self.bytes_left = left.ok_or_else(|| {
            let place = shown(self.root);
            let limit = BYTES_MAX.max(self.length_max);
            let refusal = format!("{place}: the files have more than {limit} bytes together");
            let help = "name a directory with less, or leave out long files with --file-limit";
            Refusal::Ends(Failure::usage(refusal).help(help))
        })?;
        self.sources.push(Source { name, bytes });
        Ok(())
    }

    fn take_in_directory(&mut self, path: &Path) -> Result<(), Refusal> {
        if path.is_symlink() {
            return Err(left_out("it is a link to a directory, and such links are not followed"));
        }
        match self.enter(path)? {
            0 => Err(left_out("it is an empty directory")),
            _ => Ok(()),
        }
    }
}

enum Refusal {
    /// The file is left out, for this reason.
    LeftOut(String),
    /// Without this file, the story would be told on others than those that were meant.
    Ends(Failure),
}

fn left_out(why: &str) -> Refusal {
    Refusal::LeftOut(why.to_owned())
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::LeftOut(error.to_string())
    }
}
