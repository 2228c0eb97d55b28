//! The logged records of a node, synced or not.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::{
    ContentId, Counter, Decisions, Digest, Dot, Entry, Epoch, Files, Fold, Lineages, LogIndex,
    NODES_MAX, NodeId, Record, RequestId, Sealed, Sequence, State, VersionVector, Written,
};

/// An index of the logged records: their fold, and the entries by origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    length: LogIndex,
    /// The fold of all records.
    fold: Fold,
    /// For each origin, the entries up to which the log may hold heads only.
    floor: VersionVector,
    origins: Vec<Origin>,
    /// The contents that held entries name, and the heads of incomplete states.
    contents: BTreeSet<ContentId>,
}

/// The held entries of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    /// In order. Invariant (G8, no-gaps): above the floor there is no gap.
    entries: Vec<Entry>,
}

impl Hash for Log {
    /// Leaves out fields that are large and follow from the others, or from the synced fold and the
    /// unsynced records, which the replica has beside the log.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Log { length, fold: _, floor, origins, contents: _ } = self;
        (length, floor).hash(state);
        origins.iter().for_each(|it| it.entries.hash(state));
    }
}

impl Origin {
    fn place(&self, sequence: Sequence) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&sequence, |it| it.dot.sequence)
    }
}

impl Log {
    /// The number of logged records, which is the index of the last one. Records that a checkpoint stands
    /// for count.
    #[must_use]
    pub fn length(&self) -> LogIndex {
        self.length
    }

    /// A copy without entries and contents.
    pub(crate) fn outline(&self) -> Log {
        let Log { length, fold, floor, origins: _, contents: _ } = self;
        let (origins, contents) = (Vec::new(), BTreeSet::new());
        Log { length: *length, fold: fold.clone(), floor: *floor, origins, contents }
    }

    /// The fold of all logged records.
    #[must_use]
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// For each origin, the entries up to which the log may hold heads only.
    #[must_use]
    pub fn floor(&self) -> &VersionVector {
        &self.floor
    }

    /// The highest epoch this node has vowed to follow.
    #[must_use]
    pub(crate) fn promise(&self) -> Epoch {
        self.fold.promise
    }

    /// The logged version vector.
    #[must_use]
    pub fn vv(&self) -> &VersionVector {
        &self.fold.vv
    }

    /// The highest Lamport counter logged.
    #[must_use]
    pub(crate) fn counter(&self) -> Counter {
        self.fold.counter
    }

    /// The files that follow from all logged records, which is the state that the next write sees.
    #[must_use]
    pub(crate) fn files(&self) -> &Files {
        &self.fold.files
    }

    /// Adds a record at the end.
    pub(crate) fn push(&mut self, record: &Record, decisions: &dyn Decisions) {
        let (before, mut parts) = (self.fold.vv, Vec::new());
        if let Record::State(part) = record {
            parts.extend(self.fold.staged.iter().filter(|it| it.is_of(part)).cloned());
            parts.push(part.clone());
        }
        self.fold.apply(record, decisions);
        self.length = self.length.next();
        match record {
            Record::Identity(_) | Record::Promise(_) => {}
            Record::Entry(entry) => self.hold(entry),
            Record::State(_) => self.push_state(&parts, &before, decisions),
            Record::Checkpoint(checkpoint) => {
                self.length = checkpoint.length;
                self.floor = self.fold.vv;
                let heads: Vec<Entry> = self.fold.heads().cloned().collect();
                self.hold_all(heads);
            }
        }
    }

    fn origin(&mut self, node: NodeId) -> &mut Origin {
        if self.origins.len() <= node.index() {
            self.origins.resize_with(node.index() + 1, Origin::default);
        }
        &mut self.origins[node.index()]
    }

    /// Holds an entry, if it does not yet.
    fn hold(&mut self, entry: &Entry) {
        let origin = self.origin(entry.dot.origin);
        let sequence = entry.dot.sequence;
        // Nearly every entry is the newest of its origin.
        let at = match origin.entries.last() {
            Some(last) if last.dot.sequence >= sequence => origin.place(sequence),
            _ => Err(origin.entries.len()),
        };
        if let Err(at) = at {
            origin.entries.insert(at, entry.clone());
            self.contents.extend(entry.change.named());
        }
    }

