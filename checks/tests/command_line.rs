//! The command line, as a user meets it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_check")).args(arguments).output().expect("check runs")
}

fn fails_with(arguments: &[&str], code: i32, says: &str) {
    let output = check(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(message.contains(says), "{arguments:?}: {message}");
}

#[test]
fn bad_input_is_named_and_the_accepted_ones_are_listed() {
    fails_with(
        &["run", "nowhere"],
        2,
        "no scope is called \"nowhere\": `check list` names the valid scopes",
    );
    fails_with(
        &["twins", "nobody"],
        2,
        "no twin is called \"nobody\": `check list` names the valid twins",
    );
    fails_with(&["run", "cold", "--elect", "4"], 2, "E = 4: the votes needed to lead are 1 to 3");
    for option in ["--elect", "--write", "--nodes"] {
        for number in ["0", "300", "-1", "1.5", "two"] {
            let says = format!("invalid value '{number}' for '{option} <");
            fails_with(&["run", "cold", option, number], 2, &says);
            let says = "expected a whole number from 1 to 7";
            fails_with(&["run", "cold", option, number], 2, says);
        }
    }
    fails_with(&["run", "cold", "--paths", "0"], 2, "0 paths: there must be 1 to 1000");
    fails_with(
        &["run", "cold", "--network", "pigeon"],
        2,
        "valid networks: fifo, unordered, lossy",
    );
    fails_with(&["run", "cold", "--search", "walk", "--states", "0"], 2, "--states");
    fails_with(&["run", "cold", "--search", "astar"], 2, "valid searches: bfs, dfs, walk");
    fails_with(&["run", "cold", "--engine", "spin"], 2, "valid engines: steadfast, stateright");
    fails_with(&["run", "cold", "--dead-messages", "bury"], 2, "valid ways: explore, check, drop");
    let stateright = ["run", "cold", "--wide-fingerprints", "--engine", "stateright"];
    fails_with(&stateright, 2, "only the engine steadfast has --wide-fingerprints");
    fails_with(&["explore", "replicat"], 2, "did you mean replicate?");
    fails_with(
        &["run", "cold", "--states", "5"],
        2,
        "only --search walk takes --seed and --states",
    );
    fails_with(&["explore", "cold", "--twin", "nobody"], 2, "no variant is called \"nobody\"");
    let seconds = "expected a number of seconds, such as 30 or 0.5";
    fails_with(&["run", "cold", "--timeout", "soon"], 2, seconds);
    fails_with(&["seeds", "--minutes", "-"], 2, "expected a number of minutes, such as 30 or 0.5");
    fails_with(&["explore", "cold", "--address", "nowhere"], 2, "port, as 127.0.0.1:3000");
    fails_with(&["replay", "no-such-file.json"], 4, "no-such-file.json: cannot read it");
}

#[test]
fn a_number_that_an_option_cannot_take_is_answered_with_those_that_it_can() {
    let counts = "expected a whole number from 0 to 4294967295";
    for number in ["-1", "1.5", "", "many", "4294967296"] {
        fails_with(&["run", "cold", &format!("--writes={number}")], 2, counts);
    }
    fails_with(&["run", "cold", "--writes", "-1"], 2, counts);
    fails_with(&["run", "cold", "--entries", "0"], 2, "a whole number from 1 to 4294967295");
    fails_with(&["run", "cold", "--threads", "65"], 2, "a whole number from 1 to 64");
    fails_with(&["seeds", "--count", "0"], 2, "a whole number from 1 to 18446744073709551615");
    fails_with(&["seeds", "--from", "-1"], 2, "a whole number from 0 to 18446744073709551615");
    fails_with(&["replay", "x", "--last", "0"], 2, "a whole number from 1 to ");
    fails_with(&["run", "cold", "--timeout", "-1"], 2, "expected a number of seconds");
    fails_with(&["run", "cold", "--memory", "-1"], 2, "expected a whole number of MiB");
}

#[test]
fn seeds_that_were_not_all_run_are_said_to_be_incomplete() {
    let output = check(&["seeds", "--count", "1000", "--minutes", "0"]);
    let (text, _) = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("\nINCOMPLETE: ") && text.contains(" seeds sampled, none broke"),
        "{text}"
    );
}

