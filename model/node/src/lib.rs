//! A replica in its surroundings, written once.
//!
//! A [`Node`] owns a [`Replica`](steadfast_protocol::Replica) and its [`NodeStorage`]. It passes an input to
//! the replica, performs the effects on the storage in the order in which the replica returned them,
//! passes the inputs that follow at once to the replica as well, and returns the messages and answers
//! that leave the node as [`Output`]. The model checker and the simulator drive this type, and so will a
//! server; none of them performs an effect itself.
//!
//! [`Cluster`] holds the rules of the surroundings that concern several nodes: which messages a session
//! carries, which link events are outstanding, when nothing is left to happen, and which copies of
//! contents may go bad or are found bad.
//!
//! Invariant: this crate knows no thread, file, clock or model checker.

mod cluster;
mod node;
mod storage;

pub use cluster::{Cluster, LinkEvent};
pub use node::{Node, Output};
pub use storage::{ContentCopy, NodeStorage, garbled, stored_or_unusable};
