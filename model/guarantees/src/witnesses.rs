//! Witnesses: situations that a run must reach. If it does not, a pass proves nothing.

use steadfast_node::ContentCopy;
use steadfast_protocol::{
    Change, Entry, Halt, NodeId, Outcome, Record, Replica, Role, State, VersionVector,
};
use steadfast_trace::{Step, StepKind};

use self::Reached::{By, In};
use crate::{ClusterView, Operation, OperationKind, Status};

/// A situation that a run must reach.
#[derive(Clone, Copy)]
pub struct Witness {
    /// The name.
    pub id: &'static str,
    /// The situation, in a sentence.
    pub about: &'static str,
    reached: Reached,
}

/// How it shows that something was reached.
#[derive(Clone, Copy)]
enum Reached {
    /// In a state.
    In(fn(&dyn ClusterView) -> bool),
    /// In a step of one of these kinds, from the states before and after it.
    By(&'static [StepKind], fn(&dyn ClusterView, &Step, &dyn ClusterView) -> bool),
}

impl Witness {
    /// Whether a state has reached it; `None` if a step reaches it.
    #[must_use]
    pub fn is_reached_in(&self, state: &dyn ClusterView) -> Option<bool> {
        match self.reached {
            In(holds) => Some(holds(state)),
            By(..) => None,
        }
    }

    /// The kinds of steps that may reach it; `None` if a state shows that it was reached.
    #[must_use]
    pub fn kinds(&self) -> Option<&'static [StepKind]> {
        match self.reached {
            In(_) => None,
            By(kinds, _) => Some(kinds),
        }
    }

    /// Whether a step reaches it.
    #[must_use]
    pub fn is_reached(
        &self,
        before: &dyn ClusterView,
        step: &Step,
        after: &dyn ClusterView,
    ) -> bool {
        match self.reached {
            In(holds) => holds(after),
            By(kinds, reaches) => kinds.contains(&step.kind()) && reaches(before, step, after),
        }
    }
}

macro_rules! witnesses {
    ($($id:literal, $about:literal, $reached:expr;)*) => {
        /// All witnesses.
        static WITNESSES: &[Witness] =
            &[$(Witness { id: $id, about: $about, reached: $reached }),*];
    };
}

