//! Searches that several processes share, as a user meets them; only with the feature `processes`.
#![cfg(feature = "processes")]

use std::process::{Command, Output};

use serde_json::Value;

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_check")).args(arguments).output().expect("check runs")
}

/// The counts of a search.
fn counts(arguments: &[&str]) -> [Value; 3] {
    let output = check(arguments);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{report}");
    let search = &report["runs"][0];
    ["unique", "generated", "depth"].map(|it| search[it].clone())
}

/// The counterexample of a twin, as its trace.
fn counterexample(more: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let traces = directory.path().to_str().expect("a name");
    let run = ["run", "available", "--variant", "no-forwarding", "--traces", traces];
    let output = check(&[&run[..], more].concat());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let mut files: Vec<_> = std::fs::read_dir(directory.path())
        .expect("a directory")
        .map(|it| it.expect("a file").path())
        .filter(|it| it.extension().is_some_and(|it| it == "json"))
        .collect();
    files.sort();
    let texts = files.iter().map(|it| std::fs::read_to_string(it).expect("a trace"));
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn processes_that_share_a_search_count_like_one_and_find_the_same_counterexample() {
    let alone = counts(&["run", "reads", "--json"]);
    assert!(alone[0].as_u64().is_some_and(|it| it > 1_000), "{alone:?}");
    let whole = counterexample(&[]);
    for count in ["1", "2", "4"] {
        let shared = counts(&["run", "reads", "--json", "--processes", count]);
        assert_eq!(shared, alone, "{count} processes");
        assert!(counterexample(&["--processes", count]) == whole, "{count} processes");
    }
}

#[test]
fn hosts_that_cannot_be_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("hosts");
    std::fs::write(&file, "127.0.0.1:4000\nnonsense\n").expect("a file");
    let hosts = file.to_str().expect("a name");
    for (arguments, says) in [
        (&["run", "cold", "--hosts", hosts, "--process", "0"][..], "line 2"),
        (&["run", "cold", "--hosts", hosts], "--process"),
        (&["run", "cold", "reads", "--hosts", "/dev/null", "--process", "0"], "/dev/null"),
        (&["run", "cold", "--processes", "0"], "--processes"),
    ] {
        let output = check(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(says), "{arguments:?}: {message}");
    }
}
