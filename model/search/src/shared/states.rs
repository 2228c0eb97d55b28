//! States on their way from the process that found them to the one that owns them.

use std::sync::Arc;

use super::outbox::Outbox;
use super::words::{Reader, Writer};
use crate::frontier::Chunk;
use crate::print::Print;
use crate::run::{Judged, Run, Stop, locked};
use crate::system::Portable;
use crate::visited::{Inserted, UNCOUNTED_MAX};

/// The numbers of components in this process and in the others.
pub(super) struct Translations {
    /// For each process, the components that it was told of: a bit for each number.
    announced: Vec<Vec<u64>>,
    /// For each process, our numbers by its numbers, with 1 added.
    ours: Vec<Vec<u32>>,
}

/// A message that cannot be right, with the reason.
type Malformed = String;

impl Translations {
    pub(super) fn new(processes: usize) -> Self {
        Translations { announced: vec![Vec::new(); processes], ours: vec![Vec::new(); processes] }
    }

    /// Writes all states for a process, and the components among them that it was not told of.
    pub(super) fn write<S: Portable, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        to: usize,
        outboxes: &mut [Outbox<P>],
        out: &mut Writer,
    ) {
        out.list(&run.remembered.looked_at());
        let layout = Layout::of(run);
        let at = out.0.len();
        out.word(0);
        let mut announced = 0;
        for outbox in &*outboxes {
            for state in outbox.states[to].chunks_exact(layout.state_words) {
                for number in layout.components(state) {
                    if self.is_new(to, number) {
                        announce(run, number, out);
                        announced += 1;
                    }
                }
            }
        }
        out.0[at] = announced;
        append(out, outboxes.iter_mut().map(|it| &mut it.states[to]).collect());
        append(out, outboxes.iter_mut().map(|it| &mut it.ways[to]).collect());
    }

    fn is_new(&mut self, to: usize, number: u32) -> bool {
        let announced = &mut self.announced[to];
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= announced.len() {
            announced.resize(word + 1, 0);
        }
        let is_new = announced[word] & bit == 0;
        announced[word] |= bit;
        is_new
    }

    /// Takes over the states that a process found. The inner result is this process's reason to stop.
    pub(super) fn read<S: Portable, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        from: usize,
        reader: &mut Reader<'_>,
    ) -> Result<Result<(), Stop<P>>, Malformed> {
        let malformed = || "sent a malformed message".to_owned();
        run.remembered.note_looked_at(reader.list().ok_or_else(malformed)?);
        for _ in 0..reader.len().ok_or_else(malformed)? {
            self.learn(run, from, reader)?;
        }
        let layout = Layout::of(run);
        let states = reader.list().ok_or_else(malformed)?;
        let ways = reader.list().ok_or_else(malformed)?;
        if states.len() % layout.state_words != 0 || ways.len() % layout.way_words != 0 {
            return Err(malformed());
        }
        let mut arrivals = Arrivals { run, layout, from, next: Chunk::new(run.remembered.places) };
        Ok(match arrivals.take(states, &self.ours[from])? {
            Ok(()) => arrivals.take_ways(ways),
            Err(stop) => Err(stop),
        })
    }

    /// Learns the number that a process gives a component.
    fn learn<S: Portable, P: Print>(
        &mut self,
        run: &Run<'_, S, P>,
        from: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), Malformed> {
        let malformed = || "sent a malformed component".to_owned();
        let number = reader.len().ok_or_else(malformed)?;
        let theirs = [reader.word().ok_or_else(malformed)?, reader.word().ok_or_else(malformed)?];
        let bytes = reader.bytes().ok_or_else(malformed)?;
        let component = run.remembered.system.decode(&bytes).ok_or_else(malformed)?;
        let component = Arc::new(component);
        let (our, hash) = run
            .with_tables(|tables| {
                let our = run.remembered.component(tables, Arc::clone(&component))?;
                Ok((our, tables.hashes.of(our)))
            })
            .map_err(|flaw| flaw.to_string())?;
        if hash != theirs {
            return Err(format!(
                "has another hash for {component:?}: it is another build, or unequal components have \
                 the same hash, and such a system is searched by one process only"
            ));
        }
        // A process numbers its components without holes, and has fewer than 2^31.
        if number >= 1 << 31 {
            return Err(malformed());
        }
        let ours = &mut self.ours[from];
        if number >= ours.len() {
            ours.resize(number + 1, 0);
        }
        ours[number] = our + 1;
        Ok(())
    }
}

/// Moves lists into a message, as one list.
fn append(out: &mut Writer, lists: Vec<&mut Vec<u64>>) {
    let len: usize = lists.iter().map(|it| it.len()).sum();
    out.0.reserve(len + 1);
    out.word(len as u64);
    lists.into_iter().for_each(|it| out.0.append(it));
}

fn announce<S: Portable, P: Print>(run: &Run<'_, S, P>, number: u32, out: &mut Writer) {
    let component = run.remembered.components.value(number);
    let mut bytes = Vec::new();
    run.remembered.system.encode(&component, &mut bytes);
    let hash = run.with_tables(|tables| Ok(tables.hashes.of(number)));
    let [low, high] = hash.unwrap_or_default();
    out.word(number.into());
    out.word(low);
    out.word(high);
    out.bytes(&bytes);
}

