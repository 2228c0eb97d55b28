//! The promises of Steadfast, G1 to G13, evaluated on any cluster.
//!
//! ```
//! use steadfast_guarantees::linearizability::{Access, Operation, Time, judge};
//! use steadfast_guarantees::{GuaranteeId, guarantees};
//! use steadfast_protocol::Settings;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Linearizable reads are promised where every leader meets every acknowledged write: E+W>N.
//! let linearizable = GuaranteeId::Linearizable.guarantee();
//! let (consistent, available) = (Settings::new(3, 2, 2)?, Settings::new(3, 1, 1)?); // N, E, W
//! assert!(linearizable.is_promised(consistent) && !linearizable.is_promised(available));
//! let promised = guarantees().iter().filter(|it| it.is_promised(consistent));
//! assert_eq!(promised.count(), guarantees().len());
//!
//! // The judge of G5 alone: the second read began when the first had returned, and goes back in time.
//! let operation = |access, invoked, returned| {
//!     Operation { access, invoked: Time(invoked), returned: Some(Time(returned)) }
//! };
//! let history = [
//!     operation(Access::Write("new"), 1, 6),
//!     operation(Access::Read(Some("new")), 2, 3),
//!     operation(Access::Read(None), 4, 5),
//! ];
//! assert!(judge(&history[..2]).is_ok());
//! assert!(judge(&history).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! A checker, a simulator or a supervisor of real nodes presents its cluster as a [`ClusterView`] and
//! keeps a [`History`] of it; the same code then shows which guarantee is broken. Each guarantee is a
//! file in `guarantee/`. [`witnesses`] lists the situations that a run must reach to mean anything, and
//! [`twins`] the protocols with one wrong decision that a guarantee must catch.

mod focus;
mod guarantee;
mod history;
mod index;
pub mod linearizability;
mod observation;
mod operation;
pub mod twins;
mod view;
pub mod witnesses;

pub use focus::Focus;
pub use guarantee::{
    AddError, Continuation, Guarantee, GuaranteeId, GuaranteeSet, OwnGuarantee, SupportedLeader,
    add_guarantees, broken_by_step, guarantees, holds, keeps, timeouts_needed,
};
pub use history::{Did, History};
pub use observation::Observation;
pub use operation::{Operation, OperationId, OperationKind, Status};
pub use view::{ClusterView, NodeView, shows_wrong_content};
