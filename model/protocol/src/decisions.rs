//! Every decision of the protocol, with the right answer as the default.
//!
//! This file is the shortest explanation of the protocol. A *twin* overrides a method with a
//! deliberately wrong answer, and one of the guarantees must catch it.

use std::collections::BTreeSet;

use crate::{
    Append, Change, ContentId, Counter, Digest, Dot, Entry, Epoch, Files, Fold, Incarnation, Log,
    LogIndex, NODES_MAX, NodeId, NodeSet, REMEMBERED, Record, Sequence, SessionId, Settings, State,
    Tag, VersionVector, Writing,
};

/// The decisions of the protocol, and below them those of its surroundings.
pub trait Decisions: Send + Sync {
    // Durability: output waits for the log.

    /// Whether output that rests on the log up to `explained_by` may leave the node.
    fn may_leave(&self, explained_by: LogIndex, synced: LogIndex) -> bool {
        explained_by <= synced
    }

    /// The version vector by which a leader decides whether it has a copy of a write itself.
    fn own_copy<'a>(
        &self,
        synced: &'a VersionVector,
        logged: &'a VersionVector,
    ) -> &'a VersionVector {
        let _ = logged;
        synced
    }

    /// The files that a node shows.
    fn shown<'a>(&self, synced: &'a Files, logged: &'a Files) -> &'a Files {
        let _ = logged;
        synced
    }

    /// Whether recovery replays the entries of the log.
    fn replays(&self) -> bool {
        true
    }

    /// Whether recovery reads from the log which requests already have an entry.
    // Ensures: G11, because a retry after a restart finds the entry of its first try.
    fn recovers_requests(&self) -> bool {
        true
    }

    // Epochs: whose messages count.

    /// The epoch for which a node becomes a candidate when its election timer has run out.
    // Ensures: G4, because an epoch contains the id of the only node that may lead it.
    fn next_epoch(&self, promise: Epoch, node: NodeId) -> Epoch {
        Epoch { round: promise.round.next(), node }
    }

    /// Whether a node follows an Append of this epoch.
    fn follows(&self, epoch: Epoch, promise: Epoch) -> bool {
        epoch >= promise
    }

    /// Whether a node votes for a candidate of this epoch.
    fn grants_vote(&self, candidate: Epoch, promise: Epoch) -> bool {
        candidate > promise
    }

    /// Whether a node that leads, or has heard its leader, refuses pre-votes.
    fn refuses_pre_votes(&self) -> bool {
        true
    }

    /// Whether a leader keeps leading when its election timer runs out. `heard` is the leader
    /// itself with the nodes that voted for it or sent it an Ack since the timer ran out last.
    fn suffices_to_lead(&self, settings: Settings, heard: NodeSet) -> bool {
        settings.acknowledges(heard)
    }

    /// Whether an Append that a node follows counts as a sign of life of the leader, so that the node
    /// restarts its election timer. Every such Append does.
    fn is_heard(&self, append: &Append) -> bool {
        let _ = append;
        true
    }

    /// Whether a node that receives a higher promise in a Reject logs it, so that it next becomes a
    /// candidate for an epoch above that promise.
    // Ensures: G12, because otherwise a candidate that is many rounds behind gains one per timeout.
    fn logs_heard_promise(&self) -> bool {
        true
    }

    /// Whether a voter logs its promise before it votes.
    fn logs_vote(&self) -> bool {
        true
    }

    /// The records for a new promise and the entries or the state that came with it, in the order in which
    /// a follower logs them. The promise is first, so that a crash cannot leave entries of an epoch that
    /// the node never promised.
    // Ensures: G9, because a promise is on disk before any entry of its epoch.
    fn batch(&self, promise: Option<Epoch>, brought: Vec<Record>) -> Vec<Record> {
        promise.map(Record::Promise).into_iter().chain(brought).collect()
    }

    /// Whether an Ack for epoch `acked` counts for the leader of epoch `leading`.
    fn ack_counts(&self, acked: Epoch, leading: Epoch) -> bool {
        acked == leading
    }

    /// Whether a Vote for epoch `voted` counts for the candidate or leader of epoch `asked`.
    // Ensures: G4, because a voter has promised the epoch in its Vote, and possibly no other.
    fn vote_counts(&self, voted: Epoch, asked: Epoch) -> bool {
        voted == asked
    }

    // Entries: names, order, and which of them a node keeps.

    /// The sequence number of the next entry.
    fn next_sequence(&self, newest: Sequence) -> Sequence {
        newest.next()
    }

    /// The sequence number from which a recovered node continues, given that of its newest own entry
    /// in the log.
    fn recovered_sequence(&self, logged: Sequence) -> Sequence {
        logged
    }

    /// The incarnation of a recovered node, given the one that its driver has chosen for this start.
    // Ensures: G2, because whatever a node makes after a rollback differs in its lineage from what it made before.
    fn recovered_incarnation(&self, chosen: Incarnation) -> Incarnation {
        chosen
    }

    /// The Lamport counter of the next entry.
    // Ensures: G7, because every entry that a writer had seen is in its log, and the client names the highest
    // counter that it had seen.
    fn next_counter(&self, writing: &Writing<'_>) -> Counter {
        writing.highest.max(writing.seen).next()
    }

    /// The fence of the next entry. With E+W>N it is the leader's epoch, so that no write of a deposed
    /// leader overrides one of its successor.
    // Ensures: G9, because the fence is compared before the counter.
    fn fence(&self, writing: &Writing<'_>) -> Option<Epoch> {
        writing.settings.is_consistent().then_some(writing.epoch)
    }

    /// The heads that a write without a named base replaces: only the visible one.
    fn overwritten(&self, writing: &Writing<'_>) -> Vec<Dot> {
        writing.heads.first().map(|head| head.dot).into_iter().collect()
    }

    /// The place of an entry among the heads of its path, from 0. The first head is visible.
    fn rank(&self, entry: &Entry, heads: &[Entry]) -> usize {
        heads.partition_point(|head| head.stamp > entry.stamp)
    }

    /// Removes the heads of a path that a node need not keep. There are none: a node keeps the losers of
    /// conflicts, and deletes.
    fn keep_heads(&self, heads: &mut Vec<Entry>) {
        let _ = heads;
    }

    /// Whether a node sends `one` before `other`. It sends the lower stamp first, so that the entries
    /// sent so far are causally closed wherever a message ends.
    fn goes_first(&self, one: &Entry, other: &Entry) -> bool {
        one.stamp < other.stamp
    }

    /// Whether a node can log an entry next: it holds the entry before it of the same origin, and every
    /// entry of its context.
    fn closes_no_gap(&self, entry: &Entry, logged: &VersionVector) -> bool {
        entry.dot.sequence == logged.sequence(entry.dot.origin).next()
            && logged.includes(&entry.context)
    }

    // Rolled-back logs: which node halts.

    /// Whether a node has lost synced records: a peer holds the node's own entries up to `held`, and the
    /// node's log ends at `logged`. A node syncs an entry before it sends it, so a whole log never ends
    /// below `held`.
    fn is_rolled_back(&self, held: Sequence, logged: Sequence) -> bool {
        held > logged
    }

    /// Whether a node halts when it receives an entry that differs from the one that it holds under the
    /// same dot.
    fn halts_at_differing_entry(&self) -> bool {
        true
    }

    /// Whether the digest that a peer sent for a version vector differs from this node's digest for the
    /// same vector, so that the two nodes hold different entries.
    fn digests_differ(&self, received: Digest, expected: Digest) -> bool {
        received != expected
    }

    /// Whether the digest that an entry carries for its context differs from this node's digest for the
    /// same vector, so that this node and the entry's writer had different entries.
    fn context_differs(&self, carried: Digest, expected: Digest) -> bool {
        carried != expected
    }

    /// Whether a node that has the entries of `held` has lost synced records, given entries that all nodes hold.
    fn lacks_stable(&self, held: &VersionVector, stable: &VersionVector) -> bool {
        !held.includes(stable)
    }

    /// Whether a leader believes the first Ack of a session when it covers less than the peer
    /// acknowledged in an earlier session of the same epoch, and sends the missing entries again.
    fn believes_lower_ack(&self) -> bool {
        true
    }

    // Replication: which entries a node sends to which peer.

    /// Whether a candidate logs the entries of its voters that it lacks.
    fn learns_from_votes(&self) -> bool {
        true
    }

    /// Whether a leader sends a synced entry to its followers. It sends all, including those that it
    /// received from others.
    fn forwards(&self, entry: &Entry, leader: NodeId) -> bool {
        let _ = (entry, leader);
        true
    }

    /// The number of entries under way to a peer: sent and not acknowledged.
    fn under_way(&self, sent: &VersionVector, acknowledged: &VersionVector) -> u64 {
        sent.beyond(acknowledged)
    }

    /// Whether a heartbeat sends unacknowledged entries again on a network that can lose messages.
    fn rewinds(&self) -> bool {
        true
    }

    /// Whether a candidate has all entries that a voter had when it voted.
    // Ensures: G5, because a leader shows the entries that it has synced.
    fn has_learned(
        &self,
        synced: &VersionVector,
        logged: &VersionVector,
        voted: &VersionVector,
    ) -> bool {
        let _ = logged;
        synced.includes(voted)
    }

    /// Whether a leader, at a link-up, stops counting entries as sent that the peer has not acknowledged,
    /// and sends them again.
    fn resends_on_link_up(&self) -> bool {
        true
    }

    /// Whether a node drops the messages that it holds for a peer when the session with it ends.
    fn drops_held_output(&self) -> bool {
        true
    }

    /// Whether a message belongs to the session that this end has seen begin and not end.
    fn is_of_session(&self, session: SessionId, current: Option<SessionId>) -> bool {
        current == Some(session)
    }

    // Trimmed logs: what a checkpoint holds, and the state that stands for dropped entries.

    /// The fold that a checkpoint holds.
    fn checkpointed(&self, synced: &Fold, logged: &Fold) -> Fold {
        let _ = logged;
        synced.clone()
    }

    /// The entries that all nodes hold, given those that this leader has synced and those that each peer has
    /// acknowledged. Unless the leader has synced all of the latter, it knows of none: a peer may hold an
    /// entry that the leader lacks, whose author did not know a stable delete.
    // Ensures: G2, because a delete that is stable wins over every entry that can still arrive, or was seen by
    // its author.
    fn stable(&self, synced: &VersionVector, acked: &[VersionVector]) -> VersionVector {
        match acked.iter().all(|it| synced.includes(it)) {
            true => acked.iter().fold(*synced, |meet, it| meet.meet(it)),
            false => VersionVector::default(),
        }
    }

    /// Whether a node that trims its log forgets a path with these heads: a delete that all nodes hold, and
    /// nothing else.
    // Ensures: G1, because a delete that is forgotten has taken effect everywhere.
    fn forgets(&self, heads: &[Entry], stable: &VersionVector) -> bool {
        matches!(heads, [only] if only.change == Change::Delete && stable.covers(only.dot))
    }

    /// Whether a head gives way to an entry of its path that does not name it. A delete does, if the author of
    /// the entry had it and saw no version: the author had forgotten the delete, and could not name it.
    // Ensures: G2, because nodes that have forgotten the delete show the entry alone.
    fn yields(&self, head: &Entry, entry: &Entry) -> bool {
        head.change == Change::Delete && entry.replaces.is_empty() && entry.context.covers(head.dot)
    }

    /// Whether a leader acknowledges a retry whose path has no versions any more, once enough nodes hold the
    /// first entry. A delete that the leader has forgotten replaced that entry, or is that entry.
    // Ensures: G11, because the leader does not write the request again.
    fn recognises_forgotten(&self) -> bool {
        true
    }

    /// The heads of a path that a node sends as state. It sends all, conflict versions included.
    fn sent_heads<'a>(&self, heads: &'a [Entry]) -> &'a [Entry] {
        heads
    }

    /// Whether a part of a state is the last one, so that the receiver joins the state.
    fn completes(&self, part: &State) -> bool {
        part.until.is_none()
    }

    /// Whether state carries the requests of the entries that it stands for.
    // Ensures: G11, because a retry finds its entry also at a node that got state instead of it.
    fn carries_requests(&self) -> bool {
        true
    }

    /// Whether a node that has `logged` can log a state that builds on `since`. A leader may send state to a
    /// peer that has less than the leader assumes.
    // Ensures: G8, because state stands for the entries beyond `since` only.
    fn can_join(&self, since: &VersionVector, logged: &VersionVector) -> bool {
        logged.includes(since)
    }

    /// The heads of a path once a node has logged a state, given those of the node and of the state, each
    /// with the vector of its side. A head that one side lacks although its vector covers it was replaced
    /// there. The order is that of [`Decisions::rank`].
    fn join_heads(
        &self,
        mine: (&[Entry], &VersionVector),
        theirs: (&[Entry], &VersionVector),
    ) -> Vec<Entry> {
        let (mine, my_vv) = mine;
        let (theirs, their_vv) = theirs;
        let survives = |it: &&Entry, others: &[Entry], seen: &VersionVector| {
            !seen.covers(it.dot) || others.iter().any(|other| other.dot == it.dot)
        };
        let kept = mine.iter().filter(|it| survives(it, theirs, their_vv));
        let mut joined: Vec<Entry> = kept.cloned().collect();
        for head in theirs.iter().filter(|it| !my_vv.covers(it.dot)) {
            let rank = self.rank(head, &joined);
            joined.insert(rank, head.clone());
        }
        joined
    }

    /// The floor of a node that has logged a state: `before` is the vector that it had logged. Of an origin
    /// whose entries it had as far as the sender, the node lacks none.
    fn raised_floor(
        &self,
        floor: &VersionVector,
        before: &VersionVector,
        vv: &VersionVector,
    ) -> VersionVector {
        let mut raised = *floor;
        for origin in NodeId::all(NODES_MAX) {
            let sequence = vv.sequence(origin);
            if sequence > before.sequence(origin) {
                raised.insert(Dot { origin, sequence });
            }
        }
        raised
    }

    // Replacements: what the new log of a node holds whose log is lost.

    /// Whether the new log takes over what is in the log of a node. It takes over all: the one that is left
    /// out may hold a promise or an entry that no other holds.
    fn joins_log_of(&self, node: NodeId) -> bool {
        let _ = node;
        true
    }

    /// The fold with which the new log of a node begins, given what all other logs amount to together.
    fn replacement(&self, joined: Fold, node: NodeId) -> Fold {
        let _ = node;
        joined
    }

    // Clients: which answers they get, and when.

    /// Whether a leader answers a linearizable read that these nodes have confirmed.
    fn confirms_read(&self, settings: Settings, confirmed: NodeSet) -> bool {
        settings.acknowledges(confirmed)
    }

    /// Whether an Ack with tag `acked` confirms a read that began with tag `first`. A follower may have
    /// sent an Ack with a lower tag before the read began, and may have elected a successor since.
    fn is_asked_since(&self, acked: Tag, first: Tag) -> bool {
        acked >= first
    }

    /// Whether a follower that has synced `acked` holds all entries that a read saw.
    fn has_what_was_read(&self, acked: &VersionVector, seen: &VersionVector) -> bool {
        acked.includes(seen)
    }

    /// The version that a linearizable read returns: `at_start` was visible when the read began,
    /// `at_end` is visible when W nodes have confirmed it.
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

    /// Whether a leader recognises the retry of a request for which its log holds an entry.
    fn recognises_retries(&self) -> bool {
        true
    }

    /// Whether a leader refuses a write whose request id already belongs to a different write.
    fn compares_retries(&self) -> bool {
        true
    }

    /// Whether a leader refuses request `number`, which its log does not hold, because the log holds the
    /// later request `newest` of the same client. The earlier one is a late copy, and its entry would
    /// overrule the client's later write.
    fn is_superseded(&self, number: u64, newest: u64) -> bool {
        // `<=` would do as well: the log holds request `newest`.
        number < newest
    }

    /// The Lamport counter below which a node forgets requests, given the highest one in its log.
    fn horizon(&self, highest: Counter) -> Counter {
        Counter(highest.0.saturating_sub(REMEMBERED))
    }

    /// Whether a leader refuses a request that its log does not hold, because it may have forgotten it. The
    /// entry of a request has a higher counter than its client had `seen`, so that an entry which the leader
    /// has forgotten implies `seen < horizon`.
    // Ensures: G11, because the leader does not write a forgotten request again.
    fn may_be_forgotten(&self, seen: Counter, horizon: Counter) -> bool {
        seen < horizon
    }

    /// Whether a leader sends a refusal that reveals the state of a file only after W nodes have confirmed
    /// that it still leads.
    fn confirms_refusals(&self) -> bool {
        true
    }

    /// Whether a leader re-issues the entry of a retried request under its own epoch before it
    /// acknowledges the request. It does so if the entry has an older fence: a write of an epoch between
    /// the two may still overrule such an entry, however many copies exist. Entries of older terms in
    /// Raft have the same problem (Ongaro and Ousterhout, "In Search of an Understandable Consensus
    /// Algorithm", 2014, section 5.4.2).
    // Ensures: G1, because an acknowledged entry carries the fence of the leader that acknowledges it.
    fn renews(&self, fence: Option<Epoch>, leading: Epoch) -> bool {
        fence.is_some_and(|fence| fence < leading)
    }

    /// Whether a deposed leader answers its unfinished writes with "unknown" rather than "refused".
    fn admits_unknown_outcomes(&self) -> bool {
        true
    }

    // Content.

    /// Whether a node logs an entry only when its content is durable.
    fn waits_for_content(&self) -> bool {
        true
    }

    /// Whether a recovered node asks its peers for the contents that its log names and its disk lacks.
    // Ensures: G12, because peers send a content by themselves only with an entry that the node has
    // not acknowledged.
    fn asks_after_recovery(&self) -> bool {
        true
    }

    /// Whether a leader makes an entry that names a content only if its copy was uploaded or verified for this write.
    fn verifies_named_copies(&self) -> bool {
        true
    }

    /// Whether a node handles an Append that waited for its contents as if it had just arrived, and so
    /// compares its epoch with the promise again.
    fn judges_again(&self) -> bool {
        true
    }

    /// Whether a node asks for a content that it lacks. `is_needed` says that a head, an unsynced entry or
    /// a waiting message names the content, `is_named` that any entry of the log does.
    // Ensures: G12, because peers may have deleted a content that only replaced entries name.
    fn wants(&self, is_needed: bool, is_named: bool) -> bool {
        let _ = is_named;
        is_needed
    }

    /// Whether a node that trims its log keeps a content: an entry of the log or of an incomplete state names
    /// it; or it is among `others`, which waiting messages, messages about to leave and clients' uploads
    /// name.
    // Ensures: G10, because a node deletes no content of a version that it shows, or may yet show or send.
    fn keeps_content(
        &self,
        content: ContentId,
        (log, synced): (&Log, &Fold),
        others: &BTreeSet<ContentId>,
    ) -> bool {
        let _ = synced;
        log.names(content) || others.contains(&content)
    }

    /// Whether a node drops the waiting messages of a peer that name a content which the peer no longer has
    /// nor names.
    // Ensures: G12, because the content may be gone everywhere, and the peer sends state instead.
    fn heeds_gone(&self) -> bool {
        true
    }

    /// Whether a node asks a peer again whose answer brought no content.
    // Ensures: G12, because the peer may have deleted the content after it answered, and says so.
    fn asks_sender_again(&self) -> bool {
        true
    }

    /// Whether a node that gets a content from one peer notes the answer of another one, which lacked the content
    /// before.
    // Ensures: G12, because a peer that has answered does not answer again by itself.
    fn notes_late_answer(&self) -> bool {
        true
    }

    /// Whether a node that has forgotten which parts of a state it sent resumes behind those that the receiver has.
    // Ensures: G12, because otherwise a voter that asks for pre-votes sends a candidate the first part again and again.
    fn resumes_from_staged(&self) -> bool {
        true
    }

    /// Whether a node begins to send a state again of which it has sent some parts; `is_lost` says that the next
    /// part names a content that the node has deleted since.
    fn begins_again(&self, is_lost: bool) -> bool {
        is_lost
    }

    /// Whether a leader stops sending a state once it learns that the peer lacks entries on which the state builds.
    // Ensures: G12, because the peer refuses each part, and a leader sends no other while one is under way.
    fn drops_refused_state(&self) -> bool {
        true
    }

    /// Whether a leader or candidate that dropped such messages asks the peer for their entries again.
    fn asks_for_dropped(&self) -> bool {
        true
    }

    /// Whether a node that tells a peer that a content is gone goes back to the entries that the peer has
    /// acknowledged.
    fn sends_again_after_gone(&self) -> bool {
        true
    }

    // Decisions of the surroundings: the disk and the delivery of messages.

    /// Whether recovery accepts a record that was only half written when the node crashed.
    fn trusts_torn_record(&self) -> bool {
        false
    }

    /// Whether a node uses a content although the hash of its bytes is not its id.
    fn trusts_unverified_content(&self) -> bool {
        false
    }

    /// Whether a node serves a copy of a content that it knows to be bad.
    fn serves_bad_copies(&self) -> bool {
        false
    }

    /// Whether a message waits until the receiving node has seen the link-up of its session.
    fn waits_for_link_up(&self) -> bool {
        true
    }
}

/// The right protocol: every decision has its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steadfast;

impl Decisions for Steadfast {}
