//! The interface against a cluster of one node, whose thread and disk are real.

mod deltas;

use std::path::Path as FilePath;

use axum::body::Body;
use axum::http::HeaderName;
use axum::http::Request as HttpRequest;
use axum::http::header::{CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE};
use axum::response::Response;
use serde_json::{Value, json};
use steadfast_config::ClusterId;
use steadfast_delta::manifest::Depth;
use steadfast_protocol::{REMEMBERED, Settings};
use tower::ServiceExt;

use super::*;
use crate::core::Core;
use crate::serve::tests::{node_in, surroundings};

/// A node that leads, and what keeps it up.
struct Node {
    router: Router,
    facts: watch::Receiver<Facts>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
    directory: tempfile::TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the node stops");
        }
    }
}

/// A node among `nodes`, which is up and has no connections.
fn node_of(nodes: u8) -> Node {
    let directory = tempfile::tempdir().expect("a directory");
    let majority = nodes / 2 + 1;
    let settings = Settings::new(nodes, majority, majority).expect("settings");
    let data: &FilePath = directory.path();
    crate::create(data, ClusterId([7; 16]), NodeId(0), settings).expect("a new node");
    let node = node_in(data, ClusterId([7; 16]), NodeId(0), settings);
    let (parts, timeouts, ends) = surroundings(&node, settings);
    let (facts, stop) = (parts.facts.clone(), ends.stop.clone());
    let core = Core::new(node, timeouts, ends);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(core.run()).expect("no failure");
    });
    let router = router(Arc::new(parts));
    Node { router, facts, stop, thread: Some(thread), directory }
}

async fn leader() -> Node {
    let mut node = node_of(1);
    node.facts.wait_for(Facts::is_ready).await.expect("it leads");
    node
}

impl Node {
    async fn send(&self, request: HttpRequest<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    async fn ask(&self, method: &str, uri: &str, body: impl Into<Body>) -> (u16, Vec<u8>) {
        let request = HttpRequest::builder().method(method).uri(uri);
        taken(self.send(request.body(body.into()).expect("a request")).await).await
    }

    async fn json(&self, method: &str, uri: &str, body: impl Into<Body>) -> (u16, Value) {
        let (status, body) = self.ask(method, uri, body).await;
        let value = serde_json::from_slice(&body);
        (status, value.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&body))))
    }
}

async fn taken(response: Response) -> (u16, Vec<u8>) {
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, body.to_vec())
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_else(|| panic!("{body}"))
}

#[tokio::test]
async fn a_file_is_stored_read_and_deleted() {
    let node = leader().await;
    let large = vec![7_u8; 300_000];
    for (content, version) in [(&b"small"[..], "n0-1"), (&large, "n0-2")] {
        let (status, body) = node.json("PUT", "/files/a%20b/c", content.to_vec()).await;
        assert_eq!(status, if version == "n0-1" { 201 } else { 200 });
        assert_eq!((&body["path"], &body["version"]), (&json!("a b/c"), &json!(version)));
        let root = steadfast_delta::manifest::Manifest::of(content, Depth::Chunks).root();
        assert_eq!(body["content"], json!(root.to_string()));
        let (status, found) = node.ask("GET", "/files/a%20b/c", "").await;
        assert_eq!((status, &found[..]), (200, content));
        let (status, found) = node.ask("HEAD", "/files/a%20b/c", "").await;
        assert_eq!((status, found.len()), (200, 0));
        let (_, found) = node.ask("GET", "/files/a%20b/c?consistency=stale", "").await;
        assert_eq!(found, content);
    }
    let (status, body) = node.json("DELETE", "/files/a%20b/c", "").await;
    assert_eq!((status, &body["version"]), (200, &json!("n0-3")));
    let (status, body) = node.json("GET", "/files/a%20b/c", "").await;
    assert_eq!((status, code(&body)), (404, "deleted"));
    let (status, body) = node.json("DELETE", "/files/a%20b/c", "").await;
    assert_eq!((status, code(&body)), (404, "not-found"));
}

