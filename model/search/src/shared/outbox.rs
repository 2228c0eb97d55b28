//! States that one thread found and other processes own.

use crate::print::Print;

/// The number of states of which an outbox remembers that it sent them; a power of two.
const RECENT: usize = 1 << 16;
/// An outbox is full when it holds this many words, about a mebibyte.
const WORDS_FULL: usize = 1 << 17;

/// States that one thread found and other processes own, by their owner.
pub(crate) struct Outbox<P> {
    /// For each process: states with the step that led there. See [`Outbox::add`].
    pub(super) states: Vec<Vec<u64>>,
    /// For each process: other ways to states that were sent before.
    pub(super) ways: Vec<Vec<u64>>,
    /// States that were sent last, by a part of their fingerprints.
    recent: Vec<Recent<P>>,
    /// The number of words in both lists.
    words: usize,
    keeps_awake: bool,
}

/// A state that was sent to its owner.
#[derive(Clone, Copy)]
struct Recent<P> {
    print: P,
    /// The level that it was found in, with 1 added; 0 if there is none.
    level: u64,
    /// The least parent that was sent.
    parent: u64,
    /// The awake rules of all ways that were sent.
    awake: u64,
}

/// A way to a state.
pub(crate) struct Way<P> {
    pub print: P,
    /// The name of the state before.
    pub parent: u64,
    /// The rules that are awake.
    pub awake: u64,
    /// The places that were written on the way.
    pub written: u64,
}

impl<P: Print> Outbox<P> {
    pub(super) fn new(processes: usize, keeps_awake: bool) -> Self {
        let none = Recent { print: P::ZERO, level: 0, parent: 0, awake: 0 };
        let empty = || (0..processes).map(|_| Vec::new()).collect();
        Outbox { states: empty(), ways: empty(), recent: vec![none; RECENT], words: 0, keeps_awake }
    }

    /// The number of words of a way; with the state, its components follow, two in a word.
    pub(super) fn way_words(keeps_awake: bool) -> usize {
        P::WORDS + 1 + usize::from(keeps_awake)
    }

    /// Adds a state that differs from the one before, unless its owner knows all about this way to it:
    /// it settled the state in an earlier level, or it has heard of a lesser parent in this one.
    pub(crate) fn add(
        &mut self,
        (owner, level): (usize, u64),
        way: &Way<P>,
        from: &[u32],
        deltas: &[(u32, u32)],
    ) {
        let recent = &mut self.recent[slot(way.print)];
        let is_known = recent.level != 0 && recent.print == way.print;
        if is_known && recent.level <= level {
            return;
        }
        if is_known && recent.parent <= way.parent && way.awake & !recent.awake == 0 {
            return;
        }
        let to = if is_known { &mut self.ways[owner] } else { &mut self.states[owner] };
        let before = to.len();
        to.extend_from_slice(&way.print.to_words()[..P::WORDS]);
        to.push(way.parent);
        if self.keeps_awake {
            to.push(way.awake);
        }
        if is_known {
            recent.parent = recent.parent.min(way.parent);
            recent.awake |= way.awake;
            self.words += to.len() - before;
            return;
        }
        *recent =
            Recent { print: way.print, level: level + 1, parent: way.parent, awake: way.awake };
        to.push(way.written);
        let components = to.len();
        to.extend(
            from.chunks(2).map(|it| {
                u64::from(it[0]) | it.get(1).map_or(0, |second| u64::from(*second) << 32)
            }),
        );
        for (place, component) in deltas {
            let (word, shift) = (&mut to[components + *place as usize / 2], place % 2 * 32);
            *word = *word & !(0xffff_ffff << shift) | u64::from(*component) << shift;
        }
        self.words += to.len() - before;
    }

    /// Whether the states should be sent before more are added.
    pub(crate) fn is_full(&self) -> bool {
        self.words >= WORDS_FULL
    }

    /// Takes note that all states were sent.
    pub(super) fn emptied(&mut self) {
        self.words = 0;
    }

    pub(crate) fn bytes(&self) -> u64 {
        let words: usize = self.states.iter().chain(&self.ways).map(Vec::capacity).sum();
        (words * 8 + self.recent.len() * size_of::<Recent<P>>()) as u64
    }
}

#[inline]
fn slot(print: impl Print) -> usize {
    (print.key()[0] >> 40) as usize & (RECENT - 1)
}
