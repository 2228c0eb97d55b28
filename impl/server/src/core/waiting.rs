//! The requests whose clients wait for an answer.

use std::collections::BTreeMap;

use steadfast_protocol::{Files, Outcome, RequestId};
use tokio::sync::oneshot;

use super::Reply;

/// The clients that wait, by request. A retry may come while its first try is under way, so that several
/// may wait for one request.
#[derive(Debug)]
pub(crate) struct Waiting {
    waiters: BTreeMap<RequestId, Vec<oneshot::Sender<Reply>>>,
    /// The last id that the node chose for a request without one.
    last: RequestId,
}

impl Waiting {
    /// No client waits. The requests without an id get one of a client that is drawn at random, so that it
    /// is another one after each start.
    pub(crate) fn new() -> Waiting {
        Waiting { waiters: BTreeMap::new(), last: RequestId { client: rand::random(), number: 0 } }
    }

    /// An id for a request without one.
    pub(crate) fn fresh_id(&mut self) -> RequestId {
        self.last.number += 1;
        self.last
    }

    /// Adds a client that waits for the answer to a request.
    pub(crate) fn add(&mut self, request: RequestId, waiter: oneshot::Sender<Reply>) {
        let waiters = self.waiters.entry(request).or_default();
        waiters.push(waiter);
    }

    /// Answers all clients that wait for this request. A client that is gone no longer listens.
    pub(crate) fn answer(&mut self, request: RequestId, outcome: &Outcome, files: &Files) {
        for waiter in self.waiters.remove(&request).into_iter().flatten() {
            let _ = waiter.send(Reply::Outcome(outcome.clone(), files.clone()));
        }
    }
}
