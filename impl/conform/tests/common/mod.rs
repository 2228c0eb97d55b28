//! Recorded clusters in memory, and recordings that are changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path as Directory, PathBuf};

use steadfast_node::{ContentCopy, Node, NodeStorage, Output, put_checkpoint};
use steadfast_protocol::{
    Base, Checkpoint, Consistency, Content, ContentId, Counter, Decisions, Identity, Incarnation,
    Input, Intent, LogIndex, NodeId, Outcome, Packet, Parameters, Path, Payload, ReadRequest,
    Record, RequestId, Sealed, SessionId, Settings, Steadfast, WriteRequest, last_index,
};
use steadfast_recording::{Cluster as ClusterId, Frame, Reader, Recorder, Taken, testing};
use tempfile::TempDir;

/// A disk in memory.
#[derive(Default)]
pub(crate) struct Memory {
    records: Vec<Record>,
    synced: LogIndex,
    checkpoint: Option<Sealed<Checkpoint>>,
    contents: BTreeSet<ContentId>,
    bad: BTreeSet<ContentId>,
    received: VecDeque<(Payload, NodeId)>,
}

impl NodeStorage for Memory {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn synced(&self) -> LogIndex {
        self.synced
    }

    fn append(&mut self, records: Vec<Record>) {
        self.records.extend(records);
    }

    fn checkpoint(&mut self, checkpoint: Sealed<Checkpoint>) {
        self.checkpoint = Some(checkpoint);
    }

    fn is_checkpointing(&self) -> bool {
        self.checkpoint.is_some()
    }

    fn copy(&self, content: ContentId) -> ContentCopy {
        match (self.contents.contains(&content), self.bad.contains(&content)) {
            (false, _) => ContentCopy::Missing,
            (true, true) => ContentCopy::Wrong,
            (true, false) => ContentCopy::Exact,
        }
    }

    fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.contents.iter().copied()
    }

    fn store(&mut self, payload: Payload, from: NodeId) {
        self.received.push_back((payload, from));
    }

    fn discard(&mut self, content: ContentId) {
        self.contents.remove(&content);
    }

    fn is_storing(&self) -> bool {
        !self.received.is_empty()
    }
}

struct Member {
    node: Node<Memory>,
    recorder: Option<Recorder>,
    decisions: &'static dyn Decisions,
}

/// Nodes that are recorded.
pub(crate) struct Cluster {
    starts: u64,
    pub(crate) around: TempDir,
    members: Vec<Member>,
    links: BTreeMap<(NodeId, NodeId), SessionId>,
    wires: BTreeMap<(NodeId, NodeId), VecDeque<Packet>>,
    sessions: u64,
    pub(crate) answers: Vec<(RequestId, Outcome)>,
    requests: u64,
    /// The next store of this node fails.
    pub(crate) spoils: Option<NodeId>,
}

pub(crate) const N0: NodeId = NodeId(0);
pub(crate) const N1: NodeId = NodeId(1);
pub(crate) const N2: NodeId = NodeId(2);

/// The rounds after which a cluster that does not settle is left as it is: the nodes of some twins never rest.
const ROUNDS_MAX: usize = 200;

impl Cluster {
    /// Three nodes that are up and connected, and run with these decisions.
    pub(crate) fn start(decisions: [&'static dyn Decisions; 3]) -> Cluster {
        let settings = Settings::new(3, 2, 2).expect("settings");
        let member = |(node, decisions)| {
            let identity = Identity { node: NodeId(node), settings };
            let records = vec![Record::Identity(identity)];
            let storage = Memory { records, synced: LogIndex(1), ..Memory::default() };
            let node = Node::new(identity, Parameters::default(), storage);
            Member { node, recorder: None, decisions }
        };
        let mut cluster = Cluster {
            starts: 0,
            around: tempfile::tempdir().expect("a directory"),
            members: (0..).zip(decisions).map(member).collect(),
            links: BTreeMap::new(),
            wires: BTreeMap::new(),
            sessions: 0,
            answers: Vec::new(),
            requests: 0,
            spoils: None,
        };
        [N0, N1, N2].into_iter().for_each(|it| assert!(cluster.begin(it), "a good log"));
        cluster.connect(N0, N1);
        cluster.connect(N0, N2);
        cluster.connect(N1, N2);
        cluster
    }

    pub(crate) fn directory(&self, node: NodeId) -> PathBuf {
        self.around.path().join(node.to_string())
    }

    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        [N0, N1, N2].iter().map(|it| self.directory(*it)).collect()
    }

