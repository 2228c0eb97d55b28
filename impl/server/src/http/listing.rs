//! Many files, and all versions of one.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use steadfast_protocol::{Change, Entry, Path};

use super::files::{Freshness, name_of, query, request_text};
use super::names::{path_of, version};
use super::{Api, ApiError, Parts};

/// The longest page.
const PAGE_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    after: String,
    limit: Option<usize>,
    consistency: Option<Freshness>,
}

impl Page {
    fn limit(&self) -> Result<usize, ApiError> {
        match self.limit.unwrap_or(PAGE_MAX) {
            limit @ 1..=PAGE_MAX => Ok(limit),
            limit => Err(ApiError::bad_request(format!("limit={limit}: 1 to {PAGE_MAX}"))),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    path: String,
    version: String,
    length: Option<u64>,
    content: Option<String>,
    conflicts: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    files: Vec<Listed>,
    next: Option<String>,
}

/// The files that show a content, in the order of their paths.
pub(crate) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Listing>, ApiError> {
    let page: Page = query(&uri)?;
    let limit = page.limit()?;
    let files = api.files(page.consistency.unwrap_or_default().into(), &uri).await?;
    let shown = files.from_prefix(&page.prefix, &page.after);
    let mut shown = shown.filter(|(_, heads)| heads.first().is_some_and(is_file));
    let listed: Vec<Listed> = shown
        .by_ref()
        .take(limit)
        .filter_map(|(path, heads)| Some(api.listed(path, heads.first()?, heads.len() - 1)))
        .collect();
    let next = shown.next().and(listed.last().map(|it| it.path.clone()));
    Ok(Json(Listing { files: listed, next }))
}

fn is_file(entry: &Entry) -> bool {
    entry.change != Change::Delete
}

fn content_of(change: &Change) -> Option<String> {
    match change {
        Change::Put(content) => Some(name_of(content)),
        Change::Delete => None,
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Version {
    version: String,
    visible: bool,
    deleted: bool,
    length: Option<u64>,
    content: Option<String>,
    stamp: String,
    replaces: Vec<String>,
    request: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Versions {
    path: String,
    versions: Vec<Version>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Conflicts {
    conflicts: Vec<Versions>,
    next: Option<String>,
}

/// The versions of a path that no other version replaces.
pub(crate) async fn versions(State(api): State<Api>, uri: Uri) -> Result<Json<Versions>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        consistency: Option<Freshness>,
    }
    let path = path_of(&uri, "/versions/")?;
    let Asked { consistency } = query(&uri)?;
    let files = api.files(consistency.unwrap_or_default().into(), &uri).await?;
    let heads = files.heads(&path);
    if heads.is_empty() {
        let why = format!("{path} was never written, or its last delete is forgotten");
        return Err(ApiError::new(axum::http::StatusCode::NOT_FOUND, "not-found", why));
    }
    Ok(Json(api.versions_of(&path, heads)))
}

/// The paths with several versions.
pub(crate) async fn conflicts(
    State(api): State<Api>,
    uri: Uri,
) -> Result<Json<Conflicts>, ApiError> {
    let page: Page = query(&uri)?;
    let limit = page.limit()?;
    let files = api.files(page.consistency.unwrap_or_default().into(), &uri).await?;
    let mut in_conflict =
        files.from_prefix(&page.prefix, &page.after).filter(|(_, heads)| heads.len() > 1);
    let conflicts: Vec<Versions> = in_conflict
        .by_ref()
        .take(limit)
        .map(|(path, heads)| api.versions_of(path, heads))
        .collect();
    let next = in_conflict.next().and(conflicts.last().map(|it| it.path.clone()));
    Ok(Json(Conflicts { conflicts, next }))
}

impl Parts {
    fn listed(&self, path: &Path, shown: &Entry, conflicts: usize) -> Listed {
        Listed {
            path: path.to_string(),
            version: version(shown.dot),
            length: self.length_of_change(&shown.change),
            content: content_of(&shown.change),
            conflicts,
        }
    }

    fn length_of_change(&self, change: &Change) -> Option<u64> {
        match change {
            Change::Put(content) => self.length_of(content),
            Change::Delete => None,
        }
    }

    fn versions_of(&self, path: &Path, heads: &[Entry]) -> Versions {
        let versions = heads.iter().enumerate().map(|(place, head)| Version {
            version: version(head.dot),
            visible: place == 0,
            deleted: head.change == Change::Delete,
            length: self.length_of_change(&head.change),
            content: content_of(&head.change),
            stamp: head.stamp.to_string(),
            // An entry that replaces none of several versions names itself.
            replaces: head
                .replaces
                .iter()
                .filter(|it| **it != head.dot)
                .map(|it| version(*it))
                .collect(),
            request: request_text(head.request),
        });
        Versions { path: path.to_string(), versions: versions.collect() }
    }
}
