//! Everything that the nodes of a cluster say to each other, as bytes.
//!
//! No part of the crate opens a socket, reads a clock or starts a thread: bytes go in and come out, so that
//! a server runs it over TLS and the simulator over its network. Two nodes keep two connections, each named
//! by a [`Channel`]: one carries packets, that is, heartbeats and entries, and the other carries contents.
//! So a content of any length delays no heartbeat.
//!
//! - [`frame`] splits a stream of bytes into frames, and bounds their lengths.
//! - [`handshake`] opens each connection: the two ends make sure that they belong together and agree on the
//!   id of their session.
//! - [`packet`] turns the packets of the protocol into frames and back.
//! - [`transfer`] brings contents in verified parts.
//!
//! `FORMAT.md` beside the sources describes the bytes. The golden vectors of the tests freeze them.
//!
//! Invariant: a length that a peer names is compared with a bound before memory is allocated for it.

#![warn(missing_debug_implementations)]

mod bytes;
mod cluster_id;
pub mod frame;
pub mod handshake;
pub mod packet;
pub mod transfer;

pub use cluster_id::ClusterId;
pub use frame::{Channel, Decoder, Frame, FrameError, Kind};
pub use handshake::{Handshake, HandshakeError, Local, Progress};
