//! `steadfast delta patch --in-place`: the files around a plan.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use serde_json::json;
use steadfast_delta::{InPlacePlan, OldContent, PatchError, PatchedFile, Stats, Verify, stats};
use steadfast_output::{say, sync_file, warn};

use super::input::{cut_off, reader};
use super::journal::Journal;
use super::refusal::{is_other_old, refused};
use crate::failure::Failure;
use crate::names::{is_standard, shown};

/// How a file is to be changed.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) verify: Verify,
    /// Whether the file is locked against others of these commands.
    pub(crate) locks: bool,
    pub(crate) json: bool,
}

/// Changes `old` into the content that `patch` makes of it. A change that was interrupted is
/// finished first.
pub(crate) fn run(old: &Path, patch: &Path, settings: Settings) -> Result<(), Failure> {
    let cannot = |error| Failure::io(format!("cannot change {}", old.display()), &error);
    let mut file = open(old, settings.locks)?;
    let mut given = Patch::open(patch)?;
    // The journal is the same whatever link leads to the file.
    let journal = Journal::beside(&fs::canonicalize(old).map_err(cannot)?);
    let finished = finish(&journal, &mut file, old)?;
    if let Some(plan) = &finished {
        warn(format_args!(
            "steadfast: finished a change of {} that was interrupted",
            old.display()
        ));
        let asked = given.stats().map_err(|error| refused(old, patch, &error))?;
        if asked.identity == plan.patch() {
            tell(settings.json, plan.written(), true);
            return Ok(());
        }
        warn(format_args!(
            "steadfast: that was a change of another patch; applying {}",
            patch.display()
        ));
    }
    let plan = InPlacePlan::new(&file, given.rewound().map_err(cannot)?, settings.verify);
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) if may_be_applied(&error) && given.has_made(&file).map_err(cannot)? => {
            warn(format_args!("steadfast: {} is already the new version", old.display()));
            tell(settings.json, 0, finished.is_some());
            return Ok(());
        }
        Err(error) => return Err(refused(old, patch, &error)),
    };
    journal.write(&plan)?;
    if let Err(error) = reserve(&plan, &file) {
        journal.remove().map_err(|_| journal.waits(old, &error))?;
        let what = format!("there is no room to change {}, and nothing was changed", old.display());
        return Err(Failure::io(what, &error));
    }
    perform(&plan, &mut file, &journal, old)?;
    tell(settings.json, plan.written(), finished.is_some());
    Ok(())
}

