//! Contents on their way from and to one peer.
//!
//! One thread for each peer runs both ends of the exchange, because they read and write files. Frames that
//! arrive wait in its queue; the peer sends no more than it was asked for, and a peer that does so
//! nevertheless is read no further ([`FRAMES_WAITING_MAX`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_protocol::{ContentId, NodeId};
use steadfast_store::{ContentPlace, HeldContent};
use steadfast_wal::RealDisk;
use steadfast_wire::transfer::{
    Asked, Download, Lack, Outcome, Receiver, Sender, Sent, TransferError, WINDOW,
};
use steadfast_wire::{Kind, frame, handshake};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, warn};

use super::frames::ConnectionEnd;
use super::opening::Open;
use crate::core::{DisplayChain, Event, Wanted};
use crate::counters::Counters;
use crate::disk::{NodeContents, StoredContent};

/// How many bytes of frames may wait for the thread: the window of contents that were asked for, and as much
/// again for the questions of the peer.
const FRAMES_WAITING_MAX: usize = 16 << 20;
const _: () = assert!(FRAMES_WAITING_MAX as u64 == 2 * WINDOW);

/// How many frames may wait for the connection.
const FRAMES_TO_SEND_MAX: usize = 2;

/// How many contents that were not complete when their peer was lost are kept for another one.
const PARKED_MAX: usize = 16;

/// How long a disk that was full is left alone.
const FULL_DISK_RETRY: Duration = Duration::from_secs(1);

/// How long the node waits after a peer has sent a content with wrong bytes.
const WRONG_BYTES_PAUSE: Duration = Duration::from_secs(1);

/// The contents that are not complete and that no peer sends now.
type Parked = Arc<Mutex<BTreeMap<ContentId, Incoming>>>;

/// A content of this node that is being sent, or whose parts are copied.
type Held = HeldContent<RealDisk>;

/// A content that is being received.
type Place = ContentPlace<RealDisk>;

type Incoming = Download<Held, Place>;

/// A message to the thread of a peer.
enum Task {
    /// A connection is open; frames to send go here.
    Connected(mpsc::Sender<Vec<u8>>),
    /// The connection has ended.
    Disconnected,
    /// A frame arrived, with its number of bytes.
    Frame(Kind, Vec<u8>),
    /// The node wants a content.
    Want(ContentId, Option<ContentId>),
    /// The disk had no room for a content; it may have some now.
    Retry(ContentId),
    /// The session with the peer has ended.
    PeerLost,
}

/// The part that exchanges contents with one peer.
pub(crate) struct ContentsOf {
    tasks: mpsc::UnboundedSender<Task>,
    /// The bytes of frames that may still wait.
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
}

/// Starts the thread for each peer, and a task that hands them the wishes of the node.
pub(crate) fn serve_contents(
    peers: impl IntoIterator<Item = NodeId>,
    contents: &Arc<NodeContents>,
    events: &mpsc::Sender<Event>,
    counters: &Arc<Counters>,
    mut wanted: mpsc::UnboundedReceiver<Wanted>,
) -> io::Result<BTreeMap<NodeId, ContentsOf>> {
    let parked = Parked::default();
    let mut all = BTreeMap::new();
    let mut queues = BTreeMap::new();
    for peer in peers {
        let (tasks, waiting) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(FRAMES_WAITING_MAX));
        let exchange = Exchange {
            peer,
            contents: Arc::clone(contents),
            events: events.clone(),
            counters: Arc::clone(counters),
            parked: Arc::clone(&parked),
            room: Arc::clone(&room),
            runtime: Handle::current(),
            tasks: tasks.downgrade(),
            retrying: BTreeSet::new(),
            receiver: Receiver::new(),
            sender: None,
            to_peer: None,
        };
        let name = format!("contents-{peer}");
        std::thread::Builder::new().name(name).spawn(move || exchange.run(waiting))?;
        queues.insert(peer, tasks.clone());
        all.insert(peer, ContentsOf { tasks, room, counters: Arc::clone(counters) });
    }
    tokio::spawn(async move {
        while let Some(wanted) = wanted.recv().await {
            let (peer, task) = match wanted {
                Wanted::Payload { payload, from, old } => (from, Task::Want(payload.content, old)),
                Wanted::PeerLost(peer) => (peer, Task::PeerLost),
            };
            if let Some(queue) = queues.get(&peer) {
                let _ = queue.send(task);
            }
        }
    });
    Ok(all)
}

