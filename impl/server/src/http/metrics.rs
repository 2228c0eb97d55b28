//! Figures for Prometheus.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Api, ApiError, Parts};
use crate::core::{Facts, RoleName};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Role {
    role: RoleLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum RoleLabel {
    Follower,
    PreCandidate,
    Candidate,
    Leader,
    Halted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

/// The figures of this node at this moment.
pub(crate) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, ApiError> {
    let facts = api.facts.borrow().clone();
    let mut text = String::new();
    encode(&mut text, &registry(&api, &facts))
        .map_err(|error| ApiError::internal(error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text))
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<i64>::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter = Counter::<u64>::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

fn registry(api: &Parts, facts: &Facts) -> Registry {
    let mut registry = Registry::with_prefix("steadfast");
    let to = &mut registry;
    let role = match facts.role {
        RoleName::Follower => RoleLabel::Follower,
        RoleName::PreCandidate => RoleLabel::PreCandidate,
        RoleName::Candidate => RoleLabel::Candidate,
        RoleName::Leader => RoleLabel::Leader,
        RoleName::Halted => RoleLabel::Halted,
    };
    let roles = Family::<Role, Gauge>::default();
    roles.get_or_create(&Role { role }).set(1);
    to.register("role", "1 for the role of this node", roles);
    gauge(to, "epoch_round", "Round of the epoch that this node follows", facts.epoch.round.0);
    gauge(to, "has_leader", "Whether this node knows a leader", u64::from(facts.is_ready()));
    peers(to, api, facts);

    let queued = (api.requests.max_capacity() - api.requests.capacity()) as u64;
    gauge(to, "requests_waiting", "Requests of clients that wait for the node", queued);
    let queued = (api.events.max_capacity() - api.events.capacity()) as u64;
    gauge(to, "events_waiting", "Events of peers and disk that wait for the node", queued);
    let waiting = facts.messages_waiting as u64;
    gauge(to, "messages_waiting", "Messages of peers that wait for contents", waiting);

    gauge(to, "log_first_index", "Index of the first record of the log", facts.log_first.0);
    gauge(to, "log_last_index", "Index of the last record of the log", facts.log_last.0);
    gauge(to, "log_synced_index", "Index of the last durable record", facts.log_synced.0);
    let on_disk = "Bytes of the log on disk, its checkpoint included";
    let size = Gauge::<i64>::default();
    size.set(i64::try_from(facts.log_bytes).unwrap_or(i64::MAX));
    to.register_with_unit("log", on_disk, Unit::Bytes, size);

    gauge(to, "paths", "Paths with at least one version", facts.files.len() as u64);
    let totals = api.contents.totals();
    gauge(to, "contents", "Contents on disk", totals.count as u64);
    gauge(to, "contents_length_bytes", "Lengths of the contents on disk", totals.bytes);
    let missing = facts.contents_missing as u64;
    gauge(to, "contents_missing", "Contents that this node asks for", missing);
    gauge(to, "contents_bad", "Contents that are known to be bad", totals.bad as u64);
    counted(to, api);
    registry
}

fn peers(to: &mut Registry, api: &Parts, facts: &Facts) {
    let (connected, lag) = (Family::<Peer, Gauge>::default(), Family::<Peer, Gauge>::default());
    for peer in &facts.peers {
        let label = Peer { peer: api.name_of(peer.id) };
        connected.get_or_create(&label).set(i64::from(peer.is_connected));
        if let Some(acked) = &peer.acked {
            let entries = facts.vv.beyond(acked);
            lag.get_or_create(&label).set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
    }
    to.register("peer_connected", "Whether there is a session with the peer", connected);
    to.register("peer_lag_entries", "Entries that the peer has not acknowledged", lag);
}

fn counted(to: &mut Registry, api: &Parts) {
    let it = &api.counters;
    let all = [
        ("packet_bytes_sent", "Bytes of packets to peers", &it.packet_bytes_sent),
        ("packet_bytes_received", "Bytes of packets from peers", &it.packet_bytes_received),
        ("content_bytes_sent", "Bytes of contents to peers", &it.content_bytes_sent),
        ("content_bytes_received", "Bytes of contents from peers", &it.content_bytes_received),
        ("contents_received", "Contents received from peers", &it.contents_received),
        (
            "contents_received_as_delta",
            "Contents received as a delta",
            &it.contents_received_as_delta,
        ),
        ("content_bytes_made", "Lengths of the contents received", &it.content_bytes_made),
        ("syncs", "Syncs of the log", &it.syncs),
        ("sync_microseconds", "Time of these syncs", &it.sync_us),
        ("elections", "Elections that this node began", &it.elections),
        ("checkpoints", "Checkpoints written", &it.checkpoints),
        ("disconnections", "Connections of peers that ended", &it.disconnections),
        ("contents_scrubbed", "Contents verified in the background", &it.contents_scrubbed),
        ("contents_found_bad", "Contents found to be bad", &it.contents_found_bad),
    ];
    for (name, help, value) in all {
        counter(to, name, help, value.get());
    }
}
