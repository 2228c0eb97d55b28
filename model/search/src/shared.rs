//! A search that several processes share, level by level.
//!
//! Each state is owned by one process, which a part of its fingerprint chooses: it alone keeps the
//! state in its visited table, judges it and expands it. A process expands its part of a level in
//! slices: a slice ends when the outbox of each thread is full. After it there is a round, in which the
//! processes exchange the states that they found for each other. A level ends in the round after which
//! no process has any of its states left. Every process makes all decisions from the same messages.
//!
//! Numbers of components are local to a process. The first time that a process sends a component to
//! another one, it sends the component as bytes with its own number, and from then on the number
//! alone.
//!
//! *The same result.* A level consists of the same states as in one process, whichever process owns
//! them: the states that the level before leads to and no earlier level holds. A state's parent is
//! the least of those in the level before, because the owner hears of each lesser one. A finding is the
//! least state of its level, of all processes. So counts, depth, findings and paths do not depend on
//! the number of processes.
//!
//! *Properties and dead steps.* In one process, a property need not be judged again in a state that
//! differs from its parent only in places that the property has never looked at; dead steps are left
//! out likewise. Here the parent may belong to another process. So a process sends its masks of
//! places that were looked at ahead of its states, and the owner adds them to its own. By induction,
//! the answer for each state depends only on places in the mask of its owner.

mod messages;
pub(crate) mod outbox;
mod states;
mod words;

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::messages::{Asked, Status};
use self::outbox::Outbox;
use self::states::Translations;
use crate::breadth::{settle, with_threads};
use crate::frontier::Chunk;
use crate::peers::{Lost, Peers};
use crate::print::{Print, name};
use crate::report::Level;
use crate::run::{Run, Stop, locked};
use crate::system::Portable;
use crate::worker::Worker;

/// The part of a process in a search that several share.
pub(crate) struct Sharing<P> {
    pub index: usize,
    pub count: usize,
    /// Outboxes that no thread uses just now.
    outboxes: Mutex<Vec<Outbox<P>>>,
    /// Parents of states by name, as their owners told them.
    told: Mutex<HashMap<u64, u64>>,
    /// The depth of the level that is searched.
    level: AtomicU64,
    pub elsewhere: Elsewhere,
}

/// Figures about the other processes, for the observer.
#[derive(Default)]
pub(crate) struct Elsewhere {
    pub unique: AtomicU64,
    pub generated: AtomicU64,
    pub expanded: AtomicU64,
    pub bytes: AtomicU64,
}

impl<P: Print> Sharing<P> {
    pub(crate) fn new(peers: &dyn Peers) -> Self {
        let (index, count) = (peers.index(), peers.count());
        assert!(index < count, "a process is one of those that share a search");
        Sharing {
            index,
            count,
            outboxes: Mutex::default(),
            told: Mutex::default(),
            level: AtomicU64::new(0),
            elsewhere: Elsewhere::default(),
        }
    }

    /// The process that owns a state, by a part of its name that the visited table does not use for
    /// its order.
    #[inline]
    pub(crate) fn owner(&self, name: u64) -> usize {
        (((name & 0xffff_ffff) * self.count as u64) >> 32) as usize
    }

    /// The depth of the level that is searched.
    #[inline]
    pub(crate) fn level(&self) -> u64 {
        self.level.load(Ordering::Relaxed)
    }

    /// Whether this process owns a state.
    #[inline]
    pub(crate) fn owns(&self, print: P) -> bool {
        self.owner(name(print)) == self.index
    }

    /// An outbox for a thread.
    pub(crate) fn take_outbox(&self, keeps_awake: bool) -> Outbox<P> {
        let kept = locked(&self.outboxes).pop();
        kept.unwrap_or_else(|| Outbox::new(self.count, keeps_awake))
    }

    pub(crate) fn give_back(&self, outbox: Outbox<P>) {
        locked(&self.outboxes).push(outbox);
    }

    /// The parent of a state, if its owner told it.
    pub(crate) fn told(&self, name: u64) -> Option<u64> {
        locked(&self.told).get(&name).copied()
    }

