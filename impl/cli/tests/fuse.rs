//! Inputs on a file system that a test serves itself: one file that cannot be mapped, and one that
//! cannot be read from its middle on.
#![cfg(target_os = "linux")]
#![expect(clippy::cast_possible_truncation, reason = "the kernel's fields are as wide as it says")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const LENGTH: usize = 1 << 20;
/// From here on `bad` cannot be read.
const BAD: usize = LENGTH / 2;
const INSIDE: &str = "inside_a_namespace";

/// Serves the files of a directory, as `linux/fuse.h` has it.
struct Server(File);

const ROOT: u64 = 1;
/// The file of node `ROOT + 1 + index`.
const NAMES: [&str; 3] = ["plain", "direct", "bad"];

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

const ENOENT: i32 = 2;
const EIO: i32 = 5;
const ENOSYS: i32 = 38;

/// Byte `at` of each file.
fn byte(at: usize) -> u8 {
    ((at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

impl Server {
    fn serve(mut self) {
        let mut request = vec![0; 1 << 18];
        while let Ok(length) = self.0.read(&mut request) {
            let request = &request[..length];
            let number = |at: usize, width: usize| {
                let mut bytes = [0; 8];
                bytes[..width].copy_from_slice(&request[at..at + width]);
                u64::from_le_bytes(bytes)
            };
            let (operation, unique, node) = (number(4, 4) as u32, &request[8..16], number(16, 8));
            let answer = match operation {
                FORGET | BATCH_FORGET | INTERRUPT => continue,
                INIT => {
                    Ok(words(&[7, 31, LENGTH as u32, 0, 0, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
                }
                LOOKUP => look_up(&request[40..length - 1]),
                GETATTR => Ok([vec![0; 16], attributes(node)].concat()),
                OPEN => Ok(words(&[0, 0, u32::from(name(node) == "direct"), 0])),
                READ => read(node, number(48, 8) as usize, number(56, 4) as usize),
                RELEASE | FLUSH => Ok(Vec::new()),
                _ => Err(ENOSYS),
            };
            let (error, body) = answer.map_or_else(|error| (-error, Vec::new()), |body| (0, body));
            let mut reply = (16 + body.len() as u32).to_le_bytes().to_vec();
            reply.extend(error.to_le_bytes());
            reply.extend(unique);
            reply.extend(body);
            // A request that was interrupted takes no reply.
            let _ = self.0.write(&reply);
        }
    }
}

fn name(node: u64) -> &'static str {
    NAMES[(node - ROOT - 1) as usize]
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|it| it.to_le_bytes()).collect()
}

fn look_up(name: &[u8]) -> Result<Vec<u8>, i32> {
    let index = NAMES.iter().position(|it| it.as_bytes() == name).ok_or(ENOENT)?;
    let node = ROOT + 1 + index as u64;
    Ok([node.to_le_bytes().to_vec(), vec![0; 32], attributes(node)].concat())
}

fn attributes(node: u64) -> Vec<u8> {
    let (mode, length) = if node == ROOT { (0o040_755, 0) } else { (0o100_644, LENGTH as u64) };
    let mut bytes = Vec::new();
    for field in [node, length, length / 512, 1, 1, 1] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(words(&[1, 1, 1, mode, 1, 0, 0, 0, 4096, 0]));
    bytes
}

fn read(node: u64, offset: usize, length: usize) -> Result<Vec<u8>, i32> {
    let end = (offset + length).min(LENGTH);
    match name(node) == "bad" && end > BAD {
        true => Err(EIO),
        false => Ok((offset..end).map(byte).collect()),
    }
}

#[test]
fn what_a_file_system_cannot_map_or_read_is_read_or_told() {
    let room = tempfile::tempdir().expect("a temporary directory");
    let this = std::env::current_exe().expect("a test knows its name");
    for unshare in [&["-m", "-r"][..], &["-m"]] {
        let output = Command::new("unshare")
            .args(unshare)
            .arg(&this)
            .args(["--ignored", "--exact", INSIDE, "--nocapture"])
            .current_dir(room.path())
            .env("STEADFAST_TEST_ROOM", room.path())
            .output();
        let Ok(output) = output else { continue };
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        // A namespace or its mounts were refused before anything was tested.
        if told.contains("no FUSE") || !told.contains("running 1 test") {
            continue;
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("1 passed"), "{told}\n{errors}");
        return;
    }
    println!("skipped: no FUSE in a namespace of one's own is allowed here");
}

fn steadfast(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(arguments).output().expect("the program runs")
}

fn succeeds(arguments: &[&str]) {
    let output = steadfast(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
}

fn mounted(room: &Path) -> Option<()> {
    let device = File::options().read(true).write(true).open("/dev/fuse").ok()?;
    let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
    let mount = Command::new("mount")
        .args(["-i", "-t", "fuse", "-o", options, "none", "mnt"])
        .current_dir(room)
        .stdin(Stdio::from(device.try_clone().ok()?))
        .stderr(Stdio::null())
        .status();
    mount.ok()?.success().then(|| {
        std::thread::spawn(|| Server(device).serve());
    })
}

#[test]
#[ignore = "mounts: the test above runs it in a namespace"]
fn inside_a_namespace() {
    let Some(room) = std::env::var_os("STEADFAST_TEST_ROOM") else { return };
    let room = Path::new(&room);
    let _ = fs::create_dir(room.join("mnt"));
    if mounted(room).is_none() {
        println!("no FUSE");
        return;
    }
    std::env::set_current_dir(room).expect("a directory");
    let mut content: Vec<u8> = (0..LENGTH).map(byte).collect();
    assert!(fs::read("mnt/plain").expect("a served file") == content);
    assert_eq!(fs::read("mnt/bad").expect_err("it is bad").raw_os_error(), Some(EIO));
    content[77] ^= 1;
    fs::write("other", &content).expect("a file");
    for served in ["mnt/plain", "mnt/direct"] {
        succeeds(&["delta", "diff", "other", served, "-o", "patch", "--read-twice"]);
        assert!(fs::metadata("patch").expect("a patch").len() < 1_000);
        succeeds(&["delta", "patch", "other", "patch", "-o", "made"]);
        assert!(fs::read("made").expect("a file") == fs::read(served).expect("a served file"));
        succeeds(&["delta", "diff", served, "other", "-o", "patch"]);
        succeeds(&["delta", "patch", served, "patch", "-o", "made"]);
        assert!(fs::read("made").expect("a file") == content);
        succeeds(&["delta", "manifest", served]);
    }
    for arguments in [
        &["delta", "diff", "other", "mnt/bad", "-o", "x"][..],
        &["delta", "diff", "mnt/bad", "other", "-o", "x"],
        &["delta", "patch", "mnt/bad", "patch", "-o", "x"],
        &["delta", "manifest", "mnt/bad"],
    ] {
        let output = steadfast(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(said.contains("Input/output error"), "{arguments:?}: {said}");
        assert!(said.contains("mnt/bad"), "{arguments:?}: {said}");
        assert!(!said.contains("changed"), "{arguments:?}: {said}");
    }
    assert!(!Path::new("x").exists());
}
