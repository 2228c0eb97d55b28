//! The recording of a node: every input that its replica took, in order, with a digest of the effects.
//!
//! A recording is a directory that belongs to one node. Each start of the process adds files to it: its
//! first file begins with the state from which the node starts, and the inputs follow. [`Recorder`] writes a
//! recording while the node runs, and [`Reader`] reads it back frame by frame, in bounded memory.
//!
//! A recorder writes an input ahead of its effects: the input is handed to the operating system before the
//! first of its effects is performed. So whatever a killed process (`kill -9`) has sent, logged or answered
//! follows from inputs that are in its recording. A recording is not synced; a crash of the machine may take
//! its end.
//!
//! Every frame carries a sum that covers all frames before it in the same start. A frame that is cut by the
//! end of the last file of a start makes the recording shorter; any other deviation is an error that names
//! the place.
//!
//! Invariant: it knows no replica. Whether the effects are the right ones is for others to judge.

#![warn(missing_debug_implementations)]

mod digest;
mod error;
mod files;
mod format;
mod reader;
mod recorder;

pub use digest::{EffectsDigest, records_digest};
pub use error::{BeginError, ReadError, WriteError};
pub use format::{Clock, Cluster, Effects, FRAME_BYTES_MAX, Frame, Start, Taken, VERSION};
pub use reader::{Reader, starts};
pub use recorder::Recorder;

#[doc(hidden)]
pub mod testing;