    /// The number of parents that owners told.
    pub(crate) fn told_len(&self) -> usize {
        locked(&self.told).len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        locked(&self.outboxes).iter().map(Outbox::bytes).sum()
    }
}

/// The outcome of a shared search, the same in every process.
pub(crate) struct Outcome<P> {
    pub levels: Vec<Level>,
    pub stop: Option<Stop<P>>,
    /// The number of states that all processes own.
    pub unique: u64,
}

/// Searches level by level. `begun` is how the initial states were entered.
pub(crate) fn search<S: Portable, P: Print>(
    run: &Run<'_, S, P>,
    peers: &mut dyn Peers,
    begun: Result<(), Stop<P>>,
) -> Outcome<P> {
    let sharing = run.sharing.as_ref().expect("a run that is shared");
    let mut process = Process {
        run,
        sharing,
        translations: Translations::new(sharing.count),
        peers,
        own_stop: begun.err(),
        statuses: Vec::new(),
    };
    let mut levels = Vec::new();
    let searched = process.search(&mut levels);
    let ended = searched.and_then(|stop| Ok((process.finish(&stop)?, stop)));
    match ended {
        Ok((unique, stop)) => Outcome { levels, stop, unique },
        Err(lost) => {
            let unique = process.statuses.iter().map(|it| it.unique).sum();
            Outcome { levels, stop: Some(Stop::Peer(lost.to_string())), unique }
        }
    }
}

/// One of the processes of a search.
struct Process<'r, 'a, S: Portable, P> {
    run: &'r Run<'a, S, P>,
    sharing: &'r Sharing<P>,
    translations: Translations,
    peers: &'r mut dyn Peers,
    /// Why this process asks all to stop, if it does.
    own_stop: Option<Stop<P>>,
    /// The status of each process in the last round.
    statuses: Vec<Status<P>>,
}

impl<S: Portable, P: Print> Process<'_, '_, S, P> {
    /// Searches all levels. Returns the reason if the processes stop before.
    fn search(&mut self, levels: &mut Vec<Level>) -> Result<Option<Stop<P>>, Lost> {
        let mut open: Option<(Level, Instant)> = None;
        let mut generated = 0;
        for depth in 0.. {
            self.round()?;
            let states = self.sum(|it| it.left);
            let generated_before = std::mem::replace(&mut generated, self.sum(|it| it.generated));
            if let Some((level, begun)) = open.take() {
                let generated = generated - generated_before;
                levels.push(Level { generated, new: states, wall: begun.elapsed(), ..level });
                self.run.observe(true);
            }
            self.take_over_findings();
            if let Some(stop) = self.agreed_stop() {
                return Ok(Some(stop));
            }
            let level = Level { depth, states, generated: 0, new: 0, wall: Default::default() };
            let is_found = self.run.end_level();
            if states == 0 {
                return Ok(None);
            }
            let is_enough = self.sum(|it| it.unique) >= self.run.options.states_max;
            if is_found || is_enough {
                levels.push(level);
                return Ok(Some(if is_found { Stop::Found } else { Stop::States }));
            }
            open = Some((level, Instant::now()));
            if let Some(stop) = self.search_level(&level)? {
                return Ok(Some(stop));
            }
        }
        unreachable!("no search has 2^64 levels")
    }

    /// Expands the states of a level, slice by slice.
    fn search_level(&mut self, level: &Level) -> Result<Option<Stop<P>>, Lost> {
        let run = self.run;
        *locked(&run.level) = (level.depth, level.states);
        self.sharing.level.store(level.depth, Ordering::Relaxed);
        run.counts.expanded.store(0, Ordering::Relaxed);
        run.sample_from(self.sum(|it| it.unique));
        loop {
            self.note_stop();
            if self.own_stop.is_none() {
                with_threads(run, |is_first| Worker::new(run, is_first).work());
            }
            self.round()?;
            if let Some(stop) = self.agreed_stop() {
                return Ok(Some(stop));
            }
            if self.sum(|it| it.left) == 0 {
                settle(run);
                return Ok(None);
            }
        }
    }

