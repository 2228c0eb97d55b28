//! The requests that a log has entries for.

use std::hash::{Hash, Hasher};
use std::ops::{Bound, RangeInclusive};

use im::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::{Counter, Dot, Entry, RequestId, Stamp, WriteDigest};

/// The newest requests of each client for which a node remembers the entry. A leader refuses an older
/// request by [`Refusal::Superseded`](crate::Refusal::Superseded), whether or not it was written.
pub const REQUESTS_PER_CLIENT: usize = 64;

/// The Lamport times for which a node remembers a request. A leader refuses an older request by
/// [`Refusal::Forgotten`](crate::Refusal::Forgotten), whether or not it was written.
pub const REMEMBERED: u64 = 1 << 17;

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
/// The maps are persistent: a copy is a pointer. Two tables join by the same rule in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    written: OrdMap<RequestId, Written>,
    /// The same requests by the Lamport counters of their entries, so that a node which forgets some looks at
    /// no others.
    by_counter: OrdSet<(Counter, RequestId)>,
}

impl Requests {
    /// The entry of a request.
    #[must_use]
    pub fn get(&self, request: RequestId) -> Option<&Written> {
        self.written.get(&request)
    }

    /// The highest number among a client's requests.
    #[must_use]
    pub(crate) fn newest_of(&self, client: u64) -> Option<u64> {
        self.written.range(all_of(client)).next_back().map(|(request, _)| request.number)
    }

    /// Notes that a request has this entry.
    pub(crate) fn insert(&mut self, request: RequestId, written: Written) {
        match self.written.get(&request) {
            Some(known) if known.stamp >= written.stamp => return,
            Some(_) => self.remove(request),
            None => {}
        }
        self.written.insert(request, written);
        self.by_counter.insert((written.stamp.counter, request));
        let mut newest_first = self.written.range(all_of(request.client)).rev();
        // A client has one request too many at most, because each insertion comes by here.
        if let Some((oldest, _)) = newest_first.nth(REQUESTS_PER_CLIENT) {
            let oldest = *oldest;
            self.remove(oldest);
        }
    }

    fn remove(&mut self, request: RequestId) {
        if let Some(written) = self.written.remove(&request) {
            self.by_counter.remove(&(written.stamp.counter, request));
        }
    }

    /// Forgets the requests whose entry has a Lamport counter below `horizon`.
    pub(crate) fn forget_before(&mut self, horizon: Counter) {
        while let Some((counter, request)) = self.by_counter.get_min().copied() {
            if counter >= horizon {
                return;
            }
            self.remove(request);
        }
    }

    /// All requests, in order, each with its entry.
    pub fn iter(&self) -> impl Iterator<Item = (RequestId, Written)> {
        self.after(None)
    }

    /// The requests behind `last`, in order; all without one.
    pub(crate) fn after(
        &self,
        last: Option<RequestId>,
    ) -> impl Iterator<Item = (RequestId, Written)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.written.range((from, Bound::Unbounded));
        behind.map(|(request, written)| (*request, *written))
    }
}

/// All requests that a client can make.
fn all_of(client: u64) -> RangeInclusive<RequestId> {
    RequestId { client, number: 0 }..=RequestId { client, number: u64::MAX }
}

/// The order by counters follows from the rest.
impl Hash for Requests {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

impl FromIterator<(RequestId, Written)> for Requests {
    fn from_iter<I: IntoIterator<Item = (RequestId, Written)>>(all: I) -> Requests {
        let mut requests = Requests::default();
        all.into_iter().for_each(|(request, written)| requests.insert(request, written));
        requests
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{NodeId, Sequence};

    /// A request of one of three clients with a stamp, or a horizon.
    fn change() -> impl Strategy<Value = Result<(RequestId, Written), Counter>> {
        let counter = || (0_u64..200).prop_map(Counter);
        let request =
            (0_u64..3, 0_u64..100).prop_map(|(client, number)| RequestId { client, number });
        let written = (request, counter(), 0_u8..2).prop_map(|(request, counter, node)| {
            let dot = Dot { origin: NodeId(node), sequence: Sequence(counter.0 + 1) };
            let stamp = Stamp { fence: None, counter, origin: NodeId(node) };
            (request, Written { dot, stamp, write: WriteDigest::default() })
        });
        prop_oneof![40 => written.prop_map(Ok), 1 => counter().prop_map(Err)]
    }

    proptest! {
        #[test]
        fn a_table_holds_the_newest_requests_of_each_client_above_the_horizon(
            changes in proptest::collection::vec(change(), 0..800),
        ) {
            let mut table = Requests::default();
            let mut known: BTreeMap<RequestId, Written> = BTreeMap::new();
            for change in changes {
                match change {
                    Ok((request, written)) => {
                        table.insert(request, written);
                        let it = known.entry(request).or_insert(written);
                        if it.stamp < written.stamp {
                            *it = written;
                        }
                        let of_client: Vec<RequestId> =
                            known.range(all_of(request.client)).map(|it| *it.0).collect();
                        let too_many = of_client.len().saturating_sub(REQUESTS_PER_CLIENT);
                        for request in &of_client[..too_many] {
                            known.remove(request);
                        }
                        prop_assert_eq!(table.get(request), known.get(&request));
                    }
                    Err(horizon) => {
                        table.forget_before(horizon);
                        known.retain(|_, written| written.stamp.counter >= horizon);
                    }
                }
                prop_assert_eq!(table.by_counter.len(), known.len());
            }
            let all: Vec<_> = known.iter().map(|(request, written)| (*request, *written)).collect();
            prop_assert_eq!(table.iter().collect::<Vec<_>>(), all.clone());
            for (at, (request, _)) in all.iter().enumerate() {
                let behind: Vec<_> = table.after(Some(*request)).collect();
                prop_assert_eq!(&behind[..], &all[at + 1..]);
            }
            for client in 0..4 {
                let newest = known.range(all_of(client)).next_back().map(|it| it.0.number);
                prop_assert_eq!(table.newest_of(client), newest);
            }
            prop_assert_eq!(&table, &all.into_iter().collect::<Requests>());
        }
    }
}
