//! The commands on the files of a cluster, against nodes that answer by the contract of the API.

#[allow(dead_code)]
#[path = "../../client/tests/fake/mod.rs"]
mod fake;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fake::{Fake, Fault};
use serde_json::{Value, json};

fn steadfast(fake: &Fake, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(arguments).current_dir(fake.around.path());
    command.env("STEADFAST_CLIENT", fake.client()).stdin(Stdio::null());
    command
}

fn run(fake: &Fake, arguments: &[&str]) -> Output {
    steadfast(fake, arguments).output().expect("the program ends")
}

/// Standard output of a command that succeeds.
fn text(fake: &Fake, arguments: &[&str]) -> String {
    let output = run(fake, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The lines of JSON of a command that succeeds.
fn lines(fake: &Fake, arguments: &[&str]) -> Vec<Value> {
    let parse = |it: &str| serde_json::from_str(it).expect("a line of JSON");
    text(fake, &[arguments, &["--json"]].concat()).lines().map(parse).collect()
}

/// The exit code and standard error of a command.
fn failure(fake: &Fake, arguments: &[&str]) -> (i32, String) {
    let output = run(fake, arguments);
    let code = output.status.code().expect("no signal");
    assert_ne!(code, 0, "{arguments:?}: {output:?}");
    (code, String::from_utf8(output.stderr).expect("text"))
}

fn write(fake: &Fake, name: &str, content: &str) {
    let path = fake.around.path().join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, content).expect("a file");
}

fn read(fake: &Fake, name: &str) -> String {
    fs::read_to_string(fake.around.path().join(name)).expect("a file")
}

#[test]
fn a_file_is_put_got_listed_and_removed() {
    let fake = Fake::start();
    write(&fake, "local", "milk");
    assert_eq!(text(&fake, &["put", "local", "notes/a"]), "n0-1 notes/a\n");
    assert_eq!(text(&fake, &["get", "notes/a"]), "milk");
    assert_eq!(text(&fake, &["get", "notes/a", "-o", "copy"]), "n0-1 notes/a\n");
    assert_eq!(read(&fake, "copy"), "milk");
    let got = &lines(&fake, &["get", "notes/a", "--stale", "-o", "copy"])[0];
    let content = &lines(&fake, &["ls", "notes/"])[0]["content"];
    assert_eq!(
        *got,
        json!({"path": "notes/a", "version": "n0-1", "content": content, "length": 4, "conflicts": 0,
            "stale": true})
    );

    let mut child = steadfast(&fake, &["put", "-", "b", "--new", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a start");
    child.stdin.take().expect("a pipe").write_all(b"from a pipe").expect("a reader");
    let output = child.wait_with_output().expect("an end");
    let written: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&written["version"], &written["created"]), (&json!("n0-2"), &json!(true)));
    assert_eq!(fake.memory().content("b").as_deref(), Some(&b"from a pipe"[..]));

    assert!(text(&fake, &["ls"]).contains("4  n0-1      notes/a\n"));
    assert_eq!(lines(&fake, &["ls", "notes/"]).len(), 1);
    assert_eq!(text(&fake, &["rm", "notes/a", "b"]), "n0-3 notes/a\nn0-4 b\n");
    assert_eq!(text(&fake, &["ls"]), "");
}

#[test]
fn conditions_keys_and_refusals_reach_the_user() {
    let fake = Fake::start();
    write(&fake, "local", "x");
    assert_eq!(text(&fake, &["put", "local", "a", "--key", "k"]), "n0-1 a\n");
    assert_eq!(text(&fake, &["put", "local", "a", "--key", "k"]), "n0-1 a\n");
    assert_eq!(text(&fake, &["put", "local", "a", "--if", "n0-1"]), "n0-2 a\n");
    for arguments in [["put", "local", "a", "--if=n0-1"], ["put", "local", "a", "--new"]] {
        let (code, said) = failure(&fake, &arguments);
        assert_eq!(code, 4);
        assert!(
            said.contains("precondition-failed") && said.contains("help: `steadfast log"),
            "{said}"
        );
    }
    let (code, said) = failure(&fake, &["get", "missing"]);
    assert!(code == 4 && said.contains("not-found"), "{said}");
    fake.fault(Fault::Refuse(503, "content-missing"));
    assert_eq!(failure(&fake, &["get", "a"]).0, 1, "a content is damaged");
}

#[test]
fn versions_and_conflicts_are_shown_resolved_and_restored() {
    let fake = Fake::start();
    fake.memory().write("a", Some(b"one"));
    fake.memory().conflict("a", b"three");
    let shown = "* n0-1      3 bytes  stamp e1.1\n  n0-2      5 bytes  stamp e1.2\n";
    assert_eq!(text(&fake, &["log", "a"]), shown);
    assert_eq!(text(&fake, &["conflicts"]), format!("a\n{shown}"));
    assert!(text(&fake, &["ls"]).contains("(1 in conflict)"));
    let log = &lines(&fake, &["log", "a"])[0];
    assert_eq!((&log["path"], &log["versions"][1]["visible"]), (&json!("a"), &json!(false)));
    assert_eq!(lines(&fake, &["conflicts", "a"])[0], *log);
    assert_eq!(text(&fake, &["get", "a", "--version", "n0-2"]), "three");
    assert_eq!(text(&fake, &["restore", "a", "n0-2"]), "n0-3 a\n");
    assert_eq!(text(&fake, &["get", "a"]), "three");
    assert_eq!(text(&fake, &["conflicts"]), "");
    let (code, said) = failure(&fake, &["resolve", "a", "n0-1"]);
    assert!(code == 4 && said.contains("not-a-head"), "{said}");
    assert_eq!(text(&fake, &["resolve", "a", "n0-3"]), "n0-4 a\n");
}

#[test]
fn wrong_usage_is_named_before_anything_is_sent() {
    let fake = Fake::start();
    write(&fake, "local", "x");
    for (arguments, reason) in [
        (&["put", "local", "a//b"][..], "two slashes in a row"),
        (&["rm", "fine", "../b"], "\"..\""),
        (&["get", ""], "it is empty"),
        (&["get", "a", "--version", "5"], "such as n0-5"),
        (&["resolve", "a", "x"], "such as n0-5"),
        (&["get", "a", "--json"], "cannot take both"),
        (&["watch", "--since", "x"], "no position"),
        (&["verify", "d"], "a, b, c"),
        (&["sync", ".", "a/../b"], "\"..\""),
        (&["sync", "local", "a"], "local is no directory"),
    ] {
        let (code, said) = failure(&fake, arguments);
        assert!(code == 2 && said.contains(reason), "{arguments:?}: {code} {said}");
    }
    let (code, said) = failure(&fake, &["put", "missing", "a"]);
    assert!(code == 4 && said.contains("cannot read missing"), "{said}");
    let (code, said) = failure(&fake, &["ls", "--client", "nowhere"]);
    assert!(
        code == 4 && said.contains("nowhere/client.toml") && said.contains("STEADFAST_CLIENT"),
        "{said}"
    );
    let config = fake.client().join("client.toml");
    let kept = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("colour = 1\n{kept}")).expect("a file");
    let (code, said) = failure(&fake, &["ls"]);
    assert!(
        code == 2 && said.contains("unknown field `colour`") && said.contains("`nodes`"),
        "{said}"
    );
    assert!(fake.memory().requests.is_empty());
}