    /// Holds the entries that it does not hold yet. They come in the order of their paths, so each would find
    /// its place in the middle of the others; to sort them all takes `n log n` steps instead of `n^2`.
    fn hold_all(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.contents.extend(entry.change.named());
            self.origin(entry.dot.origin).entries.push(entry);
        }
        for origin in &mut self.origins {
            // Stable, so that the entry that is held already stays.
            origin.entries.sort_by_key(|it| it.dot.sequence);
            origin.entries.dedup_by_key(|it| it.dot.sequence);
        }
    }

    /// Adds a part of a state, behind its earlier parts. If the fold has joined them, the log holds their
    /// heads.
    fn push_state(
        &mut self,
        parts: &[Sealed<State>],
        before: &VersionVector,
        decisions: &dyn Decisions,
    ) {
        let heads = || parts.iter().flat_map(|it| &it.heads);
        self.contents.extend(heads().filter_map(|it| it.change.named()));
        if self.fold.vv == *before {
            return;
        }
        self.floor = decisions.raised_floor(&self.floor, before, &self.fold.vv);
        let joined = heads().filter(|it| self.fold.is_head(it)).cloned().collect();
        self.hold_all(joined);
    }

    /// Forgets which requests have entries.
    pub(crate) fn forget_requests(&mut self) {
        self.fold.requests = crate::Requests::default();
    }

    /// Forgets the files.
    pub(crate) fn forget_files(&mut self) {
        self.fold.files = Files::default();
    }

    /// Forgets the paths whose only head is one of these deletes.
    pub(crate) fn forget_deletes(&mut self, deletes: &[Entry]) {
        self.fold.forget(deletes);
    }

    /// Drops the entries that `floor` covers, except those that are heads of `synced`, the fold of the
    /// synced records.
    pub(crate) fn trim(&mut self, floor: &VersionVector, synced: &Fold) {
        self.floor.merge(floor);
        // Entries and heads are walked side by side: to look up the path of each entry takes ten times as long.
        let mut heads: Vec<Dot> = synced.heads().map(|it| it.dot).collect();
        heads.sort_unstable();
        let mut heads = heads.into_iter().peekable();
        let mut is_head = |dot| {
            while heads.next_if(|it| *it < dot).is_some() {}
            heads.peek() == Some(&dot)
        };
        for origin in &mut self.origins {
            origin.entries.retain(|it| !floor.covers(it.dot) || is_head(it.dot));
        }
        let staged = self.fold.staged.iter().flat_map(|it| &it.heads);
        self.contents = self.entries().chain(staged).filter_map(|it| it.change.named()).collect();
    }

    /// The entry with this dot, if the log holds it.
    #[must_use]
    pub fn entry(&self, dot: Dot) -> Option<&Entry> {
        let origin = self.origins.get(dot.origin.index())?;
        origin.place(dot.sequence).ok().map(|at| &origin.entries[at])
    }

    /// The entry that was made for a request; the one with the highest stamp if retries left several.
    #[must_use]
    pub fn written_by(&self, request: RequestId) -> Option<&Written> {
        self.fold.requests.get(request)
    }

    /// The highest number among a client's requests that have a logged entry.
    #[must_use]
    pub(crate) fn newest_of(&self, client: u64) -> Option<u64> {
        self.fold.requests.newest_of(client)
    }

    /// All entries that the log holds, by origin and sequence.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.origins.iter().flat_map(|it| &it.entries)
    }

    /// Whether a held entry, or a head of an incomplete state, names this content.
    #[must_use]
    pub fn names(&self, content: ContentId) -> bool {
        self.contents.contains(&content)
    }

    /// The contents that held entries and the heads of incomplete states name.
    pub(crate) fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.iter().copied()
    }

    /// Whether a node with this log must have a copy of a content: a head of `synced`, the fold of the synced
    /// records, names it, an unsynced entry does, or a head of an incomplete state that the node still
    /// waits for. Looks through the log if any entry names the content.
    #[must_use]
    pub(crate) fn needs(&self, content: ContentId, synced: &Fold) -> bool {
        let names = |it: &&Entry| it.change.named() == Some(content);
        let is_current = |it: &Entry| !synced.vv.covers(it.dot) || synced.is_head(it);
        let awaited = || self.fold.staged.iter().filter(|it| !self.fold.vv.includes(&it.vv));
        self.names(content)
            && (self.entries().filter(names).any(is_current)
                || awaited().flat_map(|it| &it.heads).any(|it| names(&it)))
    }

    /// The logged entries that `limit` covers and `known` does not; all of them only if `known` includes the
    /// [`floor`](Log::floor). The entries of each origin stay in order; `goes_first` decides from which
    /// origin the next entry comes. The cost per entry does not depend on the length of the log.
    pub fn between<'a>(
        &'a self,
        known: &VersionVector,
        limit: &VersionVector,
        goes_first: impl Fn(&Entry, &Entry) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Entry> {
        let mut runs = [&[][..]; NODES_MAX as usize];
        let origins = self.origins.iter().map(|it| &it.entries);
        for (run, (origin, entries)) in runs.iter_mut().zip((0..).map(NodeId).zip(origins)) {
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

    /// The digest of the entries that `vv` covers; `None` if not all of them are logged, or spans of their lineages
    /// have been forgotten.
    #[must_use]
    pub fn digest(&self, vv: &VersionVector) -> Option<Digest> {
        self.followed_by(&[]).digest(vv)
    }

    /// This log with the entries of a message behind it, as far as they follow it without a gap.
    pub(crate) fn followed_by(&self, entries: &[Entry]) -> Followed<'_> {
        let (mut vv, mut lineages) = (*self.vv(), Cow::Borrowed(self.fold.lineages()));
        for entry in entries {
            let Dot { origin, sequence } = entry.dot;
            if sequence == vv.sequence(origin).next() {
                vv.insert(entry.dot);
                if lineages.begins_span(entry.dot, entry.incarnation) {
                    lineages.to_mut().note(entry.dot, entry.incarnation);
                }
            }
        }
        Followed { vv, lineages }
    }

    /// The highest sequence number logged of an origin.
    #[must_use]
    pub fn sequence(&self, origin: NodeId) -> Sequence {
        self.fold.vv.sequence(origin)
    }
}

