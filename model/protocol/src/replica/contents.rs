//! Contents: the large contents stored beside the log, and the messages that wait for them.
//!
//! A node logs an entry only when it has a durable copy of the content that the entry names. Until then
//! the message that brought the entry waits, and later messages with entries from the same peer wait
//! behind it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Replica, Turn};
use crate::{
    ContentId, ContentReply, Decisions, Effect, Entry, Log, Message, Need, NodeId, NodeSet,
    Payload, SealedMessage, VersionVector,
};

/// A message that waits for contents. Volatile: the node drops it when its session ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Waiting {
    /// The sender.
    pub from: NodeId,
    /// The message.
    pub message: SealedMessage,
}

/// A content that this node lacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Want {
    /// The content.
    pub content: ContentId,
    /// The driver is storing a payload for it.
    pub storing: bool,
    /// The peer that this node has asked and that has not answered yet.
    pub asked: Option<NodeId>,
    /// The peers that answered that they have no good copy.
    pub lacking: NodeSet,
}

/// The contents that a node holds, lacks, and is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The contents with a good, durable copy, as far as the node knows.
    held: BTreeSet<ContentId>,
    wants: Vec<Want>,
    waiting: Vec<Waiting>,
    /// The questions of peers that this node has not answered with a content yet.
    askers: Vec<(NodeId, ContentId)>,
    /// The contents that clients have uploaded, and that no write has named since.
    uploads: BTreeSet<ContentId>,
    /// The content whose copy the driver has verified for the next write.
    verified: Option<ContentId>,
}

impl Contents {
    /// The state of a node that starts: it holds the contents on its disk, and wants the others that its
    /// log needs.
    pub(super) fn recover(
        log: &Log,
        held: impl IntoIterator<Item = ContentId>,
        decisions: &dyn Decisions,
    ) -> Self {
        let mut contents = Contents { held: held.into_iter().collect(), ..Contents::default() };
        for content in log.contents() {
            let is_lost = !contents.held.contains(&content) && decisions.asks_after_recovery();
            if is_lost && decisions.wants(log.needs(content, log.fold()), true) {
                contents.want(content);
            }
        }
        contents
    }

    pub(super) fn has(&self, content: ContentId) -> bool {
        self.held.contains(&content)
    }

    pub(super) fn is_wanted(&self, content: ContentId) -> bool {
        self.wants.iter().any(|want| want.content == content)
    }

    /// The copy of a content is good, and a write that names the content comes next.
    pub(super) fn note_verified(&mut self, content: ContentId) {
        self.verified = Some(content);
    }

    /// Whether the copy of a content was uploaded or verified for a write that has not come yet.
    pub(super) fn is_verified(&self, content: ContentId) -> bool {
        self.uploads.contains(&content) || self.verified == Some(content)
    }

    /// A write has come that would name this content. Returns the content if its copy was uploaded, or verified for the write.
    pub(super) fn take_verified(&mut self, named: Option<ContentId>) -> Option<ContentId> {
        let verified = named.filter(|it| self.is_verified(*it));
        self.verified = None;
        verified
    }

    /// The node no longer keeps a content for the client that uploaded it.
    pub(super) fn end_upload(&mut self, content: ContentId) {
        self.uploads.remove(&content);
    }

    pub(super) fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    pub(super) fn wants(&self) -> &[Want] {
        &self.wants
    }

    pub(super) fn is_idle(&self) -> bool {
        self.wants.is_empty() && self.waiting.is_empty()
    }

    /// Keeps only the contents that the node holds. It no longer asks, answers or waits for any.
    pub(super) fn give_up(&mut self) {
        *self = Contents { held: std::mem::take(&mut self.held), ..Contents::default() };
    }

    /// Notes whether a content has a good copy.
    pub(super) fn note(&mut self, content: ContentId, is_good: bool) {
        match is_good {
            true => self.held.insert(content),
            false => self.held.remove(&content),
        };
    }

    pub(super) fn want(&mut self, content: ContentId) -> &mut Want {
        let at = match self.wants.iter().position(|want| want.content == content) {
            Some(at) => at,
            None => {
                let lacking = NodeSet::default();
                self.wants.push(Want { content, storing: false, asked: None, lacking });
                self.wants.len() - 1
            }
        };
        &mut self.wants[at]
    }

    /// Whether an entry of a waiting message names a content.
    pub(super) fn is_awaited(&self, content: ContentId) -> bool {
        let mut entries = self.waiting.iter().flat_map(|it| it.message.entries());
        entries.any(|it| it.change.named() == Some(content))
    }

