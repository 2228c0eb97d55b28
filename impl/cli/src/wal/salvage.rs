//! `steadfast wal salvage`: a new log from the intact part of a damaged one.

use std::error::Error;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use steadfast_output::exit_code::BROKEN;
use steadfast_output::{directory_of, say, sync_directory_of, warn};
use steadfast_wal::{LogIndex, OpenError, RealDisk, Rescued, SalvageError, salvage_into};
use tempfile::Builder;

use super::{SALVAGE, exit_code, explain, help};
use crate::failure::Failure;
use crate::names::shown;

/// Which log, and where the new one goes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Salvage {
    /// The directory of the log.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The directory of the new log, which must be empty or not exist yet.
    #[arg(value_name = "NEW")]
    new: PathBuf,
}

impl Salvage {
    /// Copies into a directory of another name, because a log that is copied in part opens as well.
    pub(super) fn run(&self) -> Result<ExitCode, Failure> {
        refuse_files(&self.new)?;
        self.refuse_inside()?;
        let beside = directory_of(&self.new);
        let draft = Builder::new()
            .prefix(".steadfast-salvage-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(beside)
            .map_err(|it| Failure::io(format!("cannot create a file in {}", shown(beside)), &it))?;
        let old = RealDisk::new(&self.directory);
        let rescued = match salvage_into(&old, Arc::new(RealDisk::new(draft.path()))) {
            Ok(rescued) => rescued,
            Err(SalvageError::Unreadable(error)) => {
                warn(format_args!("steadfast: {}", explain(&self.directory, &error)));
                help(&error, &[SALVAGE]);
                return Ok(exit_code(&error));
            }
            Err(error) => return Err(self.unwritten(first_cause(&error))),
        };
        fs::rename(draft.path(), &self.new).map_err(|it| self.unwritten(&it))?;
        // It has another name now and is not to be removed.
        let _ = draft.keep();
        sync_directory_of(&self.new).map_err(|it| self.unwritten(&it))?;
        say(account(&self.new, &rescued));
        Ok(self.verdict(rescued))
    }

    /// A file in the directory of a log that is none of its own would keep the log from being read.
    fn refuse_inside(&self) -> Result<(), Failure> {
        let (Ok(old), Ok(beside)) =
            (self.directory.canonicalize(), directory_of(&self.new).canonicalize())
        else {
            return Ok(());
        };
        if !beside.starts_with(&old) {
            return Ok(());
        }
        let (new, old) = (shown(&self.new), shown(&self.directory));
        Err(Failure::usage(format!("{new} is inside {old}, the directory of the log"))
            .help("name a directory outside"))
    }

    fn unwritten(&self, error: &dyn Error) -> Failure {
        Failure::io(format!("cannot write the new log {}", shown(&self.new)), error)
    }

    fn verdict(&self, rescued: Rescued) -> ExitCode {
        let lost = match rescued.end {
            Ok(tail) if !tail.is_uncertain() => return ExitCode::SUCCESS,
            Ok(tail) => {
                let sentence = tail.case.sentence();
                format!("{}: the tail is uncertain: {sentence}", shown(&self.directory))
            }
            Err(damage) => {
                let directory = self.directory.display().to_string();
                OpenError::Damaged { directory, damage }.to_string()
            }
        };
        warn(format_args!("steadfast: {lost}"));
        warn(format_args!("  help: {SALVAGE}"));
        ExitCode::from(BROKEN)
    }
}

fn refuse_files(new: &Path) -> Result<(), Failure> {
    let taken = match fs::symlink_metadata(new) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => error,
        Ok(metadata) if !metadata.is_dir() => ErrorKind::NotADirectory.into(),
        Ok(_) => match fs::read_dir(new).map(|mut it| it.next().is_none()) {
            Ok(true) => return Ok(()),
            Ok(false) => ErrorKind::DirectoryNotEmpty.into(),
            Err(error) => error,
        },
    };
    Err(Failure::io(format!("cannot write the new log {}", shown(new)), &taken)
        .help("NEW must be empty or not exist yet"))
}

/// The innermost cause of an error: that of the system, without the names of files that have other
/// names by now.
fn first_cause(mut error: &dyn Error) -> &dyn Error {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

/// The contents of the new log in words.
fn account(new: &Path, rescued: &Rescued) -> String {
    let Rescued { log, through, last, .. } = rescued;
    let records = match last.0 - through.0 {
        0 => "no records".to_owned(),
        1 => format!("record {last}"),
        _ => format!("records {} to {last}", through.next()),
    };
    let state = match through {
        LogIndex(0) => String::new(),
        _ => format!(", behind a checkpoint that stands for records up to {through}"),
    };
    format!("{}: log {log} with {records}{state}", shown(new))
}
