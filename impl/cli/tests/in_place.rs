//! `steadfast delta patch --in-place` as a script sees it.

mod room;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Output;

use room::{Room, assert_code, assert_refused, json, lines};
use steadfast_delta::{InPlacePlan, OldContent, Verify};

const JOURNAL: &str = ".old.steadfast-journal";

/// OLD and NEW that differ in a line and in length, and the patch.
fn room() -> Room {
    let room = Room::new(&lines(9000, 0), &lines(9000, 9001));
    room.diff();
    room
}

/// The journal that a change of OLD by PATCH leaves when it is interrupted.
fn journal(room: &Room) -> Vec<u8> {
    let old = Slice(room.read("old"));
    let plan = InPlacePlan::new(&old, &room.read("patch")[..], Verify::Whole);
    let mut journal = Vec::new();
    plan.expect("nothing moved").write_journal(&mut journal).expect("memory");
    journal
}

fn in_place(room: &Room) -> Output {
    room.run(&["patch", "old", "patch", "--in-place", "--json"])
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_is_changed_in_place() {
    for verify in ["touched", "whole"] {
        let room = room();
        let arguments = ["patch", "old", "patch", "--in-place", "--verify", verify, "--json"];
        let output = room.run(&arguments);
        assert_code(&output, 0);
        assert!(json(&output)["written"].as_u64().expect("a number") < 200);
        assert_eq!(room.read("old"), room.read("new"));
        assert_eq!(room.names(), ["new", "old", "patch"]);
    }
}

#[test]
fn a_file_that_is_the_new_version_already_is_left_alone() {
    let room = room();
    room.write("old", &room.read("new"));
    let output = in_place(&room);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("old is already the new version"), "{output:?}");
    assert_eq!(json(&output)["written"], 0);
    assert_eq!(room.read("old"), room.read("new"));
    room.write("old", b"another file");
    assert_refused(&in_place(&room), 1, "made for an old content of");
}

#[test]
fn a_patch_for_an_older_version_says_that_this_one_is_the_new_one() {
    let room = Room::new(&lines(9000, 0), &lines(8000, 4000));
    room.diff();
    let made = room.run(&["patch", "new", "patch", "-o", "made"]);
    assert_refused(&made, 1, "new is already the version that patch makes");
}

