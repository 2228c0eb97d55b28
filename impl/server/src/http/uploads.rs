//! The body of a put on its way to the disk.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use steadfast_protocol::Content;
use tokio::sync::mpsc;

use super::{ApiError, Parts};
use crate::core::DisplayChain;
use crate::disk::{StoredContent, write_content};

/// How many pieces of a body may wait for the disk.
pub(super) const PIECES_WAITING_MAX: usize = 16;

/// A body that has arrived whole.
pub(crate) struct Upload {
    pub content: Content,
    /// The large content, which the node does not know yet.
    pub stored: Option<StoredContent>,
    /// In bytes.
    pub length: u64,
}

/// The pieces of a body.
pub(super) struct Pieces {
    body: BodyDataStream,
    silence_max: Duration,
}

impl Pieces {
    pub(super) fn of(api: &Parts, body: Body) -> Pieces {
        Pieces { body: body.into_data_stream(), silence_max: api.silence_max }
    }

    /// Hands all pieces to a thread of the disk, behind a `first` one, until it takes no more.
    pub(super) async fn forward(
        mut self,
        first: Option<Bytes>,
        to_disk: mpsc::Sender<Result<Bytes, ()>>,
    ) -> Result<(), ApiError> {
        let mut next = match first {
            Some(first) => Ok(Some(first)),
            None => self.next().await,
        };
        while let Ok(Some(piece)) = next {
            // The thread ends early only if it fails, and then says how.
            next = match to_disk.send(Ok(piece)).await {
                Ok(()) => self.next().await,
                Err(_) => Ok(None),
            };
        }
        if next.is_err() {
            // Without this the thread would take the end of the queue for the end of the body.
            let _ = to_disk.send(Err(())).await;
        }
        next.map(drop)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match tokio::time::timeout(self.silence_max, self.body.next()).await {
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(None) => Ok(None),
            Ok(Some(Err(error))) => {
                let why = format!("the body ended too early: {error}");
                Err(ApiError::new(StatusCode::BAD_REQUEST, "incomplete-body", why))
            }
            Err(_) => {
                let why = "the client sent nothing for too long";
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", why))
            }
        }
    }
}

/// Takes the body of a put. A small body stays in memory; a larger one is durable when this returns.
pub(crate) async fn upload(api: &Parts, body: Body) -> Result<Upload, ApiError> {
    let mut pieces = Pieces::of(api, body);
    let mut small = BytesMut::new();
    while let Some(piece) = pieces.next().await? {
        small.extend_from_slice(&piece);
        if small.len() > api.inline_bytes_max {
            return large(api, small.freeze(), pieces).await;
        }
    }
    let length = small.len() as u64;
    Ok(Upload { content: Content::Inline(small.to_vec().into()), stored: None, length })
}

async fn large(api: &Parts, beginning: Bytes, pieces: Pieces) -> Result<Upload, ApiError> {
    let (to_disk, waiting) = mpsc::channel(PIECES_WAITING_MAX);
    let contents = Arc::clone(&api.contents);
    let writing = tokio::task::spawn_blocking(move || write_content(&contents, waiting));
    let received = pieces.forward(Some(beginning), to_disk).await;
    let written = writing.await.map_err(|error| ApiError::internal(error.to_string()))?;
    received?;
    let written = written
        .map_err(|error| not_stored(error.is_out_of_space(), DisplayChain(&error).to_string()))?;
    let (stored, length) = written.ok_or_else(ApiError::stopping)?;
    Ok(Upload { content: Content::Named(stored.content()), stored: Some(stored), length })
}

/// The longest body of a request other than a file.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// Takes a body that is a record.
pub(super) async fn record<T: DeserializeOwned>(api: &Parts, body: Body) -> Result<T, ApiError> {
    let mut pieces = Pieces::of(api, body);
    let mut record = BytesMut::new();
    while let Some(piece) = pieces.next().await? {
        if record.len() + piece.len() > RECORD_BYTES_MAX {
            let why = format!("the body has more than {RECORD_BYTES_MAX} bytes");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", why));
        }
        record.extend_from_slice(&piece);
    }
    serde_json::from_slice(&record)
        .map_err(|error| ApiError::bad_request(format!("the body is not as documented: {error}")))
}

/// The error of a disk that did not take a content.
pub(super) fn not_stored(is_full: bool, why: String) -> ApiError {
    match is_full {
        true => ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", why),
        false => ApiError::internal(why),
    }
}
