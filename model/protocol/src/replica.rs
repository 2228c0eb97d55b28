//! The replica: the state machine of one node.

mod appends;
mod clients;
mod contents;
mod discards;
mod elections;
mod halting;
mod outbox;
mod pre_votes;
mod reads;
mod recovery;
mod role;
mod sessions;
mod trims;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ContentId, Decisions, Effect, Entry, Epoch, Files, Fold, Halt, Identity, Incarnation, Input,
    Log, LogIndex, Message, NodeId, NodeSet, Packet, Parameters, Record, Sealed, Sequence,
    SessionId, Settings, State, VersionVector,
};

use contents::Contents;
pub use contents::{Waiting, Want};
pub use outbox::Held;
pub(crate) use recovery::replay;
pub use role::{Ballot, Flow, Following, Leadership, PendingRead, PendingWrite, Progress, Role};
use trims::Trimming;

/// One node's state machine.
///
/// Cloning is cheap: clones share the large parts until one of them changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Replica {
    identity: Identity,
    /// This start of the node.
    incarnation: Incarnation,
    parameters: Parameters,
    /// All logged records, synced or not.
    log: Arc<Log>,
    /// The index up to which the log is on disk.
    synced: LogIndex,
    /// Invariant (G3, log-before-apply): the fold of exactly the synced records.
    fold: Fold,
    shown: Shown,
    /// The logged records that are not on disk yet, oldest first.
    tail: Vec<Record>,
    /// The checkpoint that is being written.
    trimming: Option<Trimming>,
    /// Entries that all nodes hold, as leaders said. Invariant: the log has every entry whose author did not
    /// know these. Volatile.
    stable: VersionVector,
    /// The newest sequence number of this node's own entries.
    sequence: Sequence,
    role: Role,
    /// For each peer the session whose link-up this node has seen, and not its link-down.
    sessions: Vec<Option<SessionId>>,
    /// Messages held until the records on which they rest are synced, oldest first.
    outbox: Vec<Held>,
    contents: Contents,
    /// The reason for which this node has halted. Volatile: a restarted node notices the reason again.
    halted: Option<Halt>,
}

/// The files that the node shows. They follow from the folds of the synced and of the logged records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Shown(Files);

impl Hash for Shown {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The handling of one input: the decisions to ask, and the list for the effects.
struct Turn<'a> {
    decisions: &'a dyn Decisions,
    effects: &'a mut Vec<Effect>,
    /// The content that was uploaded or verified for the write being handled.
    verified: Option<ContentId>,
}

impl Replica {
    /// Handles one input and appends its effects, in the order in which the driver must perform them.
    ///
    /// Never panics: an input that makes no sense in this state changes nothing.
    pub fn step(&mut self, decisions: &dyn Decisions, input: Input, effects: &mut Vec<Effect>) {
        let turn = &mut Turn { decisions, effects, verified: None };
        if let Some(halt) = self.halted {
            return self.step_halted(halt, input, turn);
        }
        match input {
            Input::Write(write) => self.on_write(write, turn),
            Input::Read(read) => self.on_read(read, turn),
            Input::Synced(index) => self.on_synced(index, turn),
            Input::ElectionTimeout => self.on_election_timeout(turn),
            Input::Tick => self.on_tick(turn),
            Input::LinkUp { peer, session } => self.on_link_up(peer, session, turn),
            Input::LinkDown { peer } => self.on_link_down(peer, turn),
            Input::Receive { from, packet } => {
                self.on_packet(from, &packet, turn);
                self.judge_covered(turn);
            }
            Input::Stored { content } => {
                self.on_stored(content, turn);
                self.judge_covered(turn);
            }
            Input::Unusable { content } => self.on_unusable(content, turn),
            Input::Fetched { content } => self.on_fetched(content, turn),
            Input::Bad { content } => self.on_bad(content, turn),
            Input::Verified { content } => self.contents.note_verified(content),
            Input::Withdrawn { content } => self.contents.end_upload(content),
            Input::LogFailed => self.halt(Halt::LogFailed, turn),
            Input::Trim => self.on_trim(turn),
            Input::Checkpointed => self.on_checkpointed(turn),
        }
    }

    /// The id of this node.
    #[must_use]
    #[inline]
    pub fn id(&self) -> NodeId {
        self.identity.node
    }

