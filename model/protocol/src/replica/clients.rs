//! Writes: how a client's intent becomes an entry, and when the leader acknowledges it.

use std::collections::BTreeSet;

use super::{PendingWrite, Replica, Role, Turn};
use crate::{
    Base, Change, Content, ContentId, Counter, Decisions, Dot, Effect, Entry, EntryBody, Intent,
    NodeId, Outcome, Path, Record, Refusal, RequestId, Sealed, Sequence, Stamp, VersionVector,
    WriteDigest, WriteRequest, Writing, Written,
};

impl Replica {
    pub(super) fn on_write(&mut self, write: WriteRequest, turn: &mut Turn<'_>) {
        turn.verified = self.contents.take_verified(self.named_by(&write));
        if let Intent::Put(Content::Named(content)) = write.intent {
            self.contents.end_upload(content);
        }
        if !self.leads() {
            let refusal = Refusal::NotLeader { leader: self.leader_hint() };
            return self.answer(write.request, Outcome::Refused(refusal), turn);
        }
        let known = self.log.written_by(write.request);
        match known.filter(|_| turn.decisions.recognises_retries()).copied() {
            Some(written) => self.on_retry(&write, &written, turn),
            None => self.on_first_try(&write, turn),
        }
    }

    /// The content that the driver must verify before it passes this write to the node, if there is one: the entry of the
    /// write would name it, and no client has uploaded it for the write. The driver reads the copy, reports
    /// [`Input::Verified`](crate::Input::Verified) or [`Input::Bad`](crate::Input::Bad), and passes the write next.
    // Ensures: G12, because a copy that went bad unnoticed may be the last one: the peers delete their copies when
    // they replace the version, and no peer logs an entry whose content it cannot get.
    #[must_use]
    pub fn unverified(&self, write: &WriteRequest, decisions: &dyn Decisions) -> Option<ContentId> {
        let makes_none = |it: &Written| !decisions.renews(it.stamp.fence, self.promise());
        if !self.leads() || self.log.written_by(write.request).is_some_and(makes_none) {
            return None;
        }
        let is_unknown = |it: &ContentId| self.has_content(*it) && !self.contents.is_verified(*it);
        self.named_by(write).filter(is_unknown).filter(|_| decisions.verifies_named_copies())
    }

    /// The content that the entry of a write names, if the node makes one.
    fn named_by(&self, write: &WriteRequest) -> Option<ContentId> {
        match write.intent {
            Intent::Put(Content::Named(content)) => Some(content),
            Intent::Put(Content::Inline(_)) | Intent::Delete => None,
            Intent::Restore(dot) => {
                // A later try of the restore finds the entry of the first one instead of the restored version.
                let written = self.log.written_by(write.request).map(|it| it.dot);
                let mut heads = self.log.files().heads(&write.path).iter();
                let restored = heads.find(|it| it.dot == dot || Some(it.dot) == written)?;
                restored.change.named()
            }
        }
    }

    /// Writes a request for which the log holds no entry, unless it is a late copy.
    // Ensures: G13, because the leader refuses a request if it holds a later one of the same client.
    fn on_first_try(&mut self, write: &WriteRequest, turn: &mut Turn<'_>) {
        let RequestId { client, number } = write.request;
        if let Some(newest) = self.log.newest_of(client)
            && turn.decisions.is_superseded(number, newest)
        {
            let refusal = Refusal::Superseded { newest };
            return self.answer(write.request, Outcome::Refused(refusal), turn);
        }
        let (seen, horizon) = (write.seen, turn.decisions.horizon(self.log.counter()));
        if turn.decisions.may_be_forgotten(seen, horizon) {
            let refusal = Refusal::Forgotten { seen, horizon };
            return self.answer(write.request, Outcome::Refused(refusal), turn);
        }
        self.write(write, turn);
    }

    fn write(&mut self, write: &WriteRequest, turn: &mut Turn<'_>) {
        match self.make_entry(write, turn) {
            Ok(entry) => self.accept(entry, turn),
            Err(refusal) => self.refuse(write, refusal, turn),
        }
    }

    /// Handles a request whose id belongs to a logged entry. If that entry is a different write, the client
    /// has used the id twice, and the leader refuses. It does not compare the base, because an entry does
    /// not record whether its author named one.
    fn on_retry(&mut self, write: &WriteRequest, written: &Written, turn: &mut Turn<'_>) {
        let (request, dot) = (write.request, written.dot);
        if !self.is_made_by(write, written) && turn.decisions.compares_retries() {
            let refusal = Refusal::RequestReused { dot };
            return self.answer(request, Outcome::Refused(refusal), turn);
        }
        if !turn.decisions.renews(written.stamp.fence, self.promise()) {
            return self.await_copies(request, dot, turn);
        }
        if self.log.files().heads(&write.path).is_empty() {
            return match turn.decisions.recognises_forgotten() {
                true => self.await_copies(request, dot, turn),
                false => self.write(write, turn),
            };
        }
        match self.renew(write, dot, turn) {
            Ok(entry) => self.accept(entry, turn),
            Err(refusal) => self.refuse(write, refusal, turn),
        }
    }

