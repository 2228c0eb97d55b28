//! Level by level, on any number of threads.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::checkpoint::CheckpointError;
use crate::frontier::{CHUNK, Chunk};
use crate::print::Print;
use crate::report::Level;
use crate::run::{Run, Stop, locked};
use crate::system::System;
use crate::worker::Worker;

/// Levels of fewer chunks are searched by one thread: starting another takes longer.
const CHUNKS_SHARED: usize = 4;

/// A level that is searched.
pub(crate) struct Begun {
    pub depth: u64,
    pub states: u64,
    /// How many states had been generated before.
    pub generated: u64,
    pub at: Instant,
}

/// Called while the threads pause, to save the search.
pub(crate) type Save<'a, S, P> =
    &'a mut dyn FnMut(&Run<'_, S, P>, &[Level], &Begun) -> Result<(), CheckpointError>;

/// Searches level by level, beginning with the states in the frontier. Returns the reason if it
/// stops before all are visited.
pub(crate) fn search<S: System, P: Print>(
    run: &Run<'_, S, P>,
    levels: &mut Vec<Level>,
    mut resumed: Option<Begun>,
    save: Save<'_, S, P>,
) -> Result<Option<Stop<P>>, CheckpointError> {
    loop {
        let begun = match resumed.take() {
            Some(begun) => {
                *locked(&run.level) = (begun.depth, begun.states);
                run.sample_from(levels.iter().map(|it| it.states).sum::<u64>() + begun.states);
                begun
            }
            None => {
                let begun = begin_level(run, levels.len());
                if let Some(stop) = ends_before(run, &begun) {
                    levels.extend((begun.states > 0).then(|| begun.ended(run, 0)));
                    return Ok(stop);
                }
                begun
            }
        };
        with_threads(run, |is_first| Worker::new(run, is_first).work());
        let new = match run.take_stop() {
            None => settle(run),
            Some(Stop::Pause) => {
                save(run, levels, &begun)?;
                resumed = Some(begun);
                continue;
            }
            Some(stop) => {
                if !matches!(stop, Stop::Flaw(..)) {
                    save(run, levels, &begun)?;
                }
                return Ok(Some(stop));
            }
        };
        levels.push(begun.ended(run, new));
        run.observe(true);
        if let Some(stop) = run.take_stop() {
            save(run, levels, &begin_level(run, levels.len()))?;
            return Ok(Some(stop));
        }
    }
}

/// Whether the search ends before a level is expanded, and why: with no reason if it is empty.
#[expect(clippy::option_option, reason = "the search may end, and then may have a reason to")]
fn ends_before<S: System, P: Print>(run: &Run<'_, S, P>, begun: &Begun) -> Option<Option<Stop<P>>> {
    // The last level is empty and ends like the others.
    let is_found = run.end_level();
    if begun.states == 0 {
        return Some(None);
    }
    if is_found {
        return Some(Some(Stop::Found));
    }
    let is_enough = run.visited().len() as u64 >= run.options.states_max;
    is_enough.then_some(Some(Stop::States))
}

fn begin_level<S: System, P: Print>(run: &Run<'_, S, P>, depth: usize) -> Begun {
    let states = locked(&run.frontier).current.iter().map(|it| it.left() as u64).sum();
    let depth = depth as u64;
    *locked(&run.level) = (depth, states);
    run.counts.expanded.store(0, Ordering::Relaxed);
    run.sample_from(run.visited().len() as u64);
    let generated = run.counts.generated.load(Ordering::Relaxed);
    Begun { depth, states, generated, at: Instant::now() }
}

impl Begun {
    fn ended<S: System, P: Print>(&self, run: &Run<'_, S, P>, new: u64) -> Level {
        Level {
            depth: self.depth,
            states: self.states,
            generated: run.counts.generated.load(Ordering::Relaxed) - self.generated,
            new,
            wall: self.at.elapsed(),
        }
    }
}

/// Does the same on all threads, or on this one if there is little to do. The search goes on with
/// fewer threads if the system refuses some, because all threads take from one frontier.
pub(crate) fn with_threads<S: System, P: Print>(run: &Run<'_, S, P>, work: impl Fn(bool) + Sync) {
    let chunks = locked(&run.frontier).current.len();
    let more = if chunks < CHUNKS_SHARED { 0 } else { run.options.threads.get() - 1 };
    std::thread::scope(|scope| {
        for _ in 0..more {
            let _ = std::thread::Builder::new().spawn_scoped(scope, || work(false));
        }
        work(true);
    });
}

/// Makes the next level the current one: later ways to its states do not count.
pub(crate) fn settle<S: System, P: Print>(run: &Run<'_, S, P>) -> u64 {
    let mut frontier = locked(&run.frontier);
    let next = std::mem::take(&mut frontier.next);
    frontier.current = next.into();
    let states = frontier.current.iter().map(|it| it.len() as u64).sum();
    drop(frontier);
    let settled = std::sync::Mutex::new(Vec::new());
    with_threads(run, |_| {
        loop {
            let Some(mut chunk) = locked(&run.frontier).take() else {
                return;
            };
            settle_chunk(run, &mut chunk);
            locked(&settled).push(chunk);
        }
    });
    let mut frontier = locked(&run.frontier);
    for chunk in std::mem::take(&mut *locked(&settled)) {
        frontier.give_back(chunk);
    }
    states
}

fn settle_chunk<S: System, P: Print>(run: &Run<'_, S, P>, chunk: &mut Chunk<P>) {
    let visited = run.visited();
    let mut awake = Vec::with_capacity(CHUNK);
    for begin in (0..chunk.len()).step_by(32) {
        let group = begin..chunk.len().min(begin + 32);
        let touched = group.clone().fold(0, |sum, it| sum ^ visited.touch(chunk.print(it).key()));
        std::hint::black_box(touched);
        awake.extend(group.map(|it| visited.settle(chunk.print(it).key()).awake));
    }
    if run.sleeps {
        chunk.set_awake(awake);
    }
}
