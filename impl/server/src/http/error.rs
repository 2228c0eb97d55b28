//! Errors of the interface: a status, a code that never changes, and a sentence.

use axum::Json;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use steadfast_protocol::{Outcome, PathError, Refusal};

/// The header with the code of an error.
static ERROR: HeaderName = HeaderName::from_static("steadfast-error");

/// An answer other than success.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// After how many seconds a retry may succeed.
    pub retry_after_s: Option<u32>,
    /// Where the leader has the resource.
    pub location: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        ApiError { status, code, message, retry_after_s: None, location: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    pub(crate) fn bad_path(error: PathError) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, "bad-path", error.to_string())
    }

    pub(crate) fn precondition_failed() -> Self {
        let why = "the path does not show the version that If-Match or If-None-Match requires";
        ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", why)
    }

    pub(crate) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        ApiError { retry_after_s: Some(1), ..error }
    }

    pub(crate) fn busy() -> Self {
        ApiError::unavailable("busy", "too many requests wait for this node: try again later")
    }

    pub(crate) fn stopping() -> Self {
        ApiError::unavailable("not-ready", "this node is stopping: ask another node")
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    pub(crate) fn redirect(location: String) -> Self {
        let message = "another node leads: ask it, at the address in Location";
        let error = ApiError::new(StatusCode::TEMPORARY_REDIRECT, "not-leader", message);
        ApiError { location: Some(location), ..error }
    }

    /// The error for an outcome that is neither an acknowledgement nor a value. A refusal by a node that does
    /// not lead is answered before, with the leader's address.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        let Outcome::Refused(refusal) = outcome else {
            let why = "the leader stepped down before it knew the outcome: retry with the same \
                       Idempotency-Key, or look whether the write is there";
            return ApiError::unavailable("unknown-outcome", why);
        };
        let why = refusal.to_string();
        match refusal {
            Refusal::NotLeader { .. } => {
                ApiError::unavailable("no-leader", "no node is known to lead: try again later")
            }
            Refusal::ContentMissing { .. } => ApiError::unavailable("content-missing", why),
            Refusal::UnknownVersion { .. } => {
                ApiError::new(StatusCode::NOT_FOUND, "unknown-version", why)
            }
            Refusal::NotAHead { .. } => ApiError::new(StatusCode::CONFLICT, "not-a-head", why),
            Refusal::Overtaken { .. } => ApiError::new(StatusCode::CONFLICT, "overtaken", why),
            Refusal::Superseded { .. } => ApiError::new(StatusCode::CONFLICT, "superseded", why),
            Refusal::Forgotten { .. } => ApiError::new(StatusCode::CONFLICT, "forgotten", why),
            Refusal::RequestReused { .. } => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "request-reused", why)
            }
            Refusal::Halted { .. } => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "halted", why)
            }
            Refusal::NotFound { .. } => ApiError::new(StatusCode::NOT_FOUND, "not-found", why),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        // An answer to HEAD has no body that could say it.
        headers.insert(&ERROR, HeaderValue::from_static(self.code));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(location) = self.location.and_then(|it| HeaderValue::try_from(it).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}
