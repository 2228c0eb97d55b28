//! The parts of a node, put together.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steadfast_config::{
    Address, ClusterId, ConfigError, NodeConfig, NodeName, peer_client_config, server_config,
    server_name,
};
use steadfast_node::{Node, NodeStorage};
use steadfast_protocol::{
    Identity, Incarnation, NodeId, Parameters, RecoverError, Replica, Settings as Quorums,
    Steadfast,
};
use steadfast_recording::{BeginError, Cluster, Recorder};
use steadfast_store::{CreateError, OpenError, Store, TrimPolicy, log_settings};
use steadfast_wal::{Disk, LogId, RealDisk};
use steadfast_wire::{Channel, Local};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::connections::{Serving, accept};
use crate::core::{Core, CoreEnd, Ends, Facts, Timeouts};
use crate::counters::Counters;
use crate::cuts::Cuts;
use crate::disk::NodeStore;
use crate::http::{DELTAS_MAX, Member, Parts, router};
use crate::peers::{Dialer, Peering, Refusals, Sessions, keep_up, serve_contents};
use crate::scrub::scrub;

/// How many events of peers and disk may wait for the node.
const EVENTS_WAITING_MAX: usize = 1_024;

/// How long connections of clients may take to end when the node stops.
const STOPPING_MAX: Duration = Duration::from_secs(10);

/// The name of a node's log, from its cluster and its id.
pub(crate) fn log_id(cluster: ClusterId, node: NodeId) -> LogId {
    LogId(u128::from_le_bytes(cluster.0).wrapping_add(u128::from(node.0)))
}

pub(crate) fn disks(data: &Path) -> (Arc<RealDisk>, Arc<RealDisk>) {
    let disk = |name: &str| Arc::new(RealDisk::new(data.join(name)));
    (disk("log"), disk("contents"))
}