#[tokio::test]
async fn a_record_that_is_too_long_is_refused() {
    let node = leader().await;
    for uri in ["/resolve/a", "/restore/a"] {
        let (status, body) = node.json("POST", uri, vec![b' '; (64 << 10) + 1]).await;
        assert_eq!((status, code(&body)), (413, "too-long"), "{uri}");
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_read() {
    let node = leader().await;
    let content: Vec<u8> = (0..200_000_u32).map(|it| it.to_le_bytes()[0]).collect();
    node.ask("PUT", "/files/a", content.clone()).await;
    let part = |range: &'static str| HttpRequest::get("/files/a").header(RANGE, range);
    for (range, expected) in [("bytes=1000-1099", 1000..1100), ("bytes=-5", 199_995..200_000)] {
        let response = node.send(part(range).body(Body::empty()).expect("a request")).await;
        let place = response.headers()[CONTENT_RANGE].to_str().expect("text").to_owned();
        assert_eq!(place, format!("bytes {}-{}/200000", expected.start, expected.end - 1));
        assert_eq!(taken(response).await, (206, content[expected].to_vec()));
    }
    let response = node.send(part("bytes=200000-").body(Body::empty()).expect("a request")).await;
    assert_eq!(response.headers()[CONTENT_RANGE], "bytes */200000");
    assert_eq!(response.status().as_u16(), 416);
}

#[tokio::test]
async fn a_part_of_another_version_is_not_served() {
    let node = leader().await;
    node.ask("PUT", "/files/a", "first version").await;
    node.ask("PUT", "/files/a", "other version").await;
    let part = |name: HeaderName, value: &'static str| {
        let request = HttpRequest::get("/files/a").header(RANGE, "bytes=6-").header(name, value);
        node.send(request.body(Body::empty()).expect("a request"))
    };
    assert_eq!(taken(part(IF_RANGE, "\"n0-2\"").await).await, (206, b"version".to_vec()));
    let date = "Sun, 29 Nov 2026 08:00:00 GMT";
    for other in ["\"n0-1\"", "W/\"n0-2\"", date] {
        let whole = taken(part(IF_RANGE, other).await).await;
        assert_eq!(whole, (200, b"other version".to_vec()), "{other}");
    }
    assert_eq!(part(IF_MATCH, "\"n0-2\"").await.status().as_u16(), 206);
    assert_eq!(part(IF_MATCH, "\"n0-1\"").await.status().as_u16(), 412);
}

#[tokio::test]
async fn a_condition_that_does_not_hold_writes_nothing() {
    let node = leader().await;
    let put = |name, value: &'static str| {
        let request = HttpRequest::put("/files/a").header(name, value);
        request.body(Body::from("new")).expect("a request")
    };
    assert_eq!(node.send(put(IF_MATCH, "*")).await.status().as_u16(), 412);
    assert_eq!(node.send(put(IF_NONE_MATCH, "*")).await.status().as_u16(), 201);
    assert_eq!(node.send(put(IF_NONE_MATCH, "*")).await.status().as_u16(), 412);
    assert_eq!(node.send(put(IF_MATCH, "\"n0-9\"")).await.status().as_u16(), 412);
    let written = node.send(put(IF_MATCH, "\"n0-1\"")).await;
    assert_eq!(
        (written.status().as_u16(), &written.headers()[ETAG]),
        (200, &"\"n0-2\"".parse().expect("a tag"))
    );
    let unchanged = HttpRequest::get("/files/a").header(IF_NONE_MATCH, "\"n0-2\"");
    let unchanged = node.send(unchanged.body(Body::empty()).expect("a request")).await;
    assert_eq!(unchanged.status().as_u16(), 304);
}

#[tokio::test]
async fn a_retry_with_the_same_key_does_not_write_twice() {
    let node = leader().await;
    let put = |content: &'static str| {
        let request = HttpRequest::put("/files/a").header("Idempotency-Key", "one:clock=0");
        request.header(IF_NONE_MATCH, "*").body(Body::from(content)).expect("a request")
    };
    for _ in 0..3 {
        let response = node.send(put("x")).await;
        assert_eq!(response.headers()[ETAG], "\"n0-1\"");
    }
    let (status, body) = taken(node.send(put("y")).await).await;
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, code(&body)), (422, "request-reused"));
}

#[tokio::test]
async fn a_key_that_may_be_forgotten_is_refused_by_name_whatever_its_condition() {
    let node = leader().await;
    let put = |key: String, is_new: bool| {
        let request = HttpRequest::put("/files/a").header("Idempotency-Key", key);
        let request = if is_new { request.header(IF_NONE_MATCH, "*") } else { request };
        request.body(Body::from("x")).expect("a request")
    };
    let clock = |response: &Response| -> u64 {
        response.headers()["steadfast-clock"].to_str().expect("text").parse().expect("a number")
    };
    let first = node.send(put("one:clock=0".to_owned(), true)).await;
    assert_eq!((first.status().as_u16(), clock(&first)), (201, 1));
    let later = node.send(put(format!("two:clock={}", 3 * REMEMBERED), false)).await;
    assert_eq!((later.status().as_u16(), clock(&later)), (200, 3 * REMEMBERED + 1));
    for is_new in [true, false] {
        let late = node.send(put("one:clock=0".to_owned(), is_new)).await;
        assert_eq!(clock(&late), 3 * REMEMBERED + 1, "errors say the clock too");
        let (status, body) = taken(late).await;
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, code(&body)), (409, "forgotten"));
    }
    let fresh = node.send(put(format!("one:clock={}", clock(&later)), false)).await;
    assert_eq!(fresh.headers()[ETAG], "\"n0-3\"");
}

