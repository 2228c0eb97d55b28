//! Descriptors that the process was started with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, StdinLock};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::paths::directory_of;

/// No path leads through more links, as Linux has it.
const LINKS_MAX: usize = 40;

/// Standard input.
///
/// # Errors
/// It is closed. A Rust program finds `/dev/null` in its place, opened for reading and writing, and
/// cannot distinguish it from a `/dev/null` that its caller opened like this. The latter is taken for
/// closed, too: a caller that wants an empty input can name it.
pub fn standard_input() -> io::Result<StdinLock<'static>> {
    match stands_for_closed(io::stdin()) {
        true => Err(io::Error::other("it is closed; for an empty one, name /dev/null")),
        false => Ok(io::stdin().lock()),
    }
}

/// Whether a standard descriptor was closed when the program was started.
pub(crate) fn stands_for_closed(descriptor: impl AsFd) -> bool {
    let flags = fcntl(&descriptor, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    let is_both = flags.is_ok_and(|it| it & OFlag::O_ACCMODE == OFlag::O_RDWR);
    is_both && is_null(descriptor).unwrap_or(false)
}

fn is_null(descriptor: impl AsFd) -> io::Result<bool> {
    let found = File::from(descriptor.as_fd().try_clone_to_owned()?).metadata()?;
    let null = fs::metadata("/dev/null")?;
    Ok(found.file_type().is_char_device() && found.rdev() == null.rdev())
}

/// Whether a path is another name of standard output: `/dev/stdout`, `/dev/fd/1` or
/// `/proc/self/fd/1`.
#[must_use]
pub fn names_standard_output(path: &Path) -> bool {
    named_by(path) == Some(1)
}

/// The descriptor of this process that a path leads to through `/dev/fd` or `/proc/self/fd`. The file
/// behind it may have no other name: it is written to and not replaced.
pub(crate) fn named_by(path: &Path) -> Option<u32> {
    let listed =
        [Path::new("/proc/self/fd"), Path::new("/dev/fd")].map(|it| fs::canonicalize(it).ok());
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let directory = fs::canonicalize(directory_of(&path)).ok()?;
        if listed.iter().flatten().any(|it| *it == directory) {
            return path.file_name()?.to_str()?.parse().ok();
        }
        path = directory.join(fs::read_link(&path).ok()?);
    }
    None
}

/// Opens the file of a descriptor for writing: at its position, or at the end if that is where
/// it writes.
pub(crate) fn reopen(descriptor: u32, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if !fs::metadata(path)?.is_file() {
        return options.open(path);
    }
    let (position, flags) = state(descriptor).unwrap_or((0, OFlag::empty()));
    let mut file = options.custom_flags((flags & OFlag::O_APPEND).bits()).open(path)?;
    file.seek(SeekFrom::Start(position))?;
    Ok(file)
}

/// Where a descriptor is and how it was opened, as Linux shows it.
fn state(descriptor: u32) -> Option<(u64, OFlag)> {
    let path = PathBuf::from(format!("/proc/self/fdinfo/{descriptor}"));
    let text = fs::read_to_string(path).ok()?;
    let field = |name: &str| text.lines().find_map(|it| it.strip_prefix(name)).map(str::trim);
    let flags = i32::from_str_radix(field("flags:")?, 8).ok()?;
    Some((field("pos:")?.parse().ok()?, OFlag::from_bits_retain(flags)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn null_opened_both_ways_stands_for_closed_and_nothing_else_does() {
        let open = |path: &str, read, write| {
            OpenOptions::new().read(read).write(write).open(path).expect("a device")
        };
        assert!(stands_for_closed(open("/dev/null", true, true)));
        assert!(!stands_for_closed(open("/dev/null", true, false)));
        assert!(!stands_for_closed(open("/dev/null", false, true)));
        assert!(!stands_for_closed(open("/dev/zero", true, true)));
        assert!(!stands_for_closed(tempfile::tempfile().expect("a file")));
    }

    #[test]
    fn descriptors_are_found_behind_links() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let file = File::create(&path).expect("a file");
        let descriptor = u32::try_from(file.as_raw_fd()).expect("it is open");
        let name = format!("/dev/fd/{descriptor}");
        let link = directory.path().join("link");
        symlink(&name, &link).expect("a link");
        assert_eq!(named_by(Path::new(&name)), Some(descriptor));
        assert_eq!(named_by(&link), Some(descriptor));
        assert_eq!(named_by(&path), None);
        assert_eq!(named_by(&directory.path().join("missing")), None);
        symlink("loop", directory.path().join("loop")).expect("a link");
        assert_eq!(named_by(&directory.path().join("loop")), None);
        assert!(names_standard_output(Path::new("/dev/fd/1")));
        assert!(!names_standard_output(Path::new("/dev/fd/2")));
    }
}
