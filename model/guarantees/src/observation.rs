//! Refusals that reveal the state of a file: what a client learns from one, and whether some order of the
//! operations explains it.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{Change, Dot, Path, Refusal, RequestId};

use crate::history::{Deletes, is_of_nothing, judged};
use crate::linearizability::{self, Explained, Time};
use crate::{History, Operation, OperationKind};

/// The state of a file that a refusal reveals, at some moment between request and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Observation {
    /// The path showed no version, or a delete.
    Absent,
    /// The leader did not know this version of the path.
    Unknown(Dot),
    /// This version was not a head of the path.
    Replaced(Dot),
}

impl Observation {
    /// The observation in a refusal; `None` if the refusal does not reveal the state of a file. A retry
    /// that finds its first try overtaken is not judged, because the refusal does not undo the first try.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Option<Observation> {
        match refusal {
            Refusal::NotFound { .. } => Some(Observation::Absent),
            Refusal::UnknownVersion { dot, .. } => Some(Observation::Unknown(*dot)),
            Refusal::NotAHead { dot, .. } => Some(Observation::Replaced(*dot)),
            Refusal::NotLeader { .. }
            | Refusal::ContentMissing { .. }
            | Refusal::Overtaken { .. }
            | Refusal::Superseded { .. }
            | Refusal::Forgotten { .. }
            | Refusal::RequestReused { .. }
            | Refusal::Halted { .. } => None,
        }
    }
}

impl History {
    /// Whether the other operations explain the refusal of an operation, if it reveals the state of a file.
    /// Some order of them must explain an absence. Other observations must agree with the answers that
    /// clients got before the request, and with the requests made before the answer.
    #[must_use]
    pub fn explains_refusal(&self, refused: &Operation) -> bool {
        if refused.observed().is_none() {
            return true;
        }
        let operations = self.operations().iter();
        let of_path = OfPath::of(operations.filter(|it| it.path == refused.path));
        of_path.unexplained([refused]).next().is_none()
    }

    /// The refusals that the other operations do not explain, as [`History::explains_refusal`] says of one. Takes
    /// one pass over all operations.
    #[must_use]
    pub fn unexplained_refusals(&self) -> Vec<RequestId> {
        let mut by_path: BTreeMap<&Path, Vec<&Operation>> = BTreeMap::new();
        for it in self.operations() {
            by_path.entry(&it.path).or_default().push(it);
        }
        let mut unexplained = Vec::new();
        for operations in by_path.into_values() {
            let refused: Vec<&Operation> =
                operations.iter().copied().filter(|it| it.observed().is_some()).collect();
            if !refused.is_empty() {
                let of_path = OfPath::of(operations.iter().copied());
                unexplained.extend(of_path.unexplained(refused).map(|it| it.request));
            }
        }
        unexplained
    }
}

/// The operations of one path, as far as they explain refusals.
#[derive(Default)]
struct OfPath {
    /// Those that linearizability concerns.
    judged: Vec<linearizability::Operation<RequestId>>,
    /// The same without answered reads of nothing, which may have read a delete that the node has forgotten.
    clear: Vec<linearizability::Operation<RequestId>>,
    deletes: Deletes,
    /// When a client first got each version, or the acknowledgement of it.
    shown: BTreeMap<Dot, Time>,
    /// When a client first requested a write that replaces each version, or the version itself if it is a delete,
    /// which a node may forget.
    replaced: BTreeMap<Dot, Time>,
}

