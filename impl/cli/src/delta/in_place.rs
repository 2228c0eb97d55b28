//! `steadfast delta patch --in-place`: the files around a plan.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use steadfast_delta::{InPlacePlan, JOURNAL_MAX, OldContent, PatchedFile, Verify};
use steadfast_output::{directory_of, say, sync_directory_of};

use super::input::reader;
use super::patch::{OldFile, refused};
use crate::failure::Failure;

/// Changes `old` into what `patch` makes of it, or finishes a change that was interrupted.
pub(crate) fn run(old: &Path, patch: &Path, verify: Verify, json: bool) -> Result<(), Failure> {
    let cannot = |error| Failure::io(format!("cannot change {}", old.display()), &error);
    let mut file = open(old)?;
    // Whatever link leads to the file, its journal is the same.
    let journal = journal_beside(&std::fs::canonicalize(old).map_err(cannot)?);
    if let Some(plan) = interrupted(&journal, &file).map_err(cannot)? {
        perform(&plan, &mut file, &journal).map_err(cannot)?;
        eprintln!("steadfast: finished a change of {} that was interrupted", old.display());
        tell(json, &plan, true);
        return Ok(());
    }
    let plan = InPlacePlan::new(&file, reader(patch)?, verify);
    let plan = plan.map_err(|error| refused(old, patch, &error))?;
    if let Err(error) = write_journal(&plan, &journal) {
        // A torn one would be taken for no change, too.
        let _ = remove(&journal);
        return Err(cannot(error));
    }
    perform(&plan, &mut file, &journal).map_err(cannot)?;
    tell(json, &plan, false);
    Ok(())
}

/// Opens the file so that no other of these commands changes it at the same time.
fn open(path: &Path) -> Result<OldFile, Failure> {
    let cannot = |error| Failure::io(format!("cannot open {}", path.display()), &error);
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(OldFile(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::usage(format!("{} is being changed by another process", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// The journal's name: the file's, hidden.
fn journal_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".steadfast-journal");
    directory_of(path).join(name)
}

/// The plan that a whole journal holds. A torn one is removed: nothing of it was done.
fn interrupted(journal: &Path, file: &OldFile) -> io::Result<Option<InPlacePlan>> {
    let mut bytes = Vec::new();
    match File::open(journal) {
        Ok(found) => found.take(JOURNAL_MAX as u64 + 1).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let plan = InPlacePlan::from_journal(&bytes);
    match &plan {
        None => remove(journal)?,
        Some(plan) if plan.fits(file.length()?) => {}
        Some(_) => {
            let name = journal.display();
            return Err(io::Error::other(format!("{name} belongs to a file of another length")));
        }
    }
    Ok(plan)
}

fn write_journal(plan: &InPlacePlan, journal: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(journal)?;
    file.write_all(&plan.to_journal())?;
    file.sync_all()?;
    sync_directory_of(journal)
}

fn perform(plan: &InPlacePlan, file: &mut OldFile, journal: &Path) -> io::Result<()> {
    plan.apply(file)?;
    remove(journal)
}

fn remove(journal: &Path) -> io::Result<()> {
    std::fs::remove_file(journal)?;
    sync_directory_of(journal)
}

fn tell(json: bool, plan: &InPlacePlan, replayed: bool) {
    if json {
        say(json!({ "written": plan.written(), "replayed": replayed }));
    }
}

impl PatchedFile for OldFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}
