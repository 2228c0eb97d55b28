//! The fold of a log: all that its records amount to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::parameters::Room;
use crate::{
    Counter, Decisions, Digest, Entry, Epoch, Files, Lineages, NODES_MAX, NodeId, Place, Record,
    RequestId, Requests, Sealed, Staging, State, VersionVector, Written,
};

/// All that a sequence of log records amounts to. A node whose log begins with a checkpoint knows the
/// records before it by their fold alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fold {
    pub(crate) promise: Epoch,
    pub(crate) vv: VersionVector,
    pub(crate) lineages: Lineages,
    /// The highest Lamport counter of any entry. It can be higher than that of any head: a forgotten delete
    /// may have had it.
    pub(crate) counter: Counter,
    /// For each origin, the newest forgotten delete. All nodes hold it and the entries of the origin before it.
    pub(crate) forgotten: VersionVector,
    pub(crate) files: Files,
    pub(crate) requests: Requests,
    /// The parts of states whose last part has not come, in the order of their arrival.
    pub(crate) staged: Vec<Sealed<State>>,
}

/// The states that may be incomplete at a time: one from each peer. The oldest gives way.
const STAGED_MAX: usize = NODES_MAX as usize - 1;

impl Fold {
    /// The highest epoch promised.
    #[must_use]
    pub fn promise(&self) -> Epoch {
        self.promise
    }

    /// The entries, as a version vector.
    #[must_use]
    pub fn vv(&self) -> &VersionVector {
        &self.vv
    }

    /// Which incarnations of their origins made the entries.
    #[must_use]
    pub fn lineages(&self) -> &Lineages {
        &self.lineages
    }

