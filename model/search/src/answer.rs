//! How an answer lies in the arena.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::tables::Tables;

/// The words before the body of an answer: the number of a rule's steps, or a property's verdict; a
/// mask of the aspects that it depends on, and one of their places.
pub(crate) const HEADER: u32 = 5;

/// A remembered answer, by its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf(pub u32);

impl Leaf {
    /// The number of steps that a rule allows, or whether a property holds.
    #[inline]
    pub(crate) fn word(self, tables: &Tables) -> u32 {
        tables.arena.word(self.0)
    }

    /// The aspects that the answer depends on; see [`Aspects`](crate::aspects::Aspects).
    #[inline]
    pub(crate) fn aspects(self, tables: &Tables) -> u64 {
        tables.arena.long(self.0 + 1)
    }

    /// The places that the answer depends on, as a mask.
    #[inline]
    pub(crate) fn looked(self, tables: &Tables) -> u64 {
        tables.arena.long(self.0 + 3)
    }

    /// The offset of the body: of a rule its steps, of a follow-up its effect.
    #[inline]
    pub(crate) fn body(self) -> u32 {
        self.0 + HEADER
    }
}

/// The parts of an effect in the arena.
#[derive(Clone, Copy)]
pub(crate) struct EffectAt<'a> {
    /// Places with the change of each, follow-ups, and marks.
    words: &'a [AtomicU32],
    changes: usize,
    follows: usize,
    end: u32,
}

impl<'a> EffectAt<'a> {
    /// The words of an effect before its lists.
    pub(crate) fn header(changes: usize, follows: usize, marks: usize) -> u32 {
        assert!(changes < 1 << 16, "a step changes fewer than 2^16 components");
        assert!(follows < 1 << 8 && marks < 1 << 8, "a step has fewer than 2^8 of each");
        let [changes, follows, marks] = [changes, follows, marks].map(short);
        changes | follows << 16 | marks << 24
    }

    /// The offset behind the effect at an offset.
    #[inline]
    pub(crate) fn end_of(tables: &Tables, at: u32) -> u32 {
        let sizes = tables.arena.word(at);
        at + 1 + 2 * (sizes & 0xffff) + (sizes >> 16 & 0xff) + (sizes >> 24)
    }

    /// Whether the effect at an offset is empty.
    #[inline]
    pub(crate) fn is_empty(tables: &Tables, at: u32) -> bool {
        tables.arena.word(at) == 0
    }

    /// The effect at an offset.
    #[inline]
    pub(crate) fn read(tables: &'a Tables, at: u32) -> EffectAt<'a> {
        let sizes = tables.arena.word(at);
        let (changes, follows, marks) = (2 * (sizes & 0xffff), sizes >> 16 & 0xff, sizes >> 24);
        let len = changes + follows + marks;
        EffectAt {
            words: tables.arena.list(at + 1, len),
            changes: changes as usize,
            follows: (changes + follows) as usize,
            end: at + 1 + len,
        }
    }

    #[inline]
    pub(crate) fn changes(self) -> impl Iterator<Item = (u32, u32)> + use<'a> {
        let changes = self.words[..self.changes].chunks_exact(2);
        changes.map(|it| (it[0].load(Ordering::Relaxed), it[1].load(Ordering::Relaxed)))
    }

    #[inline]
    pub(crate) fn follows(self) -> impl Iterator<Item = u32> + use<'a> {
        self.words[self.changes..self.follows].iter().map(|it| it.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn marks(self) -> impl Iterator<Item = u32> + use<'a> {
        self.words[self.follows..].iter().map(|it| it.load(Ordering::Relaxed))
    }

    /// The offset behind it.
    #[inline]
    pub(crate) fn end(self) -> u32 {
        self.end
    }
}

/// A length as a word.
pub(crate) fn short(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 steps of one rule")
}
