//! A few replicas over a perfect network, driven by hand.

mod cluster;
mod discards;
mod elections;
mod flow;
mod forgets;
mod replacements;
mod requests;
mod stories;
mod ticks;
mod transfers;
mod trims;
mod votes;
