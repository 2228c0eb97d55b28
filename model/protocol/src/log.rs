//! The logged records of a node, synced or not.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::decisions::sort_heads;
use crate::{
    ContentId, Counter, Digest, Dot, Entry, Epoch, LogIndex, NODES_MAX, NodeId, Record, RequestId,
    Sequence, VersionVector,
};

/// An index of the logged records: the promise, and the entries by origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    length: LogIndex,
    promise: Epoch,
    /// Invariant (G8, no-gaps): an origin's entries are a prefix of those it made, in order.
    origins: Vec<Vec<Entry>>,
    /// For each entry in `origins`, the digest of the origin's entries up to it.
    digests: Vec<Vec<Digest>>,
    vv: VersionVector,
    counter: Counter,
    /// The contents that logged entries name.
    contents: BTreeSet<ContentId>,
    /// For each request, the entry with the highest stamp that was made for it.
    requests: BTreeMap<RequestId, Dot>,
}

impl Hash for Log {
    /// Leaves out fields that are large and follow from the entries.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Log { length, promise, origins, digests: _, vv, counter, contents: _, requests } = self;
        (length, promise, origins, vv, counter, requests).hash(state);
    }
}

impl Log {
    /// The number of logged records, which is the index of the last one.
    #[must_use]
    pub fn length(&self) -> LogIndex {
        self.length
    }

    /// The highest epoch this node has vowed to follow.
    #[must_use]
    pub(crate) fn promise(&self) -> Epoch {
        self.promise
    }

    /// The logged version vector.
    #[must_use]
    pub fn vv(&self) -> &VersionVector {
        &self.vv
    }

    /// The highest Lamport counter logged.
    #[must_use]
    pub(crate) fn counter(&self) -> Counter {
        self.counter
    }

    /// Adds a record at the end.
    pub(crate) fn push(&mut self, record: &Record) {
        self.length = self.length.next();
        match record {
            Record::Identity(_) => {}
            Record::Promise(epoch) => self.promise = *epoch,
            Record::Entry(entry) => self.push_entry(entry),
        }
    }

    fn push_entry(&mut self, entry: &Entry) {
        let origin = entry.dot.origin.index();
        if self.origins.len() <= origin {
            self.origins.resize_with(origin + 1, Vec::new);
            self.digests.resize_with(origin + 1, Vec::new);
        }
        let before = self.digests[origin].last().copied().unwrap_or_default();
        self.digests[origin].push(before.then(entry));
        self.origins[origin].push(entry.clone());
        self.vv.insert(entry.dot);
        self.contents.extend(entry.change.named());
        self.counter = self.counter.max(entry.stamp.counter);
        if self.written_by(entry.request).is_none_or(|known| known.stamp < entry.stamp) {
            self.requests.insert(entry.request, entry.dot);
        }
    }

    /// The entry with this dot, if it is logged.
    #[must_use]
    pub fn entry(&self, dot: Dot) -> Option<&Entry> {
        let entries = self.origins.get(dot.origin.index())?;
        let at = entries.partition_point(|entry| entry.dot.sequence < dot.sequence);
        entries.get(at).filter(|entry| entry.dot == dot)
    }

    /// The logged entry of a request; the one with the highest stamp if retries left several.
    #[must_use]
    pub fn written_by(&self, request: RequestId) -> Option<&Entry> {
        self.entry(*self.requests.get(&request)?)
    }

    /// The highest number among a client's requests that have a logged entry.
    #[must_use]
    pub(crate) fn newest_of(&self, client: u64) -> Option<u64> {
        let all = RequestId { client, number: 0 }..=RequestId { client, number: u64::MAX };
        self.requests.range(all).next_back().map(|(request, _)| request.number)
    }

    /// Forgets which requests have entries.
    pub(crate) fn forget_requests(&mut self) {
        self.requests.clear();
    }

