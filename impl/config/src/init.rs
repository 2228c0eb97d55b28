//! Making the files of a cluster.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rcgen::{Issuer, KeyPair};
use steadfast_protocol::{NodeId, Settings};

use crate::certificates::{Owner, Pair, authority, pair};
use crate::durable::{PRIVATE, PUBLIC, failed, parent, sync_directory, write};
use crate::node::distinct;
use crate::{Address, ClusterId, InitError, NodeName};

/// The nodes and settings of a cluster that is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    nodes: Vec<PlannedNode>,
    settings: Settings,
    allow_cut: bool,
}

/// A node that is to be made, in text `NAME=HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedNode {
    /// Its name.
    pub name: NodeName,
    /// Where the others reach it.
    pub address: Address,
}

impl FromStr for PlannedNode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('=').ok_or_else(|| {
            format!("{text:?} is no node: expected NAME=HOST:PORT, such as a=10.0.0.1:7400")
        })?;
        Ok(PlannedNode { name: name.parse()?, address: address.parse()? })
    }
}

impl Plan {
    /// A cluster of these nodes, whose ids follow their order. A majority elects, and a majority
    /// acknowledges writes.
    ///
    /// # Errors
    /// There is no node or too many, or two have the same name or address.
    pub fn new(nodes: Vec<PlannedNode>) -> Result<Plan, InitError> {
        let count = u8::try_from(nodes.len()).unwrap_or(u8::MAX);
        let majority = count / 2 + 1;
        let settings = Settings::new(count, majority, majority);
        let settings = settings.map_err(|it| InitError::Plan(it.to_string()))?;
        distinct(nodes.iter().map(|it| (&it.name, &it.address))).map_err(InitError::Plan)?;
        Ok(Plan { nodes, settings, allow_cut: false })
    }

    /// With these quorums.
    ///
    /// # Errors
    /// A quorum is 0 or above the number of nodes.
    pub fn quorums(self, elect: u8, write: u8) -> Result<Plan, InitError> {
        let settings = Settings::new(self.settings.nodes(), elect, write);
        let settings = settings.map_err(|it| InitError::Plan(it.to_string()))?;
        Ok(Plan { settings, ..self })
    }

    /// Whether clients may cut nodes from each other, which only a demonstration wants.
    #[must_use]
    pub fn allow_cut(self, allow_cut: bool) -> Plan {
        Plan { allow_cut, ..self }
    }
}

/// A cluster whose files were made.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Its nodes, by id.
    pub nodes: Vec<NodeIdentity>,
    /// The directory of the client.
    pub client: PathBuf,
}

/// The identity of a node and the place of its files.
#[derive(Clone, Debug)]
pub struct NodeIdentity {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// Where the others reach it.
    pub address: Address,
    /// N, E and W.
    pub settings: Settings,
    /// The directory with its `node.toml` and certificates.
    pub directory: PathBuf,
}

impl NodeIdentity {
    /// The directory of its log and contents, which the configuration names and `init` does not make.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }
}

/// Makes the files of a cluster in a new directory: `ca.pem`, `ca-key.pem`, a directory per node with
/// `node.toml`, `cert.pem`, `key.pem` and `ca.pem`, and the directory `client` with `client.toml` and the same.
/// Private keys have mode 0600. All files are synced under a temporary name beside `directory`, which appears
/// in one step when everything is there.
///
/// `prepare` is called for each node before the directory appears, to make the node's [`NodeIdentity::data`]; the
/// identity that it gets names the temporary place. It must sync what it makes.
///
/// # Errors
/// There is something at `directory`; a file cannot be written; `prepare` fails. Nothing is left behind.
pub fn init(
    directory: &Path,
    plan: &Plan,
    prepare: &mut dyn FnMut(&NodeIdentity) -> io::Result<()>,
) -> Result<Cluster, InitError> {
    if directory.symlink_metadata().is_ok() {
        return Err(InitError::Exists(directory.to_owned()));
    }
    let around = parent(directory);
    let staged = tempfile::Builder::new().prefix(".steadfast-init-").tempdir_in(around);
    let staged = staged.map_err(|source| failed(directory, source))?;
    let cluster = fill(staged.path(), plan, prepare)?;
    // Rename replaces an empty directory that appeared meanwhile, and nothing else.
    fs::rename(staged.path(), directory).map_err(|source| failed(directory, source))?;
    // The directory is there under its own name, so there is nothing to remove.
    let _ = staged.keep();
    sync_directory(around).map_err(|source| failed(directory, source))?;
    Ok(cluster.at(directory))
}

