//! Judges a replayed run by the guarantees.
//!
//! The time that a judgement takes grows with the number of operations and files, so a long run cannot be judged
//! after each input. Each input adds credit, and a node that has changed is judged once the credit covers the
//! cost: a short run after each input, a long one after batches of inputs. A batch shows a judge all records that
//! the node has logged since, so that entries, dots, promises and leaders are judged without exception; of the
//! states within a batch only the last one is seen. Leaderships, starts and answers to clients are judged at once.

use std::collections::BTreeMap;

use steadfast_guarantees::{
    ClusterView, Did, GuaranteeId, History, NodeView, OperationKind, Status, broken_by_step,
    guarantees, holds, keeps,
};
use steadfast_node::NodeStorage;
use steadfast_protocol::{
    Base, Change, Consistency, Epoch, Input, Intent, LogIndex, NodeId, Outcome, Record, Replica,
    RequestId, Role, Settings, last_index,
};

use super::entries::Entries;
use super::replayed::Replayed;
use super::verdicts::{Judged, Moment, Tally};
use super::view::{Past, Scene, View};
use super::window::Window;

/// How much credit an input adds. A judgement costs [`OPERATION_COST`] for each operation, and more the more files
/// there are.
const CREDIT_PER_INPUT: u64 = 1_000;
const OPERATION_COST: u64 = 8;

/// How many refusals are judged, each against all operations of its path.
const REFUSALS_MAX: usize = 1_000;

/// The guarantees that are about answers to clients, beside G5's order of all operations.
const OF_ANSWERS: [GuaranteeId; 3] =
    [GuaranteeId::AckedWritesSurvive, GuaranteeId::Linearizable, GuaranteeId::VersionsNeverGoBack];

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
    mark: Mark,
    starts: u64,
    /// The replica when it last began or ceased to lead, or changed its promise.
    standing: Option<Replica>,
}

pub(super) struct Judge {
    settings: Settings,
    has_one_clock: bool,
    history: History,
    /// The history when a node was last judged.
    judged_history: History,
    known: Vec<Known>,
    entries: Entries,
    credit: u64,
    rested: Vec<Rest>,
    broken: BTreeMap<GuaranteeId, Moment>,
    tally: Tally,
}

