//! From a run to its story.

mod differences;
mod flights;
mod operations;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};

use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, GuaranteeSet, guarantees, holds};
use steadfast_node::ContentCopy;
use steadfast_protocol::{ContentId, Dot, Epoch, Files, NodeId, Packet, Record};
use steadfast_trace::{Scope, Step};

use crate::story::{Break, Change, Fate, Moment, Role, Span, SpanKind, Story};
use crate::{Scene, words};

/// Watches a run step by step and writes its story.
pub struct Teller {
    story: Story,
    /// The messages under way: places in the story, with the fields that are compared.
    under_way: Vec<(usize, Packet)>,
    /// Per node its files when it was last up.
    files: Vec<Files>,
    /// Per node the copies of the contents in `contents`.
    copies: Vec<BTreeMap<ContentId, ContentCopy>>,
    /// The contents that some client put.
    contents: BTreeSet<ContentId>,
    /// Per node the last step that it took part in.
    latest: Vec<Option<usize>>,
    /// The guarantees that did not hold after the last step.
    broken: GuaranteeSet,
    /// Those that did not hold where the story begins.
    was_broken: GuaranteeSet,
    /// Whether linearizability is judged.
    judges_reads: bool,
    trail: Trail,
}

/// The steps that made facts, for reasons.
#[derive(Default)]
struct Trail {
    /// When a node logged an entry.
    logged: BTreeMap<(NodeId, Dot), usize>,
    /// When a node began to lead an epoch.
    led: BTreeMap<(Epoch, NodeId), usize>,
    /// When a node last crashed.
    crashed: BTreeMap<NodeId, usize>,
}

impl Teller {
    /// Begins the story of a run that is at this scene after `first` steps.
    #[must_use]
    pub fn begin(
        scope: &Scope,
        variant: Option<&Variant>,
        first: usize,
        scene: &dyn Scene,
    ) -> Teller {
        let cluster = scene.cluster();
        let nodes = usize::from(scope.settings.nodes());
        let title = match variant {
            Some(it) => format!("{} as {}", words::clipped(&scope.name, 80), it.name),
            None => words::clipped(&scope.name, 80),
        };
        let story = Story {
            title,
            about: about(scope, variant),
            nodes: scope.settings.nodes(),
            first,
            start: cluster.nodes().map(|(id, node)| differences::facts(id, &node)).collect(),
            ..Story::default()
        };
        let mut teller = Teller {
            story,
            under_way: Vec::new(),
            files: cluster.nodes().map(|(_, it)| it.shown(cluster.decisions())).collect(),
            copies: vec![BTreeMap::new(); nodes],
            contents: BTreeSet::new(),
            latest: vec![None; nodes],
            broken: broken(scene),
            was_broken: broken(scene),
            judges_reads: scope.bounds.reads > 0,
            trail: Trail::default(),
        };
        let before: Vec<&str> = teller.was_broken.iter().map(|it| it.short()).collect();
        if !before.is_empty() {
            teller.story.about.push(("broken before", before.join(", ")));
        }
        teller.begin_spans(scene);
        teller.begin_flights(scene);
        teller.begin_operations(scene);
        teller.begin_copies(scene);
        teller
    }

    /// Adds a step that led from one scene to the next.
    pub fn step(&mut self, step: &Step, before: &dyn Scene, after: &dyn Scene) {
        let number = self.story.last() + 1;
        let mut changes = Vec::new();
        let mut causes = BTreeSet::new();
        self.follow_flights(number, step, before, after, &mut changes, &mut causes);
        self.follow_operations(number, after, &mut changes);
        self.follow_cut(number, before, after, &mut changes, &mut causes);
        self.follow_nodes(number, before, after, &mut changes);
        self.follow_breaks(number, before, after, &mut changes);
        let nodes = self.participants(step, &changes);
        causes.extend(nodes.iter().filter_map(|it| self.latest[it.index()]));
        nodes.iter().for_each(|it| self.latest[it.index()] = Some(number));
        let moment = Moment {
            number,
            step: *step,
            words: self.words(step, &changes),
            nodes: nodes.into_iter().collect(),
            paths: self.paths(&changes),
            causes: causes.into_iter().collect(),
            changes,
        };
        self.story.moments.push(moment);
    }

