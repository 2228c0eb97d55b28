//! The parts of a content by its name, from which a client finds how its own file differs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use steadfast_delta::manifest::Manifest;
use steadfast_protocol::ContentId;
use steadfast_store::ContentError;

use super::files::query;
use super::names::parse_content;
use super::{Api, ApiError, Parts};
use crate::core::DisplayChain;
use crate::disk::report;

/// The sections whose chunks one request may list: some 1.3 MB for sections of 1 MiB.
const SECTIONS_MAX: usize = 1024;

/// How many bytes of an answer are handed to the connection at once.
const PIECE_BYTES: usize = 64 << 10;

/// The sections of a content by hash.
pub(crate) async fn outline(State(api): State<Api>, uri: Uri) -> Result<Response, ApiError> {
    let manifest = manifest(&api, content_of(&uri, "/outline")?).await?;
    let outline = Bytes::from(manifest.outline_to_bytes());
    let pieces = (0..outline.len()).step_by(PIECE_BYTES);
    let pieces: Vec<Bytes> =
        pieces.map(|start| outline.slice(start..outline.len().min(start + PIECE_BYTES))).collect();
    Ok(binary(pieces.into_iter()))
}

/// The sections whose chunks a client asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    sections: String,
}

/// The chunks of some sections.
pub(crate) async fn chunks(State(api): State<Api>, uri: Uri) -> Result<Response, ApiError> {
    let content = content_of(&uri, "/chunks")?;
    let Listed { sections } = query(&uri)?;
    let sections = parse_sections(&sections)?;
    let manifest = manifest(&api, content).await?;
    let count = manifest.sections().len();
    if let Some(beyond) = sections.iter().find(|it| **it >= count) {
        let why = format!("there is no section {beyond}: the content has {count}");
        return Err(ApiError::bad_request(why));
    }
    let lists = sections.into_iter().map(move |section| {
        let chunks = manifest.sections()[section].to_bytes();
        // A section has at most 261 chunks.
        let length = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        Bytes::from([&length.to_le_bytes()[..], &chunks].concat())
    });
    Ok(binary(lists))
}

/// The content that a URL names between `/contents/` and its end.
fn content_of(uri: &Uri, end: &str) -> Result<ContentId, ApiError> {
    let name = uri.path().strip_prefix("/contents/").and_then(|it| it.strip_suffix(end));
    parse_content(name.unwrap_or_default())
}

/// Numbers and ranges with commas between them, such as `0,4-7`.
fn parse_sections(text: &str) -> Result<Vec<usize>, ApiError> {
    let why = || {
        let why = format!("expected at most {SECTIONS_MAX} numbers such as 0,4-7");
        ApiError::bad_request(format!("sections: {why}"))
    };
    let mut sections = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |it: &str| it.parse::<usize>().map_err(|_| why());
        let (first, last) = (number(first)?, number(last)?);
        let is_bounded = first <= last && last - first < SECTIONS_MAX - sections.len();
        if !is_bounded {
            return Err(why());
        }
        sections.extend(first..=last);
    }
    Ok(sections)
}

async fn manifest(api: &Parts, content: ContentId) -> Result<Manifest, ApiError> {
    let contents = Arc::clone(&api.contents);
    let found = tokio::task::spawn_blocking(move || contents.manifest(content)).await;
    match found.map_err(|error| ApiError::internal(error.to_string()))? {
        Ok(manifest) => Ok(manifest),
        Err(error @ (ContentError::Missing(_) | ContentError::Rotten { .. })) => {
            report(&error, content, &api.events).await;
            let why = format!("this node has no good copy: {}", DisplayChain(&error));
            Err(ApiError::new(StatusCode::NOT_FOUND, "unknown-content", why))
        }
        Err(error) => Err(ApiError::internal(DisplayChain(&error).to_string())),
    }
}

fn binary(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Response {
    let pieces = futures_util::stream::iter(pieces.map(Ok::<_, std::convert::Infallible>));
    let mut response = Body::from_stream(pieces).into_response();
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_numbers_and_ranges_and_bounded() {
        assert_eq!(parse_sections("0,4-6").expect("sections"), [0, 4, 5, 6]);
        assert_eq!(parse_sections("0-1023").expect("sections").len(), SECTIONS_MAX);
        for wrong in ["", "a", "3-2", "-1", "1-", "0-1024", "0-1023,5", "0,,1", "0-99999999999999"]
        {
            assert_eq!(parse_sections(wrong).expect_err(wrong).code, "bad-request", "{wrong}");
        }
    }
}