witnesses! {
    "split-brain", "two leaders acknowledged writes that had not seen each other",
        In(|after| split_brain(after));
    "conflict-converged", "a settled cluster lists a conflict on every node",
        In(|after| after.is_settled() && after.has_leader() && has_conflict(after));
    "conflict-resolved", "a settled cluster has one head where there was a conflict",
        In(|after| after.is_settled() && after.has_leader() && has_resolved(after));
    "delete-converged", "a settled cluster shows an acknowledged delete",
        In(|after| after.is_settled() && after.has_leader() && shows_delete(after));
    "crash-loses-tail", "a crash between append and sync took the whole tail",
        By(&[StepKind::Crash], |before, step, _| crash(before, step, |kept, tail, _| kept == 0 && tail > 0));
    "crash-keeps-part", "a crash between append and sync took part of the tail",
        By(&[StepKind::Crash], |before, step, _| crash(before, step, |kept, tail, _| kept > 0 && kept < tail));
    "crash-keeps-tail", "a crash between append and sync took nothing",
        By(&[StepKind::Crash], |before, step, _| crash(before, step, |kept, tail, _| kept == tail && tail > 0));
    "crash-tears-record", "a crash left a record half written",
        By(&[StepKind::Crash], |before, step, _| crash(before, step, |_, _, torn| torn));
    "stale-read-behind", "a stale read was answered by a node that lacks an acknowledged version",
        By(&[StepKind::StaleRead], |_, step, after| reads_behind(step, after));
    "leader-change", "a second node, or the same one in a later epoch, began to lead",
        In(|after| after.history().leaders().len() > 1);
    "first-leader", "the first leader of the run began to lead",
        In(|after| after.history().leaders().len() == 1);
    "deposed-leader-believes", "a leader has not learned that too many nodes have promised a higher epoch for it to acknowledge a write",
        In(|after| after.replicas().any(|it| it.leads() && is_deposed(it, after)));
    "read-unanswerable", "a deposed leader holds a linearizable read that it cannot answer",
        In(|after| after.replicas().any(|it| holds_read(it) && is_deposed(it, after)));
    "refusal-unanswerable", "a deposed leader holds a refusal that it cannot confirm",
        In(|after| after.replicas().any(|it| holds_refusal(it) && is_deposed(it, after)));
    "read-answered", "a linearizable read was answered with a version",
        In(|after| read_a_version(after));
    "write-acknowledged", "a write was acknowledged",
        In(|after| after.history().acknowledged().next().is_some());
    "outcome-unknown", "a client heard that the outcome of its write is unknown",
        In(|after| after.history().operations().iter().any(|it| it.status == Status::Unknown));
    "retry-recognised", "a retry was acknowledged with the entry of the first try",
        In(|after| retry_is_recognised(after));
    "retry-renewed", "a retry was acknowledged with an entry that replaces the one of the first try",
        In(|after| retry_is_renewed(after));
    "retry-overtaken", "a retry was refused because another write had overtaken the first try",
        By(StepKind::ALL, |before, _, after| retry_is_overtaken(before, after));
    "request-forgotten", "a node has forgotten a request whose entry it has",
        In(|after| after.replicas().any(|it| has_forgotten_request(it, after)));
    "entry-learned", "a leader holds an entry of an epoch before its own that it did not make",
        In(|after| after.replicas().any(|it| has_learned(it, after)));
    "torn-in-one-direction", "one end of a session has seen it end, the other has not",
        By(&[StepKind::LinkDown], |_, step, after| matches!(step, Step::LinkDown { .. }) && has_half_open(after));
    "base-missing", "a delta arrived whose base its receiver lacks",
        By(&[StepKind::Store], |before, step, after| base_missing(before, step, after));
    "bad-copy-found", "a node found that its copy of a content is bad",
        By(&[StepKind::Scrub], |_, step, _| matches!(step, Step::Scrub { .. }));
    "bad-copy-replaced", "a node replaced a bad copy by a good one",
        By(&[StepKind::Store], |before, step, after| replaced(before, step, after));
    "content-missing-at-start", "a node started without a content that its log names",
        By(&[StepKind::Recover], |_, step, after| matches!(step, Step::Recover { node } if lacks_content(*node, after)));
    "entry-waits-for-content", "a message waits for the content that its entry names",
        In(|after| after.replicas().any(|it| !it.waiting().is_empty()));
    "converged", "a settled cluster with a leader holds an entry",
        In(|after| after.is_settled() && after.has_leader() && after.replicas().all(|it| !it.files().is_empty()));
    "rollback-noticed", "a node halted because its log was rolled back",
        In(|after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::RolledBack { .. }))));
    "other-entry-met", "a node halted because it received a different entry under a dot that it holds",
        In(|after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::EntryDiffers { .. }))));
    "other-entries-met", "a node halted because a peer holds different entries under the same vector",
        In(|after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::EntriesDiffer { .. }))));
    "stable-loss-noticed", "a node halted because it, or the author of an entry, lacks entries that all nodes held",
        In(|after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::LacksStable { .. } | Halt::AuthorLacksStable { .. }))));
    "halted-among-settled", "a settled cluster with a leader has a halted node",
        In(|after| after.is_settled() && after.has_leader() && after.replicas().any(|it| !it.takes_part()));
    "window-full", "a leader holds entries back until a peer has acknowledged others",
        In(|after| after.replicas().any(holds_back));
    "log-trimmed", "a node dropped an entry from its log",
        By(&[StepKind::Checkpoint], |before, step, after| drops_an_entry(before, step, after));
    "delete-forgotten", "a node that trimmed its log forgot a delete",
        By(&[StepKind::Checkpoint], |before, step, after| forgets_a_delete(before, step, after));
    "replaced-delete-forgotten", "a node forgot a delete that a version had replaced while the checkpoint was written",
        By(&[StepKind::Checkpoint], |before, step, after| forgets_a_replaced_delete(before, step, after));
    "delete-yields", "a delete gave way to a write of a node that had forgotten it",
        By(&[StepKind::Sync], |before, step, after| delete_yields(before, step, after));
    "log-replaced", "a node whose disk was lost got a log that knows of an entry",
        By(&[StepKind::Replace], |_, step, after| gets_entries(step, after));
    "state-joined", "a node logged a state that brought entries which it does not hold",
        By(&[StepKind::Deliver], |before, step, after| joins_state(before, step, after));
    "state-in-parts", "a node logged a part of a state that is not the last",
        By(&[StepKind::Deliver], |before, step, after| stages_part(before, step, after));
    "content-discarded", "a node that trimmed its log deleted a content",
        By(&[StepKind::Checkpoint], |before, step, after| discards_a_content(before, step, after));
    "gone-heeded", "a node dropped a waiting message because its content is gone",
        By(&[StepKind::Deliver], |before, step, after| drops_for_gone(before, step, after));
    "pre-vote-refused", "a node that had heard its leader refused a pre-vote",
        By(&[StepKind::Deliver], |before, step, after| pre_vote_is_refused(before, step, after));
    "leader-resigned", "a leader stepped down because it could not reach enough nodes, or its disk hung",
        By(&[StepKind::Timeout], |before, step, after| has_resigned(before, step, after));
    "message-lost", "a message was lost", By(&[StepKind::Drop], |_, step, _| matches!(step, Step::Drop { .. }));
    "message-doubled", "a message arrived twice",
        By(&[StepKind::Duplicate], |_, step, _| matches!(step, Step::Duplicate { .. }));
}

