//! A run that may break a guarantee, and what can be taken away from it.

use std::collections::BTreeMap;
use std::ops::Range;

use stateright::Model;
use steadfast_cluster::{ClusterModel, ClusterState};
use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::twins::Variant;
use steadfast_protocol::{Content, NodeId, Settings};
use steadfast_trace::{Bounds, Cut, Network, Scope, Start, Step, Trace, TraceStep};

/// The rest of a candidate is tried again at most this many times: each time its requests have other
/// numbers.
const TRIES_MAX: usize = 8;

/// A step, and the number that its request had at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Item {
    step: Step,
    /// Of a request the number that it had at first; of a retry that of the request it repeats.
    request: Option<u64>,
}

/// A run to be tried.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    scope: Scope,
    /// What the requests put, by their first numbers.
    contents: BTreeMap<u64, Content>,
    pub items: Vec<Item>,
}

/// How long and how complicated a run is: what counts most comes first.
pub(super) type Cost = (usize, u8, u32, usize, u64);

impl Candidate {
    pub(super) fn of(trace: &Trace) -> Candidate {
        let mut requests = 0;
        let item = |it: &TraceStep| {
            let request = match it.step {
                Step::Write { .. } | Step::Read { .. } | Step::StaleRead { .. } => {
                    let number = requests;
                    requests += 1;
                    Some(number)
                }
                Step::Retry { request, .. } => Some(request),
                _ => None,
            };
            Item { step: it.step, request }
        };
        let items = trace.steps.iter().map(item).collect();
        let mut scope = trace.scope.clone();
        let contents = std::mem::take(&mut scope.names.contents);
        Candidate { scope, contents, items }
    }

    /// The same without some of the steps.
    pub(super) fn without(&self, range: Range<usize>) -> Candidate {
        let mut fewer = self.clone();
        fewer.items.drain(range);
        fewer
    }

    pub(super) fn cost(&self) -> Cost {
        let scope = &self.scope;
        let extras = [
            scope.link_events_apart,
            scope.one_way_cuts,
            scope.lost_links > 0,
            scope.pipelined_syncs,
            scope.named_contents,
            scope.network != Network::Fifo,
            scope.start != Start::Led,
        ];
        let extras = extras.iter().filter(|it| **it).count();
        let odd: u64 = self.items.iter().map(|it| oddity(&it.step)).sum();
        (self.items.len(), scope.settings.nodes(), scope.bounds.paths, extras, odd)
    }

    /// The steps with the numbers that their requests have now, and the contents under these.
    fn numbered(&self) -> (Scope, Vec<Step>) {
        let mut scope = self.scope.clone();
        let mut numbers = BTreeMap::new();
        let mut steps = Vec::new();
        for item in &self.items {
            let mut step = item.step;
            match (&mut step, item.request) {
                (
                    Step::Write { .. } | Step::Read { .. } | Step::StaleRead { .. },
                    Some(request),
                ) => {
                    let number = numbers.len() as u64;
                    numbers.insert(request, number);
                    if let Some(content) = self.contents.get(&request) {
                        scope.names.contents.insert(number, content.clone());
                    }
                }
                // A request that is not made has a number that no run reaches.
                (Step::Retry { request: number, .. }, Some(request)) => {
                    *number = numbers.get(&request).copied().unwrap_or(u64::MAX);
                }
                _ => {}
            }
            steps.push(step);
        }
        (scope, steps)
    }

    /// The candidate without the steps that cannot be taken, up to the first one that breaks the
    /// guarantee; `None` if none does or the time is up.
    pub(super) fn breaking(
        &self,
        variant: Option<&'static Variant>,
        wanted: GuaranteeId,
        is_late: &dyn Fn() -> bool,
    ) -> Option<Candidate> {
        let mut candidate = self.clone();
        for _ in 0..TRIES_MAX {
            let (scope, steps) = candidate.numbered();
            let model = ClusterModel::new(scope, variant);
            let mut state = model.init_states().swap_remove(0);
            let mut taken = Vec::new();
            for (item, step) in candidate.items.iter().zip(&steps) {
                if is_late() {
                    return None;
                }
                if model.keeps(wanted, &state)
                    && let Some(next) = take(&model, &state, step)
                {
                    state = next;
                    taken.push(*item);
                }
            }
            if model.keeps(wanted, &state) {
                return None;
            }
            let is_whole = taken.len() == candidate.items.len();
            candidate.items = taken;
            if is_whole {
                return Some(candidate);
            }
        }
        None
    }

