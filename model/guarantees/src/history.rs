//! The history of a run: the operations of clients and the leaders. Ghost state, which only the judge
//! sees: it is stored beside the nodes, never in them.

mod order;

use std::sync::Arc;

use im::OrdMap;
use serde::{Deserialize, Serialize};
use steadfast_protocol::{
    Base, Change, Decisions, Dot, Entry, Epoch, Files, Intent, NodeId, NodeSet, Outcome, Path,
    Record, RequestId, VersionVector, WriteRequest,
};

use crate::index::Index;
use crate::linearizability::Time;
use crate::{GuaranteeId, GuaranteeSet, NodeView, Operation, OperationId, OperationKind, Status};

pub(crate) use self::order::{Deletes, is_of_nothing, judged};

/// The history of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct History {
    operations: Arc<Vec<Operation>>,
    /// The epochs that had a leader, in order, each with its leader.
    leaders: Vec<(Epoch, NodeId)>,
    /// The guarantees that some step so far broke.
    broken: GuaranteeSet,
    /// The nodes whose logs lost synced records.
    rolled_back: NodeSet,
    clock: Clock,
    /// For each dot the entry that was made last; kept only where logs may drop entries. After a crash a
    /// node may use a dot again, of an entry that never left it.
    entries: Option<OrdMap<Dot, Entry>>,
    /// Kept only for long runs whose clients do not number their requests from 0.
    index: Option<Index>,
}

/// The deeds of a node that the history records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Did {
    /// The entries of its own that it logged, each with the epoch that it led.
    made: Vec<(Entry, Epoch)>,
    /// The epoch that it began to lead, and its id.
    leads: Option<(Epoch, NodeId)>,
    /// Its answers to clients.
    answers: Vec<(RequestId, Outcome)>,
}

impl Did {
    /// How a node came from one state to the next, with its answers to clients.
    pub fn of(
        before: &NodeView<'_>,
        after: &NodeView<'_>,
        answers: impl IntoIterator<Item = (RequestId, Outcome)>,
    ) -> Did {
        let answers = answers.into_iter().collect();
        let Some(replica) = after.replica else {
            return Did { answers, ..Did::default() };
        };
        let epoch = replica.promise();
        let own = after.fresh_since(before).iter().filter_map(Record::entry);
        let own = own.filter(|entry| entry.dot.origin == replica.id());
        let led = before.replica.is_some_and(|it| it.leads() && it.promise() == epoch);
        let leads = (replica.leads() && !led).then_some((epoch, replica.id()));
        Did { made: own.map(|it| (it.clone(), epoch)).collect(), leads, answers }
    }

    /// Whether it made entries or answered clients. Nothing else that a node does changes
    /// which requests have answers and which entries are acknowledged.
    #[must_use]
    pub fn answers_or_makes(&self) -> bool {
        !self.answers.is_empty() || !self.made.is_empty()
    }

    /// Whether the history records nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Did::default()
    }
}

