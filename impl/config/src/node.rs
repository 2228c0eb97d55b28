//! The configuration of a node, `node.toml`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use steadfast_protocol::{NodeId, Settings};

use crate::limits::{INLINE_BYTES_DEFAULT, INLINE_BYTES_MAX, LimitsTable, milliseconds};
use crate::{Address, ClusterId, ConfigError, Credentials, Limits, LogFormat, NodeName, file};

/// The configuration of a node. `examples/node.toml` of this crate explains every key.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The cluster that the node belongs to.
    pub cluster: ClusterId,
    /// The node's name.
    pub name: NodeName,
    /// The node's id, which `members` gives to its name.
    pub id: NodeId,
    /// All nodes, this one included, by id: `members[i].id` is `i`.
    pub members: Vec<Member>,
    /// N, E and W.
    pub settings: Settings,
    /// Where the node accepts connections of clients and peers.
    pub listen: SocketAddr,
    /// The directory of the log and the contents.
    pub data: PathBuf,
    /// The certificate of the node, its key, and the authority that every peer and client is checked by.
    pub credentials: Credentials,
    /// How long a follower waits for its leader before it starts an election. A multiple of the heartbeat interval.
    pub election_timeout: Duration,
    /// How often a leader sends heartbeats.
    pub heartbeat_interval: Duration,
    /// Contents of at most this many bytes travel inside their log entry; longer ones are files of their own.
    pub inline_bytes_max: u64,
    /// Bounds towards clients.
    pub limits: Limits,
    /// How many bytes per second the scrub reads; 0 turns it off.
    pub scrub_bytes_per_s: u64,
    /// The directory to which the node records its inputs, if it does.
    pub record: Option<PathBuf>,
    /// Whether clients may cut the node from its peers, as the demo does.
    pub allow_cut: bool,
    /// The form of the node's log lines.
    pub log_format: LogFormat,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// Where peers and clients reach it.
    pub address: Address,
}

/// The file. A key that the file lacks has its default, except those that say which node this is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    cluster: ClusterId,
    name: NodeName,
    members: Vec<Member>,
    elect: u8,
    write: u8,
    listen: SocketAddr,
    #[serde(default = "data")]
    data: PathBuf,
    #[serde(default = "certificate")]
    certificate: PathBuf,
    #[serde(default = "key")]
    key: PathBuf,
    #[serde(default = "authority")]
    ca: PathBuf,
    #[serde(default = "election_timeout_ms")]
    election_timeout_ms: u64,
    #[serde(default = "heartbeat_interval_ms")]
    heartbeat_interval_ms: u64,
    #[serde(default = "inline_bytes_max")]
    inline_bytes_max: u64,
    #[serde(default = "scrub_mib_per_s")]
    scrub_mib_per_s: u32,
    record: Option<PathBuf>,
    #[serde(default)]
    allow_cut: bool,
    #[serde(default)]
    log_format: LogFormat,
    #[serde(default)]
    limits: LimitsTable,
}

fn data() -> PathBuf {
    "data".into()
}

pub(crate) fn certificate() -> PathBuf {
    "cert.pem".into()
}

pub(crate) fn key() -> PathBuf {
    "key.pem".into()
}

pub(crate) fn authority() -> PathBuf {
    "ca.pem".into()
}

fn election_timeout_ms() -> u64 {
    1_000
}

fn heartbeat_interval_ms() -> u64 {
    100
}

fn inline_bytes_max() -> u64 {
    INLINE_BYTES_DEFAULT
}

fn scrub_mib_per_s() -> u32 {
    8
}

/// How many heartbeats an election timeout must cover, so that a single late one does not depose a leader.
const HEARTBEATS_MIN: u64 = 3;

impl NodeConfig {
    /// Loads the configuration and the certificates that it names. Paths in it are relative to its directory.
    ///
    /// # Errors
    /// A file cannot be read or parsed, has an unknown key or a value that does not fit; a certificate is damaged,
    /// expired, of another cluster or of another node. The error names the file and the line or key.
    pub fn load(path: &Path) -> Result<NodeConfig, ConfigError> {
        let file: NodeFile = file::toml(path)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let config = file.check(directory).map_err(|(key, why)| ConfigError::Value {
            path: path.to_owned(),
            key,
            why,
        })?;
        config.credentials.check_node(config.cluster, &config.name)?;
        Ok(config)
    }

