//! Copying where processors copy badly.
//!
//! C libraries and Linux leave long copies to one instruction, `rep movsb`. On a Zen 3 it takes
//! five times as long in memory, and fifteen times in the cache, if bytes move forward within
//! their pages by 1 to 31 (see glibc's bug 30994): such as all that lies behind an insertion of 20
//! bytes.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

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
