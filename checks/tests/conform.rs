//! `check conform` on the recordings of real nodes: what it says, and its exit codes.
//!
//! The nodes are processes of the program `steadfast` in the same target directory, which `cargo build -p steadfast` makes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use steadfast_client::Upload;
use steadfast_testbed::{Plan, Program, Testbed};
use tempfile::TempDir;

const NODES: [&str; 3] = ["a", "b", "c"];

/// The recordings of three nodes. Clients write while the first node is killed and starts again.
fn record(directory: &Path) -> [PathBuf; 3] {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let recordings = NODES.map(|it| directory.join("recordings").join(it));
    runtime.expect("a runtime").block_on(async {
        let program = Program::find(None).expect("the program, by `cargo build -p steadfast`");
        let plan = Plan::new(program).nodes(NODES.map(|it| (it.to_owned(), None)));
        let mut testbed = plan.directory(directory.join("run")).make().expect("a cluster");
        for (name, recording) in NODES.iter().zip(&recordings) {
            let options: [OsString; 2] = ["--record".into(), recording.into()];
            testbed.set_options(name, options).expect("a node");
        }
        testbed.start_all().expect("a start");
        testbed.settle().await.expect("a leader");
        put(&testbed, 0..40).await;
        testbed.kill("a").expect("a process");
        put(&testbed, 40..80).await;
        testbed.start("a").expect("a start");
        put(&testbed, 80..100).await;
        testbed.settle().await.expect("a leader");
        for name in NODES {
            assert_eq!(testbed.terminate(name).expect("an end").code(), Some(0));
        }
    });
    recordings
}

async fn put(testbed: &Testbed, numbers: std::ops::Range<u32>) {
    let client = testbed.client().expect("a client");
    for number in numbers {
        let (path, text) = (format!("d/{}", number % 7), number.to_string());
        client.put(&path, Upload::bytes(text)).await.expect("an acknowledgement");
        client.get(&path).await.expect("a file");
    }
}

fn check(directories: &[&Path], options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_check"));
    command.arg("conform").args(directories).args(options).output().expect("check runs")
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn recordings_of_real_nodes_conform_and_changed_ones_do_not() {
    let around = TempDir::new().expect("a directory");
    let recordings = record(around.path());
    let all: Vec<&Path> = recordings.iter().map(PathBuf::as_path).collect();

    let output = check(&all, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = report(&output);
    assert_eq!((&found["starts"], &found["cuts"]), (&4.into(), &1.into()), "{found}");
    assert!(found["misfit"].is_null() && found["messages"].as_u64() > Some(200), "{found}");
    let guarantees = found["guarantees"].as_array().expect("guarantees");
    assert_eq!(guarantees.len(), 13);
    let is_judged = |it: &Value| it["finding"] == "kept" && it["times"].as_u64() > Some(0);
    assert!(guarantees.iter().all(is_judged), "{found}");
    let output = check(&all, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("CONFORMS: 3 nodes, 4 starts (1 without an end)"), "{text}");

    let output = check(&all[..2], &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said(&output).contains("the recording of n2 is missing"), "{output:?}");
    let output = check(&[all[0], all[1], all[1]], &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    let file = recordings[2].join("000001-0001.rec");
    let bytes = fs::read(&file).expect("a recording");
    // The recording of n2 ends early, so its peers receive messages that it has not sent.
    File::options()
        .write(true)
        .open(&file)
        .and_then(|it| it.set_len(bytes.len() as u64 / 2))
        .expect("a cut");
    let output = check(&all, &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let misfit = &report(&output)["misfit"];
    assert!(misfit["node"] != "n2" && misfit["start"] == 1, "{misfit}");
    let step = misfit["step"].as_str().expect("a step");
    assert!(step.starts_with("receives from n2"), "{misfit}");

    let mut damaged = bytes;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&file, damaged).expect("a recording");
    let output = check(&all, &[]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(said(&output).contains("000001-0001.rec"), "{output:?}");
    let output = check(&[all[0], all[1], around.path()], &[]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}