#[tokio::test]
async fn a_key_ends_with_a_clock_that_a_node_has_had() {
    let node = leader().await;
    for (key, why) in [
        ("one@20261129", "end it with :clock= and the Steadfast-Clock"),
        ("one", "end it with :clock= and the Steadfast-Clock"),
        ("one:clock=", "end it with :clock= and the Steadfast-Clock"),
        ("one:clock=1x", "end it with :clock= and the Steadfast-Clock"),
        ("one:clock=-1", "end it with :clock= and the Steadfast-Clock"),
        ("one:clock=18446744073709551616", "end it with :clock= and the Steadfast-Clock"),
        ("one:clock=18446744073709551615", "no node has had the clock 18446744073709551615"),
        (
            "one:clock=1099511627777",
            "no node has had the clock 1099511627777; that of this one is 0",
        ),
        ("", "one key of 1 to 255 printable ASCII characters"),
    ] {
        let request = HttpRequest::put("/files/a").header("Idempotency-Key", key);
        let response = node.send(request.body(Body::from("x")).expect("a request")).await;
        let (status, body) = taken(response).await;
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, code(&body)), (400, "bad-request"), "{key}");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains(why), "{key}: {message}");
    }
    let (_, status) = node.json("GET", "/status", "").await;
    assert_eq!(status["vv"], "", "nothing is written");
}