/// The witness of this name.
///
/// # Errors
/// If no witness has this name. A witness that is left out is one that is never missed.
pub fn witness(id: &str) -> Result<&'static Witness, UnknownWitness> {
    let found = WITNESSES.iter().find(|it| it.id == id);
    found.ok_or_else(|| UnknownWitness { id: id.to_owned() })
}

/// No witness has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no witness is called {id:?}: valid witnesses: {}", valid_ids())]
pub struct UnknownWitness {
    /// The name.
    pub id: String,
}

fn valid_ids() -> String {
    let ids: Vec<&str> = WITNESSES.iter().map(|it| it.id).collect();
    ids.join(", ")
}

fn held_entries(cluster: &dyn ClusterView, node: NodeId) -> usize {
    cluster.node(node).entries().count()
}

fn drops_an_entry(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Checkpoint { node } = step else {
        return false;
    };
    held_entries(after, *node) < held_entries(before, *node)
}

fn gets_entries(step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Replace { node } = step else {
        return false;
    };
    after.node(*node).synced_vv() != VersionVector::default()
}

/// Whether a path had versions at a node, and has none once its checkpoint is durable.
fn forgets_a_delete(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Checkpoint { node } = step else {
        return false;
    };
    let paths = |it: &dyn ClusterView| it.node(*node).replica.map_or(0, |it| it.files().len());
    paths(after) < paths(before)
}

/// Whether a node forgot a delete and has as many paths as before.
fn forgets_a_replaced_delete(
    before: &dyn ClusterView,
    step: &Step,
    after: &dyn ClusterView,
) -> bool {
    let Step::Checkpoint { node } = step else {
        return false;
    };
    let (was, is) = (before.node(*node).replica, after.node(*node).replica);
    let (Some(was), Some(is)) = (was, is) else {
        return false;
    };
    let has_forgotten = was.fold().forgotten() != is.fold().forgotten();
    has_forgotten && was.files().len() == is.files().len()
}

/// Whether a node showed a delete before it synced a version that does not name it, and no longer does.
fn delete_yields(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Sync { node } = step else {
        return false;
    };
    let (was, is) = (before.node(*node).replica, after.node(*node).replica);
    let (Some(was), Some(is)) = (was, is) else {
        return false;
    };
    was.files().iter().filter_map(|(_, heads)| heads.first()).any(|deleted| {
        let now = is.files().visible(&deleted.path);
        deleted.change == Change::Delete
            && now.is_some_and(|it| it.replaces.is_empty() && it.context.covers(deleted.dot))
    })
}

/// Whether a node had a good copy of a content that its log named, and has none after the step.
fn discards_a_content(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Checkpoint { node } = *step else {
        return false;
    };
    let mut named = before.node(node).entries().filter_map(|it| it.change.named());
    named.any(|it| {
        before.copy(node, it) == ContentCopy::Exact && after.copy(node, it) == ContentCopy::Missing
    })
}

/// Whether a message arrived, and the messages that wait became fewer although no content came.
fn drops_for_gone(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Deliver { to, .. } = *step else {
        return false;
    };
    let waiting =
        |cluster: &dyn ClusterView| cluster.node(to).replica.map_or(0, |it| it.waiting().len());
    waiting(after) < waiting(before)
}

fn joins_state(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    logs_part(before, step, after, |part| part.until.is_none())
}

