//! The command line, as a user meets it.

use std::process::{Command, Output};

use serde_json::Value;

fn versus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_versus"));
    command.args(arguments);
    command
}

fn fails_with(arguments: &[&str], code: i32, says: &str) {
    let output = versus(arguments).output().expect("versus runs");
    assert_says(&output, code, says);
}

fn assert_says(output: &Output, code: i32, says: &str) {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(says), "{message}");
}

#[test]
fn bad_input_is_named_and_the_accepted_ones_are_listed() {
    fails_with(&["check", "--scopes", "nobody"], 2, "no scope is called \"nobody\": `check list`");
    fails_with(&["check", "--searches", "nobody"], 2, "possible values: engine, engine-2-threads,");
    fails_with(&["check", "--resource-managers", "11"], 2, "a whole number from 0 to 10");
    fails_with(&["delta", "--inputs", "Z"], 2, "there is no input \"Z\": valid inputs: A to M");
    fails_with(&["delta", "--peers", "nobody"], 2, "there are steadfast, steadfast fast,");
    fails_with(&["delta", "--mib", "0"], 2, "0 is not in 1..=4096");
    fails_with(&["cluster", "--clients", "0"], 2, "there are 1 to 1024 clients");
    fails_with(&["cluster", "--program", "/no/steadfast"], 4, "there is no program /no/steadfast");
    fails_with(&["wal", "--systems", "nobody"], 2, "possible values: steadfast, raw,");
    fails_with(&["wal", "--seconds", "soon"], 2, "a number of seconds, such as 30 or 0.5");
    fails_with(&["wal", "--directory", "/no/such"], 4, "cannot write into /no/such: ");
}

const FLOORS: [&str; 8] =
    ["delta", "--mib", "1", "--inputs", "G", "--peers", "memcmp,memcpy", "--json"];

#[test]
fn floors_are_measured_where_they_bound_something() {
    let output = versus(&FLOORS).output().expect("versus runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    let steps = rows.iter().map(|it| (it["peer"].as_str(), &it["encode_mb_s"], &it["apply_mb_s"]));
    let steps: Vec<_> =
        steps.map(|(peer, it, other)| (peer, it.is_f64(), other.is_f64())).collect();
    assert_eq!(steps, [(Some("memcmp"), true, false), (Some("memcpy"), false, true)]);
}

#[test]
fn a_report_that_nobody_reads_is_incomplete_and_no_panic() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = versus(&FLOORS).stdout(writer).output().expect("versus runs");
    assert_says(&output, 3, "G, local: memcpy\n");
}

const CHECK: [&str; 10] = [
    "check",
    "--scopes",
    "rejected",
    "--resource-managers",
    "3",
    "--rounds",
    "1",
    "--searches",
    "engine,engine-sleep-sets,stateright-bfs,spin",
    "--json",
];

#[test]
fn the_engine_counts_what_its_peers_count_and_spin_may_be_missing() {
    let output = versus(&CHECK).env("PATH", "").output().expect("versus runs");
    assert_says(&output, 0, "rejected, engine: round 1 of 1");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    let counts = |subject: &str, search: &str| {
        let is_it = |it: &&Value| it["subject"] == subject && it["search"] == search;
        let row = rows.iter().find(is_it).expect("a row");
        (row["unique"].as_u64().expect("a count"), row["generated"].as_u64().expect("a count"))
    };
    let commit = "two-phase-commit-3";
    assert_eq!(counts(commit, "engine"), (288, 1146));
    assert_eq!(counts(commit, "stateright-bfs"), (288, 1146));
    assert_eq!(counts(commit, "engine-sleep-sets").0, 288);
    assert_eq!(counts("rejected", "engine"), counts("rejected", "stateright-bfs"));
    let says = "Spin is left out: there is no program `spin` (Debian: apt install spin)";
    assert_eq!(report["notes"], serde_json::json!([says]));
    let targets = report["targets"].as_array().expect("targets");
    let met = targets.iter().map(|it| (it["id"].as_str(), it["met"].as_bool()));
    assert_eq!(met.collect::<Vec<_>>(), [(Some("E1"), Some(true)); 2]);
}

/// Where Spin is installed, its verifier of our model counts the same.
#[test]
fn the_model_for_spin_has_the_states_and_steps_of_ours() {
    let output = versus(&CHECK).output().expect("versus runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    if report["notes"] != serde_json::json!([]) {
        println!("skipped: {}", report["notes"]);
        return;
    }
    let rows = report["rows"].as_array().expect("rows");
    let spin = rows.iter().find(|it| it["search"] == "spin").expect("a row");
    assert_eq!((spin["unique"].as_u64(), spin["generated"].as_u64()), (Some(288), Some(1146)));
}