impl OfPath {
    fn of<'a>(operations: impl Iterator<Item = &'a Operation> + Clone) -> OfPath {
        let mut of_path = OfPath::default();
        let note = |times: &mut BTreeMap<Dot, Time>, dot: Dot, time: Time| {
            let first = times.entry(dot).or_insert(time);
            *first = time.min(*first);
        };
        for it in operations.clone() {
            of_path.judged.extend(judged(it));
            if let (Some(dot), Some(returned)) = (shown_by(it), it.returned()) {
                note(&mut of_path.shown, dot, returned);
            }
            for (entry, _) in it.made() {
                let forgotten = (entry.change == Change::Delete).then_some(&entry.dot);
                for dot in entry.replaces.iter().chain(forgotten) {
                    note(&mut of_path.replaced, *dot, it.invoked());
                }
            }
        }
        of_path.deletes = Deletes::of(operations);
        of_path.clear = of_path.judged.iter().filter(|it| !is_of_nothing(it)).cloned().collect();
        of_path
    }

    /// The refusals among these that the operations do not explain.
    fn unexplained<'a>(
        &self,
        refused: impl IntoIterator<Item = &'a Operation>,
    ) -> impl Iterator<Item = &'a Operation> {
        let order = LazyCell::new(|| {
            Explained::of(&self.judged).or_else(|_| Explained::of(&self.clear)).ok()
        });
        let was_shown = |dot, by| self.shown.get(&dot).is_some_and(|it| *it < by);
        let may_be_replaced = |dot, by| self.replaced.get(&dot).is_some_and(|it| *it < by);
        refused.into_iter().filter(move |it| {
            let (Some(observed), Some(returned)) = (it.observed(), it.returned()) else {
                return false;
            };
            let invoked = it.invoked();
            let is_explained = match observed {
                // A read in place of the refused request returns no version, or a delete.
                Observation::Absent => order.as_ref().is_some_and(|order| {
                    self.deletes.explaining(order, invoked, returned).next().is_some()
                }),
                Observation::Unknown(dot) => !was_shown(dot, invoked),
                Observation::Replaced(dot) => {
                    !was_shown(dot, invoked) || may_be_replaced(dot, returned)
                }
            };
            !is_explained
        })
    }
}

