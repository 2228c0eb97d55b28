//! A moment of a run in words.

use steadfast_guarantees::{Operation, OperationKind, Status};
use steadfast_protocol::{
    Change, Consistency, Content, Dot, Entry, Files, Intent, Message, NodeId, Path, Payload,
    Replica, Role, WriteRequest,
};
use steadfast_trace::{Cut, WriteKind};

use crate::contents::Contents;
use crate::happening::Happening;
use crate::moment::Moment;
use crate::storage::Arrived;
use crate::timeline::size;

/// A line without its time: the node that it is about, and the words.
pub(crate) type Told = (Option<NodeId>, String);

/// The nodes before and after a moment.
pub(crate) struct Words<'a> {
    pub before: &'a [Option<Replica>],
    pub after: &'a [Option<Replica>],
    pub contents: &'a Contents,
}

impl Words<'_> {
    /// The lines about a moment.
    pub(crate) fn told(&self, moment: &Moment) -> Vec<Told> {
        let mut told: Vec<Told> = self.happened(&moment.happening).into_iter().collect();
        let nodes = self.after.len();
        for node in (0..).map(NodeId).take(nodes) {
            told.extend(self.changes_of(node).into_iter().map(|it| (Some(node), it)));
        }
        told.extend(moment.ended.iter().map(|it| (Some(it.node), self.ended(it))));
        told.extend(moment.broken.iter().map(|it| (None, format!("BREAKS {it}"))));
        told
    }

    fn before(&self, node: NodeId) -> Option<&Replica> {
        self.before.get(node.index())?.as_ref()
    }

    fn after(&self, node: NodeId) -> Option<&Replica> {
        self.after.get(node.index())?.as_ref()
    }

    /// The happening itself, if it is worth a line.
    fn happened(&self, happening: &Happening) -> Option<Told> {
        let (who, what) = match *happening {
            Happening::Deliver(ref it) | Happening::Duplicate(ref it) => {
                (Some(it.to), self.received(it.from, &it.packet.message)?)
            }
            Happening::Drop(ref it) => (
                None,
                format!("LOST on the way from {} to {}: {}", it.from, it.to, it.packet.message),
            ),
            Happening::Cut(Cut::Around { side, one_way }) => {
                let lost = if one_way { "messages from there are lost" } else { "nothing passes" };
                (None, format!("THE NETWORK SPLITS around {side}: {lost}"))
            }
            Happening::Cut(Cut::Links { lost }) => {
                (None, format!("THE NETWORK LOSES messages on {lost}"))
            }
            Happening::Heal => (None, "THE NETWORK IS WHOLE AGAIN".to_owned()),
            Happening::Write { node, kind, ref write } => (Some(node), self.asked(kind, write)),
            Happening::Read { node, ref read } => {
                let which = match read.consistency {
                    Consistency::Linearizable => "",
                    Consistency::Stale => " as it stands here",
                };
                (Some(node), format!("a client reads {}{which}", read.path))
            }
            Happening::Retry { node, ref write } => {
                let verb = verb(&write.intent);
                (Some(node), format!("the client asks again: {verb} {}", write.path))
            }
            Happening::Sync { node, .. } => (Some(node), self.synced(node)?),
            Happening::Timeout { node } => (Some(node), timed_out(self.after(node)?)?),
            Happening::Recover { node } => (Some(node), started(self.after(node)?)),
            Happening::LinkUp { node, peer, .. } => {
                (Some(node), format!("sees its connection with {peer} begin"))
            }
            Happening::LinkDown { node, peer } => {
                (Some(node), format!("sees its connection with {peer} end"))
            }
            Happening::Crash { node, aftermath: after, .. } => {
                let torn = if after.tail.is_uncertain() { ", the next one is torn" } else { "" };
                let tail = format!("{} of {} unsynced records survive", after.kept, after.of);
                (Some(node), format!("CRASHES: {tail}{torn}"))
            }
            Happening::Trim { node } => (Some(node), "begins to trim its log".to_owned()),
            Happening::Checkpoint { node } => (Some(node), self.trimmed(node)?),
            Happening::Replace { node, promise } => (
                Some(node),
                format!("its DISK IS LOST: it gets a log from all others, promise {promise}"),
            ),
            Happening::Rollback { node, kept } => (
                Some(node),
                format!("an older copy of its disk is restored: {kept} records remain"),
            ),
            Happening::Rot { node, content } => {
                (Some(node), format!("a bit of its copy of {content} flips, unnoticed"))
            }
            Happening::LoseContent { node, content } => {
                (Some(node), format!("its copy of {content} is gone from its disk"))
            }
            Happening::Scrub { node, content } => {
                (Some(node), format!("finds its copy of {content} bad and asks for another"))
            }
            Happening::Store { node, arrived, .. } => (Some(node), stored(arrived)),
            Happening::Tick { .. } => return None,
        };
        Some((who, what))
    }

    fn asked(&self, kind: WriteKind, write: &WriteRequest) -> String {
        let path = &write.path;
        let content = match &write.intent {
            Intent::Put(content) => Some(content),
            Intent::Delete | Intent::Restore(_) => None,
        };
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
                let bytes = self.contents.get(*name).map_or(0, |it| it.len());
                format!("{} as content {name}", size(bytes as u64))
            }
        }
    }

    /// The news in a message, if it is more than a heartbeat.
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
            Message::Gone(gone) => {
                return Some(format!("hears that content {} is gone from {from}", gone.content));
            }
            Message::VoteRequest(_) | Message::PreVoteRequest(_) | Message::PreVote(_) => {
                return None;
            }
        };
        if entries.is_empty() {
            return None;
        }
        let named: Vec<String> = entries.iter().map(|it| self.entry(it)).collect();
        Some(format!("{kind} {} from {from}", named.join(", ")))
    }

    fn entry(&self, entry: &Entry) -> String {
        match &entry.change {
            Change::Put(content @ Content::Named(_)) => {
                format!("{} {} ({})", entry.dot, entry.path, self.size(content))
            }
            _ => format!("{} {}", entry.dot, entry.path),
        }
    }

    fn synced(&self, node: NodeId) -> Option<String> {
        let (old, replica) = (self.before(node)?, self.after(node)?);
        let fresh = replica.log().between(old.synced_vv(), replica.synced_vv(), |_, _| false);
        let named = fresh.map(|it| format!("{} {}", it.dot, it.path));
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            return Some(format!("has synced its promise to follow {}", replica.promise()));
        }
        Some(format!("has synced {}", named.join(", ")))
    }

    fn trimmed(&self, node: NodeId) -> Option<String> {
        let held = |it: &Replica| it.log().entries().count();
        let (old, new) = (held(self.before(node)?), held(self.after(node)?));
        let dropped = old - new;
        Some(format!("has written a checkpoint: its log drops {dropped} of {old} entries"))
    }

    /// The changes of a node's role and of the conflicts that it lists.
    fn changes_of(&self, node: NodeId) -> Vec<String> {
        let (Some(old), Some(new)) = (self.before(node), self.after(node)) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        match (old.leads(), new.role()) {
            (false, Role::Leader(_)) => changes.push(format!("LEADS {}", new.promise())),
            (true, Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_))
                if new.takes_part() =>
            {
                changes.push(match new.promise() {
                    promise if promise > old.promise() => {
                        format!("leads no more: it promised {promise}")
                    }
                    _ if new.synced() < new.log().length() => {
                        "leads no more: its disk hangs".to_owned()
                    }
                    _ => "leads no more: it hears too few nodes to acknowledge a write".to_owned(),
                });
            }
            (false, Role::Follower(_)) if old.promise() != new.promise() => {
                changes.push(format!("promises to follow {}", new.promise()));
            }
            _ => {}
        }
        if let Some(halt) = new.halted().filter(|_| old.takes_part()) {
            changes.push(format!("HALTS: {halt}"));
        }
        for path in new.files().changed_since(old.files()) {
            changes.extend(conflict(&path, new.files()));
        }
        changes
    }

    /// The end of an operation, as its client hears it.
    fn ended(&self, operation: &Operation) -> String {
        let verb = match &operation.kind {
            OperationKind::Write { intent, .. } => verb(intent),
            OperationKind::Read { .. } => "read",
            OperationKind::StaleRead { .. } => "stale read",
        };
        let path = &operation.path;
        match self.after(operation.node) {
            Some(_) => format!("tells the client of {verb} {path}: {}", self.answer(operation)),
            None => format!("leaves the client of {verb} {path} without an answer"),
        }
    }

    fn answer(&self, operation: &Operation) -> String {
        match (&operation.kind, operation.status) {
            (OperationKind::Write { acked: Some(dot), .. }, Status::Done) => {
                let copies = self.copies(*dot);
                let nodes = if copies == 1 { "node" } else { "nodes" };
                format!("ACKNOWLEDGED as {dot}, synced on {copies} {nodes}")
            }
            (
                OperationKind::Read { version: Some(version) }
                | OperationKind::StaleRead { version: Some(version) },
                Status::Done,
            ) => {
                format!("{} {}", version.dot, described(&version.change))
            }
            (OperationKind::Read { .. } | OperationKind::StaleRead { .. }, Status::Done) => {
                "there is no such file".to_owned()
            }
            (_, Status::Refused) => "refused".to_owned(),
            (_, Status::Unknown) => "the outcome is UNKNOWN".to_owned(),
            _ => "?".to_owned(),
        }
    }

    fn copies(&self, dot: Dot) -> usize {
        self.after.iter().flatten().filter(|it| it.synced_vv().covers(dot)).count()
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

pub(crate) fn verb_of(kind: WriteKind) -> &'static str {
    match kind {
        WriteKind::Put => "put",
        WriteKind::Delete => "delete",
        WriteKind::Resolve => "resolve",
        WriteKind::Restore(_) => "restore",
    }
}

