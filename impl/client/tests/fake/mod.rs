//! Three nodes that answer by the contract of the API from one memory, over the real TLS. They do on demand what
//! nodes and networks do: refuse, redirect, drop connections, cut answers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use steadfast_config::{NodeConfig, Plan, init, server_config};
use steadfast_delta::manifest::{Depth, Manifest};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// A deed of a node in place of its next answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Answers as usual.
    Nothing,
    /// Refuses with this status and code.
    Refuse(u16, &'static str),
    /// Closes the connection without an answer.
    Drop,
    /// Does as asked and closes the connection without an answer.
    DropAfter,
    /// Answers with this many bytes of the body and closes the connection.
    CutBody(usize),
    /// Does as asked and answers after this time.
    Late(std::time::Duration),
    /// Answers with another first byte of the body.
    FlipBit,
    /// Redirects there.
    Redirect(String),
    /// Answers 200 with this text.
    Say(&'static str),
}

/// A version of a file.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: u64,
    pub(crate) content: Option<Bytes>,
}

#[derive(Default)]
pub(crate) struct Memory {
    /// The heads, the visible one first.
    pub(crate) files: BTreeMap<String, Vec<Head>>,
    /// The contents of all versions, of those that were replaced, too.
    contents: Vec<Bytes>,
    pub(crate) leader: Option<usize>,
    pub(crate) faults: VecDeque<Fault>,
    /// Node, method, target and idempotency key of each request.
    pub(crate) requests: Vec<(usize, String, String, Option<String>)>,
    pub(crate) changes: Vec<Value>,
    /// How many events a feed has before it ends.
    pub(crate) feed_length: usize,
    pub(crate) forgotten: u64,
    /// The clock that every answer says.
    pub(crate) clock: u64,
    pub(crate) cuts: Vec<Value>,
    pub(crate) bad_contents: Vec<Value>,
    /// Deltas are refused, because their bases are gone.
    pub(crate) discards_bases: bool,
    keys: HashMap<String, (StatusCode, Value)>,
    sequence: u64,
    addresses: Vec<String>,
}

impl Memory {
    /// A write of a client that is not ours.
    pub(crate) fn write(&mut self, path: &str, content: Option<&[u8]>) -> u64 {
        self.sequence += 1;
        let version = self.sequence;
        let content = content.map(Bytes::copy_from_slice);
        self.contents.extend(content.clone());
        let deleted = content.is_none();
        self.files.insert(path.to_owned(), vec![Head { version, content }]);
        let change =
            json!({"path": path, "version": name(version), "deleted": deleted, "conflicts": 0});
        self.changes.push(change);
        version
    }

    /// Another head of a file.
    pub(crate) fn conflict(&mut self, path: &str, content: &[u8]) -> u64 {
        self.sequence += 1;
        let head = Head { version: self.sequence, content: Some(Bytes::copy_from_slice(content)) };
        self.files.entry(path.to_owned()).or_default().push(head);
        self.sequence
    }

    pub(crate) fn content(&self, path: &str) -> Option<Bytes> {
        self.files.get(path)?.first()?.content.clone()
    }

    /// The methods that each node was asked for.
    pub(crate) fn asked(&self) -> Vec<(usize, &str)> {
        self.requests.iter().map(|it| (it.0, it.1.as_str())).collect()
    }
}

pub(crate) fn name(version: u64) -> String {
    format!("n0-{version}")
}

/// Three nodes, which end with the runtime of the test.
pub(crate) struct Fake {
    pub(crate) around: TempDir,
    pub(crate) memory: Arc<Mutex<Memory>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Fake {
    /// Starts the nodes a, b and c, led by c.
    pub(crate) fn start() -> Fake {
        let around = tempfile::tempdir().expect("a directory");
        let listener = |_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let listeners: Vec<_> = (0..3).map(listener).collect();
        let addresses: Vec<String> =
            listeners.iter().map(|it| it.local_addr().expect("an address").to_string()).collect();
        let nodes = ["a", "b", "c"].iter().zip(&addresses);
        let nodes = nodes.map(|(name, it)| format!("{name}={it}").parse().expect("a node"));
        let plan = Plan::new(nodes.collect()).expect("three nodes");
        let directory = around.path().join("cluster");
        init(&directory, &plan, &mut |_| Ok(())).expect("a cluster");
        let memory =
            Memory { leader: Some(2), addresses, feed_length: usize::MAX, ..Memory::default() };
        let memory = Arc::new(Mutex::new(memory));
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().expect("a runtime");
        for (node, listener) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true).expect("a listener");
            let config = directory.join(["a", "b", "c"][node]).join("node.toml");
            let config = NodeConfig::load(&config).expect("a configuration");
            let tls = server_config(&config).expect("certificates");
            let acceptor = TlsAcceptor::from(Arc::new(tls));
            runtime.spawn(serve(node, listener, acceptor, memory.clone()));
        }
        Fake { around, memory, runtime: Some(runtime) }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.around.path().join("cluster")
    }

    /// The directory of the client.
    pub(crate) fn client(&self) -> PathBuf {
        self.directory().join("client")
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.memory().faults.push_back(fault);
    }

    /// Ends all nodes.
    pub(crate) fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(
    node: usize,
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    memory: Arc<Mutex<Memory>>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, memory) = (acceptor.clone(), memory.clone());
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let service = service_fn(|it| answer(node, it, memory.clone()));
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(tls), service).await;
        });
    }
}

