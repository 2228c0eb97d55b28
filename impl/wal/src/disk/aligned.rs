//! Memory that direct I/O accepts.

use std::ops::{Deref, DerefMut};

/// What the memory of direct I/O is aligned to, in bytes. No disk asks for more.
const ALIGNMENT: usize = 4096;

/// Zeroed memory that begins at a multiple of 4096 bytes.
pub struct AlignedBuffer {
    memory: Vec<u8>,
    begin: usize,
    length: usize,
}

impl AlignedBuffer {
    /// Memory of this many bytes, all zero. What is not touched costs nothing.
    #[must_use]
    pub fn zeroed(length: usize) -> AlignedBuffer {
        let memory = vec![0; length + ALIGNMENT];
        let begin = memory.as_ptr().align_offset(ALIGNMENT);
        AlignedBuffer { memory, begin, length }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + self.length]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..self.begin + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_and_of_the_length_asked_for() {
        for length in [1, 512, 4096, 100_000] {
            let buffer = AlignedBuffer::zeroed(length);
            assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buffer.len(), length);
        }
    }
}
