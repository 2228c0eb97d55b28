//! The replica: input in, effects out.

mod appends;
mod clients;
mod contents;
mod elections;
mod halting;
mod outbox;
mod pre_votes;
mod reads;
mod recovery;
mod role;
mod sessions;

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::{
    Decisions, Effect, Entry, Epoch, Files, Halt, Identity, Input, Log, Message, NodeId, NodeSet,
    Packet, Parameters, Position, Record, Sequence, SessionId, Settings, VersionVector,
};

use contents::Contents;
pub use contents::{Waiting, Want};
pub use outbox::Held;
pub use role::{Ballot, Flow, Following, Leadership, PendingRead, PendingWrite, Progress, Role};

/// One node's state machine.
///
/// Cloning is cheap: what is large is shared until it changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    identity: Identity,
    parameters: Parameters,
    /// Everything logged, synced or not.
    log: Arc<Log>,
    /// How much of the log is on disk.
    synced: Position,
    /// What is on disk, as a version vector.
    synced_vv: VersionVector,
    /// The logged records that are not on disk yet, oldest first.
    tail: Vec<Record>,
    /// Invariant (G3, log-before-apply): the fold of exactly the synced entries.
    files: Files,
    logged_files: LoggedFiles,
    /// How much of the log `files` is the fold of.
    applied: Position,
    /// The newest sequence number of this node's own entries.
    sequence: Sequence,
    role: Role,
    /// Per peer the session whose link-up was seen and whose link-down was not.
    sessions: Vec<Option<SessionId>>,
    /// Output held until the log records that explain it are synced, oldest first.
    outbox: Vec<Held>,
    contents: Contents,
    /// Why this node takes no further part, if it does not. Volatile: after a restart it is noticed
    /// again.
    halted: Option<Halt>,
}

/// The fold of everything logged, synced or not: what the next write sees. It follows from the log,
/// and is kept so that a write need not look through what is unsynced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LoggedFiles(Files);

impl Hash for LoggedFiles {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Deref for LoggedFiles {
    type Target = Files;

    fn deref(&self) -> &Files {
        &self.0
    }
}

/// One input being handled: who decides, and where the effects go.
struct Turn<'a> {
    decisions: &'a dyn Decisions,
    effects: &'a mut Vec<Effect>,
}

impl Replica {
    /// Handles one input. The effects are appended in the order in which they must be performed.
    ///
    /// Never panics: an input that makes no sense here changes nothing.
    pub fn step(&mut self, decisions: &dyn Decisions, input: Input, effects: &mut Vec<Effect>) {
        let turn = &mut Turn { decisions, effects };
        if let Some(halt) = self.halted {
            return self.step_halted(halt, input, turn);
        }
        match input {
            Input::Write(write) => self.on_write(write, turn),
            Input::Read(read) => self.on_read(read, turn),
            Input::Synced(position) => self.on_synced(position, turn),
            Input::ElectionTimeout => self.on_election_timeout(turn),
            Input::Tick => self.on_tick(turn),
            Input::LinkUp { peer, session } => self.on_link_up(peer, session, turn),
            Input::LinkDown { peer } => self.on_link_down(peer, turn),
            Input::Receive { from, packet } => self.on_packet(from, &packet, turn),
            Input::Stored { content } => self.on_stored(content, turn),
            Input::Unusable { content } => self.on_unusable(content, turn),
            Input::Fetched { content } => self.on_fetched(content, turn),
            Input::Bad { content } => self.on_bad(content, turn),
            Input::LogFailed => self.halt(Halt::LogFailed, turn),
        }
    }

    /// This node.
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

    /// What was chosen when the node started.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// What is logged, synced or not.
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

    /// How much of the log is on disk, as far as the replica was told.
    #[must_use]
    #[inline]
    pub fn synced(&self) -> Position {
        self.synced
    }

    /// What is on disk, as a version vector.
    #[must_use]
    #[inline]
    pub fn synced_vv(&self) -> &VersionVector {
        &self.synced_vv
    }

    /// The files this node shows.
    #[must_use]
    #[inline]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What this node does now.
    #[must_use]
    #[inline]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Why this node takes no further part; `None` as long as it does. It refuses clients with this
    /// reason, sends and acknowledges nothing and does not vote. Its driver ends its connections and
    /// begins no others.
    #[must_use]
    pub fn halted(&self) -> Option<&Halt> {
        self.halted.as_ref()
    }

    /// Whether this node has not stopped taking part.
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

    /// The session with a peer whose link-up was seen and whose link-down was not.
    #[must_use]
    #[inline]
    pub fn session(&self, peer: NodeId) -> Option<SessionId> {
        self.sessions.get(peer.index()).copied().flatten()
    }

    /// The output held until the log records that explain it are synced.
    #[must_use]
    pub fn outbox(&self) -> &[Held] {
        &self.outbox
    }

    /// The messages that wait for the contents they name.
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

