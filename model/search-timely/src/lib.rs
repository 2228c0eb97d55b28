//! Processes that share a search, on one machine or many, connected by timely dataflow.
//!
//! [`join`] connects the processes, compares their identities, and returns the [`Peers`] with which
//! [`Search::breadth_first_shared`](steadfast_search::Search::breadth_first_shared) searches. A round
//! is a time of a dataflow: each process sends its messages at that time, and the round ends when the
//! frontier has passed it, which means that everything that any process sent in it has arrived. (Murray
//! and others, "Naiad: A Timely Dataflow System", SOSP 2013, section 2.3.)
//!
//! # Who may connect
//!
//! Connections are neither authenticated nor encrypted. Whoever reaches the ports can take part in a
//! search and spoil its result, so these belong on a private network. The identities that processes
//! compare protect against mistakes, not against attackers.
//!
//! # When a process is lost
//!
//! There is no recovery: the others notice within seconds and end the search as incomplete. The end
//! of a process closes its connections; a machine that is gone no longer answers the probes of TCP,
//! which are sent every few seconds.

mod hosts;
mod join;
mod link;
mod piece;
mod rounds;

pub use hosts::{HostsError, PROCESSES_MAX, hosts};
pub use join::{Join, JoinError, join};
pub use rounds::Rounds;
pub use steadfast_search::Peers;
