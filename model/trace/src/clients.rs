//! The clients of a run: how they name their requests.

use steadfast_protocol::{Counter, REMEMBERED, RequestId};

/// The clients of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Each request has a client of its own, and makes the nodes forget all older requests
    /// ([`Scope::forgets_requests`](crate::Scope::forgets_requests)). Otherwise one client numbers all requests.
    pub forgets_requests: bool,
}

impl Clients {
    /// The id of the request with this number, from 0.
    #[must_use]
    pub fn request(self, number: u64) -> RequestId {
        let client = if self.forgets_requests { number } else { 1 };
        RequestId { client, number }
    }

    /// The Lamport counter that a client names in a write which it sends to a node with this counter: one that makes
    /// the nodes forget all older requests; or one that changes no entry and is zero in all short runs, so that the
    /// states of a search do not differ in it.
    #[must_use]
    pub fn seen(self, counter: Counter) -> Counter {
        match self.forgets_requests {
            true => Counter(counter.0.saturating_add(2 * REMEMBERED)),
            false => Counter(counter.0 - counter.0 % REMEMBERED),
        }
    }
}
