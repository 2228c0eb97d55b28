//! The replication protocol of Steadfast as a pure state machine.
//!
//! A [`Replica`] handles one [`Input`] at a time and returns [`Effect`]s for its driver to perform.
//! It uses no clock, randomness, thread or I/O, so a model checker, a simulator and a server run the
//! same code. The trait [`Decisions`] lists every decision of the protocol.
//!
//! The protocol does not handle the bytes of large files. It knows them by their content ids, asks
//! the driver to store and fetch them ([`Effect::Store`], [`Effect::Fetch`]), and receives the
//! results as inputs ([`Input::Stored`], [`Input::Fetched`], [`Input::Unusable`], [`Input::Bad`]).
//!
//! # How to drive a replica
//!
//! The crate `steadfast-node` drives a replica for you: you give it a storage, and it returns the
//! messages and answers that leave the node. This section is the contract that a driver must keep. The
//! example drives two nodes whose disks sync at once; `examples/by_hand.rs` gives each input by hand:
//!
//! ```
//! use std::collections::VecDeque;
//! use steadfast_protocol::{
//!     Base, Content, Effect, Identity, Input, Intent, NodeId, Outcome, Parameters, Path, LogIndex,
//!     Counter, Incarnation, Record, Replica, RequestId, SessionId, Settings, Steadfast, WriteRequest,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new(2, 2, 2)?; // two nodes; E = W = 2, so both must vote and both must hold each write
//! let mut nodes = Vec::new();
//! for node in NodeId::all(2) {
//!     let identity = Identity { node, settings };
//!     let log = vec![Record::Identity(identity)]; // on disk before the node starts
//!     let (first, parameters) = (Incarnation(1), Parameters::default()); // another number at each start
//!     let replica = Replica::recover(identity, first, parameters, &log, [], &Steadfast)?;
//!     nodes.push((replica, log));
//! }
//!
//! let (n0, n1, session) = (NodeId(0), NodeId(1), SessionId(1));
//! let put = WriteRequest {
//!     request: RequestId { client: 1, number: 1 },
//!     path: Path::new("notes.txt"),
//!     intent: Intent::Put(Content::Inline(b"remember the milk".to_vec().into())),
//!     base: Base::Visible,
//!     seen: Counter::default(),
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
//!                     log.extend(records); // a real driver syncs its log before it reports that
//!                     inputs.push_back((node, Input::Synced(LogIndex(log.len() as u64))));
//!                 }
//!                 Effect::Send { to, packet } => {
//!                     inputs.push_back((to, Input::Receive { from: node, packet }));
//!                 }
//!                 Effect::Answer { request, outcome } => answers.push((request.number, outcome)),
//!                 Effect::ResetElectionTimer => {} // this driver has no clock
//!                 Effect::Checkpoint { .. } => unreachable!("this driver trims no log"),
//!                 Effect::Store { .. } | Effect::Fetch { .. } | Effect::Discard { .. } => {
//!                     unreachable!("contents are inline")
//!                 }
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
//! **Order.** The driver gives the replica one input at a time and performs all its effects, in the
//! order in which `step` returned them, before it gives the next input.
//!
//! **Durability.** A message or an answer may rest on records of the log. The replica holds it back
//! until [`Input::Synced`] covers these records, so the driver sends it as soon as it receives the
//! effect. In return the driver guarantees three things:
//!
//! - It reports `Synced(i)` only when all records up to index `i` would survive a crash, and the
//!   indexes that it reports never decrease. Records are counted from 1, in the order of the log; the
//!   first one is the identity.
//! - It reports `Stored` only when the content is durable and the hash of its bytes is its id.
//! - Before it passes a write to the node, it asks [`Replica::unverified`] for a content to verify, reads the copy of that
//!   content, and reports `Verified` or `Bad`. The node refuses a write whose content was neither uploaded nor verified for it.
//! - After a crash it passes to [`Replica::recover`] the records that survived: all synced ones, and a
//!   prefix of the others that ends before any torn record. It syncs that prefix first.
//!
//! | effect | the driver | then reports |
//! |---|---|---|
//! | [`Effect::Append`] | appends the records and syncs when convenient; one sync may cover many Appends | [`Input::Synced`] |
//! | [`Effect::Checkpoint`] | replaces the synced records by the checkpoint, in one step that a crash cannot split | [`Input::Checkpointed`] |
//! | [`Effect::Send`] | sends the message in its session, with the bytes of its payloads; drops the message if that session has ended | nothing |
//! | [`Effect::Answer`] | sends the outcome to the client | nothing |
//! | [`Effect::Store`] | turns the payload into a durable content and verifies its hash | [`Input::Stored`] or [`Input::Unusable`] |
//! | [`Effect::Fetch`] | looks for a good copy of a content for a peer, and verifies it now or as it sends it | [`Input::Fetched`] or [`Input::Bad`] |
//! | [`Effect::Discard`] | deletes the copy of the content, good or bad | nothing |
//! | [`Effect::ResetElectionTimer`] | restarts the election timer with a new random length | [`Input::ElectionTimeout`] when it runs out |
//!
//! **Sessions.** Both ends of a connection know its [`SessionId`], which is higher than the ids of all
//! earlier sessions between the two nodes. The driver of each end gives its replica
//! [`Input::LinkUp`] before the first message of the session and [`Input::LinkDown`] after its end.
//! Within a session each message arrives once and in order; on a network that does not ensure this,
//! the driver starts the node with [`Parameters::retransmits`].
//!
//! **Time.** The driver gives [`Input::Tick`] at a fixed interval while [`Replica::needs_ticks`]. It
//! runs an election timer of random length, several times that interval, gives
//! [`Input::ElectionTimeout`] when the timer runs out, and starts it again.
//!
//! **Trimming.** When the log is longer than the driver likes, it gives [`Input::Trim`]. The replica goes
//! on while the driver writes the checkpoint, and drops entries once it is durable. The driver gives no
//! second `Trim` before that. A peer that lacks dropped entries gets [`State`] instead of them.
//!
//! **Failures.** If the driver cannot write or sync the log, it gives [`Input::LogFailed`]. The replica
//! then halts: it takes no further part in the cluster, and [`Replica::halted`] returns the reason.

