//! One search under way: the data that its threads share.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use crate::expand::{Expander, Told, Ways};
use crate::flaw::{Fault, Flaw};
use crate::frontier::{Chunk, Frontier};
use crate::options::{DeadSteps, Observer, Options, Until};
use crate::print::Print;
use crate::remembered::{Last, Question, Remembered};
use crate::report::{Ended, Flawed, Progress};
use crate::shared::{Elsewhere, Sharing};
use crate::system::{Expected, Property, System};
use crate::tables::Tables;
use crate::visited::Visited;

/// The number of homes of the visited table at first.
const HOMES: usize = 1 << 14;
/// About this many of the first states are all sampled, because most wrong systems show it at once.
const SAMPLED_FIRST: u64 = 256;
/// The places written on the way to a state whose parent was not judged.
pub(crate) const EVERYTHING: u64 = u64::MAX;
/// How often the observer is asked.
const OBSERVED_EVERY: Duration = Duration::from_millis(100);

/// Why a search pauses before it is complete.
pub(crate) enum Stop<P> {
    Found,
    States,
    Time,
    Memory,
    Observer(String),
    /// A process that shares the search ended it.
    Peer(String),
    /// The search is to be saved.
    Pause,
    /// The system is flawed, as this state shows.
    Flaw(Box<Flaw>, Option<(Vec<u32>, P)>),
}

/// A finding: a broken property, or one that must hold sometimes and does.
struct Found<P> {
    /// Whether its level has ended: then the property need not be judged any more.
    is_over: AtomicBool,
    /// Of the states of the level that show it, the one with the least fingerprint.
    print: Mutex<Option<P>>,
}

/// Counts that all threads add to.
#[derive(Default)]
pub(crate) struct Counts {
    pub generated: AtomicU64,
    pub sampled: AtomicU64,
    pub dropped: AtomicU64,
    pub peak_bytes: AtomicU64,
    /// States of the level that were expanded.
    pub expanded: AtomicU64,
}

/// The last answers about each group of properties, which one thread keeps.
#[derive(Default)]
pub(crate) struct Judged(Vec<Last>);

/// One search under way.
pub(crate) struct Run<'a, S: System, P> {
    pub remembered: Remembered<'a, S>,
    pub visited: RwLock<Visited>,
    pub frontier: Mutex<Frontier<P>>,
    pub options: &'a Options,
    observer: Option<&'a dyn Observer>,
    pub properties: Vec<Property>,
    /// For each property, its group and its bit in the answers about the group.
    group_of: Vec<(usize, u32)>,
    /// For each group, the answer that is no finding.
    usual: Vec<u32>,
    found: Vec<Found<P>>,
    pub marks: Mutex<Vec<bool>>,
    /// The number of steps taken of each kind.
    pub taken: Mutex<Vec<u64>>,
    pub counts: Counts,
    pub begun: Instant,
    observed: Mutex<Instant>,
    pause_at: Mutex<Option<Instant>>,
    stop: Mutex<Option<Stop<P>>>,
    is_stopping: AtomicBool,
    /// Whether there are findings since the last query.
    has_news: AtomicBool,
    /// The level, and its number of states.
    pub level: Mutex<(u64, u64)>,
    pub sleeps: bool,
    /// The part of this process, if several share the search.
    pub sharing: Option<Sharing<P>>,
    /// Whether every state is compared with the full computation, as the first ones are.
    pub samples_all: AtomicBool,
}

impl<'a, S: System, P: Print> Run<'a, S, P> {
    /// A search that has not begun. `sleeps` selects sleep sets.
    pub(crate) fn new(
        system: &'a S,
        options: &'a Options,
        observer: Option<&'a dyn Observer>,
        sleeps: bool,
    ) -> Self {
        let properties = system.properties();
        let remembered = Remembered::new(system, 0);
        let mut group_of = vec![(0, 0); properties.len()];
        let mut usual = vec![0; remembered.groups.len()];
        for (group, members) in remembered.groups.iter().enumerate() {
            for (nth, at) in members.iter().enumerate() {
                group_of[*at] = (group, 1 << nth);
                usual[group] |= u32::from(properties[*at].expected == Expected::Always) << nth;
            }
        }
        let found = || Found { is_over: AtomicBool::new(false), print: Mutex::new(None) };
        Run {
            found: properties.iter().map(|_| found()).collect(),
            properties,
            marks: Mutex::new(vec![false; system.marks().len()]),
            taken: Mutex::new(vec![0; system.kinds().len()]),
            remembered,
            group_of,
            usual,
            visited: RwLock::new(Visited::new(P::WORDS, sleeps, HOMES)),
            frontier: Mutex::new(Frontier::new()),
            options,
            observer,
            counts: Counts::default(),
            begun: Instant::now(),
            observed: Mutex::new(Instant::now()),
            pause_at: Mutex::new(None),
            stop: Mutex::new(None),
            is_stopping: AtomicBool::new(false),
            has_news: AtomicBool::new(false),
            level: Mutex::new((0, 0)),
            sleeps,
            sharing: None,
            samples_all: AtomicBool::new(true),
        }
    }

