//! All contents that are received over one connection.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use steadfast_delta::manifest::Manifest;
use steadfast_protocol::ContentId;

use super::download::{Download, Failure, Received};
use super::messages::Message;
use super::{Lack, STRETCH_MAX, Sink, Source, TRANSFERS_MAX, TransferError, TransferId, WINDOW};
use crate::frame::{Frame, FrameError, Kind};

/// The end of a download.
#[derive(Debug)]
pub enum Outcome<S, K> {
    /// Every byte is written to the sink and verified. The driver makes the content durable and reports
    /// [`Input::Stored`](steadfast_protocol::Input::Stored).
    Done {
        /// The content.
        content: ContentId,
        /// The place of the content.
        sink: K,
        /// Its manifest, down to the chunks.
        manifest: Manifest,
        /// How it came.
        received: Received,
    },
    /// The peer does not send the content. The driver may let the download go on with another peer, or
    /// report [`Input::Unusable`](steadfast_protocol::Input::Unusable).
    Lacks {
        /// Why the peer does not send it.
        lack: Lack,
        /// The download, with all that has come.
        download: Box<Download<S, K>>,
    },
    /// The download cannot go on. The driver throws away the sink and reports
    /// [`Input::Unusable`](steadfast_protocol::Input::Unusable).
    Failed {
        /// The content.
        content: ContentId,
        /// The place of the content.
        sink: K,
        /// The reason.
        error: TransferError,
    },
}

/// The end that lacks contents. It outlives a connection: [`Receiver::disconnect`] and [`Receiver::connect`]
/// let everything go on over the next one. `S` reads old contents, and `K` takes new ones.
pub struct Receiver<S, K> {
    is_connected: bool,
    /// Those that the peer has been asked for.
    active: BTreeMap<TransferId, Download<S, K>>,
    /// The active ones in the order of their turns.
    turns: VecDeque<TransferId>,
    /// Those that the peer has not been asked for.
    waiting: VecDeque<Download<S, K>>,
    /// Those that have ended, which the peer does not know yet.
    closed: VecDeque<TransferId>,
    next_id: u32,
}

impl<S, K> Default for Receiver<S, K> {
    fn default() -> Receiver<S, K> {
        Receiver {
            is_connected: false,
            active: BTreeMap::new(),
            turns: VecDeque::new(),
            waiting: VecDeque::new(),
            closed: VecDeque::new(),
            next_id: 0,
        }
    }
}

impl<S, K> fmt::Debug for Receiver<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("active", &self.active)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl<S: Source, K: Sink<S>> Receiver<S, K> {
    /// A receiver without a connection.
    #[must_use]
    pub fn new() -> Receiver<S, K> {
        Receiver::default()
    }

    /// Whether a frame of this kind is for the receiver.
    #[must_use]
    pub fn takes(kind: Kind) -> bool {
        matches!(kind, Kind::Outline | Kind::Chunks | Kind::Piece | Kind::Patch | Kind::Lacks)
    }

    /// A connection is open.
    pub fn connect(&mut self) {
        self.disconnect();
        self.is_connected = true;
        self.next_id = 0;
    }

    /// The connection has ended. Everything that was not complete waits for the next one.
    pub fn disconnect(&mut self) {
        self.is_connected = false;
        self.turns.clear();
        self.closed.clear();
        // The oldest first.
        for (_, mut download) in std::mem::take(&mut self.active).into_iter().rev() {
            download.disconnect();
            self.waiting.push_front(download);
        }
    }

    /// Receives a content, behind those that wait.
    pub fn add(&mut self, download: Download<S, K>) {
        self.waiting.push_back(download);
    }

    /// Every content that is wanted and not complete.
    pub fn downloads(&self) -> impl Iterator<Item = &Download<S, K>> {
        self.active.values().chain(&self.waiting)
    }

    /// Takes a content away that is no longer wanted from this peer.
    pub fn remove(&mut self, content: ContentId) -> Option<Download<S, K>> {
        if let Some(at) = self.waiting.iter().position(|it| it.content() == content) {
            return self.waiting.remove(at);
        }
        let mut active = self.active.iter();
        let id = *active.find(|(_, it)| it.content() == content)?.0;
        let mut download = self.close(id)?;
        download.disconnect();
        Some(download)
    }

