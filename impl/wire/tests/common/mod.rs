//! Helpers of the tests.
#![allow(dead_code, unreachable_pub)]

pub mod contents;
pub mod packets;

use steadfast_wire::{Channel, Decoder, FrameError, Kind};

/// A frame that owns its body.
pub type Owned = (Kind, Vec<u8>);

/// All frames of a stream that comes in these pieces, and the error that ends them.
pub fn frames<'a>(
    channel: Channel,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Owned>, Result<bool, FrameError>) {
    let mut decoder = Decoder::new(channel);
    let mut frames = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(frame)) => frames.push((frame.kind, frame.body.to_vec())),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        assert!(piece.is_empty(), "a decoder takes everything before it asks for more");
    }
    (frames, Ok(decoder.is_between_frames()))
}

/// The frame with a body of any length.
pub fn raw(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short body");
    [&length.to_le_bytes()[..], &[kind], body].concat()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