    /// The story so far. `ends_early` says why it ends before the run did, if so.
    #[must_use]
    pub fn finish(mut self, ends_early: Option<String>) -> Story {
        self.story.ends_early = ends_early;
        self.story.about.push(("clients", self.verdict()));
        self.story
    }

    /// The verdict on the client operations.
    fn verdict(&self) -> String {
        let broken = self.story.breaks.iter().find(|it| it.id == GuaranteeId::Linearizable.short());
        match (self.judges_reads, broken) {
            (false, _) => "not judged: this scope has no reads".to_owned(),
            (true, Some(it)) => format!("not linearizable from step {} on", it.step),
            (true, None) if self.was_broken.contains(GuaranteeId::Linearizable) => {
                format!("not linearizable, already at step {}", self.story.first)
            }
            (true, None) => "linearizable".to_owned(),
        }
    }

    fn begin_spans(&mut self, scene: &dyn Scene) {
        let begin = self.story.first;
        for (node, facts) in (0..).map(NodeId).zip(&self.story.start) {
            let kind = match facts.role {
                Role::Leads => SpanKind::Leads { node, epoch: facts.epoch.clone() },
                Role::Down => SpanKind::Down { node },
                Role::Follows | Role::Asks | Role::Halted => continue,
            };
            self.story.spans.push(Span { kind, begin, end: None });
        }
        if let Some(cut) = scene.world().cut {
            self.story.spans.push(Span { kind: SpanKind::Cut(cut), begin, end: None });
        }
    }

    fn follow_cut(
        &mut self,
        number: usize,
        before: &dyn Scene,
        after: &dyn Scene,
        changes: &mut Vec<Change>,
        causes: &mut BTreeSet<usize>,
    ) {
        let (old, new) = (before.world().cut, after.world().cut);
        if old == new {
            return;
        }
        let is_cut = |it: &&mut Span| it.end.is_none() && matches!(it.kind, SpanKind::Cut(_));
        for span in self.story.spans.iter_mut().filter(is_cut) {
            span.end = Some(number);
            causes.insert(span.begin);
        }
        changes.push(new.map_or(Change::Healed, Change::Cut));
        let begun = new.map(|cut| Span { kind: SpanKind::Cut(cut), begin: number, end: None });
        self.story.spans.extend(begun);
        causes.remove(&self.story.first);
    }

    /// Begins and ends the spans of a node whose role has changed.
    fn on_role(&mut self, number: usize, node: NodeId, role: Role, epoch: &str) {
        for span in self.story.spans.iter_mut().filter(|it| it.end.is_none()) {
            let goes_on = match &span.kind {
                SpanKind::Leads { node: of, epoch: led } => {
                    *of != node || (role == Role::Leads && led == epoch)
                }
                SpanKind::Down { node: of } => *of != node || role == Role::Down,
                SpanKind::Cut(_) => true,
            };
            if !goes_on {
                span.end = Some(number);
            }
        }
        let kind = match role {
            Role::Leads => SpanKind::Leads { node, epoch: epoch.to_owned() },
            Role::Down => SpanKind::Down { node },
            Role::Follows | Role::Asks | Role::Halted => return,
        };
        if !self.story.spans.iter().any(|it| it.end.is_none() && it.kind == kind) {
            self.story.spans.push(Span { kind, begin: number, end: None });
        }
    }

    fn follow_breaks(
        &mut self,
        number: usize,
        before: &dyn Scene,
        after: &dyn Scene,
        changes: &mut Vec<Change>,
    ) {
        let now = broken(after);
        let was = self.broken;
        for id in now.iter().filter(|it| !was.contains(*it)) {
            let reason = self.reason(id, number, before, after);
            changes.push(Change::Broke(self.story.breaks.len()));
            self.story.breaks.push(Break {
                step: number,
                id: id.short(),
                name: id.name(),
                promise: id.guarantee().promise(),
                is_promised: id.guarantee().is_promised(after.cluster().settings()),
                reason: reason.words,
                steps: reason.steps.into_iter().filter(|it| *it > self.story.first).collect(),
            });
        }
        self.broken = now;
    }

