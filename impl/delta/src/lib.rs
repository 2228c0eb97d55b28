//! What changed between two versions of a content, found at memory speed and sent small.

mod anchors;
mod apply;
mod bytes;
mod compare;
mod cpu;
mod diff;
mod effort;
mod encode;
mod error;
pub mod manifest;
pub mod remote;
mod skipped;
mod stats;
mod sum;
mod wire;

pub use apply::{Applied, Content, OldContent, apply, apply_stream};
pub use diff::{Options, diff};
pub use effort::Effort;
pub use error::PatchError;
pub use stats::{STREAM_NAMES, Stats, StreamStats, stats};
