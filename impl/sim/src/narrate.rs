//! Which steps are worth a line, and in which words.

use steadfast_guarantees::{Operation, OperationKind, Status};
use steadfast_protocol::{
    Change, Content, Dot, Entry, Epoch, Files, Message, NodeId, Path, Replica, Role, VersionVector,
};
use steadfast_trace::{Cut, WriteKind};

use crate::Simulation;
use crate::happening::Happening;
use crate::steps::Details;

/// What a step is compared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    nodes: Vec<Option<NodeBefore>>,
    statuses: Vec<Status>,
    broken: usize,
}

/// A node before a step.
#[derive(Clone, Debug)]
struct NodeBefore {
    leads: bool,
    has_stopped: bool,
    promise: Epoch,
    synced: VersionVector,
    files: Files,
}

impl Before {
    pub(crate) fn of(simulation: &Simulation) -> Before {
        if !simulation.timeline().is_kept() {
            return Before::default();
        }
        let node = |replica: &Replica| NodeBefore {
            leads: replica.leads(),
            has_stopped: !replica.takes_part(),
            promise: replica.promise(),
            synced: *replica.synced_vv(),
            files: replica.files().clone(),
        };
        Before {
            nodes: simulation.nodes.iter().map(|it| it.node.replica().map(node)).collect(),
            statuses: simulation.history().operations().iter().map(|it| it.status).collect(),
            broken: simulation.broken().len(),
        }
    }

    fn node(&self, node: NodeId) -> Option<&NodeBefore> {
        self.nodes.get(node.index())?.as_ref()
    }
}

impl Simulation {
    /// Writes down what a step did.
    pub(crate) fn narrate(&mut self, happening: &Happening, before: &Before, details: &Details) {
        if !self.timeline.is_kept() {
            return;
        }
        let mut lines = Vec::new();
        lines.extend(self.told(happening, before, details));
        for node in NodeId::all(self.setup.settings.nodes()) {
            lines.extend(self.changes_of(node, before).into_iter().map(|it| (Some(node), it)));
        }
        lines.extend(self.answers_since(before).into_iter().map(|(node, it)| (Some(node), it)));
        let broken = self.broken().iter().skip(before.broken);
        lines.extend(broken.map(|(guarantee, _)| (None, format!("BREAKS {guarantee}"))));
        let now = self.agenda.now();
        lines.into_iter().for_each(|(who, what)| self.timeline.say(now, who, what));
    }

    /// The step itself, if it is worth a line.
    fn told(
        &self,
        happening: &Happening,
        before: &Before,
        details: &Details,
    ) -> Option<(Option<NodeId>, String)> {
        match *happening {
            Happening::Deliver { from, to, .. } | Happening::Duplicate { from, to, .. } => {
                let packet = details.packet.as_ref()?;
                Some((Some(to), self.received(from, &packet.message)?))
            }
            Happening::Sync { node, .. } => Some((Some(node), self.synced_since(node, before)?)),
            Happening::Write { node, path, kind, ref content } => {
                Some((Some(node), self.asked(path, kind, content.as_ref())))
            }
            Happening::Read { node, path } => {
                Some((Some(node), format!("a client reads {}", self.recorder.path(path))))
            }
            Happening::Retry { node, request } => {
                let operation = self.history().numbered(request)?;
                Some((Some(node), format!("the client asks again: {}", request_of(operation))))
            }
            Happening::Timeout { node } => {
                let replica = self.replica(node)?;
                let text = match replica.role() {
                    Role::Candidate(_) => {
                        format!("has heard no leader and asks to lead {}", replica.promise())
                    }
                    Role::PreCandidate(_) => {
                        "has heard no leader and asks whether it would be elected".to_owned()
                    }
                    // Its log says what came of it.
                    Role::Follower(_) | Role::Leader(_) => return None,
                };
                Some((Some(node), text))
            }
            Happening::LinkUp { node, peer } => {
                Some((Some(node), format!("sees its connection with {peer} begin")))
            }
            Happening::LinkDown { node, peer } => {
                Some((Some(node), format!("sees its connection with {peer} end")))
            }
            Happening::Crash { node, aftermath: after, .. } => {
                let torn = if after.tail.is_uncertain() { ", the next one is torn" } else { "" };
                let tail = format!("{} of {} unsynced records survive", after.kept, after.of);
                Some((Some(node), format!("CRASHES: {tail}{torn}")))
            }
            Happening::Rollback { node, kept } => Some((
                Some(node),
                format!("an older copy of its disk is restored: {kept} records remain"),
            )),
            Happening::Recover { node } => {
                let replica = self.replica(node)?;
                let (records, files) = (replica.log().length(), replica.files().len());
                let promise = replica.promise();
                Some((
                    Some(node),
                    format!(
                        "STARTS and replays {records} records: {files} files, promise {promise}"
                    ),
                ))
            }
            Happening::Cut(Cut::Around { side, one_way }) => {
                let how = if one_way { "what leaves it is lost" } else { "nothing passes" };
                Some((None, format!("THE NETWORK SPLITS around {side}: {how}")))
            }
            Happening::Cut(Cut::Links { lost }) => {
                Some((None, format!("THE NETWORK LOSES what travels on {lost}")))
            }
            Happening::Heal => Some((None, "THE NETWORK IS WHOLE AGAIN".to_owned())),
            Happening::Rot { node, content } => {
                Some((Some(node), format!("a bit of its copy of {content} flips, unnoticed")))
            }
            Happening::LoseContent { node, content } => {
                Some((Some(node), format!("its copy of {content} is gone from its disk")))
            }
            Happening::Scrub { node, content } => {
                Some((Some(node), format!("finds its copy of {content} bad and asks for another")))
            }
            Happening::Store { node } => self.stored(node, details),
            Happening::Drop { from, to, .. } => {
                let packet = details.packet.as_ref()?;
                Some((None, format!("LOST on the way from {from} to {to}: {}", packet.message)))
            }
            Happening::Tick { .. } => None,
        }
    }