fn stages_part(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    logs_part(before, step, after, |part| part.until.is_some())
}

fn logs_part(
    before: &dyn ClusterView,
    step: &Step,
    after: &dyn ClusterView,
    is_it: fn(&State) -> bool,
) -> bool {
    let Step::Deliver { to, .. } = step else {
        return false;
    };
    let (was, is) = (before.node(*to), after.node(*to));
    is.fresh_since(&was).iter().any(|it| matches!(it, Record::State(part) if is_it(part)))
}

fn split_brain(cluster: &dyn ClusterView) -> bool {
    let acknowledged: Vec<_> = cluster.history().acknowledged().collect();
    acknowledged.iter().any(|(one, epoch)| {
        acknowledged.iter().any(|(other, later)| {
            epoch < later && !one.context.covers(other.dot) && !other.context.covers(one.dot)
        })
    })
}

fn heads(cluster: &dyn ClusterView) -> impl Iterator<Item = &[steadfast_protocol::Entry]> {
    cluster.replicas().flat_map(|it| it.files().iter().map(|(_, heads)| heads))
}

fn has_conflict(cluster: &dyn ClusterView) -> bool {
    heads(cluster).any(|heads| heads.len() > 1)
}

fn has_resolved(cluster: &dyn ClusterView) -> bool {
    heads(cluster).any(|heads| heads.len() == 1 && heads[0].replaces.len() > 1)
}

fn shows_delete(cluster: &dyn ClusterView) -> bool {
    let is_acknowledged = |entry| cluster.history().is_acknowledged(entry);
    heads(cluster)
        .filter_map(|heads| heads.first())
        .any(|visible| visible.change == Change::Delete && is_acknowledged(visible))
}

fn crash(before: &dyn ClusterView, step: &Step, is_case: fn(u64, u64, bool) -> bool) -> bool {
    let Step::Crash { node, kept, torn } = step else {
        return false;
    };
    let view = before.node(*node);
    let tail = view.length().0.saturating_sub(view.synced.0);
    is_case(u64::from(*kept), tail, *torn)
}

/// Whether fewer than W nodes could acknowledge the leader's writes, because the others have a higher promise.
fn is_deposed(leader: &Replica, cluster: &dyn ClusterView) -> bool {
    let higher = cluster.replicas().filter(|it| it.promise() > leader.promise()).count();
    let settings = cluster.settings();
    leader.leads() && higher + settings.write() > usize::from(settings.nodes())
}

fn holds_read(replica: &Replica) -> bool {
    held_answers(replica).any(|it| matches!(it, Outcome::Value { .. }))
}

fn holds_refusal(replica: &Replica) -> bool {
    held_answers(replica).any(|it| matches!(it, Outcome::Refused(_)))
}

/// The answers that a leader will send once W nodes have confirmed it.
fn held_answers(replica: &Replica) -> impl Iterator<Item = &Outcome> {
    let held = match replica.role() {
        Role::Leader(leader) => &leader.reads[..],
        Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => &[],
    };
    held.iter().map(|it| &it.outcome)
}

fn read_a_version(cluster: &dyn ClusterView) -> bool {
    let mut operations = cluster.history().operations().iter();
    operations.any(|it| matches!(it.kind, OperationKind::Read { version: Some(_) }))
}

/// Whether the step was a stale read at a node that does not hold an acknowledged version of the file.
fn reads_behind(step: &Step, cluster: &dyn ClusterView) -> bool {
    let (Step::StaleRead { node, .. }, Some(read)) = (step, cluster.history().operations().last())
    else {
        return false;
    };
    let holds = |entry: &Entry| cluster.node(*node).synced_entries().any(|it| it == entry);
    let mut acknowledged = cluster.history().acknowledged().map(|(entry, _)| entry);
    acknowledged.any(|it| it.path == read.path && !holds(it))
}

fn retry_is_recognised(cluster: &dyn ClusterView) -> bool {
    let mut operations = cluster.history().operations().iter();
    operations.any(|it| it.retried && it.status == Status::Done && it.made().len() == 1)
}

fn retry_is_renewed(cluster: &dyn ClusterView) -> bool {
    cluster.history().acknowledged().any(|(acked, _)| {
        let made = cluster.history().operation(acked.request).map_or(&[][..], |it| it.made());
        made.iter().any(|(first, _)| acked.replaces == [first.dot])
    })
}