#[test]
fn an_interrupted_change_is_finished_whatever_link_leads_to_the_file() {
    let room = room();
    room.write(JOURNAL, &journal(&room));
    let elsewhere = tempfile::tempdir().expect("a folder");
    let link = elsewhere.path().join("link");
    symlink(room.path("old"), &link).expect("a link");
    let link = link.to_str().expect("a name in UTF-8");
    let output = room.run(&["patch", link, "patch", "--in-place", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(json(&output)["replayed"], true);
    assert_eq!(room.read("old"), room.read("new"));
    assert_eq!(room.names(), ["new", "old", "patch"]);
}

#[test]
fn the_given_patch_is_applied_behind_an_interrupted_one() {
    let room = room();
    let journal = journal(&room);
    room.write("newest", &lines(9000, 4000));
    assert_code(&room.run(&["diff", "new", "newest", "-o", "patch"]), 0);
    for input in ["patch", "-"] {
        room.write("old", &lines(9000, 0));
        room.write(JOURNAL, &journal);
        let arguments = ["patch", "old", input, "--in-place"];
        let output = room.run_with(&arguments, &room.read("patch"));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(said(&output).contains("finished a change of old"), "{output:?}");
        assert_eq!(room.read("old"), room.read("newest"));
        assert!(!room.path(JOURNAL).exists());
    }
    // Nothing says that a patch was applied which was not.
    room.write("old", &lines(9000, 0));
    room.write(JOURNAL, &journal);
    room.write("patch", b"nonsense");
    assert_refused(&in_place(&room), 1, "not a Steadfast patch");
}

/// A file of the same length in the place of one whose change was interrupted was damaged by the
/// journal, and the given patch was not applied to it: exit 0.
#[test]
fn a_journal_of_another_file_is_kept_and_not_replayed() {
    let room = room();
    let journal = journal(&room);
    let mut other = room.read("old");
    other[100] ^= 1;
    let longer = [&other[..], b"x"].concat();
    for content in [lines(9000, 17), other, longer, b"something else".to_vec()] {
        room.write(JOURNAL, &journal);
        room.write("old", &content);
        let output = in_place(&room);
        assert_refused(&output, 1, "old is not the file whose change it finishes");
        assert!(room.read("old") == content && room.read(JOURNAL) == journal);
    }
}

#[test]
fn a_journal_that_no_run_of_this_program_leaves_is_kept_and_not_replayed() {
    let room = room();
    let (old, whole) = (room.read("old"), journal(&room));
    let older = [&b"SfJ\x01"[..], &whole[4..]].concat();
    let cases = [
        (&whole[..whole.len() / 2], "the journal is damaged"),
        (b"", "this is not a journal"),
        (b"notes of a user", "this is not a journal"),
        (&older, "the journal has version 1; this program replays version 2"),
    ];
    for (bytes, about) in cases {
        room.write(JOURNAL, bytes);
        assert_refused(&in_place(&room), 1, about);
        assert!(room.read("old") == old && room.read(JOURNAL) == bytes);
    }
    fs::remove_file(room.path(JOURNAL)).expect("a file");
    room.write("elsewhere", &whole);
    symlink("elsewhere", room.path(JOURNAL)).expect("a link");
    assert_refused(&in_place(&room), 1, "it is a link, which no journal is");
    fs::remove_file(room.path(JOURNAL)).expect("a link");
    fs::create_dir(room.path(JOURNAL)).expect("a directory");
    assert_refused(&in_place(&room), 1, "it is no file");
    assert_eq!(room.read("old"), old);
}

/// Whoever may write into a directory must not change other users' files by planting a journal.
#[test]
fn a_journal_that_another_user_made_is_not_replayed() {
    let room = room();
    room.write(JOURNAL, &journal(&room));
    const SOMEBODY: u32 = 12_345;
    if std::os::unix::fs::chown(room.path(JOURNAL), Some(SOMEBODY), None).is_err() {
        return eprintln!("skipped: only root can give a file away");
    }
    assert_refused(&in_place(&room), 1, "another user made it");
}

#[test]
fn an_unfinished_journal_is_no_journal() {
    let room = room();
    room.write(&format!("{JOURNAL}.new"), &journal(&room)[..99]);
    assert_code(&in_place(&room), 0);
    assert_eq!(room.read("old"), room.read("new"));
    assert_eq!(room.names(), ["new", "old", "patch"]);
}

#[test]
fn a_file_whose_name_leaves_no_room_for_a_journal_is_changed_too() {
    let room = room();
    let name = "n".repeat(255);
    fs::rename(room.path("old"), room.path(&name)).expect("a file");
    assert_code(&room.run(&["patch", &name, "patch", "--in-place"]), 0);
    assert_eq!(room.read(&name), room.read("new"));
}

/// A limit on the length of files stops the program at any of its writes.
#[test]
fn a_stopped_change_says_so_and_is_finished_by_the_same_command() {
    let old: Vec<u8> =
        (0..6_000_000_u32).map(|it| (it.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect();
    let mut new = old.clone();
    new.iter_mut().step_by(4096).for_each(|it| *it ^= 1);
    new.extend(old.iter().rev().take(600_000));
    let room = Room::new(&old, &new);
    room.diff();
    let mut interrupted = 0;
    for blocks in [500, 1_000, 5_000, 5_860, 5_900, 6_000, 6_200, 6_400] {
        room.write("old", &old);
        let program = env!("CARGO_BIN_EXE_steadfast");
        let script = format!(
            "ulimit -c 0; ulimit -f {blocks}; exec {program} delta patch old patch --in-place"
        );
        let mut limited = std::process::Command::new("bash");
        let killed = limited.args(["-c", &script]).current_dir(room.path("")).output();
        let stopped = killed.expect("a shell");
        if !stopped.status.success() {
            interrupted += 1;
            assert_eq!(stopped.status.code(), Some(4), "{stopped:?}");
            let waits = room.names().contains(&JOURNAL.to_owned());
            let about = if waits { "run the same command again" } else { "changed nothing" };
            assert!(said(&stopped).contains(about), "{stopped:?}");
        }
        let output = in_place(&room);
        assert_eq!(output.status.code(), Some(0), "{blocks}: {output:?}");
        assert!(room.read("old") == new, "{blocks}");
        assert_eq!(room.names(), ["new", "old", "patch"], "{blocks}");
    }
    assert!(interrupted >= 4, "{interrupted} of the runs were stopped");
}

#[test]
fn a_place_without_journal_changes_nothing() {
    let room = room();
    let old = room.read("old");
    fs::create_dir(room.path(&format!("{JOURNAL}.new"))).expect("a directory");
    let output = in_place(&room);
    assert_refused(&output, 4, "changed nothing");
    assert_eq!(room.read("old"), old);
}

#[test]
fn the_journal_can_be_read_by_nobody_else() {
    let room = room();
    fs::set_permissions(room.path("old"), Permissions::from_mode(0o600)).expect("it is ours");
    // It is caught while the change waits for a file that cannot grow.
    let script = format!(
        "ulimit -c 0; ulimit -f 150; exec {} delta patch old patch --in-place",
        env!("CARGO_BIN_EXE_steadfast")
    );
    let backwards = room.read("old").into_iter().rev();
    let grown: Vec<u8> = room.read("old").into_iter().chain(backwards).collect();
    room.write("new", &grown);
    room.diff();
    let mut limited = std::process::Command::new("bash");
    limited.args(["-c", &script]).current_dir(room.path("")).output().expect("a shell");
    let caught = room.names().into_iter().find(|it| it.starts_with(JOURNAL)).expect("a journal");
    let mode = fs::metadata(room.path(&caught)).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn another_old_content_is_refused_before_a_byte_is_written_out() {
    let room = room();
    let mut other = room.read("old");
    other[5000] ^= 1;
    room.write("old", &other);
    let output = room.run(&["patch", "old", "patch", "-o", "-"]);
    assert_refused(&output, 1, "made for another old content");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_patch_that_is_told_no_place_hears_of_both() {
    let output = room().run(&["patch", "old", "patch"]);
    assert_refused(&output, 2, "--in-place");
    assert_refused(&output, 2, "--output <NEW>");
    let both = room().run(&["patch", "old", "patch", "--in-place", "-o", "made"]);
    assert_refused(&both, 2, "cannot be used with");
    assert_refused(
        &room().run(&["patch", "old", "patch", "-o", "x", "--no-lock"]),
        2,
        "--in-place",
    );
}

#[test]
fn a_file_is_changed_by_one_command_at_a_time_unless_told_not_to_lock() {
    let room = room();
    let file = fs::File::open(room.path("old")).expect("a file");
    file.lock().expect("a lock");
    assert_refused(&in_place(&room), 2, "old is being changed by another process");
    assert_code(&room.run(&["patch", "old", "patch", "--in-place", "--no-lock"]), 0);
    assert_eq!(room.read("old"), room.read("new"));
}

struct Slice(Vec<u8>);

impl OldContent for Slice {
    fn length(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        let start = usize::try_from(offset).expect("64 bits");
        bytes.copy_from_slice(&self.0[start..start + bytes.len()]);
        Ok(())
    }
}
