//! All contents that are sent over one connection.

use std::collections::{BTreeMap, VecDeque};
use std::{fmt, io};

use steadfast_protocol::ContentId;

use super::messages::Message;
use super::upload::Upload;
use super::{Lack, Source, TRANSFERS_MAX, TransferId};
use crate::frame::{Frame, FrameError, Kind};

/// A content that the peer asks for. The driver answers by [`Sender::supply`] or [`Sender::refuse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The number under which the content is to travel.
    pub transfer: TransferId,
    /// The content.
    pub content: ContentId,
    /// A content that the peer has and that probably resembles it.
    pub old: Option<ContentId>,
}

/// The outcome of a call to [`Sender::next_frame`].
#[derive(Debug)]
pub enum Sent {
    /// There is nothing to send until the peer or the driver says something.
    Nothing,
    /// A frame was appended.
    Frame,
    /// A content cannot be read, or is damaged. A frame that tells the peer was appended. The driver reports
    /// [`Input::Bad`](steadfast_protocol::Input::Bad).
    Bad {
        /// The content.
        content: ContentId,
        /// The reason.
        error: io::Error,
    },
}

/// The end that has contents, for one connection. `S` reads the contents of the driver's store.
pub struct Sender<S> {
    transfers: BTreeMap<TransferId, Transfer<S>>,
    /// The transfers in the order of their turns.
    turns: VecDeque<TransferId>,
    lacks: VecDeque<(TransferId, Lack)>,
}

enum Transfer<S> {
    /// The driver has not answered yet.
    Asked {
        content: ContentId,
        old: Option<ContentId>,
        needs_outline: bool,
    },
    Open(Box<Upload<S>>),
}

impl<S> Default for Sender<S> {
    fn default() -> Sender<S> {
        Sender { transfers: BTreeMap::new(), turns: VecDeque::new(), lacks: VecDeque::new() }
    }
}

impl<S> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("transfers", &self.turns).finish_non_exhaustive()
    }
}

impl<S: Source> Sender<S> {
    /// The sender of a new connection.
    #[must_use]
    pub fn new() -> Sender<S> {
        Sender::default()
    }

    /// Whether a frame of this kind is for the sender.
    #[must_use]
    pub fn takes(kind: Kind) -> bool {
        matches!(kind, Kind::Ask | Kind::List | Kind::Want | Kind::Close)
    }

    /// Takes a frame of the peer.
    ///
    /// # Errors
    /// The frame is malformed or comes out of turn. The connection cannot go on.
    pub fn receive(&mut self, frame: Frame<'_>) -> Result<Option<Asked>, FrameError> {
        let (transfer, message) = Message::decode(frame)?;
        match message {
            Message::Ask { content, old, needs_outline } => {
                self.on_ask(transfer, Transfer::Asked { content, old, needs_outline })?;
                return Ok(Some(Asked { transfer, content, old }));
            }
            Message::Close => {
                self.end(transfer);
                self.lacks.retain(|(it, _)| *it != transfer);
            }
            Message::List { section } => {
                if let Some(upload) = self.open(transfer, frame.kind)? {
                    upload.on_list(section)?;
                }
            }
            Message::Want { offset, section, first, count, way } => {
                if let Some(upload) = self.open(transfer, frame.kind)? {
                    upload.on_want((offset, section), (first, count), &way)?;
                }
            }
            Message::Outline { .. }
            | Message::Chunks { .. }
            | Message::Piece { .. }
            | Message::Patch { .. }
            | Message::Lacks(_) => {
                let expected = "a frame of the receiving end";
                return Err(FrameError::Unexpected { kind: frame.kind, expected });
            }
        }
        Ok(None)
    }

    fn on_ask(&mut self, id: TransferId, asked: Transfer<S>) -> Result<(), FrameError> {
        let malformed = |rule| Err(FrameError::Malformed { kind: Kind::Ask, rule });
        if self.transfers.contains_key(&id) {
            return malformed("the number of the transfer is in use");
        }
        if self.transfers.len() + self.lacks.len() >= TRANSFERS_MAX {
            return malformed("more contents are under way than may be");
        }
        self.transfers.insert(id, asked);
        Ok(())
    }

    /// The upload of a number; none if it has ended, which the peer may not know yet.
    fn open(&mut self, id: TransferId, kind: Kind) -> Result<Option<&mut Upload<S>>, FrameError> {
        match self.transfers.get_mut(&id) {
            Some(Transfer::Open(upload)) => Ok(Some(upload)),
            Some(Transfer::Asked { .. }) => {
                Err(FrameError::Unexpected { kind, expected: "nothing before the outline's end" })
            }
            None => Ok(None),
        }
    }

    /// Answers an ask with a content, and with the old one if this end has it as well. Does nothing if the
    /// peer has closed the transfer.
    ///
    /// # Panics
    /// A manifest names another content than the peer asked for, or than the old one that it has.
    pub fn supply(&mut self, transfer: TransferId, source: S, old: Option<S>) {
        let Some(Transfer::Asked { content, old: asked, needs_outline }) =
            self.transfers.get(&transfer)
        else {
            return;
        };
        let name = |it: &S| ContentId(it.manifest().root().0);
        assert_eq!(name(&source), *content, "the manifest is of another content");
        let held = old.as_ref().map(name);
        assert!(held.is_none() || held == *asked, "the manifest is of another old content");
        let upload = Upload::new(source, old, *needs_outline);
        self.transfers.insert(transfer, Transfer::Open(Box::new(upload)));
        self.turns.push_back(transfer);
    }

    /// Answers an ask with the reason for which no content comes.
    pub fn refuse(&mut self, transfer: TransferId, lack: Lack) {
        if self.end(transfer) {
            self.lacks.push_back((transfer, lack));
        }
    }

    fn end(&mut self, id: TransferId) -> bool {
        self.turns.retain(|it| *it != id);
        self.transfers.remove(&id).is_some()
    }

    /// Appends at most one frame, for the content whose turn it is. The driver calls this whenever the
    /// connection takes more bytes. It reads from the content.
    pub fn next_frame(&mut self, out: &mut Vec<u8>) -> Sent {
        if let Some((transfer, lack)) = self.lacks.pop_front() {
            Message::Lacks(lack).encode(transfer, out);
            return Sent::Frame;
        }
        for _ in 0..self.turns.len() {
            let Some(id) = self.turns.pop_front() else { break };
            self.turns.push_back(id);
            let Some(Transfer::Open(upload)) = self.transfers.get_mut(&id) else { continue };
            match upload.next_frame(id, out) {
                Ok(true) => return Sent::Frame,
                Ok(false) => {}
                Err(error) => {
                    let content = upload.content();
                    self.end(id);
                    Message::Lacks(Lack::Missing).encode(id, out);
                    return Sent::Bad { content, error };
                }
            }
        }
        Sent::Nothing
    }
}
