//! Making files and their names durable, as far as the file system can.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Once;

use nix::errno::Errno;

use crate::paths::directory_of;
use crate::shown::shown;
use crate::standard::warn_as_program;

/// How file systems say that they cannot sync this kind of thing: EINVAL and EOPNOTSUPP of old CIFS and
/// of vboxsf, EBADF and ENOSYS of others; EACCES and EPERM of a directory that may be written to and
/// not be read, or of a policy.
const REFUSALS: [Errno; 6] =
    [Errno::EINVAL, Errno::EOPNOTSUPP, Errno::EBADF, Errno::ENOSYS, Errno::EACCES, Errno::EPERM];

/// Makes the names in the directory of `path` durable.
///
/// A file system that cannot do that is no failure: the file is there, and trying again would not help.
/// Standard error gets a warning, once per process.
///
/// # Errors
/// The directory cannot be opened, or the device fails or is full.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = directory_of(path);
    tolerate(directory, File::open(directory).and_then(|it| it.sync_all()))
}

/// Makes the bytes of a file durable in the same way. `path` names it in the warning.
///
/// # Errors
/// The device fails or is full.
pub fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    tolerate(path, file.sync_all())
}

fn tolerate(path: &Path, synced: io::Result<()>) -> io::Result<()> {
    match synced {
        Err(error) if is_refusal(&error) => {
            static SAID: Once = Once::new();
            let why = "a power failure soon after may undo the write";
            SAID.call_once(|| {
                warn_as_program(format!(
                    "warning: {} cannot be synced ({error}): {why}",
                    shown(path)
                ));
            });
            Ok(())
        }
        synced => synced,
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|it| REFUSALS.contains(&Errno::from_raw(it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_cannot_is_told_from_a_device_that_fails() {
        let of = |it: Errno| tolerate(Path::new("x"), Err(it.into()));
        for refusal in REFUSALS {
            assert!(of(refusal).is_ok(), "{refusal}");
        }
        for failure in [Errno::EIO, Errno::ENOSPC, Errno::EDQUOT, Errno::ENOENT, Errno::EMFILE] {
            assert!(of(failure).is_err(), "{failure}");
        }
        assert!(tolerate(Path::new("x"), Ok(())).is_ok());
    }
}
