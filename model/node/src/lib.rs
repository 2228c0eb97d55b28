//! A replica in its surroundings, written once.
//!
//! A [`Node`] owns a [`Replica`](steadfast_protocol::Replica) and its [`NodeStorage`]. It feeds the
//! replica one input, performs the effects on the storage in the order in which they were asked
//! for, feeds the inputs that follow at once back in, and hands out what must leave the node as
//! [`Output`]. The model checker and the simulator drive this type, and so will a server; neither of
//! them performs an effect of its own.
//!
//! [`Cluster`] holds the rules of the surroundings that concern several nodes: what a session
//! carries, which link events are outstanding, when nothing is left to happen, and which copies of
//! contents may go bad or are found bad.
//!
//! Invariant: this crate knows no thread, file, clock or model checker.

mod cluster;
mod node;
mod storage;

pub use cluster::{Cluster, LinkEvent};
pub use node::{Node, Output};
pub use storage::{ContentCopy, NodeStorage, garbled, heard_of_made};
