//! Reports as JSON: `JSON.md` documents every key.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::process::Command;

use serde_json::Value;
use steadfast_wal_crash::{Extent, run};

/// Maps whose keys are no part of the format: those of a trace and of a scope, which other formats define,
/// and the events of a ledger.
const OTHER_FORMATS: [&str; 4] = ["trace", "scope", "bounds", "ledger"];

fn report(arguments: &[&str]) -> Value {
    let mut check = Command::new(env!("CARGO_BIN_EXE_check"));
    let output = check.args(arguments).arg("--json").output().expect("check runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let verdict = match output.status.code() {
        Some(0) => "kept",
        Some(1) => "broken",
        Some(3) => "incomplete",
        code => panic!("{arguments:?} ends with {code:?}"),
    };
    assert_eq!(report["version"], 1, "{arguments:?}");
    assert_eq!(report["verdict"], verdict, "{arguments:?}");
    assert_eq!(report["ok"], verdict == "kept", "{arguments:?}");
    report
}

fn add_keys(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                keys.insert(key.clone());
                assert!(!key.contains([' ', '-']), "{key}");
                if !OTHER_FORMATS.contains(&&**key) {
                    add_keys(value, keys);
                } else if let Value::Object(others) = value {
                    assert!(others.keys().all(|it| !it.contains(' ')), "{others:?}");
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|it| add_keys(it, keys)),
        _ => {}
    }
}

#[test]
fn every_key_of_every_report_is_documented() {
    let documented = include_str!("../JSON.md");
    let mut keys = BTreeSet::new();
    let trace = "../snapshots/traces/read-without-quorum.json";
    for arguments in [
        &["run", "cold"][..],
        &["run", "cold", "--sleep-sets"],
        &["run", "elections", "--timeout", "0"],
        &["run", "reads", "--variant", "read-without-quorum"],
        &["matrix", "--timeout", "0"],
        &["twins", "gap-accepted"],
        &["settle", "reads"],
        &["seeds", "--count", "20", "--variant", "last-write-by-arrival"],
        &["seeds", "--count", "1", "--twins"],
        &["seeds", "--speed"],
        &["list"],
        &["replay", trace],
    ] {
        add_keys(&report(arguments), &mut keys);
    }
    let crash_states = run(Extent::Small, &|_| ControlFlow::Break(()));
    add_keys(&serde_json::to_value(crash_states).expect("JSON"), &mut keys);
    let missing = keys.iter().filter(|it| !documented.contains(&format!("`{it}`")));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "JSON.md says nothing of {missing:?}");
}
