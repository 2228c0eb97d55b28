//! Writes: how a client's intent becomes an entry, and when it is acknowledged.

use super::{PendingWrite, Replica, Role, Turn};
use crate::{
    Base, Change, Dot, Entry, EntryBody, Intent, NodeId, Outcome, Path, Record, Refusal, RequestId,
    Sealed, Stamp, WriteRequest, Writing,
};

impl Replica {
    pub(super) fn on_write(&mut self, write: WriteRequest, turn: &mut Turn<'_>) {
        if !self.leads() {
            let refusal = Refusal::NotLeader { leader: self.leader_hint() };
            return self.hold_answer(write.request, Outcome::Refused(refusal), turn);
        }
        let known = self.log.written_by(write.request);
        let made = match known.filter(|_| turn.decisions.recognises_retries()).cloned() {
            None => self.make_entry(&write, turn),
            Some(entry) if turn.decisions.renews(entry.stamp.fence, self.promise()) => {
                self.renew(&entry, turn)
            }
            Some(entry) => return self.await_copies(write.request, entry.dot, turn),
        };
        match made {
            Ok(entry) => self.accept(entry, turn),
            Err(refusal) => self.hold_answer(write.request, Outcome::Refused(refusal), turn),
        }
    }

    fn accept(&mut self, entry: Entry, turn: &mut Turn<'_>) {
        let (request, dot) = (entry.request, entry.dot);
        self.sequence = dot.sequence;
        self.append(vec![Record::Entry(entry)], turn);
        self.await_copies(request, dot, turn);
    }

    /// Answers a write once W nodes have it; a retry asks for the answer once more.
    fn await_copies(&mut self, request: RequestId, dot: Dot, turn: &mut Turn<'_>) {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.writes.retain(|pending| pending.request != request);
            leadership.writes.push(PendingWrite { request, dot });
        }
        self.acknowledge_writes(turn);
    }

    fn make_entry(&self, write: &WriteRequest, turn: &Turn<'_>) -> Result<Entry, Refusal> {
        let heads = self.logged_heads(&write.path, turn);
        let writing = self.writing(&heads);
        let mut replaces = self.base_of(write, &writing, turn)?;
        let change = self.change_of(write, &writing, &mut replaces)?;
        replaces.sort_unstable();
        replaces.dedup();
        self.entry_of(write.request, &write.path, replaces, change, &writing, turn)
    }

    /// What an older leader wrote, written anew in place of itself while it is visible.
    fn renew(&self, entry: &Entry, turn: &Turn<'_>) -> Result<Entry, Refusal> {
        let heads = self.logged_heads(&entry.path, turn);
        if heads.first() != Some(entry) {
            return Err(Refusal::Overtaken { dot: entry.dot, path: entry.path.clone() });
        }
        let (request, replaces, change) = (entry.request, vec![entry.dot], entry.change.clone());
        self.entry_of(request, &entry.path, replaces, change, &self.writing(&heads), turn)
    }

    fn writing<'a>(&self, heads: &'a [Entry]) -> Writing<'a> {
        Writing {
            settings: self.settings(),
            node: self.id(),
            epoch: self.promise(),
            highest: self.log.counter(),
            sequence: self.sequence,
            heads,
        }
    }

    /// An entry whose content, if it names one, is stored here.
    fn entry_of(
        &self,
        request: RequestId,
        path: &Path,
        replaces: Vec<Dot>,
        change: Change,
        writing: &Writing<'_>,
        turn: &Turn<'_>,
    ) -> Result<Entry, Refusal> {
        if let Some(content) = change.named().filter(|content| !self.has_content(*content)) {
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
            replaces,
            path: path.clone(),
            change,
            request,
        }))
    }

    /// The versions that a write takes the place of.
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
        let is_known = |dot: Dot| self.log.entry(dot).is_some_and(|it| it.path == write.path);
        match named.iter().find(|dot| !is_known(**dot)) {
            Some(dot) => Err(Refusal::UnknownVersion { dot: *dot, path: write.path.clone() }),
            None => Ok(named.clone()),
        }
    }

    /// What a write does; a restore names the version it restores.
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

    /// The heads of a path with everything logged, synced or not.
    fn logged_heads(&self, path: &Path, turn: &Turn<'_>) -> Vec<Entry> {
        let mut files = self.files.clone();
        // The tail is what is not applied, unless a wrong decision applies more. Entries of other paths
        // are left out for speed: they change no heads of this one.
        let unapplied = self.log.length().0.saturating_sub(self.applied.0);
        let skip = self.tail.len().saturating_sub(usize::try_from(unapplied).unwrap_or(usize::MAX));
        for record in &self.tail[skip..] {
            if let Record::Entry(entry) = record
                && entry.path == *path
            {
                files.apply(entry, turn.decisions);
            }
        }
        files.heads(path).to_vec()
    }

    /// Answers the writes that W nodes have synced in this epoch.
    // Ensures: G1, because only synced copies are counted, and W of them.
    pub(super) fn acknowledge_writes(&mut self, turn: &mut Turn<'_>) {
        let quorum = self.settings().write();
        let own = *turn.decisions.own_copy(&self.synced_vv, self.log.vv());
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let peers = &leadership.peers;
        leadership.writes.retain(|write| {
            let acked = peers.iter().filter_map(|peer| peer.acked.as_ref());
            let copies = acked.chain([&own]).filter(|vv| vv.covers(write.dot)).count();
            if copies < quorum {
                return true;
            }
            let (request, outcome) = (write.request, Outcome::Acknowledged { dot: write.dot });
            turn.effects.push(crate::Effect::Answer { request, outcome });
            false
        });
    }

    /// Who leads the epoch that this node promised, as far as it knows.
    pub(super) fn leader_hint(&self) -> Option<NodeId> {
        let promise = self.promise();
        (promise != crate::Epoch::ZERO && promise.node != self.id()).then_some(promise.node)
    }
}
