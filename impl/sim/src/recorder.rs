//! The steps of a run, from which it can be replayed.

use steadfast_protocol::{ContentId, Intent, Path, WriteRequest};
use steadfast_trace::{Bounds, Names, Scope, Start, Step, Trace, TraceStep, WriteKind};

use crate::Setup;
use crate::contents::content_id;
use crate::happening::{Happening, count};

/// The steps of a run, and the names that it gave to numbers.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    /// Whether steps are kept.
    keeps: bool,
    steps: Vec<Step>,
    names: Names,
}

impl Recorder {
    pub(crate) fn new(keeps: bool) -> Recorder {
        Recorder { keeps, steps: Vec::new(), names: Names::default() }
    }

    /// Records a happening with the names in it; returns it as the trace has it, with numbers of paths only
    /// if steps are kept.
    pub(crate) fn record(&mut self, happening: &Happening) -> Step {
        if !self.keeps {
            return happening.step(|_| 0);
        }
        if let Happening::Write { write: WriteRequest { request, intent, .. }, .. } = happening
            && let Intent::Put(content) = intent
        {
            self.names.contents.insert(request.number, content.clone());
        }
        let step = happening.step(|path| path_number(&mut self.names.paths, path));
        self.steps.push(step);
        step
    }

    /// The run as a trace.
    pub(crate) fn trace(&self, setup: &Setup, breaks: Vec<String>) -> Trace {
        let variant = setup.variant.map(|it| it.name.to_owned());
        let steps = self.steps.iter().map(|it| TraceStep { step: *it, note: String::new() });
        Trace::new(self.scope(setup), variant, breaks, steps.collect())
    }

    /// A digest of every step that was taken.
    pub(crate) fn digest(&self) -> u64 {
        let bytes = postcard::to_allocvec(&self.steps)
            .unwrap_or_else(|error| panic!("steps-are-encodable: {error}"));
        let ContentId(name) = content_id(&bytes);
        name.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
    }

    /// The largest number of links that a cut has lost without splitting the cluster.
    fn lost_links(&self) -> u32 {
        let cuts = self.steps.iter().filter_map(|it| match it {
            Step::Cut(cut) => Some(cut.lost_links()),
            _ => None,
        });
        cuts.max().unwrap_or(0)
    }

    /// The scope of the run: exactly as much of everything as happened.
    fn scope(&self, setup: &Setup) -> Scope {
        Scope {
            network: setup.network,
            start: Start::Cold,
            link_events_apart: true,
            one_way_cuts: true,
            lost_links: self.lost_links(),
            pipelined_syncs: true,
            named_contents: true,
            guards_elections: setup.guards_elections,
            forgets_deletes: setup.forgets_deletes,
            forgets_requests: setup.forgets_requests,
            own_incarnations: true,
            limits: setup.limits,
            names: self.names.clone(),
            ..Scope::new(setup.name.clone(), setup.settings, self.used())
        }
    }

    /// The bounds that the steps use up.
    fn used(&self) -> Bounds {
        let of = |is_it: fn(&Step) -> bool| count(self.steps.iter().filter(|it| is_it(it)).count());
        Bounds {
            writes: of(|it| matches!(it, Step::Write { .. })),
            deletes: of(|it| matches!(it, Step::Write { kind: WriteKind::Delete, .. })),
            resolves: of(|it| {
                use WriteKind::{Resolve, Restore};
                matches!(it, Step::Write { kind: Resolve | Restore(_), .. })
            }),
            retries: of(|it| matches!(it, Step::Retry { .. })),
            reads: of(|it| matches!(it, Step::Read { .. })),
            stale_reads: of(|it| matches!(it, Step::StaleRead { .. })),
            crashes: of(|it| matches!(it, Step::Crash { .. })),
            partitions: of(|it| matches!(it, Step::Cut(_))),
            elections: of(|it| matches!(it, Step::Timeout { .. })),
            paths: count(self.names.paths.len().max(1)),
            rot: of(|it| matches!(it, Step::Rot { .. })),
            ticks: of(|it| matches!(it, Step::Tick { .. })),
            drops: of(|it| matches!(it, Step::Drop { .. })),
            duplicates: of(|it| matches!(it, Step::Duplicate { .. })),
            rollbacks: of(|it| matches!(it, Step::Rollback { .. })),
            lost_contents: of(|it| matches!(it, Step::LoseContent { .. })),
            trims: of(|it| matches!(it, Step::Trim { .. })),
            replacements: of(|it| matches!(it, Step::Replace { .. })),
        }
    }
}

/// The number of a path, which is new if the path was never met.
fn path_number(paths: &mut Vec<Path>, path: &Path) -> u32 {
    count(paths.iter().position(|it| it == path).unwrap_or_else(|| {
        paths.push(path.clone());
        paths.len() - 1
    }))
}
