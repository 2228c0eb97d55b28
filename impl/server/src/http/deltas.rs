//! A file as a delta against a content that this node has.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use steadfast_protocol::{Content, ContentId};
use tokio::sync::mpsc;

use super::names::parse_content;
use super::uploads::{PIECES_WAITING_MAX, Pieces, Upload, not_stored};
use super::{ApiError, Parts};
use crate::core::DisplayChain;
use crate::disk::{DeltaError, make_content, report};

/// The media type of a patch in the format of `steadfast-delta`.
const MEDIA_TYPE: &str = "application/vnd.steadfast.delta";

static ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
static BASE: HeaderName = HeaderName::from_static("steadfast-base");
static CONTENT: HeaderName = HeaderName::from_static("steadfast-content");

/// The deltas that a node applies at the same time. Each may take the memory of a frame, of its unpacked form, of the
/// literals that it keeps for later, and of a section: 105 MB together at most, and a few for those that our clients make.
pub(crate) const DELTAS_MAX: usize = 4;

/// The contents at both ends of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub base: ContentId,
    pub result: ContentId,
}

/// The answer to a body of another kind.
pub(crate) fn other_media_type(headers: &HeaderMap) -> Option<Response> {
    if headers.get(CONTENT_TYPE).is_some_and(|it| it == MEDIA_TYPE) {
        return None;
    }
    let why = "expected a delta, as application/vnd.steadfast.delta";
    let error = ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "other-media-type", why);
    let mut response = error.into_response();
    response.headers_mut().insert(&ACCEPT_PATCH, HeaderValue::from_static(MEDIA_TYPE));
    Some(response)
}

impl Ends {
    /// The contents that the headers of a request name.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Ends, ApiError> {
        let name = |header: &HeaderName| {
            let value = headers.get(header).and_then(|it| it.to_str().ok()).unwrap_or_default();
            parse_content(value)
                .map_err(|error| ApiError::bad_request(format!("{header}: {}", error.message)))
        };
        Ok(Ends { base: name(&BASE)?, result: name(&CONTENT)? })
    }
}

/// Takes a delta as it comes, and makes the content of it, which is durable when this returns.
pub(crate) async fn made(api: &Parts, ends: Ends, body: Body) -> Result<Upload, ApiError> {
    let _permit = api.deltas.try_acquire().map_err(|_| ApiError::busy())?;
    let (to_disk, waiting) = mpsc::channel(PIECES_WAITING_MAX);
    let contents = Arc::clone(&api.contents);
    let Ends { base, result } = ends;
    let making =
        tokio::task::spawn_blocking(move || make_content(&contents, base, result, waiting));
    let received = Pieces::of(api, body).forward(None, to_disk).await;
    let made = making.await.map_err(|error| ApiError::internal(error.to_string()))?;
    received?;
    match made {
        Ok((stored, length)) => {
            Ok(Upload { content: Content::Named(result), stored: Some(stored), length })
        }
        Err(error) => Err(refusal(api, base, error).await),
    }
}

async fn refusal(api: &Parts, base: ContentId, error: DeltaError) -> ApiError {
    let why = DisplayChain(&error).to_string();
    match error {
        DeltaError::NoBase(error) => {
            report(&error, base, &api.events).await;
            ApiError::new(StatusCode::CONFLICT, "base-missing", why)
        }
        DeltaError::TooLong { .. } => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", why),
        DeltaError::Malformed(_) => ApiError::new(StatusCode::BAD_REQUEST, "bad-delta", why),
        DeltaError::OtherContent(_) => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "other-content", why)
        }
        DeltaError::Interrupted(_) => ApiError::bad_request(why),
        DeltaError::Disk(error) => not_stored(error.is_out_of_space(), why),
    }
}