    /// The settings of the cluster.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.identity.settings
    }

    /// This start of the node.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The parameters with which this node was started.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The logged records, synced or not.
    #[must_use]
    #[inline]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The highest epoch this node has vowed to follow.
    #[must_use]
    #[inline]
    pub fn promise(&self) -> Epoch {
        self.log.promise()
    }

    /// The index up to which the log is on disk, as the driver last reported it.
    #[must_use]
    #[inline]
    pub fn synced(&self) -> LogIndex {
        self.synced
    }

    /// The synced entries, as a version vector.
    #[must_use]
    #[inline]
    pub fn synced_vv(&self) -> &VersionVector {
        &self.fold.vv
    }

    /// The fold of the synced records.
    #[must_use]
    #[inline]
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// A copy without entries and contents: it shows the same files and has the same promise, role and folds. Unlike
    /// a clone, it does not make the replica copy its log when that changes.
    #[must_use]
    pub fn outline(&self) -> Replica {
        Replica {
            identity: self.identity,
            incarnation: self.incarnation,
            parameters: self.parameters,
            log: Arc::new(self.log.outline()),
            synced: self.synced,
            fold: self.fold.clone(),
            shown: self.shown.clone(),
            tail: Vec::new(),
            trimming: self.trimming.clone(),
            stable: self.stable,
            sequence: self.sequence,
            role: self.role.clone(),
            sessions: self.sessions.clone(),
            outbox: Vec::new(),
            contents: Contents::default(),
            halted: self.halted,
        }
    }

    /// The files this node shows.
    #[must_use]
    #[inline]
    pub fn files(&self) -> &Files {
        &self.shown.0
    }

    /// The role of this node.
    #[must_use]
    #[inline]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The reason for which this node has halted; `None` while it takes part. A halted node refuses
    /// clients with this reason, sends and acknowledges nothing and does not vote. Its driver closes its
    /// connections and opens no others.
    #[must_use]
    pub fn halted(&self) -> Option<&Halt> {
        self.halted.as_ref()
    }

    /// Whether this node takes part in the cluster, that is, has not halted.
    #[must_use]
    #[inline]
    pub fn takes_part(&self) -> bool {
        self.halted.is_none()
    }

    /// Whether this node believes that it leads.
    #[must_use]
    #[inline]
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The session with a peer whose link-up this node has seen, and not its link-down.
    #[must_use]
    #[inline]
    pub fn session(&self, peer: NodeId) -> Option<SessionId> {
        self.sessions.get(peer.index()).copied().flatten()
    }

    /// The messages held until the records on which they rest are synced.
    #[must_use]
    pub fn outbox(&self) -> &[Held] {
        &self.outbox
    }

    /// The received messages that wait for contents.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        self.contents.waiting()
    }

    /// The contents that this node lacks and asks for.
    #[must_use]
    pub fn wants(&self) -> &[Want] {
        self.contents.wants()
    }

    /// Whether this node believes that it has a good, durable copy of a content.
    #[must_use]
    pub fn has_content(&self, content: crate::ContentId) -> bool {
        self.contents.has(content)
    }

    /// Whether a trim would drop entries: the node has synced some since it was trimmed last, and writes no checkpoint.
    #[must_use]
    pub fn gains_by_trim(&self) -> bool {
        let is_trimming = self.trimming.is_some();
        self.takes_part() && !is_trimming && !self.log.floor().includes(self.synced_vv())
    }

    /// Whether this node has nothing unsynced, holds no output, and waits for no content.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        // Only a twin holds output although its log is synced.
        self.synced == self.log.length() && self.outbox.is_empty() && self.contents.is_idle()
    }

    /// Whether a tick makes this node send something: heartbeats if it leads; and where messages can be
    /// lost, vote requests if it is a candidate, and questions for contents that it lacks.
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        let asks = matches!(self.role, Role::Candidate(_)) || !self.wants().is_empty();
        self.leads() || (self.parameters.retransmits && asks)
    }

    /// Whether this node still has something to achieve with its next tick, where messages can be lost:
    /// the entries of a leader, its question whether it still leads, the vote request of a candidate, or a
    /// question for a content.
    #[must_use]
    pub fn lags(&self) -> bool {
        self.lags_in_role() || !self.wants().is_empty()
    }

    /// As [`Replica::lags`], without the questions for contents.
    #[must_use]
    pub fn lags_in_role(&self) -> bool {
        match &self.role {
            Role::Leader(leader) => {
                // A peer that has not answered in this session may follow another leader.
                let lacks = |peer: NodeId| {
                    let progress = &leader.peers[peer.index()];
                    let has_answered = progress.flow == Flow::Stream;
                    !has_answered || progress.acked.as_ref() != Some(self.synced_vv())
                };
                !leader.reads.is_empty() || self.linked().any(lacks)
            }
            Role::Candidate(ballots) => {
                let complete = elections::complete(ballots, &self.log);
                self.linked().any(|peer| !complete.contains(peer))
            }
            Role::Follower(_) | Role::PreCandidate(_) => false,
        }
    }

    fn nodes(&self) -> u8 {
        self.settings().nodes()
    }

    /// The other nodes of the cluster.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + use<> {
        let own = self.id();
        NodeId::all(self.nodes()).filter(move |node| *node != own)
    }

    /// The peers with which this node has a session.
    pub fn linked(&self) -> impl Iterator<Item = NodeId> {
        self.peers().filter(|peer| self.session(*peer).is_some())
    }

    /// The set that contains only this node.
    fn alone(&self) -> NodeSet {
        [self.id()].into_iter().collect()
    }

    /// The peers with which this node has a session, as a set that outlives changes of the node.
    fn linked_set(&self) -> NodeSet {
        self.linked().collect()
    }

    /// Passes a message of the current session to its handler.
    fn on_packet(&mut self, from: NodeId, packet: &Packet, turn: &mut Turn<'_>) {
        // `is_of_session` accepts no message of a stranger, but a twin that overrides it would.
        let is_peer = from != self.id() && from.0 < self.nodes();
        let current = self.session(from);
        if is_peer && turn.decisions.is_of_session(packet.session, current) {
            self.on_message(from, &packet.message, turn);
        }
    }

    fn on_message(&mut self, from: NodeId, message: &crate::SealedMessage, turn: &mut Turn<'_>) {
        if let Some(halt) = self.contradiction(from, message, turn) {
            return self.halt(halt, turn);
        }
        if self.must_wait(from, message, turn) {
            return self.wait(from, message, turn);
        }
        match &**message {
            Message::Append(append) => self.on_append(from, append, turn),
            Message::Ack(ack) => self.on_ack(from, ack, turn),
            Message::Reject(reject) => self.on_reject(reject, turn),
            Message::VoteRequest(request) => self.on_vote_request(from, request, turn),
            Message::Vote(vote) => self.on_vote(from, vote, turn),
            Message::PreVoteRequest(request) => self.on_pre_vote_request(from, request, turn),
            Message::PreVote(vote) => self.on_pre_vote(from, vote, turn),
            Message::Need(need) => self.on_need(from, need.content, turn),
            Message::Content(reply) => self.on_content(from, reply, turn),
            Message::Gone(gone) => self.on_gone(from, gone.content, turn),
        }
    }

    /// Appends records to the log. The node applies, sends and counts them once they are synced.
    fn append(&mut self, records: Vec<Record>, turn: &mut Turn<'_>) {
        if records.is_empty() {
            return;
        }
        let log = Arc::make_mut(&mut self.log);
        records.iter().for_each(|record| log.push(record, turn.decisions));
        self.tail.extend(records.iter().cloned());
        turn.effects.push(Effect::Append { records });
        self.show(turn.decisions);
    }

    /// Logs the new ones of `entries` up to the first that would leave a gap, or the state that came instead
    /// of them, and `promise` with them. Returns whether anything was new.
    // Ensures: G8, because a node logs an entry only after the entries before it and its context.
    fn learn(
        &mut self,
        promise: Option<Epoch>,
        (entries, state): (&[Entry], Option<&Sealed<State>>),
        turn: &mut Turn<'_>,
    ) -> bool {
        if let Some(state) = state {
            return self.learn_state(promise, state, turn);
        }
        let (mut logged, nodes) = (*self.log.vv(), self.nodes());
        let mut fresh = Vec::new();
        for entry in entries.iter().filter(|it| it.dot.origin.0 < nodes) {
            if logged.covers(entry.dot) {
                continue;
            }
            if !turn.decisions.closes_no_gap(entry, &logged) {
                // Later entries may still fit, but the peer sends all entries after a gap again together
                // with those that fill it.
                break;
            }
            logged.insert(entry.dot);
            fresh.push(entry.clone());
        }
        let is_new = !fresh.is_empty();
        let fresh = fresh.into_iter().map(Record::Entry).collect();
        self.append(turn.decisions.batch(promise, fresh), turn);
        is_new
    }

    /// The log is on disk up to `index`: applies those records, releases the output that they
    /// explain, and continues whatever waited for them.
    // Ensures: G3, because the node applies exactly the synced entries.
    fn on_synced(&mut self, index: LogIndex, turn: &mut Turn<'_>) {
        if self.note_synced(index, turn).is_some() {
            self.review_wants(turn);
            self.release(turn);
            self.maybe_lead(turn);
            self.answer_reads(turn);
            self.replicate(turn);
        }
    }

    /// Notes that the log is on disk up to `index` and applies it; `None` if `index` is below the one
    /// reported before.
    fn note_synced(&mut self, index: LogIndex, turn: &Turn<'_>) -> Option<()> {
        let index = index.min(self.log.length());
        let count = index.0.checked_sub(self.synced.0)?;
        self.synced = index;
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.tail.len());
        // For speed: applying the whole tail would give the fold of the log as well.
        let is_all = count == self.tail.len();
        for record in self.tail.drain(..count) {
            if !is_all {
                self.fold.apply(&record, turn.decisions);
            }
        }
        if is_all {
            self.fold = self.log.fold().clone();
        }
        self.show(turn.decisions);
        Some(())
    }

    /// Shows the files of the fold that the decision names.
    fn show(&mut self, decisions: &dyn Decisions) {
        self.shown = Shown(decisions.shown(self.fold.files(), self.log.files()).clone());
    }
}