    /// Drops the waiting messages of a peer from the first on whose entries name a content. Returns whether
    /// there was one.
    pub(super) fn drop_from(&mut self, from: NodeId, content: ContentId) -> bool {
        let names = |it: &Waiting| {
            let mut entries = it.message.entries().iter();
            entries.any(|it| it.change.named() == Some(content))
        };
        let is_first = |it: &Waiting| it.from == from && names(it);
        let Some(first) = self.waiting.iter().position(is_first) else {
            return false;
        };
        let behind = self.waiting.split_off(first);
        self.waiting.extend(behind.into_iter().filter(|it| it.from != from));
        true
    }

    /// The peers that have asked for a content and have not got it yet.
    pub(super) fn askers_of(&self, content: ContentId) -> Vec<NodeId> {
        let askers = self.askers.iter().filter(|(_, asked)| *asked == content);
        askers.map(|(node, _)| *node).collect()
    }

    pub(super) fn forget_want(&mut self, content: ContentId) {
        self.wants.retain(|want| want.content != content);
    }

    /// Notes that a peer has no copy of a content.
    pub(super) fn note_lacking(&mut self, peer: NodeId, content: ContentId) {
        if let Some(want) = self.wants.iter_mut().find(|want| want.content == content) {
            want.lacking.insert(peer);
            want.asked = want.asked.filter(|asked| *asked != peer);
        }
    }

    /// The contents that a trim leaves alone whatever the log names: those that waiting messages name, and
    /// those that clients have uploaded.
    pub(super) fn in_transit(&self) -> impl Iterator<Item = ContentId> {
        let entries = self.waiting.iter().flat_map(|it| it.message.entries());
        entries.filter_map(|it| it.change.named()).chain(self.uploads.iter().copied())
    }

    /// Forgets the copies that `is_kept` does not keep, and returns them.
    pub(super) fn retain(&mut self, is_kept: impl Fn(ContentId) -> bool) -> Vec<ContentId> {
        let dropped: Vec<_> = self.held.iter().copied().filter(|it| !is_kept(*it)).collect();
        self.held.retain(|it| dropped.binary_search(it).is_err());
        dropped
    }

    fn missing(&self, entries: &[Entry], log: &Log) -> Vec<ContentId> {
        entries
            .iter()
            .filter(|entry| !log.vv().covers(entry.dot))
            .filter_map(|entry| entry.change.named())
            .filter(|content| !self.has(*content))
            .collect()
    }
}

impl Replica {
    /// Whether a message must wait: its entries, or those of an earlier message of the same peer, name a
    /// content that this node lacks. A message without entries never waits, so that heartbeats and their
    /// answers arrive while followers store large contents.
    // Ensures: G10, because a node logs no entry whose content it has not stored.
    pub(super) fn must_wait(&self, from: NodeId, message: &SealedMessage, turn: &Turn<'_>) -> bool {
        message.brings_news()
            && turn.decisions.waits_for_content()
            && (self.contents.waiting.iter().any(|waiting| waiting.from == from)
                || !self.contents.missing(message.entries(), &self.log).is_empty())
    }

    /// Lets a message wait, stores the contents that came with it, and asks for the others.
    pub(super) fn wait(&mut self, from: NodeId, message: &SealedMessage, turn: &mut Turn<'_>) {
        for content in self.contents.missing(message.entries(), &self.log) {
            let want = self.contents.want(content);
            let payload = message.payloads().iter().find(|payload| payload.content == content);
            if let Some(payload) = payload.filter(|_| !want.storing) {
                want.storing = true;
                // This payload is no answer to a Need, so the peer that was asked may still have a good
                // copy. If the payload is unusable, this node asks again, because it ignores an answer
                // that arrives while it stores.
                want.asked = None;
                turn.effects.push(Effect::Store { payload: *payload, from });
            }
        }
        if let Message::Append(append) = &**message
            && turn.decisions.follows(append.epoch, self.promise())
        {
            // The leader is alive, although this node logs nothing of the message yet.
            self.hear_leader(from, turn);
        }
        self.drop_covered(from, message);
        self.contents.waiting.push(Waiting { from, message: message.clone() });
        self.ask_for_wants(Some(from), turn);
    }

