//! The format, version 6. `snapshots/recording` freezes its bytes.
//!
//! A file is a header and frames. Integers are little-endian.
//!
//! | header | bytes |
//! |---|---|
//! | `SFRECORD` | 8 |
//! | version of the format | 4 |
//! | number of the start, from 1 | 8 |
//! | number of the file within the start, from 1 | 4 |
//! | the chain at the end of the file before it; 0 in the first file | 8 |
//!
//! | frame | bytes |
//! |---|---|
//! | length of the payload | 4 |
//! | the complement of the length, xor the lower half of the chain so far | 4 |
//! | the chain behind this frame: XXH3-64 of the payload, with the chain so far as its seed | 8 |
//! | payload: a [`Frame`] in postcard | |
//!
//! The chain of a file begins with the XXH3-64 of its header.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{ContentId, Identity, Incarnation, Input, LogIndex, Parameters, Record};
use twox_hash::XxHash3_64;

/// The version of the format.
pub const VERSION: u32 = 6;

/// The longest payload of a frame, in bytes. Only the checkpoint of a large log comes near it.
pub const FRAME_BYTES_MAX: u32 = 1 << 30;

pub(crate) const HEADER_BYTES: usize = 32;
pub(crate) const FRAME_HEAD_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"SFRECORD";

/// The id of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cluster(pub [u8; 16]);

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

/// The clocks of a machine at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Identifies the machine and its boot: monotonic times with the same one can be compared.
    pub boot: [u8; 16],
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970, by the wall clock.
    pub wall_ns: u64,
}

/// The first frame of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The number of the start within the recording, from 1.
    pub number: u64,
    /// The cluster.
    pub cluster: Cluster,
    /// The node, and E, W and N.
    pub identity: Identity,
    /// The incarnation of the node.
    pub incarnation: Incarnation,
    /// The parameters of this start.
    pub parameters: Parameters,
    /// The clocks at the start, to which the times of inputs relate.
    pub clock: Clock,
}

/// An input that the replica took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken<'a> {
    /// The number of the input within its start, from 1.
    pub number: u64,
    /// When the node took it, in nanoseconds since the clock of the start.
    pub at_ns: u64,
    /// Whether the node gave it to itself while it performed the effects of the input before.
    pub follows: bool,
    /// The input.
    pub input: Cow<'a, Input>,
}

/// The effects of the last input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// How many there were.
    pub count: u64,
    /// The digest of the input and its effects.
    pub digest: u64,
}

/// A frame. A start is: `Start`; `Record`s or `Kept`; `Contents`; `Up`; then an input and its effects in
/// turn; and `End`, unless the process was killed. The effects of the last input may be missing then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame<'a> {
    /// A process starts.
    Start(Start),
    /// The next record of the log with which the node starts. Only in the first start.
    Record(Cow<'a, Record>),
    /// The log with which the node starts consists of records that the starts before have appended.
    Kept {
        /// The index of its first record.
        first: LogIndex,
        /// The index of its last record.
        length: LogIndex,
        /// The [`records_digest`](crate::records_digest) of the records.
        digest: u64,
    },
    /// Some of the contents with which the node starts.
    Contents(Cow<'a, [ContentId]>),
    /// The node is up.
    Up,
    /// The replica takes an input.
    Taken(Taken<'a>),
    /// The effects of the last input.
    Effects(Effects),
    /// The process ended, and no input is missing.
    End,
}

impl Frame<'_> {
    /// The frame with this payload.
    pub(crate) fn decode(payload: &[u8]) -> Result<Frame<'static>, String> {
        match postcard::take_from_bytes::<Frame<'static>>(payload) {
            Ok((frame, [])) => Ok(frame),
            Ok((_, rest)) => Err(format!("{} bytes follow the frame", rest.len())),
            Err(error) => Err(format!("it is no frame ({error})")),
        }
    }
}

/// The place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileNumber {
    pub start: u64,
    pub part: u32,
}

/// The header of a file, and the chain with which its frames begin.
pub(crate) fn header(file: FileNumber, chain_before: u64) -> ([u8; HEADER_BYTES], u64) {
    let mut bytes = [0; HEADER_BYTES];
    let fields: [&[u8]; 5] = [
        &MAGIC,
        &VERSION.to_le_bytes(),
        &file.start.to_le_bytes(),
        &file.part.to_le_bytes(),
        &chain_before.to_le_bytes(),
    ];
    let mut rest = &mut bytes[..];
    for field in fields {
        let (place, behind) = rest.split_at_mut(field.len());
        place.copy_from_slice(field);
        rest = behind;
    }
    let chain = XxHash3_64::oneshot(&bytes);
    (bytes, chain)
}

/// Whether bytes begin as a recording of any version does, and the version.
pub(crate) fn version_of(header: &[u8; HEADER_BYTES]) -> Option<u32> {
    let version = [header[8], header[9], header[10], header[11]];
    header.starts_with(&MAGIC).then(|| u32::from_le_bytes(version))
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub length: u32,
    pub chain: u64,
}

impl FrameHead {
    /// The head of a frame with this payload, behind this chain.
    pub(crate) fn of(payload: &[u8], chain_before: u64) -> Option<FrameHead> {
        let length = u32::try_from(payload.len()).ok().filter(|it| *it <= FRAME_BYTES_MAX)?;
        Some(FrameHead { length, chain: chain_behind(payload, chain_before) })
    }

    pub(crate) fn encode(self, chain_before: u64) -> [u8; FRAME_HEAD_BYTES] {
        let mut bytes = [0; FRAME_HEAD_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&check_of(self.length, chain_before).to_le_bytes());
        bytes[8..].copy_from_slice(&self.chain.to_le_bytes());
        bytes
    }

    /// `None` if the length does not fit to its check.
    pub(crate) fn decode(bytes: [u8; FRAME_HEAD_BYTES], chain_before: u64) -> Option<FrameHead> {
        let [l0, l1, l2, l3, c0, c1, c2, c3, chain @ ..] = bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let check = u32::from_le_bytes([c0, c1, c2, c3]);
        (check == check_of(length, chain_before))
            .then(|| FrameHead { length, chain: u64::from_le_bytes(chain) })
    }
}

pub(crate) fn chain_behind(payload: &[u8], chain_before: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(chain_before, payload)
}

fn check_of(length: u32, chain_before: u64) -> u32 {
    let [a, b, c, d, ..] = chain_before.to_le_bytes();
    !length ^ u32::from_le_bytes([a, b, c, d])
}
