//! Copying where processors copy badly.
//!
//! C libraries and Linux leave long copies to one instruction, `rep movsb`. On a Zen 3 it takes
//! five times as long in memory, and fifteen times in the cache, if bytes move forward within
//! their pages by 1 to 31 (see glibc's bug 30994): such as all that lies behind an insertion of 20
//! bytes.

use std::ops::{Deref, DerefMut};

/// The bytes of a page.
const PAGE: usize = 4 << 10;
/// How far bytes move forward at least where copying is as fast as everywhere.
const FORWARD_MIN: usize = 32;
/// So few bytes are copied without that instruction, and without a loop.
const SHORT: usize = 256;

/// Copies all of `from` to `to`, which is as long.
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    assert_eq!(from.len(), to.len(), "as much is made as is copied");
    let forward = to.as_ptr().addr().wrapping_sub(from.as_ptr().addr()) % PAGE;
    let at_once = if (1..FORWARD_MIN).contains(&forward) { SHORT } else { from.len().max(1) };
    for (from, to) in from.chunks(at_once).zip(to.chunks_mut(at_once)) {
        to.copy_from_slice(from);
    }
}

/// Memory into which a file's bytes are read. The system copies them from pages that begin where
/// the file's do. This memory begins in the middle of a page, so that bytes that stay in their place, or
/// move by little, are copied half a page forward.
pub(crate) struct FileBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl FileBuffer {
    /// A buffer of `length` zero bytes.
    pub(crate) fn zeroed(length: usize) -> FileBuffer {
        let memory = vec![0; length + PAGE];
        let start = (PAGE / 2).wrapping_sub(memory.as_ptr().addr()) % PAGE;
        FileBuffer { memory, start, length }
    }
}

impl Deref for FileBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl DerefMut for FileBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn a_buffer_for_files_begins_in_the_middle_of_a_page() {
        for length in [0, 1, PAGE, 100_000] {
            let buffer = FileBuffer::zeroed(length);
            assert_eq!(buffer.as_ptr().addr() % PAGE, PAGE / 2);
            assert_eq!(*buffer, *vec![0; length]);
        }
    }

    #[test]
    fn bytes_arrive_however_far_they_move_within_their_pages() {
        let from = noise(3 * SHORT + 7);
        let mut room = vec![0; 2 * PAGE];
        for length in [0, 1, SHORT, from.len()] {
            for forward in 0..PAGE {
                let to = &mut room[forward..forward + length];
                to.fill(0);
                copy(&from[..length], to);
                assert_eq!(to, &from[..length]);
            }
        }
    }
}
