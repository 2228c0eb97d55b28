//! Packets of the protocol as frames.
//!
//! The body is the packet in postcard's format: the fields in the order of the types in
//! `steadfast-protocol`, integers and lengths as varints, enums with the number of their variant. A change
//! of these types changes the bytes, which the golden vectors of the tests notice; it needs another version
//! of the handshake.
//!
//! The payloads of a packet are names here; their bytes come over the other connection, when the receiver asks
//! for them. The driver gives the packet to the replica at once, and begins a
//! [`Download`](crate::transfer::Download) for each [`Effect::Store`](steadfast_protocol::Effect::Store): the replica
//! itself waits with what depends on the bytes.
//!
//! Reading takes memory in proportion to the bytes: the shortest entry has 15 bytes and takes some 300 in
//! memory. Whether a packet makes sense is up to the replica, which ignores those that do not.

use postcard::ser_flavors::Flavor;
use steadfast_protocol::Packet;
use thiserror::Error;

use crate::frame::{self, Frame, FrameError, Kind};

/// Why a packet cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot send {message}: {error}")]
pub struct EncodeError {
    /// The packet's message in words, shortened.
    message: String,
    /// The reason.
    #[source]
    error: FrameError,
}

/// The longest description of a message in an error, in characters.
const SHOWN_MAX: usize = 120;

/// Appends the frame of a packet. If it fails, `out` is as it was.
///
/// # Errors
/// The packet is longer than [`PACKET_LENGTH_MAX`](frame::PACKET_LENGTH_MAX). No peer would take it, so the
/// driver must bound the length of paths and inline contents, and report the error as a failure of its own.
pub fn encode(packet: &Packet, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let encoded = frame::encode(Kind::Packet, out, |out| {
        let appended = postcard::serialize_with_flavor(packet, Appended(out));
        // Packets have lengths, and memory takes any byte.
        appended.unwrap_or_else(|error| panic!("packets-have-bytes: {error}"));
    });
    encoded.map_err(|error| {
        out.truncate(start);
        let message = packet.message.to_string().chars().take(SHOWN_MAX).collect();
        EncodeError { message, error }
    })
}

/// The packet of a frame.
///
/// # Errors
/// The frame is of another kind, or its body is no packet.
pub fn decode(frame: Frame<'_>) -> Result<Packet, FrameError> {
    let kind = frame.kind;
    if kind != Kind::Packet {
        return Err(FrameError::Unexpected { kind, expected: "a packet" });
    }
    let (packet, rest) = postcard::take_from_bytes(frame.body).map_err(|error| match error {
        postcard::Error::DeserializeUnexpectedEnd => FrameError::CutShort { kind },
        _ => FrameError::Malformed { kind, rule: rule(&error) },
    })?;
    match rest.len() {
        0 => Ok(packet),
        count => Err(FrameError::Trailing { kind, count }),
    }
}

fn rule(error: &postcard::Error) -> &'static str {
    match error {
        postcard::Error::DeserializeBadVarint => "a number has too many bits",
        postcard::Error::DeserializeBadBool => "a truth value is neither 0 nor 1",
        postcard::Error::DeserializeBadOption => "an optional field is neither absent nor present",
        postcard::Error::DeserializeBadEnum => "a field has an unknown variant",
        postcard::Error::DeserializeBadUtf8 => "a path is not UTF-8",
        _ => "a field has a value that it cannot have",
    }
}

/// Appends to a vector.
struct Appended<'a>(&'a mut Vec<u8>);

impl Flavor for Appended<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
