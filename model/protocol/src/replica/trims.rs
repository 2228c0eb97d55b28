//! Trims: the log drops the entries that no head needs, and a peer that lacks them gets state.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Replica, Role, Turn};
use crate::parameters::Room;
use crate::{
    Append, Checkpoint, Effect, Entry, Epoch, Fold, Record, Sealed, State, Transfer, VersionVector,
};

/// A checkpoint that is being written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Trimming {
    /// The entries for which it stands.
    floor: VersionVector,
    /// The deletes that it leaves out.
    forgotten: Vec<Entry>,
}

/// The entries that a peer lacks, or a part of the state that stands for them.
#[derive(Default)]
pub(super) struct News {
    pub(super) entries: Vec<Entry>,
    pub(super) state: Option<Sealed<State>>,
    /// The rest of the state, once this part is sent.
    pub(super) transfer: Option<Box<Transfer>>,
}

impl News {
    /// The entries that a receiver has afterwards which had those of `known`.
    pub(super) fn add_to(&self, known: &mut VersionVector) {
        self.entries.iter().for_each(|entry| known.insert(entry.dot));
        if let Some(state) = self.state.as_ref().filter(|it| it.until.is_none()) {
            known.merge(&state.vv);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.state.is_none()
    }

    /// The entries, or the heads of the state.
    pub(super) fn all(&self) -> &[Entry] {
        self.state.as_ref().map_or(&self.entries, |it| &it.heads)
    }
}

impl Replica {
    /// Begins to replace the synced records by a checkpoint. Nothing unsynced goes into it: a crash may
    /// still take that back.
    pub(super) fn on_trim(&mut self, turn: &mut Turn<'_>) {
        let forgotten = self.forgettable(turn);
        let mut fold = self.fold.clone();
        fold.forget(&forgotten);
        let fold = turn.decisions.checkpointed(&fold, self.log.fold());
        self.trimming = Some(Trimming { floor: fold.vv, forgotten });
        let checkpoint = Checkpoint { identity: self.identity, length: self.synced, fold };
        turn.effects.push(Effect::Checkpoint { checkpoint: Sealed::new(checkpoint) });
    }

    /// The disk holds the checkpoint: this node drops the entries for which it stands, except the heads.
    /// Nothing that leaves the node depends on this, but the choice between entries and state, and which
    /// deletes are shown.
    // Ensures: G3, because memory forgets the deletes that the checkpoint leaves out. An entry that was logged
    // meanwhile has seen them, so the order makes no difference.
    pub(super) fn on_checkpointed(&mut self, turn: &mut Turn<'_>) {
        if let Some(Trimming { floor, forgotten }) = self.trimming.take() {
            let log = Arc::make_mut(&mut self.log);
            self.fold.forget(&forgotten);
            log.forget_deletes(&forgotten);
            log.trim(&floor, &self.fold);
            self.show(turn.decisions);
            self.discard_contents(turn);
        }
    }

    /// The deletes that a checkpoint can leave out. While records are unsynced there are none: the
    /// node may have learned from them which entries all nodes hold, and a crash may take them back.
    fn forgettable(&self, turn: &Turn<'_>) -> Vec<Entry> {
        if !self.parameters.forgets_deletes || !self.tail.is_empty() {
            return Vec::new();
        }
        let mut stable = self.stable;
        stable.merge(&self.known_stable(turn));
        // All paths of a large node would hold it up.
        let deleted = self.fold.files.deleted();
        let forgotten = deleted.filter(|heads| turn.decisions.forgets(heads, &stable));
        forgotten.flatten().cloned().collect()
    }

    /// Entries that all nodes hold, as far as this node knows by the acknowledgements of its epoch.
    fn known_stable(&self, turn: &Turn<'_>) -> VersionVector {
        let Role::Leader(leadership) = &self.role else {
            return VersionVector::default();
        };
        let acked = self.peers().map(|peer| leadership.peers[peer.index()].acked);
        match acked.collect::<Option<Vec<_>>>() {
            Some(acked) => turn.decisions.stable(self.synced_vv(), &acked),
            None => VersionVector::default(),
        }
    }

    /// The stable entries that a leader announces to its peers.
    pub(super) fn announced_stable(&self, turn: &Turn<'_>) -> VersionVector {
        match self.parameters.forgets_deletes {
            true => self.known_stable(turn),
            false => VersionVector::default(),
        }
    }

    /// Notes which entries all nodes hold, if this node has logged what the leader had when it learned that.
    pub(super) fn learn_stable(&mut self, append: &Append) {
        if self.parameters.forgets_deletes && self.log.vv().includes(&append.vv) {
            self.stable.merge(&append.stable);
        }
    }

    /// Logs a part of a state, and `promise` before it. Returns whether it is new.
    pub(super) fn learn_state(
        &mut self,
        promise: Option<Epoch>,
        state: &Sealed<State>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let is_new = !self.log.vv().includes(&state.vv);
        let fits = is_new
            && state.check(self.nodes()).is_ok()
            && self.log.fold().takes(state)
            && turn.decisions.can_join(&state.since, self.log.vv());
        let brought = fits.then(|| Record::State(state.clone())).into_iter().collect();
        self.append(turn.decisions.batch(promise, brought), turn);
        fits
    }

    /// Whether a peer that has `known` needs entries that this log has dropped.
    pub(super) fn has_dropped(&self, known: &VersionVector) -> bool {
        !known.includes(self.log.floor())
    }

    /// The next part of what `fold` amounts to beyond `known`, or of the state that is on its way already. If
    /// this node has deleted a content that the latter names, because newer versions have replaced it, the
    /// state begins again.
    // Ensures: G12, because otherwise the peer would wait for a deleted content again and again.
    pub(super) fn next_part(
        &self,
        transfer: Option<&Transfer>,
        (fold, known): (&Fold, &VersionVector),
        turn: &Turn<'_>,
    ) -> News {
        let next = |it: Transfer| it.next(Room::new(self.parameters.limits), turn.decisions);
        let names_lost_content = |part: &State| {
            let is_lost = part.heads.iter().any(|it| self.has_lost_content_of(it));
            turn.decisions.begins_again(is_lost)
        };
        let goes_on = transfer.cloned().map(next).filter(|it| !names_lost_content(&it.0));
        let (part, transfer) = goes_on.unwrap_or_else(|| next(Transfer::begin(fold, known)));
        let transfer = transfer.map(Box::new);
        News { state: Some(Sealed::new(part)), transfer, ..News::default() }
    }
}