impl Judge {
    /// `has_one_clock` says whether the times of all nodes can be compared.
    pub(super) fn new(settings: Settings, has_one_clock: bool, nodes: &[Replayed]) -> Judge {
        let history = History::of_any_clients(has_one_clock && settings.is_consistent());
        let known = nodes.iter().map(|it| Known {
            window: Window::of(it.identity, &[]),
            judged: Past::default(),
            mark: Mark::default(),
            starts: 0,
            standing: None,
        });
        Judge {
            settings,
            has_one_clock,
            judged_history: history.clone(),
            history,
            known: known.collect(),
            entries: Entries::default(),
            credit: 0,
            rested: Vec::new(),
            broken: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// A client asks a node.
    pub(super) fn on_input(&mut self, node: NodeId, input: &Input) {
        let (request, path, kind) = match input {
            Input::Write(it) => {
                let kind = OperationKind::write(it.intent.clone(), it.base.clone());
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

    /// A node has started, for the first time or after a crash, which may have rolled its log back.
    pub(super) fn on_started(&mut self, scene: Scene<'_>, moment: Moment, is_rolled_back: bool) {
        let at = moment.node.index();
        let node = &scene.nodes[at];
        let log = node.node.storage().records();
        self.known[at].starts += 1;
        self.known[at].standing = None;
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
        match self.known[at].window.take_back(last_index(log)) {
            Some(gone) => self.entries.forget(moment.node, &gone),
            None => self.known[at].window = Window::of(node.identity, log),
        }
        self.judge(scene, moment);
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
                let kind = OperationKind::write(intent, Base::Named(entry.replaces.clone()));
                let (path, origin) = (entry.path.clone(), entry.dot.origin);
                self.history.on_invoked(entry.request, path, origin, kind);
            }
            self.entries.note(entry, self.history.rolled_back());
        }
    }

    /// A node has heard an input, and given these answers.
    pub(super) fn on_heard(
        &mut self,
        scene: Scene<'_>,
        moment: Moment,
        answers: Vec<(RequestId, Outcome)>,
    ) {
        let at = moment.node.index();
        let node = &scene.nodes[at];
        self.credit = self.credit.saturating_add(CREDIT_PER_INPUT);
        let before: Vec<(RequestId, History)> =
            answers.iter().map(|(it, _)| (*it, self.history.only(*it))).collect();
        let has_changed_leader = self.note_deeds(moment, node, answers);
        for (request, before) in before {
            let after = self.history.only(request);
            self.judge_answer(scene, moment, (&before, &after));
        }
        let is_changed = self.known[at].mark != self.mark_of(node, at);
        self.tally.changes += u64::from(is_changed);
        let is_covered = self.credit >= self.cost(node);
        if is_changed && (is_covered || has_changed_leader) {
            self.judge(scene, moment);
        } else if is_covered && self.has_come_to_rest(scene) {
            self.judge_state(scene, moment);
        }
        // A record stays in the window until the node has been judged with it.
        let known = &mut self.known[at];
        known.window.shrink(node.node.storage().synced().min(known.mark.length));
    }

    /// Brings the history up to date. Returns whether the node began or ceased to lead.
    fn note_deeds(
        &mut self,
        moment: Moment,
        node: &Replayed,
        answers: Vec<(RequestId, Outcome)>,
    ) -> bool {
        let known = &mut self.known[moment.node.index()];
        let storage = node.node.storage();
        let length_before = known.window.records().len();
        known.window.follow(storage.records());
        let records = known.window.records();
        let standing = known.standing.as_ref();
        let (past, synced) = (&records[..length_before], storage.synced());
        let before = NodeView { replica: standing, records: past, synced };
        let after = NodeView { replica: node.replica(), records, synced };
        let did = Did::of(&before, &after, answers);
        if !did.is_nothing() {
            self.history.on_did(&did);
        }
        for entry in records[length_before..].iter().flat_map(Record::entries) {
            // Ensures that no two nodes use a dot for different entries, however far apart: G8.
            if !self.entries.note(entry, self.history.rolled_back()) {
                self.broken.entry(GuaranteeId::NoGaps).or_insert(moment);
            }
        }
        let of = |it: Option<&Replica>| it.map(|it| (it.leads(), it.promise()));
        let (was, is) = (of(standing), of(node.replica()));
        if was != is {
            known.standing = node.replica().cloned();
        }
        let leads = |it: Option<(bool, Epoch)>| it.is_some_and(|(leads, _)| leads);
        was != is && (leads(was) || leads(is))
    }

    /// Judges an answer by the state in which it was given. The histories hold its operation alone.
    fn judge_answer(
        &mut self,
        scene: Scene<'_>,
        moment: Moment,
        (before, after): (&History, &History),
    ) {
        self.tally.answers += 1;
        let windows: Vec<&Window> = self.known.iter().map(|it| &it.window).collect();
        let view = |history| View {
            settings: self.settings,
            scene,
            windows: &windows,
            history,
            past: None,
            entries: &self.entries,
            has_judged_answers: false,
        };
        let (before, after) = (view(before), view(after));
        let is_broken = |it: &GuaranteeId| !keeps(*it, &before, &after, moment.node);
        let broken: Vec<GuaranteeId> = OF_ANSWERS.into_iter().filter(is_broken).collect();
        self.note_broken(broken, moment);
    }

    /// Judges a node that has changed, and the state that it has come to.
    fn judge(&mut self, scene: Scene<'_>, moment: Moment) {
        let at = moment.node.index();
        let windows: Vec<&Window> = self.known.iter().map(|it| &it.window).collect();
        let now = View {
            settings: self.settings,
            scene,
            windows: &windows,
            history: &self.history,
            past: None,
            entries: &self.entries,
            has_judged_answers: true,
        };
        let past = Some((moment.node, &self.known[at].judged));
        let before = View { history: &self.judged_history, past, ..now };
        let broken: Vec<GuaranteeId> = broken_by_step(&before, &now, moment.node).iter().collect();
        self.tally.steps += 1;
        self.note_broken(broken, moment);
        self.judged_history = self.history.clone();
        self.note_judged(&scene.nodes[at], at);
        self.judge_state(scene, moment);
    }

    /// Judges the present state.
    fn judge_state(&mut self, scene: Scene<'_>, moment: Moment) {
        self.credit = 0;
        let is_quiet = scene.is_quiet();
        if is_quiet {
            self.rested = self.rests(scene);
        }
        let windows: Vec<&Window> = self.known.iter().map(|it| &it.window).collect();
        let view = View {
            settings: self.settings,
            scene,
            windows: &windows,
            history: &self.history,
            past: None,
            entries: &self.entries,
            has_judged_answers: true,
        };
        let is_led = { &view as &dyn ClusterView }.has_leader();
        let is_new = |it: &GuaranteeId| !self.broken.contains_key(it);
        let broken = guarantees().iter().map(|it| it.id()).filter(is_new);
        let broken: Vec<GuaranteeId> = broken.filter(|it| !holds(*it, &view)).collect();
        self.tally.states += 1;
        self.tally.rests += u64::from(is_quiet && is_led);
        self.note_broken(broken, moment);
    }

    fn note_broken(&mut self, broken: Vec<GuaranteeId>, moment: Moment) {
        for id in broken.into_iter().filter(|it| it.guarantee().is_promised(self.settings)) {
            self.broken.entry(id).or_insert(moment);
        }
    }

    fn note_judged(&mut self, node: &Replayed, at: usize) {
        let mark = self.mark_of(node, at);
        let known = &mut self.known[at];
        known.mark = mark;
        known.judged = Past {
            replica: node.replica().cloned(),
            records: known.window.records().to_vec(),
            synced: node.node.storage().synced(),
        };
    }

    fn cost(&self, node: &Replayed) -> u64 {
        let files = node.replica().map_or(0, |it| it.files().len() as u64);
        // Some judges compare each file with each operation.
        self.history.operations().len() as u64 * (OPERATION_COST + files / OPERATION_COST)
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
        for (at, node) in scene.nodes.iter().enumerate().filter(|_| fits) {
            if self.known[at].starts > 0 && self.known[at].mark != self.mark_of(node, at) {
                self.judge(scene, Moment { node: node.identity.node, ..node.moment() });
            }
        }
        if fits && self.known.iter().all(|it| it.starts > 0) {
            self.judge_state(scene, end);
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
        let refused = self.history.operations().iter().filter(|it| it.status == Status::Refused);
        let mut refused = refused.filter(|it| it.observed().is_some()).take(REFUSALS_MAX);
        if !contradictions.is_empty() || !refused.all(|it| self.history.explains_refusal(it)) {
            self.broken.entry(GuaranteeId::Linearizable).or_insert(end);
        }
    }
}
