//! The scope of a run ([`Scope`]), its steps ([`Trace`]), and the [`World`] around its nodes: the same
//! for checker, simulator and replay.

mod cut;
mod file;
mod scope;
mod scope_file;
mod step;
mod trace;
mod world;

pub use cut::{Cut, Directions};
pub use file::ReadError;
pub use scope::{Bounds, BoundsError, NETWORKS, Names, Network, Scope, Start};
pub use scope_file::ScopeFile;
pub use step::{Step, StepKind, WriteKind};
pub use trace::{Trace, TraceStep};
pub use world::{Link, World};
