//! One thread of a breadth-first search.

use std::sync::atomic::Ordering;

use crate::expand::{Batch, Expander, Successor};
use crate::flaw::{Fault, Flaw};
use crate::frontier::Chunk;
use crate::print::{Print, name};
use crate::run::{Judged, Run, Stop, locked};
use crate::sample::Sampler;
use crate::shared::outbox::{Outbox, Way};
use crate::system::System;
use crate::visited::{Inserted, UNCOUNTED_MAX};

/// The number of states that are expanded before their successors are looked up, so that many
/// memory reads are under way at once.
const BATCH: usize = 32;

/// One thread of a search.
pub(crate) struct Worker<'r, 'a, S: System, P> {
    run: &'r Run<'a, S, P>,
    expander: Expander,
    sampler: Sampler,
    batch: Batch<P>,
    next: Chunk<P>,
    /// The places that were written on the way to each new state of the batch.
    written: Vec<u64>,
    judged: Judged,
    /// The states that other processes own, if several share the search.
    outbox: Option<Outbox<P>>,
    /// Whether this is the thread that started the search, which asks the observer.
    is_first: bool,
}

impl<'r, 'a, S: System, P: Print> Worker<'r, 'a, S, P> {
    pub(crate) fn new(run: &'r Run<'a, S, P>, is_first: bool) -> Self {
        Worker {
            run,
            expander: run.expander(run.ways()),
            sampler: Sampler::new(run),
            batch: Batch::new(),
            next: Chunk::new(run.remembered.places),
            written: Vec::new(),
            judged: Judged::default(),
            outbox: run.sharing.as_ref().map(|it| it.take_outbox(run.sleeps)),
            is_first,
        }
    }

    /// Expands states of the level until none is left, the search stops, or there is enough to send to
    /// other processes.
    pub(crate) fn work(mut self) {
        let is_full = |it: &Self| it.outbox.as_ref().is_some_and(Outbox::is_full);
        while !self.run.is_stopping() && !is_full(&self) {
            let Some(chunk) = locked(&self.run.frontier).take() else {
                break;
            };
            self.expand_chunk(chunk);
        }
        self.hand_over();
        if let Some((sharing, outbox)) = self.run.sharing.as_ref().zip(self.outbox.take()) {
            sharing.give_back(outbox);
        }
        self.run.add_met(&self.expander);
    }

    fn expand_chunk(&mut self, mut chunk: Chunk<P>) {
        while chunk.left() > 0 && !self.run.is_stopping() {
            if let Err(stop) = self.expand_batch(&mut chunk) {
                self.run.stop(stop);
            }
            if self.next.is_full() {
                self.hand_over();
            }
            if self.is_first {
                self.run.observe(false);
            }
        }
        if chunk.left() > 0 {
            locked(&self.run.frontier).give_back(chunk);
        }
        self.run.check_limits();
    }

    fn hand_over(&mut self) {
        let next = std::mem::replace(&mut self.next, Chunk::new(self.run.remembered.places));
        if next.len() > 0 {
            locked(&self.run.frontier).add(next);
        }
    }

    /// Expands some states. If the search must stop before all are done, it expands them again when
    /// it continues: the successors inserted by then are known and already wait in the next level.
    fn expand_batch(&mut self, chunk: &mut Chunk<P>) -> Result<(), Stop<P>> {
        let end = chunk.len().min(chunk.expanded + BATCH);
        let mut sampled = 0;
        for nth in chunk.expanded..end {
            let is_sampled = self.sampler.sample(self.run, chunk.state(nth), chunk.print(nth))?;
            if is_sampled {
                let judged = self.run.assert_judged(chunk.state(nth));
                judged.map_err(|flaw| flawed(flaw, chunk, nth))?;
                sampled += 1;
            }
        }
        self.find_successors(chunk, end)?;
        self.written.clear();
        let inserted = self.insert_successors(chunk);
        self.run.judge(&self.next, &self.written, &mut self.judged)?;
        inserted?;
        let counts = &self.run.counts;
        counts.generated.fetch_add(self.batch.successors.len() as u64, Ordering::Relaxed);
        counts.sampled.fetch_add(sampled, Ordering::Relaxed);
        counts.expanded.fetch_add((end - chunk.expanded) as u64, Ordering::Relaxed);
        chunk.expanded = end;
        Ok(())
    }

