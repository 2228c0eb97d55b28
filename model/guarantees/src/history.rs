//! What happened to clients and leaders: ghost state, beside the nodes and never in them.

use std::sync::Arc;

use steadfast_protocol::{
    Base, Dot, Entry, Epoch, Intent, NodeId, NodeSet, Outcome, Path, Record, Replica, RequestId,
    WriteRequest,
};

use crate::linearizability::{self, NotLinearizable, Time};
use crate::{GuaranteeId, GuaranteeSet, NodeView};

/// The number of an operation in its history, from 0.
pub type OperationId = usize;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A write.
    Write {
        /// What the client wants.
        intent: Intent,
        /// What it names to be replaced.
        base: Base,
        /// The entries that it made, each with the epoch of the leader that made it. More than one
        /// only if a retry met a leader that did not know of the first, or wrote it anew.
        made: Vec<(Entry, Epoch)>,
        /// The one that was acknowledged.
        acked: Option<Dot>,
    },
    /// A linearizable read.
    Read {
        /// The version that was returned; `None` before, and for a path never written.
        version: Option<Entry>,
    },
    /// A stale read. An answer that does not say that it is stale makes it a linearizable one.
    StaleRead {
        /// The version that was returned; `None` before, and for a path never written.
        version: Option<Entry>,
    },
}

impl Action {
    /// A write that has made nothing yet.
    #[must_use]
    pub fn write(intent: Intent, base: Base) -> Action {
        Action::Write { intent, base, made: Vec::new(), acked: None }
    }

    /// A linearizable read that has found nothing yet.
    #[must_use]
    pub fn read() -> Action {
        Action::Read { version: None }
    }

    /// A stale read that has found nothing yet.
    #[must_use]
    pub fn stale_read() -> Action {
        Action::StaleRead { version: None }
    }

    /// Whether the action takes part in the order that linearizability is about.
    fn is_ordered(&self) -> bool {
        !matches!(self, Action::StaleRead { .. })
    }
}

/// What became of an operation, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// No answer yet.
    Pending,
    /// A write was acknowledged, or a read answered.
    Done,
    /// It was refused.
    Refused,
    /// Its leader was deposed or died first.
    Unknown,
}

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// The client's name for it.
    pub request: RequestId,
    /// The path.
    pub path: Path,
    /// To whom it was last sent.
    pub node: NodeId,
    /// What was asked for.
    pub action: Action,
    /// What became of it.
    pub status: Status,
    /// Whether it was sent more than once. What becomes of a retry does not undo an earlier try.
    pub retried: bool,
    invoked: Time,
    returned: Option<Time>,
    /// The newest epoch that had been led when a read began; zero once the read is over, and of a
    /// write, so that histories in which it does not matter are equal.
    known: Epoch,
}

/// The history of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    operations: Arc<Vec<Operation>>,
    /// Who led which epoch, in order.
    leaders: Vec<(Epoch, NodeId)>,
    /// The guarantees that some step so far broke.
    broken: GuaranteeSet,
    /// The nodes whose logs lost synced records.
    rolled_back: NodeSet,
    clock: Clock,
}

/// Logical real time: it advances only when an invocation follows a return, so that histories with
/// the same real-time order are equal. `None` where nobody reads and no order is ever asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Clock(Option<Phase>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Phase {
    number: u64,
    has_returned: bool,
}

impl Clock {
    fn invoke(&mut self) -> Time {
        let Some(phase) = &mut self.0 else {
            return Time(0);
        };
        phase.number += u64::from(phase.has_returned);
        phase.has_returned = false;
        Time(2 * phase.number)
    }

    /// The time of an event that orders nothing.
    fn now(self) -> Time {
        Time(2 * self.0.unwrap_or_default().number)
    }

    fn give_back(&mut self) -> Time {
        let Some(phase) = &mut self.0 else {
            return Time(1);
        };
        phase.has_returned = true;
        Time(2 * phase.number + 1)
    }
}

