//! The exchange between an end that has a new content and an end that has an old one.
//!
//! Two state machines without sockets: messages go in and come out as bytes, and what the receiver
//! wants done with its files comes out as [`Effect`]s. There are two ways, and the second is the
//! answer when the first fails:
//!
//! 1. *Delta.* The sender knows the manifest of the content that the receiver has. It sends a
//!    patch, and the receiver says that it is done: one round trip.
//! 2. *Offer.* The sender tells the root. The receiver says that it has it, or names its sections;
//!    the sender names the chunks of its other sections; the receiver says which it lacks; the
//!    sender names the grains of those; the receiver says which it lacks; the sender sends them.
//!    Four round trips at most.
//!
//! Names are short, a few bits more than the number of comparisons needs, so now and then unequal
//! parts have the same name. Therefore the receiver makes the manifest of the result and compares
//! its root with the one that was offered; if they differ, it begins again under another salt with
//! longer names, and at last without using what it has. A name that an adversary forges costs him
//! and us a repetition and never a wrong content.
//!
//! Memory is bounded by the manifests, the messages, and [`Limits`]: a million grains are named at
//! once and a million old ones searched, and the chunks beyond travel whole. A delta whose effects
//! would take far more memory than the delta does is answered as if it had failed.
//!
//! ```
//! use steadfast_delta::manifest::{Depth, Manifest};
//! use steadfast_delta::remote::{Effect, Limits, Receiver, Sender};
//!
//! let (old, new) = (b"the old version".repeat(9999), b"the new version".repeat(9999));
//! let (of_old, of_new) = (Manifest::of(&old, Depth::Grains), Manifest::of(&new, Depth::Grains));
//! let mut sender = Sender::new(&new, &of_new, 0x5A17);
//! let mut receiver = Receiver::new(&old, &of_old, Limits::default());
//! let mut received = Vec::new();
//! while let Some(message) = sender.next_message()? {
//!     for effect in receiver.receive(&message)? {
//!         match effect {
//!             Effect::Send(answer) => sender.receive(&answer)?,
//!             Effect::Copy { offset, length } => {
//!                 received.extend_from_slice(&old[offset as usize..][..length as usize]);
//!             }
//!             Effect::Write(bytes) => received.extend_from_slice(&bytes),
//!             Effect::Restart => received.clear(),
//!             Effect::Done(manifest) => assert_eq!(manifest.root(), of_new.root()),
//!         }
//!     }
//! }
//! assert!(sender.is_done() && received == new);
//! # Ok::<(), steadfast_delta::remote::RemoteError>(())
//! ```

mod error;
mod held;
mod ids;
mod known;
mod literals;
mod matching;
mod message;
mod output;
mod patch;
mod receiver;
mod sender;

pub use error::RemoteError;
pub use receiver::Receiver;
pub use sender::Sender;

use crate::manifest::Manifest;

/// In this attempt nothing of the old content is used. The first is 0.
const ATTEMPT_LAST: u8 = 2;

/// What a receiver accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The greatest length of a new content in bytes.
    pub length_max: u64,
    /// The greatest width of a name in bits. Less than 64 makes names lighter and repetitions more
    /// frequent.
    pub name_bits_max: u8,
}

impl Default for Limits {
    /// Anything.
    fn default() -> Limits {
        Limits { length_max: u64::MAX, name_bits_max: 64 }
    }
}

/// What a receiver wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sends a message to the sender.
    Send(Vec<u8>),
    /// Appends a piece of the old content to the new one.
    Copy {
        /// Where it begins in the old content.
        offset: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// Appends these bytes to the new content.
    Write(Vec<u8>),
    /// Throws away what was appended so far.
    Restart,
    /// The new content is complete; it was checked, and this is its manifest.
    Done(Manifest),
}
