//! The alignments that copies return to.

use super::varint;

/// How many are remembered.
pub(crate) const REMEMBERED: usize = 8;

/// The last different alignments, old position minus new one, the latest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alignments([i64; REMEMBERED]);

impl Alignments {
    /// The number that stands for `alignment`, which becomes the latest.
    pub(crate) fn encode(&mut self, alignment: i64) -> u64 {
        if let Some(index) = self.0.iter().position(|it| *it == alignment) {
            self.0[..=index].rotate_right(1);
            return index as u64;
        }
        let shift = alignment.wrapping_sub(self.0[0]);
        self.remember(alignment);
        varint::zigzag(shift).wrapping_add(REMEMBERED as u64 - 1)
    }

    /// The alignment that `code` stands for, which becomes the latest, or `None` if there is none.
    pub(crate) fn decode(&mut self, code: u64) -> Option<i64> {
        if let Some(index) = usize::try_from(code).ok().filter(|it| *it < REMEMBERED) {
            self.0[..=index].rotate_right(1);
            return Some(self.0[0]);
        }
        let shift = varint::unzigzag(code - (REMEMBERED as u64 - 1));
        self.remember(self.0[0].checked_add(shift)?);
        Some(self.0[0])
    }

    fn remember(&mut self, alignment: i64) {
        self.0.rotate_right(1);
        self.0[0] = alignment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alignment_comes_back() {
        let (mut here, mut there) = (Alignments::default(), Alignments::default());
        for alignment in [0, 5, -5, 5, 0, 1 << 40, -(1 << 40), 7, 8, 9, 10, 11, 12, 13, 14, 5, 0] {
            let code = here.encode(alignment);
            assert_eq!(there.decode(code), Some(alignment));
        }
    }

    #[test]
    fn an_alignment_that_was_left_is_a_small_number() {
        let mut alignments = Alignments::default();
        alignments.encode(1 << 30);
        assert_eq!(alignments.encode(0), 1);
        assert_eq!(alignments.encode(1 << 30), 1);
        assert_eq!(alignments.encode(1 << 30), 0);
    }
}
