//! The exchange between an end that has a new content and an end that has an old one.
//!
//! [`Sender`] and [`Receiver`] are two state machines without sockets: messages go in and come out as bytes, and what the receiver
//! wants done with its files comes out as [`Effect`]s. There are two ways, and the second is the
//! answer when the first fails:
//!
//! 1. *Delta.* The sender knows the manifest of the content that the receiver has. It sends a
//!    patch, and the receiver says that it is done: one round trip.
//! 2. *Offer.* The sender names the root. A receiver that has this content says so; otherwise it names its
//!    sections. The sender names the chunks of its other sections, and the receiver lists the ones that it
//!    lacks. The sender names their grains, the receiver lists the ones that it lacks, and the sender sends
//!    these. The offer takes four round trips at most.
//!
//! Where the ends can only exchange requests and answers, [`PatchPlan`] makes a patch from the outline of the old
//! content and the chunks of some of its sections.
//!
//! Names are short, a few bits more than the number of comparisons needs, so now and then unequal
//! parts have the same name. Therefore the receiver makes the manifest of the result and compares
//! its root with the one that was offered; if they differ, it begins again under another salt with
//! longer names, and at last without using its old content. A forged name costs both ends
//! a repetition and never leads to a wrong content.
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

mod effect;
mod error;
mod held;
mod ids;
mod known;
mod literals;
mod matching;
mod message;
mod output;
mod patch;
mod plan;
mod receiver;
mod sender;

pub use effect::{Effect, Limits};
pub use error::RemoteError;
pub use plan::PatchPlan;
pub use receiver::Receiver;
pub use sender::Sender;