#[test]
fn options_that_have_no_effect_are_refused() {
    let walk = ["run", "cold", "--search", "walk", "--engine", "steadfast"];
    fails_with(&walk, 2, "only the engine stateright walks: leave --engine steadfast out");
    fails_with(&["settle", "cold", "--traces", "x"], 2, "unexpected argument '--traces'");
    for mode in ["--twins", "--speed"] {
        let says = "cannot be used with";
        fails_with(&["seeds", mode, "--count", "1", "--traces", "x"], 2, says);
    }
}

#[test]
fn a_named_pipe_without_a_writer_is_refused_and_not_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let pipe = directory.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let name = pipe.to_str().expect("a name");
    for arguments in [["replay", name].as_slice(), &["run", "--scope", name]] {
        fails_with(arguments, 4, "pipe: it is a named pipe");
    }
}

#[test]
fn a_scope_whose_name_no_file_can_have_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let name = file.path().to_str().expect("a name");
    let (scope, _) = text_of(&check(&["list", "cold", "--json"]));
    let long = "x".repeat(65);
    for bad in ["../../cold", "", "\\u001b[31m", &long] {
        let scope = scope.replace("\"name\": \"cold\"", &format!("\"name\": \"{bad}\""));
        std::fs::write(file.path(), scope).expect("a file");
        for command in ["run", "settle", "explore"] {
            let says = "a name consists of letters, digits, '-' and '_', 64 at most";
            fails_with(&[command, "--scope", name], 4, says);
        }
    }
}

#[test]
fn a_guarantee_that_a_trace_names_and_that_does_not_exist_is_an_error() {
    let text = include_str!("../../snapshots/traces/ack-without-epoch.json");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text.replace("\"G5\"", "\"G99\"")).expect("a file");
    let name = file.path().to_str().expect("a name");
    for command in ["replay", "show", "shrink", "trace-to-test"] {
        fails_with(&[command, name], 4, "no guarantee is called \"G99\": valid ids: G1, G2, ");
    }
}

#[test]
fn a_verdict_that_nobody_reads_is_not_taken_for_one_that_holds() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_check"));
    let command = command.arg("list").stdout(std::io::pipe().expect("a pipe").1);
    let output = command.output().expect("check runs");
    assert_eq!((output.status.code(), output.stderr), (Some(3), Vec::new()));
}

#[test]
fn standard_output_that_is_full_is_an_error_and_no_panic() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
    let mut command = Command::new(env!("CARGO_BIN_EXE_check"));
    let output = command.arg("list").stdout(full).output().expect("check runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.starts_with("check: cannot write to standard output: "), "{message}");
}

#[test]
fn a_directory_for_traces_that_cannot_be_is_named_before_anything_is_searched() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let name = file.path().to_str().expect("a name");
    fails_with(&["deep", "--traces", name], 4, "cannot write traces into");
    fails_with(&["deep", "--traces", name], 4, "not a directory");
    fails_with(&["seeds", "--minutes", "9", "--traces", name], 4, name);
}

#[test]
fn an_address_in_use_is_an_error_and_no_panic() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    fails_with(&["explore", "cold", "--address", &address], 4, "choose another with --address");
}

/// A shipped trace with a key before this one that no reader knows.
fn with_extra_key(key: &str) -> String {
    let text = std::fs::read_to_string(SHIPPED).expect("a shipped trace");
    assert!(text.contains(key), "{key}");
    text.replacen(key, &format!("\"extra\": 1, {key}"), 1)
}

#[test]
fn a_damaged_or_foreign_trace_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("trace.json");
    let name = file.to_str().expect("a name");
    for (text, says) in [
        ("{\"format\": \"steadfast-trace\", \"versi", "damaged or not a trace"),
        ("{\"format\": \"recipe\", \"version\": 1}", "its format is \"recipe\""),
        ("{\"format\": \"steadfast-trace\", \"version\": 9}", "version 9"),
        (&with_extra_key("\"breaks\":"), "unknown field `extra`"),
        (&with_extra_key("\"node\":"), "unknown field `extra`"),
    ] {
        std::fs::write(&file, text).expect("a file");
        fails_with(&["replay", name], 4, says);
    }
    std::fs::write(&file, b"\xFF").expect("a file");
    fails_with(&["replay", name], 4, "damaged or not a trace");
}

