//! The journal beside a file that is changed in place.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use steadfast_delta::manifest::{Depth, ManifestBuilder};
use steadfast_delta::{InPlacePlan, JournalError};
use steadfast_output::{directory_of, sync_directory_of, sync_file};

use crate::failure::Failure;

/// The longest name that every common file system accepts, in bytes: eCryptfs, which encrypts names,
/// has the lowest limit.
const NAME_MAX: usize = 143;
const SUFFIX: &str = ".steadfast-journal";
/// A journal that is not complete has this behind its name, and is ignored.
const UNFINISHED: &str = ".new";

/// The place of a journal. A file has this name only while it is a whole, durable journal.
pub(crate) struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The journal of a file, whose path has no links.
    pub(crate) fn beside(path: &Path) -> Journal {
        let name = path.file_name().unwrap_or_default().as_bytes();
        Journal { path: directory_of(path).join(journal_name(name)) }
    }

    /// Reads the journal, if there is one. `owner` is the user who owns the file: a journal says which
    /// bytes to write into it, so only the file's owner, root and the user who runs this may have made it.
    pub(crate) fn read(&self, owner: u32) -> Result<Option<InPlacePlan>, Failure> {
        let name = self.path.display();
        let cannot = |error| Failure::io(format!("cannot read {name}"), &error);
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = match options.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(self.refused("it is a link, which no journal is"));
            }
            Err(error) => return Err(cannot(error)),
        };
        let metadata = file.metadata().map_err(cannot)?;
        if !metadata.is_file() {
            return Err(self.refused("it is no file"));
        }
        let trusted = [owner, 0, nix::unistd::geteuid().as_raw()];
        if !trusted.contains(&metadata.uid()) {
            return Err(self.refused("another user made it"));
        }
        match InPlacePlan::read_journal(BufReader::new(file)) {
            Ok(plan) => Ok(Some(plan)),
            Err(JournalError::Io(error)) => Err(cannot(error)),
            Err(error) => Err(self.refused(&error.to_string())),
        }
    }

    /// Refuses the journal that is there, and keeps it.
    pub(crate) fn refused(&self, why: &str) -> Failure {
        let message = format!("{} cannot be replayed: {why}", self.path.display());
        Failure::broken(message).help(
            "a change of this file may have been interrupted, and nothing was done now: put the file \
             back that the journal belongs to, or move the journal away if this one is as you want it",
        )
    }

    /// Makes the plan durable. On an error there is no journal.
    pub(crate) fn write(&self, plan: &InPlacePlan) -> Result<(), Failure> {
        let written = self.write_whole(plan);
        written.map_err(|error| {
            let _ = fs::remove_file(self.unfinished());
            let what = format!("cannot write {}, and changed nothing", self.path.display());
            Failure::io(what, &error)
        })
    }

    fn write_whole(&self, plan: &InPlacePlan) -> io::Result<()> {
        let unfinished = self.unfinished();
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        // It holds bytes of the file, which may be private.
        let file = options.write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let mut buffered = BufWriter::new(file);
        plan.write_journal(&mut buffered)?;
        let file = buffered.into_inner().map_err(|it| it.into_error())?;
        sync_file(&file, &unfinished)?;
        fs::rename(&unfinished, &self.path)?;
        // Nothing was changed yet, so there is nothing that a journal would have to finish.
        sync_directory_of(&self.path).inspect_err(|_| drop(fs::remove_file(&self.path)))
    }

    /// Removes the journal durably.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        sync_directory_of(&self.path)
    }

    fn unfinished(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(UNFINISHED);
        name.into()
    }

    /// Says that an error left the file in between, and how to go on.
    pub(crate) fn waits(&self, file: &Path, error: &io::Error) -> Failure {
        let what = format!(
            "cannot finish changing {}, which is neither old nor new now; {} holds what remains",
            file.display(),
            self.path.display()
        );
        Failure::io(what, error)
            .help("mend the cause (a full disk: make room) and run the same command again")
    }
}

/// The file's name, hidden; of a name that leaves no room for more, its begin and its hash.
fn journal_name(name: &[u8]) -> OsString {
    let is_short = 1 + name.len() + SUFFIX.len() + UNFINISHED.len() <= NAME_MAX;
    let kept = match is_short {
        true => name.to_vec(),
        false => {
            let mut hash = ManifestBuilder::new(Depth::Chunks);
            hash.update(name);
            let hash = hash.finish().root().to_string();
            let begin = &name[..NAME_MAX / 2];
            [begin, b".", &hash.as_bytes()[..32]].concat()
        }
    };
    OsString::from_vec([b".", &kept[..], SUFFIX.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_of_long_names_have_names_of_their_own_that_are_short_enough() {
        let long = |last: u8| [vec![b'x'; NAME_MAX - 1], vec![last]].concat();
        let names = [b"db".to_vec(), long(b'a'), long(b'b')].map(|it| journal_name(&it));
        assert_eq!(names[0], ".db.steadfast-journal");
        assert_ne!(names[1], names[2]);
        assert!(names.iter().all(|it| it.len() + UNFINISHED.len() <= NAME_MAX));
    }
}
