//! The visited states: fingerprint and parent of each, in one table that all threads share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::print::NAME;
use crate::tables::Full;

/// The bit of a parent's word that is set until the level in which the state was found has ended.
const FRESH: u64 = 1 << 63;
/// Slots behind the last home, so that no run of taken slots goes round.
const MARGIN: usize = 1 << 12;
/// The number of insertions after which a thread must report them by [`Visited::count`].
pub(crate) const UNCOUNTED_MAX: usize = 1 << 9;

/// An open-addressing table with linear probing, whose homes are in the order of the names.
///
/// Because of that order it grows in place, by any factor: from the end to the beginning, each run
/// of taken slots is lifted and put down further behind, and no entry of it goes before the run's
/// first slot. So growing needs no memory beside the grown table.
///
/// A slot holds the words of a key, the complement of the parent's name, and, if the search asks
/// for it, the rules that are awake. The parent of a state that was reached in several ways at once
/// is the one with the least name, whichever thread came first.
pub(crate) struct Visited {
    words: Vec<AtomicU64>,
    /// The number of homes.
    homes: usize,
    key_words: usize,
    stride: usize,
    len: AtomicUsize,
}

/// The result of an insertion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The state was not known.
    New,
    /// It was known.
    Known,
}

/// The entry of a state when its level has ended.
pub(crate) struct Settled {
    /// The rules that some way to it leaves awake, if they are kept.
    pub awake: u64,
}

impl Visited {
    pub(crate) fn new(key_words: usize, keeps_awake: bool, homes: usize) -> Self {
        let stride = key_words + 1 + usize::from(keeps_awake);
        let mut visited =
            Visited { words: Vec::new(), homes, key_words, stride, len: AtomicUsize::new(0) };
        visited.lengthen();
        visited
    }

    fn lengthen(&mut self) {
        let len = (self.homes + MARGIN) * self.stride;
        self.words.resize_with(len, Default::default);
    }