/// Opens the file so that no other of these commands changes it at the same time.
fn open(path: &Path, locks: bool) -> Result<OldFile, Failure> {
    let cannot = |error| Failure::io(format!("cannot open {}", path.display()), &error);
    // First: a pipe would be opened, and then read until some writer closes it.
    let found = fs::metadata(path).map_err(cannot)?.file_type();
    if found.is_fifo() || found.is_socket() || found.is_char_device() {
        let message = format!("{} cannot be changed in place: it is no file", path.display());
        return Err(Failure::usage(message).help("name a file, or make another one with -o NEW"));
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(cannot)?;
    let locked = if locks { file.try_lock() } else { Ok(()) };
    match locked {
        Ok(()) => Ok(OldFile { file, path: path.to_owned() }),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::usage(format!("{} is being changed by another process", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(Failure::io(
            format!("cannot lock {}", path.display()),
            &error,
        )
        .help(
            "if this file system has no locks, say --no-lock, and make sure that no other command \
                 changes the file meanwhile",
        )),
    }
}

/// Finishes a change that was interrupted, if the journal is that of this file.
fn finish(
    journal: &Journal,
    file: &mut OldFile,
    path: &Path,
) -> Result<Option<InPlacePlan>, Failure> {
    let cannot = |error| Failure::io(format!("cannot read {}", path.display()), &error);
    let owner = file.file.metadata().map_err(cannot)?.uid();
    let Some(plan) = journal.read(owner)? else {
        return Ok(None);
    };
    if !plan.recognises(file).map_err(cannot)? {
        let why = format!("{} is not the file whose change it finishes", path.display());
        return Err(journal.refused(&why));
    }
    perform(&plan, file, journal, path)?;
    Ok(Some(plan))
}

/// Takes the room that the writes need, where a file system can do that, before the first of them.
fn reserve(plan: &InPlacePlan, file: &OldFile) -> io::Result<()> {
    let metadata = file.file.metadata()?;
    let length = metadata.len();
    let is_sparse = metadata.blocks() * 512 < length;
    let holes = plan.places().filter(|it| is_sparse && it.0 < length);
    let growth = (plan.new_length() > length).then(|| (length, plan.new_length() - length));
    for (offset, bytes) in holes.chain(growth) {
        let bytes = bytes.min(length.max(plan.new_length()) - offset);
        match allocate(&file.file, offset, bytes) {
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return Ok(()),
            Err(error) => {
                file.file.set_len(length)?;
                return Err(error.into());
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn allocate(file: &File, offset: u64, bytes: u64) -> Result<(), Errno> {
    let signed = |number: u64| i64::try_from(number).map_err(|_| Errno::EFBIG);
    // The length is part of the change, and set when the bytes are written.
    let flags = FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(file, flags, signed(offset)?, signed(bytes)?)
}

fn perform(
    plan: &InPlacePlan,
    file: &mut OldFile,
    journal: &Journal,
    path: &Path,
) -> Result<(), Failure> {
    plan.apply(file).map_err(|error| journal.waits(path, &error))?;
    journal.remove().map_err(|error| {
        let what = format!("{} is changed, but its journal cannot be removed", path.display());
        Failure::io(what, &error)
    })
}

/// A longer patch is not taken from a pipe. One that changes as much as can be changed in place is
/// shorter.
const PIPED_PATCH_MAX: u64 = 256 << 20;

/// A patch that can be read more than once.
struct Patch(File);

impl Patch {
    /// A patch that comes from a pipe is kept in a temporary file.
    fn open(path: &Path) -> Result<Patch, Failure> {
        let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
        // Opened only once: the writer of a named pipe would find its reader gone.
        if !is_standard(path) && fs::metadata(path).is_ok_and(|it| it.is_file()) {
            return Ok(Patch(File::open(path).map_err(cannot)?));
        }
        let mut file = tempfile::tempfile().map_err(cannot)?;
        let copied = io::copy(&mut reader(path)?.take(PIPED_PATCH_MAX + 1), &mut file);
        if copied.map_err(cannot)? > PIPED_PATCH_MAX {
            let mib = PIPED_PATCH_MAX >> 20;
            let message = format!("{} has more than {mib} MiB", shown(path));
            return Err(Failure::usage(message).help("name a file that holds the patch"));
        }
        Ok(Patch(file))
    }

    fn rewound(&mut self) -> io::Result<impl Read> {
        self.0.rewind()?;
        Ok(io::BufReader::new(&self.0))
    }

    fn stats(&mut self) -> Result<Stats, PatchError> {
        stats(self.rewound()?)
    }

    /// Whether a content is the one that the patch makes.
    fn has_made(&mut self, content: &impl OldContent) -> io::Result<bool> {
        self.stats().map_or(Ok(false), |it| it.is_new(content))
    }
}

/// Whether the reason why a patch is refused may be that it is applied already.
fn may_be_applied(error: &PatchError) -> bool {
    is_other_old(error) || matches!(error, PatchError::NotInPlace)
}

fn tell(json: bool, written: u64, replayed: bool) {
    if json {
        say(json!({ "written": written, "replayed": replayed }));
    }
}

/// A file that is changed in place, which may lie where syncing is refused.
struct OldFile {
    file: File,
    path: PathBuf,
}

impl OldContent for OldFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        OldContent::read_exact_at(&self.file, bytes, offset).map_err(cut_off)
    }
}

impl PatchedFile for OldFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        PatchedFile::write_all_at(&mut self.file, bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        sync_file(&self.file, &self.path)
    }
}
