//! The twins whose logs and contents are whole, each with its wrong decision.

use steadfast_protocol::{
    Counter, Decisions, Digest, Dot, Entry, Epoch, Files, Incarnation, LogIndex, NodeId, NodeSet,
    Record, Sequence, SessionId, Settings, Tag, VersionVector, Writing,
};

use super::{Twin, Variant};
use crate::GuaranteeId;

twins! {
    AckBeforeSync "ack-before-sync"
    "a node sends answers before the records on which they rest are on disk",
    AckedWritesSurvive in "replicate" {
        fn may_leave(&self, _: LogIndex, _: LogIndex) -> bool {
            true
        }
    }

    CountSelfBeforeSync "count-self-before-sync"
    "a leader counts its own copy of a write before that copy is on disk",
    AckedWritesSurvive in "available" {
        fn own_copy<'a>(&self, _: &'a VersionVector, logged: &'a VersionVector) -> &'a VersionVector {
            logged
        }
    }

    ApplyBeforeLog "apply-before-log"
    "a node applies entries before they are on disk",
    LogBeforeApply in "replicate" {
        fn shown<'a>(&self, _: &'a Files, logged: &'a Files) -> &'a Files {
            logged
        }
    }

    SkipReplay "skip-replay"
    "a recovered node does not replay its entries",
    LogBeforeApply in "replicate" {
        fn replays(&self) -> bool {
            false
        }
    }

    TrustTornTail "trust-torn-tail"
    "recovery accepts a half-written record as a whole one",
    NothingFromNowhere in "replicate" {
        fn trusts_torn_record(&self) -> bool {
            true
        }
    }

    LastWriteByArrival "last-write-by-arrival"
    "the entry that arrived last is the visible one",
    VersionsNeverGoBack in "conflicts" {
        fn rank(&self, _: &Entry, _: &[Entry]) -> usize {
            0
        }
    }

    LastWriteByWallClock "last-write-by-wall-clock"
    "stamps come from the nodes' wall clocks, and node 0's is ahead",
    EffectBeatsCause in "available" {
        fn next_counter(&self, writing: &Writing<'_>) -> Counter {
            let now = if writing.node == NodeId(0) { 1_000 } else { 0 };
            Counter(now + writing.sequence.0 + 1)
        }
    }

    AcceptLowerEpoch "accept-lower-epoch"
    "a follower follows a leader of an epoch lower than its promise",
    Linearizable in "reads" {
        fn follows(&self, _: Epoch, _: Epoch) -> bool {
            true
        }
    }

    VoteNotLogged "vote-not-logged"
    "a voter votes without logging its promise",
    Linearizable in "reads" {
        fn logs_vote(&self) -> bool {
            false
        }
    }

    VoteTwice "vote-twice"
    "a voter votes for two candidates of one round",
    DeposedLeadersDoNotOverrule in "elections" {
        fn grants_vote(&self, candidate: Epoch, promise: Epoch) -> bool {
            candidate.round >= promise.round
        }
    }

    EntriesBeforePromise "entries-before-promise"
    "a follower logs the entries of an Append before the promise that came with them",
    DeposedLeadersDoNotOverrule in "replicate" {
        fn batch(&self, promise: Option<Epoch>, brought: Vec<Record>) -> Vec<Record> {
            brought.into_iter().chain(promise.map(Record::Promise)).collect()
        }
    }

    AckWithoutEpoch "ack-without-epoch"
    "a leader counts Acks whatever epoch they are for",
    Linearizable in "three-elections" {
        fn ack_counts(&self, _: Epoch, _: Epoch) -> bool {
            true
        }
    }

    VoteWithoutEpoch "vote-without-epoch"
    "a candidate counts Votes whatever epoch they are for",
    OneLeaderPerEpoch in "votes" {
        fn vote_counts(&self, _: Epoch, _: Epoch) -> bool {
            true
        }
    }

    AckBeforeRead "ack-from-before-the-read"
    "a leader lets an Ack confirm a read although the follower sent it before the read began",
    Linearizable in "reads" {
        fn is_asked_since(&self, _: Tag, _: Tag) -> bool {
            true
        }
    }

    ConfirmedWithoutCopy "read-confirmed-without-copy"
    "a follower that lacks what a read saw confirms it",
    AckedWritesSurvive in "lossy-reads" {
        fn has_what_was_read(&self, _: &VersionVector, _: &VersionVector) -> bool {
            true
        }
    }

    IgnoreLearned "ignore-learned-entries"
    "a candidate does not log the entries of its voters that it lacks",
    Linearizable in "reads" {
        fn learns_from_votes(&self) -> bool {
            false
        }
        fn has_learned(&self, _: &VersionVector, _: &VersionVector, _: &VersionVector) -> bool {
            true
        }
    }

    LeadsBeforeSync "leads-before-sync"
    "a candidate leads once it has logged the entries of its voters, before they are on disk",
    Linearizable in "narrow-votes" {
        fn has_learned(&self, _: &VersionVector, logged: &VersionVector, voted: &VersionVector) -> bool {
            logged.includes(voted)
        }
    }

    ReuseSequence "reuse-sequence"
    "after a crash a node numbers its entries from 1 again",
    NoGaps in "available-crash" {
        fn recovered_sequence(&self, _: Sequence) -> Sequence {
            Sequence(0)
        }
    }

    DifferingEntriesIgnored "differing-entries-ignored"
    "a node goes on when a peer holds a different entry under the same dot",
    ReplicasConverge in "rollback" {
        fn halts_at_differing_entry(&self) -> bool {
            false
        }
        fn digests_differ(&self, _: Digest, _: Digest) -> bool {
            false
        }
        fn context_differs(&self, _: Digest, _: Digest) -> bool {
            false
        }
    }

    DigestsIgnored "digests-ignored"
    "a node compares only the entries that it receives, and assumes that equal vectors cover equal entries",
    ReplicasConverge in "rollback" {
        fn digests_differ(&self, _: Digest, _: Digest) -> bool {
            false
        }
        fn context_differs(&self, _: Digest, _: Digest) -> bool {
            false
        }
    }

    ContextDigestsIgnored "context-digests-ignored"
    "a node logs an entry whose writer had seen other entries than the node holds",
    EffectBeatsCause in "rollback-4" {
        fn context_differs(&self, _: Digest, _: Digest) -> bool {
            false
        }
    }

    IncarnationReused "incarnation-reused"
    "a node goes on in its old incarnation after it has lost a part of its log",
    ReplicasConverge in "rollback" {
        fn recovered_incarnation(&self, _: Incarnation) -> Incarnation {
            Incarnation::default()
        }
    }

    LostDeletesIgnored "lost-deletes-ignored"
    "a node goes on when it, or the author of an entry, lacks a delete that all nodes held",
    ReplicasConverge in "rollback-forgets" {
        fn lacks_stable(&self, _: &VersionVector, _: &VersionVector) -> bool {
            false
        }
    }

    LowerAckIgnored "lower-ack-ignored"
    "a leader assumes that a peer still holds all entries that it once acknowledged, whatever its Acks say",
    ReplicasConverge in "rollback" {
        fn believes_lower_ack(&self) -> bool {
            false
        }
    }

    RolledBackGoesOn "rolled-back-node-goes-on"
    "a node goes on when peers hold entries of its own that it has lost",
    NoGaps in "rollback" {
        fn is_rolled_back(&self, _: Sequence, _: Sequence) -> bool {
            false
        }
    }

    HaltsForNothing "halts-for-nothing"
    "a node halts when a peer holds as many of the node's own entries as its log",
    Settles in "replicate" {
        fn is_rolled_back(&self, held: Sequence, logged: Sequence) -> bool {
            held >= logged && held > Sequence(0)
        }
    }

    NoResync "no-resync-on-reconnect"
    "a leader sends nothing when a link comes up again",
    Settles in "replicate" {
        fn resends_on_link_up(&self) -> bool {
            false
        }
    }

    HeldOutputSurvives "held-output-survives-reconnect"
    "a node keeps the messages that it holds for a peer when the session with the peer ends",
    Settles in "replicate" {
        fn drops_held_output(&self) -> bool {
            false
        }
    }

    NoSessionIds "no-session-ids"
    "a node accepts a message of any session",
    Settles in "one-way" {
        fn is_of_session(&self, _: SessionId, _: Option<SessionId>) -> bool {
            true
        }
        fn waits_for_link_up(&self) -> bool {
            false
        }
    }

    ReadWithoutQuorum "read-without-quorum"
    "a leader answers a linearizable read without asking anybody",
    Linearizable in "reads" {
        fn confirms_read(&self, _: Settings, _: NodeSet) -> bool {
            true
        }
    }

    RefusalWithoutQuorum "refusal-without-quorum"
    "a leader refuses a request because a file does not exist, without asking anybody",
    Linearizable in "refusals" {
        fn confirms_refusals(&self) -> bool {
            false
        }
    }

    ReadTakenLate "read-taken-late"
    "a linearizable read returns the version that is visible when the read is confirmed",
    Linearizable in "two-reads" {
        fn read_value<'a>(&self, _: Option<&'a Entry>, at_end: Option<&'a Entry>) -> Option<&'a Entry> {
            at_end
        }
    }

    EpochWithoutNode "epoch-without-node-id"
    "an epoch is a round without the id of its node",
    OneLeaderPerEpoch in "candidates" {
        fn next_epoch(&self, promise: Epoch, _: NodeId) -> Epoch {
            Epoch { round: promise.round.next(), node: NodeId(0) }
        }
    }

    NoForwarding "no-forwarding"
    "a leader does not forward the entries that it received from others",
    ReplicasConverge in "available" {
        fn forwards(&self, entry: &Entry, leader: NodeId) -> bool {
            entry.dot.origin == leader
        }
    }

    DropLoser "drop-conflict-loser"
    "a node keeps only the visible head of a path",
    AckedWritesSurvive in "conflicts" {
        fn keep_heads(&self, heads: &mut Vec<Entry>) {
            heads.truncate(1);
        }
    }

    OverwriteReplacesAll "overwrite-replaces-all-heads"
    "an ordinary overwrite also replaces conflict versions",
    AckedWritesSurvive in "conflicts" {
        fn overwritten(&self, writing: &Writing<'_>) -> Vec<Dot> {
            writing.heads.iter().map(|head| head.dot).collect()
        }
    }

    NoFence "no-fence"
    "the epoch is not part of the stamp",
    DeposedLeadersDoNotOverrule in "fences" {
        fn fence(&self, _: &Writing<'_>) -> Option<Epoch> {
            None
        }
    }

    NotJudgedAgain "append-not-judged-again"
    "a node follows an Append that waited for content although it has promised a higher epoch meanwhile",
    Linearizable in "contents" {
        fn judges_again(&self) -> bool {
            false
        }
    }

    BadCopyServed "bad-copy-served"
    "a node serves a copy although its hash is wrong",
    ContentIsExact in "rot" {
        fn serves_bad_copies(&self) -> bool {
            true
        }
    }

    DeleteForgotten "delete-forgotten"
    "a delete removes the path instead of becoming its head",
    AckedWritesSurvive in "deletes" {
        fn keep_heads(&self, heads: &mut Vec<Entry>) {
            heads.retain(|head| head.change != steadfast_protocol::Change::Delete);
        }
    }

    WrongBase "delta-on-wrong-base"
    "a node uses the result of a delta although its hash is not the id of the content",
    ContentIsExact in "rot" {
        fn trusts_unverified_content(&self) -> bool {
            true
        }
    }

    LogBeforeContent "log-before-content"
    "a node logs an entry before the content that it names is durable",
    Settles in "contents" {
        fn waits_for_content(&self) -> bool {
            false
        }
    }

    SentByOrigin "sent-by-origin"
    "a node sends entries by origin instead of by stamp, so that a message may lack the causes of its entries",
    Settles in "window-1" {
        fn goes_first(&self, one: &Entry, other: &Entry) -> bool {
            one.dot.origin > other.dot.origin
        }
    }

    NoRewind "no-rewind"
    "a heartbeat does not send again the entries that may be lost",
    Settles in "lossy-window" on_graph {
        fn rewinds(&self) -> bool {
            false
        }
    }

    WindowStaysFull "window-stays-full"
    "a leader counts every entry that it has sent as under way, even if the peer has acknowledged it",
    Settles in "window-1" {
        fn under_way(&self, sent: &VersionVector, _: &VersionVector) -> u64 {
            sent.beyond(&VersionVector::default())
        }
    }

    GapAccepted "gap-accepted"
    "a follower logs entries although it lacks others before them",
    NoGaps in "unordered" {
        fn closes_no_gap(&self, _: &Entry, _: &VersionVector) -> bool {
            true
        }
    }

    RetryWritesTwice "retry-writes-twice"
    "a leader does not recognise a retry",
    NothingFromNowhere in "retries" {
        fn recognises_retries(&self) -> bool {
            false
        }
    }

    LateCopyWritten "late-copy-written"
    "a leader writes a late copy of a request although its client has written since",
    ClientsInOrder in "retries-crash" {
        fn is_superseded(&self, _: u64, _: u64) -> bool {
            false
        }
    }

    StaleReadOfUnsynced "stale-read-of-unsynced"
    "a stale read returns an entry that its node has logged and not synced",
    VersionsNeverGoBack in "stale-reads" {
        fn reads_unsynced(&self) -> bool {
            true
        }
    }

    OldCopiesCount "old-copies-count"
    "a leader acknowledges a retry once enough nodes hold the entry of an older leader",
    AckedWritesSurvive in "retries-2" {
        fn renews(&self, _: Option<Epoch>, _: Epoch) -> bool {
            false
        }
    }

    RequestsForgotten "requests-forgotten"
    "a recovered node does not know which requests its log has entries for",
    NothingFromNowhere in "retries-crash" {
        fn recovers_requests(&self) -> bool {
            false
        }
    }

    MissingNotAskedFor "missing-content-not-asked-for"
    "a recovered node does not ask for the contents that its log names and its disk lacks",
    Settles in "missing-content" {
        fn asks_after_recovery(&self) -> bool {
            false
        }
    }

    HeardPromiseNotLogged "heard-promise-not-logged"
    "a node that is rejected does not log the higher promise that it hears of",
    Settles in "rejected" on_graph {
        fn logs_heard_promise(&self) -> bool {
            false
        }
    }

    PreVotesGranted "pre-votes-granted"
    "a node that hears its leader grants pre-votes",
    Settles in "guarded-link" on_graph {
        fn refuses_pre_votes(&self) -> bool {
            false
        }
    }

    RefusedInsteadOfUnknown "refused-instead-of-unknown"
    "a deposed leader tells its clients that their unfinished writes were refused",
    NothingFromNowhere in "replicate" {
        fn admits_unknown_outcomes(&self) -> bool {
            false
        }
    }
}