    /// Exchanges the status of each process and the states that they found for each other.
    fn round(&mut self) -> Result<(), Lost> {
        self.note_stop();
        let status = self.status();
        let mut outboxes = std::mem::take(&mut *locked(&self.sharing.outboxes));
        let mut messages = Vec::new();
        for to in 0..self.sharing.count {
            let mut message = status.written(self.run);
            if to != self.sharing.index {
                self.translations.write(self.run, to, &mut outboxes, &mut message);
            }
            messages.push(message.0);
        }
        outboxes.iter_mut().for_each(Outbox::emptied);
        *locked(&self.sharing.outboxes) = outboxes;
        let received = self.exchange(messages)?;
        let mut own = Some(status);
        self.statuses.clear();
        for (from, message) in received.iter().enumerate() {
            if from == self.sharing.index {
                self.statuses.extend(own.take());
                continue;
            }
            let mut reader = words::Reader(message);
            let status = Status::read(self.run, &mut reader).ok_or_else(|| malformed(from))?;
            self.statuses.push(status);
            let done = self.translations.read(self.run, from, &mut reader);
            match done.map_err(|why| Lost { process: from, why })? {
                Ok(()) => {}
                Err(stop) => self.run.stop(stop),
            }
        }
        self.note_elsewhere();
        self.run.check_limits();
        Ok(())
    }

    fn exchange(&mut self, messages: Vec<Vec<u64>>) -> Result<Vec<Vec<u64>>, Lost> {
        self.peers.exchange(messages)
    }

    fn status(&self) -> Status<P> {
        let left = chunks_left(&locked(&self.run.frontier).current);
        Status {
            left,
            unique: self.run.visited().len() as u64,
            generated: self.run.counts.generated.load(Ordering::Relaxed),
            expanded: self.run.counts.expanded.load(Ordering::Relaxed),
            bytes: self.run.bytes_now(),
            stop: self.own_stop.as_ref().map(Asked::of),
            found: self.run.all_found().into_iter().map(|it| it.1).collect(),
        }
    }

    fn sum(&self, figure: impl Fn(&Status<P>) -> u64) -> u64 {
        self.statuses.iter().map(figure).sum()
    }

    fn note_elsewhere(&self) {
        let own = &self.statuses[self.sharing.index];
        let note = |at: &AtomicU64, figure: &dyn Fn(&Status<P>) -> u64| {
            at.store(self.sum(figure) - figure(own), Ordering::Relaxed);
        };
        let elsewhere = &self.sharing.elsewhere;
        note(&elsewhere.unique, &|it| it.unique);
        note(&elsewhere.generated, &|it| it.generated);
        note(&elsewhere.expanded, &|it| it.expanded);
        note(&elsewhere.bytes, &|it| it.bytes);
    }

    /// Takes note if this process has to stop.
    fn note_stop(&mut self) {
        let stop = self.run.take_stop();
        if self.own_stop.is_none() {
            self.own_stop = stop;
        }
    }

    /// Why all processes stop, if one asked for it in the last round: for the reason of the first of
    /// those that asked.
    fn agreed_stop(&mut self) -> Option<Stop<P>> {
        let asks = |it: &Status<P>| it.stop.is_some();
        let process = self.statuses.iter().position(asks)?;
        match process == self.sharing.index {
            true => self.own_stop.take(),
            false => self.statuses[process].stop.as_ref().map(|it| it.stop_of(process)),
        }
    }

    /// The finding for a property is the least state of the processes that have one.
    fn take_over_findings(&self) {
        for (at, (is_over, _)) in self.run.all_found().into_iter().enumerate() {
            let found = self.statuses.iter().filter_map(|it| it.found[at]);
            self.run.set_found(at, is_over, found.min());
        }
    }

