//! The scope of a run ([`Scope`]), its steps ([`Trace`]), and the [`World`] around its nodes: the same
//! for checker, simulator and replay.

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