    fn stored(&self, node: NodeId, details: &Details) -> Option<(Option<NodeId>, String)> {
        let (content, is_stored) = details.stored?;
        let what = match is_stored {
            true => format!("has made content {content}, and its hash is right"),
            false => format!("cannot make content {content} of what it got"),
        };
        Some((Some(node), what))
    }

    fn asked(&self, path: u32, kind: WriteKind, content: Option<&Content>) -> String {
        let path = self.recorder.path(path);
        let content = content.map_or(String::new(), |it| format!(": {}", self.size(it)));
        match kind {
            WriteKind::Put => format!("a client puts {path}{content}"),
            WriteKind::Resolve => format!("a client resolves {path}, naming all versions{content}"),
            WriteKind::Delete => format!("a client deletes {path}"),
            WriteKind::Restore(dot) => format!("a client restores {dot} of {path}"),
        }
    }

    fn size(&self, content: &Content) -> String {
        match content {
            Content::Inline(bytes) => format!("{} B in the log", bytes.len()),
            Content::Named(name) => {
                let bytes = self.library.get(*name).map_or(0, |it| it.len());
                format!("{} as content {name}", size(bytes as u64))
            }
        }
    }

    /// What a message brought, if it brought anything but a heartbeat.
    fn received(&self, from: NodeId, message: &Message) -> Option<String> {
        let entries = message.entries();
        let kind = match message {
            Message::Append(_) => "hears of",
            Message::Ack(_) | Message::Vote(_) => "learns of",
            Message::Reject(reject) => {
                return Some(format!("is told by {from} that {} was promised", reject.promise));
            }
            Message::Need(need) => return Some(format!("is asked by {from} for {}", need.content)),
            Message::Content(reply) => {
                let has = if reply.payload.is_some() { "gets" } else { "does not get" };
                return Some(format!("{has} content {} from {from}", reply.content));
            }
            Message::VoteRequest(_) | Message::PreVoteRequest(_) | Message::PreVote(_) => {
                return None;
            }
        };
        if entries.is_empty() {
            return None;
        }
        let named: Vec<String> = entries.iter().map(|it| self.entry(it, message)).collect();
        Some(format!("{kind} {} from {from}", named.join(", ")))
    }

    fn entry(&self, entry: &Entry, message: &Message) -> String {
        let payload = entry.change.named().and_then(|content| {
            message.payloads().iter().find(|payload| payload.content == content)
        });
        let cost = payload.map(|it| (it, self.library.cost(*it)));
        match cost {
            Some((payload, cost)) if payload.base.is_some() => format!(
                "{} {} (delta: {} for {})",
                entry.dot,
                entry.path,
                size(cost.sent),
                size(cost.whole)
            ),
            Some((_, cost)) => format!("{} {} (whole: {})", entry.dot, entry.path, size(cost.sent)),
            None => format!("{} {}", entry.dot, entry.path),
        }
    }

