//! `steadfast replace` at real nodes: processes of the program on loopback, with their disks and certificates.

mod nodes;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use nodes::{Cluster, NAMES, noise};

const MIB: usize = 1 << 20;

fn stop_all(cluster: &mut Cluster) {
    for node in NAMES {
        assert_eq!(cluster.terminate(node).expect("an end").code(), Some(0), "{node}");
    }
}

/// The bytes of every file below a directory, by name.
fn bytes_below(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("a name").path();
        match path.is_dir() {
            true => files.extend(bytes_below(&path)),
            false => files.push((path.display().to_string(), fs::read(&path).expect("a file"))),
        }
    }
    files.sort();
    files
}

fn data(cluster: &Cluster, node: &str) -> std::path::PathBuf {
    cluster.path(&format!("cluster/{node}/data"))
}

#[test]
fn a_node_whose_disk_is_lost_gets_its_files_back_and_takes_part_again() {
    let mut cluster = Cluster::start(&[]);
    let large = noise(3 * MIB, 17);
    for (name, content) in [("notes/a", &b"milk"[..]), ("notes/b", b"bread"), ("large", &large)] {
        cluster.write("local", content);
        cluster.text(&["put", "local", name]);
    }
    cluster.text(&["rm", "notes/b"]);
    cluster.write("local", "once");
    let once = cluster.lines(&["put", "local", "once", "--key", "the-key:clock=0"])[0].clone();
    let leader = cluster.settled();
    let listed = cluster.text(&["ls"]);
    let conflicts = cluster.text(&["conflicts"]);
    let others: Vec<&str> = NAMES.into_iter().filter(|it| *it != leader).collect();
    let lost = leader.as_str();

    stop_all(&mut cluster);
    fs::remove_dir_all(data(&cluster, lost)).expect("a directory");
    let (code, said) = cluster.failure(&["serve", &format!("cluster/{lost}")]);
    assert!(code == 4 && said.contains("those of all other nodes"), "{code} {said}");
    let [one, other] = [0, 1].map(|at| format!("cluster/{}/data", others[at]));
    let sources = || [&one, &other].map(|it| bytes_below(&cluster.path(it)));
    let before = sources();
    let node = format!("cluster/{lost}");
    let replaced = &cluster.lines(&["replace", &node, "--from", &one, &other])[0];
    assert_eq!(sources(), before, "nothing in the sources is changed");
    assert_eq!((&replaced["node"], &replaced["files"]), (&lost.into(), &3.into()), "{replaced}");
    assert_eq!((&replaced["entries"], &replaced["contents"]), (&5.into(), &1.into()), "{replaced}");
    assert_eq!(replaced["from"].as_array().map(Vec::len), Some(2));
    let log = format!("cluster/{lost}/data/log");
    assert!(cluster.text(&["wal", "verify", &log]).starts_with("clean: "));

    cluster.start_all().expect("processes");
    cluster.settled();
    let report = cluster.status();
    let halted = report["nodes"].as_array().expect("nodes").iter();
    assert!(halted.clone().all(|it| it["status"]["halt"].is_null()), "{report}");
    assert_eq!((halted.count(), &report["same"]), (3, &true.into()), "{report}");
    assert_eq!((cluster.text(&["ls"]), cluster.text(&["conflicts"])), (listed, conflicts));
    let again = cluster.lines(&["put", "local", "once", "--key", "the-key:clock=0"])[0].clone();
    assert_eq!(again["content"], once["content"]);
    let versions = &cluster.lines(&["log", "once"])[0]["versions"];
    let shown = versions[0]["version"].as_str();
    assert_eq!(shown, again["version"].as_str(), "a retry is answered: {versions}");
    cluster.settled();
    for node in NAMES {
        let [option, client] = cluster.client_options(&[node]);
        cluster.text(&["get", "large", "--stale", "-o", "copy", &option, &client]);
        assert!(cluster.read("copy") == large, "the bytes on {node} differ");
    }
    assert_eq!(cluster.metric(lost, "contents_received"), 1, "it has fetched the content");
    let verified = cluster.lines(&["verify"]);
    assert!(verified.iter().all(|it| it["checked"] == 1 && it["bad"] == 0), "{verified:?}");

    let mut leads = cluster.settled();
    for _ in 0..20 {
        if leads == lost {
            break;
        }
        cluster.terminate(&leads).expect("an end");
        cluster.until("another leader", || {
            cluster.status()["leader"].as_str().filter(|it| *it != leads).map(str::to_owned)
        });
        cluster.start(&leads).expect("a process");
        leads = cluster.settled();
    }
    assert_eq!(leads, lost, "the replaced node leads");
    cluster.write("local", "new");
    cluster.text(&["put", "local", "notes/a"]);
    cluster.settled();
    assert_eq!(cluster.text(&["get", "notes/a"]), "new");
}

