//! The client against nodes that answer by the contract, refuse, redirect and drop connections.

#[allow(dead_code)]
mod fake;

use std::fs;
use std::path::Path;
use std::time::Duration;

use fake::{Fake, Fault, name};
use steadfast_client::{
    Client, Code, Condition, Error, Event, Finding, Options, Refusal, Upload, Version,
};
use steadfast_config::ClientConfig;

fn client(fake: &Fake) -> Client {
    client_with(fake, Duration::from_secs(30))
}

fn client_with(fake: &Fake, deadline: Duration) -> Client {
    let config = ClientConfig::load(&fake.client()).expect("a configuration");
    Client::new(&config, Options { deadline, ..Options::default() }).expect("certificates")
}

fn version(number: u64) -> Version {
    name(number).parse().expect("a version")
}

async fn whole(client: &Client, path: &str) -> Result<Vec<u8>, Error> {
    let mut download = client.get(path).await?;
    let mut whole = Vec::new();
    while let Some(piece) = download.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn code(error: &Error) -> &str {
    error.code().map_or("none", Code::as_str)
}

#[tokio::test]
async fn a_file_is_written_read_and_deleted_through_any_node() {
    let fake = Fake::start();
    let client = client(&fake);
    let written = client.put("notes/a b.txt", Upload::bytes("milk")).await.expect("a write");
    assert_eq!((written.version, written.length), (version(1), Some(4)));
    assert!(written.created && written.content.is_some());
    assert_eq!(whole(&client, "notes/a b.txt").await.expect("a content"), b"milk");

    let again = client.put("notes/a b.txt", Upload::bytes("")).await.expect("a write");
    assert!(!again.created);
    let head = client.head("notes/a b.txt", None).await.expect("headers");
    assert_eq!((head.version, head.length, head.conflicts, head.stale), (version(2), 0, 0, false));
    assert_eq!(whole(&client, "notes/a b.txt").await.expect("a content"), b"");

    let deleted = client.delete("notes/a b.txt").await.expect("a deletion");
    assert_eq!((deleted.version, deleted.content), (version(3), None));
    let error = whole(&client, "notes/a b.txt").await.expect_err("deleted");
    assert_eq!(code(&error), "deleted");

    // The first request was redirected to c, and the client remembers it.
    let asked = fake.memory();
    let asked = asked.asked();
    assert_eq!(asked[..2], [(0, "PUT"), (2, "PUT")]);
    assert!(asked[2..].iter().all(|it| it.0 == 2), "{asked:?}");
}

#[tokio::test]
async fn conditions_are_sent_and_refusals_are_typed() {
    let fake = Fake::start();
    let client = client(&fake);
    let put = |condition| client.put("a", Upload::bytes("x")).when(condition);
    assert!(put(Condition::IsNew).await.is_ok());
    let refusal = put(Condition::IsNew).await.expect_err("there is one");
    let Error::Refused(refusal) = refusal else { panic!("{refusal}") };
    let message = "refused: precondition-failed".to_owned();
    let code = Code::PreconditionFailed;
    assert_eq!(refusal, Refusal { node: "c".to_owned(), status: 412, code, message });
    assert!(put(Condition::IsOneOf(vec![version(7), version(1)])).await.is_ok());
    assert!(put(Condition::IsOneOf(vec![version(1)])).await.is_err());
    assert!(put(Condition::Exists).await.is_ok());
    let deletion = client.delete("b").when(Condition::Exists).await;
    assert_eq!(deletion.expect_err("there is none").code(), Some(&Code::PreconditionFailed));
    assert_eq!(fake.memory().requests.len(), 7, "a refusal is not repeated");
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_repeated_under_its_key_and_takes_place_once() {
    for fault in [
        Fault::DropAfter,
        Fault::Drop,
        Fault::Refuse(503, "busy"),
        Fault::Refuse(503, "no-leader"),
        Fault::Refuse(503, "not-ready"),
        Fault::Refuse(503, "unknown-outcome"),
        Fault::Refuse(500, "halted"),
    ] {
        let fake = Fake::start();
        let client = client(&fake);
        client.put("first", Upload::bytes("so that the leader is known")).await.expect("a write");
        fake.fault(fault.clone());
        let written = client.put("a", Upload::bytes("x")).await.expect("a write");
        assert_eq!(written.version, version(2), "{fault:?}");
        let memory = fake.memory();
        let mut keys: Vec<_> = memory.requests[2..].iter().map(|it| it.3.clone()).collect();
        assert!(keys.len() >= 2, "{fault:?}");
        keys.dedup();
        assert_eq!(keys.len(), 1, "one key, {fault:?}");
        assert_ne!(keys[0], memory.requests[0].3, "each write has its own");
    }
}

#[tokio::test]
async fn files_and_readers_are_streamed_and_repeated() {
    let fake = Fake::start();
    let client = client(&fake);
    let path = fake.around.path().join("file");
    let content: Vec<u8> = (0..3_000_000_u32).map(|it| (it % 251) as u8).collect();
    fs::write(&path, &content).expect("a file");
    fake.fault(Fault::DropAfter);
    let moved = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = moved.clone();
    let upload = Upload::file(&path)
        .on_progress(move |it| seen.store(it, std::sync::atomic::Ordering::Relaxed));
    let written = client.put("file", upload).await.expect("a write");
    assert_eq!((written.version, written.length), (version(1), Some(3_000_000)));
    assert_eq!(moved.load(std::sync::atomic::Ordering::Relaxed), 3_000_000);
    assert_eq!(whole(&client, "file").await.expect("a content"), content);

    // A short pipe is kept and sent again, after a redirect or a lost answer.
    fake.fault(Fault::DropAfter);
    let written = client.put("pipe", Upload::reader(&b"from a pipe"[..])).await.expect("a write");
    assert_eq!(written.version, version(2));
    assert_eq!(whole(&client, "pipe").await.expect("a content"), b"from a pipe");

    // A long one that was read is gone; the error says how to go on safely.
    fake.fault(Fault::DropAfter);
    let reader = Upload::reader(std::io::Cursor::new(content));
    let error = client.put("long", reader).key("my-key").await.expect_err("gone");
    assert!(matches!(error, Error::SourceGone { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("unknown whether") && text.contains("my-key"), "{text}");
}

#[tokio::test]
async fn the_answer_to_a_long_file_may_take_longer_than_others() {
    let fake = Fake::start();
    // Other answers may take 2 s.
    let client = client_with(&fake, Duration::from_secs(4));
    let path = fake.around.path().join("file");
    fs::write(&path, vec![7; 32 << 20]).expect("a file");
    client.put("first", Upload::bytes("so that the leader is known")).await.expect("a write");
    fake.fault(Fault::Nothing);
    fake.fault(Fault::Late(Duration::from_secs(4)));
    client.put("file", Upload::file(&path)).await.expect("a write");
    let puts =
        fake.memory().requests.iter().filter(|it| it.2 == "/files/file" && it.1 == "PUT").count();
    assert_eq!(puts, 1, "it is not sent again");
    // A short one is repeated.
    fake.fault(Fault::Late(Duration::from_secs(4)));
    client.put("short", Upload::bytes("x")).await.expect("a write");
    let puts = fake.memory().requests.iter().filter(|it| it.2 == "/files/short").count();
    assert!(puts >= 2, "{puts}");
}

#[tokio::test]
async fn a_long_upload_asks_for_the_leader_first() {
    let fake = Fake::start();
    let client = client(&fake);
    client.put("pipe", Upload::reader(&b"x"[..])).await.expect("a write");
    assert_eq!(fake.memory().asked(), [(0, "GET"), (2, "PUT")]);
}

/// A reader that fails after a piece.
struct Failing(bool);

impl tokio::io::AsyncRead for Failing {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Ready(Err(std::io::Error::other("the disk is damaged")));
        }
        buffer.put_slice(b"half");
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_source_that_fails_writes_nothing() {
    let fake = Fake::start();
    let client = client(&fake);
    let error = client.put("a", Upload::reader(Failing(false))).await.expect_err("a bad disk");
    assert!(error.to_string().contains("the disk is damaged"), "{error}");
    let error = client.put("a", Upload::file("/nonexistent/file")).await.expect_err("no file");
    assert!(error.to_string().contains("/nonexistent/file"), "{error}");
    let error = client.put("a", Upload::file(fake.around.path())).await.expect_err("a directory");
    assert!(error.to_string().contains("no regular file"), "{error}");
    assert!(fake.memory().files.is_empty());
}

#[tokio::test]
async fn an_interrupted_download_goes_on_with_the_same_version() {
    let fake = Fake::start();
    let client = client(&fake);
    fake.memory().write("a", Some(b"0123456789"));
    fake.memory().conflict("a", b"other");
    client.head("a", None).await.expect("the leader is known");
    fake.fault(Fault::CutBody(4));
    fake.fault(Fault::CutBody(3));
    assert_eq!(whole(&client, "a").await.expect("a content"), b"0123456789");
    let targets: Vec<String> = fake.memory().requests.iter().map(|it| it.2.clone()).collect();
    assert!(targets.contains(&"/files/a?version=n0-1".to_owned()), "{targets:?}");

    // A version that is gone meanwhile ends it, and the file that should be saved is not there.
    let path = fake.around.path().join("saved");
    fs::write(&path, "old").expect("a file");
    fake.fault(Fault::CutBody(4));
    let download = client.get("a").await.expect("a beginning");
    fake.memory().write("a", Some(b"new"));
    let error = download.save(&path).await.expect_err("it is gone");
    assert_eq!(code(&error), "unknown-version");
    assert_eq!(fs::read(&path).expect("a file"), b"old");
    assert_eq!(fs::read_dir(fake.around.path()).expect("a directory").count(), 2);

    let saved = client.get("a").await.expect("a content").save(&path).await.expect("a file");
    assert_eq!(saved.version, version(3));
    assert_eq!(fs::read(&path).expect("a file"), b"new");

    // Bytes that are not those of the content do not become a file either, and a part has no name.
    fake.memory().write("a", Some(b"newer"));
    fake.fault(Fault::FlipBit);
    let damaged = client.get("a").await.expect("a beginning").save(&path).await;
    assert!(matches!(&damaged, Err(Error::Damaged { path, .. }) if path == "a"), "{damaged:?}");
    assert_eq!(fs::read(&path).expect("a file"), b"new");
    assert_eq!(fs::read_dir(fake.around.path()).expect("a directory").count(), 2);
    let part = client.get("a").range(1..3).await.expect("a part").save(&path).await;
    assert_eq!(part.expect("a file").length, 2);
    assert_eq!(fs::read(&path).expect("a file"), b"ew");

    // The answer to HEAD says why in a header.
    let error = client.head("a", Some(version(1))).await.expect_err("no version");
    assert_eq!(code(&error), "unknown-version");
    let nowhere = client.get("a").await.expect("a content").save(Path::new("/nonexistent/x")).await;
    assert!(matches!(nowhere, Err(Error::Save { .. })));
}

#[tokio::test]
async fn ranges_versions_and_stale_reads_are_asked_for() {
    let fake = Fake::start();
    let client = client(&fake);
    fake.memory().write("a", Some(b"0123456789"));
    let other = fake.memory().conflict("a", b"other");
    let read = |get: steadfast_client::Get<'static>| async move {
        let mut download = get.await?;
        let mut whole = Vec::new();
        while let Some(piece) = download.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok::<_, Error>((String::from_utf8(whole).expect("text"), download.metadata().clone()))
    };
    let client: &'static Client = Box::leak(Box::new(client));
    assert_eq!(read(client.get("a").range(2..5)).await.expect("a part").0, "234");
    assert_eq!(read(client.get("a").range(8..)).await.expect("a part").0, "89");
    let (text, metadata) = read(client.get("a").version(version(other))).await.expect("a version");
    assert_eq!((text.as_str(), metadata.version, metadata.conflicts), ("other", version(other), 1));
    let before = fake.memory().requests.len();
    assert!(read(client.get("a").stale()).await.expect("a content").1.stale);
    assert_eq!(fake.memory().requests.len(), before + 1);
    assert_eq!(
        code(&read(client.get("a").range(10..)).await.expect_err("behind the end")),
        "range-not-satisfiable"
    );
    #[allow(clippy::reversed_empty_ranges)]
    let empty = client.get("a").range(5..2).await;
    assert!(matches!(empty, Err(Error::Argument(_))));
}

#[tokio::test]
async fn lists_and_conflicts_are_read_page_by_page() {
    let fake = Fake::start();
    let client = client(&fake);
    for path in ["d/5", "d/1", "d/3", "d/2", "d/4", "e"] {
        fake.memory().write(path, Some(path.as_bytes()));
        fake.memory().conflict(path, b"other");
    }
    let (mut files, mut list) = (Vec::new(), client.list("d/"));
    while let Some(file) = list.next().await.expect("a page") {
        assert_eq!((file.length, file.conflicts), (Some(3), 1));
        files.push(file.path);
    }
    assert_eq!(files, ["d/1", "d/2", "d/3", "d/4", "d/5"]);
    let (mut paths, mut conflicts) = (Vec::new(), client.conflicts(""));
    while let Some(conflict) = conflicts.next().await.expect("a page") {
        assert_eq!(conflict.versions.len(), 2);
        paths.push(conflict.path);
    }
    assert_eq!(paths.len(), 6);

    let versions = client.versions("e").await.expect("versions").versions;
    assert!(versions[0].visible && !versions[1].visible);
    let restored = client.restore("e", versions[1].version).await.expect("a write");
    assert_eq!(fake.memory().content("e").as_deref(), Some(&b"other"[..]));
    let error = client.resolve("e", versions[0].version).await.expect_err("it is gone");
    assert_eq!(code(&error), "not-a-head");
    assert!(client.resolve("e", restored.version).await.is_ok());
    assert_eq!(code(&client.versions("f").await.expect_err("none")), "not-found");
}

#[tokio::test]
async fn a_feed_is_taken_up_again_where_it_ended() {
    let fake = Fake::start();
    let client = client(&fake);
    fake.memory().write("before", Some(b"x"));
    let mut feed = client.changes(None, "").await.expect("a feed");
    fake.memory().feed_length = 1;
    for path in ["1", "2", "3"] {
        fake.memory().write(path, Some(b"x"));
    }
    for path in ["1", "2", "3"] {
        let Event::Change(change, _) = feed.next().await.expect("an event") else {
            panic!("state")
        };
        assert_eq!(change.path, path);
    }
    assert_eq!(feed.position().to_string(), "n0-4");
    fake.memory().forgotten = 4;
    let begin = Some("".parse().expect("a position"));
    let mut feed = client.changes(begin, "").await.expect("a feed");
    let event = feed.next().await.expect("an event");
    assert_eq!(event, Event::State("n0-4".parse().expect("a position")));
}

#[tokio::test]
async fn nodes_are_asked_one_by_one_for_their_state() {
    let fake = Fake::start();
    let client = client(&fake);
    for (node, role) in [("a", "follower"), ("b", "follower"), ("c", "leader")] {
        let status = client.status(node).await.expect("a status");
        assert_eq!((status.node.as_str(), status.role.as_str()), (node, role));
        assert_eq!(status.peers.len(), 2);
    }
    let error = client.status("d").await.expect_err("no such node").to_string();
    assert!(error.contains("a, b, c"), "{error}");
    let id = "ab".repeat(32);
    fake.memory().bad_contents =
        vec![serde_json::json!({"content": id, "ok": false, "why": "a bit flipped"})];
    let mut verification = client.verify("b").await.expect("a verification");
    let first = verification.next().await.expect("a line");
    assert!(matches!(first, Some(Finding::Content { ok: false, .. })), "{first:?}");
    let last = verification.next().await.expect("a line");
    assert_eq!(last, Some(Finding::End { checked: 3, bad: 1, bytes: 30 }));
    assert_eq!(verification.next().await.expect("the end"), None);
    fake.fault(Fault::CutBody(20));
    let mut verification = client.verify("b").await.expect("a verification");
    assert!(verification.next().await.is_err(), "one that is cut off has not verified everything");

    client.cut("a", &["b"]).await.expect("a cut");
    assert_eq!(fake.memory().cuts, [serde_json::json!({"peers": ["b"]})]);
}

#[tokio::test]
async fn nodes_that_are_down_are_named_when_the_deadline_has_passed() {
    let mut fake = Fake::start();
    let client = client_with(&fake, Duration::from_millis(500));
    fake.memory().leader = None;
    let error = client.put("a", Upload::bytes("x")).await.expect_err("no leader");
    assert_eq!(code(&error), "no-leader");
    assert!(matches!(error, Error::GaveUp { outcome_unknown: false, .. }), "{error}");
    for _ in 0..100 {
        fake.fault(Fault::Drop);
    }
    let error = client.put("a", Upload::bytes("x")).key("k1").await.expect_err("dropped");
    let text = error.to_string();
    assert!(text.contains("unknown whether") && text.contains("k1"), "{text}");
    fake.stop();
    let config = ClientConfig::load(&fake.client()).expect("a configuration");
    let error = client.get("a").await.expect_err("all are down").to_string();
    let names = |it: &steadfast_config::Node| error.contains(&it.address.to_string());
    assert!(config.nodes.iter().any(names), "{error}");
}

#[tokio::test]
async fn a_key_that_no_leader_has_taken_is_made_once_more_if_it_is_too_old() {
    let fake = Fake::start();
    let client = client(&fake);
    fake.memory().clock = 700_000;
    let keys = || -> Vec<String> {
        std::mem::take(&mut fake.memory().requests).into_iter().filter_map(|it| it.3).collect()
    };
    fake.fault(Fault::Refuse(409, "forgotten"));
    client.put("a", Upload::bytes("x")).await.expect("a write");
    let made = keys();
    let nonce = made[0].strip_suffix(":clock=0").expect("no answer had a clock");
    assert!(made[1..].iter().all(|it| *it == format!("{nonce}:clock=700000")), "{made:?}");
    assert_eq!(client.clock(), 700_000);

    // A try without an answer may have written.
    fake.fault(Fault::Drop);
    fake.fault(Fault::Refuse(409, "forgotten"));
    let error = client.put("a", Upload::bytes("x")).await.expect_err("it is unknown");
    assert_eq!((code(&error), keys().len()), ("forgotten", 2));
    // The caller may have used its key before.
    fake.fault(Fault::Refuse(409, "forgotten"));
    let error =
        client.put("a", Upload::bytes("x")).key("mine:clock=0").await.expect_err("it is old");
    assert_eq!((code(&error), keys()), ("forgotten", vec!["mine:clock=0".to_owned()]));
    (0..100).for_each(|_| fake.fault(Fault::Refuse(409, "forgotten")));
    let error = client.put("a", Upload::bytes("x")).await.expect_err("again and again");
    assert_eq!((code(&error), keys().len()), ("forgotten", 4));
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    let fake = Fake::start();
    let client = client(&fake);
    let mut errors = Vec::new();
    fake.fault(Fault::Redirect("https://10.0.0.1:1/files/a".to_owned()));
    errors.push(client.get("a").await.expect_err("no node").to_string());
    fake.fault(Fault::Redirect(String::new()));
    errors.push(client.get("a").await.expect_err("no place").to_string());
    fake.fault(Fault::Say("no JSON"));
    errors.push(client.put("a", Upload::bytes("x")).await.expect_err("no JSON").to_string());
    fake.fault(Fault::Say("{}"));
    errors.push(client.get("a").await.expect_err("no version").to_string());
    fake.fault(Fault::Say("event: change\nid: n0-1\ndata: {}\n\n"));
    let mut feed = client.changes(None, "").await.expect("a feed");
    errors.push(feed.next().await.expect_err("no change").to_string());
    for error in &errors {
        assert!(error.starts_with("node a gave an answer that makes no sense"), "{error}");
    }
    assert!(errors[0].contains("10.0.0.1:1") && errors[0].contains("client.toml"));
    for key in ["", &"x".repeat(256), "a\nb", "ü"] {
        let error = client.put("a", Upload::bytes("x")).key(key).await.expect_err(key);
        assert!(matches!(error, Error::Argument(_)), "{error}");
    }
    let error = client.put("a//b", Upload::bytes("x")).await.expect_err("no path");
    assert!(matches!(error, Error::Path { .. }), "{error}");
}

#[tokio::test]
async fn another_cluster_is_refused_at_once() {
    let (ours, theirs) = (Fake::start(), Fake::start());
    // Their nodes at the addresses of ours.
    let file = ours.client().join("client.toml");
    let mut text = fs::read_to_string(&file).expect("a configuration");
    let config = |it: &Fake| ClientConfig::load(&it.client()).expect("a configuration").nodes;
    for (mine, other) in config(&ours).into_iter().zip(config(&theirs)) {
        text = text.replace(&mine.address.to_string(), &other.address.to_string());
    }
    fs::write(&file, text).expect("a file");
    let error = client(&ours).get("a").await.expect_err("strangers");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.to_string().contains("another cluster"), "{error}");
    assert!(theirs.memory().requests.is_empty());
}