    /// Whether nothing is unsynced, held, waiting or wanted here.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.synced == self.log.length() && self.outbox.is_empty() && self.contents.is_idle()
    }

    /// Whether the passing of time makes this node say something: a leader's heartbeats, and where
    /// messages can be lost, a candidate's requests and the questions for contents that it lacks.
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        let asks = matches!(self.role, Role::Candidate(_)) || !self.wants().is_empty();
        self.leads() || (self.parameters.retransmits && asks)
    }

    /// Whether this node's next tick must carry something to another where messages are lost: a
    /// leader's entries, its question whether it still leads, a candidate's request, or a question
    /// for a content.
    #[must_use]
    pub fn lags(&self) -> bool {
        let role_lags = match &self.role {
            Role::Leader(leader) => {
                let lacks = |peer: NodeId| {
                    leader.peers[peer.index()].acked.as_ref() != Some(self.synced_vv())
                };
                !leader.reads.is_empty() || self.linked().any(lacks)
            }
            Role::Candidate(ballots) => {
                self.linked().any(|peer| !ballots.iter().any(|it| it.voter == peer))
            }
            Role::Follower(_) | Role::PreCandidate(_) => false,
        };
        role_lags || !self.wants().is_empty()
    }

    fn nodes(&self) -> u8 {
        self.settings().nodes()
    }

    /// The other nodes of the cluster.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + use<> {
        let own = self.id();
        NodeId::all(self.nodes()).filter(move |node| *node != own)
    }

    /// The peers with which a session goes on, as far as this end has seen.
    pub fn linked(&self) -> impl Iterator<Item = NodeId> {
        self.peers().filter(|peer| self.session(*peer).is_some())
    }

    /// This node only.
    fn alone(&self) -> NodeSet {
        [self.id()].into_iter().collect()
    }

    fn linked_peers(&self) -> Vec<NodeId> {
        self.linked().collect()
    }

    /// Hands a message of the current session to its handler.
    fn on_packet(&mut self, from: NodeId, packet: &Packet, turn: &mut Turn<'_>) {
        // Without a session there is no current one, so this matters where `is_of_session` is wrong.
        let is_peer = from != self.id() && from.0 < self.nodes();
        let current = self.session(from);
        if is_peer && turn.decisions.is_of_session(packet.session, current) {
            self.on_message(from, &packet.message, turn);
        }
    }

    /// A node that stopped gets here only while messages that waited are judged again.
    fn on_message(&mut self, from: NodeId, message: &crate::SealedMessage, turn: &mut Turn<'_>) {
        if self.halted.is_some() {
            return;
        }
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
        }
    }

    /// Appends records to the log. They are applied, sent and counted once they are synced.
    fn append(&mut self, records: Vec<Record>, turn: &mut Turn<'_>) {
        if records.is_empty() {
            return;
        }
        let log = Arc::make_mut(&mut self.log);
        for record in &records {
            log.push(record);
            if let Record::Entry(entry) = record {
                self.logged_files.0.apply(entry, turn.decisions);
            }
        }
        self.tail.extend(records.iter().cloned());
        turn.effects.push(Effect::Append { records });
        self.apply(turn.decisions);
    }

    /// Logs the entries that can follow what is logged, up to the first that cannot: a gap is
    /// refused. `promise` is logged with them. Says whether any entry was new.
    // Ensures: G8, because what does not follow what is held is not logged.
    fn learn(&mut self, promise: Option<Epoch>, entries: &[Entry], turn: &mut Turn<'_>) -> bool {
        let (mut logged, nodes) = (*self.log.vv(), self.nodes());
        let mut fresh = Vec::new();
        for entry in entries.iter().filter(|it| it.dot.origin.0 < nodes) {
            if logged.covers(entry.dot) {
                continue;
            }
            if !turn.decisions.closes_no_gap(entry, &logged) {
                // Going on would be right, too: what is logged closes no gap. But what is behind a gap
                // is sent again with what fills it.
                break;
            }
            logged.insert(entry.dot);
            fresh.push(entry.clone());
        }
        let is_new = !fresh.is_empty();
        self.append(turn.decisions.batch(promise, fresh), turn);
        is_new
    }

    /// The log is on disk up to `position`: apply what is, release what it explains, go on.
    // Ensures: G3, because what is applied is exactly what is synced.
    fn on_synced(&mut self, position: Position, turn: &mut Turn<'_>) {
        if self.note_synced(position, turn).is_some() {
            self.release(turn);
            self.maybe_lead(turn);
            self.answer_reads(turn);
            self.replicate(turn);
        }
    }

    /// Applies what is on disk; `None` if it was known to be there.
    fn note_synced(&mut self, position: Position, turn: &Turn<'_>) -> Option<()> {
        let position = position.min(self.log.length());
        let count = position.0.checked_sub(self.synced.0)?;
        self.synced = position;
        self.apply(turn.decisions);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.tail.len());
        for record in self.tail.drain(..count) {
            if let Record::Entry(entry) = record {
                self.synced_vv.insert(entry.dot);
            }
        }
        Some(())
    }

    /// Applies what the decision allows of what is logged; `tail` still holds all that is not
    /// applied.
    fn apply(&mut self, decisions: &dyn Decisions) {
        let target = decisions.applied(self.synced, self.log.length());
        if target == self.log.length() {
            (self.files, self.applied) = (self.logged_files.0.clone(), target);
            return;
        }
        let tail_start = self.log.length().0 - self.tail.len() as u64;
        let from = usize::try_from(self.applied.0.saturating_sub(tail_start)).unwrap_or(usize::MAX);
        let to = usize::try_from(target.0.saturating_sub(tail_start)).unwrap_or(usize::MAX);
        for record in self.tail.get(from..to).unwrap_or_default() {
            if let Record::Entry(entry) = record {
                self.files.apply(entry, decisions);
            }
        }
        // A target below what is applied is one that a wrong decision gives: syncs only move forward.
        self.applied = self.applied.max(target);
    }
}
