//! States that wait to be expanded.

use std::collections::VecDeque;

use crate::print::Print;

/// The largest number of states in a chunk.
pub(crate) const CHUNK: usize = 512;

/// The numbers of places, rules and properties of a system.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub places: usize,
    pub rules: usize,
    pub properties: usize,
}

/// Stands for differences from a state of which nothing is known.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// A state in numbers, with what may be known about it.
#[derive(Clone, Copy)]
pub(crate) struct Waiting<'a, P> {
    pub state: &'a [u32],
    pub print: P,
    /// Answers by their offsets: those of the rules about the state that this one was made of, and
    /// those of the properties about this one. 0 stands for an answer that is not known.
    pub answers: &'a [u32],
    /// The aspects in which it differs from the state that it was made of; [`UNKNOWN`] if nothing is
    /// known of that one.
    pub changed: u64,
}

impl<'a, P> Waiting<'a, P> {
    /// A state about which nothing is known.
    pub(crate) fn new(state: &'a [u32], print: P) -> Self {
        Waiting { state, print, answers: &[], changed: UNKNOWN }
    }

    /// The answers of the rules about the state that this one was made of; none if they are not known.
    #[inline]
    pub(crate) fn rule_answers(&self, rules: usize) -> &'a [u32] {
        if self.changed == UNKNOWN { &[] } else { &self.answers[..rules] }
    }
}

/// Some states, in numbers.
pub(crate) struct Chunk<P> {
    shape: Shape,
    components: Vec<u32>,
    prints: Vec<P>,
    answers: Vec<u32>,
    changed: Vec<u64>,
    /// The rules that are awake, once the level of the states has ended.
    awake: Vec<u64>,
    /// The number of expanded states.
    pub expanded: usize,
}

impl<P: Print> Chunk<P> {
    pub(crate) fn new(shape: Shape) -> Self {
        Chunk {
            shape,
            components: Vec::new(),
            prints: Vec::new(),
            answers: Vec::new(),
            changed: Vec::new(),
            awake: Vec::new(),
            expanded: 0,
        }
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

    fn answers_each(&self) -> usize {
        self.shape.rules + self.shape.properties
    }

    /// Adds a state about which nothing is known.
    pub(crate) fn push(&mut self, state: &[u32], print: P) {
        self.components.extend_from_slice(state);
        self.prints.push(print);
        self.answers.resize(self.answers.len() + self.answers_each(), 0);
        self.changed.push(UNKNOWN);
    }

    /// Adds a state that differs from another one, with the answers that the rules gave about that
    /// one.
    #[inline]
    pub(crate) fn push_successor(
        &mut self,
        from: Waiting<'_, P>,
        rules: &[u32],
        deltas: &[(u32, u32)],
        print: P,
    ) {
        let begin = self.components.len();
        self.components.extend_from_slice(from.state);
        for (place, component) in deltas {
            self.components[begin + *place as usize] = *component;
        }
        self.prints.push(print);
        self.answers.extend_from_slice(rules);
        self.answers.extend_from_slice(&from.answers[rules.len()..]);
        self.changed.push(UNKNOWN);
    }

    /// Moves the last state to the end of another chunk.
    pub(crate) fn pop_to(&mut self, other: &mut Chunk<P>) {
        let Some(print) = self.prints.pop() else {
            return;
        };
        let len = self.prints.len();
        other.prints.push(print);
        other.components.extend(self.components.drain(len * self.shape.places..));
        other.answers.extend(self.answers.drain(len * self.answers_each()..));
        other.changed.extend(self.changed.pop());
    }

    /// Removes all states.
    pub(crate) fn clear(&mut self) {
        *self = Chunk {
            components: std::mem::take(&mut self.components),
            prints: std::mem::take(&mut self.prints),
            answers: std::mem::take(&mut self.answers),
            changed: std::mem::take(&mut self.changed),
            ..Chunk::new(self.shape)
        };
        self.components.clear();
        self.prints.clear();
        self.answers.clear();
        self.changed.clear();
    }

    #[inline]
    pub(crate) fn waiting(&self, nth: usize) -> Waiting<'_, P> {
        let each = self.answers_each();
        Waiting {
            state: self.state(nth),
            print: self.prints[nth],
            answers: &self.answers[nth * each..(nth + 1) * each],
            changed: self.changed[nth],
        }
    }

    #[inline]
    pub(crate) fn state(&self, nth: usize) -> &[u32] {
        &self.components[nth * self.shape.places..(nth + 1) * self.shape.places]
    }

    #[inline]
    pub(crate) fn print(&self, nth: usize) -> P {
        self.prints[nth]
    }

    /// A state to be judged, with the place for the aspects in which it differs from the one that it
    /// was made of, and with the answers of the properties.
    pub(crate) fn unjudged(&mut self, nth: usize) -> (&[u32], &mut u64, &mut [u32]) {
        let (each, places) = (self.answers_each(), self.shape.places);
        let verdicts = nth * each + self.shape.rules..(nth + 1) * each;
        let state = &self.components[nth * places..(nth + 1) * places];
        (state, &mut self.changed[nth], &mut self.answers[verdicts])
    }

    /// The rules that are awake in a state.
    pub(crate) fn awake(&self, nth: usize) -> u64 {
        self.awake.get(nth).copied().unwrap_or(u64::MAX)
    }

    pub(crate) fn set_awake(&mut self, awake: Vec<u64>) {
        self.awake = awake;
    }

    /// The bytes that its states take.
    pub(crate) fn bytes(&self) -> u64 {
        let words = self.components.len() + self.answers.len();
        let longs = self.changed.len() + self.awake.len();
        (words * 4 + longs * 8 + self.prints.len() * size_of::<P>()) as u64
    }

    /// Frees reserved memory that is not used.
    pub(crate) fn shrink(&mut self) {
        self.components.shrink_to_fit();
        self.prints.shrink_to_fit();
        self.answers.shrink_to_fit();
        self.changed.shrink_to_fit();
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
