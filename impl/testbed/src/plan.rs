//! The cluster that is to be made.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::testbed::Around;
use crate::{Program, Testbed, TestbedError};

/// A cluster that is to be made: three nodes `a`, `b` and `c` on free ports of loopback, in a temporary directory, unless
/// its methods say otherwise.
#[derive(Clone, Debug)]
pub struct Plan {
    program: Program,
    nodes: Vec<(String, Option<SocketAddr>)>,
    options: Vec<String>,
    keys: String,
    directory: Option<PathBuf>,
}

impl Plan {
    /// Three nodes that run this program.
    #[must_use]
    pub fn new(program: Program) -> Plan {
        let nodes = ["a", "b", "c"].map(|it| (it.to_owned(), None)).to_vec();
        Plan { program, nodes, options: Vec::new(), keys: String::new(), directory: None }
    }

    /// With these nodes, each with its name and its address, or with a free port of loopback instead.
    #[must_use]
    pub fn nodes(self, nodes: impl IntoIterator<Item = (String, Option<SocketAddr>)>) -> Plan {
        Plan { nodes: nodes.into_iter().collect(), ..self }
    }

    /// With further options of `steadfast init`, such as `--write 1`.
    #[must_use]
    pub fn options<'a>(mut self, options: impl IntoIterator<Item = &'a str>) -> Plan {
        self.options.extend(options.into_iter().map(str::to_owned));
        self
    }

    /// With a key of `node.toml` on every node that `init` does not write, such as `election_timeout_ms` and `500`.
    #[must_use]
    pub fn key(mut self, key: &str, value: &str) -> Plan {
        self.keys += &format!("{key} = {value}\n");
        self
    }

    /// In this directory, which is kept when the testbed is dropped.
    #[must_use]
    pub fn directory(self, directory: impl Into<PathBuf>) -> Plan {
        Plan { directory: Some(directory.into()), ..self }
    }

    /// Makes the files of the cluster and starts no node. The program that the nodes run makes them, so that an older program
    /// finds files of its own format.
    ///
    /// # Errors
    /// A directory cannot be made, no port is free, or `steadfast init` fails.
    pub fn make(self) -> Result<Testbed, TestbedError> {
        let around = match &self.directory {
            Some(directory) => {
                let what = format!("cannot make {}", directory.display());
                fs::create_dir_all(directory).map_err(TestbedError::io(what))?;
                // The nodes run in another directory than the one that a relative path refers to.
                let what = format!("cannot use {}", directory.display());
                Around::Kept(fs::canonicalize(directory).map_err(TestbedError::io(what))?)
            }
            None => Around::Temporary(
                TempDir::new().map_err(TestbedError::io("no temporary directory"))?,
            ),
        };
        let testbed = Testbed::new(around, self.program.clone(), self.names());
        self.init(&testbed)?;
        if !self.keys.is_empty() {
            self.names().iter().try_for_each(|it| self.add_keys(&testbed, it))?;
        }
        Ok(testbed)
    }

    fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|it| it.0.clone()).collect()
    }

    fn init(&self, testbed: &Testbed) -> Result<(), TestbedError> {
        let mut command = Command::new(self.program.path());
        command.arg("init").arg(testbed.cluster()).arg("--nodes").arg(self.addresses()?);
        command.args(&self.options).stdin(Stdio::null());
        let output = command.output().map_err(TestbedError::io("cannot run `steadfast init`"))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(TestbedError::Init { said })
            }
        }
    }

    /// The nodes as `init` takes them.
    fn addresses(&self) -> Result<String, TestbedError> {
        // All free ports are held until all are chosen, so that they differ.
        let mut held = Vec::new();
        let mut planned = Vec::new();
        for (name, address) in &self.nodes {
            let address = match address {
                Some(address) => *address,
                None => {
                    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
                    let port = port.map_err(TestbedError::io("no port is free"))?;
                    let address = port.local_addr();
                    held.push(port);
                    address.map_err(TestbedError::io("no port is free"))?
                }
            };
            planned.push(format!("{name}={address}"));
        }
        Ok(planned.join(","))
    }

    /// Writes further keys before the first table of a configuration.
    fn add_keys(&self, testbed: &Testbed, node: &str) -> Result<(), TestbedError> {
        let path = testbed.node(node).join("node.toml");
        let what = || TestbedError::io(format!("cannot change {}", path.display()));
        let config = fs::read_to_string(&path).map_err(what())?;
        fs::write(&path, format!("{}{config}", self.keys)).map_err(what())
    }
}