impl History {
    /// An empty history; `has_reads` says whether linearizability will be judged.
    #[must_use]
    pub fn new(has_reads: bool) -> Self {
        let clock = Clock(has_reads.then(Phase::default));
        History { clock, ..History::default() }
    }

    /// The operations so far.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The acknowledged entries, each with the epoch of the leader that made it.
    pub fn acknowledged(&self) -> impl Iterator<Item = &(Entry, Epoch)> {
        self.operations.iter().filter_map(|operation| match &operation.action {
            Action::Write { made, acked: Some(acked), .. } => {
                // A name that never left its node may have been used again after a crash.
                made.iter().rfind(|(entry, _)| entry.dot == *acked)
            }
            _ => None,
        })
    }

    /// The operation of this request.
    #[must_use]
    pub fn operation(&self, request: RequestId) -> Option<&Operation> {
        self.operations.get(self.position(request)?)
    }

    /// The place of an operation. Who numbers requests from 0, as drivers do, has it at the first
    /// look.
    fn position(&self, request: RequestId) -> Option<usize> {
        let is_it = |it: &Operation| it.request == request;
        let likely = usize::try_from(request.number).unwrap_or(usize::MAX);
        match self.operations.get(likely) {
            Some(it) if is_it(it) => Some(likely),
            _ => self.operations.iter().position(is_it),
        }
    }

    /// The epoch in which an entry was made, if a leader made it.
    #[must_use]
    pub fn epoch_of(&self, entry: &Entry) -> Option<Epoch> {
        let made = self.operation(entry.request)?.made();
        made.iter().find(|(made, _)| made == entry).map(|(_, epoch)| *epoch)
    }

    /// Whether an entry takes the place of another one because its client named it: explicitly, as
    /// the one visible head that it overwrites, or as what an earlier try of the same request wrote.
    #[must_use]
    pub fn names(&self, entry: &Entry, replaced: Dot) -> bool {
        if !entry.replaces.contains(&replaced) {
            return false;
        }
        let asked = self.operation(entry.request).map(|it| &it.action);
        let Some(Action::Write { intent, base, made, .. }) = asked else {
            return false;
        };
        let is_renewed = made.iter().any(|(earlier, _)| earlier.dot == replaced);
        let is_restored = *intent == Intent::Restore(replaced);
        let is_named = match base {
            Base::Named(named) => named.contains(&replaced),
            Base::Visible => {
                entry.replaces.iter().all(|it| *it == replaced || *intent == Intent::Restore(*it))
            }
        };
        is_renewed || is_restored || is_named
    }

    /// Whether an entry was written by a client that named what it replaces.
    #[must_use]
    pub fn has_named_base(&self, entry: &Entry) -> bool {
        let asked = self.operation(entry.request).map(|it| &it.action);
        matches!(asked, Some(Action::Write { base: Base::Named(_), .. }))
    }