    /// Drops the newest waiting messages of a peer that `message` repeats, as heartbeats do, if `message`
    /// waits for no content that they do not wait for. So each waiting message of an epoch waits for more
    /// contents than the one before it, and their number is at most the number of missing contents. A
    /// message that waits for fewer contents stays, so that newer ones cannot delay it.
    fn drop_covered(&mut self, from: NodeId, message: &SealedMessage) {
        let missing = |it: &Message| self.contents.missing(it.entries(), &self.log);
        let needs = missing(message);
        let mut awaited: Vec<ContentId> = Vec::new();
        let mut places = Vec::new();
        for (at, older) in self.contents.waiting.iter().enumerate().filter(|it| it.1.from == from) {
            awaited.extend(missing(&older.message));
            let waits_as_long = needs.iter().all(|content| awaited.contains(content));
            match waits_as_long && message.covers(&older.message) {
                true => places.push(at),
                false => places.clear(),
            }
        }
        places.into_iter().rev().for_each(|at| drop(self.contents.waiting.remove(at)));
    }

    pub(super) fn on_stored(&mut self, content: ContentId, turn: &mut Turn<'_>) {
        if !self.contents.is_wanted(content) {
            self.contents.uploads.insert(content);
        }
        self.contents.held.insert(content);
        self.contents.wants.retain(|want| want.content != content);
        if self.contents.askers.iter().any(|(_, asked)| *asked == content) {
            turn.effects.push(Effect::Fetch { content });
        }
        self.judge_again(turn);
    }

    /// Handles the waiting messages whose entries have come in another way, as in a state that stands for them:
    /// their contents may be deleted everywhere.
    // Ensures: G12, because no message waits for a content that no node has to have.
    pub(super) fn judge_covered(&mut self, turn: &mut Turn<'_>) {
        while self.halted.is_none() && self.waits_in_vain() {
            self.judge_again(turn);
        }
    }

    /// Whether the first waiting message of a peer lacks no content.
    fn waits_in_vain(&self) -> bool {
        let mut peers = NodeSet::default();
        self.contents.waiting.iter().any(|it| {
            let is_first = !peers.contains(it.from);
            peers.insert(it.from);
            is_first && self.contents.missing(it.message.entries(), &self.log).is_empty()
        })
    }

    /// Handles the messages whose contents have arrived as if this node had just received them.
    fn judge_again(&mut self, turn: &mut Turn<'_>) {
        for waiting in std::mem::take(&mut self.contents.waiting) {
            if self.halted.is_some() {
                return;
            }
            match &*waiting.message {
                Message::Append(append) if !turn.decisions.judges_again() => {
                    match self.contents.missing(&append.entries, &self.log).is_empty() {
                        true => self.follow_append(waiting.from, append, turn),
                        false => self.contents.waiting.push(waiting),
                    }
                }
                // For speed: `on_message` would let it wait as well, but look for a contradiction first. It did
                // so when the message arrived, and does again when it is handled.
                _ if self.must_wait(waiting.from, &waiting.message, turn) => {
                    self.wait(waiting.from, &waiting.message, turn);
                }
                _ => self.on_message(waiting.from, &waiting.message, turn),
            }
        }
    }

    pub(super) fn on_unusable(&mut self, content: ContentId, turn: &mut Turn<'_>) {
        let mut sender = None;
        if let Some(want) = self.contents.wants.iter_mut().find(|want| want.content == content) {
            want.storing = false;
            sender = want.asked.take();
            if let Some(lacking) = sender.take_if(|_| !turn.decisions.asks_sender_again()) {
                want.lacking.insert(lacking);
            }
        }
        // While the driver stored, the message or entry that named the content may have been dropped.
        self.review_wants(turn);
        // If the answer of a peer brought no content, its copy went bad or was deleted after the answer. The peer
        // says which when it is asked again, and what it says may end the wait.
        self.ask_for_wants(sender, turn);
    }

    /// A copy is bad: the node treats the content as missing, does not serve it, and asks for it if it needs
    /// it.
    // Ensures: G10, because a node does not serve a copy that it found bad.
    pub(super) fn on_bad(&mut self, content: ContentId, turn: &mut Turn<'_>) {
        self.contents.held.remove(&content);
        self.contents.end_upload(content);
        self.contents.verified.take_if(|it| *it == content);
        if !self.is_needed(content, turn) {
            turn.effects.push(Effect::Discard { content });
            return self.let_go(content, turn);
        }
        self.contents.want(content);
        let lacks = Message::Content(ContentReply { content, payload: None });
        for asker in self.contents.askers_of(content) {
            self.send(asker, lacks.clone(), turn);
        }
        self.ask_for_wants(None, turn);
    }

