//! The twins that trim logs or delete contents, each with its wrong decision.

use std::collections::BTreeSet;

use steadfast_protocol::{
    Change, ContentId, Counter, Decisions, Entry, Epoch, Fold, Log, Record, State, VersionVector,
    Writing,
};

use super::{Twin, Variant};
use crate::GuaranteeId;

twins! {
    CheckpointOfUnsynced "checkpoint-of-unsynced"
    "a checkpoint holds entries that are not on disk yet, beside the same records",
    NoGaps in "trims-crash" {
        fn checkpointed(&self, _: &Fold, logged: &Fold) -> Fold {
            logged.clone()
        }
    }

    ConflictsTrimmed "conflicts-trimmed"
    "a checkpoint holds only the visible version of each path",
    LogBeforeApply in "trims" {
        fn checkpointed(&self, synced: &Fold, _: &Fold) -> Fold {
            synced.clone().without_conflicts()
        }
    }

    CheckpointWithoutRequests "checkpoint-without-requests"
    "a checkpoint does not say which requests have entries",
    LogBeforeApply in "trims" {
        fn checkpointed(&self, synced: &Fold, _: &Fold) -> Fold {
            synced.clone().without_requests()
        }
    }

    CheckpointWithoutPromise "checkpoint-without-promise"
    "a checkpoint does not hold the promise of its node",
    LogBeforeApply in "trims" {
        fn checkpointed(&self, synced: &Fold, _: &Fold) -> Fold {
            synced.clone().without_promise()
        }
    }

    CheckpointWithoutLineages "checkpoint-without-lineages"
    "a checkpoint does not say which incarnations made its entries",
    LogBeforeApply in "incarnations" {
        fn checkpointed(&self, synced: &Fold, _: &Fold) -> Fold {
            synced.clone().without_lineages()
        }
    }

    VisibleSent "only-visible-heads-sent"
    "state holds only the visible version of each path",
    LogBeforeApply in "trims" {
        fn sent_heads<'a>(&self, heads: &'a [Entry]) -> &'a [Entry] {
            &heads[..heads.len().min(1)]
        }
    }

    StateReplaces "state-replaces-files"
    "a node takes the heads of a state in the place of its own",
    LogBeforeApply in "trims" {
        fn join_heads(
            &self,
            _: (&[Entry], &VersionVector),
            theirs: (&[Entry], &VersionVector),
        ) -> Vec<Entry> {
            theirs.0.to_vec()
        }
    }

    StateWithoutHeads "state-without-heads"
    "a node takes the vector of a state and not its heads",
    LogBeforeApply in "trims" {
        fn join_heads(
            &self,
            mine: (&[Entry], &VersionVector),
            _: (&[Entry], &VersionVector),
        ) -> Vec<Entry> {
            mine.0.to_vec()
        }
    }

    PartsJoined "each-part-joined"
    "a node joins each part of a state with the vector of the whole",
    LogBeforeApply in "trims-parts" {
        fn completes(&self, _: &State) -> bool {
            true
        }
    }

    StateGapAccepted "state-gap-accepted"
    "a node logs a state that builds on entries which the node lacks",
    NoGaps in "trims-3" {
        fn can_join(&self, _: &VersionVector, _: &VersionVector) -> bool {
            true
        }
    }

    FloorNotRaised "floor-not-raised"
    "a node that got state sends entries to a peer that lacks those for which the state stood",
    ReplicasConverge in "trims-quorum" {
        fn raised_floor(
            &self,
            floor: &VersionVector,
            _: &VersionVector,
            _: &VersionVector,
        ) -> VersionVector {
            *floor
        }
    }

    StateBeforePromise "state-before-promise"
    "a follower logs a state before the promise that came with it",
    DeposedLeadersDoNotOverrule in "trims-promise" {
        fn batch(&self, promise: Option<Epoch>, brought: Vec<Record>) -> Vec<Record> {
            let promise = promise.map(Record::Promise);
            match brought.first() {
                Some(Record::State(_)) => brought.into_iter().chain(promise).collect(),
                _ => promise.into_iter().chain(brought).collect(),
            }
        }
    }

    StateWithoutRequests "state-without-requests"
    "state does not carry the requests of the entries that it stands for",
    NothingFromNowhere in "trims-retries" {
        fn carries_requests(&self) -> bool {
            false
        }
    }

    UsedContentDiscarded "used-content-discarded"
    "a node that trims its log deletes the contents of entries that are not synced yet",
    ContentIsExact in "discards" {
        fn keeps_content(
            &self,
            content: ContentId,
            (_, synced): (&Log, &Fold),
            others: &BTreeSet<ContentId>,
        ) -> bool {
            others.contains(&content) || synced.heads().any(|it| it.change.named() == Some(content))
        }
    }

    GoneIgnored "gone-ignored"
    "a node waits for a content although the sender of the entry says that it is gone",
    Settles in "discards-rot" {
        fn heeds_gone(&self) -> bool {
            false
        }
    }

    SenderNotAskedAgain "sender-not-asked-again"
    "a node whose sender of a content has deleted it meanwhile waits until that sender has it again",
    Settles in "discards-rot" {
        fn asks_sender_again(&self) -> bool {
            false
        }
    }

    LateAnswerIgnored "late-answer-ignored"
    "a node that is getting a content forgets that another peer, which lacked it, has it now",
    Settles in "discards-three" {
        fn notes_late_answer(&self) -> bool {
            false
        }
    }

    NamedUnverified "named-unverified"
    "a leader makes an entry that names a content although its copy was not verified",
    Settles in "discards-restore" {
        fn verifies_named_copies(&self) -> bool {
            false
        }
    }

    RefusedStateAwaited "refused-state-awaited"
    "a leader waits for a peer to take a part of a state that builds on entries which the peer lacks",
    Settles in "late-vote" {
        fn drops_refused_state(&self) -> bool {
            false
        }
    }

    FirstPartSentAgain "first-part-sent-again"
    "a node that does not remember that it sent a part of a state begins with the first one",
    Settles in "trims-pre-vote" on_graph {
        fn resumes_from_staged(&self) -> bool {
            false
        }
    }

    DroppedNotAskedFor "dropped-entries-not-asked-for"
    "a leader that drops a message because its content is gone does not ask the sender for more",
    ReplicasConverge in "discards-election" {
        fn asks_for_dropped(&self) -> bool {
            false
        }
    }

    GoneNotSentAgain "gone-not-sent-again"
    "a leader that says that a content is gone counts the entries that named it as sent",
    Settles in "discards-rot" {
        fn sends_again_after_gone(&self) -> bool {
            false
        }
    }

    GonePartSentAgain "gone-part-sent-again"
    "a node goes on with a state on its way although it has deleted a content that the next part names",
    Settles in "discards-parts" on_graph {
        fn begins_again(&self, _: bool) -> bool {
            false
        }
    }

    ReplacedContentWanted "replaced-content-wanted"
    "a node asks for a bad content that only replaced versions name",
    Settles in "discards-rot" {
        fn wants(&self, is_needed: bool, is_named: bool) -> bool {
            is_needed || is_named
        }
    }

    DeleteForgottenEarly "delete-forgotten-early"
    "a node forgets a delete that other nodes may not hold yet",
    AckedWritesSurvive in "forgets" {
        fn forgets(&self, heads: &[Entry], _: &VersionVector) -> bool {
            matches!(heads, [only] if only.change == Change::Delete)
        }
    }

    DeleteDoesNotYield "delete-does-not-yield"
    "a delete stays beside the write of a node that had forgotten it",
    LogBeforeApply in "forgets" {
        fn yields(&self, _: &Entry, _: &Entry) -> bool {
            false
        }
    }

    DeleteYieldsToAll "delete-yields-to-all"
    "a delete gives way to every write whose author had seen it",
    AckedWritesSurvive in "forgets-conflict" {
        fn yields(&self, head: &Entry, entry: &Entry) -> bool {
            head.change == Change::Delete && entry.context.covers(head.dot)
        }
    }

    StableByPeersAlone "stable-by-peers-alone"
    "a leader takes for stable what its peers hold, although they hold entries that it lacks",
    Settles in "forgets-narrow" {
        fn stable(&self, synced: &VersionVector, acked: &[VersionVector]) -> VersionVector {
            acked.iter().fold(*synced, |meet, it| meet.meet(it))
        }
    }

    CounterOfHeads "counter-of-heads"
    "a checkpoint holds the highest counter of its heads, without that of forgotten deletes",
    LogBeforeApply in "forgets" {
        fn checkpointed(&self, synced: &Fold, _: &Fold) -> Fold {
            synced.clone().with_counter_of_heads()
        }
    }

    ForgottenWrittenAgain "forgotten-request-written-again"
    "a leader writes a retry again whose entry was replaced by a delete that it has forgotten",
    NothingFromNowhere in "forgets-retries" {
        fn recognises_forgotten(&self) -> bool {
            false
        }
    }

    ForgottenRequestWritten "forgotten-request-written"
    "a leader writes a request that it may have forgotten",
    NothingFromNowhere in "forgets-requests" {
        fn may_be_forgotten(&self, _: Counter, _: Counter) -> bool {
            false
        }
    }

    SeenIgnored "seen-counter-ignored"
    "the counter of an entry may be below the one that its client had seen",
    EffectBeatsCause in "forgets-requests" {
        fn next_counter(&self, writing: &Writing<'_>) -> Counter {
            writing.highest.next()
        }
    }
}
