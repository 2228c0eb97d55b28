//! The processes of a testbed end with their owner, however it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::Pid;
use steadfast_testbed::{Plan, Program, Testbed, TestbedError};

/// Set for a process of this test that owns nodes.
const OWNER: &str = "STEADFAST_TEST_OWNER";
const NAME: &str = "nodes_end_with_an_owner_that_is_killed_even_while_they_are_stopped";

/// How long the system may take. It bounds a test that fails.
const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

fn testbed(plan: impl FnOnce(Plan) -> Plan) -> Testbed {
    let program = Program::find(Some(Path::new(env!("CARGO_BIN_EXE_steadfast"))));
    plan(Plan::new(program.expect("the program"))).make().expect("the files of a cluster")
}

/// Starts nodes, stops one, names all processes and waits for its own end.
fn own() {
    let mut testbed = testbed(|it| it);
    testbed.start_all().expect("processes");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(testbed.settle()).expect("a leader");
    testbed.stop("b").expect("a process");
    for node in ["a", "b", "c"] {
        println!("process {}", testbed.process_id(node).expect("a process"));
    }
    println!("directory {}", testbed.directory().display());
    sleep(DEADLINE);
}

#[test]
fn nodes_end_with_an_owner_that_is_killed_even_while_they_are_stopped() {
    if std::env::var_os(OWNER).is_some() {
        return own();
    }
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args([NAME, "--exact", "--nocapture"]).env(OWNER, "1").stdout(Stdio::piped());
    let mut owner = command.spawn().expect("a process");
    let lines = BufReader::new(owner.stdout.take().expect("a pipe")).lines();
    let mut processes = Vec::new();
    let mut directory = None;
    for line in lines.map(|it| it.expect("text")) {
        if let Some(id) = line.split("process ").nth(1) {
            processes.push(Pid::from_raw(id.trim().parse().expect("a process id")));
        } else if let Some(it) = line.strip_prefix("directory ") {
            directory = Some(it.to_owned());
            break;
        }
    }
    owner.kill().expect("a process");
    owner.wait().expect("an end");
    assert_eq!(processes.len(), 3);
    let begun = Instant::now();
    while processes.iter().any(|it| kill(*it, None).is_ok()) {
        assert!(begun.elapsed() < DEADLINE, "nodes outlive their owner: {processes:?}");
        sleep(PAUSE);
    }
    let directory = directory.expect("the directory of the killed owner");
    std::fs::remove_dir_all(directory).expect("a directory");
}

#[test]
fn a_dropped_testbed_leaves_nothing_and_a_kept_one_its_files() {
    let around = tempfile::TempDir::new().expect("a directory");
    for is_kept in [false, true] {
        let mut testbed = testbed(|it| match is_kept {
            true => it.directory(around.path().join("kept")),
            false => it,
        });
        testbed.start("a").expect("a process");
        let process = testbed.process_id("a").expect("a process");
        let directory = testbed.directory().to_owned();
        drop(testbed);
        assert!(kill(process, None).is_err(), "the node is gone");
        assert_eq!(directory.join("cluster/a/node.toml").is_file(), is_kept);
    }
}

#[test]
fn a_node_is_started_once_and_can_be_started_again_after_its_end() {
    let mut testbed = testbed(|it| it.options(["--elect", "1", "--write", "1"]));
    let is_state = |it: Result<(), TestbedError>| matches!(it, Err(TestbedError::Node { .. }));
    assert!(is_state(testbed.start("d")) && is_state(testbed.kill("a")));
    testbed.start("a").expect("a process");
    assert!(is_state(testbed.start("a")));
    testbed.kill("a").expect("a process");
    testbed.start("a").expect("a process");
    assert!(testbed.runs("a") && testbed.ended("a").expect("a process").is_none());
}

#[test]
fn a_wrong_option_of_init_is_passed_on() {
    let program = Program::find(Some(Path::new(env!("CARGO_BIN_EXE_steadfast"))));
    let plan = Plan::new(program.expect("the program")).options(["--elect", "9"]);
    let said = plan.make().expect_err("a refusal").to_string();
    assert!(said.contains("were not made") && said.contains('9'), "{said}");
}