#[test]
fn a_search_that_did_not_end_is_incomplete_and_exits_with_3() {
    // This search takes minutes.
    let scope = "lossy-reads-election";
    for timeout in ["0.5", "0"] {
        let (text, note) = text_of(&check(&["run", scope, "--timeout", timeout]));
        assert!(text.contains("INCOMPLETE"), "{text}");
        assert!(!note.contains("was never taken"), "a search that was cut off: {note}");
    }
    let output = check(&["run", scope, "--timeout", "0.5"]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn the_verdict_says_which_searches_left_dead_messages_out() {
    let (text, _) = text_of(&check(&["run", "cold", "--dead-messages", "drop"]));
    let says = "1 of 1 searches visited every reachable state, 1 of them without dead messages (";
    assert!(text.contains(says), "{text}");
    let (text, _) = text_of(&check(&["run", "cold"]));
    assert!(text.contains("1 of 1 searches visited every reachable state ("), "{text}");
}

#[test]
fn a_matrix_that_did_not_end_is_incomplete_and_nothing_holds_in_it() {
    let output = check(&["matrix", "--timeout", "0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    let (table, _) = text.split_once("yes: holds").expect("a legend");
    let unended = table.lines().filter(|it| it.contains('?'));
    assert!(unended.clone().count() > 1 && unended.clone().all(|it| !it.contains("yes")), "{text}");
}

#[test]
fn graphs_that_were_not_built_to_their_ends_are_incomplete() {
    let output = check(&["settle", "--timeout", "0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("INCOMPLETE, this proves nothing: 0 of"), "{text}");
}

#[test]
fn a_walk_is_sampled_and_never_complete() {
    let output = check(&["run", "cold", "--search", "walk", "--states", "20000", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["ok"], true);
    assert_eq!(report["runs"][0]["complete"], false);
}

#[test]
fn a_violated_promise_is_reported_with_a_trace_that_replays() {
    let directory = tempfile::tempdir().expect("a directory");
    let traces = directory.path().to_str().expect("a name");
    let arguments = [
        "run", "reads", "--elect", "1", "--write", "1", "--search", "bfs", "--json", "--traces",
        traces,
    ];
    let report: serde_json::Value =
        serde_json::from_slice(&check(&arguments).stdout).expect("JSON");
    let finding = &report["runs"][0]["guarantees"][4];
    assert_eq!((&finding["id"], &finding["found"]), (&"G5".into(), &"violated".into()));
    let replayed = check(&["replay", finding["trace"].as_str().expect("a file")]);
    let text = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(text.contains("breaks G5 linearizable (not promised here)"), "{text}");
    assert_eq!(replayed.status.code(), Some(0));
}

/// Threads are refused to all programs that are started from here, and processes are not.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn where_no_thread_can_be_started_nothing_panics() {
    use nix::libc;
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };

    let refuse = |call, rules: Vec<SeccompRule>, errno: i32| {
        let action = SeccompAction::Errno(errno.unsigned_abs());
        let arch = std::env::consts::ARCH.try_into().expect("a processor with such filters");
        let rules = [(call, rules)].into();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch);
        let program = filter.and_then(seccompiler::BpfProgram::try_from).expect("a filter");
        seccompiler::apply_filter(&program).expect("a thread may do that");
    };
    let body = || {
        let flag = libc::CLONE_THREAD.unsigned_abs().into();
        let is_thread = SeccompCmpOp::MaskedEq(flag);
        let is_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, is_thread, flag);
        let rule = SeccompRule::new(vec![is_thread.expect("an argument")]).expect("a condition");
        // The flags of the newer call are behind a pointer. The C library goes on with the older.
        refuse(libc::SYS_clone3, vec![], libc::ENOSYS);
        refuse(libc::SYS_clone, vec![rule], libc::EAGAIN);
        let seeds = check(&["seeds", "--from", "1", "--count", "3"]);
        assert_eq!(seeds.status.code(), Some(0), "{}", String::from_utf8_lossy(&seeds.stderr));
        // A search that cannot begin leaves the run incomplete, because others may have ended.
        let explore = &["explore", "cold", "--address", "127.0.0.1:0"][..];
        for (arguments, code) in [(&["run", "cold"][..], 3), (explore, 4)] {
            let output = check(arguments);
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{message}");
            assert!(message.contains("the system starts 0 of "), "{message}");
            assert!(!message.contains("panicked"), "{message}");
        }
    };
    std::thread::scope(|scope| scope.spawn(body).join()).expect("no assertion fails");
}

const SHIPPED: &str = "../snapshots/traces/ack-without-epoch.json";

fn text_of(output: &Output) -> (String, String) {
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_found_broken_is_reported_with_the_page_that_shows_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let traces = directory.path().to_str().expect("a name");
    let found = check(&[
        "run", "reads", "--elect", "1", "--write", "1", "--search", "bfs", "--traces", traces,
    ]);
    let (text, _) = text_of(&found);
    let line = text.lines().find(|it| it.contains("G5 not promised")).expect("a finding");
    let (_, page) = line.split_once(", picture ").expect("its page");
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("G5 linearizable"));
}

#[test]
fn a_trace_is_shown_in_each_form() {
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("out.html");
    let name = out.to_str().expect("a name");
    let shown = check(&["show", SHIPPED, "-o", name, "--against", "right"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(std::fs::read_to_string(&out).expect("a page").contains("The two part at"));
    for (form, begins) in [
        ("--svg", "<svg "),
        ("--text", "scope "),
        ("--itf", "{\"#meta\""),
        ("--shiviz", "client-1 {"),
    ] {
        let (text, _) = text_of(&check(&["show", SHIPPED, form]));
        assert!(text.starts_with(begins), "{form}: {}", &text[..40]);
    }
    let (text, note) = text_of(&check(&["show", SHIPPED, "--text", "--last", "5"]));
    assert!(text.contains("steps 1 to 29 are left out"), "{text}");
    assert!(note.contains("steps 1 to 29 of 34 were replayed and are left out"), "{note}");
    fails_with(&["show", SHIPPED, "--last", "0"], 2, "valid counts are 1 to 20000");
    fails_with(&["show", SHIPPED, "--against", "nobody"], 2, "no variant is called");
    fails_with(
        &["show", SHIPPED, "-o", "/no/such/directory/x.html"],
        4,
        "cannot write the picture",
    );
    fails_with(&["show", "no-such-file.json"], 4, "no-such-file.json: cannot read it");
}

#[test]
fn a_replay_stops_where_it_is_told_to() {
    let (text, _) = text_of(&check(&["replay", SHIPPED, "--until", "2"]));
    assert!(text.contains("After step 2:\nn0 LEADS e1.n0"), "{text}");
    assert!(!text.contains("  3. "), "{text}");
    fails_with(&["replay", SHIPPED, "--until", "35"], 2, "has 34 steps");
}

#[test]
fn a_trace_that_no_longer_fits_names_the_first_step_that_differs() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("trace.json");
    let name = file.to_str().expect("a name");
    let text = std::fs::read_to_string(SHIPPED).expect("a trace");
    let changed = text.replacen("n2 syncs its log", "n2 does what it did then", 1);
    std::fs::write(&file, changed).expect("a file");
    let (_, note) = text_of(&check(&["replay", name]));
    let says = "the first step that differs is 4: recorded `n2 does what it did then`, now `n2 syncs its log`";
    assert!(note.contains(says), "{note}");

    let mut trace: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    trace["steps"].as_array_mut().expect("steps").remove(3);
    std::fs::write(&file, trace.to_string()).expect("a file");
    fails_with(
        &["replay", name],
        3,
        "step 4 (recorded: n2 -> n0: VoteRequest e2.n2 vv[]): `n2 -> n0` is not possible here",
    );
    fails_with(&["show", name, "-o", "/dev/null"], 3, "the picture ends before step 4");
    fails_with(&["shrink", name], 2, "no step of the trace breaks G5 linearizable");
    fails_with(
        &["shrink", "../snapshots/traces/split-brain.json"],
        2,
        "breaks no guarantee: shrink",
    );
    std::fs::write(&file, &text[..text.len() / 2]).expect("a file");
    for command in ["show", "shrink", "trace-to-test"] {
        fails_with(&[command, name], 4, "damaged or not a trace");
    }
}

#[test]
fn a_shrunk_trace_is_a_trace_that_breaks_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("short.json");
    let name = file.to_str().expect("a name");
    let (_, note) = text_of(&check(&["shrink", SHIPPED, "--time", "60", "-o", name]));
    assert!(note.contains("G5 linearizable is still broken"), "{note}");
    let replayed = check(&["replay", name]);
    assert_eq!(replayed.status.code(), Some(1), "{:?}", text_of(&replayed));
    fails_with(&["shrink", SHIPPED, "--time", "0"], 3, "the time was up before the trace was");
    fails_with(&["shrink", SHIPPED, "--guarantee", "G99"], 2, "valid ids: G1, G2, ");
}

#[test]
fn the_test_made_of_a_trace_is_the_one_that_is_compiled_here() {
    let (made, _) = text_of(&check(&["trace-to-test", SHIPPED]));
    assert!(
        made == include_str!("made_of_a_trace.rs"),
        "check trace-to-test {SHIPPED} > tests/made_of_a_trace.rs"
    );
}

#[test]
fn a_scope_is_a_file_that_can_be_changed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("scope.json");
    let name = file.to_str().expect("a name");
    let (text, _) = text_of(&check(&["list", "rot", "--json"]));
    std::fs::write(&file, &text).expect("a file");
    let run = |arguments: &[&str]| {
        let (text, errors) = text_of(&check(arguments));
        let found = text.lines().find(|it| it.starts_with("rot ")).map(str::to_owned);
        let row = found.unwrap_or_else(|| panic!("{arguments:?}: {text}{errors}"));
        row.split_whitespace().skip(1).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let shipped = run(&["run", "rot"]);
    assert_eq!(run(&["run", "--scope", name]), shipped);
    let more = text.replace("\"writes\": 2", "\"writes\": 1");
    std::fs::write(&file, more).expect("a file");
    assert_eq!(run(&["run", "--scope", name]), run(&["run", "rot", "--writes", "1"]));
    assert_ne!(run(&["run", "--scope", name]), shipped);

    std::fs::write(&file, text.replace("\"writes\"", "\"write\"")).expect("a file");
    fails_with(&["run", "--scope", name], 4, "unknown field `write`");
    fails_with(&["run", "--scope", "nowhere.json"], 4, "nowhere.json: cannot read it");
    fails_with(&["run"], 2, "no scope is named: `check list` names the valid scopes");
}

#[test]
fn what_has_no_effect_is_refused_by_name() {
    for (arguments, says) in [
        (&["run", "cold", "--elections", "0"][..], "cold: a cold start has no effect here"),
        (&["run", "cold", "--rot", "1"], "cold: rot has no effect here: it needs named_contents"),
        (&["run", "cold", "--deletes", "1", "--writes", "0"], "deletes has no effect here"),
        (
            &["run", "cold", "--nodes", "1", "--elect", "1", "--write", "1"],
            "partitions has no effect",
        ),
        (
            &["twins", "ack-before-sync", "--rot", "1"],
            "ack-before-sync: replicate: rot has no effect",
        ),
        (&["run", "cold", "--deletes", "2"], "a delete beyond the writes has no effect here"),
        (&["run", "cold", "--resolves", "1"], "resolves has no effect here: it needs two writes"),
        (&["run", "reads", "--payloads", "3"], "a limit of payloads has no effect here"),
        (
            &["run", "reads", "--nodes", "2", "--partitions", "1", "--lost-links", "1"],
            "lost_links has no effect here: it needs three nodes",
        ),
        (
            &["run", "reads", "--one-way-cuts"],
            "one_way_cuts has no effect here: it needs partitions",
        ),
        (&["settle", "rot", "--writes", "0"], "named_contents has no effect here: it needs writes"),
        (&["explore", "reads", "--lost-contents", "1"], "lost_contents has no effect here"),
        #[cfg(not(feature = "processes"))]
        (&["run", "cold", "--processes", "2"], "built without --processes"),
        (&["run", "cold", "--drops", "1"], "drops = 1: only the lossy network does that"),
        (&["run", "cold", "--seed", "5"], "only --search walk takes --seed and --states"),
    ] {
        fails_with(arguments, 2, says);
    }
    let silent = check(&["run", "cold", "--writes", "0"]);
    let (text, _) = text_of(&silent);
    let says = "VACUOUS\n  no client writes or reads: no promise about files was tested\n";
    assert!(text.contains(says) && text.contains("NOT as promised"), "{text}");
    assert_eq!(silent.status.code(), Some(1));
}

#[test]
fn a_violation_that_is_not_promised_has_the_same_code_in_a_search_and_in_a_replay() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().to_str().expect("a name");
    let run = ["run", "reads", "--elect", "1", "--write", "1", "--traces", folder];
    assert_eq!(check(&run).status.code(), Some(0));
    let trace = format!("{folder}/reads-e1w1-G5.json");
    let replayed = check(&["replay", &trace]);
    let (text, _) = text_of(&replayed);
    assert_eq!(replayed.status.code(), Some(0), "{text}");
    assert!(text.contains("breaks G5 linearizable (not promised here): "), "{text}");
    assert!(text.contains("As recorded: the run breaks G5, which is not promised here."), "{text}");
}

/// A trace may come from anywhere.
#[test]
fn a_name_in_a_trace_does_not_command_a_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("trace.json");
    let text = std::fs::read_to_string("../snapshots/traces/read-without-quorum.json");
    let mut trace: serde_json::Value =
        serde_json::from_str(&text.expect("a shipped trace")).expect("JSON");
    let evil = "\u{1b}[31mred\u{9b}2J\u{202e}";
    trace["scope"]["name"] = evil.into();
    trace["scope"]["names"] = serde_json::json!({ "paths": [evil], "contents": {} });
    trace["steps"][0]["note"] = evil.into();
    std::fs::write(&file, trace.to_string()).expect("a file");
    let name = file.to_str().expect("a name");
    for arguments in [
        &["replay"][..],
        &["replay", "--json"],
        &["replay", "--until", "9"],
        &["show", "--text"],
        &["shrink", "--time", "1"],
        &["trace-to-test"],
    ] {
        let (text, note) = text_of(&check(&[arguments, &[name]].concat()));
        assert!(text.len() > 100, "{arguments:?}: {note}");
        for it in [text, note] {
            let is_obeyed = |it: char| it.is_control() && it != '\n' || it == '\u{202e}';
            assert!(!it.contains(is_obeyed), "{arguments:?}: {it:?}");
        }
    }
}

