//! The entry points of a search.

use std::sync::atomic::Ordering;

use crate::breadth::{self, Begun, Save};
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::depth::DepthFirst;
use crate::flaw::Flaw;
use crate::graph::{self, Settling};
use crate::options::{Observer, Options, Width};
use crate::peers::Peers;
use crate::print::{Print, collision_chance};
use crate::report::{Ended, Finding, Flawed, Level, Path, Report};
use crate::run::{Run, Stop, locked};
use crate::shared::{self, Outcome, Sharing};
use crate::system::{Portable, Rule, System};
use crate::walk::{Walk, Walker};

/// The levels that a search begins with, and its current level; or the reason why it does not
/// begin.
type Begin<P> = Result<(Vec<Level>, Option<Begun>), Stop<P>>;

/// A system and the options of its search.
pub struct Search<'a, S: System> {
    pub(crate) system: &'a S,
    pub(crate) options: Options,
    pub(crate) observer: Option<&'a dyn Observer>,
}

impl<'a, S: System> Search<'a, S> {
    /// A search of a system.
    pub fn new(system: &'a S, options: Options) -> Self {
        Search { system, options, observer: None }
    }

    /// Reports progress to an observer.
    #[must_use]
    pub fn observed_by(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Searches level by level. The counts, the depth, the findings and their paths are the same for
    /// every number of threads, and no path is shorter.
    ///
    /// # Panics
    ///
    /// If the options combine [`DeadSteps::Drop`](crate::DeadSteps::Drop) with sleep sets.
    #[must_use]
    pub fn breadth_first(&self) -> Report<S> {
        match self.options.fingerprints {
            Width::Bits64 => self.breadth_first_by::<u64>(),
            Width::Bits128 => self.breadth_first_by::<u128>(),
        }
    }

    fn breadth_first_by<P: Print>(&self) -> Report<S> {
        let begin = |run: &mut Run<'_, S, P>| Ok(run.begin().map(|()| (Vec::new(), None)));
        let report = self.breadth_first_from(begin, &mut |_, _, _| Ok(()));
        report.expect("a search that is not saved has no file to fail on")
    }

    fn breadth_first_from<P: Print>(
        &self,
        begin: impl FnOnce(&mut Run<'_, S, P>) -> Result<Begin<P>, CheckpointError>,
        save: Save<'_, S, P>,
    ) -> Result<Report<S>, CheckpointError> {
        let mut run = self.run::<P>(self.options.sleep_sets);
        let (mut levels, stop) = match begin(&mut run)? {
            Err(stop) => (Vec::new(), Some(stop)),
            Ok((mut levels, resumed)) => {
                let stop = breadth::search(&run, &mut levels, resumed, save)?;
                (levels, stop)
            }
        };
        levels.shrink_to_fit();
        let depth = levels.iter().rposition(|it| it.states > 0).unwrap_or(0) as u64;
        Ok(report(&run, stop, depth, levels))
    }

    /// Searches level by level, and saves the search now and then, and when it ends as incomplete.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if it cannot be saved.
    pub fn breadth_first_saved(&self, checkpoint: &Checkpoint) -> Result<Report<S>, CheckpointError>
    where
        S: Portable,
    {
        match self.options.fingerprints {
            Width::Bits64 => self.saved::<u64>(checkpoint, false),
            Width::Bits128 => self.saved::<u128>(checkpoint, false),
        }
    }

    /// Continues a saved search, and saves it again like [`Search::breadth_first_saved`]. The
    /// report includes the counts from before the checkpoint, except for [`Report::wall`]; the
    /// limits on states and memory apply to the whole search.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the file cannot be read, is damaged, or belongs to another system,
    /// build or other options, or if the search cannot be saved.
    pub fn breadth_first_resumed(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<Report<S>, CheckpointError>
    where
        S: Portable,
    {
        match self.options.fingerprints {
            Width::Bits64 => self.saved::<u64>(checkpoint, true),
            Width::Bits128 => self.saved::<u128>(checkpoint, true),
        }
    }

    fn saved<P: Print>(
        &self,
        checkpoint: &Checkpoint,
        resumes: bool,
    ) -> Result<Report<S>, CheckpointError>
    where
        S: Portable,
    {
        let begin = |run: &mut Run<'_, S, P>| {
            run.pause_in(checkpoint.every);
            match resumes {
                false => Ok(run.begin().map(|()| (Vec::new(), None))),
                true => {
                    let (levels, begun) = checkpoint::read(run, checkpoint)?;
                    Ok(Ok((levels, Some(begun))))
                }
            }
        };
        self.breadth_first_from(begin, &mut |run, levels, begun| {
            checkpoint::write(run, levels, begun, checkpoint)?;
            run.pause_in(checkpoint.every);
            Ok(())
        })
    }

    /// Searches level by level, together with the other processes of `peers`. Each process calls this
    /// with an equal system and equal options, except for the number of threads and the limits on time
    /// and memory, which are those of the process; compare [`Search::identity`] first.
    ///
    /// Counts, depth, findings and paths are those of a search by one process, and the report is the
    /// same in each process, except for [`Report::components`], [`Report::hash_ties`],
    /// [`Report::peak_bytes`] and the times, which are those of the process. A search that one process
    /// ends as incomplete ends in all of them.
    ///
    /// # Panics
    ///
    /// As [`Search::breadth_first`], or if a process sends other ways to a state before the state.
    #[must_use]
    pub fn breadth_first_shared(&self, peers: &mut dyn Peers) -> Report<S>
    where
        S: Portable,
    {
        match self.options.fingerprints {
            Width::Bits64 => self.shared::<u64>(peers),
            Width::Bits128 => self.shared::<u128>(peers),
        }
    }

    fn shared<P: Print>(&self, peers: &mut dyn Peers) -> Report<S>
    where
        S: Portable,
    {
        let mut run = self.run::<P>(self.options.sleep_sets);
        run.sharing = Some(Sharing::new(peers));
        let begun = run.begin();
        let Outcome { mut levels, stop, unique } = shared::search(&run, peers, begun);
        levels.shrink_to_fit();
        let depth = levels.iter().rposition(|it| it.states > 0).unwrap_or(0) as u64;
        let report = report(&run, stop, depth, levels);
        Report { unique, collision_chance: collision_chance(unique, P::BITS), ..report }
    }

    /// The identity of this search, field by field: its system, the build, its options, and its
    /// properties. Processes that share a search and checkpoints agree in it.
    #[must_use]
    pub fn identity(&self, build: &str) -> [(&'static str, String); 4] {
        match self.options.fingerprints {
            Width::Bits64 => checkpoint::belongs_to::<S, u64>(self.system, &self.options, build),
            Width::Bits128 => checkpoint::belongs_to::<S, u128>(self.system, &self.options, build),
        }
    }

    /// Searches on from the state found last, on one thread and without sleep sets. Finds the same
    /// states with a smaller frontier, and paths that are not the shortest.
    #[must_use]
    pub fn depth_first(&self) -> Report<S> {
        match self.options.fingerprints {
            Width::Bits64 => self.depth_first_by::<u64>(),
            Width::Bits128 => self.depth_first_by::<u128>(),
        }
    }

    fn depth_first_by<P: Print>(&self) -> Report<S> {
        let mut run = self.run::<P>(false);
        if let Err(stop) = run.begin() {
            return report(&run, Some(stop), 0, Vec::new());
        }
        let mut search = DepthFirst::new(&run);
        let stop = search.search();
        report(&run, stop, search.depth, Vec::new())
    }

    /// Walks at random, on one thread, until [`Options::states_max`] states were visited (repeated
    /// visits count), another limit is reached, or the finding that [`Options::until`] asks for is
    /// made. The report is never complete. [`Report::unique`] is the number of visits. Marks are
    /// not noted.
    #[must_use]
    pub fn walk(&self, walk: &Walk<'_, S>) -> Report<S> {
        let mut run = self.run::<u64>(false);
        let initial = match run.initial() {
            Ok(initial) => initial,
            Err(stop) => return report(&run, Some(stop), 0, Vec::new()),
        };
        let mut walker = Walker::new(&run, walk, initial);
        let stop = walker.search();
        let (depth, visited, mut paths) = (walker.depth, walker.visited, walker.paths);
        let path = |at: usize, _| paths[at].take();
        let report = report_with(&run, Some(stop), depth, Vec::new(), path);
        Report { unique: visited, collision_chance: 0.0, ..report }
    }

    /// Searches whether every path of chosen steps, from every reachable state, ends in a state in
    /// which the property of position `good` holds. `is_chosen` selects the steps, by the rule that
    /// finds them; a step is chosen in a state if one of the rules that find it there is. Uses one
    /// thread and keeps all states in memory.
    ///
    /// # Panics
    ///
    /// If no property has the position `good`.
    pub fn settling(&self, is_chosen: &dyn Fn(Rule, &S::Step) -> bool, good: usize) -> Settling<S> {
        assert!(good < self.system.properties().len(), "no property {good}");
        match self.options.fingerprints {
            Width::Bits64 => graph::settle(&mut self.run::<u64>(false), is_chosen, good),
            Width::Bits128 => graph::settle(&mut self.run::<u128>(false), is_chosen, good),
        }
    }

    /// A run of this search.
    pub(crate) fn run<P: Print>(&self, sleeps: bool) -> Run<'_, S, P> {
        Run::new(self.system, &self.options, self.observer, sleeps)
    }
}

/// The report of a run.
pub(crate) fn report<S: System, P: Print>(
    run: &Run<'_, S, P>,
    stop: Option<Stop<P>>,
    depth: u64,
    levels: Vec<Level>,
) -> Report<S> {
    report_with(run, stop, depth, levels, |_, print| run.path(print))
}

/// The report of a run, given a function from a property's position and a state to the path.
fn report_with<S: System, P: Print>(
    run: &Run<'_, S, P>,
    stop: Option<Stop<P>>,
    depth: u64,
    levels: Vec<Level>,
    mut path: impl FnMut(usize, P) -> Option<Path<S>>,
) -> Report<S> {
    let mut ended = run.ended(stop);
    let mut findings = Vec::new();
    for (at, print) in run.found() {
        let (property, expected) = (run.properties[at].name.clone(), run.properties[at].expected);
        match path(at, print) {
            Some(path) => findings.push(Finding { property, expected, path }),
            None if matches!(ended, Ended::Flawed(_) | Ended::Peer(_)) => {}
            None => {
                let flaw = Flaw::NotRepeatable;
                ended = Ended::Flawed(Box::new(Flawed { flaw, state: Vec::new(), path: None }));
            }
        }
    }
    let unique = run.visited().len() as u64;
    let (components, hash_ties) = run.remembered.components.counts();
    let count = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
    Report {
        ended,
        unique,
        generated: count(&run.counts.generated),
        depth,
        levels,
        properties: run.properties.clone(),
        findings,
        marks: run.remembered.system.marks().into_iter().zip(locked(&run.marks).clone()).collect(),
        taken: run.remembered.system.kinds().into_iter().zip(locked(&run.taken).clone()).collect(),
        dead_steps_dropped: count(&run.counts.dropped),
        components,
        hash_ties,
        sampled: count(&run.counts.sampled),
        peak_bytes: count(&run.counts.peak_bytes),
        collision_chance: collision_chance(unique, P::BITS),
        wall: run.begun.elapsed(),
    }
}
