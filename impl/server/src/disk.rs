//! A node's disk: the types of its store, and contents on their way between the disk and clients.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use steadfast_delta::{PatchError, Source, apply_stream};
use steadfast_protocol::ContentId;
use steadfast_store::{ContentError, ContentReader, Contents, HeldContent, Store, ThreadedLog};
use steadfast_wal::RealDisk;
use tokio::sync::mpsc;

use crate::core::{DisplayChain, Event};
use crate::http::ApiError;

/// The storage of a node on a real disk.
pub(crate) type NodeStore = Store<ThreadedLog<RealDisk>>;

/// The contents of a node on a real disk.
pub(crate) type NodeContents = Contents<RealDisk>;

/// How many bytes of a content are read at once.
const PIECE_BYTES: usize = 256 << 10;

/// How many pieces may wait for a client.
const PIECES_WAITING_MAX: usize = 4;

/// A content that is durable and that the node does not know yet. Until this is dropped, no discard removes it.
#[derive(Debug)]
pub(crate) struct StoredContent {
    contents: Arc<NodeContents>,
    content: ContentId,
}

impl StoredContent {
    /// For a content that a writer or a place has just finished.
    pub(crate) fn of(contents: &Arc<NodeContents>, content: ContentId) -> StoredContent {
        StoredContent { contents: Arc::clone(contents), content }
    }

    pub(crate) fn content(&self) -> ContentId {
        self.content
    }
}

impl Drop for StoredContent {
    fn drop(&mut self) {
        self.contents.note_reported(self.content);
    }
}

/// Writes the pieces that come as a content, and returns it with its length once it is durable. `Err(())`
/// among the pieces means that the rest will not come: nothing stays.
pub(crate) fn write_content(
    contents: &Arc<NodeContents>,
    mut pieces: mpsc::Receiver<Result<Bytes, ()>>,
) -> Result<Option<(StoredContent, u64)>, ContentError> {
    let mut writer = contents.writer()?;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Ok(piece) => writer.update(&piece)?,
            Err(()) => return Ok(None),
        }
    }
    let (content, length) = writer.finish()?;
    Ok(Some((StoredContent::of(contents, content), length)))
}

/// How much longer than its base a content may be that a delta makes, in bytes. Few bytes of a delta make many of
/// a content, so without this bound they could fill the disk.
const GROWTH_MAX: u64 = 1 << 30;

/// Why a delta makes no content. Nothing stays of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeltaError {
    #[error("this node has no good copy of the base")]
    NoBase(#[source] ContentError),
    #[error(
        "the delta makes {found} bytes; at most {GROWTH_MAX} more than the base has are accepted: put the file whole"
    )]
    TooLong { found: u64 },
    #[error("the delta cannot be applied")]
    Malformed(#[source] PatchError),
    #[error("the delta makes another content than Steadfast-Content names")]
    OtherContent(#[source] ContentError),
    #[error("the delta did not come whole")]
    Interrupted(#[source] io::Error),
    #[error(transparent)]
    Disk(ContentError),
}

/// Makes the content `result` of the content `base` and of a delta whose pieces come, and returns it with its length
/// once it is durable. `Err(())` among the pieces means that the rest will not come. Memory is bounded by a frame
/// of the delta and by the manifests of both contents.
pub(crate) fn make_content(
    contents: &Arc<NodeContents>,
    base: ContentId,
    result: ContentId,
    pieces: mpsc::Receiver<Result<Bytes, ()>>,
) -> Result<(StoredContent, u64), DeltaError> {
    let base = HeldContent::open(contents, base).map_err(DeltaError::of)?;
    let limit = base.manifest().length().saturating_add(GROWTH_MAX);
    let mut writer = contents.writer_like(&base).map_err(DeltaError::of)?;
    let patch = Arriving { pieces, piece: Bytes::new() };
    match apply_stream(&base, patch, &mut writer, limit) {
        Ok(_) => {}
        Err(PatchError::TooLarge { found, .. }) => return Err(DeltaError::TooLong { found }),
        Err(PatchError::Io(error)) => {
            // Errors of both contents are contents' errors, those of the delta are not.
            let error = error.downcast::<ContentError>();
            return Err(error.map_or_else(DeltaError::Interrupted, DeltaError::of));
        }
        Err(error) => return Err(DeltaError::Malformed(error)),
    }
    let length = writer.finish_as(result).map_err(DeltaError::of)?;
    Ok((StoredContent::of(contents, result), length))
}

impl DeltaError {
    fn of(error: ContentError) -> DeltaError {
        match error {
            ContentError::Missing(_) | ContentError::Rotten { .. } => DeltaError::NoBase(error),
            ContentError::OtherContent { .. } => DeltaError::OtherContent(error),
            error => DeltaError::Disk(error),
        }
    }
}

/// The pieces of a body as a reader.
struct Arriving {
    pieces: mpsc::Receiver<Result<Bytes, ()>>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(())) => {
                    return Err(io::Error::other("the rest of the body will not come"));
                }
                None => return Ok(0),
            }
        }
        let now = self.piece.split_to(to.len().min(self.piece.len()));
        to[..now.len()].copy_from_slice(&now);
        Ok(now.len())
    }
}

/// The bytes of a part of a content, as the body of an answer. A client that gets fewer bytes than were
/// announced knows that something went wrong.
pub(crate) async fn body_of(
    contents: Arc<NodeContents>,
    events: mpsc::Sender<Event>,
    content: ContentId,
    part: Range<u64>,
) -> Result<Body, ApiError> {
    let opened = tokio::task::spawn_blocking(move || contents.reader(content)).await;
    let opened = opened.map_err(|error| ApiError::internal(error.to_string()))?;
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            report(&error, content, &events).await;
            let why = format!("this node has no good copy: {}", DisplayChain(&error));
            return Err(ApiError::unavailable("content-missing", why));
        }
    };
    let (to_client, mut waiting) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::task::spawn_blocking(move || read_pieces(reader, part, &to_client, &events));
    let pieces = futures_util::stream::poll_fn(move |context| waiting.poll_recv(context));
    Ok(Body::from_stream(pieces))
}

fn read_pieces(
    mut reader: ContentReader<RealDisk>,
    part: Range<u64>,
    to_client: &mpsc::Sender<Result<Bytes, ContentError>>,
    events: &mpsc::Sender<Event>,
) {
    let mut at = part.start;
    while at < part.end {
        let count = usize::try_from(part.end - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let mut piece = vec![0; count];
        let read = reader.read_at(at, &mut piece);
        let is_bad = read.is_err();
        if let Err(ContentError::Rotten { content, .. }) = &read {
            let _ = events.blocking_send(Event::Rotten(*content));
        }
        let sent = to_client.blocking_send(read.map(|()| Bytes::from(piece)));
        if sent.is_err() || is_bad {
            return;
        }
        at += count as u64;
    }
}

/// Reports a bad copy to the node, which gets another one from a peer.
pub(crate) async fn report(error: &ContentError, content: ContentId, events: &mpsc::Sender<Event>) {
    if matches!(error, ContentError::Rotten { .. }) {
        let _ = events.send(Event::Rotten(content)).await;
    }
}