/// A body of pieces, which ends with an error or stays open where it says so.
pub(crate) struct Pieces {
    pieces: VecDeque<io::Result<Bytes>>,
    stays_open: bool,
    /// Before the body fails, so that the pieces before the failure have left.
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Pieces {
    fn of(bytes: impl Into<Bytes>) -> Pieces {
        Pieces { pieces: [Ok(bytes.into())].into(), stays_open: false, pause: None }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(Err(_)) = self.pieces.front() {
            let pause = || Box::pin(tokio::time::sleep(std::time::Duration::from_millis(100)));
            std::task::ready!(self.pause.get_or_insert_with(pause).as_mut().poll(context));
        }
        match self.pieces.pop_front() {
            None if self.stays_open => Poll::Pending,
            piece => Poll::Ready(piece.map(|it| it.map(Frame::data))),
        }
    }
}

type Reply = Response<Pieces>;

fn reply(status: u16, body: &Value) -> Reply {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Pieces::of(body.to_string())).expect("a response")
}

fn refuse(status: u16, code: &str) -> Reply {
    let mut reply =
        reply(status, &json!({"error": {"code": code, "message": format!("refused: {code}")}}));
    reply.headers_mut().insert("steadfast-error", code.parse().expect("a header"));
    if status == 503 {
        reply.headers_mut().insert("retry-after", "0".parse().expect("a header"));
    }
    reply
}

async fn answer(
    node: usize,
    request: Request<Incoming>,
    memory: Arc<Mutex<Memory>>,
) -> Result<Reply, io::Error> {
    let mut reply = answer_of(node, request, Arc::clone(&memory)).await?;
    let clock = memory.lock().unwrap_or_else(PoisonError::into_inner).clock;
    reply.headers_mut().insert("steadfast-clock", clock.into());
    Ok(reply)
}

async fn answer_of(
    node: usize,
    request: Request<Incoming>,
    memory: Arc<Mutex<Memory>>,
) -> Result<Reply, io::Error> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().expect("a target").to_string();
    let key = head.headers.get("idempotency-key").map(|it| it.to_str().expect("text").to_owned());
    let fault = {
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.requests.push((node, head.method.to_string(), target.clone(), key));
        match target.starts_with("/status") {
            true => None,
            false => memory.faults.pop_front(),
        }
    };
    match &fault {
        Some(Fault::Refuse(status, code)) => return Ok(refuse(*status, code)),
        Some(Fault::Drop) => return Err(io::Error::other("dropped")),
        Some(Fault::Redirect(to)) => return Ok(redirect(to)),
        Some(Fault::Say(text)) => return Ok(Response::new(Pieces::of(*text))),
        _ => {}
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if let Some(Fault::Late(time)) = fault {
        tokio::time::sleep(time).await;
    }
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reply = route(node, &head, &body, &mut memory);
    match fault {
        Some(Fault::FlipBit) => {
            let pieces = reply.body_mut().pieces.iter_mut().flatten();
            if let Some(whole) = pieces.into_iter().find(|it| !it.is_empty()) {
                let mut bytes = whole.to_vec();
                bytes[0] ^= 1;
                *whole = bytes.into();
            } else {
                // A redirect has no body: the fault waits for the answer of the leader.
                memory.faults.push_front(Fault::FlipBit);
            }
        }
        Some(Fault::DropAfter) => return Err(io::Error::other("dropped")),
        Some(Fault::CutBody(length)) => {
            if let Some(Ok(whole)) = reply.body_mut().pieces.pop_front() {
                let cut = Err(io::Error::other("cut"));
                reply.body_mut().pieces = [Ok(whole.slice(..length.min(whole.len()))), cut].into();
            }
        }
        _ => {}
    }
    Ok(reply)
}

