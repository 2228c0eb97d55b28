//! The replication protocol of Steadfast as a pure state machine.
//!
//! A [`Replica`] takes one [`Input`] at a time and returns [`Effect`]s for its driver to perform.
//! It asks for no clock, randomness, thread or I/O, so a model checker, a simulator and a server
//! drive the very same code. Whatever the protocol *decides* is gathered in [`Decisions`].
//!
//! The protocol never sees file bytes: it knows content ids, asks with [`Effect::Store`] and
//! [`Effect::Fetch`], and hears [`Input::Stored`] and [`Input::Bad`].
//!
//! # How to drive a replica
//!
//! `steadfast-node` drives a replica for you: it needs a storage and hands out messages and answers.
//! This is the contract that it keeps, here between two nodes whose disks sync at once:
//!
//! ```
//! use std::collections::VecDeque;
//! use steadfast_protocol::{
//!     Base, Content, Effect, Identity, Input, Intent, NodeId, Outcome, Parameters, Path, LogIndex,
//!     Record, Replica, RequestId, SessionId, Settings, Steadfast, WriteRequest,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new(2, 2, 2)?; // two nodes, both vote, both hold each write
//! let mut nodes = Vec::new();
//! for node in NodeId::all(2) {
//!     let identity = Identity { node, settings };
//!     let log = vec![Record::Identity(identity)]; // on disk before the node starts
//!     let replica = Replica::recover(identity, Parameters::default(), &log, [], &Steadfast)?;
//!     nodes.push((replica, log));
//! }
//!
//! let (n0, n1, session) = (NodeId(0), NodeId(1), SessionId(1));
//! let put = WriteRequest {
//!     request: RequestId { client: 1, number: 1 },
//!     path: Path::new("notes.txt"),
//!     intent: Intent::Put(Content::Inline(b"remember the milk".to_vec().into())),
//!     base: Base::Visible,
//! };
//! let mut answers = Vec::new();
//! let events = [
//!     (n0, Input::LinkUp { peer: n1, session }),
//!     (n1, Input::LinkUp { peer: n0, session }),
//!     (n0, Input::ElectionTimeout),
//!     (n0, Input::Write(put)),
//! ];
//! for event in events {
//!     let mut inputs = VecDeque::from([event]);
//!     while let Some((node, input)) = inputs.pop_front() {
//!         let (replica, log) = &mut nodes[node.index()];
//!         let mut effects = Vec::new();
//!         replica.step(&Steadfast, input, &mut effects);
//!         for effect in effects {
//!             match effect {
//!                 Effect::Append { records } => {
//!                     log.extend(records); // a real log is synced before it says so
//!                     inputs.push_back((node, Input::Synced(LogIndex(log.len() as u64))));
//!                 }
//!                 Effect::Send { to, packet } => {
//!                     inputs.push_back((to, Input::Receive { from: node, packet }));
//!                 }
//!                 Effect::Answer { request, outcome } => answers.push((request.number, outcome)),
//!                 Effect::ResetElectionTimer => {} // this driver has no clock
//!                 Effect::Store { .. } | Effect::Fetch { .. } => unreachable!("contents are inline"),
//!             }
//!         }
//!     }
//! }
//!
//! assert!(matches!(answers[..], [(1, Outcome::Acknowledged { .. })]));
//! let shown = |node: NodeId| nodes[node.index()].0.files().visible(&Path::new("notes.txt"));
//! assert_eq!(shown(n0), shown(n1));
//! # Ok(())
//! # }
//! ```
//!
//! **Order.** One input at a time; its effects are performed in the order in which they were
//! returned, before the next input.
//!
//! **What is durable before what.** The replica holds back every message and answer that a record
//! explains until [`Input::Synced`] covers the record. So the driver may send at once what it is
//! told to send, and owes three things:
//!
//! - `Synced(p)` is said only when all records up to `p` would survive a crash, and the positions
//!   never fall. Records are counted from 1, in the order of the log; the first is the identity.
//! - `Stored` is said only when the content is durable and its bytes are those that its name says.
//! - After a crash the driver hands [`Replica::recover`] the records that survived: all synced ones,
//!   and of the others a prefix without a torn record. It syncs that prefix first.
//!
//! | effect | the driver | then says |
//! |---|---|---|
//! | [`Effect::Append`] | appends the records and syncs when convenient; one sync may cover many Appends | [`Input::Synced`] |
//! | [`Effect::Send`] | sends the message in its session, with the bytes of its payloads; drops it if that session is over | nothing |
//! | [`Effect::Answer`] | tells the client | nothing |
//! | [`Effect::Store`] | makes the payload a durable content and verifies it | [`Input::Stored`] or [`Input::Unusable`] |
//! | [`Effect::Fetch`] | reads a content and verifies it | [`Input::Fetched`] or [`Input::Bad`] |
//! | [`Effect::ResetElectionTimer`] | restarts the election timer with a new random length | [`Input::ElectionTimeout`] when it runs out |
//!
//! **Sessions.** A connection gets a [`SessionId`] that both ends know, higher than all before it
//! between the two. Each end hears [`Input::LinkUp`] before the first message of the session and
//! [`Input::LinkDown`] after its end. Within a session messages arrive once and in order, or the
//! node is started with [`Parameters::retransmits`].
//!
//! **Time.** [`Input::Tick`] is due at a fixed interval while [`Replica::needs_ticks`]. The election
//! timer is several times as long, random, and armed again whenever it has run out.
//!
//! **Failures.** If the log can be neither written nor synced, the driver says [`Input::LogFailed`]
//! and the node takes no further part; [`Replica::halted`] says why.

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
    ContentId, Counter, Dot, Epoch, LogIndex, NodeId, NodeSet, Path, RequestId, Round, Sequence,
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
