//! What was asked of a run ([`Scope`]), what happened in it ([`Trace`]), and the [`World`] around
//! the nodes that it happened in: the same for the checker, the simulator and whoever replays.

mod cut;
mod file;
mod scope;
mod step;
mod world;

pub use cut::{Cut, Directions};
pub use file::{ReadError, Trace, TraceStep};
pub use scope::{Bounds, BoundsError, NETWORKS, Names, Network, Scope, Start};
pub use step::{Step, StepKind, WriteKind};
pub use world::{Link, World};