/// The entries of a log, and those that may follow.
pub(crate) struct Followed<'a> {
    vv: VersionVector,
    lineages: Cow<'a, Lineages>,
}

impl Followed<'_> {
    /// The digest of the entries that `vv` covers; `None` if not all of them are there, or spans of their lineages
    /// have been forgotten.
    pub(crate) fn digest(&self, vv: &VersionVector) -> Option<Digest> {
        self.vv.includes(vv).then(|| self.lineages.digest(vv)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, EntryBody, Incarnation, Path, Sealed, Stamp};

    /// The entry that a node made for request 1, with this counter.
    fn retried(origin: u8, counter: u64) -> Entry {
        let origin = NodeId(origin);
        Sealed::new(EntryBody {
            dot: Dot { origin, sequence: Sequence(1) },
            stamp: Stamp { fence: None, counter: Counter(counter), origin },
            context: VersionVector::default(),
            incarnation: Incarnation::default(),
            context_digest: Digest::default(),
            replaces: Vec::new(),
            path: Path::new("a"),
            change: Change::Delete,
            request: RequestId { client: 1, number: 1 },
        })
    }

    /// The write number `sequence` of a node to a path.
    fn written(origin: u8, sequence: u64, path: &str) -> Entry {
        let body = (*retried(origin, sequence)).clone();
        let (dot, path) = (Dot { sequence: Sequence(sequence), ..body.dot }, Path::new(path));
        let request = RequestId { client: u64::from(origin), number: sequence };
        Sealed::new(EntryBody { dot, path, request, ..body })
    }

    #[test]
    fn a_checkpoint_whose_heads_come_in_the_order_of_paths_is_held_in_the_order_of_entries() {
        let mut log = Log::default();
        let paths = ["d", "a", "c", "b", "e"];
        let entries = (1..=5).zip(paths).flat_map(|(sequence, path)| {
            [0, 1].map(|origin| written(origin, sequence, &format!("{path}{origin}")))
        });
        entries.for_each(|it| log.push(&Record::Entry(it), &crate::Steadfast));
        let all: Vec<Entry> = log.entries().cloned().collect();
        let identity = crate::Identity {
            node: NodeId(0),
            settings: crate::Settings::new(3, 2, 2).expect("settings"),
        };
        let checkpoint =
            crate::Checkpoint { identity, length: log.length(), fold: log.fold().clone() };
        let mut recovered = Log::default();
        recovered.push(&Record::Checkpoint(Sealed::new(checkpoint)), &crate::Steadfast);
        assert_eq!(recovered.entries().cloned().collect::<Vec<_>>(), all);
        assert!(all.windows(2).all(|it| it[0].dot < it[1].dot));

        // A trim drops the two entries that a later one replaces, and no other.
        let replaced = [all[1].dot, all[8].dot];
        let body = written(2, 1, "a0");
        let later = EntryBody { replaces: replaced.to_vec(), ..(*body).clone() };
        recovered.push(&Record::Entry(Sealed::new(later)), &crate::Steadfast);
        let other = EntryBody { replaces: replaced.to_vec(), ..(*written(2, 2, "d1")).clone() };
        let other = EntryBody { path: all[8].path.clone(), ..other };
        recovered.push(&Record::Entry(Sealed::new(other)), &crate::Steadfast);
        let floor = *recovered.vv();
        let fold = recovered.fold().clone();
        recovered.trim(&floor, &fold);
        let left: Vec<Dot> = recovered.entries().map(|it| it.dot).collect();
        let kept = all.iter().map(|it| it.dot).filter(|it| !replaced.contains(it));
        let later = [1, 2].map(|it| Dot { origin: NodeId(2), sequence: Sequence(it) });
        assert_eq!(left, kept.chain(later).collect::<Vec<_>>());
    }

    #[test]
    fn entries_that_a_variant_logs_in_any_order_are_held_once_and_in_order() {
        let mut log = Log::default();
        for sequence in [2, 1, 3, 2, 3] {
            log.push(&Record::Entry(written(0, sequence, "a")), &crate::Steadfast);
        }
        let held: Vec<u64> = log.entries().map(|it| it.dot.sequence.0).collect();
        assert_eq!(held, [1, 2, 3]);
    }

    #[test]
    fn the_log_finds_the_entry_of_a_request_that_has_the_highest_stamp() {
        let [low, high, higher_origin] = [retried(2, 1), retried(0, 2), retried(1, 2)];
        for order in [[&low, &high, &higher_origin], [&higher_origin, &high, &low]] {
            let mut log = Log::default();
            for it in order {
                log.push(&Record::Entry(it.clone()), &crate::Steadfast);
            }
            assert_eq!(log.written_by(low.request), Some(&Written::of(&higher_origin)));
            assert_eq!(log.written_by(RequestId { client: 2, number: 1 }), None);
        }
    }
}
