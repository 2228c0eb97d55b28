//! `check seeds`, as a user meets it.

use std::process::{Command, Output};

use serde_json::Value;

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_check")).args(arguments).output().expect("check runs")
}

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = check(arguments);
    let value = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code(), value)
}

fn fails_with(arguments: &[&str], code: i32, says: &str) {
    let output = check(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(message.contains(says), "{arguments:?}: {message}");
}

#[test]
fn a_swarm_injects_every_fault_with_every_setting_and_breaks_nothing() {
    let (code, report) = json(&["seeds", "--json"]);
    assert_eq!((code, &report["ok"]), (Some(0), &true.into()));
    let seeds = &report["seeds"];
    assert_eq!((&seeds["count"], &seeds["settings"]), (&1_000.into(), &34.into()));
    for (what, count) in seeds["ledger"].as_object().expect("a ledger") {
        assert_ne!(count, &Value::from(0), "{what}");
    }
}

#[test]
fn time_that_is_up_at_once_is_enough_for_some_seeds() {
    let (code, report) = json(&["seeds", "--minutes", "0", "--json"]);
    assert_eq!((code, &report["ok"]), (Some(0), &true.into()));
    assert!(report["seeds"]["count"].as_u64().is_some_and(|it| (1..1_000).contains(&it)));
    // With --count, fewer seeds are incomplete.
    let (code, report) = json(&["seeds", "--minutes", "0", "--count", "100000", "--json"]);
    assert_eq!((code, &report["ok"]), (Some(3), &false.into()));
}

#[test]
fn a_failure_prints_a_command_that_replays_it_and_a_schedule_of_which_no_plan_can_be_left_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let traces = directory.path().to_str().expect("a name");
    let twin = ["seeds", "--twin", "overwrite-replaces-all-heads", "--json", "--traces", traces];
    let (code, report) = json(&[&twin[..], &["--count", "50"]].concat());
    assert_eq!(code, Some(1));
    let failed = &report["seeds"]["failed"][0];

    let again = failed["again"].as_str().expect("a command");
    let arguments: Vec<&str> = again.split(' ').skip(1).chain(["--json"]).collect();
    let (code, replayed) = json(&arguments);
    assert_eq!(code, Some(1), "{again}");
    let same = &replayed["seeds"]["failed"][0];
    for what in ["seed", "failure", "schedule"] {
        assert_eq!(same[what], failed[what], "{again}");
    }

    let trace = failed["trace"].as_str().expect("a file");
    let output = check(&["replay", trace]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let guarantee = failed["guarantee"].as_str().expect("a guarantee");
    assert!(text.contains(&format!("breaks {guarantee} ")), "{text}");
}

#[test]
fn seeds_find_these_twins() {
    let (code, report) = json(&["seeds", "--twins", "--count", "3000", "--json"]);
    assert_eq!(code, Some(0));
    let found = report["seed_twins"].as_array().expect("twins");
    let missed = found.iter().filter(|it| it["seed"].is_null()).map(|it| it["name"].as_str());
    let missed: Vec<&str> = missed.flatten().collect();
    // The checker finds these with a read through an election, a rollback, scripts of 34, 26, 54, 50 and 21 steps,
    // on the graph (of guarded elections, and of a state in parts), with a copy that goes bad while a trim deletes its
    // content, while it is sent or before a restore names it, and with a late retry of a write whose delete is forgotten, or after a disk was lost.
    let expected = [
        "ack-without-epoch",
        "ack-from-before-the-read",
        "leads-before-sync",
        "digests-ignored",
        "context-digests-ignored",
        "incarnation-reused",
        "lost-deletes-ignored",
        "rolled-back-node-goes-on",
        "pre-votes-granted",
        "sender-not-asked-again",
        "late-answer-ignored",
        "named-unverified",
        "refused-state-awaited",
        "first-part-sent-again",
        "dropped-entries-not-asked-for",
        "stable-by-peers-alone",
        "forgotten-request-written-again",
        "replaced-without-requests",
    ];
    assert_eq!(missed, expected);
}

#[test]
fn bad_input_is_named() {
    fails_with(&["seeds", "--from", "first"], 2, "--from");
    fails_with(&["seeds", "--count", "0"], 2, "--count");
    fails_with(&["seeds", "--twin", "nobody"], 2, "no variant is called \"nobody\"");
    fails_with(&["seeds", "--from", &u64::MAX.to_string()], 2, "the last valid seed is");
    fails_with(&["seeds", "--speed", "--twins"], 2, "cannot be used with");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let traces = file.path().to_str().expect("a name");
    let arguments = ["seeds", "--twin", "gap-accepted", "--count", "20", "--traces", traces];
    fails_with(&arguments, 4, "cannot write traces into");
}
