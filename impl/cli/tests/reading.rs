//! Inputs as they occur: files that change, that cannot be mapped, that have holes, and that are no
//! files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_steadfast");

fn room() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn delta(room: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("delta").args(arguments).current_dir(room.path());
    command.output().expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeds(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
}

fn fails(output: &Output, code: i32, about: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    assert!(said(output).contains(about), "{} says nothing of {about:?}", said(output));
}

/// Bytes that nothing packs.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(word).take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

/// Diffs to a pipe that takes less than the patch, and calls `meanwhile` when the inputs are open
/// and the patch is begun but cannot be finished.
fn diff_while(room: &TempDir, more: &[&str], meanwhile: impl FnOnce()) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["delta", "diff", "old", "new", "-o", "-"]).args(more).current_dir(room.path());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut patch = child.stdout.take().expect("a pipe");
    patch.read_exact(&mut [0]).expect("a patch is begun");
    meanwhile();
    patch.read_to_end(&mut Vec::new()).expect("a pipe");
    child.wait_with_output().expect("the program ends")
}

fn pair(room: &TempDir) -> (PathBuf, PathBuf) {
    let [old, new] = ["old", "new"].map(|it| room.path().join(it));
    fs::write(&old, b"an old version").expect("a file");
    fs::write(&new, noise(1 << 20)).expect("a file");
    (old, new)
}

#[test]
fn a_new_version_that_is_written_meanwhile_is_no_version_although_its_time_is_set_back() {
    let room = room();
    let (_, new) = pair(&room);
    let output = diff_while(&room, &[], || {
        let file = File::options().write(true).open(&new).expect("the file");
        let time = file.metadata().expect("metadata").modified().expect("a time");
        file.write_all_at(b"torn", (1 << 20) - 4).expect("room");
        file.set_modified(time).expect("a time can be set");
    });
    fails(&output, 4, "new was changed while it was read");
    fails(&output, 4, "make a copy");
}

#[test]
fn an_old_version_that_is_written_meanwhile_is_named() {
    let room = room();
    let (old, _) = pair(&room);
    let output = diff_while(&room, &[], || {
        let file = File::options().write(true).open(&old).expect("the file");
        let time = file.metadata().expect("metadata").modified().expect("a time");
        file.write_all_at(b"torn", 0).expect("room");
        file.set_modified(time).expect("a time can be set");
    });
    fails(&output, 4, "old was changed while it was read");
}

#[test]
fn a_file_that_grows_or_is_cut_meanwhile_is_told_with_its_lengths() {
    for length in [1 << 19, 1 << 21] {
        let room = room();
        let (_, new) = pair(&room);
        let output = diff_while(&room, &[], || {
            let file = File::options().write(true).open(&new).expect("the file");
            file.set_len(length).expect("it can be cut and lengthened");
        });
        fails(&output, 4, "new was changed while it was read: it ");
    }
}

#[test]
fn a_file_that_another_process_has_open_for_writing_is_read_if_it_stays_the_same() {
    let room = room();
    let (_, new) = pair(&room);
    let writer = File::options().append(true).open(&new).expect("the file");
    for more in [&[][..], &["--read-twice"]] {
        let arguments = [&["diff", "old", "new", "-o", "patch"], more].concat();
        succeeds(&delta(&room, &arguments));
        succeeds(&delta(&room, &["patch", "old", "patch", "-o", "made"]));
        assert!(fs::read(room.path().join("made")).expect("a file") == noise(1 << 20));
        succeeds(&delta(&room, &[&["manifest", "new"], more].concat()));
    }
    drop(writer);
}