    fn synced_since(&self, node: NodeId, before: &Before) -> Option<String> {
        let replica = self.replica(node)?;
        let old = before.node(node)?;
        let fresh = replica.log().between(&old.synced, replica.synced_vv(), |_, _| false);
        let named = fresh.map(|it| format!("{} {}", it.dot, it.path));
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            return Some(format!("has synced its promise to follow {}", replica.promise()));
        }
        Some(format!("has synced {}", named.join(", ")))
    }

    /// What changed in who a node is and what it shows.
    fn changes_of(&self, node: NodeId, before: &Before) -> Vec<String> {
        let (Some(old), Some(new)) = (before.node(node), self.replica(node)) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        match (old.leads, new.role()) {
            (false, Role::Leader(_)) => changes.push(format!("LEADS {}", new.promise())),
            (true, Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_))
                if new.takes_part() =>
            {
                changes.push(match new.promise() {
                    promise if promise > old.promise => {
                        format!("leads no more: it promised {promise}")
                    }
                    _ if new.synced() < new.log().length() => {
                        "leads no more: its disk hangs".to_owned()
                    }
                    _ => "leads no more: it hears too few nodes to acknowledge a write".to_owned(),
                });
            }
            (false, Role::Follower(_)) if old.promise != new.promise() => {
                changes.push(format!("promises to follow {}", new.promise()));
            }
            _ => {}
        }
        if let Some(halt) = new.halted().filter(|_| !old.has_stopped) {
            changes.push(format!("STOPS taking part: {halt}"));
        }
        for path in new.files().changed_since(&old.files) {
            changes.extend(conflict(&path, new.files()));
        }
        changes
    }

    fn answers_since(&self, before: &Before) -> Vec<(NodeId, String)> {
        let mut answers = Vec::new();
        for (at, operation) in self.history().operations().iter().enumerate() {
            let old = before.statuses.get(at).copied().unwrap_or(Status::Pending);
            if operation.status == Status::Pending || operation.status == old {
                continue;
            }
            let (what, node) = (request_of(operation), operation.node);
            let answer = match self.replica(node) {
                Some(_) => format!("tells the client of {what}: {}", self.answer(operation)),
                None => format!("leaves the client of {what} without an answer"),
            };
            answers.push((node, answer));
        }
        answers
    }

    fn answer(&self, operation: &Operation) -> String {
        match (&operation.kind, operation.status) {
            (OperationKind::Write { acked: Some(dot), .. }, Status::Done) => {
                let copies = self.copies(*dot);
                let nodes = if copies == 1 { "node" } else { "nodes" };
                format!("ACKNOWLEDGED as {dot}, synced on {copies} {nodes}")
            }
            (OperationKind::Read { version: Some(version) }, Status::Done) => {
                format!("{} {}", version.dot, described(&version.change))
            }
            (OperationKind::Read { .. }, Status::Done) => "there is no such file".to_owned(),
            (_, Status::Refused) => "refused".to_owned(),
            (_, Status::Unknown) => "the outcome is UNKNOWN".to_owned(),
            _ => "?".to_owned(),
        }
    }

    fn copies(&self, dot: Dot) -> usize {
        self.nodes.replicas().filter(|it| it.synced_vv().covers(dot)).count()
    }
}

/// The versions of a file, if there is a conflict.
fn conflict(path: &Path, files: &Files) -> Option<String> {
    let (shown, others) = files.heads(path).split_first()?;
    if others.is_empty() {
        return None;
    }
    let others: Vec<String> = others.iter().map(|it| it.dot.to_string()).collect();
    Some(format!("shows {} of {path} and LISTS {} as a conflict", shown.dot, others.join(", ")))
}

fn described(change: &Change) -> String {
    match change {
        Change::Delete => "deleted".to_owned(),
        Change::Put(Content::Named(content)) => format!("content {content}"),
        Change::Put(Content::Inline(bytes)) => format!("{:?}", String::from_utf8_lossy(bytes)),
    }
}

fn request_of(operation: &Operation) -> String {
    use steadfast_protocol::Intent;
    let verb = match &operation.kind {
        OperationKind::Write { intent: Intent::Put(_), .. } => "put",
        OperationKind::Write { intent: Intent::Delete, .. } => "delete",
        OperationKind::Write { intent: Intent::Restore(_), .. } => "restore",
        OperationKind::Read { .. } => "read",
    };
    format!("{verb} {}", operation.path)
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let unit = if bytes < 10_000 { 0 } else { (bytes.ilog2() / 10).min(3) };
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    let point = if unit == 0 { String::new() } else { format!(".{}", tenths % 10) };
    format!("{}{point} {}", tenths / 10, UNITS[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits_and_short_ones_exactly() {
        let told = [0, 9_999, 10_240, 15_000, 8 << 20, (1 << 30) + 1, 11 << 40].map(size);
        let expected =
            ["0 B", "9999 B", "10.0 KiB", "14.6 KiB", "8.0 MiB", "1.0 GiB", "11264.0 GiB"];
        assert_eq!(told, expected);
    }
}