mod content_id;
mod decisions;
mod effect;
mod entry;
mod files;
mod fold;
mod halt;
mod ids;
mod inline_bytes;
mod input;
mod lineages;
mod log;
mod message;
mod parameters;
mod record;
mod replacement;
mod replica;
mod requests;
mod sealed;
mod settings;
mod state;
mod version_vector;
mod write_digest;
mod writing;

pub use content_id::ContentId;
pub use decisions::{Decisions, Steadfast};
pub use effect::{Effect, Outcome, Refusal};
pub use entry::{Change, Content, Entry, EntryBody, Stamp};
pub use files::Files;
pub use fold::Fold;
pub use halt::Halt;
pub use ids::{
    Counter, Dot, Epoch, Incarnation, LogIndex, NodeId, NodeSet, PATH_BYTES_MAX, Path, PathError,
    RequestId, Round, Sequence, SessionId, Tag,
};
pub use input::{Base, Consistency, Input, Intent, ReadRequest, WriteRequest};
pub use lineages::{Digest, Lineages};
pub use log::Log;
pub use message::{
    Ack, Append, ContentReply, Gone, Message, Need, Packet, Payload, PreVote, Reject,
    SealedMessage, Vote, VoteRequest,
};
pub use parameters::{Limits, Parameters};
pub use record::{Checkpoint, Identity, Record, RecoverError, first_index, last_index};
pub use replacement::{ReplacementError, replacement};
pub use replica::{
    Ballot, Flow, Following, Held, Leadership, PendingRead, PendingWrite, Progress, Replica, Role,
    Waiting, Want,
};
pub use requests::{REMEMBERED, REQUESTS_PER_CLIENT, Requests, Written};
pub use sealed::Sealed;
pub use settings::{NODES_MAX, Settings, SettingsError};
pub use state::{Place, Staging, State, StateError, Transfer};
pub use version_vector::VersionVector;
pub use write_digest::WriteDigest;
pub use writing::Writing;
