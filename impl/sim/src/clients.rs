//! What is done to a cluster from outside: clients and faults.

use steadfast_guarantees::{Action, Operation, Status};
use steadfast_node::{Cluster, ContentCopy, NodeStorage};
use steadfast_protocol::{
    Change, Consistency, Content, ContentId, Dot, Input, Intent, NodeId, NodeSet, Path,
    ReadRequest, RequestId, WriteRequest,
};
use steadfast_trace::{Step, WriteKind};

use crate::agenda::Event;
use crate::random::Chance;
use crate::storage::{Aftermath, Stored};
use crate::{Bytes, Plan, Random, Simulation};

impl Simulation {
    /// A client puts a content at a node, in the place of the version that it shows. What becomes
    /// of it stands in the [history](Simulation::history) under this id.
    pub fn put(&mut self, node: NodeId, path: &str, bytes: impl Into<Bytes>) -> RequestId {
        self.write(node, path, WriteKind::Put, Some(bytes.into()))
    }

    /// A client deletes the version that a node shows.
    pub fn delete(&mut self, node: NodeId, path: &str) -> RequestId {
        self.write(node, path, WriteKind::Delete, None)
    }

    /// A client puts a content in the place of all versions, the listed conflicts included.
    pub fn resolve(&mut self, node: NodeId, path: &str, bytes: impl Into<Bytes>) -> RequestId {
        self.write(node, path, WriteKind::Resolve, Some(bytes.into()))
    }

    /// A client makes a listed conflict version the visible one again.
    pub fn restore(&mut self, node: NodeId, path: &str, version: Dot) -> RequestId {
        self.write(node, path, WriteKind::Restore(version), None)
    }

    fn write(
        &mut self,
        node: NodeId,
        path: &str,
        kind: WriteKind,
        bytes: Option<Bytes>,
    ) -> RequestId {
        let request = self.world.next_request();
        let path = self.path_number(path);
        if let Some(bytes) = bytes {
            let shown = self.replica(node).and_then(|it| it.files().visible(&self.path(path)));
            let base = shown.and_then(|it| it.change.named());
            let content = self.name_content(bytes, base);
            self.names.contents.insert(self.world.next_number(), content);
        }
        self.take(Step::Write { node, path, kind });
        request
    }

    /// A client reads a file linearizably, at a node that leads.
    pub fn read(&mut self, node: NodeId, path: &str) -> RequestId {
        let request = self.world.next_request();
        let path = self.path_number(path);
        self.take(Step::Read { node, path });
        request
    }

    /// A client sends a request again, under the same id.
    pub fn retry(&mut self, node: NodeId, request: RequestId) {
        self.take(Step::Retry { node, request: request.number });
    }

    /// What became of a request, as far as its client knows.
    #[must_use]
    pub fn status(&self, request: RequestId) -> Option<Status> {
        self.history.operation(request).map(|it| it.status)
    }

    /// A node stops, at whatever it is doing. Of what it has not synced anything may survive.
    pub fn crash(&mut self, node: NodeId) {
        self.crash_if(node, |_| true);
    }

    /// A node stops, and everything that it has not synced is gone.
    pub fn crash_losing_tail(&mut self, node: NodeId) {
        self.crash_if(node, |after| after.kept == 0);
    }

    /// A node stops and leaves a record half written, if it was writing one; says whether it did.
    pub fn crash_tearing(&mut self, node: NodeId) -> bool {
        let torn = self.ledger.torn;
        self.crash_if(node, |after| after.kept < after.of && after.tail.is_uncertain());
        self.ledger.torn > torn
    }

