//! One search under way: the data that its threads share.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use crate::answer::Leaf;
use crate::aspects::members;
use crate::expand::{Expander, Told, Ways};
use crate::flaw::{Fault, Flaw};
use crate::frontier::{Chunk, Frontier, UNKNOWN};
use crate::options::{DeadSteps, Observer, Options, Until};
use crate::print::{Print, name};
use crate::remembered::{Question, Remembered};
use crate::report::{Ended, Flawed, Progress};
use crate::system::{Expected, Property, System};
use crate::tables::Tables;
use crate::visited::Visited;

/// The number of homes of the visited table at first.
const HOMES: usize = 1 << 14;
/// About this many of the first states are all sampled, because most wrong systems show it at once.
const SAMPLED_FIRST: u64 = 256;
/// How often the observer is asked.
const OBSERVED_EVERY: Duration = Duration::from_millis(100);

/// Why a search pauses before it is complete.
pub(crate) enum Stop<P> {
    Found,
    States,
    Time,
    Memory,
    Observer(String),
    /// The search is to be saved.
    Pause,
    /// The system is flawed, as this state shows.
    Flaw(Box<Flaw>, Option<(Vec<u32>, P)>),
}

/// A finding: a broken property, or one that must hold sometimes and does.
struct Found<P> {
    /// Whether its level has ended: then the property need not be judged any more.
    is_over: AtomicBool,
    /// The verdict on a state that does not show it.
    usual: u32,
    /// Of the states of the level that show it, the one with the least fingerprint.
    print: Mutex<Option<P>>,
}

impl<P> Found<P> {
    #[inline]
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// The bits of properties that share theirs with no other.
const OWN: u64 = u64::MAX >> 1;

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

/// One search under way.
pub(crate) struct Run<'a, S: System, P> {
    pub remembered: Remembered<'a, S>,
    pub visited: RwLock<Visited>,
    pub frontier: Mutex<Frontier<P>>,
    pub options: &'a Options,
    observer: Option<&'a dyn Observer>,
    pub properties: Vec<Property>,
    found: Vec<Found<P>>,
    /// The properties whose finding is over, as a mask like those of
    /// [`Lookers`](crate::aspects::Lookers).
    over: AtomicU64,
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
        let found = |it: &Property| Found {
            is_over: AtomicBool::new(false),
            usual: u32::from(it.expected == Expected::Always),
            print: Mutex::new(None),
        };
        Run {
            found: properties.iter().map(found).collect(),
            over: AtomicU64::new(0),
            properties,
            marks: Mutex::new(vec![false; system.marks().len()]),
            taken: Mutex::new(vec![0; system.kinds().len()]),
            remembered: Remembered::new(system),
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

    /// Judges the states of a chunk from a position on. `changed` gives the aspects in which a state
    /// differs from the one that it was made of.
    ///
    /// A verdict about that one, which the chunk holds, is also the verdict about the state unless they
    /// differ in an aspect that the property looked at. It was no finding: a property with a finding
    /// in an earlier level is over.
    pub(crate) fn judge(
        &self,
        chunk: &mut Chunk<P>,
        from: usize,
        changed: impl Fn(&Tables, usize) -> u64,
    ) -> Result<(), Stop<P>> {
        let mut nth = from;
        let judged = self.with_tables(|tables| {
            while nth < chunk.len() {
                self.judge_state(tables, chunk, nth, changed(tables, nth))?;
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
        chunk: &mut Chunk<P>,
        nth: usize,
        changed: u64,
    ) -> Result<(), Fault> {
        let print = chunk.print(nth);
        let (state, held, verdicts) = chunk.unjudged(nth);
        *held = changed;
        // Where nothing is known, every property is asked.
        let stale = match changed {
            UNKNOWN => u64::MAX,
            _ => self.remembered.properties_by_aspect.of(changed),
        };
        let over = self.over.load(Ordering::Relaxed);
        for at in members(over, verdicts.len()).filter(|it| self.found[*it].is_over()) {
            verdicts[at] = 0;
        }
        for at in members(stale & !(over & OWN), verdicts.len()) {
            let (found, known) = (&self.found[at], Leaf(verdicts[at]));
            let is_known = known.0 != 0 && known.aspects(tables) & changed == 0;
            if is_known || found.is_over() {
                continue;
            }
            let answer = self.verdict(tables, at, state)?;
            verdicts[at] = answer.0;
            if answer.word(tables) != found.usual {
                let mut held = locked(&found.print);
                *held = Some(held.map_or(print, |it| it.min(print)));
                self.has_news.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// The verdict of a property on a state, as an answer.
    fn verdict(&self, tables: &Tables, at: usize, state: &[u32]) -> Result<Leaf, Fault> {
        self.remembered.answer(tables, Question::Property(at), state, state)
    }

    /// Asserts that a state of a level that has ended is no missed finding.
    pub(crate) fn assert_judged(&self, state: &[u32]) -> Result<(), Box<Flaw>> {
        self.with_tables(|tables| {
            for (at, found) in self.found.iter().enumerate() {
                let is_over = found.is_over();
                let is_missed =
                    !is_over && self.verdict(tables, at, state)?.word(tables) != found.usual;
                assert!(!is_missed, "invariant: every state is judged by every property");
            }
            Ok(())
        })
    }

    /// Whether a property holds in a state.
    pub(crate) fn holds(&self, tables: &Tables, at: usize, state: &[u32]) -> Result<bool, Fault> {
        Ok(self.verdict(tables, at, state)?.word(tables) != 0)
    }

    /// Ends a level: properties found in it need no more judging. Returns whether that ends the
    /// search.
    pub(crate) fn end_level(&self) -> bool {
        for (at, found) in self.found.iter().enumerate() {
            self.set_over(at, locked(&found.print).is_some());
        }
        let is_found = |at: usize| self.found[at].is_over();
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
        found.map(|it| (it.is_over(), *locked(&it.print))).collect()
    }

    fn set_over(&self, at: usize, is_over: bool) {
        self.found[at].is_over.store(is_over, Ordering::Relaxed);
        if is_over {
            self.over.fetch_or(1 << at.min(63), Ordering::Relaxed);
        }
    }

    /// Takes over the findings of a checkpoint.
    pub(crate) fn set_found(&self, at: usize, is_over: bool, print: Option<P>) {
        self.set_over(at, is_over);
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
        visited.bytes() + tables.bytes() + locked(&self.frontier).bytes
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
        let progress = Progress {
            depth,
            frontier,
            expanded: self.counts.expanded.load(Ordering::Relaxed),
            unique: self.visited().len() as u64,
            generated: self.counts.generated.load(Ordering::Relaxed),
            bytes: self.bytes(&self.visited()),
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

    /// The name of the parent of a state.
    pub(crate) fn parent(&self, print: P) -> Option<u64> {
        self.visited().parent(name(print))
    }
}

/// Takes a lock even if another thread panicked while it held it: the guarded data is consistent
/// between any two operations on it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
