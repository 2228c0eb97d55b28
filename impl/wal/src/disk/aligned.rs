//! Memory that direct I/O accepts.

use std::fmt;
use std::ops::{Deref, DerefMut};

use steadfast_huge_pages::{HUGE_PAGE_BYTES, HugePages};

/// The alignment of memory for direct I/O, in bytes. No disk asks for more.
const ALIGNMENT: usize = 4096;

/// Zeroed memory that begins at a multiple of 4096 bytes. Large buffers lie in huge pages where the
/// system has them, because direct I/O hands these to the disk in fewer pieces.
pub struct AlignedBuffer(Memory);

enum Memory {
    Heap { memory: Vec<u8>, begin: usize, length: usize },
    Huge(HugePages),
}

impl AlignedBuffer {
    /// Memory of this many bytes, all zero. Pages that are never touched cost nothing.
    #[must_use]
    pub fn zeroed(length: usize) -> AlignedBuffer {
        if length >= HUGE_PAGE_BYTES
            && let Ok(memory) = HugePages::zeroed(length)
        {
            return AlignedBuffer(Memory::Huge(memory));
        }
        let memory = vec![0; length + ALIGNMENT];
        let begin = memory.as_ptr().align_offset(ALIGNMENT);
        AlignedBuffer(Memory::Heap { memory, begin, length })
    }
}

impl fmt::Debug for AlignedBuffer {
    /// Its length, because its bytes are no text and may be many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuffer").field("length", &self.len()).finish_non_exhaustive()
    }
}

impl Default for AlignedBuffer {
    /// No memory.
    fn default() -> AlignedBuffer {
        AlignedBuffer(Memory::Heap { memory: Vec::new(), begin: 0, length: 0 })
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap { memory, begin, length } => &memory[*begin..*begin + *length],
            Memory::Huge(memory) => memory,
        }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Heap { memory, begin, length } => &mut memory[*begin..*begin + *length],
            Memory::Huge(memory) => memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_and_of_the_length_asked_for() {
        for length in [1, 512, 4096, 100_000, HUGE_PAGE_BYTES, 5 << 20] {
            let buffer = AlignedBuffer::zeroed(length);
            assert_eq!(buffer.as_ptr().addr() % ALIGNMENT, 0);
            assert_eq!(buffer.len(), length);
        }
    }
}
