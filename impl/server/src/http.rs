//! The interface for clients: files over HTTP, by the conventions of the web.
//!
//! `openapi.json` describes it. A follower answers writes and linearizable reads with 307 and the address of
//! the leader instead of passing them on: the bytes of a file travel once, and TLS stays end to end.

mod changes;
mod conditions;
mod contents;
mod deltas;
mod error;
mod files;
mod listing;
mod metrics;
mod names;
mod status;
#[cfg(test)]
mod tests;
mod uploads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use steadfast_protocol::{
    Consistency, Counter, Entry, Files, Intent, NodeId, Outcome, Path, Refusal, Settings,
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use conditions::CLOCK;
pub(crate) use deltas::DELTAS_MAX;
pub(crate) use error::ApiError;

use crate::core::{Event, Facts, Reply, Request, Write};
use crate::counters::Counters;
use crate::cuts::Cuts;
use crate::disk::NodeContents;

/// A member of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub name: String,
    /// Host and port.
    pub address: String,
}

/// The parts of a node that answer requests.
pub(crate) struct Parts {
    pub requests: mpsc::Sender<Request>,
    pub events: mpsc::Sender<Event>,
    pub facts: watch::Receiver<Facts>,
    pub contents: Arc<NodeContents>,
    pub counters: Arc<Counters>,
    pub cuts: Arc<Cuts>,
    pub cluster: String,
    pub own: NodeId,
    pub settings: Settings,
    pub members: BTreeMap<NodeId, Member>,
    /// Contents of at most this many bytes travel within their entry.
    pub inline_bytes_max: usize,
    /// The deltas that may be applied at the same time.
    pub deltas: Semaphore,
    /// How long a client may be silent in the middle of a body.
    pub silence_max: Duration,
    /// How long a request may wait for its outcome; that of a long content may wait longer.
    pub request_timeout: Duration,
    pub allows_cuts: bool,
    pub started: Instant,
    pub stop: CancellationToken,
}

/// The parts, shared by all requests.
pub(crate) type Api = Arc<Parts>;

/// The routes of the interface.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/files", get(listing::list))
        .route("/files/{*path}", file())
        .route("/files/", file())
        .route("/contents/{content}/outline", get(contents::outline))
        .route("/contents/{content}/chunks", get(contents::chunks))
        .route("/versions/{*path}", get(listing::versions))
        .route("/conflicts", get(listing::conflicts))
        .route("/resolve/{*path}", post(files::resolve))
        .route("/restore/{*path}", post(files::restore))
        .route("/changes", get(changes::changes))
        .route("/status", get(status::status))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi))
        .route("/verify", post(status::verify))
        .route("/admin/cut", post(status::cut))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(map_response_with_state(Arc::clone(&api), with_clock))
        .with_state(api)
}

/// Every answer says the clock of the node.
async fn with_clock(State(api): State<Api>, mut response: Response) -> Response {
    response.headers_mut().insert(&CLOCK, api.clock().0.into());
    response
}

/// The methods of a file.
fn file() -> MethodRouter<Api> {
    get(files::get).put(files::put).patch(files::patch).delete(files::delete)
}

async fn no_route(uri: Uri) -> ApiError {
    let why = format!("there is no {}: /openapi.json lists what there is", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, "no-such-resource", why)
}

