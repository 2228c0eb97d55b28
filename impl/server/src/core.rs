//! The thread of a node: it alone touches the replica and its log.
//!
//! Events and requests wait in two bounded queues. The thread takes them in turns of at most
//! [`INPUTS_PER_TURN`], so that the records of many requests share a sync, and publishes the facts about the
//! node after each turn.

mod event;
mod facts;
mod readers;
mod timers;
mod unverified;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steadfast_node::{ContentCopy, Node, NodeStorage, Output};
use steadfast_protocol::{
    Base, Consistency, Content, ContentId, Counter, Decisions, Input, Intent, LogIndex, NodeId,
    Outcome, Packet, Path, Payload, ReadRequest, RequestId, SessionId, Steadfast, WriteRequest,
    last_index,
};
use steadfast_recording::{Recorder, WriteError};
use steadfast_store::{Checkpointed, Verdict};
use steadfast_wal::{CheckpointError, LogFailure};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub(crate) use event::{Condition, Event, Key, Link, PACKETS_WAITING_MAX, Reply, Request, Write};
pub(crate) use facts::{Facts, RoleName};
use readers::{Reader, Readers, Undecided};
use timers::Timers;
use unverified::{Unverified, Verification};
use waiting::Waiting;

use crate::counters::Counters;
use crate::disk::NodeStore;

/// How many inputs the node takes before it looks at its timers and its disk again.
const INPUTS_PER_TURN: usize = 64;

/// How long the node waits before it tries a disk again that was full.
const FULL_DISK_RETRY: Duration = Duration::from_secs(1);

/// What the node wants of the part that brings contents.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// The content of a payload that a peer has sent.
    Payload {
        payload: Payload,
        from: NodeId,
        /// A content of the same path that this node has, if the payload names no base.
        old: Option<ContentId>,
    },
    /// The session with a peer has ended. Whatever it was to send is not waited for any more.
    PeerLost(NodeId),
}

type CheckpointResult = Result<Checkpointed, CheckpointError>;

/// The queues and the facts that join the thread of a node with the rest of the server.
pub(crate) struct Ends {
    pub events: mpsc::Receiver<Event>,
    pub requests: mpsc::Receiver<Request>,
    pub facts: watch::Sender<Facts>,
    /// The contents that the node asks for. Unbounded, because the protocol bounds the messages that may
    /// wait for contents.
    pub wanted: mpsc::UnboundedSender<Wanted>,
    pub counters: Arc<Counters>,
    /// Ends the thread.
    pub stop: CancellationToken,
}

/// The timeouts of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub election: Duration,
    pub heartbeat: Duration,
}