    /// The number of states.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.words.len() as u64 * 8
    }

    /// The number of bytes that it would take after growing.
    pub(crate) fn bytes_grown(&self) -> u64 {
        ((self.homes_grown() + MARGIN) * self.stride * 8) as u64
    }

    fn homes_grown(&self) -> usize {
        self.homes + self.homes / 2
    }

    /// Whether this many threads may continue to insert.
    pub(crate) fn has_room(&self, threads: usize) -> bool {
        self.len() + threads * UNCOUNTED_MAX <= self.homes / 8 * 7
    }

    /// Counts states that were inserted.
    pub(crate) fn count(&self, new: usize) {
        self.len.fetch_add(new, Ordering::Relaxed);
    }

    #[inline]
    fn home(&self, name: u64) -> usize {
        ((u128::from(name) * self.homes as u128) >> 63) as usize * self.stride
    }

    /// Reads the slot where a key is looked for first, so that it is in the cache later.
    #[inline]
    pub(crate) fn touch(&self, key: [u64; 2]) -> u64 {
        self.words[self.home(key[0] & NAME)].load(Ordering::Relaxed)
    }

    /// Inserts a state, or takes note of another parent of one that was found in the same level.
    pub(crate) fn insert(&self, key: [u64; 2], parent: u64, awake: u64) -> Result<Inserted, Full> {
        let mut at = self.home(key[0] & NAME);
        loop {
            let slot = self.words.get(at..at + self.stride).ok_or(Full)?;
            let inserted = match slot[0].load(Ordering::Acquire) {
                0 => match slot[0].compare_exchange(0, key[0], Ordering::AcqRel, Ordering::Acquire)
                {
                    Ok(_) => {
                        // The thread that finds the first word waits for the second.
                        if self.key_words == 2 {
                            slot[1].store(key[1], Ordering::Release);
                        }
                        Some(Inserted::New)
                    }
                    Err(held) => self.is_key(slot, held, key).then_some(Inserted::Known),
                },
                held => self.is_key(slot, held, key).then_some(Inserted::Known),
            };
            if let Some(inserted) = inserted {
                self.note_way(slot, parent, awake, inserted == Inserted::New);
                return Ok(inserted);
            }
            at += self.stride;
        }
    }

    #[inline]
    fn is_key(&self, slot: &[AtomicU64], held: u64, key: [u64; 2]) -> bool {
        if held != key[0] || self.key_words == 1 {
            return held == key[0];
        }
        loop {
            match slot[1].load(Ordering::Acquire) {
                0 => std::thread::yield_now(),
                second => return second == key[1],
            }
        }
    }

    /// Complements, so that the least parent is the greatest word and a free slot's 0 is no parent.
    #[inline]
    fn note_way(&self, slot: &[AtomicU64], parent: u64, awake: u64, is_new: bool) {
        let (room, word) = (&slot[self.key_words], FRESH | (!parent & NAME));
        let held = if is_new { 0 } else { room.load(Ordering::Acquire) };
        let is_fresh = held == 0 || held & FRESH != 0;
        if is_fresh && word > held {
            room.fetch_max(word, Ordering::AcqRel);
        }
        if is_fresh && self.stride > self.key_words + 1 {
            slot[self.key_words + 1].fetch_or(awake, Ordering::AcqRel);
        }
    }

    /// The slot of a name; of a key, where it is given.
    fn slot(&self, name: u64, key: Option<[u64; 2]>) -> Option<&[AtomicU64]> {
        let mut at = self.home(name);
        loop {
            let slot = self.words.get(at..at + self.stride)?;
            let held = slot[0].load(Ordering::Acquire);
            if held == 0 {
                return None;
            }
            let is_it = key.is_none_or(|key| self.is_key(slot, held, key));
            if held & NAME == name && is_it {
                return Some(slot);
            }
            at += self.stride;
        }
    }

    /// Ends the level in which a state was found: no later way to it counts.
    pub(crate) fn settle(&self, key: [u64; 2]) -> Settled {
        let slot = self.slot(key[0] & NAME, Some(key)).expect("a state that was inserted");
        slot[self.key_words].fetch_and(NAME, Ordering::AcqRel);
        let awake = slot.get(self.key_words + 1).map_or(u64::MAX, |it| it.load(Ordering::Acquire));
        Settled { awake }
    }

    /// The name of a state's parent, 0 if it is an initial state.
    pub(crate) fn parent(&self, name: u64) -> Option<u64> {
        let slot = self.slot(name, None)?;
        Some(!slot[self.key_words].load(Ordering::Acquire) & NAME)
    }

    /// Makes room.
    pub(crate) fn grow(&mut self) {
        let slots = self.words.len() / self.stride;
        self.homes = self.homes_grown();
        self.lengthen();
        let mut end = slots;
        while end > 0 {
            if self.is_free(end - 1) {
                end -= 1;
                continue;
            }
            let begin = (0..end).rev().find(|it| self.is_free(*it)).map_or(0, |it| it + 1);
            self.put_down_again(begin, end);
            end = begin;
        }
    }

    fn is_free(&mut self, slot: usize) -> bool {
        *self.words[slot * self.stride].get_mut() == 0
    }

    fn put_down_again(&mut self, begin: usize, end: usize) {
        let stride = self.stride;
        let run = &mut self.words[begin * stride..end * stride];
        let lifted: Vec<u64> = run.iter_mut().map(|it| std::mem::take(it.get_mut())).collect();
        for entry in lifted.chunks_exact(stride) {
            self.put(entry);
        }
    }

    fn put(&mut self, entry: &[u64]) {
        let mut at = self.home(entry[0] & NAME);
        while *self.words[at].get_mut() != 0 {
            at += self.stride;
        }
        for (room, word) in self.words[at..].iter_mut().zip(entry) {
            *room.get_mut() = *word;
        }
    }

    /// The taken slots, for a checkpoint.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Vec<u64>> {
        let slots = self.words.chunks_exact(self.stride);
        let taken = slots.filter(|it| it[0].load(Ordering::Acquire) != 0);
        taken.map(|it| it.iter().map(|it| it.load(Ordering::Acquire)).collect())
    }

    /// The number of words of an entry.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Puts an entry back that a checkpoint kept.
    pub(crate) fn restore(&mut self, entry: &[u64]) {
        while !self.has_room(1) {
            self.grow();
        }
        self.put(entry);
        self.count(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::{Print, mixed, name};

    fn filled(count: u64, key_words: usize) -> Visited {
        let mut visited = Visited::new(key_words, false, 64);
        for it in 1..=count {
            while !visited.has_room(1) {
                visited.grow();
            }
            let key = key(it);
            assert_eq!(visited.insert(key, it, 0).expect("room"), Inserted::New);
            visited.count(1);
        }
        visited
    }

    fn key(it: u64) -> [u64; 2] {
        (u128::from(mixed(it)) << 64 | u128::from(mixed(!it))).key()
    }

    #[test]
    fn nothing_is_lost_while_it_grows() {
        for words in [1, 2] {
            let visited = filled(20_000, words);
            assert_eq!((visited.len(), visited.entries().count()), (20_000, 20_000));
            let wrong = (1..=20_000).find(|it| visited.parent(key(*it)[0] & NAME) != Some(*it));
            assert_eq!(wrong, None);
        }
    }

    #[test]
    fn keys_that_differ_in_the_second_word_differ() {
        let visited = Visited::new(2, false, 4096);
        assert_eq!(visited.insert([5, 1], 0, 0).expect("room"), Inserted::New);
        assert_eq!(visited.insert([5, 2], 0, 0).expect("room"), Inserted::New);
        assert_eq!(visited.insert([5, 1], 0, 0).expect("room"), Inserted::Known);
    }

    #[test]
    fn the_least_parent_of_the_level_stays() {
        let visited = Visited::new(1, true, 4096);
        let key = 77_u64.key();
        for (parent, awake) in [(30, 1), (10, 2), (20, 4)] {
            visited.insert(key, parent, awake).expect("room");
        }
        assert_eq!(visited.settle(key).awake, 7);
        visited.insert(key, 5, 8).expect("room");
        assert_eq!(visited.parent(name(77_u64)), Some(10));
        assert_eq!(visited.settle(key).awake, 7);
    }
}
