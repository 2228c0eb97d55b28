//! `check cluster`: runs of real nodes that keep their promises, one that cannot, and one that is interrupted.
//!
//! The nodes are processes of the program `steadfast` in the same target directory, which `cargo build -p steadfast` makes.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

fn check(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_check"));
    command.arg("cluster").args(arguments).arg("--directory").arg(directory).stdin(Stdio::null());
    command
}

fn report(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn nodes_under_faults_keep_their_promises_and_leave_nothing() {
    for surroundings in [&["--loopback"][..], &[]] {
        let around = TempDir::new().expect("a directory");
        let directory = around.path().join("run");
        let arguments = [surroundings, &["--minutes", "0.4", "--seed", "3", "--json"]].concat();
        let output = check(&arguments, &directory).output().expect("check runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report = report(&output);
        let runs = report["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 2, "{report}");
        for run in runs {
            assert!(run["acknowledged"]["replaced"].as_u64() > Some(0), "{report}");
            assert_eq!(run["acknowledged"]["lost"], 0);
        }
        assert_eq!(runs[0]["linearizable_paths"], 30);
        assert!(!directory.exists(), "a success leaves nothing");
    }
}

/// The judge of real histories can fail: both sides of a cut take writes, which no order explains.
#[test]
fn a_split_brain_is_caught_when_linearizable_histories_are_demanded() {
    let around = TempDir::new().expect("a directory");
    let directory = around.path().join("run");
    let demand = ["--setting", "available", "--demand-linearizable", "--loopback"];
    let arguments = [&demand[..], &["--minutes", "0.5", "--seed", "1", "--json"]].concat();
    let output = check(&arguments, &directory).output().expect("check runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(&output);
    let run = &report["runs"][0];
    let violations = run["violations"].as_array().expect("violations");
    let is_of_judge = |it: &serde_json::Value| {
        let why = it["why"].as_str().unwrap_or_default();
        why.contains("had replaced")
            || why.contains("the other way round")
            || why.contains("conflict version")
    };
    assert!(!violations.is_empty() && violations.iter().all(is_of_judge), "{report}");
    let left = run["directory"].as_str().map(Path::new).expect("a directory");
    for file in ["history.jsonl", "a.log", "cluster/a/data/log"] {
        assert!(left.join(file).exists(), "{file}");
    }
}

#[test]
fn an_interrupted_run_says_so_and_leaves_nothing() {
    let around = TempDir::new().expect("a directory");
    let directory = around.path().join("run");
    let mut command = check(&["--minutes", "5"], &directory);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("check runs");
    let begun = Instant::now();
    while !directory.join("consistent/a.log").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no node was started");
        sleep(Duration::from_millis(50));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("a process");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("INCOMPLETE"), "{output:?}");
    assert!(!directory.exists());
    let processes = Command::new("ps").args(["-eo", "args"]).output().expect("processes");
    let name = directory.display().to_string();
    assert!(!String::from_utf8_lossy(&processes.stdout).contains(&name), "a node runs on");
}

#[test]
fn bad_input_is_named() {
    let around = TempDir::new().expect("a directory");
    let fails = |arguments: &[&str], code: i32, says: &str| {
        let output = check(arguments, around.path()).output().expect("check runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(says), "{said}");
    };
    fails(&["--minutes", "soon"], 2, "expected a number of minutes");
    fails(&["--setting", "both"], 2, "consistent, available");
    fails(&["--seed", "-1"], 2, "--seed");
    fails(&["--binary", "/nowhere/steadfast"], 4, "`cargo build -p steadfast` builds it");
    fails(&["--old-binary", "/nowhere/steadfast"], 4, "/nowhere/steadfast");
    std::fs::write(around.path().join("mine"), "").expect("a file");
    fails(&[], 4, "is not empty");
}