    /// The same run with exactly the bounds that it uses.
    pub(super) fn with_used_bounds(&self) -> Candidate {
        let (_, steps) = self.numbered();
        let count = |is_it: fn(&Step) -> bool| {
            u32::try_from(steps.iter().filter(|it| is_it(it)).count()).unwrap_or(u32::MAX)
        };
        use steadfast_trace::WriteKind::{Delete, Resolve, Restore};
        let bounds = Bounds {
            writes: count(|it| matches!(it, Step::Write { .. })),
            deletes: count(|it| matches!(it, Step::Write { kind: Delete, .. })),
            resolves: count(|it| matches!(it, Step::Write { kind: Resolve | Restore(_), .. })),
            retries: count(|it| matches!(it, Step::Retry { .. })),
            // Linearizability is judged in scopes with reads only, so the last one stays.
            reads: count(|it| matches!(it, Step::Read { .. }))
                .max(u32::from(self.scope.bounds.reads > 0)),
            stale_reads: count(|it| matches!(it, Step::StaleRead { .. })),
            crashes: count(|it| matches!(it, Step::Crash { .. })),
            partitions: count(|it| matches!(it, Step::Cut(_))),
            elections: count(|it| matches!(it, Step::Timeout { .. })),
            rollbacks: count(|it| matches!(it, Step::Rollback { .. })),
            lost_contents: count(|it| matches!(it, Step::LoseContent { .. })),
            trims: count(|it| matches!(it, Step::Trim { .. })),
            replacements: count(|it| matches!(it, Step::Replace { .. })),
            rot: count(|it| matches!(it, Step::Rot { .. })),
            ticks: count(|it| matches!(it, Step::Tick { .. })),
            drops: count(|it| matches!(it, Step::Drop { .. })),
            duplicates: count(|it| matches!(it, Step::Duplicate { .. })),
            paths: self.scope.bounds.paths,
        };
        Candidate { scope: Scope { bounds, ..self.scope.clone() }, ..self.clone() }
    }

    /// The trace of the run, without notes.
    pub(super) fn trace(&self, variant: Option<&Variant>) -> Trace {
        let (scope, steps) = self.numbered();
        let steps = steps.into_iter().map(|step| TraceStep { step, note: String::new() });
        let variant = variant.map(|it| it.name.to_owned());
        Trace::new(scope, variant, Vec::new(), steps.collect())
    }

    /// Runs with something taken away besides steps.
    pub(super) fn simpler(&self) -> Vec<Candidate> {
        let nodes = NodeId::all(self.scope.settings.nodes());
        let mut simpler: Vec<Candidate> = nodes.flat_map(|it| self.without_node(it)).collect();
        simpler.extend((1..self.scope.bounds.paths).rev().map(|it| self.without_path(it)));
        let mut with = |change: fn(&mut Scope)| {
            let mut other = self.clone();
            change(&mut other.scope);
            simpler.push(other);
        };
        with(|it| it.start = Start::Led);
        // Only a lossy network may have bounds for these.
        let loses = |it: &Item| matches!(it.step, Step::Drop { .. } | Step::Duplicate { .. });
        if !self.items.iter().any(loses) {
            with(|it| it.network = Network::Fifo);
        }
        with(|it| it.link_events_apart = false);
        with(|it| it.one_way_cuts = false);
        with(|it| it.lost_links = 0);
        with(|it| it.pipelined_syncs = false);
        with(|it| it.named_contents = false);
        for (at, item) in self.items.iter().enumerate().filter(|(_, it)| oddity(&it.step) > 0) {
            let mut other = self.clone();
            other.items[at].step = plainer(&item.step);
            simpler.push(other);
        }
        simpler
    }

    /// The cluster without one of its nodes, with the E and W that are possible then and as close
    /// as can be.
    fn without_node(&self, gone: NodeId) -> Vec<Candidate> {
        let settings = self.scope.settings;
        let small = |it: usize| u8::try_from(it).unwrap_or(u8::MAX);
        let (elect, write) = (small(settings.elect()), small(settings.write()));
        let fewer = settings.nodes().saturating_sub(1);
        let choices =
            [(elect, write), (elect, write - 1), (elect - 1, write), (elect - 1, write - 1)];
        let is_same_kind = |it: &Settings| it.is_consistent() == settings.is_consistent();
        let possible = choices.iter().filter_map(|(elect, write)| {
            Settings::new(fewer, *elect, *write).ok().filter(is_same_kind)
        });
        let items = self.items.iter().filter_map(|it| {
            Some(Item { step: without_node(it.step, gone, fewer)?, request: it.request })
        });
        let items: Vec<Item> = items.collect();
        let with = |settings| Candidate {
            scope: Scope { settings, ..self.scope.clone() },
            contents: self.contents.clone(),
            items: items.clone(),
        };
        possible.map(with).collect()
    }

    /// Everything on one path happens on the first one, and those behind it close the gap.
    fn without_path(&self, gone: u32) -> Candidate {
        let mut other = self.clone();
        other.scope.bounds.paths -= 1;
        if (gone as usize) < other.scope.names.paths.len() {
            other.scope.names.paths.remove(gone as usize);
        }
        for item in &mut other.items {
            if let Step::Write { path, .. }
            | Step::Read { path, .. }
            | Step::StaleRead { path, .. } = &mut item.step
            {
                *path = match (*path).cmp(&gone) {
                    std::cmp::Ordering::Less => *path,
                    std::cmp::Ordering::Equal => 0,
                    std::cmp::Ordering::Greater => *path - 1,
                };
            }
        }
        other
    }
}

fn take(model: &ClusterModel, state: &ClusterState, step: &Step) -> Option<ClusterState> {
    model.admits(state, step).then(|| model.perform(state, step))?
}

