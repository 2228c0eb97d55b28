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
    fails_with(&["delta", "--inputs", "Z"], 2, "there is no input \"Z\": valid inputs: A to M");
    fails_with(&["delta", "--peers", "nobody"], 2, "there are steadfast, steadfast fast,");
    fails_with(&["delta", "--mib", "0"], 2, "0 is not in 1..=4096");
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
