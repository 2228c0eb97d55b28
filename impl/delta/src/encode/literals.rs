//! The literals of a frame while they are gathered.

use std::io;
use std::ops::Deref;

use steadfast_huge_pages::HugePages;

use crate::wire::frame::LITERALS_MAX;

/// More of them lie in huge pages: each small page of new memory takes as long as copying it ten
/// times.
const FEW_MAX: usize = 256 << 10;

/// At most [`LITERALS_MAX`] bytes.
#[derive(Default)]
pub(super) struct Literals {
    few: Vec<u8>,
    many: Option<HugePages>,
    length: usize,
}

impl Literals {
    /// Appends `bytes`, for which there is room.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.length + bytes.len();
        if end > FEW_MAX && self.many.is_none() {
            let mut many = HugePages::zeroed(LITERALS_MAX)?;
            many[..self.length].copy_from_slice(&std::mem::take(&mut self.few));
            self.many = Some(many);
        }
        match &mut self.many {
            Some(many) => many[self.length..end].copy_from_slice(bytes),
            None => self.few.extend_from_slice(bytes),
        }
        self.length = end;
        Ok(())
    }

    /// Leaves none, with the memory that they have.
    pub(super) fn clear(&mut self) {
        self.few.clear();
        self.length = 0;
    }
}

impl Deref for Literals {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.many.as_ref().map_or(&self.few, |it| &it[..self.length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn few_and_many_are_kept_in_order_and_cleared() {
        let noise = noise(LITERALS_MAX);
        let mut literals = Literals::default();
        for lengths in [&[5, 0, FEW_MAX - 5, 1, 4096][..], &[3], &[LITERALS_MAX - 1, 1], &[]] {
            literals.clear();
            let mut end = 0;
            for length in lengths {
                literals.extend(&noise[end..end + length]).expect("there is memory");
                end += length;
                assert!(*literals == noise[..end], "{length} more, {end} bytes");
            }
        }
    }
}
