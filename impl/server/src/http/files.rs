//! One file: put, get, delete, and the writes that choose a version.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH,
    RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_protocol::{
    Base, Change, Consistency, Content, ContentId, Dot, Entry, Files, Intent, Path, RequestId,
};

use super::conditions::{self, Tags};
use super::names::{self, etag, parse_version, path_of, version};
use super::uploads::{Upload, record, upload};
use super::{Api, ApiError, Parts, deltas};
use crate::core::{Condition, Key, Write};
use crate::disk::body_of;

static STALE: HeaderName = HeaderName::from_static("steadfast-stale");
static CONTENT: HeaderName = HeaderName::from_static("steadfast-content");
static CONFLICTS: HeaderName = HeaderName::from_static("steadfast-conflicts");

/// How a read may be answered, and which version it is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reading {
    consistency: Option<Freshness>,
    version: Option<String>,
}

/// The consistency of a read, in a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Freshness {
    #[default]
    Linearizable,
    Stale,
}

impl From<Freshness> for Consistency {
    fn from(it: Freshness) -> Self {
        match it {
            Freshness::Linearizable => Consistency::Linearizable,
            Freshness::Stale => Consistency::Stale,
        }
    }
}

/// The query of a URL, or an error that names the wrong part.
pub(crate) fn query<T: serde::de::DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    Query::try_from_uri(uri)
        .map(|Query(it)| it)
        .map_err(|error| ApiError::bad_request(format!("the query: {}", error.body_text())))
}

/// The answer to a write.
#[derive(Debug, Serialize)]
struct Written {
    path: String,
    version: String,
    /// The name of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

fn written(status: StatusCode, dot: Dot, body: Written) -> Response {
    let tag = HeaderValue::try_from(etag(dot)).ok();
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().extend(tag.map(|it| (ETAG, it)));
    response
}

/// Stores a file.
pub(crate) async fn put(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let path = path_of(&uri, "/files/")?;
    let conditions = conditions::of_write(&headers, api.clock())?;
    api.must_lead(&uri)?;
    let upload = upload(&api, body).await?;
    put_upload(&api, &uri, path, conditions, upload).await
}

/// Stores a file that comes as the changes of a content that this node has.
pub(crate) async fn patch(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let path = path_of(&uri, "/files/")?;
    let conditions = conditions::of_write(&headers, api.clock())?;
    if let Some(response) = deltas::other_media_type(&headers) {
        return Ok(response);
    }
    let ends = deltas::Ends::of(&headers)?;
    api.must_lead(&uri)?;
    let upload = deltas::made(&api, ends, body).await?;
    put_upload(&api, &uri, path, conditions, upload).await
}

async fn put_upload(
    api: &Parts,
    uri: &Uri,
    path: Path,
    (key, condition): (Option<Key>, Condition),
    upload: Upload,
) -> Result<Response, ApiError> {
    let Upload { content, stored, length } = upload;
    let name = name_of(&content);
    let showed_file = shows_file(&api.facts.borrow().files, &path);
    let write = Write {
        key,
        stored,
        path: path.clone(),
        intent: Intent::Put(content),
        base: Base::Visible,
        condition,
    };
    let (dot, _) = api.write(write, uri).await?;
    let status = if showed_file { StatusCode::OK } else { StatusCode::CREATED };
    let body = Written {
        path: path.to_string(),
        version: version(dot),
        content: Some(name),
        length: Some(length),
    };
    Ok(written(status, dot, body))
}

/// The name of a content, as 64 hexadecimal digits: the root of its manifest, whether the content travels
/// within its entry or not.
pub(crate) fn name_of(content: &Content) -> String {
    match content {
        Content::Named(content) => hexadecimal(content),
        Content::Inline(bytes) => {
            hexadecimal(&ContentId(Manifest::of(bytes, Depth::Chunks).root().0))
        }
    }
}

/// The digits of a content's id.
pub(crate) fn hexadecimal(content: &ContentId) -> String {
    content.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shows_file(files: &Files, path: &Path) -> bool {
    files.visible(path).is_some_and(|it| it.change != Change::Delete)
}

/// Deletes a file.
pub(crate) async fn delete(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = path_of(&uri, "/files/")?;
    let (key, condition) = conditions::of_write(&headers, api.clock())?;
    let write = Write {
        key,
        stored: None,
        path: path.clone(),
        intent: Intent::Delete,
        base: Base::Visible,
        condition,
    };
    let (dot, _) = api.write(write, &uri).await?;
    let (path, version) = (path.to_string(), version(dot));
    Ok(written(StatusCode::OK, dot, Written { path, version, content: None, length: None }))
}

/// The body of a request that resolves a conflict.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keep {
    keep: String,
}

/// Writes one version again over all versions of the path.
pub(crate) async fn resolve(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let path = path_of(&uri, "/resolve/")?;
    let Keep { keep } = record(&api, body).await?;
    let kept = parse_version(&keep)?;
    let files = api.files(Consistency::Linearizable, &uri).await?;
    let heads: Vec<Dot> = files.heads(&path).iter().map(|it| it.dot).collect();
    if heads.is_empty() {
        let why = format!("{path} was never written, or its last delete is forgotten");
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not-found", why));
    }
    choose(&api, &uri, &headers, path, kept, Base::Named(heads)).await
}

/// The body of a request that restores a version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restored {
    version: String,
}