impl Cluster {
    /// The same in another directory.
    fn at(mut self, directory: &Path) -> Cluster {
        for node in &mut self.nodes {
            node.directory = directory.join(node.name.as_str());
        }
        self.client = directory.join("client");
        self
    }
}

fn fill(
    directory: &Path,
    plan: &Plan,
    prepare: &mut dyn FnMut(&NodeIdentity) -> io::Result<()>,
) -> Result<Cluster, InitError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|it| InitError::Random(io::Error::other(it.to_string())))?;
    let id = ClusterId(id);
    let (ca, issuer) = authority(id)?;
    write(&directory.join("ca.pem"), PUBLIC, &ca.certificate)?;
    write(&directory.join("ca-key.pem"), PRIVATE, &ca.key)?;
    let identities: Vec<NodeIdentity> = plan.identities(id, directory);
    for node in &identities {
        let owner = Owner::Node(&node.name, &node.address);
        owned(&node.directory, &ca, &issuer, &owner, "node.toml", &plan.node_toml(node))?;
        prepare(node)
            .map_err(|source| InitError::Prepare { node: node.name.to_string(), source })?;
        sync(&node.directory)?;
    }
    let client = directory.join("client");
    owned(&client, &ca, &issuer, &Owner::Client, "client.toml", &plan.client_toml(id))?;
    sync(&client)?;
    sync(directory)?;
    Ok(Cluster { id, nodes: identities, client })
}

/// Makes a directory with credentials and a configuration.
fn owned(
    directory: &Path,
    ca: &Pair,
    issuer: &Issuer<'_, KeyPair>,
    owner: &Owner<'_>,
    name: &str,
    config: &str,
) -> Result<(), InitError> {
    fs::create_dir(directory).map_err(|source| failed(directory, source))?;
    let own = pair(issuer, owner)?;
    write(&directory.join("ca.pem"), PUBLIC, &ca.certificate)?;
    write(&directory.join("cert.pem"), PUBLIC, &own.certificate)?;
    write(&directory.join("key.pem"), PRIVATE, &own.key)?;
    write(&directory.join(name), PUBLIC, config)
}

fn sync(directory: &Path) -> Result<(), InitError> {
    sync_directory(directory).map_err(|source| failed(directory, source))
}

impl Plan {
    fn identities(&self, cluster: ClusterId, directory: &Path) -> Vec<NodeIdentity> {
        let nodes = NodeId::all(self.settings.nodes()).zip(&self.nodes);
        nodes
            .map(|(id, node)| NodeIdentity {
                cluster,
                name: node.name.clone(),
                id,
                address: node.address.clone(),
                settings: self.settings,
                directory: directory.join(node.name.as_str()),
            })
            .collect()
    }

    fn node_toml(&self, node: &NodeIdentity) -> String {
        let mut text = format!(
            "# Node {name} of a Steadfast cluster, made by `steadfast init`. Keys that are not here have their defaults.\n\
             cluster = \"{cluster}\"\nname = \"{name}\"\nlisten = \"{listen}\"\ndata = \"data\"\nelect = {elect}\nwrite = {write}\n",
            name = node.name,
            cluster = node.cluster,
            listen = listen(&node.address),
            elect = self.settings.elect(),
            write = self.settings.write(),
        );
        if self.allow_cut {
            text += "allow_cut = true\n";
        }
        for (id, it) in self.nodes.iter().enumerate() {
            let (name, address) = (&it.name, &it.address);
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[[members]]\nname = \"{name}\"\nid = {id}\naddress = \"{address}\"\n"
            );
        }
        text
    }

    fn client_toml(&self, cluster: ClusterId) -> String {
        let mut text = format!(
            "# A client of a Steadfast cluster, made by `steadfast init`.\ncluster = \"{cluster}\"\n"
        );
        for it in &self.nodes {
            let (name, address) = (&it.name, &it.address);
            let _ = write!(text, "\n[[nodes]]\nname = \"{name}\"\naddress = \"{address}\"\n");
        }
        text
    }
}

/// Where a node listens: at its address if that is an IP address, else at all IPv4 addresses of its machine.
fn listen(address: &Address) -> String {
    match address.ip() {
        Some(_) => address.to_string(),
        None => format!("0.0.0.0:{}", address.port()),
    }
}
