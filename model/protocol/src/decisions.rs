//! Every point at which the protocol decides, with the right answer as the default.
//!
//! This file is the shortest explanation of the protocol. A *twin* overrides one method with a
//! deliberately wrong answer that some guarantee must catch.

use std::cmp::Reverse;

use crate::{
    Append, Counter, Digest, Dot, Entry, Epoch, NodeId, NodeSet, Position, Record, Sequence,
    SessionId, Settings, Tag, VersionVector,
};

/// What a leader knows when it makes an entry.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// The settings of the cluster.
    pub settings: Settings,
    /// The leader.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The highest Lamport counter in its log.
    pub highest: Counter,
    /// The newest sequence number of its own.
    pub sequence: Sequence,
    /// The logged heads of the path, the visible one first.
    pub heads: &'a [Entry],
}

/// The decisions of the protocol, and below them those of its surroundings.
pub trait Decisions: Send + Sync {
    // Durability: what waits for the log.

    /// Whether output explained by the log up to `explained_by` may leave the node.
    fn may_leave(&self, explained_by: Position, synced: Position) -> bool {
        explained_by <= synced
    }

    /// What a leader counts as its own copy of a write.
    fn own_copy<'a>(
        &self,
        synced: &'a VersionVector,
        logged: &'a VersionVector,
    ) -> &'a VersionVector {
        let _ = logged;
        synced
    }

    /// How much of the log is applied to the files.
    fn applied(&self, synced: Position, logged: Position) -> Position {
        let _ = logged;
        synced
    }

    /// Whether recovery replays the entries of the log.
    fn replays(&self) -> bool {
        true
    }

    /// Whether recovery learns from the log which requests were written.
    // Ensures: G11, because a retry after a restart finds what its first try wrote.
    fn recovers_requests(&self) -> bool {
        true
    }

    // Epochs: who may speak.

    /// The epoch that a node asks for when its election timeout expires.
    // Ensures: G4, because an epoch names the only node that may lead it.
    fn next_epoch(&self, promise: Epoch, node: NodeId) -> Epoch {
        Epoch { round: promise.round.next(), node }
    }

    /// Whether an Append of this epoch is followed.
    fn follows(&self, epoch: Epoch, promise: Epoch) -> bool {
        epoch >= promise
    }

    /// Whether a candidate of this epoch gets a vote.
    fn grants_vote(&self, candidate: Epoch, promise: Epoch) -> bool {
        candidate > promise
    }

    /// Whether a node that hears a leader refuses pre-votes.
    fn refuses_pre_votes(&self) -> bool {
        true
    }

    /// Whether a leader that has heard these nodes since its election timer ran out last, itself
    /// included, goes on to lead.
    fn suffices_to_lead(&self, settings: Settings, heard: NodeSet) -> bool {
        settings.acknowledges(heard)
    }

    /// Whether an Append that is followed shows that the leader is there, so that nobody need ask for
    /// the next epoch: every one does.
    fn is_heard(&self, append: &Append) -> bool {
        let _ = append;
        true
    }

    /// Whether a node that hears of a higher promise logs it, so that its next candidature is for an
    /// epoch above it.
    // Ensures: G12, because otherwise each timeout raises a candidate that is far behind by one round.
    fn logs_heard_promise(&self) -> bool {
        true
    }

    /// Whether a voter logs its promise before it votes.
    fn logs_vote(&self) -> bool {
        true
    }

    /// The order in which a follower logs a new promise and the entries it came with: the promise
    /// first, so that no crash leaves entries of an epoch that the node never promised.
    // Ensures: G9, because a promise is on disk before any entry of its epoch.
    fn batch(&self, promise: Option<Epoch>, entries: Vec<Entry>) -> Vec<Record> {
        let promise = promise.map(Record::Promise).into_iter();
        promise.chain(entries.into_iter().map(Record::Entry)).collect()
    }

    /// Whether an Ack for this epoch counts for a leader of that one.
    fn ack_counts(&self, acked: Epoch, leading: Epoch) -> bool {
        acked == leading
    }

    /// Whether a Vote for this epoch is one for a candidate or leader of that epoch.
    // Ensures: G4, because a voter has promised the epoch that its Vote names, and maybe no other.
    fn vote_counts(&self, voted: Epoch, asked: Epoch) -> bool {
        voted == asked
    }

    // Entries: names, order and what is kept.

    /// The sequence number of the next entry.
    fn next_sequence(&self, newest: Sequence) -> Sequence {
        newest.next()
    }

    /// The newest own sequence number after a recovery, given the newest one in the log.
    fn recovered_sequence(&self, logged: Sequence) -> Sequence {
        logged
    }

    /// The Lamport counter of the next entry.
    // Ensures: G7, because what a writer had seen is in its log.
    fn next_counter(&self, writing: &Writing<'_>) -> Counter {
        writing.highest.next()
    }

    /// The fence of the next entry: with E+W>N the epoch, so that no write of a deposed leader
    /// overrides one of its successor.
    // Ensures: G9, because the fence is compared before the counter.
    fn fence(&self, writing: &Writing<'_>) -> Option<Epoch> {
        writing.settings.is_consistent().then_some(writing.epoch)
    }

    /// The heads that a write without a named base takes the place of: the visible one only.
    fn overwritten(&self, writing: &Writing<'_>) -> Vec<Dot> {
        writing.heads.first().map(|head| head.dot).into_iter().collect()
    }

    /// Where an entry stands among the heads of its path; the first is visible.
    fn rank(&self, entry: &Entry, heads: &[Entry]) -> usize {
        heads.partition_point(|head| head.stamp > entry.stamp)
    }

    /// Drops what need not be kept of a path's heads: nothing, neither a conflict's loser nor a
    /// delete.
    fn keep_heads(&self, heads: &mut Vec<Entry>) {
        let _ = heads;
    }

    /// Which of two entries is sent first: the one with the lower stamp, so that every prefix is
    /// causally closed, wherever a message ends.
    fn goes_first(&self, one: &Entry, other: &Entry) -> bool {
        one.stamp < other.stamp
    }

    /// Whether an entry can be logged next: no gap before it, and all it had seen is held.
    fn closes_no_gap(&self, entry: &Entry, logged: &VersionVector) -> bool {
        entry.dot.sequence == logged.sequence(entry.dot.origin).next()
            && logged.includes(&entry.context)
    }

    // Logs that were rolled back: who goes on.

    /// Whether a node of which a peer holds this many own entries has lost records of its log: it
    /// has fewer. An entry is synced before it leaves its node.
    fn is_rolled_back(&self, held: Sequence, logged: Sequence) -> bool {
        held > logged
    }

    /// Whether a node stops when it is sent another entry under a dot that it holds, too.
    fn stops_at_another_entry(&self) -> bool {
        true
    }

    /// Whether a peer holds other entries up to a vector than this node: their digests differ.
    fn tells_apart(&self, told: Digest, expected: Digest) -> bool {
        told != expected
    }

    /// Whether a leader believes a peer that says it has less than it acknowledged in an earlier
    /// session of this epoch, and sends it the rest again.
    fn believes_lower_ack(&self) -> bool {
        true
    }

    // Replication: who is told what.

    /// Whether a candidate logs what its voters have and it lacks.
    fn learns_from_votes(&self) -> bool {
        true
    }

    /// Which synced entries a leader offers to its followers: all, also those it learned.
    fn forwards(&self, entry: &Entry, leader: NodeId) -> bool {
        let _ = (entry, leader);
        true
    }

    /// How many entries are under way to a peer: sent, and not acknowledged.
    fn under_way(&self, sent: &VersionVector, acknowledged: &VersionVector) -> u64 {
        sent.beyond(acknowledged)
    }

    /// Whether a heartbeat sends again what is not acknowledged, where messages can be lost.
    fn rewinds(&self) -> bool {
        true
    }

    /// Whether a candidate has all that a voter had.
    // Ensures: G5, because what a leader shows is what it has synced.
    fn has_learned(
        &self,
        synced: &VersionVector,
        logged: &VersionVector,
        voted: &VersionVector,
    ) -> bool {
        let _ = logged;
        synced.includes(voted)
    }

    /// Whether a link-up resets what was believed sent to what was acknowledged.
    fn resends_on_link_up(&self) -> bool {
        true
    }

    /// Whether the end of a session drops the output held for that peer.
    fn drops_held_output(&self) -> bool {
        true
    }

    /// Whether a message is of the session that this end has seen begin.
    fn is_of_session(&self, session: SessionId, current: Option<SessionId>) -> bool {
        current == Some(session)
    }

    // Clients: what they are told.

    /// Whether a linearizable read is answered once these nodes have confirmed it.
    fn confirms_read(&self, settings: Settings, confirmed: NodeSet) -> bool {
        settings.acknowledges(confirmed)
    }

    /// Whether an Ack that answers the Append with the tag `acked` confirms a read whose first tag is
    /// `first`: an older one left its follower before the read began, and a successor may have been
    /// elected since.
    fn is_asked_since(&self, acked: Tag, first: Tag) -> bool {
        acked >= first
    }

    /// Whether a follower that has synced `acked` has everything that a read saw.
    fn has_what_was_read(&self, acked: &VersionVector, seen: &VersionVector) -> bool {
        acked.includes(seen)
    }

    /// What a linearizable read returns, of the version shown when it began and the one shown when
    /// it is confirmed.
    fn read_value<'a>(
        &self,
        at_start: Option<&'a Entry>,
        at_end: Option<&'a Entry>,
    ) -> Option<&'a Entry> {
        let _ = at_end;
        at_start
    }

    /// Whether a stale read returns entries that are logged and not yet synced.
    fn reads_unsynced(&self) -> bool {
        false
    }

    /// Whether a retry of a request that the log already holds is recognised.
    fn recognises_retries(&self) -> bool {
        true
    }

    /// Whether a leader refuses a write that has the request id of another one.
    fn compares_retries(&self) -> bool {
        true
    }

    /// Whether a write that is not logged is refused because a later one of its client is: it is a
    /// late copy, and would overrule that one.
    fn is_superseded(&self, number: u64, newest: u64) -> bool {
        number < newest
    }

    /// Whether a refusal that tells of a file waits until W nodes have confirmed the leader.
    fn confirms_refusals(&self) -> bool {
        true
    }

    /// Whether a leader writes a retried entry anew, in place of itself, before it acknowledges it:
    /// one with an older fence, which a write between the two epochs may yet overrule however many
    /// copies there are. The same holds for the entries of older terms in Raft (Ongaro and
    /// Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section 5.4.2).
    // Ensures: G1, because what is acknowledged carries the fence of the leader that does it.
    fn renews(&self, fence: Option<Epoch>, leading: Epoch) -> bool {
        fence.is_some_and(|fence| fence < leading)
    }

    /// Whether a deposed leader tells its clients that it does not know, instead of "refused".
    fn admits_unknown_outcomes(&self) -> bool {
        true
    }

    // Content.

    /// Whether an entry waits until its content is durable.
    fn waits_for_content(&self) -> bool {
        true
    }

    /// Whether a recovered node asks for the contents that its log names and its disk lacks.
    // Ensures: G12, because nobody offers a content whose entry the node has acknowledged.
    fn asks_after_recovery(&self) -> bool {
        true
    }

    /// Whether an Append that waited for content is judged again, as if it had just arrived.
    fn judges_again(&self) -> bool {
        true
    }

    // What the surroundings decide: the disk and the delivery of messages.

    /// Whether recovery takes a record that was half written when the node crashed for a whole one.
    fn trusts_torn_record(&self) -> bool {
        false
    }

    /// Whether a stored result is used although its hash is not the named one.
    fn trusts_unverified_content(&self) -> bool {
        false
    }

    /// Whether a copy is served although it is known to be bad.
    fn serves_bad_copies(&self) -> bool {
        false
    }

    /// Whether a message of a session waits until the receiving end has seen its link-up.
    fn waits_for_link_up(&self) -> bool {
        true
    }
}

/// The protocol as it is: every default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steadfast;

impl Decisions for Steadfast {}

/// Sorts heads as [`Decisions::rank`] does, for whoever computes them from nothing.
pub(crate) fn sort_heads(heads: &mut [Entry]) {
    heads.sort_by_key(|head| Reverse(head.stamp));
}