/// Whether a leader refused a retry although its log holds the entry of the first try.
fn retry_is_overtaken(before: &dyn ClusterView, after: &dyn ClusterView) -> bool {
    let leads =
        |cluster: &dyn ClusterView, node| cluster.node(node).replica.is_some_and(|it| it.leads());
    let knows = |node, request| {
        let replica = after.node(node).replica;
        replica.is_some_and(|it| it.log().written_by(request).is_some())
    };
    let [old, new] = [before, after].map(|it| it.history().operations());
    old.iter().zip(new).any(|(old, new)| {
        let is_refused = old.status == Status::Pending && new.status == Status::Unknown;
        let node = new.node;
        (is_refused && new.retried && leads(before, node) && leads(after, node))
            && knows(node, new.request)
    })
}

fn has_learned(replica: &Replica, cluster: &dyn ClusterView) -> bool {
    let is_older = |epoch| epoch < replica.promise();
    let mut others = replica.log().entries().filter(|it| it.dot.origin != replica.id());
    replica.leads() && others.any(|it| cluster.history().epoch_of(it).is_some_and(is_older))
}

/// Whether a node has an entry that a client asked for, and does not remember the request.
fn has_forgotten_request(replica: &Replica, cluster: &dyn ClusterView) -> bool {
    let is_forgotten = |entry: &Entry| {
        replica.log().vv().covers(entry.dot) && replica.log().written_by(entry.request).is_none()
    };
    let operations = cluster.history().operations();
    operations.iter().flat_map(Operation::made).any(|(entry, _)| is_forgotten(entry))
}

/// Whether a leader holds synced entries back from a peer that it reaches.
fn holds_back(leader: &Replica) -> bool {
    let Role::Leader(leadership) = leader.role() else {
        return false;
    };
    leader.linked().any(|peer| {
        let progress = &leadership.peers[peer.index()];
        progress.acked.is_some() && !progress.sent.includes(leader.synced_vv())
    })
}

fn pre_vote_is_refused(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Deliver { from, to, .. } = *step else {
        return false;
    };
    let has_asked = |cluster: &dyn ClusterView| match cluster.node(to).replica.map(Replica::role) {
        Some(Role::Follower(it)) => it.leader.is_some() && it.has_asked.contains(from),
        _ => false,
    };
    !has_asked(before) && has_asked(after)
}

fn has_resigned(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Timeout { node } = *step else {
        return false;
    };
    let leads = |cluster: &dyn ClusterView| cluster.node(node).replica.is_some_and(Replica::leads);
    leads(before) && !leads(after)
}

fn has_half_open(cluster: &dyn ClusterView) -> bool {
    cluster.replicas().any(|one| {
        cluster
            .replicas()
            .any(|other| one.session(other.id()).is_some() && other.session(one.id()).is_none())
    })
}

fn base_missing(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Store { node } = step else {
        return false;
    };
    let wants = |cluster: &dyn ClusterView, node: NodeId| {
        cluster.node(node).replica.map_or(0, |it| it.wants().len())
    };
    wants(before, *node) == wants(after, *node)
}

fn lacks_content(node: NodeId, cluster: &dyn ClusterView) -> bool {
    let mut named = cluster.node(node).entries().filter_map(|it| it.change.named());
    named.any(|it| cluster.copy(node, it) == ContentCopy::Missing)
}

fn replaced(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool {
    let Step::Store { node } = step else {
        return false;
    };
    let named = after.node(*node).entries().filter_map(|it| it.change.named());
    named.into_iter().any(|it| {
        before.copy(*node, it) == ContentCopy::Wrong && after.copy(*node, it) == ContentCopy::Exact
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_witnesses_share_a_name() {
        for (at, one) in WITNESSES.iter().enumerate() {
            assert!(WITNESSES[at + 1..].iter().all(|it| it.id != one.id), "{}", one.id);
        }
    }

    #[test]
    fn an_unknown_witness_is_an_error_that_lists_the_valid_ones() {
        for it in WITNESSES {
            assert_eq!(witness(it.id).map(|it| it.id), Ok(it.id));
        }
        let error = witness("split-brian").map(|it| it.id).expect_err("no such witness");
        let message = error.to_string();
        let begins = "no witness is called \"split-brian\": valid witnesses: split-brain, ";
        assert!(message.starts_with(begins), "{message}");
        assert!(WITNESSES.iter().all(|it| message.contains(it.id)), "{message}");
    }
}