    /// Starts a node from its disk. Returns whether it starts: the wrong decisions of a twin may have spoilt its log.
    pub(crate) fn begin(&mut self, node: NodeId) -> bool {
        let directory = self.directory(node);
        self.starts += 1;
        let incarnation = Incarnation(self.starts);
        let member = &mut self.members[node.index()];
        if member.node.start(incarnation, member.decisions).is_err() {
            return false;
        }
        let owner = (member.node.identity(), incarnation, Parameters::default());
        let storage = member.node.storage();
        let cluster = ClusterId([7; 16]);
        let recorder =
            Recorder::begin(&directory, cluster, owner, storage.records(), storage.contents());
        member.recorder = Some(recorder.expect("a recording"));
        true
    }

    /// Ends a node as `kill -9` does. Its log loses what is not synced.
    pub(crate) fn kill(&mut self, node: NodeId) {
        let member = &mut self.members[node.index()];
        member.recorder = None;
        member.node.stop();
        for peer in [N0, N1, N2].into_iter().filter(|it| *it != node) {
            self.disconnect(node, peer);
        }
        let member = &mut self.members[node.index()];
        let storage = member.node.storage_mut();
        let unsynced = last_index(&storage.records).0 - storage.synced.0;
        let kept = storage.records.len() - usize::try_from(unsynced).expect("a short tail");
        storage.records.truncate(kept);
        storage.checkpoint = None;
        storage.received.clear();
    }

    pub(crate) fn connect(&mut self, a: NodeId, b: NodeId) {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        for (node, peer) in [(a, b), (b, a)] {
            self.links.insert((node, peer), session);
            self.wires.insert((node, peer), VecDeque::new());
        }
        self.hear(a, Input::LinkUp { peer: b, session });
        self.hear(b, Input::LinkUp { peer: a, session });
    }

    pub(crate) fn disconnect(&mut self, a: NodeId, b: NodeId) {
        if self.links.remove(&(a, b)).is_none() {
            return;
        }
        self.links.remove(&(b, a));
        self.hear(a, Input::LinkDown { peer: b });
        self.hear(b, Input::LinkDown { peer: a });
    }

    pub(crate) fn hear(&mut self, node: NodeId, input: Input) {
        let member = &mut self.members[node.index()];
        let mut outputs = Vec::new();
        match &mut member.recorder {
            Some(it) => {
                member.node.hear_watched(input, member.decisions, &mut outputs, it.watch());
            }
            None => member.node.hear(input, member.decisions, &mut outputs),
        }
        for output in outputs {
            match output {
                Output::Send { to, packet } => {
                    if self.links.get(&(node, to)) == Some(&packet.session) {
                        self.wires.entry((node, to)).or_default().push_back(packet);
                    }
                }
                Output::Answer { request, outcome } => self.answers.push((request, outcome)),
                Output::ResetElectionTimer => {}
            }
        }
    }

