//! A directory in which a test runs `steadfast delta`.

#![allow(dead_code, reason = "no test uses all of it")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory with OLD and NEW in it, and PATCH after [`Room::diff`].
pub(crate) struct Room(TempDir);

impl Room {
    pub(crate) fn new(old: &[u8], new: &[u8]) -> Room {
        let room = Room(TempDir::new().expect("a temporary directory"));
        room.write("old", old);
        room.write("new", new);
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a temporary file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a temporary file")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a directory");
        let name = |it: fs::DirEntry| it.file_name().into_string().expect("a name of ours");
        let mut names: Vec<String> = entries.map(|it| name(it.expect("an entry"))).collect();
        names.sort();
        names
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, b"")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_steadfast")));
        command.arg("delta").args(arguments).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        // A program that fails early does not read its input.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        child.wait_with_output().expect("the program ends")
    }

    pub(crate) fn diff(&self) -> Vec<u8> {
        assert_code(&self.run(&["diff", "old", "new", "-o", "patch"]), 0);
        self.read("patch")
    }
}

pub(crate) fn assert_code(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.is_empty(), code == 0, "{said}");
}

pub(crate) fn assert_refused(output: &Output, code: i32, about: &str) {
    assert_code(output, code);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(about), "{said:?} says nothing of {about:?}");
}

pub(crate) fn lines(number: usize, changed: usize) -> Vec<u8> {
    let line = |it| format!("{it:>6} {}\n", if it == changed { "rewritten" } else { "as it was" });
    (0..number).map(line).collect::<String>().into_bytes()
}

pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}