#[test]
fn nodes_that_do_not_answer_are_named() {
    let mut fake = Fake::start();
    fake.stop();
    let (code, said) = failure(&fake, &["get", "a", "--timeout", "0.3", "-o", "copy"]);
    assert!(
        code == 4 && said.contains("cannot connect to node") && said.contains("127.0.0.1"),
        "{said}"
    );
    assert!(!fake.around.path().join("copy").exists());
    let output = run(&fake, &["status", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("3 of 3 nodes did not answer\n"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot connect to node c"));
}

#[test]
fn an_interrupted_download_leaves_the_old_file_and_nothing_beside_it() {
    let fake = Fake::start();
    write(&fake, "into/copy", "old");
    fake.memory().write("a", Some(b"0123456789"));
    fake.fault(Fault::Say("no content of ours"));
    let (code, said) = failure(&fake, &["get", "a", "-o", "into/copy"]);
    assert!(code == 4 && said.contains("makes no sense"), "{said}");
    fake.fault(Fault::FlipBit);
    let (code, said) = failure(&fake, &["get", "a", "-o", "into/copy"]);
    assert!(code == 1 && said.contains("n0-1 from node") && said.contains("damaged"), "{said}");
    assert_eq!(read(&fake, "into/copy"), "old");
    for _ in 0..1000 {
        fake.fault(Fault::CutBody(0));
    }
    let (code, _) = failure(&fake, &["get", "a", "-o", "into/copy", "--timeout", "1"]);
    assert_eq!(code, 4);
    assert_eq!(read(&fake, "into/copy"), "old");
    let entries = fs::read_dir(fake.around.path().join("into")).expect("a directory");
    assert_eq!(entries.count(), 1);
}

#[test]
fn a_directory_goes_up_and_down_and_only_changes_are_moved() {
    let fake = Fake::start();
    for (name, content) in [("up/a", "1"), ("up/d/b", "22"), ("up/d/e/c", "333")] {
        write(&fake, name, content);
    }
    std::os::unix::fs::symlink("/etc", fake.around.path().join("up/link")).expect("a link");
    fake.memory().write("keep", Some(b"not below the prefix"));
    let planned = text(&fake, &["sync", "up", "p", "--dry-run"]);
    assert!(
        planned.ends_with("3 files (6 bytes) would be written, 0 would be deleted, 0 unchanged\n"),
        "{planned}"
    );
    assert_eq!(fake.memory().files.len(), 1);

    let output = run(&fake, &["sync", "up", "p"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    assert_eq!(
        said,
        "write  p/a\nwrite  p/d/b\nwrite  p/d/e/c\n3 files (6 bytes) written, 0 deleted, 0 unchanged\n"
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("up/link: left out"));
    assert_eq!(fake.memory().content("p/d/e/c").as_deref(), Some(&b"333"[..]));

    // The same length, another content.
    write(&fake, "up/d/b", "23");
    fs::remove_file(fake.around.path().join("up/a")).expect("a file");
    let again = lines(&fake, &["sync", "up/", "p/"]);
    assert_eq!(again[0], json!({"action": "write", "path": "p/d/b", "length": 2}));
    let summary = json!({"written": 1, "deleted": 0, "unchanged": 1, "failed": 0, "bytes": 2, "dry_run": false});
    assert_eq!(again[1], summary);
    let said = text(&fake, &["sync", "up", "p", "--delete"]);
    assert_eq!(said, "delete  p/a\n0 files (0 bytes) written, 1 deleted, 2 unchanged\n");
    assert_eq!(fake.memory().content("keep").as_deref(), Some(&b"not below the prefix"[..]));

    let said = text(&fake, &["sync", "down", "p", "--down"]);
    assert!(said.ends_with("2 files (5 bytes) written, 0 deleted, 0 unchanged\n"), "{said}");
    assert_eq!((read(&fake, "down/d/b"), read(&fake, "down/d/e/c")), ("23".into(), "333".into()));
    write(&fake, "down/more", "x");
    write(&fake, "down/d/b", "xx");
    let said = text(&fake, &["sync", "down", "p", "--down", "--delete"]);
    assert_eq!(
        said,
        "write  p/d/b\ndelete  p/more\n1 files (2 bytes) written, 1 deleted, 1 unchanged\n"
    );
    assert_eq!(read(&fake, "down/d/b"), "23");
    assert!(!fake.around.path().join("down/more").exists());
}

#[test]
fn a_file_that_another_client_changes_is_left_alone_and_a_link_is_not_followed() {
    let fake = Fake::start();
    write(&fake, "up/a", "mine");
    write(&fake, "up/b", "mine");
    // The list is not refused, the first write is.
    fake.memory().write("p/a", Some(b"old"));
    let mut child = steadfast(&fake, &["sync", "up", "p", "--json"]);
    fake.memory().leader = Some(0);
    fake.fault(Fault::Say("{\"files\":[],\"next\":null}"));
    let output = child.output().expect("an end");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("p/a: left alone, another client changed it meanwhile"), "{said}");
    assert_eq!(fake.memory().content("p/a").as_deref(), Some(&b"old"[..]));
    assert_eq!(fake.memory().content("p/b").as_deref(), Some(&b"mine"[..]));

    fs::create_dir(fake.around.path().join("down")).expect("a directory");
    fs::create_dir(fake.around.path().join("elsewhere")).expect("a directory");
    let link = fake.around.path().join("down/d");
    std::os::unix::fs::symlink("../elsewhere", link).expect("a link");
    fake.memory().write("q/d/x", Some(b"x"));
    let (code, said) = failure(&fake, &["sync", "down", "q", "--down"]);
    assert!(code == 4 && said.contains("down/d is in the way"), "{said}");
    write(&fake, "elsewhere/file", "mine");
    let link = fake.around.path().join("down/x");
    std::os::unix::fs::symlink("../elsewhere/file", link).expect("a link");
    fake.memory().write("r/x", Some(b"x"));
    let (code, said) = failure(&fake, &["sync", "down", "r", "--down"]);
    assert!(code == 4 && said.contains("down/x is in the way"), "{said}");
    assert_eq!(read(&fake, "elsewhere/file"), "mine");
    assert_eq!(fs::read_dir(fake.around.path().join("elsewhere")).expect("a directory").count(), 1);
}

#[test]
fn the_status_shows_the_nodes_side_by_side() {
    let fake = Fake::start();
    fake.memory().write("a", Some(b"x"));
    let said = text(&fake, &["status"]);
    let rows: Vec<Vec<&str>> = said.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..5], ["NODE", "ROLE", "FOLLOWS", "EPOCH", "LAG"]);
    assert_eq!(rows[2][..5], ["b", "follower", "c", "3.n2", "1"]);
    assert_eq!(rows[3][..5], ["c", "leader", "c", "3.n2", "0"]);
    assert!(said.ends_with("c leads; all nodes hold the same\n"), "{said}");
    let report = &lines(&fake, &["status"])[0];
    assert_eq!((&report["leader"], &report["same"]), (&json!("c"), &json!(true)));
    assert_eq!(report["nodes"][1]["status"]["digest"], "ab12");
}

#[test]
fn a_damaged_content_is_named_by_verify() {
    let fake = Fake::start();
    let said = text(&fake, &["verify", "b"]);
    assert_eq!(said, "b: 3 contents, 30 bytes, 0 damaged\n");
    assert_eq!(lines(&fake, &["verify"]).len(), 3);
    let id = "ab".repeat(32);
    fake.memory().bad_contents = vec![json!({"content": id, "ok": false, "why": "a bit flipped"})];
    let output = run(&fake, &["verify", "a"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(said.starts_with(&format!("a: {id} is damaged: a bit flipped\n")), "{said}");
}

#[test]
fn changes_are_printed_as_they_happen() {
    let fake = Fake::start();
    fake.memory().write("before", Some(b"x"));
    fake.memory().feed_length = 1;
    let command = &["watch", "--since", "n0-1", "--json"];
    let mut child = steadfast(&fake, command).stdout(Stdio::piped()).spawn().expect("a start");
    fake.memory().write("a", Some(b"x"));
    fake.memory().write("a", None);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    let expected = json!({"event": "change", "position": "n0-2", "path": "a", "version": "n0-2",
        "deleted": false, "conflicts": 0});
    assert_eq!(next(), expected);
    assert_eq!(next()["deleted"], true);
    child.kill().expect("a process");
    child.wait().expect("an end");
}

#[test]
fn a_cluster_is_made_once_and_renewed() {
    let fake = Fake::start();
    let nodes = "--nodes=n0=127.0.0.1:7401,n1=h.example.org:7402";
    let made = &lines(&fake, &["init", "made", nodes, "--elect", "1"])[0];
    assert_eq!(made["nodes"][1]["address"], "h.example.org:7402");
    assert!(read(&fake, "made/n0/node.toml").contains("elect = 1\nwrite = 2\n"));
    let (code, said) = failure(&fake, &["init", "made", nodes]);
    assert!(code == 2 && said.contains("made exists already"), "{said}");
    let before = read(&fake, "made/n1/cert.pem");
    let renewed = &lines(&fake, &["renew", "made"])[0];
    assert_eq!(renewed["certificates"].as_array().map(Vec::len), Some(3));
    assert_ne!(read(&fake, "made/n1/cert.pem"), before);
    for (arguments, reason) in [
        (&["init", "x", "--nodes", "a"][..], "NAME=HOST:PORT"),
        (&["init", "x", "--nodes", "a=h:1,a=h:2"], "two nodes are named a"),
        (&["init", "x", "--nodes", "a=h:1", "--write", "2"], "W = 2"),
    ] {
        let (code, said) = failure(&fake, arguments);
        assert!(code == 2 && said.contains(reason), "{arguments:?}: {said}");
        assert!(!Path::new(&fake.around.path().join("x")).exists());
    }
}