/// How states are laid out in words.
#[derive(Clone, Copy)]
struct Layout {
    places: usize,
    keeps_awake: bool,
    way_words: usize,
    state_words: usize,
}

/// A way to a state, as it arrives.
struct Arrival<P> {
    print: P,
    parent: u64,
    awake: u64,
}

impl Layout {
    fn of<S: Portable, P: Print>(run: &Run<'_, S, P>) -> Layout {
        let (places, keeps_awake) = (run.remembered.places, run.sleeps);
        let way_words = Outbox::<P>::way_words(keeps_awake);
        let state_words = way_words + 1 + places.div_ceil(2);
        Layout { places, keeps_awake, way_words, state_words }
    }

    fn way<P: Print>(&self, words: &[u64]) -> Arrival<P> {
        let high = if P::WORDS == 2 { words[1] } else { 0 };
        let awake = if self.keeps_awake { words[P::WORDS + 1] } else { u64::MAX };
        Arrival { print: P::from_words([words[0], high]), parent: words[P::WORDS], awake }
    }

    fn written(&self, state: &[u64]) -> u64 {
        state[self.way_words]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn components(self, state: &[u64]) -> impl Iterator<Item = u32> {
        let words = &state[self.way_words + 1..];
        words.iter().flat_map(|it| [*it as u32, (*it >> 32) as u32]).take(self.places)
    }
}

/// States that arrive from one process.
struct Arrivals<'r, 'a, S: Portable, P> {
    run: &'r Run<'a, S, P>,
    layout: Layout,
    from: usize,
    next: Chunk<P>,
}

impl<S: Portable, P: Print> Arrivals<'_, '_, S, P> {
    /// Inserts states, judges the new ones, and adds them to the next level.
    fn take(&mut self, states: &[u64], ours: &[u32]) -> Result<Result<(), Stop<P>>, Malformed> {
        for group in states.chunks(self.layout.state_words * UNCOUNTED_MAX) {
            if let Err(stop) = self.take_group(group, ours)? {
                return Ok(Err(stop));
            }
        }
        Ok(Ok(()))
    }

    fn take_group(
        &mut self,
        group: &[u64],
        ours: &[u32],
    ) -> Result<Result<(), Stop<P>>, Malformed> {
        let layout = self.layout;
        let (mut state, mut written) = (Vec::with_capacity(layout.places), Vec::new());
        let states = || group.chunks_exact(layout.state_words);
        self.touch(states());
        for (nth, words) in states().enumerate() {
            let way = layout.way::<P>(words);
            match self.insert(&way) {
                Ok(Inserted::New) => {}
                Ok(Inserted::Known) => continue,
                Err(stop) => return Ok(Err(stop)),
            }
            state.clear();
            for number in layout.components(words) {
                let our = ours.get(number as usize).filter(|it| **it != 0);
                let our = our.ok_or("sent a state with a component that it did not send")?;
                state.push(our - 1);
            }
            if nth == 0 && self.sum(&state) != way.print {
                return Err("sent a state with the fingerprint of another one".into());
            }
            self.next.push(&state, &[], way.print);
            written.push(layout.written(words));
        }
        if let Err(stop) = self.run.judge(&self.next, &written, &mut Judged::default()) {
            return Ok(Err(stop));
        }
        let places = self.run.remembered.places;
        let next = std::mem::replace(&mut self.next, Chunk::new(places));
        if next.len() > 0 {
            locked(&self.run.frontier).add(next);
        }
        Ok(Ok(()))
    }

    /// Takes note of other ways to states that have arrived.
    fn take_ways(&mut self, ways: &[u64]) -> Result<(), Stop<P>> {
        for group in ways.chunks(self.layout.way_words * UNCOUNTED_MAX) {
            self.touch(group.chunks_exact(self.layout.way_words));
            for words in group.chunks_exact(self.layout.way_words) {
                let inserted = self.insert(&self.layout.way(words))?;
                assert!(
                    inserted == Inserted::Known,
                    "invariant: process {} sends a state before other ways to it",
                    self.from
                );
            }
        }
        Ok(())
    }

    /// Reads of all slots are under way at once; each insertion alone would wait for its own.
    fn touch<'w>(&self, ways: impl Iterator<Item = &'w [u64]>) {
        let visited = self.run.visited();
        let key = |it: &[u64]| self.layout.way::<P>(it).print.key();
        std::hint::black_box(ways.fold(0, |sum, it| sum ^ visited.touch(key(it))));
    }

    fn insert(&self, way: &Arrival<P>) -> Result<Inserted, Stop<P>> {
        loop {
            let visited = self.run.visited();
            if visited.has_room(1)
                && let Ok(inserted) = visited.insert(way.print.key(), way.parent, way.awake)
            {
                if inserted == Inserted::New {
                    visited.count(1);
                }
                return Ok(inserted);
            }
            drop(visited);
            self.run.grow_visited()?;
        }
    }

    /// The fingerprint of a state, computed from its components.
    fn sum(&self, state: &[u32]) -> P {
        let summed = self.run.with_tables(|tables| {
            let parts = state.iter().zip(0..).map(|(it, place)| tables.hashes.part(*it, place));
            Ok(parts.fold(P::ZERO, |sum, part| sum.exchanged(P::ZERO, part)))
        });
        summed.unwrap_or(P::ZERO)
    }
}
