//! The body of a put on its way to the disk.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use steadfast_protocol::Content;
use tokio::sync::mpsc;

use super::{ApiError, Parts};
use crate::core::DisplayChain;
use crate::disk::{StoredContent, write_content};

/// How many pieces of a body may wait for the disk.
const PIECES_WAITING_MAX: usize = 16;

/// A body that has arrived whole.
pub(crate) struct Upload {
    pub content: Content,
    /// The large content, which the node does not know yet.
    pub stored: Option<StoredContent>,
    /// In bytes.
    pub length: u64,
}

/// The pieces of a body.
struct Pieces {
    body: BodyDataStream,
    silence_max: Duration,
}

impl Pieces {
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
    let mut pieces = Pieces { body: body.into_data_stream(), silence_max: api.silence_max };
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

async fn large(api: &Parts, beginning: Bytes, mut pieces: Pieces) -> Result<Upload, ApiError> {
    let (to_disk, waiting) = mpsc::channel(PIECES_WAITING_MAX);
    let contents = Arc::clone(&api.contents);
    let writing = tokio::task::spawn_blocking(move || write_content(&contents, waiting));
    let mut next = Ok(Some(beginning));
    while let Ok(Some(piece)) = next {
        // The writer ends early only if the disk fails, and then says how.
        next = match to_disk.send(Ok(piece)).await {
            Ok(()) => pieces.next().await,
            Err(_) => Ok(None),
        };
    }
    if next.is_err() {
        // Without this the writer would take the end of the queue for the end of the content.
        let _ = to_disk.send(Err(())).await;
    }
    drop(to_disk);
    let written = writing.await.map_err(|error| ApiError::internal(error.to_string()))?;
    next?;
    let written = written.map_err(|error| {
        let why = DisplayChain(&error).to_string();
        match error.is_out_of_space() {
            true => ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", why),
            false => ApiError::internal(why),
        }
    })?;
    let (stored, length) = written.ok_or_else(ApiError::stopping)?;
    Ok(Upload { content: Content::Named(stored.content()), stored: Some(stored), length })
}
