//! `steadfast` where the system refuses something or a file is not as usual.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory with `old`, `new` and `patch` in it.
struct Room(TempDir);

impl Room {
    fn new(old: &[u8], new: &[u8]) -> Room {
        let room = Room(TempDir::new().expect("a temporary directory"));
        fs::write(room.path("old"), old).expect("a file");
        fs::write(room.path("new"), new).expect("a file");
        assert_code(&room.run("steadfast delta diff old new -o patch"), 0);
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a line of a shell in which `steadfast` is the program.
    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("a shell")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_steadfast");
        command.arg("-c").arg(format!("steadfast() {{ \"{program}\" \"$@\"; }}\n{line}"));
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn count(&self) -> usize {
        fs::read_dir(self.0.path()).expect("a directory").count()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect("a file").mode() & 0o7777
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

fn assert_refused(output: &Output, code: i32, about: &str) {
    assert_code(output, code);
    assert!(said(output).contains(about), "{} says nothing of {about:?}", said(output));
}

const OLD: &[u8] = b"the old version\n";
const NEW: &[u8] = b"the new version\n";

#[test]
fn every_name_of_standard_output_is_written_to() {
    let room = Room::new(OLD, NEW);
    let patch = room.read("patch");
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let piped = room.run(&format!("steadfast delta diff old new -o {name} | cat"));
        assert_eq!((said(&piped), piped.stdout), (String::new(), patch.clone()), "{name}");
        let line = format!("(printf first; steadfast delta diff old new -o {name}) > out");
        assert_code(&room.run(&line), 0);
        assert_eq!(room.read("out"), [b"first", &patch[..]].concat(), "{name}");
        let both = room.run(&format!("steadfast delta diff old new --json -o {name}"));
        assert_refused(&both, 2, "standard output cannot take both");
    }
    let other = room.run("(steadfast delta diff old new -o /dev/fd/7 7>&1 >&2) | cat");
    assert_eq!((said(&other), other.stdout), (String::new(), patch));
}

#[test]
fn closed_descriptors_lose_nothing() {
    let room = Room::new(OLD, NEW);
    for line in [
        "diff old new -o -",
        "patch old patch -o /dev/stdout",
        "manifest old -o -",
        "manifest old",
        "manifest old -o x --json",
        "stats patch",
    ] {
        let closed = room.run(&format!("steadfast delta {line} >&-"));
        assert_refused(&closed, 4, "cannot write to standard output: it is closed");
    }
    for line in ["diff - new -o x", "diff old - -o x", "patch old - -o x", "manifest -", "stats -"]
    {
        let closed = room.run(&format!("steadfast delta {line} <&-"));
        assert_refused(&closed, 4, "standard input: it is closed");
    }
    assert_eq!(room.count(), 3, "nothing is left");
    // An output that is opened while all are closed gets none of what is said.
    let all = room.run("steadfast delta patch old patch -o made --json <&- >&- 2>&-");
    assert_code(&all, 0);
    assert_eq!(room.read("made"), NEW);
    let discarded = room.run("steadfast delta diff old new -o - > /dev/null");
    assert_code(&discarded, 0);
}

#[test]
fn messages_that_nobody_can_read_do_not_change_the_exit_code() {
    let room = Room::new(OLD, NEW);
    assert_code(&room.run("steadfast delta patch missing patch -o x 2> /dev/full"), 4);
    assert_code(&room.run("steadfast wal verify missing 2> /dev/full"), 4);
    assert_code(&room.run("steadfast simulate nothing 2> /dev/full"), 2);
}

#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let room = Room::new(OLD, NEW);
    let directory = room.path("\x1b[31mred\nsteadfast: all is well");
    fs::create_dir(&directory).expect("a directory");
    fs::create_dir(directory.join("in\x07side")).expect("a directory");
    let name = "\"$(printf '\\033[31mred\\nsteadfast: all is well')\"";
    for line in [
        format!("delta diff {name} new -o x"),
        format!("delta diff old new -o {name}"),
        format!("delta patch {name} patch -o x"),
        format!("delta patch {name} patch --in-place"),
        format!("delta patch old {name} -o x"),
        format!("delta manifest {name}"),
        format!("delta stats {name}"),
        format!("simulate {name}"),
        format!("simulate --files {name}"),
        format!("simulate basic-replication --trace {name}/missing/x"),
        format!("wal verify {name}"),
        format!("wal dump {name}"),
    ] {
        let output = room.run(&format!("steadfast {line}"));
        let text = [&output.stdout[..], &output.stderr].concat();
        let shown = text.windows(4).any(|it| it == b"{1b}");
        assert!(shown && !text.contains(&0x1b) && !text.contains(&7), "{line}: {}", said(&output));
        let text = String::from_utf8_lossy(&text);
        assert!(text.lines().all(|it| it != "steadfast: all is well"), "{line}: {text}");
    }
    let unknown = room.run(&format!("steadfast delta {name}"));
    assert_refused(&unknown, 2, "unrecognized subcommand");
    assert!(!unknown.stderr.contains(&0x1b));
}

#[test]
fn an_output_that_can_never_be_is_refused_before_the_inputs_are_read() {
    let room = Room::new(OLD, NEW);
    let long = "x".repeat(256);
    for name in ["q/", "new/q", "missing/q", long.as_str()] {
        let line = format!("exec \"$0\" delta diff old - -o '{name}'");
        let mut command = Command::new("sh");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_steadfast")]).current_dir(room.0.path());
        // It stays open, so that a program that reads it first never ends.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let output = command.stdin(reader).output().expect("a shell");
        assert_refused(&output, 4, "cannot create ");
        drop(writer);
    }
    assert_eq!(room.count(), 3);
}

#[test]
fn new_files_are_no_more_accessible_than_what_they_are_made_of() {
    let room = Room::new(OLD, NEW);
    let mode = |name, mode| {
        fs::set_permissions(room.path(name), Permissions::from_mode(mode)).expect("it is ours");
    };
    for (old, new, patch_mode, made_mode) in [
        (0o644, 0o644, 0o644, 0o644),
        (0o600, 0o644, 0o600, 0o600),
        (0o644, 0o640, 0o640, 0o640),
        (0o755, 0o755, 0o644, 0o755),
        (0o4777, 0o777, 0o644, 0o755),
        (0o444, 0o444, 0o644, 0o644),
    ] {
        mode("old", old);
        mode("new", new);
        let line =
            "umask 022; steadfast delta diff old new -o p && steadfast delta patch old p -o m";
        assert_code(&room.run(line), 0);
        assert_eq!((room.mode("p"), room.mode("m")), (patch_mode, made_mode), "{old:o} {new:o}");
        fs::remove_file(room.path("p")).expect("a file");
        fs::remove_file(room.path("m")).expect("a file");
    }
}

#[test]
fn a_sparse_file_stays_sparse() {
    const LENGTH: u64 = 64 << 20;
    let room = Room::new(OLD, NEW);
    for (name, byte) in [("old", b"x"), ("new", b"y")] {
        let file = File::create(room.path(name)).expect("a file");
        file.set_len(LENGTH).expect("a hole");
        let mut end = OpenOptions::new().append(true).open(room.path(name)).expect("a file");
        end.write_all(byte).expect("room for it");
    }
    assert_code(
        &room.run("steadfast delta diff old new -o p && steadfast delta patch old p -o m"),
        0,
    );
    let made = fs::metadata(room.path("m")).expect("a file");
    assert_eq!(made.len(), LENGTH + 1);
    assert!(room.read("m") == room.read("new"));
    assert!(made.blocks() * 512 <= 1 << 20, "{} blocks", made.blocks());
}

#[test]
fn a_limit_has_a_unit() {
    let room = Room::new(OLD, NEW);
    assert_code(&room.run("steadfast delta patch old patch -o m --limit 1G"), 0);
    assert_code(&room.run("steadfast delta patch old patch -o m --limit 16B"), 0);
    assert_refused(&room.run("steadfast delta patch old patch -o m --limit 15"), 2, "at most 15");
    let refused = room.run("steadfast delta patch old patch -o m --limit 1.5X");
    assert_refused(&refused, 2, "such as 4096, 64K, 100MB or 1G");
}

#[test]
fn a_file_that_grows_beyond_the_size_limit_is_an_error_that_is_told() {
    let noise: Vec<u8> = (0..200_000_u32).flat_map(|it| it.wrapping_pow(7).to_le_bytes()).collect();
    let room = Room::new(OLD, &noise);
    let output = room.run("ulimit -f 8; steadfast delta patch old patch -o m");
    assert_refused(&output, 4, "cannot write m: File too large");
    assert_eq!(room.count(), 3, "nothing is left");
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use std::collections::BTreeMap;
    use std::env::consts::ARCH;
    use std::os::unix::process::ExitStatusExt;
    use std::thread;

    use nix::errno::Errno;
    use nix::libc::{self, c_long};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, apply_filter,
    };