async fn no_method(uri: Uri) -> ApiError {
    let why = format!("{} does not have this method: see /openapi.json", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", why)
}

async fn openapi() -> ([(axum::http::HeaderName, &'static str); 1], &'static str) {
    let json = (axum::http::header::CONTENT_TYPE, "application/json");
    ([json], include_str!("../openapi.json"))
}

/// The slowest replication of a content that a client may wait for, in bytes per second.
const BYTES_PER_S_MIN: u64 = 4 << 20;

/// A value that was read, with the files that the node showed at that moment.
pub(crate) struct Seen {
    pub version: Option<Entry>,
    pub files: Files,
}

impl Parts {
    /// The highest Lamport counter that the node knows.
    fn clock(&self) -> Counter {
        self.facts.borrow().clock
    }

    /// The address of this resource on the leader.
    fn at_leader(&self, leader: NodeId, uri: &Uri) -> Option<String> {
        let address = &self.members.get(&leader)?.address;
        let resource = uri.path_and_query().map_or("/", |it| it.as_str());
        Some(format!("https://{address}{resource}"))
    }

    /// The error of a node that does not lead: the address of the leader, if one is known.
    fn not_leader(&self, leader: Option<NodeId>, uri: &Uri) -> ApiError {
        let leader = leader.filter(|it| *it != self.own);
        match leader.and_then(|it| self.at_leader(it, uri)) {
            Some(location) => ApiError::redirect(location),
            None => ApiError::unavailable("no-leader", "no node is known to lead: try again later"),
        }
    }

    /// Refuses early, before the body of a request is read, if this node does not lead.
    pub(crate) fn must_lead(&self, uri: &Uri) -> Result<(), ApiError> {
        let facts = self.facts.borrow();
        if let Some(halt) = facts.halt {
            return Err(ApiError::of_outcome(&Outcome::Refused(Refusal::Halted { halt })));
        }
        match facts.leader == Some(self.own) {
            true => Ok(()),
            false => Err(self.not_leader(facts.leader, uri)),
        }
    }

    /// Waits for the outcome of a request. A write of a content of this length is acknowledged once W nodes have it, which
    /// takes longer the longer it is.
    async fn ask(
        &self,
        length: u64,
        request: impl FnOnce(oneshot::Sender<Reply>) -> Request,
    ) -> Result<Reply, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(request(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ApiError::busy(),
            mpsc::error::TrySendError::Closed(_) => ApiError::stopping(),
        })?;
        let patience = self.request_timeout + Duration::from_secs(length / BYTES_PER_S_MIN);
        match tokio::time::timeout(patience, answer).await {
            Ok(reply) => reply.map_err(|_| ApiError::stopping()),
            Err(_) => Err(ApiError::of_outcome(&Outcome::Unknown)),
        }
    }

    fn refused(&self, outcome: &Outcome, uri: &Uri) -> ApiError {
        match outcome {
            Outcome::Refused(Refusal::NotLeader { leader }) => self.not_leader(*leader, uri),
            outcome => ApiError::of_outcome(outcome),
        }
    }

    /// Writes, and returns the version that was written and the files after that.
    pub(crate) async fn write(
        &self,
        write: Write,
        uri: &Uri,
    ) -> Result<(steadfast_protocol::Dot, Files), ApiError> {
        let length = match &write.intent {
            Intent::Put(content) => self.length_of(content).unwrap_or(0),
            Intent::Delete => 0,
            Intent::Restore(dot) => self.length_of_head(&write.path, *dot).unwrap_or(0),
        };
        match self.ask(length, |reply| Request::Write(write, reply)).await? {
            Reply::Outcome(Outcome::Acknowledged { dot }, files) => Ok((dot, files)),
            Reply::Outcome(outcome, _) => Err(self.refused(&outcome, uri)),
            Reply::ConditionFailed => Err(ApiError::precondition_failed()),
        }
    }

    /// Reads a path.
    pub(crate) async fn read(
        &self,
        path: Path,
        consistency: Consistency,
        uri: &Uri,
    ) -> Result<Seen, ApiError> {
        match self.ask(0, |reply| Request::Read(path, consistency, reply)).await? {
            Reply::Outcome(Outcome::Value { version, .. }, files) => Ok(Seen { version, files }),
            Reply::Outcome(outcome, _) => Err(self.refused(&outcome, uri)),
            Reply::ConditionFailed => Err(ApiError::internal("a read has no condition")),
        }
    }

    /// The files that this node shows: after a confirmation that it leads, or at once.
    pub(crate) async fn files(
        &self,
        consistency: Consistency,
        uri: &Uri,
    ) -> Result<Files, ApiError> {
        match consistency {
            Consistency::Stale => Ok(self.facts.borrow().files.clone()),
            Consistency::Linearizable => {
                // Reading any path confirms that the node leads and holds all that was acknowledged.
                let any = Path::new("");
                Ok(self.read(any, consistency, uri).await?.files)
            }
        }
    }
}
