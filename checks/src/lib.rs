//! The program `check` as a library: it searches every reachable state of the Steadfast protocol within
//! named bounds, and runs seeds in the simulator. A program of one's own has every subcommand over
//! variants, twins and scopes of one's own:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use steadfast_guarantees::twins::Variant;
//! use steadfast_protocol::{Decisions, NodeId, Entry};
//!
//! struct SendsOwnEntriesOnly;
//!
//! impl Decisions for SendsOwnEntriesOnly {
//!     fn forwards(&self, entry: &Entry, leader: NodeId) -> bool {
//!         entry.dot.origin == leader
//!     }
//! }
//!
//! static MINE: Variant = Variant {
//!     name: "own-entries-only",
//!     about: "a leader sends its followers only the entries that it wrote itself",
//!     decisions: &SendsOwnEntriesOnly,
//! };
//!
//! fn main() -> ExitCode {
//!     steadfast_checks::check().variant(&MINE).run()
//! }
//! ```
//!
//! `cargo run --bin my-check -- run available --variant own-entries-only` then searches the scope
//! `available` for what the variant breaks.

mod catalog;
mod child;
mod cluster;
mod colour;
pub mod conform;
mod crash_states;
mod explore;
mod failure;
mod fold;
mod in_order;
mod job;
mod json;
mod list;
mod matrix;
mod options;
mod oracle;
mod processes;
mod program;
mod program_name;
mod read_files;
mod replay;
mod report;
mod search;
mod seeds;
mod settling;
mod show;
mod shrink;
mod status_line;
mod suite;
mod summary;
mod trace_to_test;
mod traces;
mod twins;
mod usage;
mod verdict;

pub use program::{Check, check};

/// The examples in README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
