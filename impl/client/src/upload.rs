//! Bodies of requests: streamed, and streamed again where a request is repeated.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::Error;
use crate::delta::{Delta, state};

/// How many bytes are read at once, and how many such pieces wait for the connection.
const PIECE: usize = 128 << 10;
const PIECES_MAX: usize = 4;

/// The slowest replication of a content that the client waits for, in bytes per second. A connection whose node is
/// gone ends earlier, and a leader that steps down answers at once.
const BYTES_PER_S_MIN: u64 = 4 << 20;

/// How many bytes of a source that can be read only once are kept, so that the upload can be repeated.
const KEPT_MAX: usize = 1 << 20;

type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// The content of a write.
pub struct Upload {
    source: Option<Source>,
    on_progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

enum Source {
    Bytes(Bytes),
    File(PathBuf),
    /// Of a file, what is not in a content that the cluster has.
    Delta(Arc<Delta>),
    Reader {
        reader: Reader,
        kept: Vec<u8>,
        is_whole: bool,
    },
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.source {
            Some(Source::Bytes(bytes)) => write!(f, "Upload({} bytes)", bytes.len()),
            Some(Source::File(path)) => write!(f, "Upload({})", path.display()),
            Some(Source::Delta(delta)) => write!(f, "Upload(delta of {})", delta.path().display()),
            _ => f.write_str("Upload(reader)"),
        }
    }
}

impl Upload {
    /// Bytes in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Upload {
        Upload { source: Some(Source::Bytes(bytes.into())), on_progress: None }
    }

    /// A file. If it changes while it is read, the write fails and does not take place. Where the path shows a
    /// similar version of some length, only the changes are sent.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Upload {
        Upload { source: Some(Source::File(path.into())), on_progress: None }
    }

    /// Anything that can be read once, such as a pipe. A request whose first MiB has not been exceeded can be
    /// repeated; a later interruption fails with [`Error::SourceGone`].
    #[must_use]
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Upload {
        let reader: Reader = Box::new(reader);
        let source = Source::Reader { reader, kept: Vec::new(), is_whole: true };
        Upload { source: Some(source), on_progress: None }
    }

    /// Calls `report` with the number of bytes that have been handed to the connection; it begins again from
    /// 0 where the upload is repeated. Of a delta, these are the bytes of the delta.
    #[must_use]
    pub fn on_progress(self, report: impl Fn(u64) + Send + Sync + 'static) -> Upload {
        Upload { on_progress: Some(Arc::new(report)), ..self }
    }

    /// The file that it is, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.source {
            Some(Source::File(path)) => Some(path),
            _ => None,
        }
    }

    /// The same upload as a delta of its file.
    pub(crate) fn as_delta(&self, delta: Arc<Delta>) -> Upload {
        let on_progress = self.on_progress.clone();
        Upload { source: Some(Source::Delta(delta)), on_progress }
    }

    /// Whether it takes long to send, so that the right node should be known before.
    pub(crate) fn is_streamed(&self) -> bool {
        !matches!(self.source, Some(Source::Bytes(_)))
    }

    /// The body of one request. `None` where the source is gone.
    pub(crate) async fn begin(&mut self) -> Result<Option<(RequestBody, Option<Pump>)>, Error> {
        let moved = Arc::new(AtomicU64::new(0));
        let report = self.on_progress.clone();
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        let (stop, stopped) = watch::channel(());
        let outlet = Outlet { pieces, stopped, moved: moved.clone(), report };
        match self.source.take() {
            Some(Source::Bytes(bytes)) => {
                self.source = Some(Source::Bytes(bytes.clone()));
                Ok(Some((RequestBody::Whole(Some(bytes)), None)))
            }
            Some(Source::File(path)) => {
                self.source = Some(Source::File(path.clone()));
                let opened = open(&path).await;
                let (file, metadata) = opened
                    .map_err(|source| Error::Source { of: path.display().to_string(), source })?;
                let length = metadata.len();
                let task = tokio::spawn(pump_file(file, metadata, path, outlet));
                Ok(Some((
                    RequestBody::Pieces { receiver, left: Some(length), has_ended: false },
                    Some(Pump { task, stop, moved, length }),
                )))
            }
            Some(Source::Delta(delta)) => {
                let length = delta.length();
                self.source = Some(Source::Delta(Arc::clone(&delta)));
                let runtime = Handle::current();
                let task =
                    tokio::task::spawn_blocking(move || pump_delta(&delta, outlet, &runtime));
                let body = RequestBody::Pieces { receiver, left: None, has_ended: false };
                Ok(Some((body, Some(Pump { task, stop, moved, length }))))
            }
            Some(Source::Reader { reader, kept, is_whole: true }) => {
                let task = tokio::spawn(pump_reader(reader, kept, outlet));
                let body = RequestBody::Pieces { receiver, left: None, has_ended: false };
                Ok(Some((body, Some(Pump { task, stop, moved, length: 0 }))))
            }
            Some(Source::Reader { is_whole: false, .. }) | None => Ok(None),
        }
    }

    /// Stops reading after a request has ended, and takes the source back.
    pub(crate) async fn end(&mut self, pump: Pump) -> Result<(), Error> {
        drop(pump.stop);
        let Ok(pumped) = pump.task.await else { return Ok(()) };
        if let Some(source) = pumped.source {
            self.source = Some(source);
        }
        pumped.result.map_err(|(of, source)| Error::Source { of, source })
    }
}