    /// Syncs, delivers and stores until nothing is left to do, or the nodes do not come to rest.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if !(self.sync() | self.deliver() | self.make()) {
                break;
            }
        }
    }

    fn sync(&mut self) -> bool {
        let mut did = false;
        for node in [N0, N1, N2] {
            let member = &mut self.members[node.index()];
            let last = last_index(&member.node.storage().records);
            if member.node.is_up() && member.node.storage().synced < last {
                member.node.storage_mut().synced = last;
                self.hear(node, Input::Synced(last));
                did = true;
            }
        }
        did
    }

    fn deliver(&mut self) -> bool {
        let ends: Vec<(NodeId, NodeId)> = self.wires.keys().copied().collect();
        let mut did = false;
        for (from, to) in
            ends.into_iter().filter(|it| self.links.contains_key(it)).collect::<Vec<_>>()
        {
            if let Some(packet) = self.wires.get_mut(&(from, to)).and_then(VecDeque::pop_front) {
                self.hear(to, Input::Receive { from, packet });
                did = true;
            }
        }
        did
    }

    fn make(&mut self) -> bool {
        let mut did = false;
        for node in [N0, N1, N2] {
            let storage = self.members[node.index()].node.storage_mut();
            if let Some((payload, _)) = storage.received.pop_front() {
                let content = payload.content;
                if self.spoils == Some(node) {
                    self.spoils = None;
                    self.hear(node, Input::Unusable { content });
                } else {
                    storage.contents.insert(content);
                    storage.bad.remove(&content);
                    self.hear(node, Input::Stored { content });
                }
                did = true;
            }
        }
        did
    }

    pub(crate) fn elect(&mut self, node: NodeId) {
        self.hear(node, Input::ElectionTimeout);
        self.settle();
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId { client: 9, number: self.requests }
    }

    pub(crate) fn put(&mut self, node: NodeId, path: &str, text: &str) -> WriteRequest {
        let content = Content::Inline(text.as_bytes().into());
        self.write(node, path, Intent::Put(content))
    }

    /// Uploads a content and writes it.
    pub(crate) fn upload(&mut self, node: NodeId, path: &str, content: ContentId) {
        self.members[node.index()].node.storage_mut().contents.insert(content);
        self.hear(node, Input::Stored { content });
        self.write(node, path, Intent::Put(Content::Named(content)));
    }

    pub(crate) fn write(&mut self, node: NodeId, path: &str, intent: Intent) -> WriteRequest {
        let (request, path) = (self.request(), Path::new(path));
        let write =
            WriteRequest { request, path, intent, base: Base::Visible, seen: Counter::default() };
        let member = &self.members[node.index()];
        if let Some(verified) = member.node.verified_for(&write, member.decisions) {
            self.hear(node, verified);
        }
        self.hear(node, Input::Write(write.clone()));
        write
    }

    /// Restores the version of a path that a node shows, if it shows one.
    pub(crate) fn restore(&mut self, node: NodeId, path: &str) {
        let replica = self.members[node.index()].node.replica();
        let shown = replica.and_then(|it| it.files().visible(&Path::new(path)));
        if let Some(dot) = shown.map(|it| it.dot) {
            self.write(node, path, Intent::Restore(dot));
        }
    }

    pub(crate) fn read(&mut self, node: NodeId, path: &str, consistency: Consistency) {
        let (request, path) = (self.request(), Path::new(path));
        self.hear(node, Input::Read(ReadRequest { request, path, consistency }));
    }

    /// The copy of a content goes bad, and a scrub finds it if `is_found`.
    pub(crate) fn rot(&mut self, node: NodeId, content: ContentId, is_found: bool) {
        self.members[node.index()].node.storage_mut().bad.insert(content);
        if is_found {
            self.hear(node, Input::Bad { content });
        }
    }

    /// The disk of a node that is down loses a content.
    pub(crate) fn lose(&mut self, node: NodeId, content: ContentId) {
        let storage = self.members[node.index()].node.storage_mut();
        storage.contents.remove(&content);
    }

    pub(crate) fn trim(&mut self, node: NodeId) {
        self.begin_trim(node);
        self.end_trim(node);
    }

    /// A node begins to write a checkpoint, unless it writes one.
    pub(crate) fn begin_trim(&mut self, node: NodeId) {
        if !self.members[node.index()].node.storage().is_checkpointing() {
            self.hear(node, Input::Trim);
        }
    }

    /// The checkpoint that a node writes is durable.
    pub(crate) fn end_trim(&mut self, node: NodeId) {
        let storage = self.members[node.index()].node.storage_mut();
        if let Some(checkpoint) = storage.checkpoint.take() {
            put_checkpoint(&mut storage.records, checkpoint);
            self.hear(node, Input::Checkpointed);
        }
    }

    /// The log of a node fails, and its process ends.
    pub(crate) fn fail(&mut self, node: NodeId) {
        self.hear(node, Input::LogFailed);
        let recorder = self.members[node.index()].recorder.take();
        assert!(recorder.and_then(Recorder::end).is_none());
        self.kill(node);
    }

    /// Ends all processes in good order.
    pub(crate) fn end(&mut self) {
        for member in &mut self.members {
            if let Some(failure) = member.recorder.take().and_then(Recorder::end) {
                panic!("{failure}");
            }
        }
    }
}

