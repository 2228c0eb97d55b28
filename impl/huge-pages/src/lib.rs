//! Memory in huge pages, where the system has them.
//!
//! Filling new memory is bound by page faults, and huge pages have fewer. A disk that reads
//! from it or writes to it directly gets one piece instead of hundreds.

use std::io;
use std::ops::{Deref, DerefMut, Range};

use memmap2::{Advice, MmapMut};

/// The bytes of a huge page on most machines. Where they are larger, the advice is of no use and does
/// no harm.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Zeroed memory that begins with a huge page.
///
/// What is not touched takes no memory; what is touched takes all of its page.
#[derive(Debug)]
pub struct HugePages {
    mapped: MmapMut,
    /// What of it begins with a huge page.
    range: Range<usize>,
}

impl HugePages {
    /// Memory of this many bytes, all zero, that begins at a multiple of [`HUGE_PAGE_BYTES`].
    ///
    /// # Errors
    /// When the system does not give it.
    pub fn zeroed(length: usize) -> io::Result<HugePages> {
        // The system maps small pages up to the first boundary of huge ones.
        let room = length.checked_add(HUGE_PAGE_BYTES).ok_or(io::ErrorKind::OutOfMemory)?;
        let mapped = MmapMut::map_anon(room)?;
        let start = mapped.as_ptr().align_offset(HUGE_PAGE_BYTES).min(HUGE_PAGE_BYTES);
        // Only of whole huge pages, so that the last one takes no more than is needed. A system
        // without huge pages refuses, and takes small ones.
        let whole = length - length % HUGE_PAGE_BYTES;
        let _ = mapped.advise_range(Advice::HugePage, start, whole);
        Ok(HugePages { mapped, range: start..start + length })
    }
}

impl Deref for HugePages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.mapped[self.range.clone()]
    }
}

impl DerefMut for HugePages {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.mapped[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_with_a_huge_page_and_is_as_long_as_asked_for() {
        for length in [0, 1, HUGE_PAGE_BYTES, 3 * HUGE_PAGE_BYTES + 4097] {
            let mut memory = HugePages::zeroed(length).expect("there is memory");
            assert!(memory.as_ptr().addr().is_multiple_of(HUGE_PAGE_BYTES));
            assert_eq!(memory.len(), length);
            assert!(memory.iter().all(|byte| *byte == 0));
            memory.fill(1);
        }
    }

    #[test]
    fn more_than_any_machine_has_is_an_error() {
        assert!(HugePages::zeroed(usize::MAX).is_err());
        assert!(HugePages::zeroed(1 << 60).is_err());
    }
}
