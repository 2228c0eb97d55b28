//! An effect as the arena holds it.

use crate::tables::Tables;

/// The parts of an effect in the arena.
#[derive(Clone, Copy)]
pub(crate) struct EffectAt {
    changes: u32,
    pub changes_len: u32,
    pub follows_len: u32,
    pub marks_len: u32,
}

impl EffectAt {
    /// The effect whose list begins at an offset.
    #[inline]
    pub(crate) fn read(tables: &Tables, at: u32) -> EffectAt {
        let sizes = tables.arena.word(at);
        EffectAt {
            changes: at + 1,
            changes_len: sizes & 0xffff,
            follows_len: sizes >> 16 & 0xff,
            marks_len: sizes >> 24,
        }
    }

    #[inline]
    pub(crate) fn change(self, tables: &Tables, nth: u32) -> (u32, u32) {
        let at = self.changes + 2 * nth;
        (tables.arena.word(at), tables.arena.word(at + 1))
    }

    #[inline]
    pub(crate) fn follow(self, tables: &Tables, nth: u32) -> u32 {
        tables.arena.word(self.changes + 2 * self.changes_len + nth)
    }

    #[inline]
    pub(crate) fn mark(self, tables: &Tables, nth: u32) -> u32 {
        tables.arena.word(self.changes + 2 * self.changes_len + self.follows_len + nth)
    }

    #[inline]
    pub(crate) fn end(self) -> u32 {
        self.changes + 2 * self.changes_len + self.follows_len + self.marks_len
    }
}
