//! Judges a replayed run by the guarantees.
//!
//! Every start, every input that changes a node or answers a client, and every state at rest is judged. A judgement
//! looks at the paths and operations that were touched, since the others were judged before; so the time that it takes
//! does not grow with the run. The start of a node whose log was rolled back is judged as a whole, and so is the end.
//! The order of all operations (G5) is judged once, at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use steadfast_guarantees::{
    ClusterView, Did, Focus, GuaranteeId, History, NodeView, OperationId, OperationKind,
    broken_by_step, guarantees, holds,
};
use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Base, Change, Consistency, ContentId, Counter, Decisions, Entry, Epoch, Input, Intent,
    LogIndex, NodeId, Outcome, Path, Record, Replica, RequestId, Role, Settings, last_index,
};

use super::entries::Entries;
use super::replayed::Replayed;
use super::verdicts::{Judged, Moment, Tally};
use super::view::{Scene, View};
use super::window::Window;

/// How much of a run a judgement looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The paths and operations that an input has touched.
    Touched,
    /// Everything, each time: for short runs.
    Whole,
}

/// Everything in a node that guarantees look at and that can change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    starts: u64,
    length: LogIndex,
    synced: LogIndex,
    promise: Epoch,
    leads: bool,
    takes_part: bool,
    contents: u64,
}

/// A node of a quiet cluster: whether it is idle, and has answered its clients.
type Rest = (Mark, bool, bool);

/// A node, and as much of its past as judges need.
struct Known {
    window: Window,
    /// The node as it was when it was last judged.
    judged: Past,
    /// The records that the window had then, if a crash has taken some of them since.
    crashed: Option<Vec<Record>>,
    /// The contents that it asked for then.
    wants: BTreeSet<ContentId>,
    mark: Mark,
    starts: u64,
}

/// A node as it was when it was last judged.
#[derive(Default)]
struct Past {
    /// Its outline.
    replica: Option<Replica>,
    /// How many records its window had.
    records: usize,
    synced: LogIndex,
}

impl Known {
    /// The node as it was when it was last judged. The window has only grown since, or a crash has come.
    fn past(&self) -> NodeView<'_> {
        let Past { replica, records, synced } = &self.judged;
        let records = match &self.crashed {
            Some(records) => records,
            None => &self.window.records()[..*records],
        };
        NodeView { replica: replica.as_ref(), records, synced: *synced }
    }
}

/// What an input did to its node, beside the changes that can be seen.
pub(super) struct Deeds {
    /// The answers to clients.
    pub answers: Vec<(RequestId, Outcome)>,
    /// The contents that came or went.
    pub contents: Vec<ContentId>,
}

pub(super) struct Judge {
    settings: Settings,
    has_one_clock: bool,
    decisions: &'static dyn Decisions,
    extent: Extent,
    history: History,
    known: Vec<Known>,
    entries: Entries,
    /// The paths that were touched since the cluster was last judged while it had settled; all if `None`.
    unsettled: Option<BTreeSet<Path>>,
    /// For each path the acknowledged writes that were heads then, and those that were acknowledged since. The
    /// others were replaced by writes that named them, and stay so.
    live: HashMap<Path, Vec<OperationId>>,
    rested: Vec<Rest>,
    broken: BTreeMap<GuaranteeId, Moment>,
    tally: Tally,
}