/// The task that reads a source for a request.
pub(crate) struct Pump {
    task: JoinHandle<Pumped>,
    /// Dropped, it stops the task.
    stop: watch::Sender<()>,
    moved: Arc<AtomicU64>,
    /// The length of the content, where it is known before it is read.
    length: u64,
}

impl Pump {
    /// How long the node may take, beyond other answers, from the end of the body to the answer: it makes the content of a
    /// delta, and other nodes get the content before it is acknowledged. Nothing before the end of the body.
    pub(crate) fn time_to_store(&self) -> Duration {
        let length = self.length.max(self.moved());
        match self.task.is_finished() {
            true => Duration::from_secs(length / BYTES_PER_S_MIN),
            false => Duration::ZERO,
        }
    }

    /// How many bytes were handed to the connection.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

struct Pumped {
    source: Option<Source>,
    result: Result<(), (String, io::Error)>,
}

/// The way of pieces to the connection. `None` ends a body; without it, the body is incomplete.
struct Outlet {
    pieces: mpsc::Sender<io::Result<Option<Bytes>>>,
    stopped: watch::Receiver<()>,
    moved: Arc<AtomicU64>,
    report: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

impl Outlet {
    /// Returns false if the request has ended.
    async fn send(&mut self, piece: Option<Bytes>) -> bool {
        let length = piece.as_ref().map_or(0, |it| it.len() as u64);
        let is_sent = tokio::select! {
            _ = self.stopped.changed() => false,
            sent = self.pieces.send(Ok(piece)) => sent.is_ok(),
        };
        let moved = self.moved.fetch_add(length, Ordering::Relaxed) + length;
        if let Some(report) = self.report.as_ref().filter(|_| is_sent) {
            report(moved);
        }
        is_sent
    }

    /// Waits until the request has ended.
    async fn ended(&mut self) {
        tokio::select! {
            _ = self.stopped.changed() => {}
            () = self.pieces.closed() => {}
        }
    }

