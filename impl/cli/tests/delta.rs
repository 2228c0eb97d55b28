//! `steadfast delta` as a script sees it.

mod room;

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use room::{Room, assert_code, assert_refused, json, lines};

#[test]
fn a_new_version_is_made_from_the_old_one_and_a_patch() {
    for effort in ["fast", "default", "small"] {
        let room = Room::new(&lines(9000, 0), &lines(9000, 5000));
        let diff = room.run(&["diff", "old", "new", "-o", "patch", "--effort", effort, "--json"]);
        assert_code(&diff, 0);
        assert_eq!(json(&diff)["patch_length"], room.read("patch").len());
        assert!(room.read("patch").len() < 300);
        let patch = room.run(&["patch", "old", "patch", "-o", "made", "--json"]);
        assert_code(&patch, 0);
        assert_eq!(json(&patch)["verified"], true);
        assert_eq!(room.read("made"), room.read("new"));
        assert_eq!(room.names(), ["made", "new", "old", "patch"]);
    }
}

#[test]
fn empty_files_have_patches_too() {
    let room = Room::new(b"", b"");
    room.diff();
    assert_code(&room.run(&["patch", "old", "patch", "-o", "made"]), 0);
    assert_eq!(room.read("made"), b"");
}

#[test]
fn a_dash_stands_for_standard_input_and_output() {
    let room = Room::new(&lines(500, 1), &lines(500, 2));
    let patch = room.run_with(&["diff", "old", "-", "-o", "-"], &room.read("new"));
    assert_code(&patch, 0);
    assert_eq!(patch.stdout, room.diff());
    let new = room.run_with(&["patch", "old", "-", "-o", "-"], &patch.stdout);
    assert_code(&new, 0);
    assert_eq!(new.stdout, room.read("new"));
    assert_code(&room.run_with(&["stats", "-"], &patch.stdout), 0);
    assert_refused(&room.run(&["diff", "-", "-", "-o", "patch"]), 2, "only one of");
}

#[test]
fn the_stats_of_a_patch_add_up() {
    let room = Room::new(&lines(9000, 0), &lines(9000, 5000));
    room.diff();
    let output = room.run(&["stats", "patch", "--json"]);
    assert_code(&output, 0);
    let stats = json(&output);
    let number = |name: &str| stats[name].as_u64().expect("a number");
    assert_eq!(number("copied") + number("literals"), number("new_length"));
    assert_eq!(number("new_length"), room.read("new").len() as u64);
    assert_eq!(stats["summed"], true);
}

#[test]
fn a_refused_patch_leaves_the_output_as_it_was() {
    let room = Room::new(&lines(900, 1), &lines(900, 2));
    let patch = room.diff();
    room.write("other", &lines(900, 3));
    room.write("cut", &patch[..patch.len() - 3]);
    room.write("made", b"precious");
    let refused = room.run(&["patch", "other", "patch", "-o", "made"]);
    assert_refused(&refused, 1, "made for another old content");
    assert_refused(&room.run(&["patch", "old", "cut", "-o", "made"]), 1, "cut short");
    assert_refused(&room.run(&["patch", "old", "old", "-o", "made"]), 1, "not a Steadfast patch");
    assert_refused(&room.run(&["patch", "none", "patch", "-o", "made"]), 4, "cannot open none");
    let limited = room.run(&["patch", "old", "patch", "-o", "made", "--limit", "10"]);
    assert_refused(&limited, 2, "at most 10 are accepted");
    assert_eq!(room.read("made"), b"precious");
    assert_eq!(room.names(), ["cut", "made", "new", "old", "other", "patch"]);
}

#[test]
fn an_output_does_not_replace_what_it_was_made_from() {
    let room = Room::new(b"old", b"new");
    symlink("new", room.path("link")).expect("a link");
    for (output, name) in [("old", "OLD"), ("./new", "NEW"), ("link", "NEW")] {
        assert_refused(&room.run(&["diff", "old", "new", "-o", output]), 2, name);
    }
    assert_eq!((room.read("old"), room.read("new")), (b"old".to_vec(), b"new".to_vec()));
    room.run(&["diff", "old", "new", "-o", "patch"]);
    assert_refused(&room.run(&["patch", "old", "patch", "-o", "patch"]), 2, "PATCH");
    assert_refused(&room.run(&["manifest", "old", "-o", "old"]), 2, "FILE");
    assert_eq!(room.read("old"), b"old");
    assert_code(&room.run(&["patch", "old", "patch", "-o", "old"]), 0);
    assert_eq!(room.read("old"), b"new", "a new version may take the place of the old one");
}

#[test]
fn errors_name_what_the_user_knows_and_can_do() {
    let room = Room::new(b"old", b"new");
    let output = room.run(&["diff", "old", "new", "-o", "missing/patch"]);
    assert_refused(&output, 4, "cannot create missing/patch: No such file or directory");
    assert!(!String::from_utf8_lossy(&output.stderr).contains(".tmp"));
    room.run(&["diff", "old", "new", "-o", "patch"]);
    let mut newer = room.read("patch");
    newer[4] += 1;
    room.write("newer", &newer);
    assert_refused(&room.run(&["patch", "old", "newer", "-o", "x"]), 1, "take a newer program");
    room.write("text", b"no patch begins like this");
    let swapped = room.run(&["patch", "patch", "text", "-o", "x"]);
    assert_refused(&swapped, 1, "OLD comes first, and then PATCH");
    let verify = room.run(&["patch", "old", "patch", "-o", "x", "--verify", "whole"]);
    assert_refused(&verify, 2, "cannot be used with");
    for old in [&["patch", "-", "-", "-o", "x"][..], &["patch", "-", "patch", "--in-place"]] {
        assert_refused(&room.run(old), 2, "OLD cannot be standard input");
        assert_refused(&room.run(old), 2, "PATCH can be -");
    }
    assert_refused(&room.run(&["stats", "."]), 4, "cannot read .: Is a directory");
    let patch = room.run(&["patch", "old", ".", "-o", "made"]);
    assert_refused(&patch, 4, "cannot read .: Is a directory");
}

