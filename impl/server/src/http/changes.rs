//! The feed of changes: server-sent events that can be resumed.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event as Sse, KeepAlive, Sse as Stream};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use steadfast_protocol::{Change, Entry, Files, Path, VersionVector};
use tokio::sync::watch;

use super::files::query;
use super::names::{parse_vector, vector, version};
use super::{Api, ApiError};
use crate::core::Facts;

/// How often a feed without changes shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feed {
    since: Option<String>,
    #[serde(default)]
    prefix: String,
}

#[derive(Debug, Serialize)]
struct Changed<'a> {
    path: &'a str,
    /// The visible version.
    version: Option<String>,
    deleted: bool,
    conflicts: usize,
}

/// One reader of the feed.
struct Reader {
    facts: watch::Receiver<Facts>,
    prefix: String,
    /// The files of the last event.
    seen: Files,
    waiting: std::vec::IntoIter<Sse>,
}

/// The changes since a version vector, or since now, and those to come. Each node has the feed of its own
/// files, whether it leads or not.
pub(crate) async fn changes(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Stream<impl stream::Stream<Item = Result<Sse, Infallible>>>, ApiError> {
    let Feed { since, prefix } = query(&uri)?;
    let resumed = headers.get("last-event-id").and_then(|it| it.to_str().ok());
    let since = resumed.map(str::to_owned).or(since).as_deref().map(parse_vector).transpose()?;
    let mut facts = api.facts.clone();
    let now = facts.borrow_and_update().clone();
    let first = match &since {
        None => vec![position(&now.vv)],
        Some(since) => catch_up(&now, since, &prefix),
    };
    let reader = Reader { facts, prefix, seen: now.files, waiting: first.into_iter() };
    let stop = api.stop.clone();
    let events = stream::unfold(reader, move |mut reader| {
        let stop = stop.clone();
        async move {
            tokio::select! {
                event = reader.next() => Some((Ok(event?), reader)),
                () = stop.cancelled() => None,
            }
        }
    });
    Ok(Stream::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// An event that says only where the feed begins.
fn position(vv: &VersionVector) -> Sse {
    Sse::default().event("position").id(vector(vv)).data("{}")
}

/// The changes since a vector, or the word that the log no longer holds them.
fn catch_up(now: &Facts, since: &VersionVector, prefix: &str) -> Vec<Sse> {
    // The heads beyond the vector are all that changed, unless a forgotten delete is among the changes.
    if !since.includes(&now.floor) || !now.vv.includes(since) {
        return vec![Sse::default().event("state").id(vector(&now.vv)).data("{}")];
    }
    let changed = now.files.from_prefix(prefix, "");
    let changed = changed.filter(|(_, heads)| heads.iter().any(|it| !since.covers(it.dot)));
    let paths: BTreeSet<Path> = changed.map(|(path, _)| path.clone()).collect();
    let mut events: Vec<Sse> = paths.iter().map(|it| change(it, &now.files, None)).collect();
    // The vector stands at the last event only: a reader that is cut off in the middle begins again.
    match paths.last() {
        Some(last) => {
            events.pop();
            events.push(change(last, &now.files, Some(&now.vv)));
        }
        None => events.push(position(&now.vv)),
    }
    events
}

fn change(path: &Path, files: &Files, vv: Option<&VersionVector>) -> Sse {
    let heads = files.heads(path);
    let visible: Option<&Entry> = heads.first();
    let changed = Changed {
        path: path.as_str(),
        version: visible.map(|it| version(it.dot)),
        deleted: visible.is_none_or(|it| it.change == Change::Delete),
        conflicts: heads.len().saturating_sub(1),
    };
    let data = serde_json::to_string(&changed).unwrap_or_default();
    let event = Sse::default().event("change").data(data);
    vv.map_or(event.clone(), |vv| event.id(vector(vv)))
}

impl Reader {
    /// The next event; `None` once the node has stopped.
    async fn next(&mut self) -> Option<Sse> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Some(event);
            }
            self.facts.changed().await.ok()?;
            let now = self.facts.borrow_and_update().clone();
            let mut paths = now.files.changed_since(&self.seen);
            paths.retain(|it| {
                it.as_str().starts_with(&self.prefix) && now.files.visible(it).is_some()
            });
            let last = paths.len().checked_sub(1);
            let events = paths.iter().enumerate().map(|(place, path)| {
                change(path, &now.files, (Some(place) == last).then_some(&now.vv))
            });
            self.waiting = events.collect::<Vec<_>>().into_iter();
            self.seen = now.files;
        }
    }
}
