//! What changed between two versions of a content, found at memory speed and sent small.
//!
//! ```
//! use steadfast_delta::{Options, apply, diff};
//!
//! let (old, new) = (b"the old version".repeat(99), b"the new version".repeat(99));
//! let mut patch = Vec::new();
//! diff(&old, &new, Options::default(), &mut patch)?;
//! assert!(patch.len() < 200);
//! assert_eq!(*apply(&old, &patch, 1 << 20)?, *new);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`diff`] needs both versions in memory, mapped or read. A patch is applied into fresh memory
//! ([`apply`]), piece by piece ([`apply_stream`]), or in place on a file so that a crash leaves the
//! old or the new version ([`InPlacePlan`]). Old contents and files changed in place are
//! [`std::fs::File`]s, bytes in memory, or types of your own ([`OldContent`], [`PatchedFile`]). The crate
//! opens no file and knows no socket.
//!
//! # Optimisation
//!
//! The crate works byte by byte, in loops that the compiler has to optimise. Without that, as in
//! Cargo's `dev` profile, it takes 15 to 40 times as long. Let Cargo
//! optimise it also in debug builds, by these lines in the manifest of your workspace:
//!
//! ```toml
//! [profile.dev.package.steadfast-delta]
//! opt-level = 3
//! ```
//!
//! It then takes two to six times as long as with optimised dependencies: these are the crates that
//! hash, sum and pack for it (`blake3`, `twox-hash`, `zstd-sys`). `[profile.dev.package."*"]` in place of
//! the first line optimises all dependencies, this crate included unless it is a member of the workspace.
//!
//! Where only one end has the old version there is [`remote`], an exchange of messages. Both ends
//! refer to contents by the names that [`manifest`] gives them.
//!
//! # How it finds equal bytes
//!
//! 1. `diff::outline` trims the equal bytes at both ends and then runs along one alignment at the
//!    speed of memory comparison, over changed bytes, small shifts and large moves.
//! 2. `diff::fill` looks for pieces of the unmatched rest, by content-defined anchors.
//! 3. `diff::fine` looks for short pieces, where they pay in a sample, and `diff::contest`
//!    keeps the list of pieces that makes the shortest patch.
//! 4. `encode` turns the pieces into operations, changed bytes and literals, each in streams of
//!    their own, packed where that helps. `wire` documents the bytes.
//!
//! # Verification
//!
//! Every frame of a patch has a check, so a decoder distinguishes damage from misuse before it uses the frame.
//! The sum of the new content (see `sum`) proves the result right. Both protect against
//! accidents, not against malice: an adversary that can write a patch can write any new content. A
//! caller that must know that a content is the intended one checks its name. On hostile patches the promise is
//! an error, bounded memory, and no output that was called right.
//!
//! Invariant: this crate does not know nodes, entries or paths.

#![warn(missing_debug_implementations)]

const _: () = assert!(usize::BITS == 64, "offsets in contents are kept as usize");

mod anchors;
mod apply;
mod bytes;
mod compare;
mod copy;
mod cpu;
mod diff;
mod differing;
mod effort;
mod encode;
mod error;
mod in_place;
pub mod manifest;
#[cfg(test)]
mod noise;
mod old_content;
mod pair;
mod primes;
pub mod remote;
mod segment;
mod skipped;
mod stats;
mod sum;
mod summing;
mod touched;
mod transferred;
mod wire;

pub use apply::{Applied, Content, NewContent, apply, apply_stream};
pub use diff::{Options, diff, diff_observed};
pub use effort::Effort;
pub use error::PatchError;
pub use in_place::{InPlacePlan, JournalError, PatchedFile, Verify};
pub use old_content::OldContent;
pub use stats::{STREAM_NAMES, Stats, StreamStats, stats};
pub use summing::NewChanged;
pub use transferred::{Sink, Source};
