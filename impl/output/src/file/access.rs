//! Permissions and attributes of a file that takes the place of another.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

/// A file under construction is for its maker alone.
pub(super) const OWN: u32 = 0o600;
const SET_ID: u32 = 0o6000;
/// The owner or the group of a file that has none in this namespace.
const UNKNOWN: u32 = 65_534;
const PERMISSIONS: u32 = 0o7777;

/// Gives a file the owner, the group, the permissions, the access list and the other attributes of the
/// one that it is to replace. At no moment can anybody do more with it than with that one.
///
/// Only privileged users may give a file to another owner, and an owner only to a group of theirs. Where
/// the group changes, the group and all others get the permissions that both had before; where either
/// changes, the set-id bits are dropped.
///
/// # Errors
/// It cannot get an attribute or an access list, or would be open to more than before.
pub(super) fn inherit(file: &File, target: &Path, replaced: &Metadata) -> io::Result<()> {
    let attributes = attributes::of(target)?;
    // Before all else, as the next steps give it to others. Where the file system knows no such
    // permissions, the last step notices if that matters.
    let _ = file.set_permissions(Permissions::from_mode(OWN));
    attributes::drop_access_list(file)?;
    let is_given = fchown(file, Some(replaced.uid()), None).is_ok();
    let owner = is_kept(is_given, replaced.uid(), file.metadata()?.uid());
    let is_given = fchown(file, None, Some(replaced.gid())).is_ok();
    let group = is_kept(is_given, replaced.gid(), file.metadata()?.gid());
    // After the owner, as giving a file away takes its capabilities.
    attributes::give(file, &attributes, owner && group)?;
    set_mode(file, kept(replaced.mode() & PERMISSIONS, owner, group))
}

/// Whether an owner or a group stays. In a namespace all that are unknown to it look the same.
fn is_kept(is_given: bool, before: u32, now: u32) -> bool {
    now == before && (is_given || now != UNKNOWN)
}

/// The permissions that stay if the owner and the group do or do not.
fn kept(mode: u32, owner: bool, group: bool) -> u32 {
    let mode = if owner && group { mode } else { mode & !SET_ID };
    let both = mode >> 3 & mode & 0o7;
    if group { mode } else { mode & !0o77 | both << 3 | both }
}

/// The permissions of a file as far as a new file may have them, which has no access list and is of
/// this process's group: group bits that speak of another group, or are the mask of an access list,
/// shrink to the bits that all others have, too. `None` of anything but a file.
#[must_use]
pub fn mode_for_others(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let is_own_group = metadata.gid() == nix::unistd::getegid().as_raw();
    Some(kept(metadata.mode() & PERMISSIONS, true, is_own_group && !attributes::has_list(path)))
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let set = file.set_permissions(Permissions::from_mode(mode));
    let now = file.metadata()?.mode() & PERMISSIONS;
    if now & !mode != 0 {
        let message = format!("its permissions would be {now:o} and no longer {mode:o}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    // One that has no other permissions than these need not take them.
    if now == mode { Ok(()) } else { set }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod attributes {
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::path::Path;

    use nix::errno::Errno;
    use xattr::FileExt;

    use crate::shown::shown;

    pub(super) type Attributes = Vec<(OsString, Vec<u8>)>;

    pub(super) const ACCESS_LIST: &str = "system.posix_acl_access";
    /// Sums of the bytes and of other attributes, which the kernel makes.
    const OF_THE_CONTENT: [&str; 2] = ["security.ima", "security.evm"];

    /// Whether the file at `path` has an access list.
    pub(super) fn has_list(path: &Path) -> bool {
        xattr::get(path, ACCESS_LIST).is_ok_and(|it| it.is_some())
    }

    /// All attributes of the file at `path` that another content may have.
    pub(super) fn of(path: &Path) -> io::Result<Attributes> {
        let names = match xattr::list(path) {
            Err(error) if is_unsupported(&error) => return Ok(Vec::new()),
            names => names?,
        };
        let mut attributes = Vec::new();
        for name in names.filter(|it| !OF_THE_CONTENT.iter().any(|of| it == of)) {
            let value = xattr::get(path, &name).map_err(|error| cannot_keep(&name, &error))?;
            attributes.extend(value.map(|it| (name, it)));
        }
        Ok(attributes)
    }

    /// Takes the access list that a new file has from its directory.
    pub(super) fn drop_access_list(file: &File) -> io::Result<()> {
        match file.remove_xattr(ACCESS_LIST) {
            Err(error) if !is_unsupported(&error) && !is(&error, Errno::ENODATA) => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn give(file: &File, attributes: &Attributes, is_kept: bool) -> io::Result<()> {
        for (name, value) in attributes {
            if name == ACCESS_LIST && !is_kept {
                let why = Errno::EPERM.into();
                return Err(cannot_keep(name, &why));
            }
            // Such as the label that a security policy gives a file by itself.
            if file.get_xattr(name).is_ok_and(|it| it.as_ref() == Some(value)) {
                continue;
            }
            file.set_xattr(name, value).map_err(|error| cannot_keep(name, &error))?;
        }
        Ok(())
    }

    fn cannot_keep(name: &OsStr, error: &io::Error) -> io::Error {
        let what = match name == ACCESS_LIST {
            true => "the access list",
            false => "the attribute",
        };
        let name = shown(Path::new(name));
        let why = format!("{what} {name} of the file that is there cannot be kept: {error}");
        io::Error::new(error.kind(), why)
    }

    fn is_unsupported(error: &io::Error) -> bool {
        error.kind() == ErrorKind::Unsupported || is(error, Errno::EOPNOTSUPP)
    }

    fn is(error: &io::Error, errno: Errno) -> bool {
        error.raw_os_error() == Some(errno as i32)
    }
}

/// Attributes are not kept here: there are some that only the system may give.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod attributes {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn has_list(_: &Path) -> bool {
        false
    }

    pub(super) fn of(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn drop_access_list(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn give(_: &File, (): &(), _: bool) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_do_not_pass_to_another_group_or_owner() {
        for (mode, owner, group, expected) in [
            (0o4755, true, true, 0o4755),
            (0o6755, false, true, 0o755),
            (0o2755, true, false, 0o755),
            (0o640, false, true, 0o640),
            (0o640, false, false, 0o600),
            (0o660, true, false, 0o600),
            (0o604, true, false, 0o600),
            (0o664, false, false, 0o644),
            (0o1777, false, false, 0o1777),
        ] {
            assert_eq!(kept(mode, owner, group), expected, "{mode:o} {owner} {group}");
        }
    }
}