    use super::*;

    type Calls<'a> = &'a [(c_long, Vec<SeccompRule>)];

    /// In a thread whose calls, and those of the programs that it starts, are refused like this.
    fn refused<T: Send>(calls: Calls<'_>, error: Errno, body: impl FnOnce() -> T + Send) -> T {
        let body = || {
            refuse(calls, error);
            body()
        };
        thread::scope(|scope| scope.spawn(body).join()).expect("no assertion fails")
    }

    fn refuse(calls: Calls<'_>, error: Errno) {
        let rules: BTreeMap<_, _> = calls.iter().cloned().collect();
        let error = SeccompAction::Errno((error as i32).unsigned_abs());
        let arch = ARCH.try_into().expect("a processor with such filters");
        let filter =
            SeccompFilter::new(rules, SeccompAction::Allow, error, arch).expect("a filter");
        let program = BpfProgram::try_from(filter).expect("a program");
        apply_filter(&program).expect("a thread may do that");
    }

    /// In a thread whose programs get no threads, however they ask; processes they do.
    fn without_threads<T: Send>(body: impl FnOnce() -> T + Send) -> T {
        let flag = libc::CLONE_THREAD.unsigned_abs().into();
        let is_thread = SeccompCmpOp::MaskedEq(flag);
        let is_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, is_thread, flag);
        let rule = SeccompRule::new(vec![is_thread.expect("an argument")]).expect("a condition");
        // The flags of the newer call are behind a pointer. The C library goes on with the older.
        refused(&[(libc::SYS_clone3, vec![])], Errno::ENOSYS, || {
            refuse(&[(libc::SYS_clone, vec![rule])], Errno::EAGAIN);
            body()
        })
    }

    #[test]
    fn where_no_thread_can_be_started_nothing_panics() {
        let room = Room::new(OLD, NEW);
        for (line, code) in [
            ("delta diff old new -o p", 0),
            ("delta patch old patch -o m", 0),
            ("delta patch old patch -o -", 0),
            ("delta manifest old", 0),
            ("delta stats patch", 0),
            ("simulate basic-replication", 0),
            ("wal verify missing", 4),
            ("delta patch old patch --in-place", 0),
        ] {
            let output = without_threads(|| room.run(&format!("steadfast {line}")));
            assert_code(&output, code);
            assert!(!said(&output).contains("panicked"), "{line}: {}", said(&output));
        }
        assert_eq!(room.read("m"), NEW);
    }

    #[test]
    fn where_directories_cannot_be_synced_the_output_stands_and_a_warning_says_so() {
        let room = Room::new(OLD, NEW);
        let line = "steadfast delta patch old patch -o m";
        let output = refused(&[(libc::SYS_fsync, vec![])], Errno::EINVAL, || room.run(line));
        assert_refused(&output, 0, "steadfast: warning: ");
        assert!(said(&output).contains("cannot be synced (Invalid argument"), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 1);
        assert_eq!(room.read("m"), NEW);
        let output = refused(&[(libc::SYS_fsync, vec![])], Errno::EIO, || room.run(line));
        assert_refused(&output, 4, "cannot write m: Input/output error");
    }

    #[test]
    fn where_links_are_refused_a_signal_removes_the_temporary_file() {
        let room = Room::new(OLD, NEW);
        let linking = [(libc::SYS_linkat, vec![]), (libc::SYS_link, vec![])];
        let line = "steadfast delta patch old patch -o m";
        assert_code(&refused(&linking, Errno::EACCES, || room.run(line)), 0);
        assert_eq!(room.read("m"), NEW);
        assert_eq!(room.count(), 4);
        let start = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
            command.args(["delta", "patch", "old", "-", "-o", "m"]).stdin(Stdio::piped());
            command.current_dir(room.0.path()).spawn().expect("it starts")
        };
        let mut child = refused(&linking, Errno::EPERM, start);
        // It stays open, so that the program does not end by itself.
        let input = child.stdin.take();
        while room.count() < 5 {
            assert!(child.try_wait().expect("our child").is_none(), "it waits for the patch");
            thread::yield_now();
        }
        // Others, such as SIGINT, may be ignored where these tests run, and then stay so.
        let id = Pid::from_raw(child.id().try_into().expect("an id"));
        kill(id, Signal::SIGTERM).expect("it runs");
        assert_eq!(child.wait().expect("it ends").signal(), Some(Signal::SIGTERM as i32));
        drop(input);
        assert_eq!(room.count(), 4, "the temporary file is gone");
        assert_eq!(room.read("m"), NEW);
    }

    #[test]
    fn an_ignored_signal_stays_ignored() {
        let room = Room::new(OLD, NEW);
        let line = format!(
            "trap '' HUP; exec '{}' delta patch old - -o m",
            env!("CARGO_BIN_EXE_steadfast")
        );
        let mut child = room.command(&line).stdin(Stdio::piped()).spawn().expect("a shell");
        let mut input = child.stdin.take().expect("a pipe");
        let tasks = format!("/proc/{}/task", child.id());
        // The thread that waits for signals, and would have installed a handler.
        while fs::read_dir(&tasks).map_or(0, Iterator::count) < 2 {
            assert!(child.try_wait().expect("our child").is_none(), "it waits for the patch");
            thread::yield_now();
        }
        let id = Pid::from_raw(child.id().try_into().expect("an id"));
        kill(id, Signal::SIGHUP).expect("it runs");
        input.write_all(&room.read("patch")).expect("it reads on");
        drop(input);
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        assert_eq!(room.read("m"), NEW);
    }

    #[test]
    fn a_mounted_file_cannot_be_replaced_which_is_said_before_the_work() {
        let room = Room::new(OLD, NEW);
        fs::write(room.path("m"), "mounted").expect("a file");
        let namespace = "unshare --user --map-root-user --mount sh -c";
        if !room.run(&format!("{namespace} 'mount --bind old m'")).status.success() {
            println!("skipped: this system lets nobody mount a file in a namespace");
            return;
        }
        let program = env!("CARGO_BIN_EXE_steadfast");
        let line = format!("mount --bind old m; exec \"{program}\" delta patch old - -o m");
        // It stays open, so that a program that reads it first never ends.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = room.command(&format!("exec {namespace} '{line}'"));
        let output = command.stdin(reader).output().expect("a shell");
        drop(writer);
        assert_refused(&output, 4, "cannot create m: it is a mount point");
        assert!(said(&output).contains("--in-place"), "{}", said(&output));
        assert_eq!(room.read("m"), b"mounted");
    }

    #[test]
    fn a_file_with_an_access_list_keeps_it() {
        let room = Room::new(OLD, NEW);
        fs::write(room.path("m"), "private").expect("a file");
        fs::set_permissions(room.path("m"), Permissions::from_mode(0o640)).expect("it is ours");
        let entries =
            [(1, 6, u32::MAX), (2, 6, 1), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            list.extend([u16::to_le_bytes(tag), u16::to_le_bytes(permissions)].concat());
            list.extend(u32::to_le_bytes(id));
        }
        const NAME: &str = "system.posix_acl_access";
        if let Err(error) = xattr::set(room.path("m"), NAME, &list) {
            println!("skipped: this file system takes no access lists: {error}");
            return;
        }
        assert_code(&room.run("steadfast delta patch old patch -o m"), 0);
        assert_eq!(room.read("m"), NEW);
        assert_eq!(xattr::get(room.path("m"), NAME).expect("it can be read"), Some(list.clone()));
        // Its group bits are the list's mask: the group itself may do nothing.
        fs::set_permissions(room.path("old"), Permissions::from_mode(0o600)).expect("it is ours");
        list[20 + 2] = 0;
        xattr::set(room.path("old"), NAME, &list).expect("a list");
        assert_eq!(room.mode("old"), 0o660);
        assert_code(&room.run("umask 022; steadfast delta patch old patch -o new-one"), 0);
        assert_eq!(room.mode("new-one"), 0o600);
    }

    #[test]
    fn owners_that_a_namespace_does_not_know_are_not_taken_for_each_other() {
        let room = Room::new(OLD, NEW);
        let room_is_open = fs::set_permissions(room.0.path(), Permissions::from_mode(0o777));
        room_is_open.expect("it is ours");
        fs::write(room.path("m"), "of others").expect("a file");
        fs::set_permissions(room.path("m"), Permissions::from_mode(0o606)).expect("it is ours");
        let given = std::os::unix::fs::chown(room.path("m"), Some(1), Some(1));
        if given.is_err() || !room.run("unshare --user true").status.success() {
            println!("skipped: files cannot be given away here, or there are no namespaces");
            return;
        }
        let program = env!("CARGO_BIN_EXE_steadfast");
        let line = format!("unshare --user \"{program}\" delta patch old patch -o m");
        assert_code(&room.run(&line), 0);
        assert_eq!(room.read("m"), NEW);
        assert_eq!(room.mode("m"), 0o600, "another group is not what others were");
    }

    #[test]
    fn a_system_that_refuses_says_so_in_its_own_words() {
        let room = Room::new(OLD, NEW);
        let namespace = "unshare --user --map-root-user --mount sh -c";
        let program = env!("CARGO_BIN_EXE_steadfast");
        fs::create_dir(room.path("d")).expect("a directory");
        let line = format!(
            "{namespace} 'mount -t tmpfs -o ro none d && \"{program}\" delta patch old patch -o d/m'"
        );
        let output = room.run(&line);
        if output.status.code() == Some(1) {
            println!("skipped: this system lets nobody mount in a namespace");
            return;
        }
        assert_refused(&output, 4, "cannot create d/m: Read-only file system (os error 30)");
    }

    #[test]
    fn a_socket_is_named() {
        let room = Room::new(OLD, NEW);
        let socket = std::os::unix::net::UnixListener::bind(room.path("socket"));
        drop(socket.expect("a socket"));
        let output = room.run("steadfast delta patch old patch -o socket");
        assert_refused(&output, 4, "cannot create socket: No such device or address");
    }
}