/// The version that an operation showed to its client.
fn shown_by(operation: &Operation) -> Option<Dot> {
    match &operation.kind {
        OperationKind::Write { acked, .. } => *acked,
        OperationKind::Read { version } => version.as_ref().map(|it| it.dot),
        OperationKind::StaleRead { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::{
        Base, Content, Counter, Entry, EntryBody, Epoch, Intent, NodeId, Outcome, Path, RequestId,
        Sealed, Sequence, Stamp, VersionVector,
    };

    use super::*;

    /// A history of one path, recorded step by step.
    struct Recorded {
        history: History,
        path: Path,
    }

    impl Recorded {
        fn nothing() -> Recorded {
            Recorded { history: History::new(true, false), path: Path::new("a") }
        }

        fn ask(&mut self, number: u64, intent: Intent) -> RequestId {
            let request = RequestId { number, ..RequestId::default() };
            let kind =
                OperationKind::write(intent, Base::Visible, steadfast_protocol::Counter::default());
            self.history.on_invoked(request, self.path.clone(), NodeId(0), kind);
            request
        }

        fn put(&mut self, number: u64) -> RequestId {
            self.ask(number, Intent::Put(Content::Inline(b"new".to_vec().into())))
        }

        /// The entry that a request makes.
        fn make(&mut self, request: RequestId, change: Change, replaces: Vec<Dot>) -> Dot {
            let dot = Dot { origin: NodeId(0), sequence: Sequence(request.number + 1) };
            let stamp =
                Stamp { fence: None, counter: Counter(request.number + 1), origin: dot.origin };
            let (path, context) = (self.path.clone(), VersionVector::default());
            let (incarnation, context_digest) = Default::default();
            let body = EntryBody {
                dot,
                stamp,
                context,
                incarnation,
                context_digest,
                replaces,
                path,
                change,
                request,
            };
            let entry: Entry = Sealed::new(body);
            self.history.note_made(&entry, Epoch::ZERO);
            dot
        }

        fn acknowledge(&mut self, request: RequestId, dot: Dot) {
            self.history.note_answer(request, &Outcome::Acknowledged { dot });
        }

        fn is_explained(&mut self, request: RequestId, refusal: Refusal) -> bool {
            self.history.note_answer(request, &Outcome::Refused(refusal));
            let operation = self.history.operation(request).expect("it was asked");
            self.history.explains_refusal(operation)
        }

        /// A read that finds no version, and whether some order of the operations explains it.
        fn finds_nothing(&mut self, number: u64) -> bool {
            let request = RequestId { number, ..RequestId::default() };
            self.history.on_invoked(request, self.path.clone(), NodeId(0), OperationKind::read());
            let outcome = Outcome::Value { version: None, stale: false };
            self.history.note_answer(request, &outcome);
            let by_path = self.history.contradictions().expect("it is judged");
            assert_eq!(by_path.is_empty(), self.history.contradiction(request).is_none());
            by_path.is_empty()
        }

        fn not_found(&self) -> Refusal {
            Refusal::NotFound { path: self.path.clone() }
        }
    }

    fn new() -> Change {
        Change::Put(Content::Inline(b"new".to_vec().into()))
    }

    #[test]
    fn one_delete_does_not_explain_two_reads_of_nothing_around_a_write_however_many_others_there_are()
     {
        let mut recorded = Recorded::nothing();
        for number in 0..40 {
            let delete = recorded.ask(number, Intent::Delete);
            let dot = recorded.make(delete, Change::Delete, Vec::new());
            recorded.acknowledge(delete, dot);
        }
        // It takes effect at an unknown time, or never.
        let unanswered = recorded.ask(40, Intent::Delete);
        recorded.make(unanswered, Change::Delete, Vec::new());
        for (number, is_explained) in [(41, true), (43, false)] {
            let put = recorded.put(number);
            let dot = recorded.make(put, new(), Vec::new());
            recorded.acknowledge(put, dot);
            assert_eq!(recorded.finds_nothing(number + 1), is_explained);
        }
    }

    #[test]
    fn a_file_that_was_acknowledged_is_not_absent() {
        let mut recorded = Recorded::nothing();
        let put = recorded.put(0);
        let dot = recorded.make(put, new(), Vec::new());
        recorded.acknowledge(put, dot);
        let delete = recorded.ask(1, Intent::Delete);
        let not_found = recorded.not_found();
        assert!(!recorded.is_explained(delete, not_found));
    }

    #[test]
    fn a_file_may_be_absent_until_its_write_is_acknowledged() {
        let mut recorded = Recorded::nothing();
        let put = recorded.put(0);
        let delete = recorded.ask(1, Intent::Delete);
        let dot = recorded.make(put, new(), Vec::new());
        recorded.acknowledge(put, dot);
        let not_found = recorded.not_found();
        assert!(recorded.is_explained(delete, not_found), "the two overlap");
    }

    #[test]
    fn a_delete_that_may_have_taken_effect_explains_an_absence() {
        for is_asked in [false, true] {
            let mut recorded = Recorded::nothing();
            let put = recorded.put(0);
            let dot = recorded.make(put, new(), Vec::new());
            recorded.acknowledge(put, dot);
            if is_asked {
                recorded.ask(1, Intent::Delete);
            }
            let delete = recorded.ask(2, Intent::Delete);
            let not_found = recorded.not_found();
            assert_eq!(recorded.is_explained(delete, not_found), is_asked);
        }
    }

    #[test]
    fn reads_of_nothing_are_explained_by_deletes_alone() {
        // With some of these numbers the reads are judged together, with others one by one.
        for deletes in [0, 1, 2, 40] {
            let mut recorded = Recorded::nothing();
            let put = recorded.put(0);
            let dot = recorded.make(put, new(), Vec::new());
            recorded.acknowledge(put, dot);
            for number in 1..=deletes {
                let delete = recorded.ask(number, Intent::Delete);
                let dot = recorded.make(delete, Change::Delete, Vec::new());
                recorded.acknowledge(delete, dot);
                assert!(recorded.finds_nothing(100 + number), "after {number} deletes");
                let put = recorded.put(200 + number);
                let dot = recorded.make(put, new(), Vec::new());
                recorded.acknowledge(put, dot);
            }
            assert!(!recorded.finds_nothing(300), "{deletes} deletes before the last put");
        }
    }

    #[test]
    fn every_leader_knows_an_acknowledged_version() {
        for is_acknowledged in [false, true] {
            let mut recorded = Recorded::nothing();
            let put = recorded.put(0);
            let dot = recorded.make(put, new(), Vec::new());
            if is_acknowledged {
                recorded.acknowledge(put, dot);
            }
            let named = recorded.put(1);
            let refusal = Refusal::UnknownVersion { dot, path: recorded.path.clone() };
            assert_eq!(recorded.is_explained(named, refusal), !is_acknowledged);
        }
    }

    #[test]
    fn a_version_is_no_head_only_if_a_write_may_have_replaced_it() {
        for is_replaced in [false, true] {
            let mut recorded = Recorded::nothing();
            let put = recorded.put(0);
            let dot = recorded.make(put, new(), Vec::new());
            recorded.acknowledge(put, dot);
            if is_replaced {
                let other = recorded.put(1);
                recorded.make(other, new(), vec![dot]);
            }
            let restore = recorded.ask(2, Intent::Restore(dot));
            let refusal = Refusal::NotAHead { dot, path: recorded.path.clone() };
            assert_eq!(recorded.is_explained(restore, refusal), is_replaced);
        }
    }

    #[test]
    fn a_refusal_that_reveals_no_file_is_no_observation() {
        let mut recorded = Recorded::nothing();
        let put = recorded.put(0);
        assert!(recorded.is_explained(put, Refusal::NotLeader { leader: None }));
        assert_eq!(recorded.history.operation(put).and_then(Operation::observed), None);
    }
}