impl ContentsOf {
    /// Runs a connection until it ends.
    pub(super) async fn run<S>(&self, open: Open<S>) -> Result<(), ConnectionEnd>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (to_peer, mut waiting) = mpsc::channel::<Vec<u8>>(FRAMES_TO_SEND_MAX);
        let _ = self.tasks.send(Task::Connected(to_peer));
        let mut writer = None;
        let mut frames = open.frames.map(|stream| {
            let (read, write) = tokio::io::split(stream);
            writer = Some(write);
            read
        });
        let reading = async {
            loop {
                let Some(frame) = frames.next()? else {
                    let count = frames.read().await?;
                    self.counters.content_bytes_received.add(count as u64);
                    continue;
                };
                if frame.kind == Kind::Refused {
                    return Err(ConnectionEnd::Refused(handshake::read_refusal(frame)));
                }
                let (kind, body) = (frame.kind, frame.body.to_vec());
                let permits = u32::try_from(body.len().max(1)).unwrap_or(u32::MAX);
                if let Ok(room) = self.room.acquire_many(permits).await {
                    room.forget();
                }
                if self.tasks.send(Task::Frame(kind, body)).is_err() {
                    return Err(ConnectionEnd::Ended);
                }
            }
        };
        let writing = async {
            let Some(mut stream) = writer else { return Err(ConnectionEnd::Ended) };
            while let Some(bytes) = waiting.recv().await {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                self.counters.content_bytes_sent.add(bytes.len() as u64);
            }
            // The thread has given this connection up, for a wrong frame or a newer connection.
            Err(ConnectionEnd::Ended)
        };
        let result: Result<(), ConnectionEnd> = tokio::select! {
            result = reading => result,
            result = writing => result,
        };
        let _ = self.tasks.send(Task::Disconnected);
        result
    }
}

/// Both ends of the exchange with one peer.
struct Exchange {
    peer: NodeId,
    contents: Arc<NodeContents>,
    events: mpsc::Sender<Event>,
    counters: Arc<Counters>,
    parked: Parked,
    room: Arc<Semaphore>,
    runtime: Handle,
    /// The thread's own queue.
    tasks: mpsc::WeakUnboundedSender<Task>,
    /// The contents that wait for room on the disk.
    retrying: BTreeSet<ContentId>,
    receiver: Receiver<Held, Place>,
    /// While a connection is open.
    sender: Option<Sender<Held>>,
    to_peer: Option<mpsc::Sender<Vec<u8>>>,
}

impl Exchange {
    fn run(mut self, mut tasks: mpsc::UnboundedReceiver<Task>) {
        loop {
            while let Ok(task) = tasks.try_recv() {
                self.take(task);
            }
            if self.send_some() || self.work() {
                continue;
            }
            match tasks.blocking_recv() {
                Some(task) => self.take(task),
                None => return,
            }
        }
    }

    fn take(&mut self, task: Task) {
        match task {
            Task::Connected(to_peer) => {
                self.receiver.connect();
                self.sender = Some(Sender::new());
                self.to_peer = Some(to_peer);
            }
            // A newer connection may be open already; its end will be reported, too.
            Task::Disconnected if self.to_peer.as_ref().is_none_or(mpsc::Sender::is_closed) => {
                self.disconnect();
            }
            Task::Disconnected => {}
            Task::Frame(kind, body) => {
                self.room.add_permits(body.len().max(1));
                if self.to_peer.is_some()
                    && let Err(error) = self.receive(kind, &body)
                {
                    warn!(peer = %self.peer, %error, "the exchange of contents ends");
                    self.disconnect();
                }
            }
            Task::Want(content, old) => self.want(content, old),
            Task::Retry(content) => {
                if self.retrying.remove(&content) {
                    self.want(content, None);
                }
            }
            Task::PeerLost => self.park(),
        }
    }

    fn disconnect(&mut self) {
        self.receiver.disconnect();
        (self.sender, self.to_peer) = (None, None);
    }

    fn receive(&mut self, kind: Kind, body: &[u8]) -> Result<(), steadfast_wire::FrameError> {
        let frame = frame::Frame { kind, body };
        if Receiver::<Held, Place>::takes(kind) {
            let outcome = self.receiver.receive(frame)?;
            outcome.into_iter().for_each(|it| self.finish(it));
        } else if let Some(sender) = &mut self.sender
            && let Some(asked) = sender.receive(frame)?
        {
            self.supply(&asked);
        }
        Ok(())
    }

    /// Answers the question of the peer for a content.
    fn supply(&mut self, asked: &Asked) {
        let Some(sender) = &mut self.sender else { return };
        match Held::open(&self.contents, asked.content) {
            Ok(source) => {
                let old = asked.old.and_then(|it| Held::open(&self.contents, it).ok());
                sender.supply(asked.transfer, source, old);
            }
            Err(error) => {
                debug!(peer = %self.peer, %error, "cannot send a content");
                sender.refuse(asked.transfer, Lack::Missing);
            }
        }
    }