fn redirect(to: &str) -> Reply {
    let response = Response::builder().status(307).header("location", to);
    response.body(Pieces::of("")).expect("a response")
}

fn decoded(text: &str) -> String {
    let bytes = percent_encoding::percent_decode_str(text);
    bytes.decode_utf8().expect("UTF-8").into_owned()
}

fn parameter(head: &http::request::Parts, name: &str) -> Option<String> {
    let pairs = head.uri.query()?.split('&').filter_map(|it| it.split_once('='));
    pairs.into_iter().find(|it| it.0 == name).map(|it| decoded(it.1))
}

fn route(node: usize, head: &http::request::Parts, body: &Bytes, memory: &mut Memory) -> Reply {
    let resource = head.uri.path();
    let is_local = parameter(head, "consistency").as_deref() == Some("stale")
        || ["/status", "/changes", "/verify", "/admin/cut"].contains(&resource);
    match memory.leader {
        _ if is_local => {}
        None => return refuse(503, "no-leader"),
        Some(leader) if leader != node => {
            // With HTTP/2, the URI has an authority.
            let target = head.uri.path_and_query().expect("a target");
            return redirect(&format!("https://{}{target}", memory.addresses[leader]));
        }
        Some(_) => {}
    }
    let (collection, path) = resource[1..].split_once('/').unwrap_or((&resource[1..], ""));
    let path = decoded(path);
    match (&head.method, collection, path.as_str()) {
        (&Method::GET, "files", "") => list(head, memory),
        (&Method::GET | &Method::HEAD, "files", path) => read(head, path, is_local, memory),
        (&Method::PUT, "files", path) => write(head, path, Some(body.clone()), memory),
        (&Method::PATCH, "files", path) => patch(head, path, body, memory),
        (&Method::GET, "contents", path) => contents(head, path, memory),
        (&Method::DELETE, "files", path) => write(head, path, None, memory),
        (&Method::GET, "versions", path) => match memory.files.get(path) {
            Some(heads) => reply(200, &versions(path, heads)),
            None => refuse(404, "not-found"),
        },
        (&Method::GET, "conflicts", "") => conflicts(head, memory),
        (&Method::POST, "resolve" | "restore", path) => again(head, path, body, memory),
        (&Method::GET, "changes", "") => changes(head, memory),
        (&Method::GET, "status", "") => reply(200, &status(node, memory)),
        (&Method::POST, "verify", "") => verify(memory),
        (&Method::POST, "admin", "cut") => {
            memory.cuts.push(serde_json::from_slice(body).expect("JSON"));
            reply(200, &json!({}))
        }
        _ => refuse(405, "method-not-allowed"),
    }
}

/// The bytes of the content with this name.
fn named(memory: &Memory, name: &str) -> Option<Bytes> {
    memory.contents.iter().find(|it| content_id(it) == name).cloned()
}

fn contents(head: &http::request::Parts, path: &str, memory: &Memory) -> Reply {
    let (name, part) = path.split_once('/').expect("a part of a content");
    let Some(content) = named(memory, name) else { return refuse(404, "unknown-content") };
    let manifest = Manifest::of(&content, Depth::Chunks);
    let sections = parameter(head, "sections").unwrap_or_default();
    let bytes = match part {
        "outline" => manifest.outline_to_bytes(),
        _ => sections.split(',').fold(Vec::new(), |mut all, number| {
            let number: usize = number.parse().expect("a number");
            let chunks = manifest.sections()[number].to_bytes();
            all.extend(u32::try_from(chunks.len()).expect("few chunks").to_le_bytes());
            all.extend(chunks);
            all
        }),
    };
    Response::new(Pieces::of(bytes))
}

fn patch(head: &http::request::Parts, path: &str, body: &Bytes, memory: &mut Memory) -> Reply {
    let header = |name: &str| head.headers[name].to_str().expect("text");
    assert_eq!(header("content-type"), "application/vnd.steadfast.delta");
    let base = named(memory, header("steadfast-base")).filter(|_| !memory.discards_bases);
    let Some(base) = base else { return refuse(409, "base-missing") };
    let new = steadfast_delta::apply(&base, body, 1 << 30).expect("a delta");
    match content_id(&new) == header("steadfast-content") {
        true => write(head, path, Some(Bytes::copy_from_slice(&new)), memory),
        false => refuse(422, "other-content"),
    }
}

