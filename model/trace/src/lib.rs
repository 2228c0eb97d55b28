//! The scope of a run ([`Scope`]), its steps ([`Trace`]), and the [`World`] around its nodes: the same
//! for checker, simulator and replay.
//!
//! ```
//! use steadfast_protocol::{NodeId, NodeSet, Settings};
//! use steadfast_trace::{Bounds, Cut, Scope, Step, Trace, TraceStep, World};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Three nodes, an election, and a cut around node 0.
//! let bounds = Bounds { elections: 1, partitions: 1, paths: 1, ..Bounds::default() };
//! let scope = Scope::new("a-cut", Settings::new(3, 2, 2)?, bounds);
//! let cut = Cut::Around { side: NodeSet::from_bits(0b001), one_way: false };
//! let steps = [Step::Timeout { node: NodeId(0) }, Step::Cut(cut)];
//! let steps = steps.map(|step| TraceStep { step, note: String::new() });
//!
//! // A trace is a file of JSON; reading checks its version and its bounds.
//! let trace = Trace::new(scope, None, Vec::new(), steps.to_vec());
//! let mut file = Vec::new();
//! trace.write(&mut file)?;
//! assert_eq!(Trace::parse(&file)?.steps.len(), 2);
//!
//! // The world knows the connections that are left.
//! let mut world = World::new(3, bounds);
//! world.cut = Some(cut);
//! world.refresh_links(NodeSet::from_bits(0b111));
//! assert!(world.session(NodeId(1), NodeId(2)).is_some());
//! assert!(world.session(NodeId(0), NodeId(1)).is_none());
//! # Ok(())
//! # }
//! ```

mod clients;
mod cut;
mod file;
mod scope;
mod scope_file;
mod step;
mod trace;
mod world;

pub use clients::Clients;
pub use cut::{Cut, Directions};
pub use file::ReadError;
pub use scope::{Bounds, BoundsError, NETWORKS, Names, Network, Scope, Start};
pub use scope_file::ScopeFile;
pub use step::{Step, StepKind, WriteKind};
pub use trace::{Trace, TraceStep};
pub use world::{Link, World};