    /// Brings together the findings with their paths, and the counts. Returns the number of states.
    fn finish(&mut self, stop: &Option<Stop<P>>) -> Result<u64, Lost> {
        let flaw = match stop {
            Some(Stop::Flaw(_, Some((_, print)))) => Some(*print),
            _ => None,
        };
        // The last round may have brought states for the next level, and findings among them.
        self.own_stop = None;
        let mut last = self.status();
        last.stop = flaw.map(Asked::about);
        let statuses = self.exchange_alike(&last.written(self.run).0)?;
        self.statuses.clear();
        for (from, words) in statuses.iter().enumerate() {
            let status = Status::read(self.run, &mut words::Reader(words));
            self.statuses.push(status.ok_or_else(|| malformed(from))?);
        }
        self.take_over_findings();
        let flaws = self.statuses.iter().filter_map(|it| it.stop.as_ref()?.print);
        let found = self.run.found().into_iter().map(|it| it.1);
        self.trace(found.chain(flaws).map(name).collect())?;
        self.add_counts()
    }

    /// Asks the owners for the parents of these states, of these parents, and so on.
    fn trace(&mut self, mut names: Vec<u64>) -> Result<(), Lost> {
        loop {
            names.sort_unstable();
            names.dedup();
            names.retain(|it| *it != 0 && self.sharing.told(*it).is_none());
            if names.is_empty() {
                return Ok(());
            }
            let own = names.iter().filter(|it| self.sharing.owner(**it) == self.sharing.index);
            // A state without a parent is not known; the path to it is then reported as missing.
            let parent = |it: &u64| self.run.visited().parent(*it).unwrap_or(u64::MAX);
            let own: Vec<u64> = own.map(parent).collect();
            let told = self.exchange_alike(&own)?;
            let mut told: Vec<VecDeque<u64>> = told.into_iter().map(Into::into).collect();
            let mut parents = Vec::new();
            for name in &names {
                let owner = self.sharing.owner(*name);
                parents.push(told[owner].pop_front().ok_or_else(|| malformed(owner))?);
            }
            let known = names.iter().zip(&parents).map(|(name, parent)| (*name, *parent));
            locked(&self.sharing.told).extend(known);
            names = parents.into_iter().filter(|it| *it != u64::MAX).collect();
        }
    }

    /// Adds up the counts of all processes. Returns the number of states.
    fn add_counts(&mut self) -> Result<u64, Lost> {
        let run = self.run;
        let counts = [&run.counts.generated, &run.counts.sampled, &run.counts.dropped];
        let mut own = vec![run.visited().len() as u64];
        own.extend(counts.map(|it| it.load(Ordering::Relaxed)));
        own.extend(locked(&run.marks).iter().map(|it| u64::from(*it)));
        own.extend(locked(&run.taken).iter());
        let all = self.exchange_alike(&own)?;
        if let Some(process) = all.iter().position(|it| it.len() != own.len()) {
            return Err(malformed(process));
        }
        let mut sums = (0..own.len()).map(|at| all.iter().map(|it| it[at]).sum());
        let unique = sums.next().unwrap_or(0);
        for (count, sum) in counts.into_iter().zip(&mut sums) {
            count.store(sum, Ordering::Relaxed);
        }
        let (mut marks, mut taken) = (locked(&run.marks), locked(&run.taken));
        marks.iter_mut().zip(&mut sums).for_each(|(mark, sum): (_, u64)| *mark = sum > 0);
        taken.iter_mut().zip(&mut sums).for_each(|(taken, sum)| *taken = sum);
        Ok(unique)
    }

    /// One round in which this process sends the same to all. Returns the words of each process, its
    /// own among them.
    fn exchange_alike(&mut self, words: &[u64]) -> Result<Vec<Vec<u64>>, Lost> {
        let mut received = self.exchange(vec![words.to_vec(); self.sharing.count])?;
        received[self.sharing.index] = words.to_vec();
        Ok(received)
    }
}

fn chunks_left<P: Print>(chunks: &VecDeque<Chunk<P>>) -> u64 {
    chunks.iter().map(|it| it.left() as u64).sum()
}

fn malformed(process: usize) -> Lost {
    Lost { process, why: "sent a malformed message".into() }
}