    /// A node stops. Of the many things that a crash may leave, one that is wanted is chosen if one
    /// is found soon.
    fn crash_if(&mut self, node: NodeId, is_wanted: impl Fn(&Aftermath) -> bool) {
        if self.replica(node).is_none() {
            return;
        }
        let decisions = self.setup.decisions();
        let mut random = self.random(Chance::Crash, [node.0]);
        let at = &mut self.nodes[node.index()];
        at.shadow.keep_records(at.node.storage().records());
        let aftermath = at.node.storage_mut().crash(&mut random, decisions, &is_wanted);
        let is_lost = aftermath.kept < aftermath.of;
        let torn = is_lost && (aftermath.tail.is_uncertain() || decisions.trusts_torn_record());
        self.ledger.crashes += 1;
        self.ledger.tails_lost += u64::from(is_lost);
        self.ledger.torn += u64::from(torn);
        self.aftermath = Some(aftermath);
        let kept = u32::try_from(aftermath.kept).unwrap_or(u32::MAX);
        self.take(Step::Crash { node, kept, torn });
    }

    /// The disk of a node is copied while the node runs, to be restored later.
    pub fn back_up(&mut self, node: NodeId) {
        self.nodes[node.index()].node.storage_mut().back_up();
    }

    /// A node stops, and the last copy of its log takes the log's place: what was synced since is
    /// gone. Without a copy the disk is wiped but for its identity. Contents beside the log stay.
    pub fn roll_back(&mut self, node: NodeId) {
        self.crash(node);
        let mut random = self.random(Chance::Rollback, [node.0]);
        let at = &mut self.nodes[node.index()];
        at.shadow.keep_records(at.node.storage().records());
        if let Some(kept) = at.node.storage_mut().roll_back(&mut random) {
            self.ledger.rollbacks += 1;
            let kept = u32::try_from(kept).unwrap_or(u32::MAX);
            self.take(Step::Rollback { node, kept });
        }
    }

    /// A node that stopped starts again.
    pub fn recover(&mut self, node: NodeId) {
        let is_down = self.nodes.get(node.index()).is_some_and(|it| !it.node.is_up());
        if is_down {
            self.take(Step::Recover { node });
        }
    }

    /// The network splits; a cut that lasts ends first.
    pub fn cut(&mut self, side: impl IntoIterator<Item = NodeId>) {
        self.begin_cut(side.into_iter().collect(), false);
    }

    /// What leaves these nodes is lost, what they are sent is not.
    pub fn cut_one_way(&mut self, side: impl IntoIterator<Item = NodeId>) {
        self.begin_cut(side.into_iter().collect(), true);
    }

    fn begin_cut(&mut self, side: NodeSet, one_way: bool) {
        self.heal();
        let everyone = self.setup.settings.nodes();
        if side.is_empty() || side.len() >= usize::from(everyone) {
            return;
        }
        self.ledger.cuts += u64::from(!one_way);
        self.ledger.one_way_cuts += u64::from(one_way);
        // A cut in both directions is named by the side that node 0 is on.
        let is_named = one_way || side.contains(NodeId(0));
        let other = || NodeId::all(everyone).filter(|it| !side.contains(*it)).collect();
        self.take(Step::Cut { side: if is_named { side } else { other() }, one_way });
    }

    /// The network is whole again.
    pub fn heal(&mut self) {
        if self.world.cut.is_some() {
            self.take(Step::Heal);
        }
    }

    /// A copy of a content goes bad, if another node has a good one; it is found out later.
    pub fn rot(&mut self, node: NodeId, content: ContentId) {
        let storage = self.nodes[node.index()].node.storage();
        let is_good = storage.copy(content) == ContentCopy::Exact;
        if is_good && self.may_rot(node, content) {
            self.take(Step::Rot { node, content });
            let mut random = self.random(Chance::Scrub, [node.0]);
            let found = self.now + random.duration(&self.setup.latency) * 20;
            self.agenda.add(found, Event::Scrub);
        }
    }

    /// The copy of a content is gone from the disk of a node that is down, if another node has a good
    /// one.
    pub fn lose_content(&mut self, node: NodeId, content: ContentId) {
        let at = &self.nodes[node.index()].node;
        let is_there = at.storage().copy(content) != ContentCopy::Missing;
        if !at.is_up() && is_there && self.may_rot(node, content) {
            self.take(Step::LoseContent { node, content });
        }
    }