    /// This node among the members.
    #[must_use]
    pub fn own(&self) -> &Member {
        &self.members[self.id.index()]
    }

    /// The other nodes, by id.
    pub fn peers(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|it| it.id != self.id)
    }
}

impl NodeFile {
    fn check(self, directory: &Path) -> Result<NodeConfig, (&'static str, String)> {
        let members = members(self.members)?;
        let settings = settings(members.len(), self.elect, self.write)?;
        let own = members.iter().find(|it| it.name == self.name).map(|it| it.id);
        let id = own.ok_or_else(|| {
            ("name", format!("{} is not among the members: {}", self.name, names(&members)))
        })?;
        let heartbeat_interval = milliseconds("heartbeat_interval_ms", self.heartbeat_interval_ms)?;
        let election_timeout = milliseconds("election_timeout_ms", self.election_timeout_ms)?;
        let least = self.heartbeat_interval_ms.saturating_mul(HEARTBEATS_MIN);
        if self.election_timeout_ms < least {
            let why = format!(
                "{} is below {least}, {HEARTBEATS_MIN} times heartbeat_interval_ms",
                self.election_timeout_ms
            );
            return Err(("election_timeout_ms", why));
        }
        if self.inline_bytes_max > INLINE_BYTES_MAX {
            let why = format!("{} is above {INLINE_BYTES_MAX}", self.inline_bytes_max);
            return Err(("inline_bytes_max", why));
        }
        Ok(NodeConfig {
            cluster: self.cluster,
            name: self.name,
            id,
            settings,
            listen: self.listen,
            data: directory.join(self.data),
            credentials: Credentials {
                certificate: directory.join(self.certificate),
                key: directory.join(self.key),
                authority: directory.join(self.ca),
            },
            members,
            election_timeout,
            heartbeat_interval,
            inline_bytes_max: self.inline_bytes_max,
            limits: self.limits.check()?,
            scrub_bytes_per_s: u64::from(self.scrub_mib_per_s) << 20,
            record: self.record.map(|it| directory.join(it)),
            allow_cut: self.allow_cut,
            log_format: self.log_format,
        })
    }
}

/// The members by id.
fn members(mut members: Vec<Member>) -> Result<Vec<Member>, (&'static str, String)> {
    members.sort_by_key(|it| it.id);
    if members.iter().enumerate().any(|(at, it)| it.id.index() != at) {
        let ids: Vec<String> = members.iter().map(|it| it.id.0.to_string()).collect();
        let why = format!("the ids are {}; expected each of 0 to N-1 once", ids.join(", "));
        return Err(("members", why));
    }
    distinct(members.iter().map(|it| (&it.name, &it.address))).map_err(|it| ("members", it))?;
    Ok(members)
}

/// Refuses a name or an address that two nodes have.
pub(crate) fn distinct<'a>(
    nodes: impl Iterator<Item = (&'a NodeName, &'a Address)> + Clone,
) -> Result<(), String> {
    for (at, (name, address)) in nodes.clone().enumerate() {
        for (other, its_address) in nodes.clone().take(at) {
            if other == name {
                return Err(format!("two nodes are named {name}"));
            }
            if its_address == address {
                return Err(format!("nodes {other} and {name} have the same address, {address}"));
            }
        }
    }
    Ok(())
}

fn settings(nodes: usize, elect: u8, write: u8) -> Result<Settings, (&'static str, String)> {
    use steadfast_protocol::SettingsError as E;
    let nodes = u8::try_from(nodes).unwrap_or(u8::MAX);
    Settings::new(nodes, elect, write).map_err(|error| match error {
        E::Nodes(_) => ("members", error.to_string()),
        E::Elect { .. } => ("elect", error.to_string()),
        E::Write { .. } => ("write", error.to_string()),
    })
}

fn names(members: &[Member]) -> String {
    members.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
}
