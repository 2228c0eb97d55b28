//! The files of a directory by their names, which have slashes between components.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use steadfast_client::check_path;
use steadfast_output::{sync_directory_of, warn};

use super::super::failed;
use crate::failure::Failure;
use crate::names::shown;

/// The regular files of a directory.
pub(super) struct Tree {
    root: PathBuf,
    /// The length of each file.
    pub(super) files: BTreeMap<String, u64>,
}

impl Tree {
    /// Reads the names. Links and other special files are left out with a warning. If `may_be_new`, a directory that does not exist
    /// is an empty one.
    pub(super) fn read(root: &Path, may_be_new: bool) -> Result<Tree, Failure> {
        let mut tree = Tree { root: root.to_owned(), files: BTreeMap::new() };
        match fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(Failure::usage(format!("{} is no directory", shown(root)))),
            Err(error) if may_be_new && error.kind() == io::ErrorKind::NotFound => return Ok(tree),
            Err(error) => return Err(Failure::io(format!("cannot read {}", shown(root)), &error)),
        }
        let mut waiting = vec![(root.to_owned(), String::new())];
        while let Some((directory, prefix)) = waiting.pop() {
            let read = tree.enter(&directory, &prefix, &mut waiting)?;
            read.map_err(|error| {
                Failure::io(format!("cannot read {}", shown(&directory)), &error)
            })?;
        }
        Ok(tree)
    }

    fn enter(
        &mut self,
        directory: &Path,
        prefix: &str,
        waiting: &mut Vec<(PathBuf, String)>,
    ) -> Result<io::Result<()>, Failure> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        for entry in entries {
            let described = entry.and_then(|it| Ok((it.path(), it.file_name(), it.metadata()?)));
            let (path, name, metadata) = match described {
                Ok(described) => described,
                Err(error) => return Ok(Err(error)),
            };
            let Some(name) = name.to_str() else {
                return Err(Failure::usage(format!("{}: the name is not UTF-8", shown(&path))));
            };
            let name = format!("{prefix}{name}");
            if metadata.is_dir() {
                waiting.push((path, format!("{name}/")));
            } else if metadata.is_file() {
                check_path(&name).map_err(failed)?;
                self.files.insert(name, metadata.len());
            } else {
                warn(format_args!("steadfast: {}: left out, it is no regular file", shown(&path)));
            }
        }
        Ok(Ok(()))
    }

    /// The place of a file. Its name is a legal path, so it stays below the directory.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes the directories that a file needs. A link among them, or in the place of the file, is refused, because
    /// it leads elsewhere.
    pub(super) fn make_directory_of(&self, name: &str) -> Result<(), Failure> {
        let cannot =
            |path: &Path, error| Failure::io(format!("cannot make {}", shown(path)), &error);
        fs::create_dir_all(&self.root).map_err(|error| cannot(&self.root, error))?;
        let path = self.path_of(name);
        if fs::symlink_metadata(&path).is_ok_and(|it| !it.is_file()) {
            return Err(in_the_way(&path, "regular file"));
        }
        let mut directory = self.root.clone();
        let Some((parents, _)) = name.rsplit_once('/') else { return Ok(()) };
        for component in parents.split('/') {
            directory.push(component);
            match fs::symlink_metadata(&directory) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(in_the_way(&directory, "directory")),
                Err(_) => {
                    fs::create_dir(&directory).map_err(|error| cannot(&directory, error))?;
                    sync_directory_of(&directory).map_err(|error| cannot(&directory, error))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.path_of(name);
        let cannot = |error| Failure::io(format!("cannot remove {}", shown(&path)), &error);
        fs::remove_file(&path).map_err(cannot)
    }
}

fn in_the_way(path: &Path, expected: &str) -> Failure {
    Failure::of_io(format!("{} is in the way: it is no {expected}", shown(path)))
}
