//! What changed between two versions of a content, found at memory speed and sent small.

const _: () = assert!(usize::BITS == 64, "offsets in contents are kept as usize");

mod anchors;
mod apply;
mod bytes;
mod compare;
mod cpu;
mod diff;
mod effort;
mod encode;
mod error;
mod in_place;
pub mod manifest;
pub mod remote;
mod skipped;
mod stats;
mod sum;
mod touched;
mod wire;

pub use apply::{Applied, Content, OldContent, apply, apply_stream};
pub use diff::{Options, diff, diff_observed};
pub use effort::Effort;
pub use error::PatchError;
pub use in_place::{InPlacePlan, JOURNAL_MAX, PatchedFile, Verify};
pub use stats::{STREAM_NAMES, Stats, StreamStats, stats};