    fn find_successors(&mut self, chunk: &Chunk<P>, end: usize) -> Result<(), Stop<P>> {
        let Worker { run, expander, batch, .. } = self;
        let (marks, dropped) = (expander.marks.clone(), expander.dropped);
        let taken = expander.taken.clone();
        let mut at = chunk.expanded;
        let found = run.with_tables(|tables| {
            batch.clear();
            expander.marks.clone_from(&marks);
            expander.taken.clone_from(&taken);
            expander.dropped = dropped;
            for nth in chunk.expanded..end {
                at = nth;
                let parent = u32::try_from(nth).map_err(|_| Fault::Full)?;
                let (state, from) = ((chunk.state(nth), chunk.print(nth)), chunk.awake(nth));
                expander.expand(&run.remembered, tables, state, (parent, from), batch)?;
            }
            Ok(())
        });
        found.map_err(|flaw| flawed(flaw, chunk, at))
    }

    fn insert_successors(&mut self, chunk: &Chunk<P>) -> Result<(), Stop<P>> {
        for group in self.batch.successors.chunks(UNCOUNTED_MAX) {
            let mut visited = self.run.visited();
            while !visited.has_room(self.run.options.threads.get()) {
                drop(visited);
                self.run.grow_visited()?;
                visited = self.run.visited();
            }
            // Reads of all slots are under way at once; each insertion alone would wait for its own.
            let group = || group.iter().filter(|it| !it.is_self_loop());
            let ours = group().filter(|it| self.run.owns(it.print));
            let touched = ours.fold(0, |sum, it| sum ^ visited.touch(it.print.key()));
            std::hint::black_box(touched);
            let mut new = 0;
            for successor in group() {
                let parent = name(chunk.print(successor.parent as usize));
                if !self.run.owns(successor.print) {
                    send(self.run, &mut self.outbox, (&self.batch, successor), (chunk, parent));
                    continue;
                }
                let key = successor.print.key();
                let inserted = loop {
                    match visited.insert(key, parent, successor.awake) {
                        Ok(inserted) => break inserted,
                        Err(_) => {
                            visited.count(std::mem::take(&mut new));
                            drop(visited);
                            self.run.grow_visited()?;
                            visited = self.run.visited();
                        }
                    }
                };
                if inserted == Inserted::New {
                    new += 1;
                    let from = chunk.state(successor.parent as usize);
                    self.next.push(from, self.batch.deltas(successor), successor.print);
                    self.written.push(successor.written);
                }
            }
            visited.count(new);
        }
        Ok(())
    }
}

fn flawed<P: Print>(flaw: Box<Flaw>, chunk: &Chunk<P>, nth: usize) -> Stop<P> {
    Stop::Flaw(flaw, Some((chunk.state(nth).to_vec(), chunk.print(nth))))
}

/// Keeps a state for the process that owns it.
fn send<S: System, P: Print>(
    run: &Run<'_, S, P>,
    outbox: &mut Option<Outbox<P>>,
    (batch, successor): (&Batch<P>, &Successor<P>),
    (chunk, parent): (&Chunk<P>, u64),
) {
    if let Some((sharing, outbox)) = run.sharing.as_ref().zip(outbox.as_mut()) {
        let Successor { print, awake, written, .. } = *successor;
        let owner = sharing.owner(name(print));
        let way = Way { print, parent, awake, written };
        let from = chunk.state(successor.parent as usize);
        outbox.add((owner, sharing.level()), &way, from, batch.deltas(successor));
    }
}
