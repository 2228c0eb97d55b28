//! A node as a server.
//!
//! One thread owns the replica and its log ([`Node`](steadfast_node::Node), the same that the checker and the
//! simulator drive), tasks of tokio own the connections, and one thread for each peer moves contents. All
//! queues between them are bounded, by a number or by the protocol: a node that cannot keep up answers 503.
//!
//! Every connection is TLS with certificates on both ends. One port serves all: the protocol that a
//! connection negotiates says whether it belongs to a client, to the packets of a peer or to its contents.
//!
//! [`create`] makes the directory of a new node, [`serve`] runs a node until it is told to stop, and [`replace`] makes
//! the directory of a node whose disk is lost.

#![warn(missing_debug_implementations)]

mod connections;
mod core;
mod counters;
mod cuts;
mod disk;
mod http;
mod peers;
mod replace;
mod scrub;
mod serve;

pub use core::CoreEnd;
pub use replace::{ReplaceError, Replaced, Source, replace};
pub use serve::{ServeError, create, serve};
