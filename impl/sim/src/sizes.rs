//! How long messages are on the wire.
//!
//! The simulator sends no bytes. The lengths are those of a compact format, and they serve for their
//! ratio: bytes sent against bytes that the receiver lacked.

use steadfast_protocol::{Change, Content, Entry, Packet};

/// The frame of a message: kind, session, epoch, version vector, checksum.
const MESSAGE_BYTES: u64 = 64;
/// An entry without its path and content: dot, stamp, context with its digest, request.
const ENTRY_BYTES: u64 = 72;
/// A dot that an entry names.
const DOT_BYTES: u64 = 9;

/// The length of a message whose payloads have this many bytes, in bytes.
pub(crate) fn packet_bytes(packet: &Packet, payload_bytes: u64) -> u64 {
    let entries: u64 = packet.message.entries().iter().map(entry_bytes).sum();
    MESSAGE_BYTES + entries + payload_bytes
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