    /// Finds the bad copies.
    pub(crate) fn scrub(&mut self) {
        let found: Vec<(NodeId, ContentId)> = self.undetected_rot().collect();
        for (node, content) in found {
            self.take(Step::Scrub { node, content });
        }
    }

    /// Performs what a client asks for.
    pub(crate) fn ask(&mut self, step: &Step) -> Option<()> {
        match *step {
            Step::Write { node, path, kind } => self.ask_to_write(node, path, kind),
            Step::Read { node, path } => {
                self.replica(node)?;
                self.world.spend(|left| &mut left.reads)?;
                let request = self.world.count_request();
                let path = self.path(path);
                self.history.on_invoked(request, path.clone(), node, Action::read());
                let consistency = Consistency::Linearizable;
                self.ledger.reads += 1;
                self.hear(node, Input::Read(ReadRequest { request, path, consistency }));
                Some(())
            }
            Step::Retry { node, request } => {
                let write = self.history.retry(request)?;
                self.replica(node)?;
                self.world.spend(|left| &mut left.retries)?;
                self.history.on_retried(write.request, node);
                self.bring_and_write(node, write);
                Some(())
            }
            _ => None,
        }
    }

    fn ask_to_write(&mut self, node: NodeId, path: u32, kind: WriteKind) -> Option<()> {
        let path = self.path(path);
        let heads = self.replica(node)?.files().heads(&path);
        let content = self.names.contents.get(&self.world.next_number()).cloned();
        let (intent, base) = kind.intent(heads, content)?;
        self.world.spend_write(kind)?;
        let request = self.world.count_request();
        self.ledger.writes += 1;
        let action = Action::write(intent.clone(), base.clone());
        self.history.on_invoked(request, path.clone(), node, action);
        self.bring_and_write(node, WriteRequest { request, path, intent, base });
        Some(())
    }

    /// A client makes the content durable that its write names, and then writes.
    fn bring_and_write(&mut self, node: NodeId, write: WriteRequest) {
        if let Intent::Put(Content::Named(content)) = write.intent {
            if let Some(bytes) = self.catalogue.get(content) {
                let stored = Stored { bytes, is_exact: true };
                self.nodes[node.index()].node.storage_mut().put(content, stored);
            }
            self.hear(node, Input::Stored { content });
        }
        self.hear(node, Input::Write(write));
    }

    /// Short contents are written into the log, others are named there.
    fn name_content(&mut self, bytes: Bytes, base: Option<ContentId>) -> Content {
        match bytes.len() <= self.setup.inline_bytes_max {
            true => Content::Inline((*bytes).into()),
            false => Content::Named(self.catalogue.add(bytes, base)),
        }
    }

