//! The command line, as a user meets it.

use std::process::Command;

use serde_json::Value;

fn versus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_versus"));
    command.args(arguments);
    command
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