    /// Whether an entry was acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self, entry: &Entry) -> bool {
        self.acknowledged().any(|(acked, _)| acked.dot == entry.dot)
    }

    /// The guarantees that some step so far broke.
    #[must_use]
    pub fn broken(&self) -> GuaranteeSet {
        self.broken
    }

    /// Notes that a step broke a guarantee.
    pub fn note_broken(&mut self, guarantee: GuaranteeId) {
        self.broken.insert(guarantee);
    }

    /// The nodes whose logs lost synced records. Some guarantees are not promised from then on.
    #[must_use]
    pub fn rolled_back(&self) -> NodeSet {
        self.rolled_back
    }

    /// The log of a node lost synced records.
    pub fn on_rolled_back(&mut self, node: NodeId) {
        self.rolled_back.insert(node);
    }

    /// Who led which epoch, in order.
    #[must_use]
    pub fn leaders(&self) -> &[(Epoch, NodeId)] {
        &self.leaders
    }

    /// The newest epoch that was led; zero if none was.
    #[must_use]
    pub fn newest_epoch(&self) -> Epoch {
        self.leaders.last().map(|(epoch, _)| *epoch).unwrap_or_default()
    }

    /// The operations that were done since: the writes acknowledged and the reads answered, each
    /// with the newest epoch that had been led when a read among them began.
    pub fn done_since<'a>(
        &'a self,
        before: &'a History,
    ) -> impl Iterator<Item = (&'a Operation, Epoch)> {
        let is_same = Arc::ptr_eq(&self.operations, &before.operations);
        let now = if is_same { &[][..] } else { &self.operations[..] };
        now.iter().enumerate().filter(|(_, it)| it.status == Status::Done).filter_map(|(at, it)| {
            match before.operations.get(at) {
                Some(old) if old.status == Status::Done => None,
                Some(old) => Some((it, old.known)),
                // It was asked and answered in one step.
                None => Some((it, before.newest_epoch())),
            }
        })
    }

    /// A client sends a request.
    pub fn on_invoked(&mut self, request: RequestId, path: Path, node: NodeId, action: Action) {
        let invoked = if action.is_ordered() { self.clock.invoke() } else { self.clock.now() };
        let is_read = matches!(action, Action::Read { .. });
        let known = if is_read { self.newest_epoch() } else { Epoch::ZERO };
        let status = Status::Pending;
        let returned = None;
        let retried = false;
        let operation =
            Operation { request, path, node, action, status, retried, invoked, returned, known };
        Arc::make_mut(&mut self.operations).push(operation);
    }

    /// A client repeats a request.
    pub fn on_retried(&mut self, request: RequestId, node: NodeId) {
        if let Some(operation) = self.find(request) {
            operation.node = node;
            operation.status = Status::Pending;
            operation.retried = true;
        }
    }

    /// The operation with a number, from 0 in the order in which clients asked.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Option<&Operation> {
        self.operations.get(usize::try_from(number).ok()?)
    }

    /// The write that a client sends again when it repeats the `number`th request; `None` if there
    /// is no such request or it was a read.
    #[must_use]
    pub fn retry(&self, number: u64) -> Option<WriteRequest> {
        let operation = self.numbered(number)?;
        let Action::Write { intent, base, .. } = &operation.action else {
            return None;
        };
        let (request, path) = (operation.request, operation.path.clone());
        Some(WriteRequest { request, path, intent: intent.clone(), base: base.clone() })
    }

    /// One node did something: it logged entries of its own, began to lead, or answered clients.
    pub fn on_stepped(
        &mut self,
        before: &NodeView<'_>,
        after: &NodeView<'_>,
        answers: impl IntoIterator<Item = (RequestId, Outcome)>,
    ) {
        if let Some(replica) = after.replica {
            let fresh = after.records.get(before.records.len()..).unwrap_or_default();
            for entry in fresh.iter().filter_map(Record::entry) {
                if entry.dot.origin == replica.id() {
                    self.note_made(entry, replica.promise());
                }
            }
            self.note_leader(before.replica, replica);
        }
        answers.into_iter().for_each(|(request, outcome)| self.note_answer(request, &outcome));
    }

    fn note_made(&mut self, entry: &Entry, epoch: Epoch) {
        if let Some(Action::Write { made, .. }) = self.find(entry.request).map(|it| &mut it.action)
        {
            made.push((entry.clone(), epoch));
        }
    }

    /// A client hears what became of its request; what it hears of a request that was answered
    /// before is ignored.
    fn note_answer(&mut self, request: RequestId, outcome: &Outcome) {
        if self.operation(request).is_none_or(|it| it.status != Status::Pending) {
            return;
        }
        let is_stale = matches!(outcome, Outcome::Value { stale: true, .. });
        let returned = if is_stale { self.clock.now() } else { self.clock.give_back() };
        if let Some(operation) = self.find(request) {
            operation.answer(outcome, returned);
        }
    }

    /// The clients of a node that died do not know what became of their requests.
    pub fn on_crashed(&mut self, node: NodeId) {
        let is_lost = |it: &Operation| it.node == node && it.status == Status::Pending;
        if self.operations.iter().any(is_lost) {
            let operations = Arc::make_mut(&mut self.operations);
            operations
                .iter_mut()
                .filter(|it| is_lost(it))
                .for_each(|it| (it.status, it.known) = (Status::Unknown, Epoch::ZERO));
        }
    }

    /// Notes who leads. An epoch that is led a second time stands twice in the list.
    fn note_leader(&mut self, before: Option<&Replica>, after: &Replica) {
        let led = before.is_some_and(|it| it.leads() && it.promise() == after.promise());
        if !after.leads() || led {
            return;
        }
        let epoch = after.promise();
        let at = self.leaders.partition_point(|it| *it <= (epoch, after.id()));
        self.leaders.insert(at, (epoch, after.id()));
    }

    fn find(&mut self, request: RequestId) -> Option<&mut Operation> {
        let at = self.position(request)?;
        Arc::make_mut(&mut self.operations).get_mut(at)
    }

    /// Why no order of the operations explains what was read of the path of a request: the
    /// operations that were judged, and which of them contradict each other, by their places among
    /// these. A write is the value that its request id names; a deleted path reads as the delete.
    /// Nothing is judged where nobody reads.
    #[must_use]
    pub fn contradiction(&self, request: RequestId) -> Option<(Vec<OperationId>, NotLinearizable)> {
        self.clock.0?;
        let path = self.operation(request).filter(|it| it.action.is_ordered()).map(|it| &it.path);
        path?;
        let of_path = self.operations.iter().enumerate().filter(|(_, it)| Some(&it.path) == path);
        let (ids, judged): (Vec<_>, Vec<_>) = of_path
            .filter(|(_, it)| it.status != Status::Refused)
            .filter_map(|(id, it)| {
                let action = match &it.action {
                    Action::Write { .. } => linearizability::Action::Write(it.request),
                    Action::Read { version } => {
                        linearizability::Action::Read(version.as_ref().map(|it| it.request))
                    }
                    Action::StaleRead { .. } => return None,
                };
                let (invoked, returned) = (it.invoked, it.returned);
                Some((id, linearizability::Operation { action, invoked, returned }))
            })
            .unzip();
        linearizability::judge(&judged).err().map(|why| (ids, why))
    }
}