    fn want(&mut self, content: ContentId, old: Option<ContentId>) {
        if self.receiver.downloads().any(|it| it.content() == content) {
            return;
        }
        let parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner).remove(&content);
        let download = parked.map_or_else(
            || {
                let old = old.and_then(|it| Held::open(&self.contents, it).ok());
                let place = self.contents.place()?;
                let length_max = u64::MAX;
                Ok(Download::new(content, old, place, length_max))
            },
            Ok,
        );
        match download {
            Ok(download) => self.receiver.add(download),
            Err(error) => {
                let error: steadfast_store::ContentError = error;
                self.retry(content, &error);
            }
        }
    }

    /// Tries again after a while, because this node's disk failed and not the peer, to which the node would
    /// otherwise not turn again.
    fn retry(&mut self, content: ContentId, error: &dyn std::error::Error) {
        warn!(%content, error = %DisplayChain(error), "cannot store a content: tries again");
        self.retrying.insert(content);
        let tasks = self.tasks.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(FULL_DISK_RETRY).await;
            if let Some(tasks) = tasks.upgrade() {
                let _ = tasks.send(Task::Retry(content));
            }
        });
    }

    /// Keeps the contents that are not complete for another peer: the node asks again.
    fn park(&mut self) {
        for content in std::mem::take(&mut self.retrying) {
            self.report(Err(content));
        }
        let wanted: Vec<ContentId> = self.receiver.downloads().map(Download::content).collect();
        for content in wanted {
            if let Some(download) = self.receiver.remove(content) {
                let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
                parked.insert(content, download);
                if parked.len() > PARKED_MAX {
                    parked.pop_first();
                }
            }
            self.report(Err(content));
        }
    }

    /// Sends a frame, if there is one and a connection, and returns whether it did.
    fn send_some(&mut self) -> bool {
        let (Some(sender), Some(to_peer)) = (&mut self.sender, &self.to_peer) else {
            return false;
        };
        let mut out = Vec::new();
        while self.receiver.next_frame(&mut out) {}
        let mut bad = None;
        match sender.next_frame(&mut out) {
            Sent::Nothing | Sent::Frame => {}
            Sent::Bad { content, error } => bad = Some((content, error)),
        }
        let sends = !out.is_empty();
        if sends && to_peer.blocking_send(out).is_err() {
            self.disconnect();
        }
        if let Some((content, error)) = bad {
            warn!(%content, error = %DisplayChain(&error), "a content cannot be read");
            self.counters.contents_found_bad.add(1);
            let _ = self.events.blocking_send(Event::Unreadable(content));
        }
        sends
    }

    /// Copies some of an old content, if something is to be copied, and returns whether it did.
    fn work(&mut self) -> bool {
        let works = self.receiver.has_work();
        if works && let Some(outcome) = self.receiver.work() {
            self.finish(outcome);
        }
        works
    }

    fn finish(&mut self, outcome: Outcome<Held, Place>) {
        let result = match outcome {
            Outcome::Done { content, sink, manifest, received } => {
                let length = manifest.length();
                match sink.finish(&manifest) {
                    Ok(_) => {
                        let stored = StoredContent::of(&self.contents, content);
                        let is_delta = received.patched + received.copied > 0;
                        self.counters.contents_received.add(1);
                        self.counters.contents_received_as_delta.add(u64::from(is_delta));
                        self.counters.content_bytes_made.add(length);
                        debug!(peer = %self.peer, %content, length, ?received, "received");
                        Ok(stored)
                    }
                    Err(error) => return self.retry(content, &error),
                }
            }
            Outcome::Lacks { lack, download } => {
                debug!(peer = %self.peer, content = %download.content(), %lack, "no content");
                let content = download.content();
                let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
                if parked.len() < PARKED_MAX {
                    parked.insert(content, *download);
                }
                Err(content)
            }
            Outcome::Failed { content, error: error @ TransferError::Sink { .. }, sink } => {
                drop(sink);
                return self.retry(content, &error);
            }
            Outcome::Failed { content, error, .. } => {
                warn!(peer = %self.peer, error = %DisplayChain(&error), "a content is unusable");
                return self.report_later(content);
            }
        };
        self.report(result);
    }

    /// Reports after a while that a content did not come. The node then asks the same peer first, and one that sends
    /// wrong bytes time and again must not keep both busy.
    fn report_later(&self, content: ContentId) {
        let events = self.events.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(WRONG_BYTES_PAUSE).await;
            // The node is gone only when the server ends.
            let _ = events.send(Event::Made(Err(content))).await;
        });
    }

    fn report(&self, result: Result<StoredContent, ContentId>) {
        // The node is gone only when the server ends.
        let _ = self.events.blocking_send(Event::Made(result));
    }
}
