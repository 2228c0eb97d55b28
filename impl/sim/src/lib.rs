//! A deterministic simulator of a Steadfast cluster: what it simulates are the network, the disks and the clocks.
//! The nodes are real: their store runs on disks in memory, and whatever they say to each other crosses the
//! network as bytes.
//!
//! ```
//! use std::time::Duration;
//! use steadfast_guarantees::Status;
//! use steadfast_protocol::Settings;
//! use steadfast_sim::{Setup, Simulation};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut cluster = Simulation::new(Setup::new(Settings::new(3, 2, 2)?, 7)); // N, E, W; the seed
//! cluster.settle()?;
//! let leader = cluster.leader().expect("a settled cluster is led");
//! let write = cluster.put(leader, "notes.txt", b"remember the milk");
//! cluster.run_for(Duration::from_millis(50));
//! assert_eq!(cluster.status(write), Some(Status::Done));
//!
//! cluster.crash(leader);
//! cluster.run_for(Duration::from_secs(1));
//! let next = cluster.leader().expect("the others elect one of them");
//! assert_eq!(cluster.shown(next, "notes.txt"), Some(&b"remember the milk"[..]));
//! assert!(cluster.broken().is_empty(), "every guarantee was judged at every step");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/scenario.rs` has a longer one: a cut, a write on each side, and the heal.
//!
//! It drives the very same [`Replica`](steadfast_protocol::Replica) that the model checker searches
//! and that a server would run. Each run is a list of steps that the model can follow, and is
//! judged by the same guarantees at every step.

mod agenda;
mod channels;
mod clients;
mod contents;
mod drive;
mod exchange;
mod handshake;
mod happening;
mod judge;
mod ledger;
mod moment;
mod narrator;
mod network;
mod nodes;
mod plan;
mod random;
mod recorder;
mod report;
pub mod scenario;
mod schedule;
mod setup;
mod simulation;
mod steps;
mod storage;
mod swarm;
mod time;
mod timeline;
mod transfers;
mod words;

pub use contents::{Bytes, Memory};
pub use judge::View;
pub use ledger::Ledger;
pub use plan::Plan;
pub use random::Random;
pub use report::{FileReport, Report};
pub use schedule::{Outcome, RunFailure, Schedule};
pub use setup::Setup;
pub use simulation::{Observer, Simulation, Unsettled};
pub use storage::Footprint;
pub use time::Time;
pub use timeline::{Line, Timeline};
