//! The stateright actor model of a Steadfast cluster.
//!
//! The replicas run as stateright [`Actor`](stateright::actor::Actor)s in an
//! [`ActorModel`](stateright::actor::ActorModel). [`ClusterModel`] wraps that with the world around
//! them: connections with sessions, cuts, disks that lose their unsynced tail, rot, and clients,
//! each within the bounds of a [`Scope`](steadfast_trace::Scope).

mod actions;
mod actor;
mod components;
mod continuation;
mod disk;
mod model;
mod parts;
mod picture;
mod replay;
mod scopes;
mod state;
mod steps;
mod text;

pub use actions::Action;
pub use actor::{ActorNode, Event, ReplicaActor};
pub use components::{Change, ClusterComponents, Component, Follow};
pub use disk::Disk;
pub use model::ClusterModel;
pub use picture::{STEPS_TOLD_MAX, Told, tell};
pub use replay::{IllegalStep, Replay, record, replay, script};
pub use scopes::{SHIPPED, Shipped, Tier, shipped};
pub use state::{ClusterState, View};
