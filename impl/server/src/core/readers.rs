//! Linearizable reads, which share confirmations.

use steadfast_protocol::{Files, Outcome, Path, RequestId};
use tokio::sync::oneshot;

use super::{Reply, Write};

/// A write whose condition is to be judged again, and the client that waits for it.
pub(crate) type Undecided = (Write, oneshot::Sender<Reply>);

/// A client that waits for a linearizable read.
#[derive(Debug)]
pub(crate) enum Reader {
    /// For the value of a path.
    Value(Path, oneshot::Sender<Reply>),
    /// For the confirmation that the condition of its write does not hold.
    ConditionFailed(Box<Write>, oneshot::Sender<Reply>),
}

/// The linearizable reads that wait. One confirmation is under way at a time and serves all reads that had
/// arrived when it began, so that the messages of a read become fewer the more readers there are.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// Those that the confirmation under way does not serve, because it began before they came.
    next: Vec<Reader>,
    confirmation: Option<Confirmation>,
}

/// A confirmation that is under way.
#[derive(Debug)]
struct Confirmation {
    request: RequestId,
    readers: Vec<Reader>,
    /// The files of the moment when it began. It confirms that W nodes hold these. Newer files could still be lost.
    files: Files,
}

impl Readers {
    /// Adds a reader. [`Readers::begin`] serves it when the confirmation under way has ended.
    pub(crate) fn add(&mut self, reader: Reader) {
        self.next.push(reader);
    }

    /// Whether readers wait and no confirmation is under way.
    pub(crate) fn may_begin(&self) -> bool {
        !self.next.is_empty() && self.confirmation.is_none()
    }

    /// Begins a confirmation for all who wait: the caller gives the node a linearizable read under this id. `files`
    /// are those that the node shows now.
    pub(crate) fn begin(&mut self, request: RequestId, files: Files) {
        let readers = std::mem::take(&mut self.next);
        self.confirmation = Some(Confirmation { request, readers, files });
    }

    /// Answers the readers of a confirmation with its outcome. `None` if the request is no confirmation. A client that
    /// is gone no longer listens.
    ///
    /// Returns the writes whose conditions hold in the confirmed files. Entries that were logged and not yet synced had
    /// made them fail, and a crash could still take these entries away, so that a refusal could reveal a version that
    /// never existed. The caller judges such a write again.
    pub(crate) fn answer(
        &mut self,
        request: RequestId,
        outcome: &Outcome,
    ) -> Option<Vec<Undecided>> {
        let ended = self.confirmation.take_if(|it| it.request == request)?;
        let mut undecided = Vec::new();
        for reader in ended.readers {
            let files = &ended.files;
            let (reply, to) = match (reader, outcome) {
                (Reader::ConditionFailed(write, to), Outcome::Value { .. }) => {
                    if write.condition.holds(files.heads(&write.path)) {
                        undecided.push((*write, to));
                        continue;
                    }
                    (Reply::ConditionFailed, to)
                }
                (Reader::Value(path, to), Outcome::Value { stale, .. }) => {
                    let version = files.visible(&path).cloned();
                    let outcome = Outcome::Value { version, stale: *stale };
                    (Reply::Outcome(outcome, files.clone()), to)
                }
                (Reader::Value(_, to) | Reader::ConditionFailed(_, to), outcome) => {
                    (Reply::Outcome(outcome.clone(), files.clone()), to)
                }
            };
            let _ = to.send(reply);
        }
        Some(undecided)
    }
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::{
        Base, Change, Counter, Digest, Dot, Entry, EntryBody, Incarnation, Intent, NodeId, Refusal,
        Sealed, Sequence, Stamp, Steadfast, VersionVector,
    };

    use super::*;
    use crate::core::Condition;

    const CONFIRMED: Outcome = Outcome::Value { version: None, stale: false };

    fn request(number: u64) -> RequestId {
        RequestId { client: 1, number }
    }

    fn dot(number: u64) -> Dot {
        Dot { origin: NodeId(0), sequence: Sequence(number) }
    }

