//! Programs of one's own, over variants, twins, scopes and guarantees: the examples `variants` and
//! `guarantee`.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Cargo builds the examples of a crate with its tests, into the folder beside theirs.
fn example(name: &str, arguments: &[&str]) -> Output {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().and_then(|it| it.parent()).expect("a target folder");
    let program: PathBuf = folder.join("examples").join(name);
    Command::new(program)
        .args(arguments)
        .output()
        .expect("the example runs; before `cargo test --test variants`, cargo build --examples")
}

fn prints(arguments: &[&str], code: i32, says: &[&str]) {
    prints_as("variants", arguments, code, says);
}

fn prints_as(name: &str, arguments: &[&str], code: i32, says: &[&str]) {
    let output = example(name, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}{errors}");
    for says in says {
        assert!(text.contains(says) || errors.contains(says), "{arguments:?}: {text}{errors}");
    }
}

#[test]
fn a_variant_is_searched_and_the_report_names_it() {
    let says = "As skipped-rounds: a candidate leaves out every second round.";
    prints(&["run", "two-leaders", "--variant", "skipped-rounds"], 0, &[says, "All as promised"]);
    let broken = ["run", "available", "--variant", "own-entries-only"];
    prints(&broken, 1, &["As own-entries-only: ", "G2 BROKEN after 10 steps", "NOT as promised"]);
    let shipped = ["run", "rot", "--variant", "bad-copy-served", "--engine", "stateright"];
    prints(&shipped, 1, &["As bad-copy-served: ", "G10 BROKEN"]);
}

#[test]
fn a_trace_of_a_variant_is_replayed_drawn_and_shrunk() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().to_str().expect("a name");
    let run = ["run", "two-leaders", "--variant", "own-entries-only", "--traces", folder];
    prints(&run, 1, &["G2 BROKEN"]);
    let trace = format!("{folder}/own-entries-only-two-leaders-e1w1-G2.json");
    prints(&["replay", &trace], 1, &["two-leaders as own-entries-only: a leader sends", "G2"]);
    prints(&["show", &trace, "--text"], 0, &["protocol own-entries-only: a leader sends"]);
    prints(
        &["show", &trace, "--against", "skipped-rounds"],
        0,
        &["own-entries-only-two-leaders-e1w1-G2.html"],
    );
    prints(&["shrink", &trace, "--time", "1"], 0, &["own-entries-only"]);
    let output = Command::new(env!("CARGO_BIN_EXE_check")).args(["replay", &trace]).output();
    let errors = output.expect("check runs").stderr;
    let errors = String::from_utf8_lossy(&errors).into_owned();
    assert!(errors.contains("no variant is called \"own-entries-only\""), "{errors}");
}

#[test]
fn each_search_and_seed_of_a_variant_has_a_trace_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().to_str().expect("a name");
    let with = ["--variant", "own-entries-only", "--traces", folder];
    let scopes = ["run", "two-leaders", "reads", "--elect", "1", "--write", "1"];
    prints(&[&scopes[..], &with].concat(), 1, &["variants replay "]);
    for scope in ["two-leaders", "reads"] {
        let trace = format!("{folder}/own-entries-only-{scope}-e1w1-G2.json");
        prints(&["replay", &trace], 1, &[&format!("scope {scope} as own-entries-only: ")]);
    }
    prints(&[&["seeds", "--count", "3"][..], &with].concat(), 1, &["own-entries-only-seed-0.json"]);
    let trace = format!("{folder}/own-entries-only-seed-0.json");
    prints(&["trace-to-test", &trace], 0, &["variant own-entries-only, which is not shipped"]);
}

#[test]
fn a_twin_and_a_scope_of_ones_own_are_searched_and_listed() {
    let says = "`variants run SCOPE --variant own-entries-only`";
    prints(&["twins", "own-entries-only"], 2, &["own-entries-only is a variant", says]);
    prints(&["twins", "own-entries"], 0, &["1 of 1 twins were caught"]);
    prints(&["run", "two-leaders"], 0, &["two-leaders", "All as promised"]);
    let listed = ["two-leaders", "own-entries ", "VARIANTS", "skipped-rounds", "own-entries-only"];
    prints(&["list"], 0, &listed);
}

#[test]
fn seeds_and_graphs_judge_a_variant() {
    let seeds = ["seeds", "--count", "20", "--variant", "own-entries-only"];
    let again = ["As own-entries-only: ", "variants seeds --from ", " --variant own-entries-only"];
    prints(&seeds, 1, &again);
    prints(&[&seeds[..], &["--json"]].concat(), 1, &["\"variant\": \"own-entries-only\""]);
    prints(&["seeds", "--count", "20", "--variant", "skipped-rounds"], 0, &["none broke"]);
    prints(&["settle", "--variant", "own-entries-only"], 1, &["As own-entries-only: "]);
}

#[test]
fn a_wrong_name_is_answered_with_the_one_that_was_meant() {
    let says = "no variant is called \"skiped-rounds\": did you mean skipped-rounds?";
    prints(&["run", "cold", "--variant", "skiped-rounds"], 2, &[says]);
    prints(&["run", "two-leader"], 2, &["did you mean two-leaders?"]);
}

#[test]
fn a_guarantee_of_ones_own_is_judged_everywhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().to_str().expect("a name");
    let prints = |arguments: &[&str], code, says: &[&str]| {
        prints_as("guarantee", arguments, code, says);
    };
    prints(&["list"], 0, &["R1  rounds-without-gaps", "skipped-rounds (caught by R1)"]);
    for engine in ["steadfast", "stateright"] {
        prints(&["run", "reads", "--engine", engine], 0, &["All as promised"]);
        let twin = ["run", "reads", "--engine", engine, "--variant", "skipped-rounds"];
        prints(&twin, 1, &["R1 BROKEN after "]);
    }
    let twins = ["twins", "skipped-rounds", "--traces", folder];
    prints(&twins, 0, &["skipped-rounds", " R1 ", "1 of 1 twins were caught"]);
    let trace = format!("{folder}/skipped-rounds-replicate-e2w2-R1.json");
    let says = "breaks R1 rounds-without-gaps: the rounds that nodes have";
    prints(&["replay", &trace], 1, &[says]);
    prints(&["shrink", &trace, "--time", "1", "--guarantee", "r1"], 0, &["\"R1\""]);
    prints(&["show", &trace, "--text"], 0, &["R1 rounds-without-gaps"]);
    prints(&["trace-to-test", &trace], 2, &["R1 is a guarantee of this program"]);
    prints(&["seeds", "--count", "20"], 0, &["none broke a promise"]);
    let seeds = ["seeds", "--count", "20", "--variant", "skipped-rounds"];
    prints(&seeds, 1, &["breaks R1 rounds-without-gaps"]);
    // A program that does not know the guarantee does not say that the trace is as recorded.
    let check = Command::new(env!("CARGO_BIN_EXE_check")).args(["replay", &trace]).output();
    assert_ne!(check.expect("check runs").status.code(), Some(0));
}