/// A cluster whose nodes have stopped, the data of node a moved away.
fn without_a() -> Cluster {
    let mut cluster = Cluster::start(&[]);
    cluster.write("local", "milk");
    cluster.text(&["put", "local", "notes"]);
    cluster.settled();
    stop_all(&mut cluster);
    fs::rename(data(&cluster, "a"), cluster.path("lost")).expect("a directory");
    cluster
}

#[test]
fn wrong_logs_are_named_and_nothing_is_made() {
    let cluster = without_a();
    let refused = |from: &[&str], code: i32, says: &[&str]| {
        let arguments = [&["replace", "cluster/a", "--from"], from].concat();
        let (found, said) = cluster.failure(&arguments);
        assert!(found == code && says.iter().all(|it| said.contains(it)), "{found} {said}");
        assert!(!data(&cluster, "a").exists(), "{said}");
        let names = fs::read_dir(cluster.path("cluster/a")).expect("a directory");
        let names = names.map(|it| it.expect("a name").file_name());
        assert!(names.into_iter().all(|it| !it.to_string_lossy().starts_with('.')), "{said}");
    };
    let [b, c] = ["cluster/b/data", "cluster/c"];
    refused(&[b], 2, &["the log of n2 is missing"]);
    refused(&[b, c, b], 2, &["two logs of n1"]);
    refused(&[b, c, "lost"], 2, &["there is a log of n0 itself"]);
    refused(&[b, "cluster/client"], 2, &["cluster/client holds no directory `log`"]);
    refused(&[b, "nowhere"], 2, &["nowhere holds no directory `log`"]);
    fs::create_dir_all(cluster.path("empty/log")).expect("a directory");
    refused(&[b, "empty"], 4, &["the log in empty cannot be used"]);
    cluster.text(&["init", "other", "--nodes", "a=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3"]);
    refused(&[b, "other/c"], 2, &["the log in other/c belongs to another cluster"]);

    // The entry of the write is not the last batch, so the bytes behind it prove that it was durable.
    let segments = fs::read_dir(cluster.path("cluster/b/data/log")).expect("a directory");
    let segments = segments.map(|it| it.expect("a name").path());
    let at = |bytes: &[u8]| bytes.windows(5).position(|it| it == b"notes");
    let mut holding = segments.filter_map(|it| Some((at(&fs::read(&it).ok()?)?, it)));
    let (offset, segment) = holding.next().expect("a segment with the write");
    let whole = fs::read(&segment).expect("a file");
    let mut damaged = whole.clone();
    damaged[offset] ^= 1;
    fs::write(&segment, damaged).expect("a file");
    let says = ["the log in cluster/b/data cannot be used", "segment", "offset"];
    refused(&[b, c], 4, &says);
    fs::write(&segment, whole).expect("a file");
    let said = cluster.text(&["replace", "cluster/a", "--from", b, c]);
    assert!(said.contains("a new log for node a from 2 logs"), "{said}");
}

#[test]
fn a_used_directory_and_a_running_node_are_refused() {
    let mut cluster = without_a();
    let replace = ["replace", "cluster/a", "--from", "cluster/b", "cluster/c"];
    fs::create_dir(data(&cluster, "a")).expect("a directory");
    fs::write(data(&cluster, "a").join("note"), "x").expect("a file");
    let (code, said) = cluster.failure(&replace);
    assert!(code == 4 && said.contains("data is not empty"), "{code} {said}");
    fs::remove_file(data(&cluster, "a").join("note")).expect("a file");

    cluster.start("b").expect("a process");
    cluster.until("a node that listens", || {
        let [option, client] = cluster.client_options(&["b"]);
        let status = cluster.run(&["status", "--timeout", "2", &option, &client]);
        (status.status.code() == Some(0)).then_some(())
    });
    let (code, said) = cluster.failure(&replace);
    assert!(code == 2 && said.contains("node b is not stopped"), "{code} {said}");
    // Behind a firewall its log shows that it runs.
    let config = fs::read_to_string(cluster.path("cluster/a/node.toml")).expect("a file");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let of_b = config.split("[[members]]").find(|it| it.contains("name = \"b\"")).expect("b");
    let of_b = of_b.lines().find_map(|it| it.strip_prefix("address = ")).expect("its address");
    let unreachable = config.replace(of_b, &format!("\"{free}\""));
    assert_ne!(unreachable, config);
    cluster.write("cluster/a/node.toml", unreachable);
    let (code, said) = cluster.failure(&replace);
    let is_named = said.contains("the log in cluster/b cannot be used") && said.contains("in use");
    assert!(code == 4 && is_named, "{code} {said}");
    cluster.write("cluster/a/node.toml", &config);
    assert_eq!(cluster.terminate("b").expect("an end").code(), Some(0));
    let said = cluster.text(&replace);
    assert!(
        said.contains("a new log for node a from 2 logs"),
        "an empty directory is no node: {said}"
    );
}