/// Writes one version again over the visible one.
pub(crate) async fn restore(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let path = path_of(&uri, "/restore/")?;
    let Restored { version } = record(&api, body).await?;
    let restored = parse_version(&version)?;
    choose(&api, &uri, &headers, path, restored, Base::Visible).await
}

async fn choose(
    api: &Parts,
    uri: &Uri,
    headers: &HeaderMap,
    path: Path,
    chosen: Dot,
    base: Base,
) -> Result<Response, ApiError> {
    let (key, condition) = conditions::of_write(headers, api.clock())?;
    let write = Write {
        key,
        stored: None,
        path: path.clone(),
        intent: Intent::Restore(chosen),
        base,
        condition,
    };
    let (dot, _) = api.write(write, uri).await?;
    let (path, version) = (path.to_string(), version(dot));
    Ok(written(StatusCode::OK, dot, Written { path, version, content: None, length: None }))
}

/// Reads a file, or its head only.
pub(crate) async fn get(
    State(api): State<Api>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = path_of(&uri, "/files/")?;
    let Reading { consistency, version } = query(&uri)?;
    let consistency = consistency.unwrap_or_default().into();
    let seen = api.read(path.clone(), consistency, &uri).await?;
    let heads = seen.files.heads(&path);
    let entry = match version.as_deref().map(parse_version).transpose()? {
        None => seen.version,
        Some(dot) => Some(heads.iter().find(|it| it.dot == dot).cloned().ok_or_else(|| {
            let why = format!("{} is no current version of {path}", names::version(dot));
            ApiError::new(StatusCode::NOT_FOUND, "unknown-version", why)
        })?),
    };
    let entry = present(entry, &path)?;
    if let Some(Tags::Versions(dots)) = conditions::tags(&headers, &IF_MATCH)?
        && !dots.contains(&entry.dot)
    {
        return Err(ApiError::precondition_failed());
    }
    let mut response = match conditions::tags(&headers, &IF_NONE_MATCH)? {
        Some(Tags::Any) => StatusCode::NOT_MODIFIED.into_response(),
        Some(Tags::Versions(dots)) if dots.contains(&entry.dot) => {
            StatusCode::NOT_MODIFIED.into_response()
        }
        _ => file(&api, &entry, &headers, method == Method::HEAD).await?,
    };
    let others = heads.len().saturating_sub(1);
    let tag = HeaderValue::try_from(etag(entry.dot)).ok();
    response.headers_mut().extend(tag.map(|it| (ETAG, it)));
    response.headers_mut().insert(&CONFLICTS, HeaderValue::from(others));
    if consistency == Consistency::Stale {
        response.headers_mut().insert(&STALE, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn present(entry: Option<Entry>, path: &Path) -> Result<Entry, ApiError> {
    let not_found = |code, why| Err(ApiError::new(StatusCode::NOT_FOUND, code, why));
    match entry {
        None => not_found("not-found", format!("{path} does not exist")),
        Some(entry) if entry.change == Change::Delete => {
            not_found("deleted", format!("{path} was deleted by {}", version(entry.dot)))
        }
        Some(entry) => Ok(entry),
    }
}

/// The file of an entry, or the part of it that the request wants.
async fn file(
    api: &Api,
    entry: &Entry,
    headers: &HeaderMap,
    is_head: bool,
) -> Result<Response, ApiError> {
    let Change::Put(content) = &entry.change else {
        return Err(ApiError::internal("a delete has no content"));
    };
    let length = api.length_of(content).ok_or_else(|| {
        let why = "this node is still getting this content from a peer: try again later";
        ApiError::unavailable("content-missing", why)
    })?;
    let is_same = conditions::continues(headers, entry.dot);
    let range = headers.get(RANGE).filter(|_| is_same).and_then(|it| it.to_str().ok());
    let (status, from, to) = match range.and_then(|it| single_range(it, length)) {
        None => (StatusCode::OK, 0, length),
        Some(Some((from, to))) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(None) => return Ok(unsatisfiable(length)),
    };
    let body = match (is_head, content) {
        (true, _) => Body::empty(),
        (false, Content::Inline(bytes)) => {
            let part = bytes.get(usize::try_from(from).unwrap_or(usize::MAX)..);
            let part = part.and_then(|it| it.get(..usize::try_from(to - from).ok()?));
            Body::from(part.unwrap_or_default().to_vec())
        }
        (false, Content::Named(content)) => {
            body_of(Arc::clone(&api.contents), api.events.clone(), *content, from..to).await?
        }
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.extend(HeaderValue::try_from(name_of(content)).ok().map(|it| (CONTENT.clone(), it)));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(to - from));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{length}", to - 1);
        headers.extend(HeaderValue::try_from(range).ok().map(|it| (CONTENT_RANGE, it)));
    }
    Ok(response)
}

fn unsatisfiable(length: u64) -> Response {
    let why = format!("the file has {length} bytes: the range begins behind them");
    let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", why);
    let mut response = error.into_response();
    let range = HeaderValue::try_from(format!("bytes */{length}")).ok();
    response.headers_mut().extend(range.map(|it| (CONTENT_RANGE, it)));
    response
}

/// The part of a file that a `Range` header names, as its first byte and the one behind its last. `None` if
/// the header is to be ignored (RFC 9110, section 14.2), because it is malformed or names several parts;
/// `Some(None)` if the file has no such part.
fn single_range(header: &str, length: u64) -> Option<Option<(u64, u64)>> {
    let (from, to) = header.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |it: &str| it.bytes().all(|it| it.is_ascii_digit()).then(|| it.parse().ok())?;
    if from.is_empty() {
        let suffix: u64 = number(to)?;
        let part = (length.saturating_sub(suffix), length);
        return Some((suffix > 0 && length > 0).then_some(part));
    }
    let from: u64 = number(from)?;
    let to = if to.is_empty() { length } else { number(to)?.checked_add(1)?.min(length) };
    match from < length {
        true => (from < to).then_some(Some((from, to))),
        false => Some(None),
    }
}

impl Parts {
    /// The length of a content in bytes, if this node has it.
    pub(crate) fn length_of(&self, content: &Content) -> Option<u64> {
        match content {
            Content::Inline(bytes) => Some(bytes.len() as u64),
            Content::Named(content) => self.contents.length(*content),
        }
    }

    /// The length of a current version of a path, which the node reads before it writes the version again.
    pub(crate) fn length_of_head(&self, path: &Path, dot: Dot) -> Option<u64> {
        let files = self.facts.borrow().files.clone();
        match &files.heads(path).iter().find(|it| it.dot == dot)?.change {
            Change::Put(content) => self.length_of(content),
            Change::Delete => None,
        }
    }
}

/// The id of a request, for people.
pub(crate) fn request_text(request: RequestId) -> String {
    format!("{:016x}/{}", request.client, request.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_others_are_ignored() {
        for (header, part) in [
            ("bytes=0-0", Some(Some((0, 1)))),
            ("bytes=2-", Some(Some((2, 10)))),
            ("bytes=2-99", Some(Some((2, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-99", Some(Some((0, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=5-4", None),
            ("bytes=1-2,4-5", None),
            ("bytes=a-", None),
            ("bytes=-", None),
            ("lines=1-2", None),
            ("bytes=99999999999999999999-", None),
        ] {
            assert_eq!(single_range(header, 10), part, "{header}");
        }
        assert_eq!(single_range("bytes=0-", 0), Some(None));
        assert_eq!(single_range("bytes=-1", 0), Some(None));
    }
}
