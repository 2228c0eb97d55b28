//! Exhaustive search of systems that are made of components.
//!
//! Two clients share a lock. The server serves the client that asks first. A wrong server forgets
//! that it gave the lock to one client when the other one asks.
//!
//! ```
//! use steadfast_search::{Look, Options, Place, Property, Rule, Search, Steps, System};
//!
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! enum Part {
//!     Server { serves: Option<u16> },
//!     Client(Client),
//! }
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
//! enum Client {
//!     Idle,
//!     Waits,
//!     Holds,
//! }
//!
//! struct LockService {
//!     forgets: bool,
//! }
//!
//! impl System for LockService {
//!     type Component = Part;
//!     type Change = Part; // here each change names the component that it leads to
//!     type Step = String;
//!     type Follow = ();
//!
//!     fn name(&self) -> String {
//!         "a lock service".into()
//!     }
//!
//!     fn initial_states(&self) -> Vec<Vec<Part>> {
//!         let idle = Part::Client(Client::Idle);
//!         vec![vec![Part::Server { serves: None }, idle.clone(), idle]]
//!     }
//!
//!     fn rules(&self) -> u16 {
//!         2 // one for each client
//!     }
//!
//!     fn steps(&self, Rule(rule): Rule, state: &Look<'_, Part>, steps: &mut Steps<Self>) {
//!         let (server, client) = (Place(0), Place(1 + rule));
//!         let Part::Client(does) = state[client] else { unreachable!() };
//!         match (does, &state[server]) {
//!             (Client::Idle, _) => {
//!                 let asked = steps.step(format!("{rule} asks"));
//!                 asked.change(client, Part::Client(Client::Waits));
//!                 if self.forgets {
//!                     asked.change(server, Part::Server { serves: None });
//!                 }
//!             }
//!             (Client::Waits, Part::Server { serves: None }) => {
//!                 let served = steps.step(format!("{rule} is served"));
//!                 served.change(client, Part::Client(Client::Holds));
//!                 served.change(server, Part::Server { serves: Some(rule) });
//!             }
//!             (Client::Holds, _) => {
//!                 let released = steps.step(format!("{rule} releases"));
//!                 released.change(client, Part::Client(Client::Idle));
//!                 released.change(server, Part::Server { serves: None });
//!             }
//!             _ => {}
//!         }
//!     }
//!
//!     fn changed(&self, _: &Part, change: &Part) -> Part {
//!         change.clone()
//!     }
//!
//!     fn properties(&self) -> Vec<Property> {
//!         vec![Property::always("one client holds the lock")]
//!     }
//!
//!     fn holds(&self, _: usize, state: &Look<'_, Part>) -> bool {
//!         let holds = |at| state[Place(at)] == Part::Client(Client::Holds);
//!         !(holds(1) && holds(2))
//!     }
//! }
//!
//! let right = Search::new(&LockService { forgets: false }, Options::default()).breadth_first();
//! assert!(right.is_as_expected());
//! assert_eq!((right.unique, right.depth), (8, 3));
//!
//! let wrong = Search::new(&LockService { forgets: true }, Options::default()).breadth_first();
//! let shortest = &wrong.violation().expect("both hold the lock").path;
//! assert_eq!(shortest.labels(), ["1 asks", "1 is served", "0 asks", "0 is served"]);
//! ```
//!
//! # How it works
//!
//! A state has a component in each place, and few different components make many states. So the
//! engine computes the behaviour of the system for some components once and remembers it. It keeps a
//! state as the numbers of its components, and a step as the numbers of its changes.
//!
//! - The user implements [`System`]. Its methods receive a [`Look`] at the state, which notes the
//!   components that a method looks at. The engine remembers an answer under exactly these
//!   components, so the key of an answer cannot lack anything that the method used.
//! - The fingerprint of a state is a sum over its places. A step changes it by differences, and it is
//!   looked up before the state is built.
//! - Components are compared by equality. Where unequal ones have the same hash, the engine gives them
//!   different fingerprints, and [`Report::hash_ties`] counts them.
//!
//! # Promises
//!
//! [`Search::breadth_first`] visits level after level, each to its end. Counts, depth, findings and
//! paths do not depend on the number of threads. Every path that it reports is the shortest, and is
//! found by walking from parent to parent and taking the steps again.
//!
//! An end other than [`Ended::Complete`] proves nothing: the search reached a limit on time, memory
//! or states. A complete search still depends on chance: [`Report::collision_chance`] is the probability that at least
//! two states were taken for one.
//!
//! The engine relies on the system being a function of what it looks at. So in every search the first
//! 256 states or so, and a sample of the others, are computed in full, twice, and compared. A system
//! that is not deterministic, whose equality and hash disagree, or that panics ends the search with a
//! [`Flaw`] and the run that led there. The sample may miss a flaw that only a few of many millions
//! of states show; [`Options::sample_every`] of 1 compares all.
//!
//! # Other searches
//!
//! [`Search::depth_first`], [`Search::walk`] and [`Search::settling`], which checks that chosen steps
//! always come to a good end. [`Search::breadth_first_saved`] and
//! [`Search::breadth_first_resumed`] keep an interrupted search in a file.
//! [`Search::breadth_first_shared`] shares a search among processes, which an implementation of
//! [`Peers`] connects. With the feature `stateright`, `Undivided` runs a model of that checker.

mod breadth;
mod checkpoint;
mod depth;
mod expand;
mod flaw;
mod frontier;
mod graph;
mod initial;
mod intern;
mod options;
mod peers;
mod plain;
mod print;
mod remembered;
mod replay;
mod report;
mod run;
mod sample;
mod search;
mod shared;
mod system;
mod tables;
#[cfg(feature = "stateright")]
mod undivided;
mod visited;
mod walk;
mod worker;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use flaw::{FOLLOWS_MAX, Flaw};
pub use graph::{Cycle, Settling};
pub use options::{DeadSteps, Observer, Options, Until, Width};
pub use peers::{Lost, Peers};
pub use plain::{Next, State, next_states, verdicts};
pub use report::{Ended, Finding, Flawed, Level, Path, Progress, Report};
pub use search::Search;
pub use system::{
    Effect, Expected, Look, Outcome, Part, Place, Portable, Property, Rule, Steps, System,
};
#[cfg(feature = "stateright")]
pub use undivided::{Eventually, Taken, Undivided};
pub use walk::Walk;
