//! States that wait to be expanded.

use std::collections::VecDeque;

use crate::print::Print;

/// The largest number of states in a chunk.
pub(crate) const CHUNK: usize = 512;

/// Some states, in numbers.
pub(crate) struct Chunk<P> {
    places: usize,
    components: Vec<u32>,
    prints: Vec<P>,
    /// The rules that are awake, once the level of the states has ended.
    awake: Vec<u64>,
    /// The number of expanded states.
    pub expanded: usize,
}

impl<P: Print> Chunk<P> {
    pub(crate) fn new(places: usize) -> Self {
        Chunk { places, components: Vec::new(), prints: Vec::new(), awake: Vec::new(), expanded: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.prints.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= CHUNK
    }

    /// The number of states that are still to be expanded.
    pub(crate) fn left(&self) -> usize {
        self.len() - self.expanded
    }

    /// Adds a state that differs from another one.
    #[inline]
    pub(crate) fn push(&mut self, from: &[u32], deltas: &[(u32, u32)], print: P) {
        let begin = self.components.len();
        self.components.extend_from_slice(from);
        for (place, component) in deltas {
            self.components[begin + *place as usize] = *component;
        }
        self.prints.push(print);
    }

    #[inline]
    pub(crate) fn state(&self, nth: usize) -> &[u32] {
        &self.components[nth * self.places..(nth + 1) * self.places]
    }

    #[inline]
    pub(crate) fn print(&self, nth: usize) -> P {
        self.prints[nth]
    }

    /// The rules that are awake in a state.
    pub(crate) fn awake(&self, nth: usize) -> u64 {
        self.awake.get(nth).copied().unwrap_or(u64::MAX)
    }

    pub(crate) fn set_awake(&mut self, awake: Vec<u64>) {
        self.awake = awake;
    }

    pub(crate) fn bytes(&self) -> u64 {
        let bytes = self.components.len() * 4 + self.prints.len() * size_of::<P>();
        (bytes + self.awake.len() * 8) as u64
    }

    /// Frees reserved memory that is not used.
    pub(crate) fn shrink(&mut self) {
        self.components.shrink_to_fit();
        self.prints.shrink_to_fit();
    }
}

/// The states of a level that are to be expanded, and those found for the next.
pub(crate) struct Frontier<P> {
    pub current: VecDeque<Chunk<P>>,
    pub next: Vec<Chunk<P>>,
    /// Bytes of both.
    pub bytes: u64,
}

impl<P: Print> Frontier<P> {
    pub(crate) fn new() -> Self {
        Frontier { current: VecDeque::new(), next: Vec::new(), bytes: 0 }
    }

    /// Takes some states to expand.
    pub(crate) fn take(&mut self) -> Option<Chunk<P>> {
        let chunk = self.current.pop_front()?;
        self.bytes -= chunk.bytes();
        Some(chunk)
    }

    /// Gives states back that were not expanded.
    pub(crate) fn give_back(&mut self, chunk: Chunk<P>) {
        self.bytes += chunk.bytes();
        self.current.push_front(chunk);
    }

    /// Adds states to the next level.
    pub(crate) fn add(&mut self, mut chunk: Chunk<P>) {
        chunk.shrink();
        self.bytes += chunk.bytes();
        self.next.push(chunk);
    }
}