    /// The nodes that a step happens to.
    fn participants(&self, step: &Step, changes: &[Change]) -> BTreeSet<NodeId> {
        let mut nodes: BTreeSet<NodeId> = step.node().into_iter().collect();
        for change in changes {
            match change {
                Change::Appended { node, .. }
                | Change::Synced { node, .. }
                | Change::Truncated { node, .. }
                | Change::Trimmed { node, .. }
                | Change::Became { node, .. }
                | Change::Shows { node, .. }
                | Change::Copy { node, .. }
                | Change::Link { node, .. } => {
                    nodes.insert(*node);
                }
                Change::Sent(at) => {
                    nodes.insert(self.story.flights[*at].from);
                }
                _ => {}
            }
        }
        nodes.retain(|it| it.index() < self.latest.len());
        nodes
    }

    /// The paths that changes are about.
    fn paths(&self, changes: &[Change]) -> Vec<String> {
        let mut paths = BTreeSet::new();
        for change in changes {
            match change {
                Change::Appended { records, .. } => {
                    paths.extend(records.iter().filter_map(|it| it.path.clone()));
                }
                Change::Shows { path, .. } => {
                    paths.insert(path.clone());
                }
                Change::Sent(at) | Change::Arrived(at) | Change::Lost(at) => {
                    paths.extend(self.story.flights[*at].paths.iter().cloned());
                }
                Change::Invoked(at)
                | Change::Retried(at)
                | Change::Answered { operation: at, .. } => {
                    paths.insert(self.story.operations[*at].path.clone());
                }
                _ => {}
            }
        }
        paths.into_iter().collect()
    }

    /// A step in words.
    fn words(&self, step: &Step, changes: &[Change]) -> String {
        let asked = changes.iter().find_map(|it| match it {
            Change::Invoked(at) => Some(("client asks", &self.story.operations[*at])),
            Change::Retried(at) => Some(("client asks again", &self.story.operations[*at])),
            _ => None,
        });
        if let Some((how, it)) = asked {
            return format!("{how} {}: {} (request {})", it.node, it.asked, it.number);
        }
        let handled = changes.iter().find_map(|it| match it {
            Change::Arrived(at) | Change::Lost(at) => Some(&self.story.flights[*at]),
            _ => None,
        });
        match (step, handled) {
            (Step::Deliver { .. } | Step::Drop { .. } | Step::Duplicate { .. }, Some(flight)) => {
                format!("{step}: {}", flight.label)
            }
            _ => step.to_string(),
        }
    }
}

fn broken(scene: &dyn Scene) -> GuaranteeSet {
    let mut set = GuaranteeSet::default();
    let ids = guarantees().iter().map(|it| it.id());
    ids.filter(|it| !holds(*it, scene.cluster())).for_each(|it: GuaranteeId| set.insert(it));
    set
}

fn about(scope: &Scope, variant: Option<&Variant>) -> Vec<(&'static str, String)> {
    let settings = scope.settings;
    let (nodes, elect, write) = (settings.nodes(), settings.elect(), settings.write());
    let kind = if settings.is_consistent() { "consistent: E+W>N" } else { "available: E+W<=N" };
    let protocol = match variant {
        Some(it) => format!("{}: {}", it.name, it.about),
        None => "as it is".to_owned(),
    };
    vec![
        ("scope", words::clipped(&scope.name, 80)),
        (
            "settings",
            format!(
                "{nodes} nodes, {elect} votes to lead, {write} synced copies to acknowledge ({kind})"
            ),
        ),
        ("network", scope.network.to_string()),
        ("protocol", protocol),
    ]
}

/// Whether a record is an entry, and which.
fn dot_of(record: &Record) -> Option<Dot> {
    match record {
        Record::Entry(entry) => Some(entry.dot),
        _ => None,
    }
}

/// Whether a message has ended its way.
fn is_under_way(fate: Fate) -> bool {
    fate == Fate::UnderWay
}
