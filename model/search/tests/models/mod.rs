//! Models that several tests use.

#[path = "../../examples/two_phase_commit.rs"]
pub(crate) mod two_phase_commit;

pub(crate) mod gossip;
pub(crate) mod mesh;
pub(crate) mod stock_two_phase_commit;
pub(crate) mod table;