impl Operation {
    /// The entries that the operation made, each with the epoch of the leader that made it.
    #[must_use]
    pub fn made(&self) -> &[(Entry, Epoch)] {
        match &self.action {
            Action::Write { made, .. } => made,
            Action::Read { .. } | Action::StaleRead { .. } => &[],
        }
    }

    fn answer(&mut self, outcome: &Outcome, at: Time) {
        self.status = match outcome {
            Outcome::Acknowledged { .. } | Outcome::Value { .. } => Status::Done,
            Outcome::Refused(_) if !self.retried => Status::Refused,
            Outcome::Refused(_) | Outcome::Unknown => Status::Unknown,
        };
        if self.status == Status::Done {
            self.returned = Some(at);
        }
        self.known = Epoch::ZERO;
        if let (Action::StaleRead { .. }, Outcome::Value { stale: false, .. }) =
            (&self.action, outcome)
        {
            self.action = Action::read();
        }
        match (&mut self.action, outcome) {
            (Action::StaleRead { version }, Outcome::Value { version: found, .. })
            | (Action::Read { version }, Outcome::Value { version: found, .. }) => {
                version.clone_from(found);
            }
            (Action::Write { acked, .. }, Outcome::Acknowledged { dot }) => *acked = Some(*dot),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::Position;

    use super::*;

    #[test]
    fn an_answer_that_does_not_say_that_it_is_stale_is_judged_as_a_linearizable_one() {
        let node = NodeView { replica: None, records: &[], synced: Position(0) };
        for (stale, action) in [(true, Action::stale_read()), (false, Action::read())] {
            let mut history = History::new(true);
            let request = RequestId { client: 1, number: 0 };
            history.on_invoked(request, Path::new("a"), NodeId(0), Action::stale_read());
            history.on_stepped(&node, &node, [(request, Outcome::Value { version: None, stale })]);
            let operation = history.operation(request).expect("the read");
            assert_eq!((&operation.action, operation.status), (&action, Status::Done));
        }
    }
}