fn content_id(bytes: &[u8]) -> String {
    Manifest::of(bytes, Depth::Chunks).root().to_string()
}

fn write(
    head: &http::request::Parts,
    path: &str,
    content: Option<Bytes>,
    memory: &mut Memory,
) -> Reply {
    let text = |name: &str| head.headers.get(name).map(|it| it.to_str().expect("text").to_owned());
    let key = text("idempotency-key").expect("our clients send a key");
    if let Some((status, body)) = memory.keys.get(&key) {
        return reply(status.as_u16(), body);
    }
    let shown = memory.files.get(path).and_then(|it| it.first()).cloned();
    let exists = shown.as_ref().is_some_and(|it| it.content.is_some());
    let tag = shown.as_ref().map(|it| format!("\"{}\"", name(it.version))).unwrap_or_default();
    let matches = match text("if-match") {
        None => true,
        Some(it) if it == "*" => exists,
        Some(it) => it.split(", ").any(|it| it == tag),
    };
    if !matches || (text("if-none-match").is_some() && exists) {
        return refuse(412, "precondition-failed");
    }
    if content.is_none() && !exists {
        return refuse(404, "not-found");
    }
    let version = memory.write(path, content.as_deref());
    let status = if exists || content.is_none() { StatusCode::OK } else { StatusCode::CREATED };
    let body = match &content {
        Some(content) => {
            json!({"path": path, "version": name(version), "content": content_id(content), "length": content.len()})
        }
        None => json!({"path": path, "version": name(version)}),
    };
    memory.keys.insert(key, (status, body.clone()));
    reply(status.as_u16(), &body)
}

/// Resolve and restore.
fn again(head: &http::request::Parts, path: &str, body: &Bytes, memory: &mut Memory) -> Reply {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let version =
        body.get("keep").or(body.get("version")).and_then(Value::as_str).expect("a version");
    let Some(heads) = memory.files.get(path) else { return refuse(404, "not-found") };
    let Some(found) = heads.iter().find(|it| name(it.version) == version).cloned() else {
        return refuse(409, "not-a-head");
    };
    write(head, path, found.content, memory)
}

fn read(head: &http::request::Parts, path: &str, is_stale: bool, memory: &Memory) -> Reply {
    let heads = memory.files.get(path).map_or(&[][..], Vec::as_slice);
    let version = parameter(head, "version");
    let found = match &version {
        None => heads.first(),
        Some(version) => heads.iter().find(|it| name(it.version) == *version),
    };
    let Some(found) = found else {
        return refuse(404, if version.is_some() { "unknown-version" } else { "not-found" });
    };
    let Some(content) = &found.content else { return refuse(404, "deleted") };
    let (mut status, mut body) = (200, content.clone());
    if let Some(range) = head.headers.get("range") {
        let range = range.to_str().expect("text").strip_prefix("bytes=").expect("bytes");
        let (first, last) = range.split_once('-').expect("a range");
        let first: usize = first.parse().expect("a number");
        let behind = last.parse::<usize>().map_or(body.len(), |it| (it + 1).min(body.len()));
        if first >= behind {
            return refuse(416, "range-not-satisfiable");
        }
        (status, body) = (206, body.slice(first..behind));
    }
    let mut response = Response::builder()
        .status(status)
        .header("etag", format!("\"{}\"", name(found.version)))
        .header("content-length", body.len())
        .header("steadfast-content", content_id(content))
        .header("steadfast-conflicts", heads.len() - 1);
    if is_stale {
        response = response.header("steadfast-stale", "true");
    }
    let body = if head.method == Method::HEAD { Bytes::new() } else { body };
    response.body(Pieces::of(body)).expect("a response")
}

/// The part of the files that a list asks for, and the path behind which the next begins.
fn page<'a>(
    head: &http::request::Parts,
    files: impl Iterator<Item = (&'a String, &'a Vec<Head>)>,
) -> (Vec<(&'a String, &'a Vec<Head>)>, Option<String>) {
    let prefix = parameter(head, "prefix").unwrap_or_default();
    let after = parameter(head, "after");
    // Pages of two show that clients ask for the next.
    let limit = 2;
    let mut page: Vec<_> = files
        .filter(|it| it.0.starts_with(&prefix) && after.as_ref().is_none_or(|after| it.0 > after))
        .take(limit + 1)
        .collect();
    let is_last = page.len() <= limit;
    page.truncate(limit);
    let next = page.last().filter(|_| !is_last).map(|it| it.0.clone());
    (page, next)
}

