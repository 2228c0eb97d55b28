//! The promises of Steadfast, G1 to G13, evaluated on any cluster.
//!
//! A checker, a simulator or a supervisor of real nodes presents its cluster as a [`ClusterView`] and
//! keeps a [`History`] of it; the same code then tells which guarantee is broken. Each guarantee is a
//! file in `guarantee/`. [`witnesses`] lists the situations that a run must reach to mean anything, and
//! [`twins`] the protocols with one wrong decision that a guarantee must catch.

mod guarantee;
mod history;
pub mod linearizability;
mod observation;
pub mod twins;
mod view;
pub mod witnesses;

pub use guarantee::{
    AddError, Continuation, Guarantee, GuaranteeId, GuaranteeSet, OwnGuarantee, SupportedLeader,
    add_guarantees, broken_by_step, cyclic, guarantees, holds, timeouts_needed,
};
pub use history::{Did, History, Operation, OperationId, OperationKind, Status};
pub use observation::Observation;
pub use view::{ClusterView, NodeView, shows_wrong_content};