    fn is_made_by(&self, write: &WriteRequest, written: &Written) -> bool {
        let change = match &write.intent {
            Intent::Put(content) => Change::Put(content.clone()),
            Intent::Delete => Change::Delete,
            // The version that the write restored may be gone from the log.
            Intent::Restore(dot) => match self.log.entry(*dot) {
                Some(restored) => restored.change.clone(),
                None => return self.is_dropped(*dot),
            },
        };
        WriteDigest::of(&write.path, &change) == written.write
    }

    /// Whether the log has dropped an entry, or never held it because state stood for it. Such a version
    /// was replaced, and its path is not known any more.
    fn is_dropped(&self, dot: Dot) -> bool {
        dot.sequence > Sequence(0) && self.log.floor().covers(dot) && self.log.entry(dot).is_none()
    }

    /// Refuses a write. A refusal that reveals the state of a file is an observation like a read, and waits
    /// for the same confirmation: a deposed leader does not know which writes its successor has accepted.
    // Ensures: G5, because W nodes have confirmed the leader after the request came.
    fn refuse(&mut self, write: &WriteRequest, refusal: Refusal, turn: &mut Turn<'_>) {
        let (request, path) = (write.request, write.path.clone());
        let reveals_a_file = !matches!(refusal, Refusal::ContentMissing { .. });
        let outcome = Outcome::Refused(refusal);
        match reveals_a_file && turn.decisions.confirms_refusals() {
            true => self.answer_once_confirmed(request, path, outcome, *self.log.vv(), turn),
            false => self.answer(request, outcome, turn),
        }
    }

    fn accept(&mut self, entry: Entry, turn: &mut Turn<'_>) {
        let (request, dot) = (entry.request, entry.dot);
        self.sequence = dot.sequence;
        self.append(vec![Record::Entry(entry)], turn);
        self.await_copies(request, dot, turn);
    }