fn verb(intent: &Intent) -> &'static str {
    match intent {
        Intent::Put(_) => "put",
        Intent::Delete => "delete",
        Intent::Restore(_) => "restore",
    }
}

/// The request of a node whose election timer ran out, if it makes one.
fn timed_out(replica: &Replica) -> Option<String> {
    match replica.role() {
        Role::Candidate(_) => {
            Some(format!("has heard no leader and asks to lead {}", replica.promise()))
        }
        Role::PreCandidate(_) => {
            Some("has heard no leader and asks whether it would be elected".to_owned())
        }
        // The next sync of the node brings the rest.
        Role::Follower(_) | Role::Leader(_) => None,
    }
}

fn started(replica: &Replica) -> String {
    let (records, files) = (replica.log().length(), replica.files().len());
    let promise = replica.promise();
    format!("STARTS and replays {records} records: {files} files, promise {promise}")
}

fn stored(arrived: Arrived) -> String {
    let Arrived { payload: Payload { content, .. }, made } = arrived;
    let Some((received, length)) = made else {
        return format!("does not get content {content}");
    };
    let (came, length) = (size(received.bytes), size(length));
    let how = match received.patched + received.copied {
        0 => format!("{came} whole"),
        _ => format!("{came} as a delta, for {length}"),
    };
    format!("has stored content {content} ({how}), and its hash is right")
}
