//! What was asked of a run ([`Scope`]) and what happened in it ([`Trace`]): one format for the
//! checker, the simulator and whoever replays.

mod file;
mod scope;
mod step;

pub use file::{ReadError, Trace, TraceStep};
pub use scope::{Bounds, BoundsError, NETWORKS, Network, Scope, Start};
pub use step::{Step, WriteKind};