    /// Files with one version of `a`.
    fn files(number: u64) -> Files {
        let entry: Entry = Sealed::new(EntryBody {
            dot: dot(number),
            stamp: Stamp { fence: None, counter: Counter(number), origin: NodeId(0) },
            context: VersionVector::default(),
            incarnation: Incarnation::default(),
            context_digest: Digest::default(),
            replaces: Vec::new(),
            path: Path::new("a"),
            change: Change::Delete,
            request: request(9),
        });
        let mut files = Files::default();
        files.apply(&entry, &Steadfast);
        files
    }

    fn reader(readers: &mut Readers) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        readers.add(Reader::Value(Path::new("a"), reply));
        answer
    }

    /// The version that a reader got.
    fn got(mut answer: oneshot::Receiver<Reply>) -> Option<Dot> {
        match answer.try_recv() {
            Ok(Reply::Outcome(Outcome::Value { version, .. }, _)) => version.map(|it| it.dot),
            _ => None,
        }
    }

    #[test]
    fn a_confirmation_serves_exactly_the_readers_that_came_before_it() {
        let mut readers = Readers::default();
        assert!(!readers.may_begin(), "nobody reads");
        let (first, second) = (reader(&mut readers), reader(&mut readers));
        readers.begin(request(1), files(1));
        let late = reader(&mut readers);
        assert!(!readers.may_begin(), "one is under way");
        assert!(readers.answer(request(2), &CONFIRMED).is_none(), "it is none of them");
        assert!(readers.answer(request(1), &CONFIRMED).is_some());
        assert_eq!((got(first), got(second)), (Some(dot(1)), Some(dot(1))));
        assert!(readers.may_begin(), "the late one waits");
        readers.begin(request(3), files(2));
        assert!(readers.answer(request(3), &CONFIRMED).is_some());
        assert_eq!(got(late), Some(dot(2)), "its files are those of its own confirmation");
        assert!(!readers.may_begin());
    }

    /// A write of `a` under a condition.
    fn write(condition: Condition) -> Write {
        let (path, intent, base) = (Path::new("a"), Intent::Delete, Base::Visible);
        Write { key: None, stored: None, path, intent, base, condition }
    }

    #[test]
    fn a_condition_that_only_unsynced_entries_break_is_judged_again() {
        let mut readers = Readers::default();
        let (reply, mut answer) = oneshot::channel();
        // The log shows a later version, of which the confirmed files know nothing.
        let condition = Condition::Shows(vec![dot(1)]);
        readers.add(Reader::ConditionFailed(Box::new(write(condition)), reply));
        readers.begin(request(1), files(1));
        let undecided = readers.answer(request(1), &CONFIRMED).expect("a confirmation");
        assert!(answer.try_recv().is_err(), "there is no answer yet");
        let (write, reply) = undecided.into_iter().next().expect("the write");
        // Now W nodes hold it.
        readers.add(Reader::ConditionFailed(Box::new(write), reply));
        readers.begin(request(2), files(2));
        assert!(readers.answer(request(2), &CONFIRMED).is_some_and(|it| it.is_empty()));
        assert!(matches!(answer.try_recv(), Ok(Reply::ConditionFailed)));
    }

    #[test]
    fn a_refusal_reaches_all_readers_and_a_failed_condition_needs_a_confirmation() {
        let refused = Outcome::Refused(Refusal::NotLeader { leader: None });
        for (outcome, is_confirmed) in [(CONFIRMED, true), (refused, false)] {
            let mut readers = Readers::default();
            let (reply, mut condition) = oneshot::channel();
            readers.add(Reader::ConditionFailed(Box::new(write(Condition::Exists)), reply));
            let mut value = reader(&mut readers);
            readers.begin(request(1), files(1));
            assert!(readers.answer(request(1), &outcome).is_some_and(|it| it.is_empty()));
            let condition = condition.try_recv().expect("an answer");
            assert_eq!(matches!(condition, Reply::ConditionFailed), is_confirmed);
            let value = value.try_recv().expect("an answer");
            let is_value = matches!(value, Reply::Outcome(Outcome::Value { .. }, _));
            assert_eq!(is_value, is_confirmed);
        }
    }
}
