//! A few replicas, driven by hand over a perfect network.

use std::collections::{BTreeSet, VecDeque};

use steadfast_node::{ContentCopy, Node, NodeStorage, Output, put_checkpoint};
use steadfast_protocol::{
    Base, Checkpoint, Consistency, Content, ContentId, Counter, Entry, Identity, Incarnation,
    Input, Intent, LogIndex, Message, NodeId, NodeSet, Outcome, Parameters, Path, Payload,
    ReadRequest, Record, RecoverError, Replica, RequestId, Sealed, SessionId, Settings, Steadfast,
    WriteRequest, last_index,
};

/// Storage in memory. Every received payload becomes a good content.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) records: Vec<Record>,
    pub(crate) synced: usize,
    /// Whether a checkpoint was written, and the node does not know it yet.
    has_checkpoint: bool,
    pub(crate) received: VecDeque<ContentId>,
    pub(crate) contents: BTreeSet<ContentId>,
}

impl NodeStorage for Memory {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn synced(&self) -> LogIndex {
        LogIndex(self.synced as u64)
    }

    fn append(&mut self, records: Vec<Record>) {
        self.records.extend(records);
    }

    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        put_checkpoint(&mut self.records, checkpoint);
        self.has_checkpoint = true;
    }

    fn is_checkpointing(&self) -> bool {
        self.has_checkpoint
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        match self.contents.contains(&content) {
            true => ContentCopy::Exact,
            false => ContentCopy::Missing,
        }
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.iter().copied()
    }

    fn store(&mut self, payload: Payload, _: NodeId) {
        self.received.push_back(payload.content);
    }

    fn discard(&mut self, content: ContentId) {
        self.contents.remove(&content);
    }

    fn is_storing(&self) -> bool {
        !self.received.is_empty()
    }
}

/// The node with this log, at a start of its own.
pub(crate) fn recover(identity: Identity, records: &[Record]) -> Result<Replica, RecoverError> {
    Replica::recover(identity, Incarnation(9), Parameters::default(), records, [], &Steadfast)
}

pub(crate) struct Cluster {
    /// How many incarnations there were of any node.
    starts: u64,
    pub(crate) nodes: Vec<Node<Memory>>,
    inputs: VecDeque<(NodeId, Input)>,
    pub(crate) answers: Vec<(RequestId, Outcome)>,
    /// All messages sent so far: sender, receiver, message.
    pub(crate) sent: Vec<(NodeId, NodeId, Message)>,
    /// How often each node restarted its election timer.
    pub(crate) timer_resets: Vec<u32>,
    /// The nodes for which messages are lost on the way.
    pub(crate) loses_to: NodeSet,
    /// Whether storages sync appended records at once.
    pub(crate) syncs: bool,
    /// Whether storages store received payloads at once.
    pub(crate) stores: bool,
    session: SessionId,
}

impl Cluster {
    /// A cluster with the parameters that nodes have by default.
    pub(crate) fn new(nodes: u8, elect: u8, write: u8) -> Cluster {
        Cluster::with(nodes, elect, write, Parameters::default())
    }

    pub(crate) fn with(nodes: u8, elect: u8, write: u8, parameters: Parameters) -> Cluster {
        let settings = Settings::new(nodes, elect, write).expect("legal settings");
        let start = |node| {
            let identity = Identity { node, settings };
            let records = vec![Record::Identity(identity)];
            let mut node =
                Node::new(identity, parameters, Memory { records, synced: 1, ..Memory::default() });
            node.start(Incarnation(1), &Steadfast).expect("a new log");
            node
        };
        let members = NodeId::all(nodes).map(start).collect();
        let mut cluster = Cluster {
            nodes: members,
            starts: 1,
            inputs: VecDeque::new(),
            answers: Vec::new(),
            sent: Vec::new(),
            timer_resets: vec![0; usize::from(nodes)],
            loses_to: NodeSet::default(),
            syncs: true,
            stores: true,
            session: SessionId(1),
        };
        for (node, peer) in pairs(nodes) {
            cluster.queue_input(node, Input::LinkUp { peer, session: SessionId(1) });
        }
        cluster.run();
        cluster
    }

    pub(crate) fn queue_input(&mut self, node: NodeId, input: Input) {
        self.inputs.push_back((node, input));
    }

    pub(crate) fn run(&mut self) {
        let mut count = 0;
        while let Some((node, input)) = self.inputs.pop_front() {
            count += 1;
            assert!(count < 10_000, "messages follow messages without end");
            let mut outputs = Vec::new();
            self.nodes[node.index()].hear(input, &Steadfast, &mut outputs);
            for output in outputs {
                match output {
                    Output::Send { to, packet } => {
                        self.sent.push((node, to, (*packet.message).clone()));
                        if !self.loses_to.contains(to) {
                            self.queue_input(to, Input::Receive { from: node, packet });
                        }
                    }
                    Output::ResetElectionTimer => self.timer_resets[node.index()] += 1,
                    Output::Answer { request, outcome } => self.answers.push((request, outcome)),
                }
            }
            self.follow_storage(node);
        }
    }

