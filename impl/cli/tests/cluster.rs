//! Real nodes: processes of the program on loopback, with their disks and certificates.

mod nodes;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nodes::{Cluster, NAMES, noise, runtime};
use serde_json::{Value, json};
use steadfast_client::{Client, Upload};

const MIB: usize = 1 << 20;

fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).expect("a content");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("a content");
}

fn content_of(cluster: &Cluster, path: &str) -> String {
    let log = &cluster.lines(&["log", path])[0];
    log["versions"][0]["content"].as_str().expect("a content").to_owned()
}

#[test]
fn files_go_through_all_commands_and_reach_all_nodes() {
    let cluster = Cluster::start(&[]);
    cluster.write("local", "milk");
    let mut watch = cluster.command(&["watch", "--since", "", "--json"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("a start");
    let put = &cluster.lines(&["put", "local", "notes/a", "--new"])[0];
    let version = put["version"].as_str().expect("a version").to_owned();
    assert_eq!(cluster.text(&["get", "notes/a"]), "milk");
    assert_eq!(cluster.lines(&["ls", "notes/"])[0]["content"], put["content"]);
    cluster.write("local", "bread");
    assert_eq!(cluster.failure(&["put", "local", "notes/a", "--new"]).0, 4);
    cluster.text(&["put", "local", "notes/a", "--if", &version]);
    let log = &cluster.lines(&["log", "notes/a"])[0];
    assert_eq!(log["versions"][0]["replaces"], json!([version]));
    cluster.text(&["rm", "notes/a"]);
    assert_eq!(cluster.text(&["ls"]), "");
    let (code, said) = cluster.failure(&["get", "notes/a"]);
    assert!(code == 4 && said.contains("deleted"), "{said}");

    let lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let mut changes =
        lines.map(|it| -> Value { serde_json::from_str(&it.expect("text")).expect("JSON") });
    // A feed may leave versions out that another one has replaced, and never the last.
    let last = changes.find(|it| it["event"] == "change" && it["deleted"] == true);
    assert_eq!(last.expect("a deletion")["path"], "notes/a");
    watch.kill().expect("a process");
    watch.wait().expect("an end");

    for (name, content) in [("up/a", "1"), ("up/d/b", "22"), ("up/d/e/c", "333")] {
        cluster.write(name, content);
    }
    let large = noise(2 * MIB, 5);
    cluster.write("up/large", &large);
    let said = cluster.text(&["sync", "up", "p"]);
    assert!(said.ends_with("4 files (2097158 bytes) written, 0 deleted, 0 unchanged\n"), "{said}");
    let said = cluster.text(&["sync", "up", "p", "--dry-run"]);
    assert!(said.ends_with("would be deleted, 4 unchanged\n"), "{said}");
    cluster.text(&["sync", "down", "p", "--down"]);
    assert_eq!((cluster.read("down/d/e/c"), cluster.read("down/large")), (b"333".to_vec(), large));
    cluster.write("down/d/b", "xx");
    cluster.write("down/more", "x");
    let said = cluster.text(&["sync", "down", "p", "--down", "--delete"]);
    assert_eq!(
        said,
        "write  p/d/b\ndelete  p/more\n1 files (2 bytes) written, 1 deleted, 3 unchanged\n"
    );
    cluster.settled();
    let verified = cluster.lines(&["verify"]);
    assert_eq!(verified.len(), 3);
    assert!(verified.iter().all(|it| it["checked"] == 1 && it["bad"] == 0), "{verified:?}");
}

#[test]
fn a_changed_large_file_moves_a_small_part_of_its_bytes() {
    const LENGTH: usize = 20 * MIB;
    let cluster = Cluster::start(&[]);
    let mut content = noise(LENGTH, 7);
    cluster.write("local", &content);
    cluster.text(&["put", "local", "large"]);
    let leader = cluster.settled();
    let received = || -> Vec<u64> {
        let followers = NAMES.iter().filter(|it| **it != leader);
        followers.map(|it| cluster.metric(it, "content_bytes_received")).collect()
    };
    let before = received();
    assert!(before.iter().all(|it| *it >= LENGTH as u64), "noise is not compressed: {before:?}");
    content.splice(9 * MIB..9 * MIB, *b"some bytes that move all others");
    content[15 * MIB..15 * MIB + 1000].fill(0);
    cluster.write("local", &content);
    let uploaded = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&uploaded);
    let upload = Upload::file(cluster.path("local"));
    let upload = upload.on_progress(move |it| count.store(it, Ordering::Relaxed));
    let client = Client::open(&cluster.path("cluster/client")).expect("a client");
    let put = async { client.put("large", upload).await };
    runtime().block_on(put).expect("a write");
    let uploaded = uploaded.load(Ordering::Relaxed);
    assert!(uploaded > 0 && uploaded < LENGTH as u64 / 20, "{uploaded} bytes of {LENGTH}");
    assert_eq!(cluster.settled(), leader, "no node ended, so the leader stays");
    for (before, after) in before.into_iter().zip(received()) {
        let moved = after - before;
        assert!(moved > 0 && moved < LENGTH as u64 / 20, "{moved} bytes of {LENGTH}");
    }
    for node in NAMES {
        let [option, client] = cluster.client_options(&[node]);
        cluster.text(&["get", "large", "--stale", "-o", "copy", &option, &client]);
        assert!(cluster.read("copy") == content, "the bytes on {node} differ");
    }
}

#[test]
fn a_killed_leader_takes_no_acknowledged_write_with_it() {
    const BEFORE: usize = 10;
    const AFTER: usize = 10;
    let mut cluster = Cluster::start(&[]);
    let mut leader = cluster.settled();
    for round in 0..2 {
        let acknowledged: BTreeSet<String> = std::thread::scope(|scope| {
            let (said, heard) = std::sync::mpsc::channel();
            let shared = &cluster;
            let writer = scope.spawn({
                let mut arguments: Vec<std::process::Command> = (0..BEFORE + AFTER)
                    .map(|at| {
                        let name = format!("{round}/{at}");
                        shared.write(&name, &name);
                        shared.command(&["put", &name, &name, "--timeout", "60"])
                    })
                    .collect();
                move || {
                    for (at, command) in arguments.iter_mut().enumerate() {
                        let output = command.output().expect("an end");
                        assert_eq!(output.status.code(), Some(0), "{output:?}");
                        // The other end is gone when the test has failed.
                        let _ = said.send(format!("{round}/{at}"));
                    }
                }
            });
            let mut names: BTreeSet<String> = heard.iter().take(BEFORE).collect();
            let id = cluster.process_id(&leader).expect("a process");
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).expect("a process");
            writer.join().expect("writes");
            names.extend(heard.iter());
            names
        });
        assert_eq!(acknowledged.len(), BEFORE + AFTER);
        cluster.kill(&leader).expect("a process");
        for name in &acknowledged {
            assert_eq!(cluster.text(&["get", name]), *name);
        }
        cluster.start(&leader).expect("a process");
        leader = cluster.settled();
        let listed = cluster.lines(&["ls", &format!("{round}/")]);
        let listed: BTreeSet<String> =
            listed.iter().map(|it| it["path"].as_str().expect("a path").to_owned()).collect();
        assert_eq!(listed, acknowledged);
    }
}

