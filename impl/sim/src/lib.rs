//! A deterministic simulator of a Steadfast cluster: virtual time, a network with latency, cuts and
//! healing, and disks that hold real log bytes and real contents.
//!
//! It drives the very same [`Replica`](steadfast_protocol::Replica) that the model checker searches
//! and that a server would run. Each run is a list of steps that the model can follow, and is
//! judged by the same guarantees at every step.

mod agenda;
mod channels;
mod clients;
mod contents;
mod drive;
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
mod sizes;
mod steps;
mod storage;
mod swarm;
mod time;
mod timeline;
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
pub use time::Time;
pub use timeline::{Line, Timeline};