/// Makes the directory of a new node: a log that names its owner, and no contents. Durable when this returns.
///
/// # Errors
/// A node is there already, or the disk fails.
pub fn create(
    data: &Path,
    cluster: ClusterId,
    node: NodeId,
    settings: Quorums,
) -> Result<(), CreateError> {
    let parent = RealDisk::new(data);
    let made = parent.create_directory();
    made.map_err(|source| CreateError::Directory { directory: Disk::directory(&parent), source })?;
    let (log, contents) = disks(data);
    let identity = Identity { node, settings };
    steadfast_store::create(&log, &contents, identity, (log_id(cluster, node), log_settings()))
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its credentials cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its directory cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its log is none that a node could have written.
    #[error("the log of this node is damaged")]
    Recover(#[source] RecoverError),
    /// Its recording does not begin.
    #[error(transparent)]
    Record(#[from] BeginError),
    /// It cannot listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The system refuses a thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The disk of the node failed while it ran.
    #[error(transparent)]
    Core(#[from] CoreEnd),
    /// A thread of the node ended by a panic.
    #[error("the thread of the node panicked")]
    Panicked,
}

/// Runs a node until `stop` is cancelled or its disk fails. `started` learns when the node listens.
///
/// # Errors
/// The node cannot start, or its disk fails.
pub async fn serve(
    config: NodeConfig,
    stop: CancellationToken,
    started: impl FnOnce(),
) -> Result<(), ServeError> {
    let server_tls = Arc::new(server_config(&config)?);
    let mut tls_of = BTreeMap::new();
    for channel in [Channel::Log, Channel::Contents] {
        let tls = Arc::new(peer_client_config(&config, channel)?);
        tls_of.insert(channel, TlsConnector::from(tls));
    }
    let node = open(&config)?;
    let recorder = record(&config, &node)?;
    let Some(facts) = Facts::of(&node) else { return Err(ServeError::Panicked) };
    let listener = TcpListener::bind(config.listen).await;
    let address = config.listen;
    let listener = listener.map_err(|source| ServeError::Listen { address, source })?;

    let contents = Arc::clone(node.storage().contents_store());
    let (counters, cuts) = (Arc::new(Counters::default()), Arc::new(Cuts::none()));
    let (events, waiting_events) = mpsc::channel(EVENTS_WAITING_MAX);
    let (requests, waiting_requests) = mpsc::channel(config.limits.requests_max as usize);
    let (wanted, waiting_wanted) = mpsc::unbounded_channel();
    let (facts, facts_of_others) = watch::channel(facts);
    let core_stop = CancellationToken::new();
    let ends = Ends {
        events: waiting_events,
        requests: waiting_requests,
        facts,
        wanted,
        counters: Arc::clone(&counters),
        stop: core_stop.clone(),
    };
    let timeouts =
        Timeouts { election: config.election_timeout, heartbeat: config.heartbeat_interval };
    let peers = config.peers().map(|it| it.id);
    let exchanges = serve_contents(peers, &contents, &events, &counters, waiting_wanted);
    let silence_max = config.election_timeout * 2;
    let peering = Arc::new(Peering {
        local: Local {
            cluster: config.cluster,
            node: config.id,
            settings: config.settings,
            halt: None,
        },
        events: events.clone(),
        facts: facts_of_others.clone(),
        counters: Arc::clone(&counters),
        cuts: Arc::clone(&cuts),
        sessions: Sessions::default(),
        refusals: Refusals::default(),
        contents: exchanges.map_err(ServeError::Thread)?,
    });
    let api = Arc::new(Parts {
        requests,
        events: events.clone(),
        facts: facts_of_others,
        contents: Arc::clone(&contents),
        counters: Arc::clone(&counters),
        cuts,
        cluster: config.cluster.to_string(),
        own: config.id,
        settings: config.settings,
        members: members(&config),
        inline_bytes_max: usize::try_from(config.inline_bytes_max).unwrap_or(usize::MAX),
        deltas: Semaphore::new(DELTAS_MAX),
        silence_max: config.limits.body_timeout,
        request_timeout: config.limits.request_timeout,
        allows_cuts: config.allow_cut,
        started: Instant::now(),
        stop: stop.clone(),
    });
    let core = Core::new(node, timeouts, ends).recorded_by(recorder);
    let core = start_core(core).map_err(ServeError::Thread)?;
    let serving = Arc::new(Serving {
        tls: TlsAcceptor::from(server_tls),
        router: router(api),
        peering: Arc::clone(&peering),
        ids: config.members.iter().map(|it| (it.name.clone(), it.id)).collect(),
        limits: config.limits,
        silence_max,
        stop: stop.clone(),
    });

    // Dropped at the end, which ends the tasks.
    let mut background = tokio::task::JoinSet::new();
    for member in config.peers().filter(|it| it.id < config.id) {
        for (channel, connector) in &tls_of {
            let dialer = Dialer {
                peer: member.id,
                channel: *channel,
                address: member.address.to_string(),
                connector: connector.clone(),
                server_name: server_name(&member.name),
                silence_max,
            };
            background.spawn(keep_up(Arc::clone(&peering), dialer));
        }
    }
    background.spawn(scrub(contents, config.scrub_bytes_per_s, events, counters));
    info!(node = %config.name, id = %config.id, address = %config.listen, "the node listens");
    started();
    let accepting = tokio::spawn(accept(serving, listener));
    let mut core = tokio::task::spawn_blocking(move || core.join());
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        ended = &mut core => Some(ended),
    };
    stop.cancel();
    if tokio::time::timeout(STOPPING_MAX, accepting).await.is_err() {
        warn!("some clients were still connected");
    }
    core_stop.cancel();
    let ended = match ended {
        Some(ended) => ended,
        None => core.await,
    };
    info!(node = %config.name, "the node has stopped");
    match ended {
        Ok(Ok(result)) => Ok(result?),
        _ => Err(ServeError::Panicked),
    }
}

fn open(config: &NodeConfig) -> Result<Node<NodeStore>, ServeError> {
    open_node(&config.data, config.cluster, config.id, config.settings, TrimPolicy::default())
}

fn open_node(
    data: &Path,
    cluster: ClusterId,
    node: NodeId,
    settings: Quorums,
    policy: TrimPolicy,
) -> Result<Node<NodeStore>, ServeError> {
    let (log, contents) = disks(data);
    let identity = Identity { node, settings };
    let layout = (log_id(cluster, node), log_settings());
    let store = Store::open(&log, &contents, identity, layout, policy)?;
    if store.recovered().tail.is_uncertain() {
        warn!("the end of the log is damaged in a way that a crash alone may have caused");
    }
    let mut node = Node::new(identity, Parameters::default(), store);
    let incarnation = Incarnation(rand::random::<NonZeroU64>().get());
    node.start(incarnation, &Steadfast).map_err(ServeError::Recover)?;
    Ok(node)
}

/// Begins the recording of a node that is up and has taken no input.
fn record(config: &NodeConfig, node: &Node<NodeStore>) -> Result<Option<Recorder>, BeginError> {
    let Some(directory) = &config.record else { return Ok(None) };
    let (cluster, storage) = (Cluster(config.cluster.0), node.storage());
    let incarnation = node.replica().map(Replica::incarnation).unwrap_or_default();
    let owner = (node.identity(), incarnation, Parameters::default());
    let recorder =
        Recorder::begin(directory, cluster, owner, storage.records(), storage.contents())?;
    info!(directory = %directory.display(), "the node records its inputs");
    Ok(Some(recorder))
}

fn members(config: &NodeConfig) -> BTreeMap<NodeId, Member> {
    let member = |name: &NodeName, address: &Address| Member {
        name: name.to_string(),
        address: address.to_string(),
    };
    config.members.iter().map(|it| (it.id, member(&it.name, &it.address))).collect()
}

type CoreThread = std::thread::JoinHandle<Result<(), CoreEnd>>;

/// Starts the thread of the node.
fn start_core(core: Core) -> io::Result<CoreThread> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new().name("node".to_owned());
    thread.spawn(move || runtime.block_on(core.run()))
}

#[cfg(test)]
pub(crate) mod tests {
    use steadfast_protocol::{Counter, Epoch, Files, LogIndex, VersionVector};

    use super::*;
    use crate::core::RoleName;
    use crate::disk::NodeContents;

    /// The node in a directory, up. It never trims its log by itself: segments that a start left ready and the next one
    /// does not use count as part of the log, and how many there are depends on the speed of the threads.
    pub(crate) fn node_in(
        data: &Path,
        cluster: ClusterId,
        node: NodeId,
        settings: Quorums,
    ) -> Node<NodeStore> {
        let never = TrimPolicy { slack_bytes: u64::MAX, memory_slack_bytes: u64::MAX };
        open_node(data, cluster, node, settings, never).expect("the node starts")
    }

    #[test]
    fn each_start_is_an_incarnation_of_its_own() {
        let data = tempfile::tempdir().expect("a directory");
        let (settings, cluster) = (Quorums::new(1, 1, 1).expect("settings"), ClusterId([7; 16]));
        let identity = Identity { node: NodeId(0), settings };
        let (log, contents) = disks(data.path());
        let layout = (log_id(cluster, identity.node), log_settings());
        steadfast_store::create(&log, &contents, identity, layout).expect("a new node");
        let mut incarnations = [(); 3].map(|()| {
            let node = node_in(data.path(), cluster, identity.node, settings);
            node.replica().expect("it is up").incarnation()
        });
        incarnations.sort_unstable();
        assert!(incarnations.windows(2).all(|it| it[0] < it[1]), "{incarnations:?}");
        assert_ne!(incarnations[0], Incarnation(0), "that of entries of older builds");
    }

    /// Everything around a node without connections.
    pub(crate) fn surroundings(
        node: &Node<NodeStore>,
        settings: Quorums,
    ) -> (Parts, Timeouts, Ends) {
        let contents = Arc::clone(node.storage().contents_store());
        let facts = Facts::of(node).expect("it is up");
        let (parts, ends) = joined(contents, facts, node.id(), settings);
        let timeouts =
            Timeouts { election: Duration::from_millis(20), heartbeat: Duration::from_millis(5) };
        (parts, timeouts, ends)
    }

    /// The interface of a follower of `leader`.
    pub(crate) fn parts_of_follower(leader: NodeId) -> Parts {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = Arc::new(RealDisk::new(directory.path()));
        let contents = Arc::new(NodeContents::open(disk).expect("no contents"));
        let facts = Facts {
            role: RoleName::Follower,
            halt: None,
            epoch: Epoch::ZERO,
            leader: Some(leader),
            files: Files::default(),
            clock: Counter::default(),
            vv: VersionVector::default(),
            floor: VersionVector::default(),
            log_first: LogIndex(1),
            log_last: LogIndex(1),
            log_synced: LogIndex(1),
            log_bytes: 0,
            peers: Vec::new(),
            contents_missing: 0,
            messages_waiting: 0,
        };
        let settings = Quorums::new(3, 2, 2).expect("settings");
        joined(contents, facts, NodeId(0), settings).0
    }

    fn joined(
        contents: Arc<NodeContents>,
        facts: Facts,
        own: NodeId,
        settings: Quorums,
    ) -> (Parts, Ends) {
        let (events, waiting_events) = mpsc::channel(8);
        let (requests, waiting_requests) = mpsc::channel(8);
        let (facts, of_others) = watch::channel(facts);
        let (counters, stop) = (Arc::new(Counters::default()), CancellationToken::new());
        let ends = Ends {
            events: waiting_events,
            requests: waiting_requests,
            facts,
            wanted: mpsc::unbounded_channel().0,
            counters: Arc::clone(&counters),
            stop: stop.clone(),
        };
        let member = |id: NodeId| {
            let member = Member { name: id.to_string(), address: format!("{id}.example:7000") };
            (id, member)
        };
        let parts = Parts {
            requests,
            events,
            facts: of_others,
            contents,
            counters,
            cuts: Arc::new(Cuts::none()),
            cluster: String::new(),
            own,
            settings,
            members: NodeId::all(settings.nodes()).map(member).collect(),
            inline_bytes_max: 4_096,
            deltas: Semaphore::new(DELTAS_MAX),
            silence_max: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            allows_cuts: false,
            started: Instant::now(),
            stop,
        };
        (parts, ends)
    }
}
