//! The client and its options.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use steadfast_config::{ClientConfig, ConfigError, Node, client_config};

use crate::Error;
use crate::connector::Connector;
use crate::upload::RequestBody;

/// How often an HTTP/2 connection is asked whether its node is alive, and how long the answer may take. A node that
/// is stopped or cut off is noticed by this and not by the time that a slow answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(3);
const PING_TIMEOUT: Duration = Duration::from_secs(4);

/// The bytes of one answer that may be under way, so that one connection fills a fast network.
const WINDOW_BYTES: u32 = 4 << 20;

/// Durations that bound a client's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a call goes on without progress before it fails. Bytes of a content that move are progress,
    /// repetitions are not.
    pub deadline: Duration,
    /// How long a connection may take, with its handshake.
    pub connect_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { deadline: Duration::from_secs(30), connect_timeout: Duration::from_secs(5) }
    }
}

/// A client of a cluster. Copies share their connections. It must be used within a tokio runtime with time and I/O.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) nodes: Vec<Node>,
    pub(crate) options: Options,
    pub(crate) http: HttpClient<Connector, RequestBody>,
    pub(crate) connector: Connector,
    /// The node that answered last as a leader.
    leader: Mutex<Option<usize>>,
    /// The highest clock that any answer carried.
    clock: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Client {
    /// A client with the configuration in this directory, which `steadfast init` made. No connection is made yet.
    ///
    /// # Errors
    /// The configuration or a certificate cannot be used.
    pub fn open(directory: &Path) -> Result<Client, Error> {
        Ok(Client::new(&ClientConfig::load(directory)?, Options::default())?)
    }

    /// A client with this configuration.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(config: &ClientConfig, options: Options) -> Result<Client, ConfigError> {
        let connector =
            Connector::new(&config.nodes, client_config(config)?, options.connect_timeout);
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_initial_stream_window_size(WINDOW_BYTES)
            .http2_initial_connection_window_size(WINDOW_BYTES)
            .build(connector.clone());
        let nodes = config.nodes.clone();
        let shared = Shared {
            nodes,
            options,
            http,
            connector,
            leader: Mutex::new(None),
            clock: AtomicU64::new(0),
        };
        Ok(Client { shared: Arc::new(shared) })
    }

    /// Takes this node for the leader until one answers otherwise, so that calls begin with it. Where the network
    /// is cut and both sides have a leader, this chooses the side.
    ///
    /// # Errors
    /// There is no such node.
    pub fn begin_with(&self, node: &str) -> Result<(), Error> {
        self.shared.set_leader(Some(self.index_of(node)?));
        Ok(())
    }

    /// The highest logical clock (Lamport counter) of the cluster that any answer to this client carried; 0 before
    /// the first answer. An idempotency key ends with it, so that nodes can forget old keys.
    #[must_use]
    pub fn clock(&self) -> u64 {
        self.shared.clock.load(Ordering::Relaxed)
    }

    /// The names of the nodes, in the order of the configuration.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.shared.nodes.iter().map(|it| it.name.as_str())
    }

    /// The number of a node in that order.
    pub(crate) fn index_of(&self, name: &str) -> Result<usize, Error> {
        self.nodes().position(|it| it == name).ok_or_else(|| {
            let known: Vec<&str> = self.nodes().collect();
            Error::Argument(format!(
                "there is no node {name:?}; the nodes are {}",
                known.join(", ")
            ))
        })
    }
}

impl Shared {
    pub(crate) fn leader(&self) -> Option<usize> {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_leader(&self, leader: Option<usize>) {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
    }

    /// Notes the clock of an answer.
    pub(crate) fn note_clock(&self, clock: u64) {
        self.clock.fetch_max(clock, Ordering::Relaxed);
    }

    /// The name of a node.
    pub(crate) fn name(&self, node: usize) -> &str {
        self.nodes[node].name.as_str()
    }
}
