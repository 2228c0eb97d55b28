//! One node.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use steadfast_protocol::{
    ContentId, Decisions, Dot, Effect, Identity, Incarnation, Input, NodeId, Outcome, Packet,
    Parameters, Payload, Record, RecoverError, Replica, RequestId, Sealed, WriteRequest,
    last_index,
};

use crate::{ContentCopy, NodeStorage};

/// A message, an answer or a timer event that leaves a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A message to a peer. The node has removed the payloads that it could not read.
    Send {
        /// The peer.
        to: NodeId,
        /// The message in its session.
        packet: Packet,
    },
    /// The driver must restart the election timer.
    ResetElectionTimer,
    /// An answer to a client.
    Answer {
        /// The client's request.
        request: RequestId,
        /// The outcome.
        outcome: Outcome,
    },
}

/// A moment within [`Node::hear_watched`].
#[derive(Clone, Copy, Debug)]
pub enum Watched<'a> {
    /// The replica is about to take this input.
    Input(&'a Input),
    /// The replica has returned this effect, which is about to be performed.
    Effect(&'a Effect),
}

/// A replica and its storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node<S> {
    identity: Identity,
    parameters: Parameters,
    /// `None` while the node is down.
    replica: Option<Replica>,
    storage: S,
}

impl<S: NodeStorage> Node<S> {
    /// A node that is down, with its storage.
    #[must_use]
    pub fn new(identity: Identity, parameters: Parameters, storage: S) -> Node<S> {
        Node { identity, parameters, replica: None, storage }
    }

    /// The node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.identity.node
    }

    /// The node's id and the cluster's settings.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The state machine; `None` while the node is down.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// Whether the node is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.replica.is_some()
    }

    /// The storage.
    #[must_use]
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// The storage, for the surroundings to change: a sync ends, a content arrives or rots, a crash takes
    /// unsynced records.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Starts the node from its storage, as a follower without sessions. No other start of the node has the same
    /// `incarnation`, whatever its log lost in between.
    ///
    /// # Errors
    /// The log belongs to another node or cluster, or no node could have written it. The node stays down.
    pub fn start(
        &mut self,
        incarnation: Incarnation,
        decisions: &dyn Decisions,
    ) -> Result<(), RecoverError> {
        let (records, contents) = (self.storage.records(), self.storage.contents());
        let (identity, parameters) = (self.identity, self.parameters);
        let recovered =
            Replica::recover(identity, incarnation, parameters, records, contents, decisions)?;
        self.replica = Some(recovered);
        Ok(())
    }

    /// Stops the node and drops its memory. If it crashed, the surroundings decide what the crash takes
    /// from the storage.
    pub fn stop(&mut self) {
        self.replica = None;
    }

    /// Passes an input to the replica and performs the effects, and does the same with the inputs that
    /// follow at once. Appends to `outputs` in the order in which they must leave. A node that is down
    /// ignores the input.
    pub fn hear(&mut self, input: Input, decisions: &dyn Decisions, outputs: &mut Vec<Output>) {
        self.hear_watched(input, decisions, outputs, |_| ());
    }

    /// As [`Node::hear`], and shows `watch` each input before the replica takes it, the inputs that follow at
    /// once included, and behind each input its effects in order, each before it is performed.
    pub fn hear_watched(
        &mut self,
        input: Input,
        decisions: &dyn Decisions,
        outputs: &mut Vec<Output>,
        mut watch: impl FnMut(Watched<'_>),
    ) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let storage = &mut self.storage;
        let mut inputs = VecDeque::new();
        let mut effects = Vec::new();
        let mut next = Some(input);
        while let Some(input) = next {
            watch(Watched::Input(&input));
            replica.step(decisions, input, &mut effects);
            for effect in effects.drain(..) {
                watch(Watched::Effect(&effect));
                perform(effect, storage, decisions, &mut inputs, outputs);
            }
            next = inputs.pop_front();
        }
    }

    /// The state of the copy that this node serves to clients and peers that ask for a content.
    #[must_use]
    pub fn served(&self, content: ContentId, decisions: &dyn Decisions) -> ContentCopy {
        served(&self.storage, content, decisions)
    }

    /// The input to give to the node before a write, if the entry of the write would name a content without an upload. For
    /// storages whose [`copy`](NodeStorage::copy) verifies the bytes at each call.
    #[must_use]
    pub fn verified_for(&self, write: &WriteRequest, decisions: &dyn Decisions) -> Option<Input> {
        let content = self.replica.as_ref()?.unverified(write, decisions)?;
        Some(match self.storage.copy(content) {
            ContentCopy::Exact => Input::Verified { content },
            ContentCopy::Wrong if decisions.trusts_unverified_content() => {
                Input::Verified { content }
            }
            ContentCopy::Wrong | ContentCopy::Missing => Input::Bad { content },
        })
    }

    /// The contents whose copies are bad although the replica believes them good. A scrub finds them.
    pub fn undetected_rot(&self, decisions: &dyn Decisions) -> impl Iterator<Item = ContentId> {
        let is_found = !decisions.trusts_unverified_content();
        let replica = self.replica.as_ref().filter(|_| is_found);
        replica.into_iter().flat_map(|replica| {
            self.storage.wrong_contents().filter(|content| replica.has_content(*content))
        })
    }

    /// The content of this node that probably resembles that of a received payload: the payload's base, or the
    /// version that this node shows at the path for which a waiting message brings the content.
    #[must_use]
    pub fn probable_base(&self, payload: Payload) -> Option<ContentId> {
        let replica = self.replica.as_ref()?;
        let older = || {
            let mut entries = replica.waiting().iter().flat_map(|it| it.message.entries());
            let path = &entries.find(|it| it.change.named() == Some(payload.content))?.path;
            let mut heads = replica.log().fold().files().heads(path).iter();
            heads.find_map(|it| it.change.named().filter(|it| replica.has_content(*it)))
        };
        payload.base.or_else(older)
    }

    /// Whether the node has a good copy of a content and has synced an entry that names it.
    #[must_use]
    pub fn vouches_for(&self, content: ContentId) -> bool {
        self.storage.copy(content) == ContentCopy::Exact && self.names(content)
    }

    /// Whether the node has synced an entry that names a content.
    #[must_use]
    pub fn names(&self, content: ContentId) -> bool {
        self.named().any(|it| it == content)
    }

    /// The entries that name a content, synced or not.
    pub fn naming(&self, content: ContentId) -> impl Iterator<Item = Dot> {
        naming(self.storage.records(), content)
    }

    /// The synced entries that name a content.
    pub fn synced_naming(&self, content: ContentId) -> impl Iterator<Item = Dot> {
        naming(synced_records(&self.storage), content)
    }

    /// The contents that the synced entries name.
    pub fn named(&self) -> impl Iterator<Item = ContentId> {
        let entries = synced_records(&self.storage).iter().flat_map(Record::entries);
        entries.filter_map(|it| it.change.named())
    }
}