/// How far a step is from the plainest of its kind.
fn oddity(step: &Step) -> u64 {
    match step {
        Step::Crash { torn, kept, .. } => u64::from(*torn) + u64::from(*kept),
        Step::Cut(Cut::Around { one_way, .. }) => u64::from(*one_way),
        Step::Cut(Cut::Links { lost }) => lost.len() as u64,
        Step::Write { kind, .. } => u64::from(*kind != steadfast_trace::WriteKind::Put),
        Step::Deliver { nth, .. } => u64::from(*nth),
        _ => 0,
    }
}

/// The same a little plainer.
fn plainer(step: &Step) -> Step {
    match *step {
        Step::Crash { node, kept, torn: true } => Step::Crash { node, kept, torn: false },
        Step::Crash { node, kept, torn } => {
            Step::Crash { node, kept: kept.saturating_sub(1), torn }
        }
        Step::Cut(Cut::Around { side, .. }) => Step::Cut(Cut::Around { side, one_way: false }),
        Step::Cut(Cut::Links { lost }) if lost.len() > 1 => {
            let fewer = lost.iter().skip(1).collect();
            Step::Cut(Cut::Links { lost: fewer })
        }
        Step::Write { node, path, .. } => {
            Step::Write { node, path, kind: steadfast_trace::WriteKind::Put }
        }
        Step::Deliver { from, to, nth } => Step::Deliver { from, to, nth: nth.saturating_sub(1) },
        other => other,
    }
}

/// A step in a cluster without a node, whose numbers are closed up; nothing if it is about that one.
fn without_node(step: Step, gone: NodeId, left: u8) -> Option<Step> {
    step.with_nodes(left, |it| match it.cmp(&gone) {
        std::cmp::Ordering::Less => Some(it),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(NodeId(it.0 - 1)),
    })
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::NodeSet;
    use steadfast_trace::WriteKind::Put;

    use super::*;

    fn candidate(steps: &[Step]) -> Candidate {
        let settings = Settings::new(3, 2, 2).expect("majorities");
        let mut scope = Scope::new("test", settings, Bounds { paths: 3, ..Bounds::default() });
        scope.names.contents.insert(1, Content::Inline(b"second".as_slice().into()));
        let steps = steps.iter().map(|it| TraceStep { step: *it, note: String::new() });
        Candidate::of(&Trace::new(scope, None, Vec::new(), steps.collect()))
    }

    #[test]
    fn requests_have_other_numbers_when_an_earlier_one_is_left_out_and_keep_their_contents() {
        let (node, path) = (NodeId(0), 0);
        let read = Step::Read { node, path };
        let write = Step::Write { node, path, kind: Put };
        let whole = candidate(&[read, write, Step::Retry { node, request: 1 }]);
        let (scope, steps) = whole.without(0..1).numbered();
        assert_eq!(steps, [write, Step::Retry { node, request: 0 }]);
        assert_eq!(scope.content(0), Content::Inline(b"second".as_slice().into()));
        let (_, steps) = whole.without(1..2).numbered();
        assert_eq!(steps, [read, Step::Retry { node, request: u64::MAX }]);
    }

    #[test]
    fn a_node_that_is_taken_away_leaves_no_step_and_the_others_close_up() {
        let [n0, n1, n2] = [NodeId(0), NodeId(1), NodeId(2)];
        let of = |from, to| Step::Deliver { from, to, nth: 0 };
        let cut = |bits| Step::Cut(Cut::Around { side: NodeSet::from_bits(bits), one_way: false });
        let whole = candidate(&[of(n0, n1), of(n0, n2), cut(0b010), cut(0b110), Step::Heal]);
        let fewer = whole.without_node(n1);
        let settings: Vec<_> = fewer.iter().map(|it| it.scope.settings).collect();
        assert!(settings.iter().all(|it| it.nodes() == 2 && it.is_consistent()), "{settings:?}");
        let (_, steps) = fewer[0].numbered();
        assert_eq!(steps, [of(n0, n1), cut(0b01), Step::Heal]);
    }

    #[test]
    fn the_steps_on_a_path_that_is_taken_away_happen_on_the_first() {
        let on = |path| Step::Read { node: NodeId(0), path };
        let (scope, steps) = candidate(&[on(0), on(1), on(2)]).without_path(1).numbered();
        assert_eq!((steps, scope.bounds.paths), (vec![on(0), on(0), on(1)], 2));
    }

    #[test]
    fn a_run_that_loses_messages_stays_on_a_network_that_does() {
        let (from, to) = (NodeId(0), NodeId(1));
        let becomes_fifo = |step| {
            let mut whole = candidate(&[step]);
            whole.scope.network = Network::Lossy;
            let mut simpler = whole.simpler().into_iter();
            simpler.any(|it| it.items.len() == 1 && it.scope.network == Network::Fifo)
        };
        assert!(!becomes_fifo(Step::Drop { from, to, nth: 0 }));
        assert!(!becomes_fifo(Step::Duplicate { from, to, nth: 0 }));
        assert!(becomes_fifo(Step::Deliver { from, to, nth: 0 }));
    }
}
