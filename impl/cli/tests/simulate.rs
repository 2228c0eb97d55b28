//! `steadfast simulate`, as a user meets it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::{Command, Output};

fn simulate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.arg("simulate").args(arguments).output().expect("steadfast runs")
}

fn fails_with(arguments: &[&str], code: i32, says: &str) {
    let output = simulate(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(message.contains(says), "{arguments:?}: {message}");
}

#[test]
fn bad_input_is_named_and_the_accepted_ones_are_listed() {
    fails_with(
        &["nowhere"],
        2,
        "no scenario is called \"nowhere\": valid scenarios: all, basic-replication,",
    );
    for number in ["0", "8", "300"] {
        fails_with(&["all", "--nodes", number], 2, "expected a whole number from 1 to 7");
        fails_with(&["all", "--write", number], 2, "expected a whole number from 1 to 7");
    }
    fails_with(&["all", "--trace", "-"], 2, "name a file with --trace");
    fails_with(&["all", "--elect", "4"], 2, "E = 4: the votes needed to lead are 1 to 3");
    fails_with(&["all", "--seed", "x"], 2, "--seed");
    fails_with(&["all", "--files", "no-such-directory"], 4, "cannot read no-such-directory");
    fails_with(&["delta-sync", "--nodes", "1"], 2, "sending a delta takes at least 2");
}

#[test]
fn files_that_cannot_be_used_are_named_and_left_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().to_str().expect("a name");
    fails_with(&["all", "--files", place], 2, "there is no file in it that can be used");
    std::fs::create_dir(directory.path().join("folder")).expect("a folder");
    std::fs::write(directory.path().join("empty"), "").expect("a file");
    std::fs::write(directory.path().join("text"), "something to replicate".repeat(400))
        .expect("a file");
    let output = simulate(&["basic-replication", "--files", place]);
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(warnings.contains("folder is left out: it is an empty directory"), "{warnings}");
    assert!(warnings.contains("empty is left out: it is empty"), "{warnings}");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("puts text: 8800 B"));
}

#[test]
fn files_of_subdirectories_are_called_by_their_paths_and_links_lead_nowhere_else() {
    let (directory, elsewhere) = (tempfile::tempdir(), tempfile::tempdir());
    let (directory, elsewhere) = (directory.expect("a directory"), elsewhere.expect("another"));
    let place = |name: &str| directory.path().join(name);
    fs::create_dir_all(place("docs/old")).expect("directories");
    fs::write(place("docs/old/notes"), "one").expect("a file");
    fs::write(place("docs/notes"), "two").expect("a file");
    fs::write(place("docs/bell\u{7}"), "three").expect("a file");
    fs::write(elsewhere.path().join("secret"), "four").expect("a file");
    symlink(elsewhere.path(), place("docs/away")).expect("a link");
    symlink("nothing", place("docs/dangling")).expect("a link");
    symlink("..", place("docs/old/circle")).expect("a link");

    let link = elsewhere.path().join("link");
    symlink(directory.path(), &link).expect("a link");
    let output = simulate(&["basic-replication", "--files", link.to_str().expect("a name")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let story = String::from_utf8_lossy(&output.stdout).into_owned();
    for told in ["puts docs/notes: 3 B", "puts docs/old/notes: 3 B", "2 of 2 writes"] {
        assert!(story.contains(told), "{told}: {story}");
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for left_out in [
        "docs/away is left out: it is a link to a directory",
        "docs/old/circle is left out: it is a link to a directory",
        "docs/dangling is left out: No such file",
        "docs/bell\\u{7} is left out: its name has control characters",
    ] {
        assert!(said.contains(left_out), "{left_out}: {said}");
    }
}

#[test]
fn more_files_than_a_simulation_takes_are_refused_wherever_they_lie() {
    let directory = tempfile::tempdir().expect("a directory");
    for nth in 0..1_001 {
        let folder = directory.path().join(format!("{}/{}", nth % 7, nth % 3));
        fs::create_dir_all(&folder).expect("a directory");
        fs::write(folder.join(nth.to_string()), "x").expect("a file");
    }
    let place = directory.path().to_str().expect("a name");
    fails_with(&["basic-replication", "--files", place], 2, "more than 1000 files");
    let file = directory.path().join("0/0/0");
    fails_with(&["all", "--files", file.to_str().expect("a name")], 4, "cannot read");
}

#[test]
fn json_is_one_object_and_the_same_for_the_same_seed() {
    let output = simulate(&["conflict-resolution", "--seed", "5", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["ok"], true);
    assert_eq!(report["stories"][0]["scenario"], "conflict-resolution");
    let again = simulate(&["conflict-resolution", "--seed", "5", "--json"]);
    assert_eq!(output.stdout, again.stdout);
    let other = simulate(&["conflict-resolution", "--seed", "6", "--json"]);
    assert_ne!(output.stdout, other.stdout);
    // The small set follows the seed too, so the outputs would differ if the cluster did not.
    let title = report["stories"][0]["title"].as_str().expect("a title");
    assert!(title.contains("seed 5"), "{title}");
}

#[test]
fn of_several_stories_each_leaves_its_own_trace() {
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("trace.json");
    let output = simulate(&["network-partition", "--trace", trace.to_str().expect("a name")]);
    assert_eq!(output.status.code(), Some(0));
    for number in [1, 2] {
        let file = directory.path().join(format!("trace-{number}.json"));
        let text = std::fs::read_to_string(file).expect("a trace");
        assert!(text.contains("steadfast-trace"), "{number}");
    }
}

#[test]
fn a_trace_is_written_to_a_pipe_and_to_what_a_link_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let [pipe, link, file] = ["pipe", "link", "file"].map(|it| directory.path().join(it));
    let trace = |path: &std::path::Path| {
        let name = path.to_str().expect("a name");
        let output = simulate(&["basic-replication", "--trace", name]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };

    fs::write(&file, "old").expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("a file");
    symlink(&file, &link).expect("a link");
    trace(&link);
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(fs::metadata(&file).expect("a trace").permissions().mode() & 0o777, 0o640);
    let text = fs::read_to_string(&file).expect("a trace");
    assert!(text.contains("steadfast-trace"), "{text}");

    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    // Open at both ends, a pipe takes a short trace before anybody reads it.
    let mut ends = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    trace(&pipe);
    assert!(fs::metadata(&pipe).expect("a pipe").file_type().is_fifo(), "it was replaced");
    let mut bytes = vec![0; text.len()];
    ends.read_exact(&mut bytes).expect("a trace");
    assert_eq!(String::from_utf8_lossy(&bytes), text);
}

#[test]
fn a_verdict_that_nobody_reads_is_not_taken_for_one_that_holds() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(["simulate", "basic-replication"]).stdout(std::io::pipe().expect("a pipe").1);
    let output = command.output().expect("steadfast runs");
    assert_eq!((output.status.code(), output.stderr), (Some(3), Vec::new()));
}

#[test]
fn standard_output_that_is_full_is_an_error_and_no_panic() {
    let full = File::options().write(true).open("/dev/full").expect("a full device");
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(["simulate", "basic-replication"]).stdout(full);
    let output = command.output().expect("steadfast runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.starts_with("steadfast: cannot write to standard output: "), "{message}");
}
