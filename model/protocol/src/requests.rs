//! The requests that a log has entries for.

use im::OrdMap;
use serde::{Deserialize, Serialize};

use crate::{Counter, Dot, Entry, RequestId, Stamp, WriteDigest};

/// The newest requests of each client for which a node remembers the entry. A leader refuses an older
/// request by [`Refusal::Superseded`](crate::Refusal::Superseded), whether or not it was written.
pub const REQUESTS_PER_CLIENT: usize = 64;

/// The Lamport times for which a node remembers a request at least; [`FORGOTTEN_TOGETHER`] more at most. A
/// leader refuses an older request by [`Refusal::Forgotten`](crate::Refusal::Forgotten), whether or not it was
/// written.
pub const REMEMBERED: u64 = 1 << 17;

/// A node forgets the requests of this number of Lamport times together, because it looks at all requests to find
/// those that are too old.
pub const FORGOTTEN_TOGETHER: u64 = 1 << 13;

/// The entry that was made for a request. The log may have dropped the entry itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Written {
    /// The entry's dot.
    pub dot: Dot,
    /// The entry's stamp.
    pub stamp: Stamp,
    /// A hash of the path and the change.
    pub write: WriteDigest,
}

impl Written {
    /// The note of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Written {
        let write = WriteDigest::of(&entry.path, &entry.change);
        Written { dot: entry.dot, stamp: entry.stamp, write }
    }
}

/// For each client the newest requests that have an entry, each with the entry of the highest stamp, if
/// retries left several.
///
/// The map is persistent: a copy is a pointer. Two tables join by the same rule in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requests(OrdMap<u64, Vec<(u64, Written)>>);

impl Requests {
    /// The entry of a request.
    #[must_use]
    pub fn get(&self, request: RequestId) -> Option<&Written> {
        let of_client = self.0.get(&request.client)?;
        let at = of_client.binary_search_by_key(&request.number, |it| it.0).ok()?;
        Some(&of_client[at].1)
    }

    /// The highest number among a client's requests.
    #[must_use]
    pub(crate) fn newest_of(&self, client: u64) -> Option<u64> {
        self.0.get(&client)?.last().map(|it| it.0)
    }

    /// Notes that a request has this entry.
    pub(crate) fn insert(&mut self, request: RequestId, written: Written) {
        let mut of_client = self.0.get(&request.client).cloned().unwrap_or_default();
        match of_client.binary_search_by_key(&request.number, |it| it.0) {
            Ok(at) if of_client[at].1.stamp < written.stamp => of_client[at].1 = written,
            Ok(_) => return,
            Err(at) => of_client.insert(at, (request.number, written)),
        }
        let forgotten = of_client.len().saturating_sub(REQUESTS_PER_CLIENT);
        of_client.drain(..forgotten);
        self.0.insert(request.client, of_client);
    }

    /// Forgets the requests whose entry has a Lamport counter below `horizon`.
    pub(crate) fn forget_before(&mut self, horizon: Counter) {
        let is_kept = |it: &(u64, Written)| it.1.stamp.counter >= horizon;
        let clients = self.0.iter().filter(|(_, of_client)| !of_client.iter().all(is_kept));
        let clients: Vec<u64> = clients.map(|(client, _)| *client).collect();
        for client in clients {
            let of_client = self.0.remove(&client).unwrap_or_default();
            let kept: Vec<_> = of_client.into_iter().filter(is_kept).collect();
            if !kept.is_empty() {
                self.0.insert(client, kept);
            }
        }
    }

    /// All requests, in order, each with its entry.
    pub fn iter(&self) -> impl Iterator<Item = (RequestId, Written)> {
        self.0.iter().flat_map(|(client, of_client)| {
            let request = |number| RequestId { client: *client, number };
            of_client.iter().map(move |(number, written)| (request(*number), *written))
        })
    }

    /// The requests behind `last`, in order; all without one.
    pub(crate) fn after(
        &self,
        last: Option<RequestId>,
    ) -> impl Iterator<Item = (RequestId, Written)> {
        let from = last.map_or(0, |it| it.client);
        let clients = self.0.range(from..).flat_map(|(client, of_client)| {
            let request = |number| RequestId { client: *client, number };
            of_client.iter().map(move |(number, written)| (request(*number), *written))
        });
        clients.filter(move |(request, _)| last.is_none_or(|last| *request > last))
    }
}

impl FromIterator<(RequestId, Written)> for Requests {
    fn from_iter<I: IntoIterator<Item = (RequestId, Written)>>(all: I) -> Requests {
        let mut requests = Requests::default();
        all.into_iter().for_each(|(request, written)| requests.insert(request, written));
        requests
    }
}