impl Judge {
    /// `has_one_clock` says whether the times of all nodes can be compared.
    pub(super) fn new(
        settings: Settings,
        has_one_clock: bool,
        (decisions, extent): (&'static dyn Decisions, Extent),
        nodes: &[Replayed],
    ) -> Judge {
        let known = nodes.iter().map(|it| Known {
            window: Window::of(it.identity, &[]),
            judged: Past::default(),
            crashed: None,
            wants: BTreeSet::new(),
            mark: Mark::default(),
            starts: 0,
        });
        Judge {
            settings,
            has_one_clock,
            decisions,
            extent,
            history: History::of_any_clients(has_one_clock && settings.is_consistent()),
            known: known.collect(),
            entries: Entries::default(),
            unsettled: None,
            live: HashMap::new(),
            rested: Vec::new(),
            broken: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// A client asks a node.
    pub(super) fn on_input(&mut self, node: NodeId, input: &Input) {
        let (request, path, kind) = match input {
            Input::Write(it) => {
                let kind = OperationKind::write(it.intent.clone(), it.base.clone(), it.seen);
                (it.request, &it.path, kind)
            }
            Input::Read(it) => {
                let kind = match it.consistency {
                    Consistency::Linearizable => OperationKind::read(),
                    Consistency::Stale => OperationKind::stale_read(),
                };
                (it.request, &it.path, kind)
            }
            _ => return,
        };
        match self.history.operation(request) {
            Some(_) => self.history.on_retried(request, node),
            None => self.history.on_invoked(request, path.clone(), node, kind),
        }
    }

    /// A node has started, for the first time or after a crash, which may have rolled its log back. `contents` came or
    /// went meanwhile.
    pub(super) fn on_started(
        &mut self,
        scene: Scene<'_>,
        moment: Moment,
        is_rolled_back: bool,
        contents: Vec<ContentId>,
    ) {
        let at = moment.node.index();
        let node = &scene.nodes[at];
        let log = node.node.storage().records();
        self.known[at].starts += 1;
        if self.known[at].starts == 1 {
            self.known[at].window = Window::of(node.identity, log);
            self.note_base(log);
            self.note_judged(node, at);
            return;
        }
        self.history.on_crashed(moment.node);
        if is_rolled_back {
            self.history.on_rolled_back(moment.node);
        }
        self.known[at].crashed = Some(self.known[at].past().records.to_vec());
        let gone = self.known[at].window.take_back(last_index(log));
        match &gone {
            Some(gone) => self.entries.forget(moment.node, gone),
            None => self.known[at].window = Window::of(node.identity, log),
        }
        let gone = gone.filter(|_| !is_rolled_back && self.has_judged_parameters(node, at));
        let contents = self.touched_contents(node, at, contents);
        let focus = gone.filter(|_| self.extent == Extent::Touched).map(|gone| {
            let gone = gone.iter().filter_map(Record::entry).map(|it| it.path.clone());
            self.focus(node, at, Vec::new(), gone.collect(), &contents)
        });
        if focus.is_none() {
            self.unsettled = None;
        }
        self.judge(scene, moment, focus, None);
    }

    /// Notes the entries of a log that is older than its recording: clients asked for them before.
    fn note_base(&mut self, log: &[Record]) {
        for entry in log.iter().flat_map(Record::entries) {
            self.tally.has_older_entries = true;
            if self.history.operation(entry.request).is_none() {
                let intent = match &entry.change {
                    Change::Put(content) => Intent::Put(content.clone()),
                    Change::Delete => Intent::Delete,
                };
                let kind = OperationKind::write(
                    intent,
                    Base::Named(entry.replaces.clone()),
                    Counter::default(),
                );
                let (path, origin) = (entry.path.clone(), entry.dot.origin);
                self.history.on_invoked(entry.request, path, origin, kind);
            }
            self.entries.note(entry, self.history.rolled_back());
        }
    }

    /// A node has heard an input.
    pub(super) fn on_heard(&mut self, scene: Scene<'_>, moment: Moment, deeds: Deeds) {
        let at = moment.node.index();
        let node = &scene.nodes[at];
        let old_history = (self.extent == Extent::Whole).then(|| self.history.clone());
        let answered = deeds.answers.iter().filter_map(|(it, _)| self.history.unanswered(*it));
        let answered: Vec<(OperationId, Epoch)> = answered.collect();
        let has_answered = !deeds.answers.is_empty();
        self.tally.answers += deeds.answers.len() as u64;
        self.note_deeds(moment, node, deeds.answers);
        let contents = self.touched_contents(node, at, deeds.contents);
        let is_changed = self.known[at].mark != self.mark_of(node, at);
        if is_changed || has_answered || !contents.is_empty() {
            let focus = self.focus(node, at, answered, BTreeSet::new(), &contents);
            let focus = (self.extent == Extent::Touched).then_some(focus);
            self.judge(scene, moment, focus, old_history.as_ref());
        } else if self.has_come_to_rest(scene) {
            self.judge_state(scene, moment, Some(&Focus::default()));
        }
    }

    /// Brings the history up to date.
    fn note_deeds(&mut self, moment: Moment, node: &Replayed, answers: Vec<(RequestId, Outcome)>) {
        let known = &mut self.known[moment.node.index()];
        let storage = node.node.storage();
        let fresh = known.window.follow(storage.records());
        let records = known.window.records();
        let after = NodeView { replica: node.replica(), records, synced: storage.synced() };
        let did = Did::of(&known.past(), &after, answers);
        if !did.is_nothing() {
            self.history.on_did(&did);
        }
        for entry in records[records.len() - fresh..].iter().flat_map(Record::entries) {
            // Ensures that no two nodes use a dot for different entries, however far apart: G8.
            if !self.entries.note(entry, self.history.rolled_back()) {
                self.broken.entry(GuaranteeId::NoGaps).or_insert(moment);
            }
        }
    }

    /// The contents that came or went at a node, and those that it began or ceased to ask for.
    fn touched_contents(
        &mut self,
        node: &Replayed,
        at: usize,
        changed: Vec<ContentId>,
    ) -> BTreeSet<ContentId> {
        let wants = node.replica().into_iter().flat_map(|it| it.wants()).map(|it| it.content);
        let wants: BTreeSet<ContentId> = wants.collect();
        let old = std::mem::replace(&mut self.known[at].wants, wants);
        let differ = old.symmetric_difference(&self.known[at].wants).copied();
        changed.into_iter().chain(differ).collect()
    }

    /// The part of the cluster that an input or a start has touched, with these paths in it.
    fn focus(
        &mut self,
        node: &Replayed,
        at: usize,
        answered: Vec<(OperationId, Epoch)>,
        paths: BTreeSet<Path>,
        contents: &BTreeSet<ContentId>,
    ) -> Focus {
        let old = self.known[at].judged.replica.as_ref().map(Replica::files).cloned();
        let files = node.replica().map(|it| it.files().changed_since(&old.unwrap_or_default()));
        let mut focus = Focus { answered, paths, ..Focus::default() };
        let fresh = self.known[at].window.records_behind(self.known[at].mark.length);
        focus.paths.extend(fresh.iter().filter_map(Record::entry).map(|it| it.path.clone()));
        focus.paths.extend(files.into_iter().flatten());
        focus.paths.extend(contents.iter().flat_map(|it| self.entries.paths_of(*it)).cloned());
        for (id, _) in &focus.answered {
            let operation = &self.history.operations()[*id];
            focus.paths.insert(operation.path.clone());
            if operation.acknowledged().is_some() {
                focus.acknowledged.insert(*id);
                self.live.entry(operation.path.clone()).or_default().push(*id);
            }
        }
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.extend(focus.paths.iter().cloned());
        }
        focus
    }

    /// Judges a node that has changed or answered, and the state that the cluster has come to.
    fn judge(
        &mut self,
        scene: Scene<'_>,
        moment: Moment,
        focus: Option<Focus>,
        old_history: Option<&History>,
    ) {
        let at = moment.node.index();
        let windows: Vec<&Window> = self.known.iter().map(|it| &it.window).collect();
        let now = self.view(scene, &windows, focus.as_ref());
        let history = old_history.unwrap_or(&self.history);
        let before = View { history, past: Some((moment.node, self.known[at].past())), ..now };
        let broken: Vec<GuaranteeId> = broken_by_step(&before, &now, moment.node).iter().collect();
        self.tally.steps += 1;
        self.note_broken(broken, moment);
        self.note_judged(&scene.nodes[at], at);
        self.judge_state(scene, moment, focus.as_ref());
    }

    /// Judges the present state, as far as an input has touched it; a state at rest, as far as it has changed since
    /// the cluster had settled.
    fn judge_state(&mut self, scene: Scene<'_>, moment: Moment, touched: Option<&Focus>) {
        let is_quiet = scene.is_quiet();
        if is_quiet {
            self.rested = self.rests(scene);
        }
        let unsettled = is_quiet.then(|| self.unsettled_focus());
        let focus = match &unsettled {
            Some(unsettled) => touched.and(unsettled.as_ref()),
            None => touched,
        };
        let focus = focus.filter(|_| self.extent == Extent::Touched);
        let windows: Vec<&Window> = self.known.iter().map(|it| &it.window).collect();
        let view = self.view(scene, &windows, focus);
        let cluster: &dyn ClusterView = &view;
        let is_led = cluster.has_leader();
        let has_settled = is_quiet && is_led && cluster.is_settled();
        let is_new = |it: &GuaranteeId| !self.broken.contains_key(it);
        let broken = guarantees().iter().map(|it| it.id()).filter(is_new);
        let broken: Vec<GuaranteeId> = broken.filter(|it| !holds(*it, &view)).collect();
        self.tally.states += 1;
        self.tally.rests += u64::from(is_quiet && is_led);
        self.note_broken(broken, moment);
        if has_settled {
            self.note_settled(scene);
        }
    }

    fn view<'a>(
        &'a self,
        scene: Scene<'a>,
        windows: &'a [&'a Window],
        focus: Option<&'a Focus>,
    ) -> View<'a> {
        View {
            settings: self.settings,
            decisions: self.decisions,
            scene,
            windows,
            history: &self.history,
            past: None,
            entries: &self.entries,
            focus,
        }
    }

    /// All that was touched since the cluster had settled.
    fn unsettled_focus(&self) -> Option<Focus> {
        let paths = self.unsettled.clone()?;
        let live = paths.iter().filter_map(|it| self.live.get(it));
        let acknowledged = live.flatten().copied().collect();
        Some(Focus { paths, acknowledged, answered: Vec::new() })
    }

    /// The cluster has settled, and was judged.
    fn note_settled(&mut self, scene: Scene<'_>) {
        let paths = self.unsettled.replace(BTreeSet::new());
        let paths = paths.unwrap_or_else(|| self.live.keys().cloned().collect());
        let operations = self.history.operations();
        for path in paths {
            let replicas = scene.nodes.iter().filter_map(Replayed::replica);
            let heads: Vec<&Entry> = replicas.flat_map(|it| it.files().heads(&path)).collect();
            let is_head = |id: &OperationId| {
                let entry = operations[*id].acknowledged();
                entry.is_some_and(|(entry, _)| heads.iter().any(|it| it.dot == entry.dot))
            };
            if let Some(live) = self.live.get_mut(&path) {
                live.retain(is_head);
                if live.is_empty() {
                    self.live.remove(&path);
                }
            }
        }
    }

    fn note_broken(&mut self, broken: Vec<GuaranteeId>, moment: Moment) {
        for id in broken.into_iter().filter(|it| it.guarantee().is_promised(self.settings)) {
            self.broken.entry(id).or_insert(moment);
        }
    }

    fn note_judged(&mut self, node: &Replayed, at: usize) {
        let mark = self.mark_of(node, at);
        let known = &mut self.known[at];
        let synced = node.node.storage().synced();
        known.window.shrink(synced, self.decisions);
        known.mark = mark;
        let (replica, records) = (node.replica().map(Replica::outline), known.window.records());
        known.judged = Past { replica, records: records.len(), synced };
        known.crashed = None;
    }

    /// Whether a node has the parameters with which it was last judged.
    fn has_judged_parameters(&self, node: &Replayed, at: usize) -> bool {
        let judged = self.known[at].judged.replica.as_ref().map(Replica::parameters);
        judged == node.replica().map(Replica::parameters)
    }

    /// Whether the cluster is quiet, and not as it was when it was last judged while it was quiet.
    fn has_come_to_rest(&self, scene: Scene<'_>) -> bool {
        scene.is_quiet() && self.rests(scene) != self.rested
    }

    fn rests(&self, scene: Scene<'_>) -> Vec<Rest> {
        let rest = |(at, node): (usize, &Replayed)| {
            let replica = node.replica();
            let has_answered = match replica.map(Replica::role) {
                Some(Role::Leader(it)) => it.writes.is_empty() && it.reads.is_empty(),
                _ => true,
            };
            (self.mark_of(node, at), replica.is_some_and(Replica::is_idle), has_answered)
        };
        scene.nodes.iter().enumerate().map(rest).collect()
    }

    fn mark_of(&self, node: &Replayed, at: usize) -> Mark {
        let (replica, storage) = (node.replica(), node.node.storage());
        Mark {
            starts: self.known[at].starts,
            length: last_index(storage.records()),
            synced: storage.synced(),
            promise: replica.map(Replica::promise).unwrap_or_default(),
            leads: replica.is_some_and(Replica::leads),
            takes_part: replica.is_some_and(Replica::takes_part),
            contents: storage.changes(),
        }
    }

    /// Judges the end of the run, and the order of all operations. Returns the verdicts.
    ///
    /// The state in which a step does not fit is none that the cluster was in.
    pub(super) fn finish(mut self, scene: Scene<'_>, end: Moment, fits: bool) -> Vec<Judged> {
        if fits && self.known.iter().all(|it| it.starts > 0) {
            self.judge_state(scene, end, None);
        }
        self.judge_order(end);
        self.tally.operations = self.history.operations().len() as u64;
        self.tally.has_one_clock = self.has_one_clock;
        guarantees()
            .iter()
            .map(|it| Judged::of(it.id(), self.settings, self.broken.get(&it.id()), &self.tally))
            .collect()
    }

    /// Judges whether an order explains the operations of each path (G5), once for the whole run: if one
    /// explains them, it explains each beginning of the run as well.
    fn judge_order(&mut self, end: Moment) {
        let Some(contradictions) = self.history.contradictions() else { return };
        if !contradictions.is_empty() || !self.history.unexplained_refusals().is_empty() {
            self.broken.entry(GuaranteeId::Linearizable).or_insert(end);
        }
    }
}
