//! The replication protocol of Steadfast as a pure state machine.
//!
//! A [`Replica`] takes one [`Input`] at a time and returns [`Effect`]s for its driver to perform.
//! It asks for no clock, randomness, thread or I/O, so a model checker, a simulator and a server
//! drive the very same code. Whatever the protocol *decides* is gathered in [`Decisions`].
//!
//! The protocol never sees file bytes: it knows content ids, asks with [`Effect::Store`] and
//! [`Effect::Fetch`], and hears [`Input::Stored`] and [`Input::Bad`].

mod decisions;
mod digest;
mod effect;
mod entry;
mod files;
mod halt;
mod ids;
mod input;
mod log;
mod message;
mod parameters;
mod record;
mod replica;
mod sealed;
mod settings;
mod version_vector;

pub use decisions::{Decisions, Steadfast, Writing};
pub use digest::Digest;
pub use effect::{Effect, Outcome, Refusal};
pub use entry::{Change, Content, Entry, EntryBody, Stamp};
pub use files::Files;
pub use halt::Halt;
pub use ids::{
    ContentId, Counter, Dot, Epoch, NodeId, NodeSet, Path, Position, RequestId, Round, Sequence,
    SessionId, Tag,
};
pub use input::{Base, Consistency, Input, Intent, ReadRequest, WriteRequest};
pub use log::Log;
pub use message::{
    Ack, Append, ContentReply, Message, Need, Packet, Payload, PreVote, Reject, SealedMessage,
    Vote, VoteRequest,
};
pub use parameters::{Limits, Parameters};
pub use record::{Identity, Record, RecoverError};
pub use replica::{
    Ballot, Flow, Following, Held, Leadership, PendingRead, PendingWrite, Progress, Replica, Role,
    Waiting, Want,
};
pub use sealed::Sealed;
pub use settings::{NODES_MAX, Settings, SettingsError};
pub use version_vector::VersionVector;
