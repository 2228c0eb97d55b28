//! Remembered answers, in tables that all threads read and write without locks.
//!
//! No entry is ever overwritten. A thread that finds a table full grows it while no other thread
//! uses it, and then repeats its current work, whose results so far are already remembered.

use crate::print::Print;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A table has no room left.
#[derive(Debug)]
pub(crate) struct Full;

/// A map from pairs of numbers to words that are not 0.
pub(crate) struct Memo {
    /// Key and value; 0 is free. Keys are stored with 1 added.
    slots: Vec<[AtomicU64; 2]>,
    /// The bits by which a hash is shifted to give a slot.
    shift: u32,
    len: AtomicUsize,
}

impl Memo {
    pub(crate) fn new() -> Self {
        Memo { slots: free(1 << 12), shift: 64 - 12, len: AtomicUsize::new(0) }
    }

    /// The value of a pair, or 0.
    #[inline]
    pub(crate) fn value(&self, first: u32, second: u32) -> u64 {
        let key = key(first, second);
        let mut at = self.home(key);
        loop {
            let [held, value] = &self.slots[at];
            match held.load(Ordering::Acquire) {
                0 => return 0,
                it if it == key => return value.load(Ordering::Acquire),
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// Remembers a value. A pair has one right value, so the first one stays.
    pub(crate) fn remember(&self, first: u32, second: u32, value: u64) -> Result<(), Full> {
        if self.len.load(Ordering::Relaxed) >= self.limit() {
            return Err(Full);
        }
        let key = key(first, second);
        let mut at = self.home(key);
        loop {
            let [held, room] = &self.slots[at];
            let taken = held.compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire);
            match taken {
                Ok(_) => {
                    self.len.fetch_add(1, Ordering::Relaxed);
                    room.store(value, Ordering::Release);
                    return Ok(());
                }
                Err(it) if it == key => {
                    room.store(value, Ordering::Release);
                    return Ok(());
                }
                Err(_) => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// Where a key is looked for first: the high bits of its product with a constant (Knuth, "The Art
    /// of Computer Programming", volume 3, section 6.4).
    #[expect(clippy::cast_possible_truncation, reason = "as many bits are left as slots have")]
    #[inline]
    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// Three quarters of the slots, less a margin for threads that check at the same time.
    fn limit(&self) -> usize {
        self.slots.len() / 4 * 3 - 512
    }

    fn grow(&mut self) {
        if *self.len.get_mut() < self.limit() / 4 * 3 {
            return;
        }
        let more = free(self.slots.len() * 2);
        self.shift -= 1;
        for slot in std::mem::replace(&mut self.slots, more) {
            let [key, value] = slot.map(AtomicU64::into_inner);
            if key == 0 {
                continue;
            }
            let mut at = self.home(key);
            while *self.slots[at][0].get_mut() != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = [key.into(), value.into()];
        }
    }

    fn bytes(&self) -> u64 {
        self.slots.len() as u64 * 16
    }
}

fn free(len: usize) -> Vec<[AtomicU64; 2]> {
    std::iter::repeat_with(Default::default).take(len).collect()
}

#[inline]
fn key(first: u32, second: u32) -> u64 {
    (u64::from(first) << 32 | u64::from(second)) + 1
}

/// Lists of words, one after the other, known by their offset.
pub(crate) struct Arena {
    words: Vec<AtomicU32>,
    len: AtomicUsize,
}

impl Arena {
    /// Offsets below `reserved` are never given.
    fn new(reserved: u32) -> Self {
        let mut words = Vec::new();
        words.resize_with(1 << 12, Default::default);
        Arena { words, len: AtomicUsize::new(reserved as usize) }
    }

    #[inline]
    pub(crate) fn word(&self, at: u32) -> u32 {
        self.words[at as usize].load(Ordering::Relaxed)
    }

    /// Keeps a list. No other thread knows its offset until the caller publishes it.
    pub(crate) fn keep(&self, list: &[u32]) -> Result<u32, Full> {
        let at = self.len.fetch_add(list.len(), Ordering::Relaxed);
        let room = self.words.get(at..at + list.len()).ok_or(Full)?;
        for (room, word) in room.iter().zip(list) {
            room.store(*word, Ordering::Relaxed);
        }
        u32::try_from(at).map_err(|_| Full)
    }

    /// Whether the arena keeps a list at an offset.
    pub(crate) fn is_at(&self, at: u32, list: &[u32]) -> bool {
        let kept = self.words.get(at as usize..at as usize + list.len());
        kept.is_some_and(|it| it.iter().zip(list).all(|it| it.0.load(Ordering::Relaxed) == *it.1))
    }

    fn grow(&mut self) {
        let (len, room) = (*self.len.get_mut(), self.words.len());
        assert!(len < u32::MAX as usize, "invariant: what is remembered fits into 16 GiB");
        if len >= room / 4 * 3 {
            // Lists that did not fit any more are kept again, where the room ended.
            *self.len.get_mut() = len.min(room);
            self.words.resize_with(room * 2 + (len - len.min(room)), Default::default);
        }
    }

    fn bytes(&self) -> u64 {
        self.words.len() as u64 * 4
    }
}

/// The hashes of the components, by their numbers.
pub(crate) struct Hashes(Vec<[AtomicU64; 2]>, AtomicUsize);

impl Hashes {
    #[inline]
    pub(crate) fn of(&self, component: u32) -> [u64; 2] {
        self.0[component as usize].each_ref().map(|it| it.load(Ordering::Relaxed))
    }

    /// What a component adds to a fingerprint at a place.
    #[inline]
    pub(crate) fn part<P: Print>(&self, component: u32, place: u32) -> P {
        let hash = &self.0[component as usize];
        P::part(|lane| hash[lane].load(Ordering::Relaxed), place as usize)
    }

    /// Sets the hash of a component whose number no other thread knows yet.
    pub(crate) fn set(&self, component: u32, hash: [u64; 2]) -> Result<(), Full> {
        self.1.fetch_max(component as usize, Ordering::Relaxed);
        let room = self.0.get(component as usize).ok_or(Full)?;
        room.iter().zip(hash).for_each(|it| it.0.store(it.1, Ordering::Relaxed));
        Ok(())
    }

    fn grow(&mut self) {
        let highest = *self.1.get_mut();
        if highest >= self.0.len() / 4 * 3 {
            self.0.resize_with((highest + 1).max(self.0.len()) * 2, Default::default);
        }
    }
}

/// Numbers that are found by an index, 0 where none is set.
pub(crate) struct Row(Vec<AtomicU64>, AtomicUsize);

impl Row {
    fn new() -> Self {
        let mut row = Vec::new();
        row.resize_with(1 << 10, Default::default);
        Row(row, AtomicUsize::new(0))
    }

    #[inline]
    pub(crate) fn value(&self, at: usize) -> u64 {
        self.0.get(at).map_or(0, |it| it.load(Ordering::Acquire))
    }

    pub(crate) fn set(&self, at: usize, value: u64) -> Result<(), Full> {
        self.1.fetch_max(at, Ordering::Relaxed);
        self.0.get(at).ok_or(Full)?.store(value, Ordering::Release);
        Ok(())
    }

    fn grow(&mut self) {
        let highest = *self.1.get_mut();
        if highest >= self.0.len() / 4 * 3 {
            self.0.resize_with((highest + 1).max(self.0.len()) * 2, Default::default);
        }
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64 * 8
    }
}

/// All remembered answers about a system.
pub(crate) struct Tables {
    /// From a question and a component to the next node or leaf. See `remembered`.
    pub answers: Memo,
    /// From a change and a component to the changed component, with 1 added.
    pub changed: Memo,
    /// From a component and the number of a summary to the summary, with 1 added. Those of one
    /// component stand side by side, because a state is asked for several.
    pub summaries: Row,
    summaries_len: usize,
    /// The roots of the answers about what follows, by the number of the follow-up.
    pub follows: Row,
    pub arena: Arena,
    pub hashes: Hashes,
}

impl Tables {
    pub(crate) fn new(reserved: u32, summaries: u16) -> Self {
        let mut hashes = Vec::new();
        hashes.resize_with(1 << 10, Default::default);
        Tables {
            answers: Memo::new(),
            changed: Memo::new(),
            summaries: Row::new(),
            summaries_len: usize::from(summaries),
            follows: Row::new(),
            arena: Arena::new(reserved),
            hashes: Hashes(hashes, AtomicUsize::new(0)),
        }
    }

    /// The index of a summary in its row.
    #[inline]
    pub(crate) fn summary_at(&self, component: u32, number: u16) -> usize {
        component as usize * self.summaries_len + usize::from(number)
    }

    /// Makes room in those tables that are nearly full.
    pub(crate) fn grow(&mut self) {
        self.answers.grow();
        self.changed.grow();
        self.summaries.grow();
        self.follows.grow();
        self.arena.grow();
        self.hashes.grow();
    }

    pub(crate) fn bytes(&self) -> u64 {
        let hashes = self.hashes.0.len() as u64 * 16;
        let rows = self.summaries.bytes() + self.follows.bytes();
        let memos = self.answers.bytes() + self.changed.bytes();
        memos + rows + self.arena.bytes() + hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_keeps_everything_while_it_grows() {
        let mut memo = Memo::new();
        for first in 0..300 {
            for second in 0..100 {
                while memo.remember(first, second, u64::from(first * 100 + second + 1)).is_err() {
                    memo.grow();
                }
            }
        }
        let wrong = (0..30_000).find(|it| memo.value(it / 100, it % 100) != u64::from(it + 1));
        assert_eq!((wrong, memo.value(300, 0)), (None, 0));
    }

    #[test]
    fn an_arena_keeps_its_lists_while_it_grows() {
        let mut arena = Arena::new(4);
        let mut kept = Vec::new();
        for word in 0..5_000_u32 {
            let list = [word, word + 1, word + 2];
            let at = loop {
                match arena.keep(&list) {
                    Ok(at) => break at,
                    Err(Full) => arena.grow(),
                }
            };
            assert!(at >= 4);
            kept.push((at, list));
        }
        assert!(kept.iter().all(|(at, list)| arena.is_at(*at, list)));
        assert!(!arena.is_at(kept[0].0, &[9, 9, 9]));
    }
}