    /// Syncs the storage of a node if `syncs` is set, and stores the payloads that it received.
    pub(crate) fn follow_storage(&mut self, node: NodeId) {
        let (syncs, stores) = (self.syncs, self.stores);
        let storage = self.nodes[node.index()].storage_mut();
        let mut news = Vec::new();
        let last = last_index(&storage.records);
        if syncs && storage.synced() < last {
            storage.synced = usize::try_from(last.0).expect("a short log");
            news.push(Input::Synced(storage.synced()));
        }
        if std::mem::take(&mut storage.has_checkpoint) {
            news.push(Input::Checkpointed);
        }
        while stores && let Some(content) = storage.received.pop_front() {
            storage.contents.insert(content);
            news.push(Input::Stored { content });
        }
        news.into_iter().for_each(|input| self.queue_input(node, input));
    }

    /// Syncs the storage of a node once, and lets the cluster go on without further syncs there.
    pub(crate) fn follow_storage_of(&mut self, node: u8) {
        let syncs = std::mem::replace(&mut self.syncs, true);
        self.follow_storage(NodeId(node));
        self.syncs = syncs;
        self.run();
    }

    /// A node crashes, loses nothing that it synced, and starts again.
    pub(crate) fn restart(&mut self, node: u8) {
        let node = &mut self.nodes[usize::from(node)];
        node.stop();
        let storage = node.storage_mut();
        let unsynced = last_index(&storage.records).0 - storage.synced as u64;
        let unsynced = usize::try_from(unsynced).expect("a short log");
        storage.records.truncate(storage.records.len() - unsynced);
        self.starts += 1;
        node.start(Incarnation(self.starts), &Steadfast).expect("its own log");
    }

    pub(crate) fn replica(&self, node: usize) -> &Replica {
        self.nodes[node].replica().expect("it is up")
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes.iter().filter_map(Node::replica)
    }

    pub(crate) fn elect(&mut self, node: u8) {
        self.queue_input(NodeId(node), Input::ElectionTimeout);
        self.run();
    }

    /// Trims the log of a node.
    pub(crate) fn trim(&mut self, node: u8) {
        self.queue_input(NodeId(node), Input::Trim);
        self.run();
    }

    /// Lets the heartbeat timer of a node run out.
    pub(crate) fn tick(&mut self, node: u8) {
        self.queue_input(NodeId(node), Input::Tick);
        self.run();
    }

    pub(crate) fn put(&mut self, node: u8, number: u64, path: &str) -> Option<Outcome> {
        self.write(node, number, path, Intent::Put(text(number)), Base::Visible)
    }

    pub(crate) fn write(
        &mut self,
        node: u8,
        number: u64,
        path: &str,
        intent: Intent,
        base: Base,
    ) -> Option<Outcome> {
        let request = RequestId { client: 1, number };
        let write =
            WriteRequest { request, path: Path::new(path), intent, base, seen: Counter::default() };
        self.ask(node, write)
    }

    pub(crate) fn ask(&mut self, node: u8, write: WriteRequest) -> Option<Outcome> {
        let request = write.request;
        if let Some(input) = self.nodes[usize::from(node)].verified_for(&write, &Steadfast) {
            self.queue_input(NodeId(node), input);
        }
        self.queue_input(NodeId(node), Input::Write(write));
        self.run();
        self.answer_to(request)
    }

    pub(crate) fn read(
        &mut self,
        node: u8,
        number: u64,
        consistency: Consistency,
    ) -> Option<Outcome> {
        let request = RequestId { client: 1, number };
        let read = ReadRequest { request, path: Path::new("a"), consistency };
        self.queue_input(NodeId(node), Input::Read(read));
        self.run();
        self.answer(number)
    }

    pub(crate) fn answer(&self, number: u64) -> Option<Outcome> {
        self.answer_to(RequestId { client: 1, number })
    }

    fn answer_to(&self, request: RequestId) -> Option<Outcome> {
        self.answers.iter().rfind(|it| it.0 == request).map(|it| it.1.clone())
    }

    pub(crate) fn cut(&mut self, one: u8, other: u8) {
        self.queue_input(NodeId(one), Input::LinkDown { peer: NodeId(other) });
        self.queue_input(NodeId(other), Input::LinkDown { peer: NodeId(one) });
        self.run();
    }

    pub(crate) fn link(&mut self, one: u8, other: u8) {
        self.session = self.session.next();
        let session = self.session;
        self.queue_input(NodeId(one), Input::LinkUp { peer: NodeId(other), session });
        self.queue_input(NodeId(other), Input::LinkUp { peer: NodeId(one), session });
        self.run();
    }

    pub(crate) fn heads(&self, node: u8, path: &str) -> Vec<Entry> {
        self.replica(node.into()).files().heads(&Path::new(path)).to_vec()
    }
}

pub(crate) fn pairs(nodes: u8) -> impl Iterator<Item = (NodeId, NodeId)> {
    NodeId::all(nodes).flat_map(move |node| {
        NodeId::all(nodes).filter(move |peer| *peer != node).map(move |peer| (node, peer))
    })
}

pub(crate) fn text(number: u64) -> Content {
    Content::Inline(format!("v{number}").into_bytes().into())
}
