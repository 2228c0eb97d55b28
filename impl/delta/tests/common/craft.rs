//! Writes patches by the documented format, right or wrong, without the encoder.
#![allow(dead_code, unreachable_pub)]

use std::hash::Hasher;

use twox_hash::XxHash3_64;

/// An unsigned LEB128 number.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value as u8 & 0x7F) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A stream that is not packed.
pub fn raw(bytes: &[u8]) -> Vec<u8> {
    stream(bytes.len() as u64, 0, None, bytes)
}

/// A stream with whatever is said of it.
pub fn stream(length: u64, packing: u64, packed_length: Option<u64>, bytes: &[u8]) -> Vec<u8> {
    let mut stream = varint(length << 2 | packing);
    stream.extend(packed_length.map(varint).unwrap_or_default());
    stream.extend(bytes);
    stream
}

/// A body of these streams, by number.
pub fn body(streams: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let present = streams.iter().map(|(number, _)| 1 << number).sum();
    let streams = streams.iter().flat_map(|(_, stream)| stream.clone());
    std::iter::once(present).chain(streams).collect()
}

/// The same; its literals are kept.
pub fn keeping_body(streams: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = body(streams);
    body[0] |= 0x80;
    body
}

/// A patch under construction; its checks are right.
pub struct Craft {
    bytes: Vec<u8>,
    check: u64,
}

impl Craft {
    /// Of version 1.
    pub fn new(old_length: u64, new_length: u64) -> Craft {
        Craft::of_version(1, old_length, new_length)
    }

    pub fn of_version(version: u8, old_length: u64, new_length: u64) -> Craft {
        let mut bytes = b"Sf\xCE\x94".to_vec();
        bytes.push(version);
        bytes.extend(varint(old_length));
        bytes.extend(varint(new_length));
        let check = XxHash3_64::oneshot(&bytes);
        Craft { bytes, check }
    }

    pub fn frame(mut self, body: &[u8]) -> Craft {
        self.bytes.extend(varint(body.len() as u64));
        self.checked(body);
        self
    }

    pub fn trailer(mut self, trailer: &[u8]) -> Vec<u8> {
        self.checked(trailer);
        self.bytes
    }

    /// A trailer that says nothing.
    pub fn end(self) -> Vec<u8> {
        self.trailer(&[0])
    }

    fn checked(&mut self, bytes: &[u8]) {
        let mut hasher = XxHash3_64::with_seed(self.check);
        hasher.write(bytes);
        self.check = hasher.finish();
        self.bytes.extend(bytes);
        self.bytes.extend(self.check.to_le_bytes());
    }
}