    /// Ends the request, so that the node does not take the body for complete.
    async fn abort(&mut self, error: &io::Error) {
        let error = io::Error::new(error.kind(), error.to_string());
        tokio::select! {
            _ = self.stopped.changed() => {}
            _ = self.pieces.send(Err(error)) => {}
        }
    }
}

async fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// Sends a file. The last piece waits until the file is known to be unchanged.
async fn pump_file(mut file: File, opened: Metadata, path: PathBuf, mut outlet: Outlet) -> Pumped {
    let mut left = opened.len();
    let result = async {
        while left > 0 {
            let piece = read_piece(&mut file, left).await?;
            left -= piece.len() as u64;
            if left == 0 && state(&tokio::fs::metadata(&path).await?) != state(&opened) {
                return Err(io::Error::other("it was changed while it was read"));
            }
            if !outlet.send(Some(piece)).await {
                return Ok(());
            }
        }
        outlet.send(None).await;
        Ok(())
    };
    let result: io::Result<()> = result.await;
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => {
            outlet.abort(&error).await;
            Err((path.display().to_string(), error))
        }
    };
    Pumped { source: None, result }
}

async fn read_piece(file: &mut File, left: u64) -> io::Result<Bytes> {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
    let mut piece = vec![0; length];
    match file.read(&mut piece).await? {
        0 => Err(io::Error::other("it was cut while it was read")),
        read => {
            piece.truncate(read);
            Ok(piece.into())
        }
    }
}

/// Sends a delta of a file, on a thread that may wait for the disk. The end mark waits until the file is known to be
/// unchanged.
fn pump_delta(delta: &Delta, mut outlet: Outlet, runtime: &Handle) -> Pumped {
    let written = delta.write(PIECE, |piece| runtime.block_on(outlet.send(Some(piece))));
    let result = match written {
        Ok(()) => {
            runtime.block_on(outlet.send(None));
            Ok(())
        }
        Err(error) => {
            runtime.block_on(outlet.abort(&error));
            Err((delta.path().display().to_string(), error))
        }
    };
    Pumped { source: None, result }
}

/// Sends first the kept beginning of a reader and then the rest.
async fn pump_reader(mut reader: Reader, mut kept: Vec<u8>, mut outlet: Outlet) -> Pumped {
    let mut is_whole = true;
    let mut result = Ok(());
    if !kept.is_empty() && !outlet.send(Some(Bytes::copy_from_slice(&kept))).await {
        return Pumped { source: Some(Source::Reader { reader, kept, is_whole }), result };
    }
    loop {
        let mut piece = vec![0; PIECE];
        let read = tokio::select! {
            () = outlet.ended() => break,
            read = reader.read(&mut piece) => read,
        };
        match read {
            Ok(0) => {
                outlet.send(None).await;
                break;
            }
            Ok(read) => piece.truncate(read),
            Err(error) => {
                outlet.abort(&error).await;
                result = Err(("the source of the upload".to_owned(), error));
                break;
            }
        }
        is_whole = is_whole && kept.len() + piece.len() <= KEPT_MAX;
        match is_whole {
            true => kept.extend_from_slice(&piece),
            false => kept = Vec::new(),
        }
        if !outlet.send(Some(piece.into())).await {
            break;
        }
    }
    Pumped { source: Some(Source::Reader { reader, kept, is_whole }), result }
}

/// The body of a request.
pub(crate) enum RequestBody {
    Whole(Option<Bytes>),
    Pieces {
        receiver: mpsc::Receiver<io::Result<Option<Bytes>>>,
        left: Option<u64>,
        has_ended: bool,
    },
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            RequestBody::Whole(bytes) => {
                let bytes = bytes.take().filter(|it| !it.is_empty());
                Poll::Ready(bytes.map(|it| Ok(Frame::data(it))))
            }
            RequestBody::Pieces { has_ended: true, .. } => Poll::Ready(None),
            RequestBody::Pieces { receiver, left, has_ended } => {
                let piece = std::task::ready!(receiver.poll_recv(context));
                let incomplete = || io::Error::other("the upload was stopped");
                let piece = piece.unwrap_or_else(|| Err(incomplete()));
                *has_ended = !matches!(piece, Ok(Some(_)));
                if let (Ok(Some(piece)), Some(left)) = (&piece, left) {
                    *left = left.saturating_sub(piece.len() as u64);
                }
                Poll::Ready(piece.transpose().map(|it| it.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            RequestBody::Pieces { left, has_ended, .. } => *has_ended || *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64))
            }
            RequestBody::Pieces { left: Some(left), .. } => SizeHint::with_exact(*left),
            RequestBody::Pieces { left: None, .. } => SizeHint::default(),
        }
    }
}
