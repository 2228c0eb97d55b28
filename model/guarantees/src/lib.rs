//! The promises of Steadfast, G1 to G13, evaluated on any cluster.
//!
//! A checker, a simulator or a supervisor of real nodes shows its cluster as a [`ClusterView`]
//! and keeps a [`History`] beside it; the same code then says which promise is broken. Each
//! guarantee is a file in `guarantee/`, each witness (an interesting thing that must have been
//! reached) stands in [`witnesses`], and each twin (a protocol with one wrong decision that a
//! guarantee must catch) in [`twins`].

mod guarantee;
mod history;
pub mod linearizability;
mod observation;
pub mod twins;
mod view;
pub mod witnesses;

pub use guarantee::{
    Continuation, GUARANTEES, Guarantee, GuaranteeId, GuaranteeSet, broken_by_step, cyclic, holds,
    timeouts_needed,
};
pub use history::{Did, History, Operation, OperationId, OperationKind, Status};
pub use observation::Observation;
pub use view::{ClusterView, NodeView, shows_wrong_content};
