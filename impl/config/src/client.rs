//! The configuration of a client, `client.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::node::{authority, certificate, distinct, key};
use crate::{Address, ClusterId, ConfigError, Credentials, NodeName, file};

/// The configuration of a client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The cluster.
    pub cluster: ClusterId,
    /// The nodes, at least one. Their names are checked against their certificates, so an address may change.
    pub nodes: Vec<Node>,
    /// The certificate of the client, its key, and the authority that every node is checked by.
    pub credentials: Credentials,
}

/// A node, as a client knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Where it is reached.
    pub address: Address,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    cluster: ClusterId,
    nodes: Vec<Node>,
    #[serde(default = "certificate")]
    certificate: PathBuf,
    #[serde(default = "key")]
    key: PathBuf,
    #[serde(default = "authority")]
    ca: PathBuf,
}

impl ClientConfig {
    /// Loads `client.toml` of this directory, and the certificates that it names.
    ///
    /// # Errors
    /// As [`NodeConfig::load`](crate::NodeConfig::load).
    pub fn load(directory: &Path) -> Result<ClientConfig, ConfigError> {
        let file = ClientFile::load(directory)?;
        let credentials = Credentials {
            certificate: directory.join(file.certificate),
            key: directory.join(file.key),
            authority: directory.join(file.ca),
        };
        credentials.check_client(file.cluster)?;
        Ok(ClientConfig { cluster: file.cluster, nodes: file.nodes, credentials })
    }
}

impl ClientFile {
    /// The file in this directory.
    fn load(directory: &Path) -> Result<ClientFile, ConfigError> {
        let path = directory.join("client.toml");
        let file: ClientFile = file::toml(&path)?;
        let wrong = |why| ConfigError::Value { path: path.clone(), key: "nodes", why };
        if file.nodes.is_empty() {
            return Err(wrong("expected at least one node".to_owned()));
        }
        distinct(file.nodes.iter().map(|it| (&it.name, &it.address))).map_err(wrong)?;
        Ok(file)
    }
}

/// The nodes that `client.toml` of this directory names, whether its certificates are valid or not.
pub(crate) fn nodes_in(directory: &Path) -> Result<Vec<Node>, ConfigError> {
    ClientFile::load(directory).map(|it| it.nodes)
}
