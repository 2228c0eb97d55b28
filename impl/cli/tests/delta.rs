//! `steadfast delta` as a script sees it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory with OLD and NEW in it, and PATCH after [`Room::diff`].
struct Room(TempDir);

impl Room {
    fn new(old: &[u8], new: &[u8]) -> Room {
        let room = Room(TempDir::new().expect("a temporary directory"));
        room.write("old", old);
        room.write("new", new);
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a temporary file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a temporary file")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a directory");
        let name = |it: fs::DirEntry| it.file_name().into_string().expect("a name of ours");
        let mut names: Vec<String> = entries.map(|it| name(it.expect("an entry"))).collect();
        names.sort();
        names
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, b"")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_steadfast")));
        command.arg("delta").args(arguments).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        // A program that fails early does not read its input.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        child.wait_with_output().expect("the program ends")
    }

    fn diff(&self) -> Vec<u8> {
        assert_code(&self.run(&["diff", "old", "new", "-o", "patch"]), 0);
        self.read("patch")
    }
}

fn assert_code(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.is_empty(), code == 0, "{said}");
}

fn assert_refused(output: &Output, code: i32, about: &str) {
    assert_code(output, code);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(about), "{said:?} says nothing of {about:?}");
}

fn lines(number: usize, changed: usize) -> Vec<u8> {
    let line = |it| format!("{it:>6} {}\n", if it == changed { "rewritten" } else { "as it was" });
    (0..number).map(line).collect::<String>().into_bytes()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

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

#[test]
fn a_file_is_changed_in_place() {
    for verify in ["touched", "whole"] {
        let room = Room::new(&lines(9000, 0), &lines(9000, 9001));
        room.diff();
        let output =
            room.run(&["patch", "old", "patch", "--in-place", "--verify", verify, "--json"]);
        assert_code(&output, 0);
        assert!(json(&output)["written"].as_u64().expect("a number") < 200);
        assert_eq!(room.read("old"), room.read("new"));
        let again = room.run(&["patch", "old", "patch", "--in-place"]);
        assert_refused(&again, 1, "made for another old content");
        assert_eq!(room.read("old"), room.read("new"));
        assert_eq!(room.names(), ["new", "old", "patch"]);
    }
}

#[test]
fn an_interrupted_change_in_place_is_finished() {
    let room = Room::new(&lines(9000, 0), &lines(9000, 9001));
    room.diff();
    let (old, journal) = (room.read("old"), ".old.steadfast-journal");
    let file = steadfast_delta::InPlacePlan::new(
        &Slice(old.clone()),
        &room.read("patch")[..],
        steadfast_delta::Verify::Whole,
    );
    let plan = file.expect("nothing moved").to_journal();
    room.write(journal, &plan[..plan.len() / 2]);
    assert_code(&room.run(&["patch", "old", "patch", "--in-place"]), 0);
    assert_eq!(room.read("old"), room.read("new"));
    room.write("old", &old);
    room.write(journal, &plan);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let link = elsewhere.path().join("link");
    symlink(room.path("old"), &link).expect("a link");
    let link = link.to_str().expect("a name in UTF-8");
    let output = room.run(&["patch", link, "patch", "--in-place", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(json(&output)["replayed"], true);
    assert_eq!(room.read("old"), room.read("new"));
    assert_eq!(room.names(), ["new", "old", "patch"]);
}

#[test]
fn a_journal_of_another_file_is_not_replayed() {
    let room = Room::new(&lines(9000, 0), &lines(9000, 9001));
    room.diff();
    let old = room.read("old");
    let plan = steadfast_delta::InPlacePlan::new(
        &Slice(old),
        &room.read("patch")[..],
        steadfast_delta::Verify::Whole,
    );
    room.write(".old.steadfast-journal", &plan.expect("nothing moved").to_journal());
    room.write("old", b"something else");
    let output = room.run(&["patch", "old", "patch", "--in-place"]);
    assert_refused(&output, 4, "belongs to a file of another length");
    assert_eq!(room.read("old"), b"something else");
}

struct Slice(Vec<u8>);

impl steadfast_delta::OldContent for Slice {
    fn length(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        let start = usize::try_from(offset).expect("64 bits");
        bytes.copy_from_slice(&self.0[start..start + bytes.len()]);
        Ok(())
    }
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

    /// Whether a process has a file of this room open that is none of those with names.
    fn writes_in(room: &Room, process: Pid) -> bool {
        let files = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
        let files = files.filter_map(|it| fs::read_link(it.expect("an entry").path()).ok());
        let mut files = files.filter(|it| it.starts_with(room.0.path()));
        files.any(|it| {
            !it.exists()
                || it.file_name().is_some_and(|it| it.to_string_lossy().starts_with(".tmp"))
        })
    }
}
