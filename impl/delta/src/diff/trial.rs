//! Whether moved pieces make the patch shorter, judged by samples.
//!
//! The lines of two logs have phrases in common. The search for moved pieces finds them everywhere, but
//! packing makes literal phrases as short as the operations that copy them. So the search packs a sample of
//! its finds now and then. While the finds do not pay, it takes long pieces only, over a stretch that doubles
//! with each such sample in a row.

use std::io;
use std::ops::Range;

use super::price::{BYTE, OF_MOVED_PIECES, Recent};
use crate::pair::Pair;
use crate::segment::Segment;
use crate::wire::packing::Packer;
use crate::wire::packing::levels::LEVEL_FASTEST;

/// The length of a sample in bytes: the packer needs some tens of kilobytes to learn the phrases.
const SAMPLE: usize = 64 << 10;
/// The length in bytes of the hint, the end of a sample. It decides alone where copies clearly pay, and takes a
/// quarter of the time.
const HINT: usize = 16 << 10;
/// Copies clearly pay if they save more than one byte of the packed literals in this number.
const CLEAR_SHARE: usize = 8;
/// Copies that take less than one byte of the hint in this number pay, whatever the packer says.
const CHEAP_SHARE: usize = 64;
/// The bytes of the first stretch behind a sample.
const STRETCH: usize = 512 << 10;
/// A stretch is at most `2^DOUBLINGS_MAX` times as long as the first one.
const DOUBLINGS_MAX: u32 = 5;

/// The verdicts on the samples.
pub(super) struct Trials {
    packer: Packer,
    /// The last verdict.
    pays: bool,
    /// The number of verdicts in a row that were the same as the last one.
    in_a_row: u32,
    /// Until here in the new content the search takes long pieces only.
    doubted_end: usize,
    /// The next sample ends here in the new content, or behind.
    next_end: usize,
}

impl Trials {
    /// No doubts yet.
    pub(super) fn new() -> Trials {
        let packer = Packer::default();
        Trials { packer, pays: true, in_a_row: 0, doubted_end: 0, next_end: 0 }
    }

    /// Whether the search takes long pieces only at this place of the new content.
    pub(super) fn doubts(&self, new: usize) -> bool {
        new < self.doubted_end
    }

    /// Whether a sample that ends at this place of the new content is to be judged.
    pub(super) fn are_due(&self, new_end: usize) -> bool {
        new_end >= self.next_end.max(STRETCH)
    }

    /// Judges the last segments, which end at `new_end` or before. Not inlined: the walk that calls it now and
    /// then is a tight loop.
    ///
    /// # Errors
    /// zstd has no memory.
    #[inline(never)]
    pub(super) fn judge(
        &mut self,
        pair: Pair<'_>,
        segments: &[Segment],
        new_end: usize,
    ) -> io::Result<()> {
        let pays = pays(&mut self.packer, pair, segments, new_end)?;
        self.in_a_row = if pays == self.pays { self.in_a_row + 1 } else { 0 };
        self.pays = pays;
        let stretch = STRETCH << self.in_a_row.min(DOUBLINGS_MAX);
        // The first such sample may be an exception.
        let doubted = if pays || self.in_a_row == 0 { 0 } else { stretch };
        self.doubted_end = new_end + doubted;
        self.next_end = if pays { new_end + stretch } else { self.doubted_end + STRETCH };
        Ok(())
    }
}

/// Whether copying the segments in the sample that ends at `end` takes fewer bytes of the patch than literals
/// do. No segment goes beyond `end`.
fn pays(packer: &mut Packer, pair: Pair<'_>, segments: &[Segment], end: usize) -> io::Result<bool> {
    let hint = Copied::new(pair, segments, end - HINT..end);
    if hint.price / BYTE + hint.literals.len() < HINT / CHEAP_SHARE {
        return Ok(true);
    }
    let mut packed = |copied: &Copied, sample: Range<usize>| {
        let with = copied.price / BYTE + packer.length(&copied.literals, LEVEL_FASTEST)?;
        Ok::<_, io::Error>([with, packer.length(&pair.new[sample], LEVEL_FASTEST)?])
    };
    let [with, without] = packed(&hint, end - HINT..end)?;
    if with < without - without / CLEAR_SHARE {
        return Ok(true);
    }
    let sample = end - SAMPLE..end;
    let [with, without] = packed(&Copied::new(pair, segments, sample.clone()), sample)?;
    Ok(with < without)
}

