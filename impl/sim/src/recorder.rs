//! What a run leaves for whoever wants to replay it.

use steadfast_protocol::{Content, ContentId, Path};
use steadfast_trace::{Bounds, Names, Scope, Start, Step, Trace, TraceStep};

use crate::happening::count;
use crate::{Setup, content_id};

/// The steps of a run, and the names that it gave to numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    steps: Vec<Step>,
    names: Names,
}

impl Recorder {
    pub(crate) fn record(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Notes what the request with this number puts.
    pub(crate) fn name_content(&mut self, request: u64, content: Content) {
        self.names.contents.insert(request, content);
    }

    /// The number of a path, which it is given when it is first heard of.
    pub(crate) fn path_number(&mut self, name: &str) -> u32 {
        let known = self.names.paths.iter().position(|it| it.as_str() == name);
        count(known.unwrap_or_else(|| {
            self.names.paths.push(Path::new(name));
            self.names.paths.len() - 1
        }))
    }

    pub(crate) fn path(&self, number: u32) -> Path {
        let named = self.names.paths.get(number as usize);
        named.cloned().unwrap_or_else(|| Path::new(""))
    }

    /// What happened. `left` is what remains of bounds that were [`unbounded`].
    pub(crate) fn trace(&self, setup: &Setup, left: Bounds, breaks: Vec<String>) -> Trace {
        let twin = setup.twin.map(|it| it.name.to_owned());
        let steps = self.steps.iter().map(|it| TraceStep { step: *it, note: String::new() });
        Trace::new(self.scope(setup, left), twin, breaks, steps.collect())
    }

    /// A digest of every step that was taken.
    pub(crate) fn digest(&self) -> u64 {
        let bytes = postcard::to_allocvec(&self.steps)
            .unwrap_or_else(|error| panic!("steps-are-encodable: {error}"));
        let ContentId(name) = content_id(&bytes);
        name.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
    }

    /// How many links a cut has lost at most without splitting the cluster.
    fn lost_links(&self) -> u32 {
        let cuts = self.steps.iter().filter_map(|it| match it {
            Step::Cut(cut) => Some(cut.lost_links()),
            _ => None,
        });
        cuts.max().unwrap_or(0)
    }

    /// The scope of the run: exactly as much of everything as happened.
    fn scope(&self, setup: &Setup, left: Bounds) -> Scope {
        let used = |left: u32| u32::MAX - left;
        let bounds = Bounds {
            writes: used(left.writes),
            deletes: used(left.deletes),
            resolves: used(left.resolves),
            retries: used(left.retries),
            reads: used(left.reads),
            crashes: used(left.crashes),
            partitions: used(left.partitions),
            elections: used(left.elections),
            paths: count(self.names.paths.len().max(1)),
            rot: used(left.rot),
            ticks: used(left.ticks),
            drops: used(left.drops),
            duplicates: used(left.duplicates),
            rollbacks: used(left.rollbacks),
            lost_contents: used(left.lost_contents),
        };
        Scope {
            network: setup.network,
            start: Start::Cold,
            link_events_apart: true,
            one_way_cuts: true,
            lost_links: self.lost_links(),
            pipelined_syncs: true,
            named_contents: true,
            guards_elections: setup.guards_elections,
            limits: setup.limits,
            names: self.names.clone(),
            ..Scope::new(setup.name.clone(), setup.settings, bounds)
        }
    }
}

/// Bounds that no run reaches.
pub(crate) fn unbounded() -> Bounds {
    Bounds {
        writes: u32::MAX,
        deletes: u32::MAX,
        resolves: u32::MAX,
        retries: u32::MAX,
        reads: u32::MAX,
        crashes: u32::MAX,
        partitions: u32::MAX,
        elections: u32::MAX,
        paths: 1,
        rot: u32::MAX,
        ticks: u32::MAX,
        drops: u32::MAX,
        duplicates: u32::MAX,
        rollbacks: u32::MAX,
        lost_contents: u32::MAX,
    }
}