fn list(head: &http::request::Parts, memory: &Memory) -> Reply {
    let shown = memory.files.iter().filter(|it| it.1[0].content.is_some());
    let (page, next) = page(head, shown);
    let files: Vec<Value> = page
        .into_iter()
        .map(|(path, heads)| {
            let content = heads[0].content.clone().unwrap_or_default();
            json!({"path": path, "version": name(heads[0].version), "length": content.len(),
                   "content": content_id(&content), "conflicts": heads.len() - 1})
        })
        .collect();
    reply(200, &json!({"files": files, "next": next}))
}

fn versions(path: &str, heads: &[Head]) -> Value {
    let versions: Vec<Value> = heads
        .iter()
        .enumerate()
        .map(|(at, it)| {
            let (length, content) = (it.content.as_ref().map(Bytes::len), &it.content);
            json!({"version": name(it.version), "visible": at == 0, "deleted": content.is_none(),
                   "length": length, "content": content.as_deref().map(content_id),
                   "stamp": format!("e1.{}", it.version), "replaces": [], "request": "r1"})
        })
        .collect();
    json!({"path": path, "versions": versions})
}

fn conflicts(head: &http::request::Parts, memory: &Memory) -> Reply {
    let (page, next) = page(head, memory.files.iter().filter(|it| it.1.len() > 1));
    let conflicts: Vec<Value> = page.into_iter().map(|it| versions(it.0, it.1)).collect();
    reply(200, &json!({"conflicts": conflicts, "next": next}))
}

fn changes(head: &http::request::Parts, memory: &Memory) -> Reply {
    let since = parameter(head, "since").unwrap_or_default();
    let since: u64 = since.rsplit('-').next().and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut text = ": hello\n\n".to_owned();
    let mut at = since;
    if since < memory.forgotten {
        at = memory.forgotten;
        text += &format!("event: state\nid: {}\n\n", name(at));
    }
    let version = |it: &Value| -> u64 {
        let text = it["version"].as_str().expect("a version");
        text[3..].parse().expect("a number")
    };
    let later = memory.changes.iter().filter(|it| version(it) > at);
    let later: Vec<_> = later.take(memory.feed_length).collect();
    let stays_open = later.len() < memory.feed_length;
    for change in later {
        text += &format!("event: change\nid: {}\ndata: {change}\n\n", name(version(change)));
    }
    let pieces = Pieces { stays_open, ..Pieces::of(text) };
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(pieces).expect("a response")
}

fn status(node: usize, memory: &Memory) -> Value {
    let names = ["a", "b", "c"];
    let role = if memory.leader == Some(node) { "leader" } else { "follower" };
    let vv = if memory.sequence == 0 { String::new() } else { name(memory.sequence) };
    let peers: Vec<Value> = (0..3)
        .filter(|it| *it != node)
        .map(|it| {
            json!({"node": names[it], "id": it, "address": memory.addresses[it],
                         "connected": true, "vv": vv, "lag": it, "cut": false})
        })
        .collect();
    let conflicts = memory.files.values().filter(|it| it.len() > 1).count();
    json!({"cluster": "00", "node": names[node], "id": node, "role": role, "epoch": "3.n2",
           "leader": memory.leader.map(|it| names[it]),
           "settings": {"nodes": 3, "elect": 2, "write": 2},
           "log": {"first": 1, "last": memory.sequence, "synced": memory.sequence, "bytes": 4096},
           "vv": vv, "digest": "ab12", "files": memory.files.len(), "conflicts": conflicts,
           "contents": {"count": 1, "bytes": 10, "missing": 0, "bad": 0}, "peers": peers,
           "queues": {"requests": 0, "events": 0, "waiting_for_contents": 0}, "uptime_s": 60, "version": "0.1.0"})
}

fn verify(memory: &Memory) -> Reply {
    let mut text = String::new();
    for bad in &memory.bad_contents {
        text += &format!("{bad}\n\n");
    }
    let end = json!({"checked": 3, "bad": memory.bad_contents.len(), "bytes": 30});
    Response::new(Pieces::of(format!("{text}{end}\n")))
}
