//! The files of a cluster: the configuration of its nodes and clients, and their certificates.
//!
//! [`init`](fn@init) makes them all in one directory; [`renew`](fn@renew) replaces certificates before they expire. A node loads
//! its [`NodeConfig`], a client its [`ClientConfig`], and both make the settings of rustls from it. Every
//! connection authenticates both ends by the certificate authority of the cluster, which signs for no other.
//!
//! ```
//! use steadfast_config::{Address, NodeConfig, Plan, Role, init};
//!
//! # let directory = tempfile::tempdir()?;
//! let nodes = ["a=127.0.0.1:7401", "b=127.0.0.1:7402", "c=127.0.0.1:7403"];
//! let plan = Plan::new(nodes.map(|it| it.parse().expect("NAME=HOST:PORT")).to_vec())?;
//! let cluster = init(&directory.path().join("cluster"), &plan, &mut |_node| Ok(()))?;
//!
//! let config = NodeConfig::load(&cluster.nodes[0].directory.join("node.toml"))?;
//! assert_eq!(config.name.as_str(), "a");
//! let tls = steadfast_config::server_config(&config)?;
//! assert_eq!(tls.alpn_protocols.len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_debug_implementations)]

mod address;
mod certificates;
mod client;
mod credentials;
mod durable;
mod error;
mod explain;
mod file;
mod ids;
mod init;
mod limits;
mod node;
mod peer;
mod renew;
mod tls;

pub use address::Address;
pub use certificates::{CA_YEARS, LEAF_YEARS};
pub use client::{ClientConfig, Node};
pub use credentials::Credentials;
pub use error::{ConfigError, InitError};
pub use explain::explain_tls;
pub use ids::NodeName;
pub use init::{Cluster, NodeIdentity, Plan, PlannedNode, init};
pub use limits::{INLINE_BYTES_MAX, Limits, LogFormat};
pub use node::{Member, NodeConfig};
pub use peer::{PeerError, Role, peer_role};
pub use renew::{Renewed, renew};
pub use steadfast_wire::ClusterId;
pub use tls::{client_config, peer_client_config, server_config, server_name};
