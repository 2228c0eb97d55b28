//! Reads: linearizable with W confirmations, stale at once.

use super::{PendingRead, Replica, Role, Turn};
use crate::{Ack, Consistency, NodeId, Outcome, ReadRequest, Refusal};

impl Replica {
    pub(super) fn on_read(&mut self, read: ReadRequest, turn: &mut Turn<'_>) {
        match read.consistency {
            Consistency::Stale => {
                let version = self.files.visible(&read.path).cloned();
                self.answer(read.request, Outcome::Value { version, stale: true }, turn);
            }
            Consistency::Linearizable => self.on_linearizable_read(read, turn),
        }
    }

    /// Takes the value and the version vector now, and asks the peers whether this is still the
    /// leader: only an answer to a tag issued from now on can tell.
    // Ensures: G5, because a successor would have met one of the W that confirm.
    fn on_linearizable_read(&mut self, read: ReadRequest, turn: &mut Turn<'_>) {
        let (own, vv) = (self.id(), self.synced_vv);
        let version = self.files.visible(&read.path).cloned();
        let hint = self.leader_hint();
        let Role::Leader(leadership) = &mut self.role else {
            let refusal = Refusal::NotLeader { leader: hint };
            return self.hold_answer(read.request, Outcome::Refused(refusal), turn);
        };
        if leadership.reads.iter().any(|it| it.request == read.request) {
            return;
        }
        leadership.tag = leadership.tag.next();
        leadership.reads.push(PendingRead {
            request: read.request,
            path: read.path,
            version,
            vv,
            tag: leadership.tag,
            confirmed: [own].into_iter().collect(),
        });
        if turn.decisions.read_quorum(self.settings()) > 1 {
            self.linked_peers().into_iter().for_each(|peer| self.send_append(peer, turn));
        }
        self.answer_reads(turn);
    }

    /// Counts an Ack that answers a tag issued after a read began, from a peer that has all the
    /// read saw.
    pub(super) fn confirm_reads(&mut self, from: NodeId, ack: &Ack, turn: &mut Turn<'_>) {
        if let Role::Leader(leadership) = &mut self.role {
            for read in &mut leadership.reads {
                if turn.decisions.is_asked_since(ack.tag, read.tag)
                    && turn.decisions.has_what_was_read(&ack.vv, &read.vv)
                {
                    read.confirmed.insert(from);
                }
            }
        }
        self.answer_reads(turn);
    }

    fn answer_reads(&mut self, turn: &mut Turn<'_>) {
        let quorum = turn.decisions.read_quorum(self.settings());
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let (done, waiting) = std::mem::take(&mut leadership.reads)
            .into_iter()
            .partition(|read| read.confirmed.len() >= quorum);
        leadership.reads = waiting;
        let done: Vec<PendingRead> = done;
        for read in done {
            let now = self.files.visible(&read.path);
            let version = turn.decisions.read_value(read.version.as_ref(), now).cloned();
            self.answer(read.request, Outcome::Value { version, stale: false }, turn);
        }
    }
}