fn naming(records: &[Record], content: ContentId) -> impl Iterator<Item = Dot> {
    let entries = records.iter().flat_map(Record::entries);
    entries.filter(move |it| it.change.named() == Some(content)).map(|it| it.dot)
}

/// The records that a crash cannot take back.
fn synced_records(storage: &impl NodeStorage) -> &[Record] {
    let records = storage.records();
    let unsynced = last_index(records).0.saturating_sub(storage.synced().0);
    let unsynced = usize::try_from(unsynced).unwrap_or(usize::MAX);
    &records[..records.len().saturating_sub(unsynced)]
}

fn perform(
    effect: Effect,
    storage: &mut impl NodeStorage,
    decisions: &dyn Decisions,
    inputs: &mut VecDeque<Input>,
    outputs: &mut Vec<Output>,
) {
    match effect {
        Effect::Append { records } => storage.append(records),
        Effect::Checkpoint { checkpoint } => storage.checkpoint(checkpoint),
        Effect::Send { to, packet } => {
            let packet = with_readable_payloads(packet, storage, decisions, inputs);
            outputs.push(Output::Send { to, packet });
        }
        Effect::ResetElectionTimer => outputs.push(Output::ResetElectionTimer),
        Effect::Answer { request, outcome } => outputs.push(Output::Answer { request, outcome }),
        Effect::Store { payload, from } => storage.store(payload, from),
        Effect::Discard { content } => storage.discard(content),
        Effect::Fetch { content } => inputs.push_back(match served(storage, content, decisions) {
            ContentCopy::Exact | ContentCopy::Wrong => Input::Fetched { content },
            ContentCopy::Missing => Input::Bad { content },
        }),
    }
}

/// The state of the copy that a reader gets, peer or client: none rather than a bad one.
// Ensures: G10, because the node verifies the hash of a content at every read.
fn served(
    storage: &impl NodeStorage,
    content: ContentId,
    decisions: &dyn Decisions,
) -> ContentCopy {
    match storage.copy(content) {
        ContentCopy::Wrong
            if decisions.serves_bad_copies() || decisions.trusts_unverified_content() =>
        {
            ContentCopy::Wrong
        }
        ContentCopy::Wrong | ContentCopy::Missing => ContentCopy::Missing,
        ContentCopy::Exact => ContentCopy::Exact,
    }
}

/// Leaves out the payloads without a good copy on this node, and queues an input for each.
fn with_readable_payloads(
    packet: Packet,
    storage: &impl NodeStorage,
    decisions: &dyn Decisions,
    inputs: &mut VecDeque<Input>,
) -> Packet {
    let payloads = packet.message.payloads().iter().map(|it| it.content);
    let is_bad = |it: &ContentId| served(storage, *it, decisions) == ContentCopy::Missing;
    let bad: Vec<ContentId> = payloads.filter(is_bad).collect();
    if bad.is_empty() {
        return packet;
    }
    let mut message = (*packet.message).clone();
    for content in bad {
        message = message.without_payload(content);
        inputs.push_back(Input::Bad { content });
    }
    Packet { message: Sealed::new(message), ..packet }
}