    /// Appends at most one frame, for the content whose turn it is, and returns whether it did. The driver
    /// calls this until it appends nothing: after each call of another method, and when the connection
    /// takes more bytes.
    pub fn next_frame(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.is_connected {
            return false;
        }
        if let Some(id) = self.closed.pop_front() {
            Message::Close.encode(id, out);
            return true;
        }
        if self.active.len() < TRANSFERS_MAX
            && let Some(download) = self.waiting.pop_front()
        {
            let id = TransferId(self.next_id);
            // Reused after 2^32 contents, when the first ones have long ended.
            self.next_id = self.next_id.wrapping_add(1);
            download.ask(id, out);
            self.active.insert(id, download);
            self.turns.push_back(id);
            return true;
        }
        let under_way: u64 = self.active.values().map(Download::under_way).sum();
        let room = WINDOW.saturating_sub(under_way);
        let share = (WINDOW / (self.active.len() as u64).max(1)).max(STRETCH_MAX);
        for _ in 0..self.turns.len() {
            let Some(id) = self.turns.pop_front() else { break };
            self.turns.push_back(id);
            let Some(download) = self.active.get_mut(&id) else { continue };
            let own = share.saturating_sub(download.under_way());
            if download.next_request(id, room.min(own), out) {
                return true;
            }
        }
        false
    }

    /// Takes a frame of the peer.
    ///
    /// # Errors
    /// The frame is malformed or comes out of turn. The connection cannot go on; the contents can, over another one.
    pub fn receive(&mut self, frame: Frame<'_>) -> Result<Option<Outcome<S, K>>, FrameError> {
        let (id, message) = Message::decode(frame)?;
        if !Self::takes(frame.kind) {
            let expected = "a frame of the sending end";
            return Err(FrameError::Unexpected { kind: frame.kind, expected });
        }
        let Some(download) = self.active.get_mut(&id) else {
            // The peer may not know yet that a transfer has ended.
            if self.was_asked_for(id) {
                return Ok(None);
            }
            let rule = "it belongs to a transfer that was not asked for";
            return Err(FrameError::Malformed { kind: frame.kind, rule });
        };
        if let Message::Lacks(lack) = message {
            let download = self.end(id);
            return Ok(download.map(|mut download| {
                download.disconnect();
                Outcome::Lacks { lack, download: Box::new(download) }
            }));
        }
        match download.receive(message, frame.body.len() as u64) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(self.done(id)),
            Err(Failure::Frame(error)) => Err(error),
            Err(Failure::Transfer(error)) => Ok(self.failed(id, error)),
        }
    }

    /// Whether something of old contents is to be copied.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.downloads().any(Download::has_work)
    }

    /// Copies a bounded part of an old content, at most 256 KiB and a chunk, if something is to be copied. The driver
    /// calls this while [`Receiver::has_work`], also without a connection, and sends and receives frames in between.
    pub fn work(&mut self) -> Option<Outcome<S, K>> {
        for _ in 0..self.turns.len() {
            let Some(id) = self.turns.pop_front() else { break };
            self.turns.push_back(id);
            let Some(download) = self.active.get_mut(&id).filter(|it| it.has_work()) else {
                continue;
            };
            return match download.work() {
                Ok(false) => None,
                Ok(true) => self.done(id),
                Err(error) => self.failed(id, error),
            };
        }
        let at = self.waiting.iter().position(Download::has_work)?;
        match self.waiting.get_mut(at)?.work() {
            Ok(false) => None,
            Ok(true) => self.waiting.remove(at).map(done),
            Err(error) => self.waiting.remove(at).map(|it| failed(it, error)),
        }
    }

    /// Whether the number is one of the last 2^31.
    fn was_asked_for(&self, id: TransferId) -> bool {
        self.next_id.wrapping_sub(id.0).wrapping_sub(1) < 1 << 31
    }

    fn done(&mut self, id: TransferId) -> Option<Outcome<S, K>> {
        self.close(id).map(done)
    }

    fn failed(&mut self, id: TransferId, error: TransferError) -> Option<Outcome<S, K>> {
        self.close(id).map(|it| failed(it, error))
    }

    /// Ends a transfer, and tells the peer.
    fn close(&mut self, id: TransferId) -> Option<Download<S, K>> {
        let download = self.end(id)?;
        self.closed.push_back(id);
        Some(download)
    }

    fn end(&mut self, id: TransferId) -> Option<Download<S, K>> {
        self.turns.retain(|it| *it != id);
        self.active.remove(&id)
    }
}

fn done<S: Source, K: Sink<S>>(download: Download<S, K>) -> Outcome<S, K> {
    let content = download.content();
    let (sink, manifest, received) = download.finish();
    Outcome::Done { content, sink, manifest, received }
}

fn failed<S: Source, K: Sink<S>>(download: Download<S, K>, error: TransferError) -> Outcome<S, K> {
    Outcome::Failed { content: download.content(), sink: download.into_sink(), error }
}
