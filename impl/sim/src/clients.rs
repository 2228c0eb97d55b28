//! Requests of clients, and faults.

use std::fmt;
use std::time::Duration;

use steadfast_guarantees::{Operation, OperationKind, Status};
use steadfast_node::{Cluster, ContentCopy, NodeStorage};
use steadfast_protocol::{
    Change, Consistency, Content, ContentId, Dot, NodeId, Path, ReadRequest, Replica, RequestId,
    WriteRequest, replacement,
};
use steadfast_trace::{Cut, WriteKind};

use crate::happening::Happening;
use crate::random::Chance;
use crate::storage::Aftermath;
use crate::words::verb_of;
use crate::{Bytes, Plan, Random, Simulation};

/// The client in the ids of requests at nodes that are down. No node hears of such a request, so it
/// is neither in the history nor in the trace; the number in its id counts these requests.
const TURNED_AWAY: u64 = u64::MAX;

impl Simulation {
    /// A client puts a content at a node, in the place of the version that it shows.
    /// [`status`](Simulation::status) has the outcome under the returned id. If the node is down or
    /// not one of the cluster's, the client learns at once that nobody listens: the request is refused.
    /// This holds for every request of a client.
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
        let path = Path::new(path);
        let content = bytes.map(|it| self.name_content(it));
        let asked = self.replica(node).and_then(|it| {
            let counter = it.log().fold().counter();
            let seen = self.setup.clients().seen(counter);
            Some((kind.intent(it.files().heads(&path), content)?, seen))
        });
        let Some(((intent, base), seen)) = asked else {
            return self.turn_away(node, format_args!("{} {path}", verb_of(kind)));
        };
        let request = self.setup.clients().request(self.network.world.count_request());
        let write = WriteRequest { request, path, intent, base, seen };
        self.happen(Happening::Write { node, kind, write });
        request
    }

    /// Refuses a request at a node that is down: the client's connection is refused.
    fn turn_away(&mut self, node: NodeId, asked: fmt::Arguments<'_>) -> RequestId {
        let request = RequestId { client: TURNED_AWAY, number: self.ledger.turned_away };
        self.ledger.turned_away += 1;
        if self.setup.narrated {
            let is_known = self.nodes.get(node).is_some();
            let why = if is_known { "is down" } else { "is no node of this cluster" };
            let what = format!("{why}: the client of {asked} is refused");
            self.narrator.say(self.agenda.now(), node, what, &self.contents);
        }
        request
    }

    /// A client reads a file linearizably, at a node that leads.
    pub fn read(&mut self, node: NodeId, path: &str) -> RequestId {
        self.ask_to_read(node, path, Consistency::Linearizable)
    }

    /// A client reads the version of a file that a node shows, whether the node leads or not.
    pub fn read_stale(&mut self, node: NodeId, path: &str) -> RequestId {
        self.ask_to_read(node, path, Consistency::Stale)
    }

    fn ask_to_read(&mut self, node: NodeId, path: &str, consistency: Consistency) -> RequestId {
        if self.replica(node).is_none() {
            return self.turn_away(node, format_args!("read {path}"));
        }
        let number = self.network.world.count_request();
        let (request, path) = (self.setup.clients().request(number), Path::new(path));
        let read = ReadRequest { request, path, consistency };
        self.happen(Happening::Read { node, read });
        request
    }

    /// A client sends a write again, under the same id. A retry at a node that is down changes
    /// nothing, and neither does one of a request that no node has heard.
    pub fn retry(&mut self, node: NodeId, request: RequestId) {
        let is_heard = self.history.operation(request).is_some();
        let write = is_heard.then(|| self.history.retry(request.number)).flatten();
        if let Some(write) = write.filter(|_| self.replica(node).is_some()) {
            self.happen(Happening::Retry { node, write });
        }
    }

    /// The outcome of a request, as far as its client knows; `None` if no client has made it.
    #[must_use]
    pub fn status(&self, request: RequestId) -> Option<Status> {
        if request.client == TURNED_AWAY {
            return (request.number < self.ledger.turned_away).then_some(Status::Refused);
        }
        self.history().operation(request).map(|it| it.status)
    }

    /// A node crashes at once. Any prefix of its unsynced records may survive.
    pub fn crash(&mut self, node: NodeId) {
        self.crash_if(node, |_| true);
    }

    /// A node crashes, and all its unsynced records are gone.
    pub fn crash_losing_tail(&mut self, node: NodeId) {
        self.crash_if(node, |after| after.kept == 0);
    }

    /// A node crashes and leaves a record half written, if it was writing one; returns whether it
    /// did.
    pub fn crash_tearing(&mut self, node: NodeId) -> bool {
        let torn = self.ledger.torn;
        self.crash_if(node, |after| after.kept < after.of && after.tail.is_uncertain());
        self.ledger.torn > torn
    }

    /// A node crashes. Of the many disks that a crash may leave, it leaves a wanted one if a few tries
    /// find one.
    fn crash_if(&mut self, node: NodeId, is_wanted: impl Fn(&Aftermath) -> bool) {
        if self.replica(node).is_none() {
            return;
        }
        let decisions = self.setup.decisions();
        let mut random = self.random(Chance::Crash, [node.0]);
        let disk = self.nodes[node].node.storage_mut();
        if disk.choose_crash(&mut random, &self.contents) {
            self.store(node);
        }
        let disk = self.nodes[node].node.storage_mut();
        if disk.choose_crash_of_checkpoint(&mut random, &is_wanted) {
            self.end_checkpoint(node);
        }
        let (brought, ledger) = (&self.contents, &mut self.ledger);
        let disk = self.nodes[node].node.storage_mut();
        self.judge.keep_records(node, disk.records());
        let aftermath = disk.crash(&mut random, decisions, brought, ledger, &is_wanted);
        self.nodes[node].drop_transfers();
        let is_lost = aftermath.kept < aftermath.of;
        let torn = is_lost && (aftermath.tail.is_uncertain() || decisions.trusts_torn_record());
        self.ledger.crashes += 1;
        self.ledger.tails_lost += u64::from(is_lost);
        self.ledger.torn += u64::from(torn);
        self.happen(Happening::Crash { node, aftermath, torn });
    }

    /// The disk of a node hangs: no sync and no storing of a content ends before this long is over.
    pub fn hang_disk(&mut self, node: NodeId, lasts: Duration) {
        let Some(at) = self.nodes.get_mut(node) else {
            return;
        };
        self.ledger.hangs += 1;
        let until = self.agenda.now() + lasts;
        at.hangs_until = at.hangs_until.max(until);
    }

    /// The disk of a node is full from now on: the node crashes in its next sync, and in the first one
    /// after each start until [`free_disk`](Simulation::free_disk).
    pub fn fill_disk(&mut self, node: NodeId) {
        if let Some(at) = self.nodes.get_mut(node) {
            at.is_full = true;
            self.ledger.fills += 1;
        }
    }

    /// The disk of a node has room again.
    pub fn free_disk(&mut self, node: NodeId) {
        if let Some(at) = self.nodes.get_mut(node) {
            at.is_full = false;
        }
    }

    /// The disk of a node is copied while the node runs, to be restored later.
    pub fn back_up(&mut self, node: NodeId) {
        if let Some(at) = self.nodes.get_mut(node) {
            at.node.storage_mut().back_up();
        }
    }

    /// A node begins to trim its log: a checkpoint will take the place of the synced records.
    pub fn trim(&mut self, node: NodeId) {
        if self.replica(node).is_some_and(Replica::gains_by_trim) {
            self.happen(Happening::Trim { node });
        }
    }

    /// A node crashes, and the last copy of its log takes the log's place: records synced since then are
    /// gone. Without a copy the disk is wiped but for its identity. Contents beside the log stay.
    pub fn roll_back(&mut self, node: NodeId) {
        self.crash(node);
        let mut random = self.random(Chance::Rollback, [node.0]);
        let Some(disk) = self.nodes.get_mut(node).map(|it| it.node.storage_mut()) else {
            return;
        };
        self.judge.keep_records(node, disk.records());
        if let Some(kept) = disk.roll_back(&mut random, &mut self.ledger) {
            self.ledger.rollbacks += 1;
            self.happen(Happening::Rollback { node, kept });
        }
    }

    /// All nodes crash, the disk of one is lost, and it gets a new log from those of all others. Nothing but the crashes
    /// happens if the disk holds the only good copy of a content that others need, if one copy acknowledges a write,
    /// or if a log has lost records.
    pub fn replace(&mut self, node: NodeId) {
        let settings = self.setup.settings;
        let Some(identity) = self.nodes.get(node).map(|it| it.node.identity()) else {
            return;
        };
        NodeId::all(settings.nodes()).for_each(|it| self.crash(it));
        let others = NodeId::all(settings.nodes()).filter(|it| *it != node);
        let logs: Vec<_> = others.map(|it| self.nodes[it].node.storage().records()).collect();
        let made = replacement(identity, &logs, self.setup.decisions());
        let may_lose = settings.write() > 1 && self.scene().may_lose_disk(node);
        let Some(checkpoint) = made.ok().filter(|_| may_lose) else {
            return;
        };
        let disk = self.nodes[node].node.storage_mut();
        self.judge.keep_records(node, disk.records());
        disk.replace(&checkpoint);
        self.ledger.replacements += 1;
        let promise = checkpoint.fold.promise();
        self.happen(Happening::Replace { node, promise });
    }

    /// A node that crashed starts again.
    pub fn recover(&mut self, node: NodeId) {
        let is_down = self.nodes.get(node).is_some_and(|it| !it.node.is_up());
        if is_down {
            self.happen(Happening::Recover { node });
        }
    }

    /// The network splits. A cut that lasts ends first, even if the new one loses no link.
    pub fn cut(&mut self, side: impl IntoIterator<Item = NodeId>) {
        self.begin_cut(Cut::Around { side: side.into_iter().collect(), one_way: false });
    }

    /// Messages from these nodes are lost, messages to them are not.
    pub fn cut_one_way(&mut self, side: impl IntoIterator<Item = NodeId>) {
        self.begin_cut(Cut::Around { side: side.into_iter().collect(), one_way: true });
    }

    /// Messages from these senders to these receivers are lost, pair by pair; a cut that lasts ends first. A
    /// connection needs both directions: it ends where one is lost.
    pub fn cut_links(&mut self, lost: impl IntoIterator<Item = (NodeId, NodeId)>) {
        self.begin_cut(Cut::Links { lost: lost.into_iter().collect() });
    }

    fn begin_cut(&mut self, cut: Cut) {
        self.heal();
        let nodes = self.setup.settings.nodes();
        let Some(cut) = Cut::of(cut.lost(nodes), nodes) else {
            return;
        };
        match cut {
            Cut::Around { one_way: false, .. } => self.ledger.cuts += 1,
            Cut::Around { one_way: true, .. } => self.ledger.one_way_cuts += 1,
            Cut::Links { .. } => self.ledger.link_cuts += 1,
        }
        self.happen(Happening::Cut(cut));
    }

    /// The network is whole again.
    pub fn heal(&mut self) {
        if self.network.world.cut.is_some() {
            self.happen(Happening::Heal);
        }
    }

    /// A copy of a content goes bad, if another node has a good one; it is found out later.
    pub fn rot(&mut self, node: NodeId, content: ContentId) {
        let at = self.nodes.get(node);
        let is_good =
            at.is_some_and(|it| it.node.storage().copy_on_disk(content) == ContentCopy::Exact);
        if is_good && self.scene().may_rot(node, content) {
            self.happen(Happening::Rot { node, content });
            self.plan_scrub(node);
        }
    }

    /// The copy of a content is gone from the disk of a node that is down, if another node has a good
    /// one.
    pub fn lose_content(&mut self, node: NodeId, content: ContentId) {
        let Some(at) = self.nodes.get(node).map(|it| &it.node) else {
            return;
        };
        let is_there = at.storage().copy_on_disk(content) != ContentCopy::Missing;
        if !at.is_up() && is_there && self.scene().may_rot(node, content) {
            self.happen(Happening::LoseContent { node, content });
        }
    }

    /// Short contents are written into the log. Others are named there.
    fn name_content(&mut self, bytes: Bytes) -> Content {
        if bytes.len() <= self.setup.inline_bytes_max {
            return Content::Inline((*bytes).into());
        }
        Content::Named(self.contents.add(bytes))
    }

    /// Carries out a plan, if that is possible now.
    pub(crate) fn carry_out(&mut self, plan: &Plan) {
        match *plan {
            Plan::Crash { node } => return self.crash(node),
            Plan::CrashInSync { node } => return self.doom(node),
            Plan::Trim { node } => return self.trim(node),
            Plan::BackUp { node } => return self.back_up(node),
            Plan::RollBack { node } => return self.roll_back(node),
            Plan::Replace { node } => return self.replace(node),
            Plan::Recover { node } => return self.recover(node),
            Plan::Cut(cut) => return self.begin_cut(cut),
            Plan::Heal => return self.heal(),
            Plan::HangDisk { node, lasts } => return self.hang_disk(node, lasts),
            Plan::FillDisk { node } => return self.fill_disk(node),
            Plan::FreeDisk { node } => return self.free_disk(node),
            Plan::Timeout { node } => return self.time_out(node),
            Plan::StaleRead { node, path } => {
                self.read_stale(node, &file_name(path));
                return;
            }
            Plan::Rot { node } => return self.rot_any(node),
            Plan::LoseContent { node } => return self.lose_any(node),
            _ => {}
        }
        let leaders: Vec<NodeId> = self.nodes.roles().leaders.iter().collect();
        let mut random = self.random(Chance::Client, []);
        let Some(node) = random.pick(&leaders).copied() else {
            return;
        };
        self.ask_planned(node, plan, &mut random);
    }

    /// Asks a node that believes that it leads.
    fn ask_planned(&mut self, node: NodeId, plan: &Plan, random: &mut Random) {
        match *plan {
            Plan::Put { path, bytes } => {
                let bytes = self.next_version(node, &file_name(path), bytes, random);
                self.put(node, &file_name(path), bytes);
            }
            // A leader that shows no such file refuses, and the refusal is judged.
            Plan::Delete { path } => {
                self.delete(node, &file_name(path));
            }
            Plan::Resolve { path } if self.heads(node, &file_name(path)).len() > 1 => {
                let bytes = self.next_version(node, &file_name(path), 100, random);
                self.resolve(node, &file_name(path), bytes);
            }
            Plan::Restore { path } => {
                let heads = self.heads(node, &file_name(path));
                if let Some((dot, _)) = heads.get(1).or(heads.first()).cloned() {
                    self.restore(node, &file_name(path), dot);
                }
            }
            Plan::Read { path } => {
                self.read(node, &file_name(path));
            }
            Plan::Retry => {
                let operations = self.history().operations().iter();
                let is_open =
                    |it: &&Operation| matches!(it.status, Status::Unknown | Status::Pending);
                let writes = operations
                    .filter(is_open)
                    .filter(|it| matches!(it.kind, OperationKind::Write { .. }));
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
        if let Some(content) = self.any_content(node, Chance::LoseContent) {
            self.lose_content(node, content);
        }
    }

    fn rot_any(&mut self, node: NodeId) {
        if let Some(content) = self.any_content(node, Chance::Rot) {
            self.rot(node, content);
        }
    }

    /// A random one of the contents that a node has copies of.
    fn any_content(&self, node: NodeId, chance: Chance) -> Option<ContentId> {
        let contents: Vec<ContentId> = self.nodes.get(node)?.node.storage().contents().collect();
        self.random(chance, [node.0]).pick(&contents).copied()
    }
}

/// The name of a planned file.
fn file_name(path: u32) -> String {
    format!("file-{path}")
}