#[test]
fn a_node_ends_by_sigterm_and_its_log_is_whole() {
    let mut cluster = Cluster::start(&[]);
    cluster.write("local", noise(MIB, 3));
    cluster.text(&["put", "local", "large"]);
    cluster.settled();
    for node in NAMES {
        assert_eq!(cluster.terminate(node).expect("an end").code(), Some(0), "{node}");
        let log = format!("cluster/{node}/data/log");
        let verified = cluster.text(&["wal", "verify", &log]);
        assert!(verified.starts_with("clean: "), "{verified}");
    }
    cluster.start_all().expect("processes");
    cluster.settled();
    cluster.text(&["get", "large", "-o", "copy"]);
    assert!(cluster.read("copy") == cluster.read("local"));
}

/// Cuts nodes from these peers.
fn cut(cluster: &Cluster, cuts: &[(&str, &[&str])]) {
    runtime().block_on(async {
        let client = cluster.client().expect("a client");
        for (node, peers) in cuts {
            client.cut(node, peers).await.expect("a node that allows cuts");
        }
    });
}

#[test]
fn both_sides_of_a_cut_take_writes_and_the_conflict_is_ended() {
    let cluster = Cluster::start(&["--elect", "1", "--write", "1", "--allow-cut"]);
    cluster.write("local", "before");
    cluster.text(&["put", "local", "file"]);
    cluster.settled();
    cut(&cluster, &[("a", &["b", "c"]), ("b", &["a"]), ("c", &["a"])]);
    for (side, content) in [(&["a"][..], "of a"), (&["b", "c"], "of b or c")] {
        let [option, client] = cluster.client_options(side);
        cluster.write("local", content);
        // A side without a leader sends the client to the other one until it elects its own.
        cluster.until("a leader on each side", || {
            let put = cluster.run(&["put", "local", "file", &option, &client]);
            (put.status.code() == Some(0)).then_some(())
        });
    }
    assert_eq!(cluster.status()["same"], false);
    cut(&cluster, &[("a", &[]), ("b", &[]), ("c", &[])]);
    cluster.settled();
    for node in NAMES {
        let [option, client] = cluster.client_options(&[node]);
        let status = &cluster.status()["nodes"];
        let of_node = status.as_array().and_then(|it| it.iter().find(|it| it["node"] == node));
        assert_eq!(of_node.expect("a node")["status"]["conflicts"], 1, "{node}");
        let got = cluster.text(&["get", "file", "--stale", &option, &client]);
        assert!(["of a", "of b or c"].contains(&got.as_str()), "{got}");
    }
    let conflict = &cluster.lines(&["conflicts"])[0];
    let versions: Vec<&str> = conflict["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|it| it["version"].as_str().expect("a version"))
        .collect();
    assert_eq!(versions.len(), 2, "{conflict}");
    let contents = [0, 1].map(|at| cluster.text(&["get", "file", "--version", versions[at]]));
    assert_ne!(contents[0], contents[1]);
    cluster.text(&["resolve", "file", versions[1]]);
    assert_eq!(cluster.text(&["conflicts"]), "");
    assert_eq!(cluster.text(&["get", "file"]), contents[1]);
    let shown = &cluster.lines(&["log", "file"])[0]["versions"][0]["version"];
    cluster.text(&["restore", "file", shown.as_str().expect("a version")]);
    assert_eq!(cluster.text(&["get", "file"]), contents[1]);
    cluster.settled();
    let report = cluster.status();
    for node in report["nodes"].as_array().expect("nodes") {
        assert_eq!(node["status"]["conflicts"], 0, "{node}");
    }
}

#[test]
fn a_cluster_that_does_not_allow_cuts_refuses_them() {
    let cluster = Cluster::start(&[]);
    let refused =
        runtime().block_on(async { cluster.client().expect("a client").cut("a", &["b"]).await });
    let refused = refused.expect_err("a refusal").to_string();
    assert!(refused.contains("allow_cut"), "{refused}");
}

#[test]
fn a_damaged_content_is_found_and_fetched_again() {
    let cluster = Cluster::start(&[]);
    cluster.write("local", noise(3 * MIB, 11));
    cluster.text(&["put", "local", "large"]);
    let leader = cluster.settled();
    let content = content_of(&cluster, "large");
    let follower = NAMES.into_iter().find(|it| *it != leader).expect("a follower");
    let whole = |node: &str| {
        cluster.until("the content again", || {
            let bytes = fs::read(cluster.content(node, &content));
            bytes.is_ok_and(|it| it == cluster.read("local")).then_some(())
        });
        cluster.settled();
    };

    flip_a_bit(&cluster.content(follower, &content));
    let output = cluster.run(&["verify", follower]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains(&content), "{output:?}");
    whole(follower);
    cluster.text(&["verify", follower]);

    // A read of it, by the leader and by a follower that answers for itself.
    for node in [leader.as_str(), follower] {
        flip_a_bit(&cluster.content(node, &content));
        let [option, client] = cluster.client_options(&[node]);
        cluster.until("the bytes from this node", || {
            let output = cluster.run(&[
                "get",
                "large",
                "--stale",
                "-o",
                "copy",
                "--timeout",
                "5",
                &option,
                &client,
            ]);
            match output.status.code() {
                Some(0) => {
                    assert!(cluster.read("copy") == cluster.read("local"), "damage is handed out");
                    Some(())
                }
                _ => {
                    assert!(!cluster.path("copy").exists(), "{output:?}");
                    None
                }
            }
        });
        fs::remove_file(cluster.path("copy")).expect("a copy");
        whole(node);
    }

    // A restore: the leader verifies its copy before it names the content again.
    let shown = || {
        let version = &cluster.lines(&["log", "large"])[0]["versions"][0]["version"];
        version.as_str().expect("a version").to_owned()
    };
    cluster.until("a refusal", || {
        flip_a_bit(&cluster.content(&leader, &content));
        let version = shown();
        let output = cluster.run(&["restore", "large", &version]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_refused = output.status.code() == Some(1) && said.contains("try again");
        assert_eq!(is_refused, shown() == version, "{output:?}");
        whole(&leader);
        // Seldom the scrub finds the damage first, and the restore succeeds with the new copy.
        is_refused.then_some(())
    });
    let version = shown();
    cluster.text(&["restore", "large", &version]);
    assert_ne!(shown(), version);
}

#[test]
fn a_node_that_cannot_run_says_why() {
    let mut cluster = Cluster::make(&[]);
    let serve = ["serve", "cluster/a"];
    let data = cluster.path("cluster/a/data");
    fs::rename(&data, cluster.path("kept")).expect("a directory");
    for make in [false, true] {
        if make {
            fs::create_dir(&data).expect("a directory");
        }
        let (code, said) = cluster.failure(&serve);
        assert!(code == 4 && said.contains("replac"), "{code} {said}");
    }
    fs::remove_dir_all(&data).expect("a directory");
    fs::rename(cluster.path("kept"), &data).expect("a directory");

    let config = fs::read_to_string(cluster.path("cluster/a/node.toml")).expect("a file");
    cluster.write("cluster/a/node.toml", format!("elekt = 2\n{config}"));
    let (code, said) = cluster.failure(&serve);
    assert!(code == 2 && said.contains("unknown field `elekt`"), "{code} {said}");
    cluster.write("cluster/a/node.toml", &config);
    let (code, said) = cluster.failure(&["serve", "nowhere"]);
    assert!(code == 4 && said.contains("nowhere"), "{code} {said}");

    let line = config.lines().find(|it| it.starts_with("listen = ")).expect("an address");
    let address = line.trim_start_matches("listen = ").trim_matches('"');
    let held = TcpListener::bind(address).expect("the address of the node");
    let (code, said) = cluster.failure(&serve);
    assert!(code == 4 && said.contains("cannot listen on") && said.contains(address), "{said}");
    drop(held);

    cluster.start("a").expect("a process");
    cluster.until("a node that answers", || {
        let [option, client] = cluster.client_options(&["a"]);
        let status = cluster.run(&["status", "--timeout", "2", &option, &client]);
        (status.status.code() == Some(0)).then_some(())
    });
    let (code, said) = cluster.failure(&serve);
    assert!(code == 4 && said.contains("node a does not run"), "a second process: {code} {said}");
}

#[test]
fn the_certificate_of_another_cluster_is_refused() {
    let cluster = Cluster::start(&[]);
    cluster.text(&["init", "other", "--nodes", "a=127.0.0.1:1"]);
    // Only the addresses are those of the first cluster.
    let config = String::from_utf8(cluster.read("cluster/client/client.toml")).expect("text");
    let own = String::from_utf8(cluster.read("other/client/client.toml")).expect("text");
    let nodes = config.split_once("[[nodes]]").expect("nodes").1;
    let head = own.split_once("[[nodes]]").expect("nodes").0;
    cluster.write("other/client/client.toml", format!("{head}[[nodes]]{nodes}"));
    let (code, said) = cluster.failure(&["ls", "--client", "other/client", "--timeout", "5"]);
    assert!(code == 4 && said.contains("certificate"), "{code} {said}");
    // The authority of the first cluster lets the client trust the nodes, which do not trust the client.
    cluster.write("other/client/ca.pem", cluster.read("cluster/client/ca.pem"));
    let (code, said) = cluster.failure(&["ls", "--client", "other/client", "--timeout", "5"]);
    assert!(code != 0 && said.contains("ca.pem"), "{code} {said}");
    assert_eq!(cluster.text(&["ls"]), "");
}
