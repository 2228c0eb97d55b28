//! Searches that are cut short: by a user, or because a process dies.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Starts `check run cold lossy-reads-election`, whose first search takes a moment and whose second takes minutes, and
/// waits for the row of the first.
fn started() -> (Child, BufReader<ChildStdout>) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_check"))
        .args(["run", "cold", "lossy-reads-election"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("check runs");
    let mut output = BufReader::new(check.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.starts_with("cold ") {
        line.clear();
        assert_ne!(output.read_line(&mut line).expect("text"), 0, "no row of the first search");
    }
    assert!(line.ends_with("kept\n"), "{line}");
    (check, output)
}

fn searches_of(check: &Child) -> Vec<String> {
    // A child belongs to the thread that started it.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", check.id())).expect("its threads");
    let children = tasks.map(|it| it.expect("a thread").path().join("children"));
    let children = children.map(|it| std::fs::read_to_string(it).expect("its children"));
    children.flat_map(|it| it.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn signal(name: &str, process: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(status.expect("a shell").success());
}

/// Checks that the program ends as incomplete, with this reason below the row of the second search.
fn ends_incomplete(mut check: Child, mut output: impl Read, reason: &str) {
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    assert_eq!(check.wait().expect("an end").code(), Some(3), "{text}");
    assert!(text.contains(&format!("INCOMPLETE\n  {reason}")), "{text}");
    assert!(text.contains("this proves nothing: 1 of 2 searches visited every"), "{text}");
}

#[test]
fn a_search_whose_process_is_killed_is_incomplete_and_the_others_stand() {
    let (check, output) = started();
    signal("KILL", &searches_of(&check).join(" "));
    ends_incomplete(check, output, "no result: its process died (signal: 9 ");
}

/// Whether the programs that this test starts ignore Ctrl-C, as those that a shell starts in the background do. `check`
/// leaves an ignored signal ignored.
fn inherits_ignored_interrupt() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("the state of this process");
    let ignored = status.lines().find_map(|it| it.strip_prefix("SigIgn:")).expect("its signals");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    ignored & (1 << (nix::libc::SIGINT - 1)) != 0
}

#[test]
fn an_interrupted_program_reports_what_is_finished_and_says_that_the_rest_is_not() {
    if inherits_ignored_interrupt() {
        println!("skipped: this process was started with SIGINT ignored");
        return;
    }
    let (check, output) = started();
    signal("INT", &check.id().to_string());
    ends_incomplete(check, output, "interrupted: no proof\n");
}

#[test]
fn a_search_ends_with_the_program_that_asked_for_it() {
    let (mut check, _output) = started();
    let searches = searches_of(&check);
    assert!(!searches.is_empty());
    check.kill().expect("it runs");
    check.wait().expect("an end");
    // Nobody waits for it any more, so that it is gone or a zombie.
    let is_running = |it: &String| {
        let stat = std::fs::read_to_string(Path::new("/proc").join(it).join("stat"));
        stat.is_ok_and(|it| !it.contains(") Z "))
    };
    let mut tries = (0..300).map(|_| sleep(Duration::from_millis(100)));
    assert!(tries.any(|()| !searches.iter().any(is_running)), "{searches:?} go on");
}

#[test]
fn a_program_off_a_terminal_says_now_and_then_how_far_it_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_check"))
        .args(["run", "lossy-reads-election", "--timeout", "9"])
        .output()
        .expect("check runs");
    let lines = String::from_utf8(output.stderr).expect("text");
    let line = lines.lines().next().expect("a line");
    assert!(
        line.starts_with("check: 0 of 1 done after 4 s; lossy-reads-election, level "),
        "{line}"
    );
    assert!(line.ends_with(" MB") && line.contains(" states, "), "{line}");
}

#[test]
fn a_counterexample_that_cannot_be_written_makes_its_search_incomplete() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().to_str().expect("a name");
    let check = env!("CARGO_BIN_EXE_check");
    let run = format!("{check} run reads cold --elect 1 --write 1 --traces {folder}");
    // Files may not grow; pipes may.
    let limited = format!("ulimit -f 0; exec {run}");
    let output = Command::new("sh").args(["-c", &limited]).output().expect("a shell");
    let text = String::from_utf8(output.stdout).expect("text");
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}{notes}");
    let says = format!("INCOMPLETE\n  cannot write the trace {folder}/reads-e1w1-G5.json: ");
    assert!(text.contains(&says) && text.contains("\ncold "), "{text}");
    assert_eq!(std::fs::read_dir(&directory).expect("a directory").count(), 0);
}