/// The parts of a patch of a sample.
struct Copied {
    /// The bytes between the copies, and the changed bytes of these.
    literals: Vec<u8>,
    /// The price of the operations, in parts of a byte.
    price: usize,
}

impl Copied {
    fn new(pair: Pair<'_>, segments: &[Segment], sample: Range<usize>) -> Copied {
        let mut copied = Copied { literals: Vec::new(), price: 0 };
        let mut recent = Recent::with(OF_MOVED_PIECES);
        let mut end = sample.start;
        for segment in &segments[segments.partition_point(|it| it.new_end() <= end)..] {
            let start = segment.new_start.max(end);
            copied.literals.extend_from_slice(&pair.new[end..start]);
            copied.price += recent.price(*segment);
            recent.remember(*segment);
            end = segment.new_end();
            if !segment.exact {
                let old = &pair.old[segment.old_end() - (end - start)..];
                let both = old.iter().zip(&pair.new[start..end]);
                copied.literals.extend(both.filter(|(old, new)| old != new).map(|(_, new)| new));
            }
        }
        copied.literals.extend_from_slice(&pair.new[end..sample.end]);
        copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    const LINE: usize = 64;

    /// Lines that begin with one of some phrases of this length and end each on its own.
    fn log(seed: usize, phrase: usize) -> Vec<u8> {
        let own = noise(seed + SAMPLE);
        let phrases = noise(16 * LINE);
        let lines = own[seed..].chunks_exact(LINE).flat_map(|own| {
            let start = usize::from(own[LINE - 1] % 16) * LINE;
            phrases[start..start + phrase].iter().chain(&own[phrase..]).copied()
        });
        lines.collect()
    }

    /// The first `length` bytes of each new line as copies of the old line that has this number.
    fn copies(length: usize, old: impl Fn(usize) -> usize) -> Vec<Segment> {
        let copy = |line: usize| {
            let (old_start, new_start) = (old(line) * LINE, line * LINE);
            Segment { old_start, new_start, length, exact: true }
        };
        (0..SAMPLE / LINE).map(copy).collect()
    }

    #[test]
    fn phrases_of_a_log_do_not_pay_and_its_lines_do() {
        let old = log(1, 40);
        let phrase_of = |log: &[u8], line: usize| log[line * LINE..][..40].to_vec();
        let new = log(2003, 40);
        let like = |line: usize| {
            let mut lines = (0..SAMPLE / LINE).map(|it| (line * 37 + it) % (SAMPLE / LINE));
            lines.find(|it| phrase_of(&old, *it) == phrase_of(&new, line)).expect("it occurs")
        };
        let mut packer = Packer::default();
        let mut judged = |new: &[u8], copies: &[Segment]| {
            pays(&mut packer, Pair { old: &old, new }, copies, SAMPLE).expect("memory")
        };
        assert!(!judged(&new, &copies(40, like)));
        let shuffled = |line: usize| line * 37 % (SAMPLE / LINE);
        let moved: Vec<u8> =
            (0..SAMPLE / LINE).flat_map(|it| old[shuffled(it) * LINE..][..LINE].to_vec()).collect();
        assert!(judged(&moved, &copies(LINE, shuffled)));
        // One copy of all is known to pay before anything is packed.
        let whole = Segment { old_start: 0, new_start: 0, length: SAMPLE, exact: true };
        assert!(judged(&old, &[whole]));
        assert!(!judged(&old, &[]), "no copy is no saving");
    }

    #[test]
    fn doubts_begin_with_the_second_sample_and_double_until_one_pays() {
        let content = noise(64 << 20);
        let pair = Pair { old: &content, new: &content };
        let mut trials = Trials::new();
        let mut judge = |at: usize, segments: &[Segment]| {
            if trials.are_due(at) {
                trials.judge(pair, segments, at).expect("memory");
            }
            (at..content.len()).step_by(STRETCH).take_while(|it| trials.doubts(*it)).count()
        };
        let mut at = STRETCH;
        for doubted in [0, 2, 4, 8, 16, 32, 32] {
            assert_eq!(judge(at - 1, &[]), 0, "it is too early");
            assert_eq!(judge(at, &[]), doubted, "stretches from {at} on");
            at += (doubted + 1) * STRETCH;
        }
        let whole = Segment { old_start: 0, new_start: 0, length: content.len(), exact: true };
        let in_place = |end: usize| [Segment { length: end, ..whole }];
        assert_eq!(judge(at, &in_place(at)), 0);
        at += STRETCH;
        assert_eq!(judge(at, &[]), 0, "an exception");
    }
}
