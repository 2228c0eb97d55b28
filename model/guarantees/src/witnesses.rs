//! Witnesses: the interesting things that a run must have reached, or its passing means nothing.

use steadfast_node::ContentCopy;
use steadfast_protocol::{Change, Entry, Halt, NodeId, Replica, Role};
use steadfast_trace::Step;

use crate::{Action, ClusterView, Status};

/// Something that must be reached.
#[derive(Clone, Copy)]
pub struct Witness {
    /// Its name.
    pub id: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    reached: Predicate,
}

type Predicate = fn(before: &dyn ClusterView, step: &Step, after: &dyn ClusterView) -> bool;

impl Witness {
    /// Whether a step reaches it.
    #[must_use]
    pub fn is_reached(
        &self,
        before: &dyn ClusterView,
        step: &Step,
        after: &dyn ClusterView,
    ) -> bool {
        (self.reached)(before, step, after)
    }
}

macro_rules! witnesses {
    ($($id:literal, $about:literal, $reached:expr;)*) => {
        /// All witnesses.
        pub static WITNESSES: &[Witness] =
            &[$(Witness { id: $id, about: $about, reached: $reached }),*];
    };
}

witnesses! {
    "split-brain", "two leaders acknowledged writes that had not seen each other",
        |_, _, after| split_brain(after);
    "conflict-converged", "a settled cluster lists a conflict on every node",
        |_, _, after| after.is_settled() && after.has_leader() && has_conflict(after);
    "conflict-resolved", "a settled cluster has one head where there was a conflict",
        |_, _, after| after.is_settled() && after.has_leader() && has_resolved(after);
    "delete-converged", "a settled cluster shows an acknowledged delete",
        |_, _, after| after.is_settled() && after.has_leader() && shows_delete(after);
    "crash-loses-tail", "a crash between append and sync took the whole tail",
        |before, step, _| crash(before, step, |kept, tail, _| kept == 0 && tail > 0);
    "crash-keeps-part", "a crash between append and sync took a part of the tail",
        |before, step, _| crash(before, step, |kept, tail, _| kept > 0 && kept < tail);
    "crash-keeps-tail", "a crash between append and sync took nothing",
        |before, step, _| crash(before, step, |kept, tail, _| kept == tail && tail > 0);
    "crash-tears-record", "a crash left a record half written",
        |before, step, _| crash(before, step, |_, _, torn| torn);
    "stale-read-behind", "a stale read was answered by a node that lacks an acknowledged version",
        |_, step, after| reads_behind(step, after);
    "leader-change", "somebody led after somebody else",
        |_, _, after| after.history().leaders().len() > 1;
    "first-leader", "somebody led where nobody had",
        |_, _, after| after.history().leaders().len() == 1;
    "deposed-leader-believes", "a leader does not know that so many promised more that it is none",
        |_, _, after| after.replicas().any(|it| it.leads() && is_deposed(it, after));
    "read-unanswerable", "a deposed leader holds a linearizable read that it cannot answer",
        |_, _, after| after.replicas().any(|it| holds_read(it) && is_deposed(it, after));
    "read-answered", "a linearizable read was answered with a version",
        |_, _, after| read_a_version(after);
    "write-acknowledged", "a write was acknowledged",
        |_, _, after| after.history().acknowledged().next().is_some();
    "outcome-unknown", "a client heard that the outcome of its write is unknown",
        |_, _, after| after.history().operations().iter().any(|it| it.status == Status::Unknown);
    "retry-recognised", "a retry was acknowledged with the entry of the first try",
        |_, _, after| retry_is_recognised(after);
    "retry-renewed", "a retry was acknowledged with an entry in place of that of the first try",
        |_, _, after| retry_is_renewed(after);
    "retry-overtaken", "a retry was refused because another write had overtaken the first try",
        |before, _, after| retry_is_overtaken(before, after);
    "entry-learned", "a leader holds an entry of an epoch before its own that it did not make",
        |_, _, after| after.replicas().any(|it| has_learned(it, after));
    "torn-in-one-direction", "one end of a session goes on while the other saw it end",
        |_, step, after| matches!(step, Step::LinkDown { .. }) && has_half_open(after);
    "base-missing", "a delta arrived whose base its receiver lacks",
        |before, step, after| base_missing(before, step, after);
    "bad-copy-found", "a node found that its copy of a content is bad",
        |_, step, _| matches!(step, Step::Scrub { .. });
    "bad-copy-replaced", "a copy that had gone bad is good again",
        |before, step, after| replaced(before, step, after);
    "content-missing-at-start", "a node started without a content that its log names",
        |_, step, after| matches!(step, Step::Recover { node } if lacks_content(*node, after));
    "entry-waits-for-content", "a message waits for the content that its entry names",
        |_, _, after| after.replicas().any(|it| !it.waiting().is_empty());
    "converged", "a settled cluster with a leader holds an entry",
        |_, _, after| after.is_settled() && after.has_leader() && after.replicas().all(|it| !it.files().is_empty());
    "rollback-noticed", "a node stopped because its log was rolled back",
        |_, _, after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::RolledBack { .. })));
    "other-entry-met", "a node stopped because it was sent another entry under a dot that it holds",
        |_, _, after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::EntryDiffers { .. })));
    "other-entries-met", "a node stopped because a peer holds other entries under an equal vector",
        |_, _, after| after.replicas().any(|it| matches!(it.halted(), Some(Halt::EntriesDiffer { .. })));
    "stopped-among-settled", "a settled cluster with a leader goes on without a node that stopped",
        |_, _, after| after.is_settled() && after.has_leader() && after.replicas().any(|it| !it.takes_part());
    "window-full", "a leader holds entries back until a peer has acknowledged others",
        |_, _, after| after.replicas().any(holds_back);
    "pre-vote-refused", "a node was asked whether it would vote, and hears a leader",
        |before, step, after| pre_vote_is_refused(before, step, after);
    "leader-resigned", "a leader stepped down by itself",
        |before, step, after| has_resigned(before, step, after);
    "message-lost", "a message was lost", |_, step, _| matches!(step, Step::Drop { .. });
    "message-doubled", "a message arrived twice",
        |_, step, _| matches!(step, Step::Duplicate { .. });
}

/// The witness of this name.
#[must_use]
pub fn witness(id: &str) -> Option<&'static Witness> {
    WITNESSES.iter().find(|it| it.id == id)
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
    let tail = (view.records.len() as u64).saturating_sub(view.synced.0);
    is_case(u64::from(*kept), tail, *torn)
}

/// Whether more nodes promised a higher epoch than W acknowledgements can do without.
fn is_deposed(leader: &Replica, cluster: &dyn ClusterView) -> bool {
    let higher = cluster.replicas().filter(|it| it.promise() > leader.promise()).count();
    let settings = cluster.settings();
    leader.leads() && higher + settings.write() > usize::from(settings.nodes())
}

fn holds_read(replica: &Replica) -> bool {
    matches!(replica.role(), Role::Leader(leadership) if !leadership.reads.is_empty())
}

fn read_a_version(cluster: &dyn ClusterView) -> bool {
    let mut operations = cluster.history().operations().iter();
    operations.any(|it| matches!(it.action, Action::Read { version: Some(_) }))
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

/// A retry that its leader neither keeps nor acknowledges, although it knows of the first try.
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

/// A leader has sent a peer that it reaches less than it has synced, and waits.
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
}
