//! The state of a node, for people and for those who watch over it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use steadfast_protocol::{Change, Entry, Files, NodeId, WriteDigest};
use tokio_util::task::AbortOnDropHandle;

use super::files::hexadecimal;
use super::names::vector;
use super::uploads::record;
use super::{Api, ApiError, Parts};
use crate::core::{Event, Facts, RoleName};

#[derive(Debug, Serialize)]
pub(crate) struct Status {
    cluster: String,
    node: String,
    id: u8,
    role: RoleName,
    halt: Option<String>,
    epoch: String,
    leader: Option<String>,
    settings: steadfast_protocol::Settings,
    log: LogStatus,
    vv: String,
    digest: String,
    files: usize,
    conflicts: usize,
    contents: ContentsStatus,
    peers: Vec<PeerStatus>,
    queues: Queues,
    uptime_s: u64,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct LogStatus {
    first: u64,
    last: u64,
    synced: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct ContentsStatus {
    count: u64,
    bytes: u64,
    missing: usize,
    bad: u64,
}

#[derive(Debug, Serialize)]
struct PeerStatus {
    node: String,
    id: u8,
    address: String,
    connected: bool,
    cut: bool,
    vv: Option<String>,
    /// How many of this node's entries the peer has not acknowledged; only a leader knows.
    lag: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Queues {
    requests: usize,
    events: usize,
    waiting_for_contents: usize,
}

/// A hash over all versions of all paths, with their contents: nodes with the same one hold the same files. A path
/// whose only version is a delete counts for nothing, because some nodes may have forgotten the delete. Two entries
/// with one name and different contents, which no two nodes should have, give different hashes.
fn digest_of(files: &Files) -> String {
    let mut hasher = blake3::Hasher::new();
    let is_deleted = |it: &[Entry]| matches!(it, [only] if only.change == Change::Delete);
    let paths = files.iter().filter(|(_, heads)| !is_deleted(heads));
    for head in paths.flat_map(|(_, heads)| heads) {
        hasher.update(&[head.dot.origin.0]);
        hasher.update(&head.dot.sequence.0.to_le_bytes());
        hasher.update(&WriteDigest::of(&head.path, &head.change).0.to_le_bytes());
    }
    hasher.finalize().to_hex().as_str()[..16].to_owned()
}

/// What `/status` says.
pub(crate) async fn status(State(api): State<Api>) -> Result<Json<Status>, ApiError> {
    let facts = api.facts.borrow().clone();
    let files = facts.files.clone();
    // A million files take a while.
    let counted = tokio::task::spawn_blocking(move || {
        let shown = |heads: &[Entry]| heads.first().is_some_and(|it| it.change != Change::Delete);
        let count = files.iter().filter(|(_, heads)| shown(heads)).count();
        let conflicts = files.iter().filter(|(_, heads)| heads.len() > 1).count();
        (digest_of(&files), count, conflicts)
    });
    let (digest, files, conflicts) =
        counted.await.map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(Json(api.status_of(&facts, digest, files, conflicts)))
}

impl Parts {
    pub(crate) fn name_of(&self, node: NodeId) -> String {
        self.members.get(&node).map_or_else(|| node.to_string(), |it| it.name.clone())
    }

    fn status_of(&self, facts: &Facts, digest: String, files: usize, conflicts: usize) -> Status {
        let peers = facts.peers.iter().map(|peer| PeerStatus {
            node: self.name_of(peer.id),
            id: peer.id.0,
            address: self.members.get(&peer.id).map(|it| it.address.clone()).unwrap_or_default(),
            connected: peer.is_connected,
            cut: self.cuts.is_cut(peer.id),
            vv: peer.acked.as_ref().map(vector),
            lag: peer.acked.as_ref().map(|acked| facts.vv.beyond(acked)),
        });
        let totals = self.contents.totals();
        Status {
            cluster: self.cluster.clone(),
            node: self.name_of(self.own),
            id: self.own.0,
            role: facts.role,
            halt: facts.halt.map(|it| it.to_string()),
            epoch: facts.epoch.to_string(),
            leader: facts.leader.map(|it| self.name_of(it)),
            settings: self.settings,
            log: LogStatus {
                first: facts.log_first.0,
                last: facts.log_last.0,
                synced: facts.log_synced.0,
                bytes: facts.log_bytes,
            },
            vv: vector(&facts.vv),
            digest,
            files,
            conflicts,
            contents: ContentsStatus {
                count: totals.count as u64,
                bytes: totals.bytes,
                missing: facts.contents_missing,
                bad: totals.bad as u64,
            },
            peers: peers.collect(),
            queues: Queues {
                requests: self.requests.max_capacity() - self.requests.capacity(),
                events: self.events.max_capacity() - self.events.capacity(),
                waiting_for_contents: facts.messages_waiting,
            },
            uptime_s: self.started.elapsed().as_secs(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Whether the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the node can serve clients.
pub(crate) async fn readyz(State(api): State<Api>) -> Result<&'static str, ApiError> {
    match api.facts.borrow().is_ready() {
        true => Ok("ready\n"),
        false => Err(ApiError::unavailable("not-ready", "this node knows no leader")),
    }
}

/// Verifies all contents of this node.
pub(crate) async fn verify(State(api): State<Api>) -> Response {
    let (lines, waiting) = tokio::sync::mpsc::channel::<Bytes>(16);
    let (contents, events) = (Arc::clone(&api.contents), api.events.clone());
    let verifying = tokio::task::spawn_blocking(move || {
        let (mut checked, mut bad, mut bytes) = (0_u64, 0_u64, 0_u64);
        for content in contents.ids() {
            let result = contents.verify(content);
            checked += 1;
            let line = match result {
                Ok(length) => {
                    bytes += length;
                    continue;
                }
                Err(error) => {
                    bad += 1;
                    let _ = events.blocking_send(Event::Rotten(content));
                    let why = crate::core::DisplayChain(&error).to_string();
                    json!({ "content": hexadecimal(&content), "ok": false, "why": why })
                }
            };
            if lines.blocking_send(Bytes::from(format!("{line}\n"))).is_err() {
                return;
            }
        }
        let line = json!({ "checked": checked, "bad": bad, "bytes": bytes });
        let _ = lines.blocking_send(Bytes::from(format!("{line}\n")));
    });
    let verifying = AbortOnDropHandle::new(verifying);
    let lines = futures_util::stream::unfold((waiting, verifying), |(mut waiting, task)| async {
        Some((waiting.recv().await?, (waiting, task)))
    });
    let body = Body::from_stream(lines.map(Ok::<_, std::convert::Infallible>));
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cut {
    peers: BTreeSet<String>,
}

/// Cuts the connections of this node to some of its peers, and heals the others.
pub(crate) async fn cut(
    State(api): State<Api>,
    body: Body,
) -> Result<Json<serde_json::Value>, ApiError> {
    if !api.allows_cuts {
        let why = "this node does not cut connections: its config does not set allow_cut";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not-allowed", why));
    }
    let Cut { peers } = record(&api, body).await?;
    let id_of = |name: &String| {
        let found = api.members.iter().find(|(id, it)| it.name == *name && **id != api.own);
        found.map(|(id, _)| *id).ok_or_else(|| {
            ApiError::bad_request(format!("{name:?} is no peer of {}", api.name_of(api.own)))
        })
    };
    let ids: BTreeSet<NodeId> = peers.iter().map(id_of).collect::<Result<_, _>>()?;
    api.cuts.set(ids);
    Ok(Json(json!({ "peers": peers })))
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::{
        Content, Counter, Digest, Dot, EntryBody, Incarnation, Path, RequestId, Sealed, Sequence,
        Stamp, Steadfast,
    };

    use super::*;

    fn write(sequence: u64, path: &str, change: Change, replaces: Vec<Dot>) -> Entry {
        let origin = NodeId(0);
        Sealed::new(EntryBody {
            dot: Dot { origin, sequence: Sequence(sequence) },
            stamp: Stamp { fence: None, counter: Counter(sequence), origin },
            context: steadfast_protocol::VersionVector::default(),
            incarnation: Incarnation::default(),
            context_digest: Digest::default(),
            replaces,
            path: Path::new(path),
            change,
            request: RequestId { client: 1, number: sequence },
        })
    }

    fn digest(entries: &[Entry]) -> String {
        let mut files = Files::default();
        entries.iter().for_each(|it| files.apply(it, &Steadfast));
        digest_of(&files)
    }

    #[test]
    fn a_forgotten_delete_does_not_change_the_digest_and_a_delete_in_a_conflict_does() {
        let put = || Change::Put(Content::Inline(vec![7].into()));
        let kept = write(1, "kept", put(), Vec::new());
        let other = write(2, "other", put(), Vec::new());
        let delete = write(3, "other", Change::Delete, vec![other.dot]);
        // It names itself, so it leaves the other version in a conflict.
        let beside = write(3, "other", Change::Delete, vec![delete.dot]);
        let of_kept = digest(std::slice::from_ref(&kept));
        assert_eq!(digest(&[kept.clone(), other.clone(), delete]), of_kept);
        assert_ne!(digest(&[kept.clone(), other.clone()]), of_kept);
        assert_ne!(digest(&[kept.clone(), other.clone(), beside]), digest(&[kept, other]));
    }
}