    /// All logged entries, by origin and sequence.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.origins.iter().flatten()
    }

    /// Whether a logged entry names this content.
    #[must_use]
    pub(crate) fn names(&self, content: ContentId) -> bool {
        self.contents.contains(&content)
    }

    /// The logged entries that `limit` covers and `known` does not. The entries of each origin stay in
    /// order; `goes_first` decides from which origin the next entry comes. The cost per entry does not
    /// depend on the length of the log.
    pub fn between<'a>(
        &'a self,
        known: &VersionVector,
        limit: &VersionVector,
        goes_first: impl Fn(&Entry, &Entry) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Entry> {
        let mut runs = [&[][..]; NODES_MAX as usize];
        for (run, (origin, entries)) in runs.iter_mut().zip((0..).map(NodeId).zip(&self.origins)) {
            let from = entries.partition_point(|it| it.dot.sequence <= known.sequence(origin));
            let to = entries.partition_point(|it| it.dot.sequence <= limit.sequence(origin));
            *run = entries.get(from..to).unwrap_or_default();
        }
        std::iter::from_fn(move || {
            let heads = runs.iter_mut().filter(|run| !run.is_empty());
            let next = heads.reduce(|one, other| match goes_first(&other[0], &one[0]) {
                true => other,
                false => one,
            })?;
            next.split_off_first()
        })
    }

    /// The digest of the entries that `vv` covers; `None` if not all of them are logged.
    #[must_use]
    pub fn digest(&self, vv: &VersionVector) -> Option<Digest> {
        self.followed_by(&[]).digest(vv)
    }

    /// This log with the entries of a message behind it, as far as they follow it without a gap. The
    /// message has the entries of each origin in order.
    pub(crate) fn followed_by(&self, entries: &[Entry]) -> Followed<'_> {
        let mut followed = Followed { log: self, digests: Vec::new() };
        for entry in entries {
            let origin = entry.dot.origin;
            let (length, last) = (followed.length(origin), followed.last(origin));
            followed.digests.resize_with(NODES_MAX.into(), Vec::new);
            if entry.dot.sequence == length.next()
                && let Some(digests) = followed.digests.get_mut(origin.index())
            {
                digests.push(last.then(entry));
            }
        }
        followed
    }

    /// The highest sequence number logged of an origin.
    #[must_use]
    pub fn sequence(&self, origin: NodeId) -> Sequence {
        self.vv.sequence(origin)
    }

    /// The heads of one path, highest stamp first, computed from the whole log. [`Files`](crate::Files)
    /// computes the same entry by entry.
    #[must_use]
    pub fn heads_of(&self, path: &crate::Path) -> Vec<Entry> {
        let of_path: Vec<&Entry> = self.entries().filter(|it| it.path == *path).collect();
        let is_head = |entry: &Entry| !of_path.iter().any(|it| it.replaces.contains(&entry.dot));
        let mut heads: Vec<Entry> =
            of_path.iter().filter(|it| is_head(it)).map(|it| (*it).clone()).collect();
        sort_heads(&mut heads);
        heads
    }
}

/// A log and, behind it, the digests of entries that may follow.
pub(crate) struct Followed<'a> {
    log: &'a Log,
    /// For each origin the digests of its entries; empty if no entry follows, as after most messages.
    digests: Vec<Vec<Digest>>,
}

impl Followed<'_> {
    /// The digest of the entries that `vv` covers; `None` if not all of them are there.
    pub(crate) fn digest(&self, vv: &VersionVector) -> Option<Digest> {
        let origins = NodeId::all(NODES_MAX).filter(|it| vv.sequence(*it) > Sequence(0));
        let mut digests = origins.map(|it| self.digest_of(it, vv.sequence(it)));
        digests.try_fold(Digest::default(), |sum, it| Some(sum.with(it?)))
    }

    /// The digest of an origin's entries up to a sequence number above zero.
    fn digest_of(&self, origin: NodeId, to: Sequence) -> Option<Digest> {
        let at = usize::try_from(to.0).ok()?.checked_sub(1)?;
        let logged = self.logged(origin);
        let behind = || self.digests.get(origin.index())?.get(at.checked_sub(logged.len())?);
        logged.get(at).or_else(behind).copied()
    }

    fn logged(&self, origin: NodeId) -> &[Digest] {
        self.log.digests.get(origin.index()).map_or(&[], Vec::as_slice)
    }

    fn length(&self, origin: NodeId) -> Sequence {
        let behind = self.digests.get(origin.index()).map_or(0, Vec::len);
        Sequence((self.logged(origin).len() + behind) as u64)
    }

    fn last(&self, origin: NodeId) -> Digest {
        let behind = self.digests.get(origin.index()).and_then(|it| it.last());
        behind.or_else(|| self.logged(origin).last()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, EntryBody, Path, Sealed, Stamp};

    /// The entry that a node made for request 1, with this counter.
    fn retried(origin: u8, counter: u64) -> Entry {
        let origin = NodeId(origin);
        Sealed::new(EntryBody {
            dot: Dot { origin, sequence: Sequence(1) },
            stamp: Stamp { fence: None, counter: Counter(counter), origin },
            context: VersionVector::default(),
            context_digest: Digest::default(),
            replaces: Vec::new(),
            path: Path::new("a"),
            change: Change::Delete,
            request: RequestId { client: 1, number: 1 },
        })
    }

    #[test]
    fn the_log_finds_the_entry_of_a_request_that_has_the_highest_stamp() {
        let [low, high, higher_origin] = [retried(2, 1), retried(0, 2), retried(1, 2)];
        for order in [[&low, &high, &higher_origin], [&higher_origin, &high, &low]] {
            let mut log = Log::default();
            order.into_iter().for_each(|it| log.push(&Record::Entry(it.clone())));
            assert_eq!(log.written_by(low.request), Some(&higher_origin));
            assert_eq!(log.written_by(RequestId { client: 2, number: 1 }), None);
        }
    }
}
