//! The bytes of records and checkpoints, version 3. Those of versions 1 and 2 can be read.
//!
//! One byte with the version, then the value in the format of [postcard](https://postcard.jamesmunns.com/wire-format).
//! A decoder reads every byte that it is given, and allocates in proportion to them.

mod older;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_protocol::{Checkpoint, Record, VersionVector};

/// The version that is written. Those before it can be read.
pub const VERSION: u8 = 3;

/// Why bytes are not a record or a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There are no bytes at all.
    #[error("a {0} of no bytes: even its version is missing")]
    Empty(&'static str),
    /// Another version of this program wrote them.
    #[error(
        "a {what} of version {found}, and this program reads versions 1 to {VERSION}: start the version \
         of the program that wrote it, or a newer one"
    )]
    Version {
        /// A record or a checkpoint.
        what: &'static str,
        /// The version.
        found: u8,
    },
    /// They do not have the form of their version.
    #[error("a {what} of {bytes} bytes is damaged: {why}")]
    Malformed {
        /// A record or a checkpoint.
        what: &'static str,
        /// How many bytes there are.
        bytes: usize,
        /// The complaint of the decoder.
        why: postcard::Error,
    },
    /// More bytes follow the value.
    #[error("{trailing} bytes follow a {what} of {bytes} bytes")]
    Trailing {
        /// A record or a checkpoint.
        what: &'static str,
        /// How many bytes the value takes, with its version.
        bytes: usize,
        /// How many follow.
        trailing: usize,
    },
}

/// The bytes of a record.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    encode(record)
}

/// The record with these bytes.
///
/// # Errors
/// The bytes are no record, or one of another version.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    decode::<_, older::Record<older::Unknown>, older::Record<VersionVector>>("record", bytes)
}

/// The bytes of a checkpoint.
#[must_use]
pub fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    encode(checkpoint)
}

/// The checkpoint with these bytes.
///
/// # Errors
/// The bytes are no checkpoint, or one of another version.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, CodecError> {
    decode::<_, older::Checkpoint<older::Unknown>, older::Checkpoint<VersionVector>>(
        "checkpoint",
        bytes,
    )
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION])
        .unwrap_or_else(|error| panic!("records-are-encodable: {error}"))
}

/// The value with these bytes. `First` and `Second` are its forms in versions 1 and 2.
fn decode<T, First, Second>(what: &'static str, bytes: &[u8]) -> Result<T, CodecError>
where
    T: DeserializeOwned,
    First: Serialize + DeserializeOwned,
    Second: Serialize + DeserializeOwned,
{
    let (&version, body) = bytes.split_first().ok_or(CodecError::Empty(what))?;
    let renewed = match version {
        VERSION => return decode_body(what, body),
        1 => encode(&decode_body::<First>(what, body)?),
        2 => encode(&decode_body::<Second>(what, body)?),
        found => return Err(CodecError::Version { what, found }),
    };
    decode_body(what, &renewed[1..])
}

/// The value with the bytes behind the version.
fn decode_body<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, CodecError> {
    let bytes = body.len() + 1;
    let malformed = |why| CodecError::Malformed { what, bytes, why };
    let (value, rest) = postcard::take_from_bytes(body).map_err(malformed)?;
    match rest.len() {
        0 => Ok(value),
        trailing => Err(CodecError::Trailing { what, bytes: bytes - trailing, trailing }),
    }
}