/// The system makes these up while they are read: their lengths are 0 and 4096, and they cannot be
/// mapped.
#[cfg(target_os = "linux")]
#[test]
fn files_that_cannot_be_mapped_are_read() {
    let room = room();
    pair(&room);
    let made_up = [
        "/proc/version",
        "/proc/sys/kernel/ostype",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/kernel/profiling",
        "/sys/kernel/uevent_seqnum",
        "/sys/devices/system/cpu/online",
    ];
    for path in made_up {
        let Ok(content) = fs::read(path) else {
            println!("skipped: this system has no {path}");
            continue;
        };
        succeeds(&delta(&room, &["diff", "old", path, "-o", "to"]));
        succeeds(&delta(&room, &["patch", "old", "to", "-o", "made"]));
        assert_eq!(fs::read(room.path().join("made")).expect("a file"), content, "{path}");
        succeeds(&delta(&room, &["diff", path, "new", "-o", "from", "--read-twice"]));
        succeeds(&delta(&room, &["patch", path, "from", "-o", "made"]));
        assert!(fs::read(room.path().join("made")).expect("a file") == noise(1 << 20), "{path}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_error_is_no_change() {
    let room = room();
    pair(&room);
    succeeds(&delta(&room, &["diff", "old", "new", "-o", "patch"]));
    // Nothing is mapped at address 0 of the process that reads.
    let unreadable = "/proc/self/mem";
    for arguments in [
        &["diff", unreadable, "new", "-o", "x"][..],
        &["diff", "old", unreadable, "-o", "x"],
        &["patch", unreadable, "patch", "-o", "x"],
        &["manifest", unreadable],
    ] {
        let output = delta(&room, arguments);
        fails(&output, 4, "cannot read /proc/self/mem: Input/output error");
        assert!(!said(&output).contains("changed"), "{}", said(&output));
    }
}

#[test]
fn a_pipe_and_an_empty_device_are_old_versions_for_diff_and_for_patch() {
    let room = room();
    let (old, _) = pair(&room);
    for source in ["pipe", "/dev/null", "-"] {
        for command in [&["diff"][..], &["patch"]] {
            let (last, output) = if command == ["diff"] { ("new", "p") } else { ("p", "made") };
            let pipe = room.path().join("pipe");
            let _ = fs::remove_file(&pipe);
            assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
            let mut child = Command::new(PROGRAM)
                .args(["delta", command[0], source, last, "-o", output])
                .current_dir(room.path())
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            let bytes = fs::read(&old).expect("a file");
            if source == "pipe" {
                fs::write(&pipe, &bytes).expect("a reader");
            }
            let mut input = child.stdin.take().expect("a pipe");
            if source == "-" {
                input.write_all(&bytes).expect("a reader");
            }
            drop(input);
            succeeds(&child.wait_with_output().expect("the program ends"));
        }
        assert!(fs::read(room.path().join("made")).expect("a file") == noise(1 << 20), "{source}");
    }
}

/// Opens a named pipe for writing once a process waits at its other end.
fn writer_of(pipe: &Path) -> File {
    loop {
        let opened = File::options().write(true).custom_flags(nix::libc::O_NONBLOCK).open(pipe);
        match opened {
            Ok(file) => return file,
            Err(error) if error.raw_os_error() == Some(nix::libc::ENXIO) => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(error) => panic!("a pipe: {error}"),
        }
    }
}

/// As `cat` and `cmp` do: a pipe has no writer yet when its reader comes first.
#[test]
fn commands_wait_for_the_writer_of_a_named_pipe() {
    let room = room();
    let (old, new) = pair(&room);
    succeeds(&delta(&room, &["diff", "old", "new", "-o", "p"]));
    let patch = room.path().join("p");
    fs::write(room.path().join("changed"), b"an old version").expect("a file");
    for (arguments, given) in [
        (&["diff", "pipe", "new", "-o", "made"][..], &old),
        (&["diff", "old", "pipe", "-o", "made"], &new),
        (&["patch", "pipe", "p", "-o", "made"], &old),
        (&["patch", "old", "pipe", "-o", "made"], &patch),
        (&["patch", "changed", "pipe", "--in-place"], &patch),
        (&["manifest", "pipe", "-o", "made"], &new),
        (&["stats", "pipe"], &patch),
    ] {
        let pipe = room.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        let child = Command::new(PROGRAM)
            .arg("delta")
            .args(arguments)
            .current_dir(room.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut writer = writer_of(&pipe);
        // A second opening by the program would miss what is written now.
        let bytes = fs::read(given).expect("a file");
        let (first, rest) = bytes.split_at(bytes.len().min(10));
        writer.write_all(first).expect("a reader");
        let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty());
        nix::fcntl::fcntl(&writer, flags).expect("a pipe");
        writer.write_all(rest).expect("a reader");
        drop(writer);
        succeeds(&child.wait_with_output().expect("the program ends"));
        fs::remove_file(&pipe).expect("a pipe");
    }
    assert!(fs::read(room.path().join("changed")).expect("a file") == noise(1 << 20));
}

/// A pipe has no place to be changed in: reading it would wait for a writer that closes it.
#[test]
fn what_is_no_file_is_not_changed_in_place_and_not_waited_for() {
    let room = room();
    pair(&room);
    succeeds(&delta(&room, &["diff", "old", "new", "-o", "p"]));
    let pipe = room.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    for old in ["pipe", "/dev/null"] {
        let output = delta(&room, &["patch", old, "p", "--in-place"]);
        fails(&output, 2, &format!("{old} cannot be changed in place: it is no file"));
    }
}

/// Runs a script as root of namespaces of its own, where it may mount. `None` where that is not
/// allowed.
fn in_a_namespace(room: &TempDir, script: &str) -> Option<Output> {
    for unshare in [&["-m", "-r"][..], &["-m"]] {
        let run = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(unshare).args(["sh", "-euc", script, "sh", PROGRAM]);
            command.current_dir(room.path()).stdin(Stdio::null()).output()
        };
        let mounts = run("mkdir -p mnt && mount -t tmpfs -o size=1m none mnt");
        if mounts.is_ok_and(|it| it.status.success()) {
            return Some(run(script).expect("unshare runs"));
        }
    }
    println!("skipped: no mounts in a namespace of one's own are allowed here");
    None
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_with_holes_in_memory_keeps_them_when_it_is_read() {
    let room = room();
    let script = r#"
        mount -t tmpfs -o size=2m none mnt
        cd mnt
        for name in old new; do
            printf begin > $name
            truncate -s 16M $name
            printf end >> $name
        done
        printf here | dd of=new bs=1 seek=5000000 conv=notrunc status=none
        before="$(stat -c %b old new)"
        "$1" delta diff old new -o patch
        "$1" delta manifest old
        mkdir files
        mv old new files
        "$1" simulate basic-replication --files files
        mv files/* .
        test "$before" = "$(stat -c %b old new)"
        # The new version is compared where it is made: it would not fit here as a dense file.
        "$1" delta patch old patch -o - | cmp - new
    "#;
    if let Some(output) = in_a_namespace(&room, script) {
        succeeds(&output);
    }
}

/// Loop devices are no namespace's own: only root of the machine has them.
#[cfg(target_os = "linux")]
#[test]
fn block_devices_are_old_and_new_versions() {
    let room = room();
    let (mut old, mut new) = (noise(1 << 20), noise(1 << 20));
    old[77] ^= 1;
    new[(1 << 20) - 1] ^= 1;
    let device = |name: &str, bytes: &[u8]| {
        fs::write(room.path().join(name), bytes).expect("a file");
        let mut losetup = Command::new("losetup");
        losetup.args(["--show", "-f", "-r", name]).current_dir(room.path());
        let output = losetup.output().ok().filter(|it| it.status.success())?;
        Some(Loop(String::from_utf8(output.stdout).ok()?.trim().to_owned()))
    };
    let (Some(old), Some(new)) = (device("old", &old), device("new", &new)) else {
        println!("skipped: no loop devices are allowed here");
        return;
    };
    succeeds(&delta(&room, &["diff", &old.0, &new.0, "-o", "patch"]));
    assert!(fs::metadata(room.path().join("patch")).expect("a patch").len() < 1_000);
    succeeds(&delta(&room, &["patch", &old.0, "patch", "-o", "made"]));
    let read = |name: &str| fs::read(room.path().join(name)).expect("a file");
    assert!(read("made") == read("new"));
    let manifest = delta(&room, &["manifest", &new.0]);
    succeeds(&manifest);
    assert_eq!(manifest.stdout, delta(&room, &["manifest", "new"]).stdout);
}

struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

fn simulate(directory: &Path) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["simulate", "delta-sync", "--files"]).arg(directory);
    command.output().expect("the program runs")
}

#[test]
fn a_file_that_is_too_short_for_deltas_is_no_broken_promise() {
    for length in [1, 16, 60, 80, 99, 255, 256, 300] {
        let room = room();
        fs::write(room.path().join("file"), noise(length)).expect("a file");
        let output = simulate(room.path());
        succeeds(&output);
        let story = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(story.contains("too short for a delta"), length < 256, "{story}");
        assert!(!story.contains("other"), "{story}");
    }
}

#[test]
fn files_below_a_directory_are_used_and_no_circle_is_walked() {
    let room = room();
    let place = |name: &str| room.path().join(name);
    fs::create_dir_all(place("a/b/empty")).expect("directories");
    fs::write(place("a/b/large"), noise(9_000)).expect("a file");
    fs::write(place("small"), noise(300)).expect("a file");
    std::os::unix::fs::symlink("..", place("a/up")).expect("a link");
    std::os::unix::fs::symlink("small", place("link")).expect("a link");
    let output = simulate(room.path());
    succeeds(&output);
    let story = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(story.contains("told on a/b/large only"), "{story}");
    assert!(story.contains("2 others are not used"), "{story}");
    let said = said(&output);
    assert!(said.contains("a/up is left out: it is a link to a directory"), "{said}");
    assert!(said.contains("a/b/empty is left out: it is an empty directory"), "{said}");
}

#[test]
fn a_simulation_leaves_out_files_that_would_take_hours() {
    let room = room();
    let large = File::create(room.path().join("large")).expect("a file");
    large.set_len(1 << 40).expect("a file of holes");
    fails(&simulate(room.path()), 2, "there is no file in it that can be used");
    fs::write(room.path().join("small"), noise(3_000)).expect("a file");
    let output = simulate(room.path());
    succeeds(&output);
    let about = "large is left out: it has 1099511627776 bytes, and --file-limit is 67108864";
    assert!(said(&output).contains(about), "{}", said(&output));
    large.set_len(100_000).expect("a file of holes");
    for (limit, is_left_out) in [("99999", true), ("100000", false), ("1M", false)] {
        let mut command = Command::new(PROGRAM);
        command.args(["simulate", "delta-sync", "--file-limit", limit, "--files"]);
        let output = command.arg(room.path()).output().expect("the program runs");
        succeeds(&output);
        assert_eq!(said(&output).contains("large is left out"), is_left_out, "{limit}");
    }
    // Together they have more than the disks of a simulation are to hold.
    for name in ["1", "2", "3", "4", "5"] {
        let file = File::create(room.path().join(name)).expect("a file");
        file.set_len(60 << 20).expect("a file of holes");
    }
    fails(&simulate(room.path()), 2, "the files have more than 268435456 bytes together");
    let alone = Command::new(PROGRAM).args(["simulate", "--file-limit", "1M"]).output();
    fails(&alone.expect("the program runs"), 2, "--files");
}

#[cfg(target_os = "linux")]
#[test]
fn a_simulation_is_told_on_files_that_cannot_be_mapped() {
    let room = room();
    std::os::unix::fs::symlink("/proc/version", room.path().join("version")).expect("a link");
    let enabled = "/sys/kernel/mm/transparent_hugepage/enabled";
    std::os::unix::fs::symlink(enabled, room.path().join("enabled")).expect("a link");
    let output = simulate(room.path());
    succeeds(&output);
    let left_out = said(&output).lines().filter(|it| it.contains("is left out")).count();
    assert_eq!(left_out, usize::from(!Path::new(enabled).exists()), "{}", said(&output));
}