/// A name of a content.
pub(crate) fn content(number: u8) -> ContentId {
    ContentId([number; 32])
}

/// A run in which each kind of input occurs.
pub(crate) fn story() -> Cluster {
    story_of([&Steadfast; 3]).expect("logs from which their nodes start")
}

/// The same with other decisions; `None` if they have written a log from which its node cannot start.
pub(crate) fn story_of(decisions: [&'static dyn Decisions; 3]) -> Option<Cluster> {
    let mut it = Cluster::start(decisions);
    it.settle();
    it.elect(N0);
    it.put(N0, "a", "1");
    it.settle();
    it.hear(N0, Input::Withdrawn { content: content(9) });
    it.put(N1, "a", "refused");
    it.read(N0, "a", Consistency::Linearizable);
    it.read(N2, "a", Consistency::Stale);
    it.settle();
    // Contents: made, spoiled once, bad once.
    it.spoils = Some(N2);
    it.upload(N0, "b", content(1));
    it.settle();
    it.hear(N0, Input::Tick);
    it.settle();
    it.rot(N1, content(1), true);
    it.settle();
    it.rot(N0, content(1), false);
    it.rot(N2, content(1), true);
    it.settle();
    it.restore(N0, "b");
    it.settle();
    // A cut, writes meanwhile, and the heal.
    it.disconnect(N0, N2);
    it.disconnect(N1, N2);
    for number in 0..5 {
        it.put(N0, "c", &number.to_string());
        it.settle();
    }
    it.trim(N0);
    it.settle();
    it.connect(N0, N2);
    it.connect(N1, N2);
    it.settle();
    it.write(N0, "a", Intent::Delete);
    it.settle();
    // The leader is killed with an entry that is not synced, and another one leads.
    it.put(N0, "d", "lost");
    it.kill(N0);
    it.elect(N1);
    let write = it.put(N1, "d", "kept");
    it.settle();
    it.begin(N0).then_some(())?;
    it.connect(N0, N1);
    it.connect(N0, N2);
    it.hear(N1, Input::Tick);
    it.settle();
    it.hear(N1, Input::Write(write));
    it.put(N1, "a", "2");
    it.restore(N1, "b");
    it.read(N1, "d", Consistency::Linearizable);
    it.settle();
    // A disk fails and loses a content; the node starts again.
    it.fail(N2);
    it.lose(N2, content(1));
    it.begin(N2).then_some(())?;
    it.connect(N0, N2);
    it.connect(N1, N2);
    it.settle();
    it.hear(N1, Input::Tick);
    it.settle();
    it.put(N1, "e", "last");
    it.settle();
    it.end();
    Some(it)
}

/// The frames of each start of a recording.
pub(crate) fn frames(directory: &Directory) -> Vec<Vec<Frame<'static>>> {
    let mut reader = Reader::open(directory).expect("a recording");
    let mut starts: Vec<Vec<Frame<'static>>> = Vec::new();
    while let Some(frame) = reader.next_frame().expect("a good recording") {
        if matches!(frame, Frame::Start(_)) {
            starts.push(Vec::new());
        }
        starts.last_mut().expect("a start").push(frame);
    }
    starts
}

/// Puts a recording with these frames in the place of that in a directory.
pub(crate) fn rewrite(directory: &Directory, starts: &[Vec<Frame<'_>>]) {
    fs::remove_dir_all(directory).expect("a directory");
    fs::create_dir(directory).expect("a directory");
    for (number, frames) in (1..).zip(starts) {
        let name = format!("{number:06}-0001.rec");
        fs::write(directory.join(name), testing::file(number, frames)).expect("a file");
    }
}

/// The inputs of a start, each with the place of its frame.
pub(crate) fn inputs(frames: &[Frame<'static>]) -> Vec<(usize, Taken<'static>)> {
    let taken = |(at, frame): (usize, &Frame<'static>)| match frame {
        Frame::Taken(taken) => Some((at, taken.clone())),
        _ => None,
    };
    frames.iter().enumerate().filter_map(taken).collect()
}
