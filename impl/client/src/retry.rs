//! Sending a request until a node answers it: to the leader, as far as it is known, and to the other nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{Request, StatusCode, Uri};
use steadfast_config::server_name;
use tokio::time::{Instant, sleep, timeout};

use crate::answer::{Answer, Pieces, with_causes};
use crate::call::Call;
use crate::client::{Client, Shared};
use crate::upload::{Pump, RequestBody};
use crate::{Code, Error};

/// The shortest and the longest pause before a repetition, unless the node names one.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The longest pause that a node may name.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// How many redirects in a row are followed at once. Nodes that disagree about the leader may send a client round.
const REDIRECTS_MAX: u32 = 3;

/// How often a key is made once more because the cluster's clock has gone on. Once suffices, unless the client is
/// slower than a hundred thousand writes of others.
const RENEWALS_MAX: u32 = 3;

/// What follows from an attempt.
enum Outcome {
    /// The answer to the call.
    Answer(Answer),
    /// Another node should answer it.
    Redirect(usize),
    /// The same call may succeed later, or at another node.
    Temporary { error: Error, after: Option<Duration> },
    /// It will not.
    Final(Error),
}

impl Client {
    /// Sends a request until a node answers it.
    pub(crate) async fn send(&self, mut call: Call) -> Result<Answer, Error> {
        self.send_noting(&mut call).await
    }

    /// As [`Client::send`], and notes in the call whether a refused write may have taken place nevertheless.
    pub(crate) async fn send_noting(&self, call: &mut Call) -> Result<Answer, Error> {
        let shared = &*self.shared;
        let mut tries = Tries::new(shared, call);
        loop {
            let Some((body, pump)) = call.upload.begin().await? else {
                return Err(tries.source_gone(call.key.clone()));
            };
            let request = shared.request(call, tries.node, body)?;
            let outcome = shared.attempt(request, tries.node, pump.as_ref()).await;
            if let Some(pump) = pump {
                tries.note_progress(pump.moved());
                let ended = call.upload.end(pump).await;
                if !matches!(outcome, Outcome::Answer(_)) {
                    ended?;
                }
            }
            match outcome {
                Outcome::Answer(answer) => {
                    if !call.is_local {
                        shared.set_leader(Some(answer.node));
                    }
                    return Ok(answer);
                }
                Outcome::Final(error) if call.has_own_key() && tries.may_renew_key(&error) => {
                    call.renew_key(self.clock())?;
                    tries.renewals += 1;
                    tries.key.clone_from(&call.key);
                }
                Outcome::Final(error) => {
                    call.outcome_unknown = tries.outcome_unknown;
                    return Err(error);
                }
                Outcome::Redirect(node) => tries.redirect(node).await?,
                Outcome::Temporary { error, after } => tries.failed(error, after).await?,
            }
        }
    }
}

impl Shared {
    fn request(
        &self,
        call: &Call,
        node: usize,
        body: RequestBody,
    ) -> Result<Request<RequestBody>, Error> {
        let uri = format!("https://{}{}", self.host(node), call.target);
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        let parsed = uri.parse().map_err(|error| Error::Argument(format!("{uri}: {error}")))?;
        *request.uri_mut() = parsed;
        request.headers_mut().extend(call.headers.clone());
        Ok(request)
    }

    /// The name in the certificate of a node.
    fn host(&self, node: usize) -> String {
        server_name(&self.nodes[node].name).to_str().into_owned()
    }

    async fn attempt(
        &self,
        request: Request<RequestBody>,
        node: usize,
        pump: Option<&Pump>,
    ) -> Outcome {
        match self.response(request, pump).await {
            Ok(response) => self.judge(response, node).await,
            Err(failure) => self.failure(failure, node),
        }
    }

    /// Waits for the head of an answer. While the body moves, that may take any time; after that, the client
    /// allows more time for a longer content.
    async fn response(
        &self,
        request: Request<RequestBody>,
        pump: Option<&Pump>,
    ) -> Result<http::Response<hyper::body::Incoming>, Option<hyper_util::client::legacy::Error>>
    {
        let mut response = std::pin::pin!(self.http.request(request));
        let progress = || pump.map_or((0, Duration::ZERO), |it| (it.moved(), it.time_to_store()));
        let mut before = (0, Duration::ZERO);
        loop {
            match timeout(self.patience() + before.1, &mut response).await {
                Ok(response) => return response.map_err(Some),
                Err(_) if progress() == before => return Err(None),
                Err(_) => before = progress(),
            }
        }
    }

    /// How long one node may keep silent. Half of the deadline leaves time for another node.
    pub(crate) fn patience(&self) -> Duration {
        self.options.deadline / 2
    }

    fn failure(&self, failure: Option<hyper_util::client::legacy::Error>, node: usize) -> Outcome {
        let name = self.name(node).to_owned();
        let is_connect = failure.as_ref().is_some_and(|it| it.is_connect());
        let refusal = self.connector.refusal(&self.host(node));
        let why = match (&refusal, &failure) {
            (Some(refusal), _) => refusal.clone(),
            // The first text only says that connecting failed.
            (None, Some(error)) => match std::error::Error::source(error) {
                Some(source) => with_causes(source),
                None => error.to_string(),
            },
            (None, None) => format!("no answer within {} s", self.patience().as_secs_f32()),
        };
        let error = match is_connect || refusal.is_some() {
            true => {
                Error::Connect { node: name, address: self.nodes[node].address.to_string(), why }
            }
            false => Error::Lost { node: name, why },
        };
        Outcome::Temporary { error, after: None }
    }