/// Why the thread of a node ended although nobody stopped it. Nothing acknowledged is lost: the node must not
/// go on because it no longer knows which of its records are durable.
#[derive(Debug, thiserror::Error)]
pub enum CoreEnd {
    /// The log failed.
    #[error("the log failed, so this node stops")]
    LogFailed(#[source] LogFailure),
    /// The log does not take records.
    #[error("the log takes no more records, so this node stops: {0}")]
    StoreFailed(String),
    /// The recording cannot be written. A recording with a hole is worthless.
    #[error("the recording of this node cannot go on, so this node stops")]
    RecordingFailed(#[source] WriteError),
    /// A checkpoint could not be written.
    #[error("a checkpoint could not be written, so this node stops")]
    CheckpointFailed(#[source] CheckpointError),
}

/// A node with its surroundings.
pub(crate) struct Core {
    node: Node<NodeStore>,
    links: BTreeMap<NodeId, (SessionId, Link)>,
    waiting: Waiting,
    readers: Readers,
    /// Writes whose conditions are to be judged again.
    undecided: Vec<Undecided>,
    timers: Timers,
    ends: Ends,
    outputs: Vec<Output>,
    /// A checkpoint that is being written by another thread.
    checkpoint: Option<JoinHandle<CheckpointResult>>,
    unverified: Unverified,
    /// When the oldest record that is not synced was appended.
    unsynced_since: Option<Instant>,
    /// When to try again to hand records to a disk that was full.
    retry: Instant,
    recorder: Option<Recorder>,
}

impl Core {
    /// A node that is up.
    pub(crate) fn new(node: Node<NodeStore>, timeouts: Timeouts, ends: Ends) -> Core {
        Core {
            node,
            links: BTreeMap::new(),
            waiting: Waiting::new(),
            readers: Readers::default(),
            undecided: Vec::new(),
            timers: Timers::start(timeouts.election, timeouts.heartbeat),
            ends,
            outputs: Vec::new(),
            checkpoint: None,
            unverified: Unverified::new(Handle::current()),
            unsynced_since: None,
            retry: Instant::now(),
            recorder: None,
        }
    }

    /// The same node, whose inputs this recorder writes.
    pub(crate) fn recorded_by(self, recorder: Option<Recorder>) -> Core {
        Core { recorder, ..self }
    }

    /// Runs the node until it is told to stop or its disk fails.
    pub(crate) async fn run(mut self) -> Result<(), CoreEnd> {
        let result = self.turns().await;
        self.links.values().for_each(|(_, link)| link.end.cancel());
        if let Err(end) = &result {
            error!(error = %DisplayChain(end), "the node stops");
            self.hear(Input::LogFailed);
            self.publish();
        }
        match self.recorder.take().and_then(Recorder::end) {
            Some(failure) if result.is_ok() => Err(CoreEnd::RecordingFailed(failure)),
            _ => result,
        }
    }

    async fn turns(&mut self) -> Result<(), CoreEnd> {
        self.publish();
        loop {
            let log = Arc::clone(self.node.storage().log());
            let synced = self.node.storage().synced();
            let is_unsynced = last_index(self.node.storage().records()) > synced;
            let ticks = self.node.replica().is_some_and(|it| it.needs_ticks());
            let is_full = self.node.storage().waiting_for_room() > 0;
            self.unsynced_since = self.unsynced_since.or(is_unsynced.then(Instant::now));
            tokio::select! {
                () = self.ends.stop.cancelled() => return Ok(()),
                Some(event) = self.ends.events.recv() => self.take_events(event),
                Some(request) = self.ends.requests.recv() => self.take_requests(request),
                result = log.synced(steadfast_wal::LogIndex(synced.0 + 1)), if is_unsynced => {
                    result.map_err(CoreEnd::LogFailed)?;
                    self.note_synced(LogIndex(log.durable().0));
                }
                result = finished(&mut self.checkpoint), if self.checkpoint.is_some() => {
                    self.checkpoint = None;
                    self.note_checkpoint(result)?;
                }
                Some(ended) = self.unverified.next_verification() => self.note_verification(ended),
                () = sleep_until(self.timers.election) => {
                    self.timers.restart_election();
                    self.hear(Input::ElectionTimeout);
                }
                () = sleep_until(self.timers.heartbeat), if ticks => {
                    self.timers.restart_heartbeat();
                    self.hear(Input::Tick);
                }
                () = sleep_until(self.retry), if is_full => {
                    self.node.storage_mut().retry_appends();
                    self.retry = Instant::now() + FULL_DISK_RETRY;
                }
            }
            if let Some(failure) = self.node.storage().failure() {
                return Err(CoreEnd::StoreFailed(DisplayChain(failure).to_string()));
            }
            if self.has_recording_failed() {
                let failure = self.recorder.take().and_then(Recorder::end);
                return failure.map_or(Ok(()), |it| Err(CoreEnd::RecordingFailed(it)));
            }
            for (write, reply) in std::mem::take(&mut self.undecided) {
                self.write(write, reply);
            }
            self.maybe_confirm_reads();
            self.maybe_trim();
            self.unverified.begin(self.node.storage().contents_store());
            self.publish();
        }
    }

    fn note_synced(&mut self, durable: LogIndex) {
        if let Some(since) = self.unsynced_since.take() {
            let us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.ends.counters.syncs.add(1);
            self.ends.counters.sync_us.add(us);
        }
        let input = self.node.storage_mut().note_synced(durable);
        self.hear(input);
    }

    fn note_checkpoint(&mut self, result: CheckpointResult) -> Result<(), CoreEnd> {
        match result {
            Ok(written) => {
                self.ends.counters.checkpoints.add(1);
                let input = self.node.storage_mut().note_checkpointed(written);
                self.hear(input);
                Ok(())
            }
            Err(CheckpointError::OutOfSpace(error)) => {
                warn!(error = %DisplayChain(&error), "the disk is full: no room for a checkpoint");
                self.node.storage_mut().note_checkpoint_failed();
                self.retry = Instant::now() + FULL_DISK_RETRY;
                Ok(())
            }
            Err(error) => Err(CoreEnd::CheckpointFailed(error)),
        }
    }

    fn take_events(&mut self, first: Event) {
        let mut next = Some(first);
        for _ in 0..INPUTS_PER_TURN {
            let Some(event) = next else { return };
            self.take_event(event);
            next = self.ends.events.try_recv().ok();
        }
        next.into_iter().for_each(|event| self.take_event(event));
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::LinkUp { peer, session, link } => {
                if let Some((earlier, old)) = self.links.insert(peer, (session, link)) {
                    old.end.cancel();
                    self.lose(peer, earlier);
                }
                info!(%peer, %session, "connected");
                self.hear(Input::LinkUp { peer, session });
            }
            Event::LinkDown { peer, session } => {
                if self.links.get(&peer).is_some_and(|(current, _)| *current == session) {
                    self.links.remove(&peer);
                    self.lose(peer, session);
                }
            }
            Event::Received { from, packet } => self.hear(Input::Receive { from, packet }),
            Event::Unreadable(content) => self.hear(Input::Bad { content }),
            Event::Rotten(content) => self.note_rotten(content),
            Event::Made(result) => {
                self.node.storage_mut().note_stored();
                match result {
                    Ok(stored) => self.hear(Input::Stored { content: stored.content() }),
                    Err(content) => self.hear(Input::Unusable { content }),
                }
            }
        }
    }

    fn lose(&mut self, peer: NodeId, session: SessionId) {
        info!(%peer, %session, "disconnected");
        self.ends.counters.disconnections.add(1);
        self.hear(Input::LinkDown { peer });
        // The other end lives as long as the server.
        let _ = self.ends.wanted.send(Wanted::PeerLost(peer));
    }

    fn take_requests(&mut self, first: Request) {
        let mut next = Some(first);
        for _ in 0..INPUTS_PER_TURN {
            let Some(request) = next else { return };
            self.take_request(request);
            next = self.ends.requests.try_recv().ok();
        }
        next.into_iter().for_each(|request| self.take_request(request));
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Write(write, reply) => self.write(write, reply),
            Request::Read(path, Consistency::Linearizable, reply) => {
                self.readers.add(Reader::Value(path, reply));
            }
            Request::Read(path, consistency @ Consistency::Stale, reply) => {
                let request = self.waiting.fresh_id();
                self.waiting.add(request, reply);
                self.hear(Input::Read(ReadRequest { request, path, consistency }));
            }
        }
    }

    /// Begins a confirmation of the linearizable reads that wait, unless one is under way.
    fn maybe_confirm_reads(&mut self) {
        let Some(replica) = self.node.replica().filter(|_| self.readers.may_begin()) else {
            return;
        };
        let files = replica.files().clone();
        let request = self.waiting.fresh_id();
        self.readers.begin(request, files);
        // A read of any path confirms that the node leads and that W nodes hold the files of this moment.
        let (path, consistency) = (Path::new(""), Consistency::Linearizable);
        self.hear(Input::Read(ReadRequest { request, path, consistency }));
    }

    /// Passes a write to the replica if its condition holds and its content is verified.
    fn write(&mut self, mut write: Write, reply: oneshot::Sender<Reply>) {
        if let Some(stored) = write.stored.take() {
            self.hear(Input::Stored { content: stored.content() });
        }
        self.judge(write, reply, None);
    }

    /// Passes a write to the replica if its condition holds. A retry of a write that is logged, or may be
    /// forgotten, is passed on in any case: its own first try may have changed the path. A write that names a content
    /// without an upload waits until a thread has verified the copy, and is then judged again with the verdict.
    fn judge(&mut self, write: Write, reply: oneshot::Sender<Reply>, verdict: Option<Verdict>) {
        let Write { key, path, intent, base, condition, .. } = write;
        let Some(replica) = self.node.replica().filter(|it| it.leads()) else {
            // The replica refuses and names the leader.
            let Key { request, seen } = key.unwrap_or_else(|| self.fresh_key(Counter::default()));
            return self.submit(WriteRequest { request, path, intent, base, seen }, reply);
        };
        let fold = replica.log().fold();
        let (heads, counter) = (fold.files().heads(&path), fold.counter());
        let is_written = |it: Key| replica.log().written_by(it.request).is_some();
        let is_forgotten =
            |it: Key| Steadfast.may_be_forgotten(it.seen, Steadfast.horizon(counter));
        let is_retry = key.is_some_and(|it| is_written(it) || is_forgotten(it));
        if !condition.holds(heads) && !is_retry {
            if let Intent::Put(Content::Named(content)) = intent {
                self.hear(Input::Withdrawn { content });
            }
            // The refusal reveals the state of the path, so that it is confirmed as a read is.
            let write = Write { key, stored: None, path, intent, base, condition };
            return self.readers.add(Reader::ConditionFailed(Box::new(write), reply));
        }
        let base = match &condition {
            Condition::Shows(dots) => {
                let shown = heads.iter().map(|it| it.dot).filter(|it| dots.contains(it));
                Base::Named(shown.collect())
            }
            _ => base,
        };
        let Key { request, seen } = key.unwrap_or_else(|| self.fresh_key(counter));
        let request = WriteRequest { request, path, intent, base, seen };
        let unverified = self.node.replica().and_then(|it| it.unverified(&request, &Steadfast));
        match (unverified, verdict) {
            (Some(content), None) => {
                let WriteRequest { path, intent, base, .. } = request;
                let write = Write { key, stored: None, path, intent, base, condition };
                return self.unverified.add(content, write, reply);
            }
            // Not earlier: the replica takes the verification for the next write, whenever that comes.
            (Some(content), Some(verdict)) if verdict == (Verdict { content, is_good: true }) => {
                self.hear(Input::Verified { content });
            }
            // The replica refuses a write whose content is not verified.
            _ => {}
        }
        self.submit(request, reply);
    }

    /// Judges the writes again that waited until a content was verified.
    fn note_verification(&mut self, (content, result): Verification) {
        let verdict = Verdict { content, is_good: result.is_ok() };
        if let Err(error) = result {
            warn!(%content, error = %DisplayChain(&error), "a content cannot be verified");
            self.note_rotten(content);
        }
        for (write, reply) in self.unverified.end(content) {
            self.judge(write, reply, Some(verdict));
        }
    }

    /// Reports a bad or missing copy to the node, unless a good one has replaced it since.
    fn note_rotten(&mut self, content: ContentId) {
        let copy = self.node.storage().copy(content);
        self.ends.counters.contents_found_bad.add(u64::from(copy == ContentCopy::Wrong));
        if copy != ContentCopy::Exact {
            self.hear(Input::Bad { content });
        }
    }

    /// The name of a request to which the client has given none, at this counter.
    fn fresh_key(&mut self, seen: Counter) -> Key {
        Key { request: self.waiting.fresh_id(), seen }
    }

    fn submit(&mut self, write: WriteRequest, reply: oneshot::Sender<Reply>) {
        self.waiting.add(write.request, reply);
        self.hear(Input::Write(write));
    }

    /// Passes an input to the node and carries its outputs on. All inputs of the replica pass here.
    fn hear(&mut self, input: Input) {
        let mut outputs = std::mem::take(&mut self.outputs);
        match &mut self.recorder {
            None => self.node.hear(input, &Steadfast, &mut outputs),
            Some(it) => self.node.hear_watched(input, &Steadfast, &mut outputs, it.watch()),
        }
        if self.has_recording_failed() {
            // Nobody may rely on an input that is not recorded.
            outputs.clear();
        }
        // A client that has its answer finds in the facts whatever the answer rests on.
        if outputs.iter().any(|it| matches!(it, Output::Answer { .. })) {
            self.publish();
        }
        for output in outputs.drain(..) {
            match output {
                Output::Send { to, packet } => self.send(to, packet),
                Output::ResetElectionTimer => self.timers.restart_election(),
                Output::Answer { request, outcome } => self.answer(request, outcome),
            }
        }
        self.outputs = outputs;
        while let Some((payload, from)) = self.node.storage_mut().take_received() {
            let old = self.node.probable_base(payload);
            let _ = self.ends.wanted.send(Wanted::Payload { payload, from, old });
        }
    }

    fn has_recording_failed(&self) -> bool {
        self.recorder.as_ref().is_some_and(|it| it.failure().is_some())
    }

    fn send(&mut self, to: NodeId, packet: Packet) {
        let Some((session, link)) = self.links.get(&to) else {
            return;
        };
        // A packet behind one that was left out would make a hole in the session.
        let is_open = *session == packet.session && !link.end.is_cancelled();
        if is_open && link.packets.try_send(packet).is_err() {
            debug!(peer = %to, "the peer does not take its packets: the connection ends");
            link.end.cancel();
        }
    }

    fn answer(&mut self, request: RequestId, outcome: Outcome) {
        let Some(replica) = self.node.replica() else {
            return;
        };
        match self.readers.answer(request, &outcome) {
            // They wait for the end of this turn, because an input is being carried out.
            Some(undecided) => self.undecided.extend(undecided),
            None => self.waiting.answer(request, &outcome, replica.files()),
        }
    }

    /// Begins a checkpoint if the log has grown too long for what it amounts to.
    fn maybe_trim(&mut self) {
        if self.checkpoint.is_some() {
            return;
        }
        let gains = self.node.replica().is_some_and(|it| it.gains_by_trim());
        if gains && self.node.storage().is_trim_due() {
            self.hear(Input::Trim);
        }
        let may_write = Instant::now() >= self.retry;
        let job = may_write.then(|| self.node.storage_mut().take_checkpoint()).flatten();
        if let Some(job) = job {
            debug!("writes a checkpoint");
            self.checkpoint = Some(tokio::task::spawn_blocking(move || job.run()));
        }
    }

    fn publish(&mut self) {
        let Some(facts) = Facts::of(&self.node) else {
            return;
        };
        let before = self.ends.facts.borrow().role;
        if before != facts.role {
            match facts.role {
                RoleName::Halted => {
                    let why = facts.halt.map(|it| it.to_string()).unwrap_or_default();
                    error!(why, "this node has halted: replace it");
                    self.links.values().for_each(|(_, link)| link.end.cancel());
                }
                role => {
                    let is_candidate = role == RoleName::Candidate;
                    self.ends.counters.elections.add(u64::from(is_candidate));
                    info!(?role, epoch = %facts.epoch, "the role changed");
                }
            }
        }
        self.ends.facts.send_replace(facts);
    }
}

async fn finished(checkpoint: &mut Option<JoinHandle<CheckpointResult>>) -> CheckpointResult {
    match checkpoint {
        Some(handle) => match handle.await {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
        None => std::future::pending().await,
    }
}

/// An error with its causes, in one line.
pub(crate) struct DisplayChain<'a>(pub &'a dyn std::error::Error);

impl std::fmt::Display for DisplayChain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // Some errors name their cause themselves.
            let cause_text = error.to_string();
            if !text.ends_with(&cause_text) {
                text += &format!(": {cause_text}");
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}