    /// The digest of all entries together.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // The newest span of each origin is always known.
        self.lineages.digest(&self.vv).unwrap_or_default()
    }

    /// The highest Lamport counter of any entry.
    #[must_use]
    pub fn counter(&self) -> Counter {
        self.counter
    }

    /// The forgotten deletes, as a version vector. All nodes hold the entries that it covers.
    #[must_use]
    pub fn forgotten(&self) -> &VersionVector {
        &self.forgotten
    }

    /// The heads of each path.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The requests that have an entry.
    #[must_use]
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Adds a record.
    pub fn apply(&mut self, record: &Record, decisions: &dyn Decisions) {
        match record {
            Record::Identity(_) => {}
            Record::Promise(epoch) => self.promise = *epoch,
            Record::Entry(entry) => self.apply_entry(entry, decisions),
            Record::State(part) => self.stage(part, decisions),
            Record::Checkpoint(checkpoint) => *self = checkpoint.fold.clone(),
        }
    }

    fn apply_entry(&mut self, entry: &Entry, decisions: &dyn Decisions) {
        self.lineages.note(entry.dot, entry.incarnation);
        self.vv.insert(entry.dot);
        self.advance(entry.stamp.counter, decisions);
        self.note_written(entry.request, Written::of(entry), decisions);
        self.files.apply(entry, decisions);
    }

    /// Notes that there is an entry with this Lamport counter, and forgets the requests that are too old now.
    fn advance(&mut self, counter: Counter, decisions: &dyn Decisions) {
        self.counter = self.counter.max(counter);
        self.requests.forget_before(decisions.horizon(self.counter));
    }

    /// Notes the entry of a request, unless it is too old already.
    fn note_written(&mut self, request: RequestId, written: Written, decisions: &dyn Decisions) {
        if written.stamp.counter >= decisions.horizon(self.counter) {
            self.requests.insert(request, written);
        }
    }

    /// Whether a part can be logged: it begins a state, or continues one whose earlier parts have come.
    pub(crate) fn takes(&self, part: &Sealed<State>) -> bool {
        let last = self.staged.iter().rfind(|it| it.is_of(part));
        match &part.after {
            Place::Start => !self.staged.contains(part),
            after => last.is_some_and(|it| it.until.as_ref() == Some(after)),
        }
    }

    /// How far each incomplete state has come.
    #[must_use]
    pub fn stagings(&self) -> Vec<Staging> {
        let is_last = |at: usize, it: &Sealed<State>| {
            !self.staged[at + 1..].iter().any(|later| later.is_of(it))
        };
        let parts = self.staged.iter().enumerate();
        parts.filter(|(at, it)| is_last(*at, it)).filter_map(|(_, it)| it.staging()).collect()
    }

    /// Adds a part of a state, and joins the state if it is the last.
    // Ensures: G3, because no part of a state counts before all have come.
    fn stage(&mut self, part: &Sealed<State>, decisions: &dyn Decisions) {
        if part.after == Place::Start {
            self.staged.retain(|it| !it.is_of(part));
            let begun = self.staged.iter().filter(|it| it.after == Place::Start);
            if begun.count() >= STAGED_MAX {
                let oldest = self.staged[0].clone();
                self.staged.retain(|it| !it.is_of(&oldest));
            }
        } else if !self.takes(part) {
            return;
        }
        self.staged.push(part.clone());
        if decisions.completes(part) {
            let (parts, others) =
                std::mem::take(&mut self.staged).into_iter().partition(|it| it.is_of(part));
            self.staged = others;
            self.join(parts, decisions);
            let vv = self.vv;
            self.staged.retain(|it| !vv.includes(&it.vv));
        }
    }

    /// Joins the state of a peer: everything that either of the two has seen. A head that one side lacks
    /// although it has seen the entry is replaced there, so it is a head no longer.
    fn join(&mut self, parts: Vec<Sealed<State>>, decisions: &dyn Decisions) {
        let Some(state) = parts.last() else {
            return;
        };
        // The heads of a path may have come in several parts.
        let heads: Vec<Entry> = parts.iter().flat_map(|it| &it.heads).cloned().collect();
        for theirs in heads.chunk_by(|one, next| one.path == next.path) {
            let path = &theirs[0].path;
            let mine = self.files.heads(path);
            let joined = decisions.join_heads((mine, &self.vv), (theirs, &state.vv));
            self.files.put(path, joined);
        }
        for origin in NodeId::all(NODES_MAX) {
            // `>=` would do as well: the lineages of the same entries are equal.
            if state.vv.sequence(origin) > self.vv.sequence(origin) {
                self.lineages.take(origin, &state.lineages);
            }
        }
        self.vv.merge(&state.vv);
        // The parts may have come from several senders of the same state.
        parts.iter().for_each(|it| self.forgotten.merge(&it.forgotten));
        self.advance(state.counter, decisions);
        for (request, written) in parts.iter().flat_map(|it| &it.requests) {
            self.note_written(*request, *written, decisions);
        }
    }

    /// All heads, by path.
    pub fn heads(&self) -> impl Iterator<Item = &Entry> {
        self.files.iter().flat_map(|(_, heads)| heads)
    }

    /// Forgets these deletes. A path is gone if one of them is still its only head.
    pub fn forget(&mut self, deletes: &[Entry]) {
        for delete in deletes {
            self.forgotten.insert(delete.dot);
            if matches!(self.files.heads(&delete.path), [only] if only.dot == delete.dot) {
                self.files.put(&delete.path, Vec::new());
            }
        }
    }

    /// This fold, after these deletes were forgotten as well: a judge that keeps records longer than the node cannot see
    /// from them which deletes the node has forgotten.
    #[must_use]
    pub fn having_forgotten(mut self, forgotten: &VersionVector) -> Fold {
        self.forgotten.merge(forgotten);
        self
    }

    /// Whether an entry is a head of its path.
    pub(crate) fn is_head(&self, entry: &Entry) -> bool {
        self.files.heads(&entry.path).iter().any(|head| head.dot == entry.dot)
    }

    /// The next part of this fold, behind `after`, for a peer that has the entries of `since`. It is as large
    /// as a message may be; the heads of a path travel together, whatever their number.
    pub(crate) fn part(
        &self,
        since: &VersionVector,
        after: &Place,
        mut room: Room,
        decisions: &dyn Decisions,
    ) -> State {
        let mut part = State {
            since: *since,
            vv: self.vv,
            lineages: self.lineages.clone(),
            counter: self.counter,
            forgotten: self.forgotten,
            heads: Vec::new(),
            requests: Vec::new(),
            after: after.clone(),
            until: None,
        };
        let requests = match after {
            Place::Path(_) | Place::Heads(..) => None,
            _ if !decisions.carries_requests() => None,
            Place::Start => Some(self.requests.after(None)),
            Place::Request(last) => Some(self.requests.after(Some(*last))),
        };
        for (request, written) in requests.into_iter().flatten() {
            if since.covers(written.dot) {
                continue;
            }
            if !room.reserve_request() {
                return part;
            }
            part.requests.push((request, written));
            part.until = Some(Place::Request(request));
        }
        let last = after.behind();
        for (path, heads) in self.files.from(last.map(|(path, _)| path)) {
            if heads.iter().all(|head| since.covers(head.dot)) {
                continue;
            }
            let behind = last.filter(|it| it.0 == path).map_or(0, |it| it.1);
            let heads = decisions.sent_heads(heads);
            for (count, head) in (1..).zip(heads).filter(|it| u64::from(it.0) > behind) {
                if !room.reserve(head) {
                    return part;
                }
                part.heads.push(head.clone());
                let is_last = heads.last() == Some(head);
                part.until = Some(match is_last {
                    true => Place::Path(path.clone()),
                    false => Place::Heads(path.clone(), count),
                });
            }
        }
        part.until = None;
        part
    }

    // Five ways to lose a part of a checkpoint or a new log, for twins.

    /// The fold without the requests that have entries.
    #[must_use]
    pub fn without_requests(mut self) -> Fold {
        self.requests = Requests::default();
        self
    }

    /// The fold without the promise.
    #[must_use]
    pub fn without_promise(mut self) -> Fold {
        self.promise = Epoch::ZERO;
        self
    }

    /// The fold without the lineages of its entries.
    #[must_use]
    pub fn without_lineages(mut self) -> Fold {
        self.lineages = Lineages::default();
        self
    }

    /// The fold with the highest counter of its heads, which is lower if it has forgotten a delete.
    #[must_use]
    pub fn with_counter_of_heads(mut self) -> Fold {
        self.counter = self.heads().map(|it| it.stamp.counter).max().unwrap_or_default();
        self
    }

    /// The fold with only the visible head of each path.
    #[must_use]
    pub fn without_conflicts(mut self) -> Fold {
        let visible: Vec<Entry> =
            self.files.iter().filter_map(|(_, heads)| heads.first().cloned()).collect();
        self.files = Files::default();
        visible.into_iter().for_each(|head| self.files.put(&head.path.clone(), vec![head]));
        self
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.vv)?;
        self.heads().try_for_each(|head| write!(f, " +{head}"))
    }
}

/// The form in which a fold is written.
#[derive(Serialize, Deserialize)]
struct Flat {
    promise: Epoch,
    vv: VersionVector,
    lineages: Lineages,
    counter: Counter,
    forgotten: VersionVector,
    /// The heads of each path, path by path, the visible one first.
    heads: Vec<Entry>,
    requests: Vec<(crate::RequestId, Written)>,
    staged: Vec<Sealed<State>>,
}

impl Serialize for Fold {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Flat {
            promise: self.promise,
            vv: self.vv,
            lineages: self.lineages.clone(),
            counter: self.counter,
            forgotten: self.forgotten,
            heads: self.heads().cloned().collect(),
            requests: self.requests.iter().collect(),
            staged: self.staged.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fold {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fold, D::Error> {
        let Flat { promise, vv, lineages, counter, forgotten, heads, requests, staged } =
            Flat::deserialize(deserializer)?;
        let mut files = Files::default();
        for heads in heads.chunk_by(|one, next| one.path == next.path) {
            files.put(&heads[0].path, heads.to_vec());
        }
        let requests = requests.into_iter().collect();
        Ok(Fold { promise, vv, lineages, counter, forgotten, files, requests, staged })
    }
}