#[test]
fn colours_stand_where_they_are_wanted() {
    let run = |name: &str| {
        let mut check = Command::new(env!("CARGO_BIN_EXE_check"));
        let output = check.args(["run", "reads"]).env(name, "1").output().expect("check runs");
        text_of(&output).0
    };
    assert!(run("CLICOLOR_FORCE").contains("\u{1b}[32mkept\u{1b}[0m"));
    assert!(!run("NO_COLOR").contains('\u{1b}'));
}

#[test]
fn the_explorer_says_where_it_is_and_that_its_search_stopped_early() {
    let mut explorer = Command::new(env!("CARGO_BIN_EXE_check"))
        .args(["explore", "lossy-reads-election", "--address", "127.0.0.1:0", "--timeout", "0.2"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("check runs");
    let lines = BufReader::new(explorer.stdout.take().expect("its output")).lines();
    let lines: Vec<String> = lines.map_while(Result::ok).take(2).collect();
    explorer.kill().expect("it runs");
    explorer.wait().expect("an end");
    let address: &str = lines[0].strip_prefix("http://127.0.0.1:").expect("an address");
    assert!(address.trim_end_matches('/').parse::<u16>().is_ok_and(|it| it > 0), "{address}");
    let says = "no counterexample was found, but the search stopped early: out of time (--timeout)";
    assert_eq!(lines[1], says);
}