#[test]
fn what_a_link_names_is_replaced_and_keeps_its_permissions() {
    let room = Room::new(&lines(900, 1), &lines(900, 2));
    room.write("secret", b"precious");
    let secret = room.path("secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("ours");
    symlink("secret", room.path("link")).expect("a link");
    room.diff();
    assert_code(&room.run(&["patch", "old", "patch", "-o", "link"]), 0);
    assert_eq!(room.read("secret"), room.read("new"));
    assert_eq!(fs::metadata(&secret).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_link(room.path("link")).expect("a link"), Path::new("secret"));
}

#[test]
fn a_pipe_is_written_to_and_not_replaced() {
    let room = Room::new(&lines(900, 1), &lines(900, 2));
    let patch = room.diff();
    let pipe = room.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("a command").success());
    let held = OpenOptions::new().read(true).write(true).open(&pipe);
    let mut held = held.expect("both ends of a pipe do not wait for each other");
    assert_code(&room.run(&["diff", "old", "new", "-o", "pipe"]), 0);
    assert!(fs::metadata(&pipe).expect("a pipe").file_type().is_fifo());
    let mut written = vec![0; patch.len()];
    held.read_exact(&mut written).expect("what was written");
    assert_eq!(written, patch);
}

#[test]
fn a_patch_that_nobody_reads_is_incomplete() {
    let room = Room::new(&lines(100, 1), &lines(100, 2));
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    let command = command.args(["delta", "diff", "old", "new", "-o", "-"]);
    let closed = std::io::pipe().expect("a pipe").1;
    let output = command.current_dir(room.path("")).stdout(closed).output().expect("a command");
    assert_eq!((output.status.code(), output.stderr), (Some(3), Vec::new()));
}

#[test]
fn an_output_that_is_full_is_named() {
    let room = Room::new(&lines(9000, 0), &lines(9000, 5000));
    room.diff();
    let full = "cannot write /dev/full: No space left";
    assert_refused(&room.run(&["patch", "old", "patch", "-o", "/dev/full"]), 4, full);
    assert_refused(&room.run(&["diff", "old", "new", "-o", "/dev/full"]), 4, full);
}

#[test]
fn folders_are_no_files() {
    let room = Room::new(&lines(900, 1), &lines(900, 2));
    assert_refused(&room.run(&["diff", "old", "new", "-o", "."]), 4, "cannot create .: Is a");
    assert_refused(&room.run(&["diff", "old", ".", "-o", "patch"]), 4, "cannot read .: Is a");
    assert_refused(&room.run(&["patch", ".", "new", "-o", "made"]), 4, "cannot read .: Is a");
    assert_refused(&room.run(&["manifest", "."]), 4, "cannot read .: Is a");
    assert_eq!(room.names(), ["new", "old"]);
}

#[cfg(target_os = "linux")]
mod signals {
    use std::os::unix::fs::OpenOptionsExt;
    use std::os::unix::process::ExitStatusExt;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_signal_in_the_middle_leaves_what_was_there_and_nothing_else() {
        let room = Room::new(&lines(90_000, 1), &vec![7; 1 << 20]);
        let patch = room.diff();
        room.write("made", b"before");
        let mode = Permissions::from_mode(MADE_MODE);
        fs::set_permissions(room.path("made"), mode).expect("it is ours");
        if !knows_nameless_files(&room) {
            return;
        }
        // SIGINT would do the same, but a background job is born ignoring it, and so are these tests.
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let mut child =
                room.command(&["patch", "old", "-", "-o", "made"]).spawn().expect("starts");
            let mut input = child.stdin.take().expect("a pipe");
            input.write_all(&patch[..patch.len() / 2]).expect("it is read");
            let id = Pid::from_raw(child.id().try_into().expect("an id"));
            while !writes_in(&room, id) {
                assert!(child.try_wait().expect("our child").is_none(), "it waits for the rest");
                std::thread::yield_now();
            }
            kill(id, signal).expect("it runs");
            let status = child.wait().expect("it ends");
            assert_eq!(status.signal(), Some(signal as i32));
            assert_eq!(room.read("made"), b"before");
            assert_eq!(room.names(), ["made", "new", "old", "patch"]);
        }
    }

    /// Whether the file system can keep a file without a name; where it cannot, a name is left behind.
    fn knows_nameless_files(room: &Room) -> bool {
        let flags = nix::libc::O_TMPFILE;
        OpenOptions::new().write(true).custom_flags(flags).open(room.path(".")).is_ok()
    }

    /// Whether a process has the file of this room open that it writes, which has the permissions of the
    /// one that it is to replace, and none of the others has.
    fn writes_in(room: &Room, process: Pid) -> bool {
        let files = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
        let files = files.filter_map(|it| it.ok().map(|it| it.path()));
        let mut files =
            files.filter(|it| fs::read_link(it).is_ok_and(|name| name.starts_with(room.path(""))));
        files
            .any(|it| fs::metadata(it).is_ok_and(|it| it.permissions().mode() & 0o777 == MADE_MODE))
    }

    const MADE_MODE: u32 = 0o604;
}