    /// Acknowledges a request once W nodes have synced its entry. A retry gets the answer once more.
    fn await_copies(&mut self, request: RequestId, dot: Dot, turn: &mut Turn<'_>) {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.writes.insert(PendingWrite { dot, request });
        }
        self.acknowledge_writes(turn);
    }

    fn make_entry(&self, write: &WriteRequest, turn: &Turn<'_>) -> Result<Entry, Refusal> {
        let writing = self.writing(write.seen, self.log.files().heads(&write.path));
        let mut replaces = self.base_of(write, &writing, turn)?;
        let change = self.change_of(write, &writing, &mut replaces)?;
        self.note_seen(&writing, &mut replaces, turn);
        replaces.sort_unstable();
        replaces.dedup();
        self.entry_of(write.request, &write.path, replaces, change, &writing, turn)
    }

    /// Makes the list of replaced versions say what the author saw: it is empty if and only if the path had no
    /// version. Then a delete that other nodes have not forgotten yet gives way to the entry.
    // Ensures: G2, because the heads after the entry are the same whether a node has forgotten a delete or not.
    fn note_seen(&self, writing: &Writing<'_>, replaces: &mut Vec<Dot>, turn: &Turn<'_>) {
        match writing.heads {
            [] => replaces.clear(),
            // Other nodes may have forgotten it, so it cannot stay beside the new version as a conflict.
            [only] if only.change == Change::Delete => replaces.push(only.dot),
            // A client may name no version although there are some. The entry then names itself.
            _ if replaces.is_empty() => replaces.push(Dot {
                origin: self.id(),
                sequence: turn.decisions.next_sequence(self.sequence),
            }),
            _ => {}
        }
    }

    /// Re-issues an entry of an older leader under this leader's epoch: a new entry that replaces it, with
    /// the same change. Refuses if the old entry is no longer visible.
    fn renew(&self, write: &WriteRequest, dot: Dot, turn: &Turn<'_>) -> Result<Entry, Refusal> {
        let (request, path) = (write.request, &write.path);
        let heads = self.log.files().heads(path);
        let Some(entry) = heads.first().filter(|head| head.dot == dot) else {
            return Err(Refusal::Overtaken { dot, path: path.clone() });
        };
        let change = entry.change.clone();
        self.entry_of(request, path, vec![dot], change, &self.writing(write.seen, heads), turn)
    }

    fn writing<'a>(&self, seen: Counter, heads: &'a [Entry]) -> Writing<'a> {
        Writing {
            settings: self.settings(),
            node: self.id(),
            epoch: self.promise(),
            highest: self.log.counter(),
            seen,
            sequence: self.sequence,
            heads,
        }
    }

    /// Makes an entry. Refuses if it names a content that this node does not have, or a copy that was neither uploaded nor
    /// verified for this write.
    fn entry_of(
        &self,
        request: RequestId,
        path: &Path,
        replaces: Vec<Dot>,
        change: Change,
        writing: &Writing<'_>,
        turn: &Turn<'_>,
    ) -> Result<Entry, Refusal> {
        let is_usable = |content: ContentId| {
            let is_verified = turn.verified == Some(content);
            self.has_content(content) && (is_verified || !turn.decisions.verifies_named_copies())
        };
        if let Some(content) = change.named().filter(|content| !is_usable(*content)) {
            return Err(Refusal::ContentMissing { content });
        }
        let origin = self.id();
        Ok(Sealed::new(EntryBody {
            dot: Dot { origin, sequence: turn.decisions.next_sequence(self.sequence) },
            stamp: Stamp {
                fence: turn.decisions.fence(writing),
                counter: turn.decisions.next_counter(writing),
                origin,
            },
            context: *self.log.vv(),
            incarnation: self.incarnation,
            context_digest: self.log.fold().digest(),
            replaces,
            path: path.clone(),
            change,
            request,
        }))
    }

    /// The versions that a write replaces.
    fn base_of(
        &self,
        write: &WriteRequest,
        writing: &Writing<'_>,
        turn: &Turn<'_>,
    ) -> Result<Vec<Dot>, Refusal> {
        let named = match &write.base {
            Base::Visible => return Ok(turn.decisions.overwritten(writing)),
            Base::Named(named) => named,
        };
        let is_of_path = |dot| self.log.entry(dot).is_some_and(|it| it.path == write.path);
        let is_known = |dot| is_of_path(dot) || self.is_dropped(dot);
        match named.iter().find(|dot| !is_known(**dot)) {
            Some(dot) => Err(Refusal::UnknownVersion { dot: *dot, path: write.path.clone() }),
            None => Ok(named.clone()),
        }
    }

    /// The change that a write makes. A restore also replaces the version that it restores.
    fn change_of(
        &self,
        write: &WriteRequest,
        writing: &Writing<'_>,
        replaces: &mut Vec<Dot>,
    ) -> Result<Change, Refusal> {
        let path = || write.path.clone();
        Ok(match &write.intent {
            Intent::Put(content) => Change::Put(content.clone()),
            Intent::Delete => match writing.heads.first() {
                Some(head) if head.change != Change::Delete || writing.heads.len() > 1 => {
                    Change::Delete
                }
                _ => return Err(Refusal::NotFound { path: path() }),
            },
            Intent::Restore(dot) => {
                let head = writing.heads.iter().find(|head| head.dot == *dot);
                replaces.push(*dot);
                head.ok_or(Refusal::NotAHead { dot: *dot, path: path() })?.change.clone()
            }
        })
    }

    /// Acknowledges the writes that W nodes have synced, according to their Acks in this epoch. It checks
    /// the writes of each origin oldest first, and stops at the first that lacks copies, because every
    /// node that holds a later entry also holds the earlier ones.
    // Ensures: G1, because the leader counts only synced copies, and requires W of them.
    pub(super) fn acknowledge_writes(&mut self, turn: &mut Turn<'_>) {
        let (settings, id) = (self.settings(), self.id());
        let own = *turn.decisions.own_copy(self.synced_vv(), self.log.vv());
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        // For speed only: most steps find no write that waits.
        if leadership.writes.is_empty() {
            return;
        }
        let peers = (0..).map(NodeId).zip(&leadership.peers);
        let acked: Vec<(NodeId, VersionVector)> =
            peers.filter_map(|(node, it)| Some((node, it.acked?))).chain([(id, own)]).collect();
        for origin in NodeId::all(settings.nodes()) {
            let oldest = |writes: &BTreeSet<PendingWrite>| {
                let dot = Dot { origin, ..Dot::default() };
                let from = PendingWrite { dot, request: RequestId::default() };
                writes.range(from..).next().copied().filter(|it| it.dot.origin == origin)
            };
            while let Some(write) = oldest(&leadership.writes) {
                let holders = acked.iter().filter(|(_, vv)| vv.covers(write.dot));
                if !settings.acknowledges(holders.map(|(node, _)| *node).collect()) {
                    break;
                }
                leadership.writes.remove(&write);
                let PendingWrite { dot, request } = write;
                turn.effects
                    .push(Effect::Answer { request, outcome: Outcome::Acknowledged { dot } });
            }
        }
    }

    /// The node that leads the epoch of this node's promise, if that is another node.
    pub(super) fn leader_hint(&self) -> Option<NodeId> {
        let promise = self.promise();
        (promise != crate::Epoch::ZERO && promise.node != self.id()).then_some(promise.node)
    }
}
