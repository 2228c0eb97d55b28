//! Reads: linearizable with W confirmations, stale at once.

use super::{Leadership, PendingRead, Replica, Role, Turn};
use crate::{
    Ack, Consistency, NodeId, NodeSet, Outcome, Path, ReadRequest, Refusal, RequestId,
    VersionVector,
};

impl Replica {
    pub(super) fn on_read(&mut self, read: ReadRequest, turn: &mut Turn<'_>) {
        match read.consistency {
            // A crash may take unsynced entries, and the next read would go back.
            // Ensures: G6, because the files are the fold of synced entries.
            Consistency::Stale => {
                let version = match turn.decisions.reads_unsynced() {
                    true => self.log.files().visible(&read.path).cloned(),
                    false => self.files().visible(&read.path).cloned(),
                };
                self.answer(read.request, Outcome::Value { version, stale: true }, turn);
            }
            Consistency::Linearizable => self.on_linearizable_read(read, turn),
        }
    }

    /// Takes the value and the version vector at the start of the read, and asks the peers whether they
    /// still follow this leader. Only an Ack with a tag issued after the start can confirm that.
    // Ensures: G5, because the voters of a successor include one of the W nodes that confirm.
    fn on_linearizable_read(&mut self, read: ReadRequest, turn: &mut Turn<'_>) {
        if !self.leads() {
            let refusal = Refusal::NotLeader { leader: self.leader_hint() };
            return self.answer(read.request, Outcome::Refused(refusal), turn);
        }
        let version = self.files().visible(&read.path).cloned();
        let outcome = Outcome::Value { version, stale: false };
        self.answer_once_confirmed(read.request, read.path, outcome, *self.synced_vv(), turn);
    }

    /// Answers a request with `outcome`, which is true at this moment, once W nodes have confirmed that
    /// this node still leads and hold all entries of `vv`, from which the outcome was computed.
    pub(super) fn answer_once_confirmed(
        &mut self,
        request: RequestId,
        path: Path,
        outcome: Outcome,
        vv: VersionVector,
        turn: &mut Turn<'_>,
    ) {
        let own = self.id();
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if leadership.reads.iter().any(|it| it.request == request) {
            return;
        }
        leadership.tag = leadership.tag.next();
        leadership.reads.push(PendingRead {
            request,
            path,
            outcome,
            vv,
            tag: leadership.tag,
            followed_by: NodeSet::default(),
            confirmed: [own].into_iter().collect(),
        });
        if !turn.decisions.confirms_read(self.settings(), self.alone()) {
            self.linked_set().iter().for_each(|peer| self.send_append(peer, turn));
        }
        self.answer_reads(turn);
    }

    /// Counts a peer that has echoed a tag issued after the read began, and holds all entries that the
    /// read saw. It may take two Acks to show both: the peer may answer a heartbeat while it stores a
    /// content, and acknowledge the entry later.
    pub(super) fn confirm_reads(&mut self, from: NodeId, ack: &Ack, turn: &mut Turn<'_>) {
        if let Role::Leader(Leadership { peers, reads, .. }) = &mut self.role {
            let acked = peers.get(from.index()).and_then(|it| it.acked).unwrap_or_default();
            for read in reads {
                if turn.decisions.is_asked_since(ack.tag, read.tag) {
                    read.followed_by.insert(from);
                }
                if read.followed_by.contains(from)
                    && turn.decisions.has_what_was_read(&acked, &read.vv)
                {
                    read.confirmed.insert(from);
                }
            }
        }
        self.answer_reads(turn);
    }

    pub(super) fn answer_reads(&mut self, turn: &mut Turn<'_>) {
        let (settings, synced) = (self.settings(), *self.synced_vv());
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        // For speed only: most steps find no read that waits.
        if leadership.reads.is_empty() {
            return;
        }
        let (done, waiting) = std::mem::take(&mut leadership.reads).into_iter().partition(|read| {
            synced.includes(&read.vv) && turn.decisions.confirms_read(settings, read.confirmed)
        });
        leadership.reads = waiting;
        let done: Vec<PendingRead> = done;
        for read in done {
            let now = self.files().visible(&read.path);
            let outcome = match read.outcome {
                Outcome::Value { version, stale } => {
                    let version = turn.decisions.read_value(version.as_ref(), now).cloned();
                    Outcome::Value { version, stale }
                }
                outcome => outcome,
            };
            self.answer(read.request, outcome, turn);
        }
    }
}
