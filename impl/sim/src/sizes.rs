//! How long messages are on the wire.
//!
//! There is no wire format yet. The lengths are those that a compact one would have, and what they
//! are for is their ratio: bytes sent against bytes that the receiver lacked.

use steadfast_protocol::{Change, Content, Entry, Packet};

use crate::library::Library;

/// The frame of a message: kind, session, epoch, version vector, checksum.
const MESSAGE_BYTES: u64 = 64;
/// An entry without its path and content: dot, stamp, context, request.
const ENTRY_BYTES: u64 = 64;
/// A dot that an entry names.
const DOT_BYTES: u64 = 9;

/// The length of a message with the payloads that travel in it, in bytes.
pub(crate) fn packet_bytes(packet: &Packet, library: &Library) -> u64 {
    let message = &packet.message;
    let entries: u64 = message.entries().iter().map(entry_bytes).sum();
    let payloads: u64 = message.payloads().iter().map(|it| library.cost(*it).sent).sum();
    MESSAGE_BYTES + entries + payloads
}

/// The length of an entry, in bytes; a content beside the log is not a part of it.
pub(crate) fn entry_bytes(entry: &Entry) -> u64 {
    let inline = match &entry.change {
        Change::Put(Content::Inline(bytes)) => bytes.len(),
        Change::Put(Content::Named(_)) => size_of::<steadfast_protocol::ContentId>(),
        Change::Delete => 0,
    };
    let words = entry.path.as_str().len() + inline;
    ENTRY_BYTES + words as u64 + DOT_BYTES * entry.replaces.len() as u64
}