#[tokio::test]
async fn nodes_with_one_digest_hold_the_same_contents() {
    let mut digests = Vec::new();
    for content in ["one", "one", "two"] {
        let node = leader().await;
        let put = HttpRequest::put("/files/a").header("Idempotency-Key", "the same:clock=0");
        node.send(put.body(Body::from(content)).expect("a request")).await;
        let (_, status) = node.json("GET", "/status", "").await;
        assert_eq!(status["vv"], "n0-1");
        digests.push(status["digest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}

#[tokio::test]
async fn files_are_listed_in_pages() {
    let node = leader().await;
    for path in ["b/2", "a", "b/1", "b/3", "c"] {
        assert_eq!(node.ask("PUT", &format!("/files/{path}"), "x").await.0, 201);
    }
    node.ask("DELETE", "/files/b/3", "").await;
    let paths = |body: &Value| -> Vec<String> {
        let files = body["files"].as_array().expect("files").iter();
        files.map(|it| it["path"].as_str().expect("a path").to_owned()).collect()
    };
    let (_, all) = node.json("GET", "/files", "").await;
    assert_eq!(paths(&all), ["a", "b/1", "b/2", "c"]);
    assert!(all["next"].is_null());
    let (_, page) = node.json("GET", "/files?prefix=b/&limit=1", "").await;
    assert_eq!((paths(&page), &page["next"]), (vec!["b/1".to_owned()], &json!("b/1")));
    let (_, page) = node.json("GET", "/files?prefix=b/&limit=1&after=b/1", "").await;
    assert_eq!((paths(&page), page["next"].is_null()), (vec!["b/2".to_owned()], true));
}

#[tokio::test]
async fn bad_requests_are_refused_with_a_code() {
    let node = leader().await;
    for (method, uri, body, status, expected) in [
        ("GET", "/files/a/../b", "", 400, "bad-path"),
        ("PUT", "/files/", "", 400, "bad-path"),
        ("PUT", "/files/a%00", "", 400, "bad-path"),
        ("PUT", "/files/%ff", "", 400, "bad-path"),
        ("GET", "/files?limit=0", "", 400, "bad-request"),
        ("GET", "/files?limit=1001", "", 400, "bad-request"),
        ("GET", "/files?colour=red", "", 400, "bad-request"),
        ("GET", "/files/a?consistency=maybe", "", 400, "bad-request"),
        ("GET", "/files/a?version=5", "", 400, "bad-request"),
        ("GET", "/files/a?version=n0-5", "", 404, "unknown-version"),
        ("GET", "/files/a", "", 404, "not-found"),
        ("GET", "/versions/a", "", 404, "not-found"),
        ("POST", "/resolve/a", "{", 400, "bad-request"),
        ("POST", "/resolve/a", "{\"keep\":\"n0-1\"}", 404, "not-found"),
        ("POST", "/restore/a", "{\"version\":\"n0-1\"}", 409, "not-a-head"),
        ("POST", "/restore/a", "{\"keep\":\"n0-1\"}", 400, "bad-request"),
        ("GET", "/changes?since=x", "", 400, "bad-request"),
        ("POST", "/admin/cut", "{\"peers\":[]}", 403, "not-allowed"),
        ("GET", "/nothing", "", 404, "no-such-resource"),
        ("POST", "/files/a", "", 405, "method-not-allowed"),
    ] {
        let (found, body) = node.json(method, uri, body).await;
        assert_eq!((found, code(&body)), (status, expected), "{method} {uri}: {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|it| it.len() > 9), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_leaves_nothing() {
    let node = leader().await;
    let pieces = [Ok(vec![1_u8; 100_000]), Err(std::io::Error::other("the connection is gone"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let (status, body) = node.json("PUT", "/files/a", body).await;
    assert_eq!((status, code(&body)), (400, "incomplete-body"));
    let (_, status) = node.json("GET", "/status", "").await;
    assert_eq!(status["contents"]["count"], 0);
    assert_eq!(node.ask("GET", "/files/a", "").await.0, 404);
}

#[tokio::test]
async fn a_node_without_a_leader_says_so() {
    let node = node_of(3);
    assert_eq!(node.ask("GET", "/healthz", "").await.0, 200);
    for (method, uri) in [("GET", "/files/a"), ("PUT", "/files/a"), ("GET", "/files")] {
        let (status, body) = node.json(method, uri, "").await;
        assert_eq!((status, code(&body)), (503, "no-leader"), "{method} {uri}");
    }
    let (status, body) = node.json("GET", "/readyz", "").await;
    assert_eq!((status, code(&body)), (503, "not-ready"));
    let (status, _) = node.ask("GET", "/files?consistency=stale", "").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_follower_names_the_leader() {
    let parts = crate::serve::tests::parts_of_follower(NodeId(2));
    let response = router(Arc::new(parts))
        .oneshot(HttpRequest::put("/files/a%20b?x=1").body(Body::from("x")).expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 307);
    assert_eq!(response.headers()[LOCATION], "https://n2.example:7000/files/a%20b?x=1");
}

/// The first events of a feed, up to the one with this data.
async fn events_until(node: &Node, uri: &str, last: &str) -> String {
    let request = HttpRequest::get(uri).body(Body::empty()).expect("a request");
    let mut pieces = node.send(request).await.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains(last) {
        let piece = futures_util::StreamExt::next(&mut pieces).await.expect("the feed goes on");
        text += std::str::from_utf8(&piece.expect("a piece")).expect("text");
    }
    text
}

#[tokio::test]
async fn changes_are_fed_from_a_position_on() {
    let node = leader().await;
    for path in ["a", "b", "other"] {
        node.ask("PUT", &format!("/files/{path}"), "x").await;
    }
    node.ask("DELETE", "/files/b", "").await;
    let change = |path: &str, version: &str, deleted: bool| {
        format!(
            "event: change\ndata: {{\"path\":\"{path}\",\"version\":\"{version}\",\"deleted\":{deleted},\"conflicts\":0}}\n"
        )
    };
    let all = events_until(&node, "/changes?since=", "\"other\"").await;
    assert!(all.contains(&change("a", "n0-1", false)), "{all}");
    assert!(all.contains(&change("b", "n0-4", true)), "{all}");
    assert!(all.contains("id: n0-4\n"), "{all}");
    let rest = events_until(&node, "/changes?since=n0-2", "\"other\"").await;
    assert!(!rest.contains("\"a\"") && rest.contains("\"b\""), "{rest}");
    let some = events_until(&node, "/changes?since=&prefix=a", "id:").await;
    assert_eq!(some.matches("event: change").count(), 1, "{some}");
    // A position that this node has not reached belongs to another node's feed.
    let unknown = events_until(&node, "/changes?since=n0-9", "id:").await;
    assert!(unknown.starts_with("event: state\nid: n0-4\n"), "{unknown}");
}

#[tokio::test]
async fn every_documented_operation_exists() {
    let node = leader().await;
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).expect("JSON");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let uri = path.replace("{path}", "some/file");
            let request = HttpRequest::builder().method(method.to_uppercase().as_str()).uri(&uri);
            let response = node.send(request.body(Body::empty()).expect("a request")).await;
            let status = response.status().as_u16().to_string();
            assert!(!operation["responses"][&status].is_null(), "{method} {path}: {status}");
            count += 1;
        }
    }
    assert_eq!(count, 20);
}