    /// The sample holds all of the first [`SAMPLED_FIRST`] states, and one in many of the others. `states` is
    /// the number of states found so far.
    pub(crate) fn sample_from(&self, states: u64) {
        self.samples_all.store(states < SAMPLED_FIRST, Ordering::Relaxed);
    }

    /// How successors are found.
    pub(crate) fn ways(&self) -> Ways {
        let drops_dead = self.options.dead_steps == DeadSteps::Drop;
        Ways { drops_dead, sleeps: self.sleeps, tells: false }
    }

    /// An expander.
    pub(crate) fn expander(&self, ways: Ways) -> Expander {
        Expander::new(ways, locked(&self.marks).len(), locked(&self.taken).len())
    }

    /// Takes over the counts and marks of an expander.
    pub(crate) fn add_met(&self, expander: &Expander) {
        let mut marks = locked(&self.marks);
        marks.iter_mut().zip(&expander.marks).for_each(|(all, ours)| *all |= *ours);
        let mut taken = locked(&self.taken);
        taken.iter_mut().zip(&expander.taken).for_each(|(all, ours)| *all += *ours);
        self.counts.dropped.fetch_add(expander.dropped, Ordering::Relaxed);
    }

    /// Uses the tables, and repeats this each time that they had to grow.
    pub(crate) fn with_tables<T>(
        &self,
        mut work: impl FnMut(&Tables) -> Result<T, Fault>,
    ) -> Result<T, Box<Flaw>> {
        loop {
            let tables = self.remembered.tables.read().unwrap_or_else(PoisonError::into_inner);
            match work(&tables) {
                Ok(done) => return Ok(done),
                Err(Fault::Flaw(flaw)) => return Err(flaw),
                Err(Fault::Full) => {}
            }
            drop(tables);
            self.remembered.grow();
        }
    }

    /// The visited states.
    pub(crate) fn visited(&self) -> RwLockReadGuard<'_, Visited> {
        self.visited.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers and the fingerprint of a state.
    pub(crate) fn number(&self, state: &[Arc<S::Component>]) -> Result<(Vec<u32>, P), Box<Flaw>> {
        self.with_tables(|tables| {
            let mut print = P::ZERO;
            let mut numbers = Vec::with_capacity(state.len());
            for (place, component) in state.iter().enumerate() {
                let number = self.remembered.component(tables, Arc::clone(component))?;
                print = print.exchanged(
                    P::ZERO,
                    tables.hashes.part(number, u32::try_from(place).unwrap_or(u32::MAX)),
                );
                numbers.push(number);
            }
            Ok((numbers, print))
        })
    }

    /// A state after its dead steps, if these are taken at once, with the steps.
    pub(crate) fn without_dead(
        &self,
        state: &[u32],
        print: P,
    ) -> Result<(Vec<u32>, P, Told), Box<Flaw>> {
        let ways = Ways { sleeps: false, tells: true, ..self.ways() };
        if !ways.drops_dead {
            return Ok((state.to_vec(), print, Vec::new()));
        }
        let mut expander = self.expander(ways);
        self.with_tables(|tables| expander.without_dead(&self.remembered, tables, (state, print)))
    }

    /// Makes room for more visited states, unless another thread has done so.
    pub(crate) fn grow_visited(&self) -> Result<(), Stop<P>> {
        let mut visited = self.visited.write().unwrap_or_else(PoisonError::into_inner);
        let more = visited.bytes_grown() - visited.bytes();
        if self.bytes(&visited) + more > self.options.memory_max_bytes {
            return Err(Stop::Memory);
        }
        visited.grow();
        Ok(())
    }

    /// Judges the last states of a chunk. Each comes with the places that were written on the way
    /// to it from a state that was judged before.
    ///
    /// A property without a finding in an earlier level need not be judged again in a state that
    /// differs from its parent only in places that the property has never looked at. The property
    /// had the expected value in the parent, or in the last ancestor for which it was evaluated,
    /// and all places that it looked at then still hold the same components.
    pub(crate) fn judge(
        &self,
        chunk: &Chunk<P>,
        written: &[u64],
        last: &mut Judged,
    ) -> Result<(), Stop<P>> {
        let from = chunk.len() - written.len();
        let mut nth = from;
        let judged = self.with_tables(|tables| {
            while nth < chunk.len() {
                let state = (chunk.state(nth), chunk.print(nth));
                self.judge_state(tables, state, written[nth - from], last)?;
                nth += 1;
            }
            Ok(())
        });
        let state = |nth| (chunk.state(nth).to_vec(), chunk.print(nth));
        judged.map_err(|flaw| Stop::Flaw(flaw, Some(state(nth))))
    }