    pub(super) fn on_need(&mut self, from: NodeId, content: ContentId, turn: &mut Turn<'_>) {
        if !self.contents.askers.contains(&(from, content)) {
            self.contents.askers.push((from, content));
        }
        if self.contents.has(content) {
            turn.effects.push(Effect::Fetch { content });
        } else if !self.contents.is_wanted(content) {
            self.tell_gone(from, content, turn);
        } else {
            let lacks = ContentReply { content, payload: None };
            self.send(from, Message::Content(lacks), turn);
        }
    }

    pub(super) fn on_fetched(&mut self, content: ContentId, turn: &mut Turn<'_>) {
        let payload = Some(Payload { content, base: None });
        for asker in self.contents.askers_of(content) {
            self.send(asker, Message::Content(ContentReply { content, payload }), turn);
        }
        self.contents.askers.retain(|(_, asked)| *asked != content);
    }

    pub(super) fn on_content(&mut self, from: NodeId, reply: &ContentReply, turn: &mut Turn<'_>) {
        let wants = &mut self.contents.wants;
        let Some(want) = wants.iter_mut().find(|want| want.content == reply.content) else {
            return;
        };
        let Some(payload) = reply.payload else {
            self.contents.note_lacking(from, reply.content);
            return self.ask_for_wants(None, turn);
        };
        // It may have said before that it lacks the content. If this node is receiving it from another peer, and that
        // transfer ends without it, this node asks here again.
        if turn.decisions.notes_late_answer() {
            want.lacking.remove(from);
        }
        if !want.storing {
            want.storing = true;
            want.asked = Some(from);
            turn.effects.push(Effect::Store { payload, from });
        }
    }

    /// Asks for each missing content for which no question and no store is open. It asks the peer `first`,
    /// else the leader, else another peer, and skips peers that lack the content.
    pub(super) fn ask_for_wants(&mut self, first: Option<NodeId>, turn: &mut Turn<'_>) {
        // For speed only: most nodes lack nothing.
        if self.contents.wants.is_empty() {
            return;
        }
        let linked = self.linked_set();
        let leader = self.promise().node;
        let mut asked = Vec::new();
        for want in self.contents.wants.iter_mut().filter(|it| !it.storing && it.asked.is_none()) {
            let order = first.into_iter().chain([leader]).chain(linked.iter());
            let is_open = |peer: &NodeId| linked.contains(*peer) && !want.lacking.contains(*peer);
            want.asked = order.into_iter().find(is_open);
            asked.extend(want.asked.map(|peer| (peer, want.content)));
        }
        for (peer, content) in asked {
            self.send(peer, Message::Need(Need { content }), turn);
        }
    }

    /// Forgets which peers it asked and asks again, because the network can lose questions and answers.
    pub(super) fn ask_again(&mut self, turn: &mut Turn<'_>) {
        for want in self.contents.wants.iter_mut().filter(|want| !want.storing) {
            want.asked = None;
            want.lacking = NodeSet::default();
        }
        self.ask_for_wants(None, turn);
    }

    /// Forgets the questions, answers and waiting messages of a session that ended.
    pub(super) fn forget_contents_of(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let contents = &mut self.contents;
        contents.waiting.retain(|waiting| waiting.from != peer);
        contents.askers.retain(|(asker, _)| *asker != peer);
        for want in &mut contents.wants {
            want.lacking.remove(peer);
            if !want.storing {
                want.asked = want.asked.filter(|asked| *asked != peer);
            }
        }
        self.review_wants(turn);
    }

    /// The payloads to send with entries. A payload is a delta if this node holds the content of a version
    /// that the entry replaces and believes that the receiver holds it too.
    pub(super) fn payloads_of(&self, entries: &[Entry], known: &VersionVector) -> Vec<Payload> {
        let mut known = *known;
        let mut payloads = Vec::new();
        for entry in entries {
            if let Some(content) = entry.change.named().filter(|it| self.has_content(*it)) {
                // An entry comes after those that it replaces, so the receiver holds all of them when it
                // receives the entries in order.
                let shared = entry.replaces.iter().filter(|dot| known.covers(**dot));
                let named = shared.filter_map(|dot| self.log.entry(*dot)?.change.named());
                let base =
                    named.into_iter().find(|base| self.has_content(*base) && *base != content);
                payloads.push(Payload { content, base });
            }
            known.insert(entry.dot);
        }
        payloads
    }
}
