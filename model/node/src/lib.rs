//! A replica in its surroundings, written once.
//!
//! ```
//! use steadfast_node::{ContentCopy, Node, NodeStorage, Output};
//! use steadfast_protocol::{
//!     Base, Checkpoint, Content, ContentId, Counter, Identity, Incarnation, Input, Intent, LogIndex, NodeId,
//!     Outcome, Parameters, Path, Payload, Record, RequestId, Sealed, Settings, Steadfast, WriteRequest,
//! };
//!
//! /// A log in memory, for a node without contents beside its log. A crash would take all of it.
//! struct Memory(Vec<Record>);
//!
//! impl NodeStorage for Memory {
//!     fn records(&self) -> &[Record] { &self.0 }
//!     fn synced(&self) -> LogIndex { LogIndex(self.0.len() as u64) }
//!     fn append(&mut self, records: Vec<Record>) { self.0.extend(records) }
//!     fn checkpoint(&mut self, _: Sealed<Checkpoint>) {}
//!     fn is_checkpointing(&self) -> bool { false }
//!     fn copy(&self, _: ContentId) -> ContentCopy { ContentCopy::Missing }
//!     fn contents(&self) -> impl Iterator<Item = ContentId> { std::iter::empty() }
//!     fn store(&mut self, _: Payload, _: NodeId) {}
//!     fn discard(&mut self, _: ContentId) {}
//!     fn is_storing(&self) -> bool { false }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity { node: NodeId(0), settings: Settings::new(1, 1, 1)? };
//! let storage = Memory(vec![Record::Identity(identity)]);
//! let mut node = Node::new(identity, Parameters::default(), storage);
//! node.start(Incarnation(1), &Steadfast)?;
//!
//! let write = WriteRequest {
//!     request: RequestId { client: 1, number: 1 },
//!     path: Path::new("notes.txt"),
//!     intent: Intent::Put(Content::Inline(b"remember the milk".as_slice().into())),
//!     base: Base::Visible,
//!     seen: Counter::default(),
//! };
//! let mut outputs = Vec::new();
//! for input in [Input::ElectionTimeout, Input::Write(write)] {
//!     node.hear(input, &Steadfast, &mut outputs);
//!     // This storage syncs at once, and the driver reports it.
//!     node.hear(Input::Synced(node.storage().synced()), &Steadfast, &mut outputs);
//! }
//! assert!(matches!(
//!     outputs.last(),
//!     Some(Output::Answer { outcome: Outcome::Acknowledged { .. }, .. })
//! ));
//! # Ok(())
//! # }
//! ```
//!
//! A [`Node`] owns a [`Replica`](steadfast_protocol::Replica) and its [`NodeStorage`]. It passes an input to
//! the replica, performs the effects on the storage in the order in which the replica returned them,
//! passes the inputs that follow at once to the replica as well, and returns the messages and answers
//! that leave the node as [`Output`]. The model checker and the simulator drive this type, and so will a
//! server; none of them performs an effect itself.
//!
//! [`Cluster`] holds the rules of the surroundings that concern several nodes: which messages a session
//! carries, which link events are outstanding, when nothing is left to happen, and which copies of
//! contents may go bad or are found bad.
//!
//! Invariant: this crate knows no thread, file, clock or model checker.

mod cluster;
mod node;
mod storage;

pub use cluster::{Cluster, LinkEvent};
pub use node::{Node, Output, Watched};
pub use storage::{ContentCopy, NodeStorage, garbled, put_checkpoint, stored_or_unusable};
