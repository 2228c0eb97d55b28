//! A few replicas over a perfect network, driven by hand.

mod cluster;
mod elections;
mod flow;
mod requests;
mod stories;
mod trims;