/// Logical real time. It advances only when an invocation follows a return, so that histories with the
/// same real-time order are equal. `None` in runs that do not judge linearizability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Clock(Option<Phase>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// An empty history; `judges_order` says whether linearizability will be judged, `keeps_entries`
    /// whether logs may drop entries.
    #[must_use]
    pub fn new(judges_order: bool, keeps_entries: bool) -> Self {
        let clock = Clock(judges_order.then(Phase::default));
        let entries = keeps_entries.then(OrdMap::new);
        History { clock, entries, ..History::default() }
    }

    /// An empty history of a run whose clients number their requests as they like, and whose logs the driver
    /// presents whole.
    #[must_use]
    pub fn of_any_clients(judges_order: bool) -> Self {
        History { index: Some(Index::default()), ..History::new(judges_order, false) }
    }

    /// The operation of a request that a node is about to answer, for [`Focus`](crate::Focus): with the newest epoch
    /// that had a leader when it began, if it is a read. `None` if the request has an answer, or is none.
    #[must_use]
    pub fn unanswered(&self, request: RequestId) -> Option<(OperationId, Epoch)> {
        let at = self.index_of(request)?;
        let it = self.operations.get(at)?;
        (it.status == Status::Pending).then_some((at, it.known))
    }

    /// The entry that was made last under each dot; none where no log may drop entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flat_map(|it| it.values())
    }

    /// Whether it knows the entries that logs have dropped.
    pub(crate) fn keeps_entries(&self) -> bool {
        self.entries.is_some()
    }

    /// The heads of each path, computed from all entries that `vv` covers, dropped or not; `None` where no
    /// log may drop entries.
    #[must_use]
    pub(crate) fn fold_of(&self, vv: &VersionVector, decisions: &dyn Decisions) -> Option<Files> {
        let entries = self.entries.as_ref()?;
        let mut covered: Vec<_> = entries.values().filter(|it| vv.covers(it.dot)).collect();
        covered.sort_by_key(|it| it.stamp);
        let mut files = Files::default();
        covered.into_iter().for_each(|entry| files.apply(entry, decisions));
        Some(files)
    }

    /// The operations so far.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The acknowledged entries, each with the epoch of the leader that made it.
    pub fn acknowledged(&self) -> impl Iterator<Item = &(Entry, Epoch)> {
        self.operations.iter().filter_map(Operation::acknowledged)
    }

    /// Whether a write of this path was acknowledged that a leader of a newer epoch than this one made, and that
    /// is among these entries.
    pub(crate) fn has_acknowledged_after(
        &self,
        epoch: Epoch,
        path: &Path,
        among: &VersionVector,
    ) -> bool {
        let is_among = |(entry, _): &(Entry, Epoch)| among.covers(entry.dot);
        if let Some(index) = &self.index {
            let mut newer = index.acknowledged_after(path, epoch);
            return newer.any(|it| self.operations[it].acknowledged().is_some_and(is_among));
        }
        let mut newer = self.acknowledged().filter(|(_, newer)| *newer > epoch);
        newer.any(|it| it.0.path == *path && is_among(it))
    }

    /// Whether a leader has made the entry of this dot with this change.
    pub(crate) fn has_made(&self, dot: Dot, change: &Change) -> bool {
        let made =
            |it: &Operation| it.made().iter().any(|(it, _)| it.dot == dot && it.change == *change);
        match &self.index {
            Some(index) => index.makers_of(dot).any(|it| made(&self.operations[it])),
            None => self.operations.iter().any(made),
        }
    }

    /// The operation of this request.
    #[must_use]
    pub fn operation(&self, request: RequestId) -> Option<&Operation> {
        self.operations.get(self.index_of(request)?)
    }

    /// The index of an operation. The search is immediate if the driver numbers requests from 0, as all
    /// of ours do.
    fn index_of(&self, request: RequestId) -> Option<usize> {
        if let Some(index) = &self.index {
            return index.operation(request);
        }
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

    /// Whether an entry replaces `replaced` because its client named that entry: explicitly, as the visible
    /// head that the write overwrites, or as the entry of an earlier try of the same request.
    #[must_use]
    pub fn names(&self, entry: &Entry, replaced: Dot) -> bool {
        if !entry.replaces.contains(&replaced) {
            return false;
        }
        let asked = self.operation(entry.request).map(|it| &it.kind);
        let Some(OperationKind::Write { intent, base, made, .. }) = asked else {
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

    /// Whether the client of an entry named the versions that it replaces.
    #[must_use]
    pub(crate) fn has_named_base(&self, entry: &Entry) -> bool {
        let asked = self.operation(entry.request).map(|it| &it.kind);
        matches!(asked, Some(OperationKind::Write { base: Base::Named(_), .. }))
    }

    /// Whether a leader acknowledged an entry.
    #[must_use]
    pub fn is_acknowledged(&self, entry: &Entry) -> bool {
        match &self.index {
            Some(index) => index.is_acknowledged(entry.dot),
            None => self.acknowledged().any(|(acked, _)| acked.dot == entry.dot),
        }
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

    /// Records that the log of a node lost synced records.
    pub fn on_rolled_back(&mut self, node: NodeId) {
        self.rolled_back.insert(node);
    }

    /// Records that the log of a node was lost and replaced by one with this promise. An epoch above it that the node
    /// led was seen by no other node, or another log would hold its promise. It is as if it had never been, and the
    /// node may lead it again.
    pub fn on_replaced(&mut self, node: NodeId, promise: Epoch) {
        self.leaders.retain(|(epoch, leader)| *leader != node || *epoch <= promise);
    }

    /// The epochs that had a leader, in order, each with its leader. An epoch that had two is listed
    /// twice.
    #[must_use]
    pub fn leaders(&self) -> &[(Epoch, NodeId)] {
        &self.leaders
    }

    /// The newest epoch that had a leader; zero if none had.
    #[must_use]
    pub(crate) fn newest_epoch(&self) -> Epoch {
        self.leaders.last().map(|(epoch, _)| *epoch).unwrap_or_default()
    }

    /// The operations whose answers since `before` reveal the state of a file to a client: acknowledged
    /// writes, answered reads, and refusals that do so. A read comes with the newest epoch that had a
    /// leader when the read began.
    pub fn answered_since<'a>(
        &'a self,
        before: &'a History,
    ) -> impl Iterator<Item = (&'a Operation, Epoch)> {
        let is_same = Arc::ptr_eq(&self.operations, &before.operations);
        let now = if is_same { &[][..] } else { &self.operations[..] };
        now.iter().enumerate().filter(|(_, it)| it.reveals_file()).filter_map(|(at, it)| {
            match before.operations.get(at) {
                Some(old) if old.reveals_file() => None,
                Some(old) => Some((it, old.known)),
                // The client sent it and got the answer in one step.
                None => Some((it, before.newest_epoch())),
            }
        })
    }

    /// Records that a client sends a request.
    pub fn on_invoked(
        &mut self,
        request: RequestId,
        path: Path,
        node: NodeId,
        kind: OperationKind,
    ) {
        let invoked = if kind.is_ordered() { self.clock.invoke() } else { self.clock.now() };
        let is_read = matches!(kind, OperationKind::Read { .. });
        let known = if is_read { self.newest_epoch() } else { Epoch::ZERO };
        let status = Status::Pending;
        let returned = None;
        let retried = false;
        let observed = None;
        let operation = Operation {
            request,
            path,
            node,
            kind,
            status,
            retried,
            invoked,
            returned,
            observed,
            known,
        };
        if let Some(index) = &mut self.index {
            index.note_invoked(request, self.operations.len());
        }
        Arc::make_mut(&mut self.operations).push(operation);
    }

    /// Records that a client repeats a request.
    pub fn on_retried(&mut self, request: RequestId, node: NodeId) {
        if let Some(operation) = self.find(request) {
            operation.node = node;
            operation.status = Status::Pending;
            operation.retried = true;
        }
    }

    /// The operation with this number, from 0 in the order of the requests.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Option<&Operation> {
        self.operations.get(usize::try_from(number).ok()?)
    }

    /// The write that a client sends again when it repeats the `number`th request; `None` if there
    /// is no such request or it was a read.
    #[must_use]
    pub fn retry(&self, number: u64) -> Option<WriteRequest> {
        let operation = self.numbered(number)?;
        let OperationKind::Write { intent, base, seen, .. } = &operation.kind else {
            return None;
        };
        let (request, path) = (operation.request, operation.path.clone());
        let (intent, base) = (intent.clone(), base.clone());
        Some(WriteRequest { request, path, intent, base, seen: *seen })
    }

    /// Records a step of one node: entries that it made, its begin to lead, and its answers to clients.
    pub fn on_stepped(
        &mut self,
        before: &NodeView<'_>,
        after: &NodeView<'_>,
        answers: impl IntoIterator<Item = (RequestId, Outcome)>,
    ) {
        self.on_did(&Did::of(before, after, answers));
    }

    /// One node did something.
    pub fn on_did(&mut self, did: &Did) {
        did.made.iter().for_each(|(entry, epoch)| self.note_made(entry, *epoch));
        if let Some(leadership) = did.leads {
            self.note_leader(leadership);
        }
        did.answers.iter().for_each(|(request, outcome)| self.note_answer(*request, outcome));
    }

    pub(crate) fn note_made(&mut self, entry: &Entry, epoch: Epoch) {
        if let Some(entries) = &mut self.entries {
            entries.insert(entry.dot, entry.clone());
        }
        if let Some(OperationKind::Write { made, .. }) =
            self.find(entry.request).map(|it| &mut it.kind)
        {
            made.push((entry.clone(), epoch));
            if let (Some(at), Some(index)) = (self.index_of(entry.request), &mut self.index) {
                index.note_made(entry.dot, at);
            }
        }
    }

    /// Records the answer to a request; ignores it if the client already has one.
    pub(crate) fn note_answer(&mut self, request: RequestId, outcome: &Outcome) {
        if self.operation(request).is_none_or(|it| it.status != Status::Pending) {
            return;
        }
        let judges_order = self.clock.0.is_some();
        let is_stale = matches!(outcome, Outcome::Value { stale: true, .. });
        let returned = if is_stale { self.clock.now() } else { self.clock.give_back() };
        if let Some(operation) = self.find(request) {
            operation.answer(outcome, returned, judges_order);
        }
        let at = self.index_of(request);
        if let (Some(at), Some(index)) = (at, &mut self.index)
            && let Some((entry, epoch)) = self.operations[at].acknowledged()
        {
            index.note_acknowledged(entry, *epoch, at);
        }
    }

    /// Records that a node crashed: the outcome of its unanswered requests is unknown.
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

    /// Records a node that begins to lead. An epoch that gets a leader twice is listed twice.
    fn note_leader(&mut self, leadership: (Epoch, NodeId)) {
        let at = self.leaders.partition_point(|it| *it <= leadership);
        self.leaders.insert(at, leadership);
    }

    fn find(&mut self, request: RequestId) -> Option<&mut Operation> {
        let at = self.index_of(request)?;
        Arc::make_mut(&mut self.operations).get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::LogIndex;

    use super::*;

    #[test]
    fn an_answer_that_does_not_say_that_it_is_stale_is_judged_as_a_linearizable_one() {
        let node = NodeView { replica: None, records: &[], synced: LogIndex(0) };
        for (stale, action) in [(true, OperationKind::stale_read()), (false, OperationKind::read())]
        {
            let mut history = History::new(true, false);
            let request = RequestId { client: 1, number: 0 };
            history.on_invoked(request, Path::new("a"), NodeId(0), OperationKind::stale_read());
            let answers = [(request, Outcome::Value { version: None, stale })];
            history.on_did(&Did::of(&node, &node, answers));
            let operation = history.operation(request).expect("the read");
            assert_eq!((&operation.kind, operation.status), (&action, Status::Done));
        }
    }
}
