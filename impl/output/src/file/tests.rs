use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::thread;

use tempfile::TempDir;

use super::*;

const NOBODY: u32 = 65_534;

fn room() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    (directory, path)
}

fn put(path: &Path, mode: u32) {
    fs::write(path, "before").expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn replace(path: &Path) -> io::Result<()> {
    WholeFile::write(path, |out| out.write_all(b"after"))
}

fn count(directory: &TempDir) -> usize {
    fs::read_dir(directory.path()).expect("a directory").count()
}

fn state(path: &Path) -> (u32, u32, u32) {
    let it = fs::metadata(path).expect("a file");
    (it.uid(), it.gid(), it.mode() & 0o7777)
}

#[test]
fn a_link_that_names_nothing_is_refused_and_kept() {
    let (_directory, link) = room();
    symlink("nowhere", &link).expect("a link");
    let error = WholeFile::create(&link).expect_err("it names nothing");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(link.is_symlink());
}

#[test]
fn what_was_there_stays_until_the_file_is_complete_and_nothing_else_is_left() {
    let (directory, path) = room();
    fs::write(&path, "before").expect("a file");
    let failed = WholeFile::write(&path, |out| {
        out.write_all(b"half")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert!(failed.is_err());
    assert_eq!(fs::read(&path).expect("a file"), b"before");
    replace(&path).expect("it can be written");
    assert_eq!(fs::read(&path).expect("a file"), b"after");
    assert_eq!(count(&directory), 1);
}

#[test]
fn where_a_file_must_have_a_name_it_appears_complete_too() {
    let (directory, target) = room();
    let begin = || {
        let (file, name) = named_in(directory.path(), MODE).expect("a file");
        let sink = Sink::File(BufWriter::new(Holes::new(file)), Some(name));
        WholeFile { target: target.clone(), sink }
    };
    begin().write_all(b"half").expect("it can be written");
    assert_eq!(count(&directory), 0);
    let mut whole = begin();
    whole.write_all(b"whole").expect("it can be written");
    whole.finish().expect("it can be named");
    assert_eq!(fs::read(&target).expect("a file"), b"whole");
    assert_eq!(count(&directory), 1);
}

#[test]
fn a_file_passes_on_its_permissions_and_its_owner() {
    let (_directory, path) = room();
    put(&path, 0o640);
    // Where we may, which root does.
    let _ = chown(&path, Some(NOBODY), Some(NOBODY));
    let before = state(&path);
    replace(&path).expect("it can be replaced");
    assert_eq!(fs::read(&path).expect("a file"), b"after");
    assert_eq!(state(&path), before);
}

#[test]
fn permissions_that_are_taken_meanwhile_are_not_given_back() {
    let (_directory, path) = room();
    put(&path, 0o666);
    let mut whole = WholeFile::create(&path).expect("it can be replaced");
    whole.write_all(b"secret").expect("room for it");
    put(&path, 0o600);
    whole.finish().expect("it can be named");
    assert_eq!(state(&path).2, 0o600);
    // One that appeared meanwhile is a file that is replaced like any other.
    let new = path.with_file_name("new");
    let whole = WholeFile::create(&new).expect("there is none");
    put(&new, 0o600);
    whole.finish().expect("it can be named");
    assert_eq!(state(&new).2, 0o600);
}

#[test]
fn a_new_file_gets_no_more_permissions_than_asked_for() {
    let (_directory, path) = room();
    let whole = WholeFile::create_with_mode(&path, 0o600).expect("there is none");
    whole.finish().expect("it can be named");
    assert_eq!(state(&path).2, 0o600);
}

#[test]
fn a_path_that_can_never_be_a_file_is_refused_at_once() {
    let (directory, path) = room();
    put(&path, 0o600);
    let long = "x".repeat(256);
    for name in ["new/", "new/.", "file/", "missing/new", "file/new", "", "..", long.as_str()] {
        let refused = WholeFile::create(&directory.path().join(name));
        // Joined, the empty name is the directory itself.
        assert!(refused.is_err(), "{name:?}");
    }
    assert!(WholeFile::create(Path::new("")).is_err());
    assert_eq!(count(&directory), 1);
}

#[test]
fn a_descriptor_is_written_to_where_it_is_and_not_replaced() {
    let (directory, path) = room();
    let mut held = File::create(&path).expect("a file");
    held.write_all(b"first ").expect("room for it");
    let name = format!("/dev/fd/{}", held.as_raw_fd());
    replace(Path::new(&name)).expect("it is open for writing");
    assert_eq!(fs::read(&path).expect("a file"), b"first after");
    let held = OpenOptions::new().append(true).open(&path).expect("a file");
    let name = format!("/dev/fd/{}", held.as_raw_fd());
    replace(Path::new(&name)).expect("it is open for writing");
    assert_eq!(fs::read(&path).expect("a file"), b"first afterafter");
    assert_eq!(count(&directory), 1);
    let (mut reader, writer) = io::pipe().expect("a pipe");
    replace(Path::new(&format!("/dev/fd/{}", writer.as_raw_fd()))).expect("a pipe is written to");
    drop(writer);
    assert_eq!(io::read_to_string(&mut reader).expect("a pipe"), "after");
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::errno::Errno;
    use nix::libc;
    use nix::unistd::setfsuid;

    use super::*;
    use crate::refusals::refuse;

    /// In a thread of its own, which may lose rights that the others keep.
    fn apart<T: Send>(body: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(body).join()).expect("no assertion fails")
    }

    /// `user::rw-,user:NOBODY:rw-,group::r--,mask::rw-,other::---`: as a mode, 660.
    fn access_list() -> Vec<u8> {
        let entries = [
            (1, 6, u32::MAX),
            (2, 6, NOBODY),
            (4, 4, u32::MAX),
            (16, 6, u32::MAX),
            (32, 0, u32::MAX),
        ];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            list.extend(u16::to_le_bytes(tag));
            list.extend(u16::to_le_bytes(permissions));
            list.extend(id.to_le_bytes());
        }
        list
    }

    const ACCESS_LIST: &str = "system.posix_acl_access";
    const DEFAULT_LIST: &str = "system.posix_acl_default";

    /// Whether the file system of `path` takes an attribute; says so where it does not.
    fn takes(path: &Path, name: &str, value: &[u8]) -> bool {
        let set = xattr::set(path, name, value);
        if let Err(error) = &set {
            println!("skipped: this file system takes no {name}: {error}");
        }
        set.is_ok()
    }

    #[test]
    fn an_access_list_and_attributes_are_kept() {
        let (_directory, path) = room();
        put(&path, 0o640);
        if !takes(&path, "user.origin", b"a place") || !takes(&path, ACCESS_LIST, &access_list()) {
            return;
        }
        let before = state(&path);
        replace(&path).expect("it can be replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"after");
        assert_eq!(state(&path), before);
        let get = |name| xattr::get(&path, name).expect("it can be read");
        assert_eq!(get(ACCESS_LIST), Some(access_list()));
        assert_eq!(get("user.origin").as_deref(), Some(&b"a place"[..]));
    }

    #[test]
    fn a_list_that_the_directory_gives_new_files_opens_no_replaced_one() {
        let (directory, path) = room();
        put(&path, 0o660);
        if !takes(directory.path(), DEFAULT_LIST, &access_list()) {
            return;
        }
        replace(&path).expect("it can be replaced");
        assert_eq!(xattr::get(&path, ACCESS_LIST).expect("it can be read"), None);
        assert_eq!(state(&path).2, 0o660);
    }

    #[test]
    fn a_file_whose_attributes_cannot_be_kept_is_refused_before_any_work() {
        let (directory, path) = room();
        put(&path, 0o640);
        if !takes(&path, "user.origin", b"a place") {
            return;
        }
        let error = apart(|| {
            refuse(&[libc::SYS_fsetxattr], Errno::EPERM);
            WholeFile::create(&path).expect_err("it cannot keep its attribute")
        });
        assert!(error.to_string().contains("user.origin of the file that is there cannot be kept"));
        assert_eq!(count(&directory), 1);
    }

    #[test]
    fn a_list_that_would_speak_of_another_owner_is_refused() {
        let (_directory, path) = room();
        put(&path, 0o666);
        if !takes(&path, ACCESS_LIST, &access_list()) || chown(&path, Some(1), Some(1)).is_err() {
            println!("skipped: files cannot be given away here");
            return;
        }
        let directory = path.parent().expect("a directory");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("it is ours");
        let error = apart(|| {
            setfsuid(NOBODY.into());
            WholeFile::create(&path).expect_err("it cannot keep its owner")
        });
        assert!(error.to_string().starts_with("the access list"), "{error}");
        assert_eq!(state(&path), (1, 1, 0o660));
    }

    #[test]
    fn a_file_that_is_read_only_is_kept() {
        apart(|| {
            // Of this thread only. Permissions say nothing to root; others stay who they are.
            setfsuid(NOBODY.into());
            let (_directory, path) = room();
            put(&path, 0o444);
            let error = WholeFile::create(&path).expect_err("it may not be written to");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert_eq!(fs::read(&path).expect("a file"), b"before");
        });
    }

    #[test]
    fn where_links_are_refused_a_file_has_a_temporary_name() {
        for refusal in [Errno::EACCES, Errno::EPERM, Errno::ENOSYS] {
            let (directory, path) = room();
            apart(|| {
                refuse(&[libc::SYS_linkat, libc::SYS_link], refusal);
                let mut whole = WholeFile::create(&path).expect("it can be created");
                whole.write_all(b"whole").expect("room for it");
                assert_eq!(count(&directory), 1, "its temporary name");
                whole.finish().expect("it can be renamed");
            });
            assert_eq!(fs::read(&path).expect("a file"), b"whole");
            assert_eq!(count(&directory), 1);
        }
    }

    #[test]
    fn a_file_system_that_syncs_no_directories_keeps_the_file() {
        let (directory, path) = room();
        apart(|| {
            refuse(&[libc::SYS_fsync], Errno::EINVAL);
            replace(&path).expect("it can be written");
        });
        assert_eq!(fs::read(&path).expect("a file"), b"after");
        apart(|| {
            refuse(&[libc::SYS_fsync], Errno::EIO);
            assert!(replace(&path).is_err());
        });
        assert_eq!(count(&directory), 1);
    }

    #[test]
    fn a_directory_that_may_not_be_read_keeps_the_file() {
        let (directory, path) = room();
        let mode = |mode| fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode));
        mode(0o333).expect("it is ours");
        apart(|| {
            setfsuid(NOBODY.into());
            replace(&path).expect("it can be written");
        });
        assert_eq!(fs::read(&path).expect("a file"), b"after");
        mode(0o700).expect("it is ours");
    }
}