    fn judge_state(
        &self,
        tables: &Tables,
        (state, print): (&[u32], P),
        written: u64,
        last: &mut Judged,
    ) -> Result<(), Fault> {
        last.0.resize_with(self.remembered.groups.len(), Last::default);
        for (group, last) in last.0.iter_mut().enumerate() {
            let question = Question::Group(group);
            let is_same = self.remembered.seen(question) & written == 0 && written != EVERYTHING;
            if is_same || self.members(group).all(|it| it.is_over.load(Ordering::Relaxed)) {
                continue;
            }
            let ((_, holds), _) =
                self.remembered.answer_again(tables, question, [state, state], last)?;
            if holds != self.usual[group] {
                self.note_findings(group, holds, print);
            }
        }
        Ok(())
    }

    fn members(&self, group: usize) -> impl Iterator<Item = &Found<P>> {
        self.remembered.groups[group].iter().map(|it| &self.found[*it])
    }

    /// Notes the findings in a state in which these properties of a group hold.
    #[cold]
    fn note_findings(&self, group: usize, holds: u32, print: P) {
        let findings = holds ^ self.usual[group];
        for (nth, found) in self.members(group).enumerate() {
            if findings & 1 << nth != 0 && !found.is_over.load(Ordering::Relaxed) {
                let mut held = locked(&found.print);
                *held = Some(held.map_or(print, |it| it.min(print)));
                self.has_news.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Whether a property is violated in a state, or is a "sometimes" property that holds in it.
    fn is_finding(&self, tables: &Tables, at: usize, state: &[u32]) -> Result<bool, Fault> {
        let holds = self.holds(tables, at, state)?;
        Ok(holds == (self.properties[at].expected == Expected::Sometimes))
    }

    /// Evaluates every property in a state whose verdicts are known.
    pub(crate) fn ask_properties(&self, state: &[u32]) -> Result<(), Box<Flaw>> {
        self.with_tables(|tables| {
            (0..self.found.len()).try_for_each(|at| self.holds(tables, at, state).map(|_| ()))
        })
    }

    /// Asserts that a state of a level that has ended is no missed finding.
    pub(crate) fn assert_judged(&self, state: &[u32]) -> Result<(), Box<Flaw>> {
        self.with_tables(|tables| {
            for (at, found) in self.found.iter().enumerate() {
                let is_missed =
                    !found.is_over.load(Ordering::Relaxed) && self.is_finding(tables, at, state)?;
                assert!(!is_missed, "invariant: every state is judged by every property");
            }
            Ok(())
        })
    }

    /// Whether a property holds in a state.
    pub(crate) fn holds(&self, tables: &Tables, at: usize, state: &[u32]) -> Result<bool, Fault> {
        let (group, bit) = self.group_of[at];
        let question = Question::Group(group);
        let (_, holds) = self.remembered.answer(tables, question, state, state, &mut 0)?;
        Ok(holds & bit != 0)
    }

    /// Ends a level: properties found in it need no more judging. Returns whether that ends the
    /// search.
    pub(crate) fn end_level(&self) -> bool {
        for found in &self.found {
            found.is_over.store(locked(&found.print).is_some(), Ordering::Relaxed);
        }
        let is_found = |at: usize| self.found[at].is_over.load(Ordering::Relaxed);
        let mut all = (0..self.found.len()).filter(|at| is_found(*at));
        match self.options.until {
            Until::Everything => false,
            Until::FirstViolation => all.any(|at| self.properties[at].expected == Expected::Always),
            Until::AllFound => !self.found.is_empty() && all.count() == self.found.len(),
            Until::Found(at) => at < self.found.len() && is_found(at),
        }
    }

    /// The findings: positions of properties with the states.
    pub(crate) fn found(&self) -> Vec<(usize, P)> {
        let found = self.found.iter().enumerate();
        found.filter_map(|(at, it)| locked(&it.print).map(|print| (at, print))).collect()
    }

    /// For each property, whether the level of its finding has ended, and the state of the finding.
    pub(crate) fn all_found(&self) -> Vec<(bool, Option<P>)> {
        let found = self.found.iter();
        found.map(|it| (it.is_over.load(Ordering::Relaxed), *locked(&it.print))).collect()
    }

    /// Takes over the findings of a checkpoint.
    pub(crate) fn set_found(&self, at: usize, is_over: bool, print: Option<P>) {
        self.found[at].is_over.store(is_over, Ordering::Relaxed);
        *locked(&self.found[at].print) = print;
    }

    /// Lets the threads pause after this time, so that the search can be saved.
    pub(crate) fn pause_in(&self, time: Duration) {
        *locked(&self.pause_at) = Instant::now().checked_add(time);
    }

    /// Whether there are findings since the last call.
    pub(crate) fn has_news(&self) -> bool {
        self.has_news.swap(false, Ordering::Relaxed)
    }

    /// Asks all threads to stop, for the first reason that is given.
    pub(crate) fn stop(&self, stop: Stop<P>) {
        locked(&self.stop).get_or_insert(stop);
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Why the threads stopped, if they did.
    pub(crate) fn take_stop(&self) -> Option<Stop<P>> {
        self.is_stopping.store(false, Ordering::Relaxed);
        locked(&self.stop).take()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Stops when time or memory is used up.
    pub(crate) fn check_limits(&self) {
        if self.begun.elapsed() >= self.options.time_max {
            self.stop(Stop::Time);
        }
        if locked(&self.pause_at).is_some_and(|it| it <= Instant::now()) {
            self.stop(Stop::Pause);
        }
        let bytes = self.bytes(&self.visited());
        self.counts.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        if bytes > self.options.memory_max_bytes {
            self.stop(Stop::Memory);
        }
    }

    /// Bytes of tables and frontier.
    fn bytes(&self, visited: &Visited) -> u64 {
        let tables = self.remembered.tables.read().unwrap_or_else(PoisonError::into_inner);
        let sent = self.sharing.as_ref().map_or(0, Sharing::bytes);
        visited.bytes() + tables.bytes() + locked(&self.frontier).bytes + sent
    }

    /// Bytes of tables and frontier.
    pub(crate) fn bytes_now(&self) -> u64 {
        self.bytes(&self.visited())
    }

    /// Asks the observer, now and then or because a level has ended.
    pub(crate) fn observe(&self, level_ended: bool) {
        let Some(observer) = self.observer else {
            return;
        };
        let mut observed = locked(&self.observed);
        if !level_ended && observed.elapsed() < OBSERVED_EVERY {
            return;
        }
        *observed = Instant::now();
        let (depth, frontier) = *locked(&self.level);
        let none = Elsewhere::default();
        let elsewhere = self.sharing.as_ref().map_or(&none, |it| &it.elsewhere);
        let load = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let progress = Progress {
            depth,
            frontier,
            expanded: load(&self.counts.expanded) + load(&elsewhere.expanded),
            unique: self.visited().len() as u64 + load(&elsewhere.unique),
            generated: load(&self.counts.generated) + load(&elsewhere.generated),
            bytes: self.bytes(&self.visited()) + load(&elsewhere.bytes),
            wall: self.begun.elapsed(),
            level_ended,
        };
        if let ControlFlow::Break(why) = observer.on_progress(&progress) {
            self.stop(Stop::Observer(why));
        }
    }

    /// The end of a search that stopped for this reason.
    pub(crate) fn ended(&self, stop: Option<Stop<P>>) -> Ended<S> {
        match stop {
            None => Ended::Complete,
            Some(Stop::Found) => Ended::Found,
            // Only a search that is saved pauses, and it continues afterwards.
            Some(Stop::States | Stop::Pause) => Ended::States,
            Some(Stop::Time) => Ended::Time,
            Some(Stop::Memory) => Ended::Memory,
            Some(Stop::Observer(why)) => Ended::Observer(why),
            Some(Stop::Peer(why)) => Ended::Peer(why),
            Some(Stop::Flaw(flaw, place)) => {
                let (state, path) = match place {
                    None => (Vec::new(), None),
                    Some((state, print)) => {
                        (self.remembered.components.values(&state), self.path(print))
                    }
                };
                Ended::Flawed(Box::new(Flawed { flaw: *flaw, state, path }))
            }
        }
    }

    /// The name of the parent of a state, by its name; 0 if it is an initial state.
    pub(crate) fn parent(&self, name: u64) -> Option<u64> {
        match &self.sharing {
            None => self.visited().parent(name),
            Some(sharing) => sharing.told(name).filter(|it| *it != u64::MAX),
        }
    }

    /// Whether this process owns a state.
    #[inline]
    pub(crate) fn owns(&self, print: P) -> bool {
        self.sharing.as_ref().is_none_or(|it| it.owns(print))
    }
}

/// Takes a lock even if another thread panicked while it held it: the guarded data is consistent
/// between any two operations on it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