    async fn judge(&self, response: http::Response<hyper::body::Incoming>, node: usize) -> Outcome {
        let (head, body) = response.into_parts();
        let body = Pieces::new(body, self.name(node).to_owned(), self.patience());
        let answer = Answer { status: head.status, headers: head.headers, body, node };
        if let Some(clock) = answer.number("steadfast-clock") {
            self.note_clock(clock);
        }
        if head.status.is_success() || head.status == StatusCode::NOT_MODIFIED {
            return Outcome::Answer(answer);
        }
        if head.status == StatusCode::TEMPORARY_REDIRECT {
            return self.redirect(&answer);
        }
        let after = answer.number("retry-after").map(Duration::from_secs);
        let after = after.map(|it| it.min(RETRY_AFTER_MAX));
        match answer.refusal().await {
            Error::Refused(it) if it.code.is_temporary() => {
                Outcome::Temporary { error: it.into(), after }
            }
            error => Outcome::Final(error),
        }
    }

    /// The node that a redirect names by its address or by the name in its certificate.
    fn redirect(&self, answer: &Answer) -> Outcome {
        let location = answer.text("location").unwrap_or_default();
        let authority = location.parse::<Uri>().ok().and_then(|it| {
            let port = it.port_u16().unwrap_or(443);
            it.host().map(|host| (host.to_ascii_lowercase(), port))
        });
        let is_it = |node: &steadfast_config::Node| {
            authority.as_ref().is_some_and(|(host, port)| {
                let address = &node.address;
                let host = host.trim_start_matches('[').trim_end_matches(']');
                (address.host() == host && address.port() == *port)
                    || server_name(&node.name).to_str() == host
            })
        };
        match self.nodes.iter().position(is_it) {
            Some(node) => Outcome::Redirect(node),
            None => Outcome::Final(answer.body.nonsense(format!(
                "it redirects to {location:?}, which is no node of client.toml; are its addresses out of date?"
            ))),
        }
    }
}

/// The attempts of one call.
struct Tries<'a> {
    shared: &'a Shared,
    node: usize,
    is_pinned: bool,
    key: Option<String>,
    progress_at: Instant,
    moved_most: u64,
    redirects: u32,
    renewals: u32,
    pause: Duration,
    /// Whether the write may have taken place.
    outcome_unknown: bool,
    /// Nodes with which no TLS connection is possible.
    refused: BTreeSet<usize>,
    last: Option<Error>,
}

impl<'a> Tries<'a> {
    fn new(shared: &'a Shared, call: &Call) -> Tries<'a> {
        Tries {
            shared,
            node: call.only.or(shared.leader()).unwrap_or(0),
            is_pinned: call.only.is_some(),
            key: call.key.clone(),
            progress_at: Instant::now(),
            moved_most: 0,
            redirects: 0,
            renewals: 0,
            pause: PAUSE_MIN,
            outcome_unknown: call.outcome_unknown,
            refused: BTreeSet::new(),
            last: None,
        }
    }

    /// Whether a leader has refused a key as too old although no leader has taken the write: under a new key it is not
    /// written twice.
    fn may_renew_key(&self, error: &Error) -> bool {
        let is_forgotten = matches!(error, Error::Refused(it) if it.code == Code::Forgotten);
        is_forgotten && !self.outcome_unknown && self.renewals < RENEWALS_MAX
    }

    /// An upload that came further than before is progress.
    fn note_progress(&mut self, moved: u64) {
        if moved > self.moved_most {
            self.moved_most = moved;
            self.progress_at = Instant::now();
        }
    }

    async fn redirect(&mut self, node: usize) -> Result<(), Error> {
        self.shared.set_leader(Some(node));
        let why = format!("it redirected to node {}", self.shared.name(node));
        self.last = Some(Error::Lost { node: self.shared.name(self.node).to_owned(), why });
        self.node = node;
        self.redirects += 1;
        if self.redirects <= REDIRECTS_MAX {
            return Ok(());
        }
        self.redirects = 0;
        let why = "the nodes redirect to each other, so none of them leads yet".to_owned();
        self.pause_after(Error::Lost { node: self.shared.name(node).to_owned(), why }, None).await
    }

    async fn failed(&mut self, error: Error, after: Option<Duration>) -> Result<(), Error> {
        if self.is_pinned {
            return Err(error);
        }
        let is_lost = matches!(error, Error::Lost { .. });
        let is_unknown = is_lost || error.code() == Some(&Code::UnknownOutcome);
        self.outcome_unknown |= self.key.is_some() && is_unknown;
        if self.shared.connector.refusal(&self.shared.host(self.node)).is_some() {
            self.refused.insert(self.node);
            if self.refused.len() == self.shared.nodes.len() {
                return Err(error);
            }
        }
        if self.shared.leader() == Some(self.node) {
            self.shared.set_leader(None);
        }
        // A node that is only busy is the right one.
        if error.code() != Some(&Code::Busy) {
            self.node = (self.node + 1) % self.shared.nodes.len();
        }
        self.pause_after(error, after).await
    }

    /// Waits before the next attempt, or gives up at the deadline.
    async fn pause_after(&mut self, error: Error, after: Option<Duration>) -> Result<(), Error> {
        let pause = after.unwrap_or(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let deadline = self.shared.options.deadline;
        if self.progress_at.elapsed() + pause >= deadline {
            return Err(Error::GaveUp {
                after: deadline,
                last: Box::new(error),
                outcome_unknown: self.outcome_unknown,
                key: self.key.clone(),
            });
        }
        self.last = Some(error);
        sleep(pause).await;
        Ok(())
    }

    fn source_gone(self, key: Option<String>) -> Error {
        let unknown = || Error::Argument("the upload was used before".to_owned());
        let last = Box::new(self.last.unwrap_or_else(unknown));
        Error::SourceGone { last, outcome_unknown: self.outcome_unknown, key }
    }
}