    /// The number of a path, which it is given when it is first heard of.
    fn path_number(&mut self, name: &str) -> u32 {
        let known = self.names.paths.iter().position(|it| it.as_str() == name);
        let at = known.unwrap_or_else(|| {
            self.names.paths.push(Path::new(name));
            self.names.paths.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    pub(crate) fn path(&self, number: u32) -> Path {
        let named = self.names.paths.get(number as usize);
        named.cloned().unwrap_or_else(|| Path::new(""))
    }

    /// Does what was planned, if it is possible now.
    pub(crate) fn carry_out(&mut self, plan: &Plan) {
        match *plan {
            Plan::Crash { node } => return self.crash(node),
            Plan::CrashInSync { node } => return self.doom(node),
            Plan::BackUp { node } => return self.nodes[node.index()].node.storage_mut().back_up(),
            Plan::RollBack { node } => return self.roll_back(node),
            Plan::Recover { node } => return self.recover(node),
            Plan::Cut { side, one_way } => return self.begin_cut(side, one_way),
            Plan::Heal => return self.heal(),
            Plan::Timeout { node } => return self.time_out(node),
            Plan::Rot { node } => return self.rot_any(node),
            Plan::LoseContent { node } => return self.lose_any(node),
            _ => {}
        }
        let leaders: Vec<NodeId> =
            self.replicas().filter(|it| it.leads()).map(|it| it.id()).collect();
        let mut random = self.random(Chance::Client, []);
        let Some(node) = random.pick(&leaders).copied() else {
            return;
        };
        self.ask_planned(node, plan, &mut random);
    }

    /// Asks a node that believes that it leads.
    fn ask_planned(&mut self, node: NodeId, plan: &Plan, random: &mut Random) {
        let name = |path: u32| format!("file-{path}");
        match *plan {
            Plan::Put { path, bytes } => {
                let bytes = self.next_version(node, &name(path), bytes, random);
                self.put(node, &name(path), bytes);
            }
            Plan::Delete { path } => {
                let is_there = |head: &Change| *head != Change::Delete;
                if self.heads(node, &name(path)).first().is_some_and(|it| is_there(&it.1)) {
                    self.delete(node, &name(path));
                }
            }
            Plan::Resolve { path } if self.heads(node, &name(path)).len() > 1 => {
                let bytes = self.next_version(node, &name(path), 100, random);
                self.resolve(node, &name(path), bytes);
            }
            Plan::Restore { path } => {
                if let Some((dot, _)) = self.heads(node, &name(path)).get(1).cloned() {
                    self.restore(node, &name(path), dot);
                }
            }
            Plan::Read { path } => {
                self.read(node, &name(path));
            }
            Plan::Retry => {
                let operations = self.history.operations().iter();
                let is_open =
                    |it: &&Operation| matches!(it.status, Status::Unknown | Status::Pending);
                let writes = operations
                    .filter(is_open)
                    .filter(|it| matches!(it.action, Action::Write { .. }));
                let open: Vec<RequestId> = writes.map(|it| it.request).collect();
                if let Some(request) = random.pick(&open).copied() {
                    self.retry(node, request);
                }
            }
            _ => {}
        }
    }

    fn heads(&self, node: NodeId, path: &str) -> Vec<(Dot, Change)> {
        let heads = self.replica(node).map(|it| it.files().heads(&Path::new(path)));
        heads.into_iter().flatten().map(|it| (it.dot, it.change.clone())).collect()
    }

    /// A content that differs from the one shown in a few places; a new one if there is none.
    fn next_version(
        &self,
        node: NodeId,
        path: &str,
        length: usize,
        random: &mut Random,
    ) -> Vec<u8> {
        let shown =
            self.heads(node, path).into_iter().next().and_then(|(_, change)| change.named());
        let shown = shown.and_then(|it| self.read_content(node, it)).map(<[u8]>::to_vec);
        let mut bytes = shown.unwrap_or_else(|| {
            (0..length.div_ceil(8)).flat_map(|_| random.bits().to_le_bytes()).collect()
        });
        let stamp = random.bits().to_le_bytes();
        let at = random.below(bytes.len().saturating_sub(stamp.len()).max(1));
        bytes.splice(at..(at + stamp.len()).min(bytes.len()), stamp);
        bytes
    }

    fn lose_any(&mut self, node: NodeId) {
        self.crash(node);
        let contents: Vec<ContentId> = self.nodes[node.index()].node.storage().contents().collect();
        let mut random = self.random(Chance::LoseContent, [node.0]);
        if let Some(content) = random.pick(&contents).copied() {
            self.lose_content(node, content);
        }
    }

    fn rot_any(&mut self, node: NodeId) {
        let contents: Vec<ContentId> = self.nodes[node.index()].node.storage().contents().collect();
        let mut random = self.random(Chance::Rot, [node.0]);
        if let Some(content) = random.pick(&contents).copied() {
            self.rot(node, content);
        }
    }
}
