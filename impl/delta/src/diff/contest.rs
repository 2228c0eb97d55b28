//! Which of several lists of segments makes the shortest patch.
//!
//! A short piece is worth an operation where literals are packed badly, and only packing shows how well they
//! are. So where passes disagree, the contest makes the patches, measures them, and keeps the shortest. More
//! effort never makes a patch longer: the contest measures the list of less effort, too, unless that is much
//! longer by an estimate, and more effort packs each stream in all the ways of less effort.

use std::io::{self, ErrorKind, Write};

use super::fill;
use super::fine;
use super::regular;
use super::repeats;
use super::search::{PACKED, Search};
use crate::effort::Effort;
use crate::encode::{Encoder, Unsealed};
use crate::pair::Pair;
use crate::segment::Segment;
use crate::summing::Summing;

/// A longer patch is made again instead of kept: memory beyond both contents is to stay small.
const KEPT_MAX: usize = 16 << 20;

/// The list of segments that makes the shortest patch.
pub(crate) struct Shortest {
    pub segments: Vec<Segment>,
    /// Its patch, if one was made as the effort packs it and is short enough to be kept.
    pub patch: Option<Unsealed<Vec<u8>>>,
}

/// The segments of the outline, with those that later passes find where these make the patch shorter,
/// and with the new pieces that repeat.
///
/// # Errors
/// There is no memory.
pub(crate) fn shortest(
    pair: Pair<'_>,
    outline: Vec<Segment>,
    effort: Effort,
) -> io::Result<Shortest> {
    if effort == Effort::Fast {
        let segments = repeats::add(pair, outline, Search::of_repeats(effort));
        return Ok(Shortest { segments, patch: None });
    }
    let mut lists = passes(pair, &outline, Effort::Default)?;
    let mut packing = Effort::Default;
    if effort == Effort::Small {
        let more = passes(pair, &outline, effort)?;
        for (list, other) in lists.iter_mut().zip(more) {
            *list = shorter(pair, list.take(), other, packing)?;
        }
        // Better packing can do without short pieces where that of the default effort cannot.
        packing = effort;
        lists.iter_mut().flatten().for_each(|it| it.measured = None);
    }
    let [plain, refined] = lists;
    let mut shortest = shorter(pair, plain, refined, packing)?;
    if effort == Effort::Small {
        let segments = shortest.as_ref().and_then(|it| regular::regular(pair, &it.segments));
        let regular = segments.map(|segments| Candidate { segments, measured: None });
        shortest = shorter(pair, shortest, regular, packing)?;
    }
    let Candidate { segments, measured } = shortest.unwrap_or_default();
    let patch = measured.and_then(|it| it.patch);
    Ok(Shortest { segments, patch })
}

/// The segments of the second pass, and those of the third one if it is worth its time.
fn passes(
    pair: Pair<'_>,
    outline: &[Segment],
    effort: Effort,
) -> io::Result<[Option<Candidate>; 2]> {
    let lists = match Search::of(effort) {
        Some(search) => fill::fill(pair, outline, search),
        None => [Some(outline.to_vec()), None],
    };
    let candidate = |segments| {
        let segments = repeats::add(pair, segments, Search::of_repeats(effort));
        Candidate { segments, measured: None }
    };
    let mut refined = None;
    for base in bases(pair, outline, &lists, effort) {
        let other = fine::refine(pair, base, effort)?.map(candidate);
        refined = shorter(pair, refined, other, Effort::Default)?;
    }
    // The refined list is the shortest one of the three nearly always.
    let is_settled = effort == Effort::Default
        && refined.is_some()
        && !fill::is_told_soon(pair.new.len(), outline);
    let [outline, filled] = lists.map(|it| it.map(candidate));
    let plain = match is_settled {
        true => filled.or(outline),
        false => shorter(pair, outline, filled, Effort::Default)?,
    };
    Ok([plain, refined])
}

/// The lists between whose segments the third pass looks. The pieces of the second pass hide pieces that pay
/// better; but to find all of them with the third pass takes longer.
fn bases<'a>(
    pair: Pair<'_>,
    outline: &'a [Segment],
    lists: &'a [Option<Vec<Segment>>; 2],
    effort: Effort,
) -> Vec<&'a [Segment]> {
    let filled = lists[1].as_deref();
    match (effort, fine::is_likely(pair, outline)) {
        (Effort::Fast, _) | (Effort::Default, false) => Vec::new(),
        (Effort::Default, true) => vec![outline],
        (Effort::Small, true) => [Some(outline), filled].into_iter().flatten().collect(),
        (Effort::Small, false) => vec![filled.unwrap_or(outline)],
    }
}

/// A list of segments.
#[derive(Default)]
struct Candidate {
    segments: Vec<Segment>,
    measured: Option<Measured>,
}

/// The length of a patch, and the patch itself if it was kept.
struct Measured {
    length: u64,
    patch: Option<Unsealed<Vec<u8>>>,
}

/// The candidate with the shorter patch as this effort packs it; the first of two that are as long.
fn shorter(
    pair: Pair<'_>,
    first: Option<Candidate>,
    second: Option<Candidate>,
    packing: Effort,
) -> io::Result<Option<Candidate>> {
    let (mut first, mut second) = match (first, second) {
        (Some(first), Some(second)) if first.segments != second.segments => (first, second),
        (first, second) => return Ok(first.or(second)),
    };
    // The second was found by more work, and is mostly the shorter one.
    let length = second.length(pair, packing, u64::MAX)?.unwrap_or(u64::MAX);
    let first_length = first.length(pair, packing, length)?;
    Ok(Some(if first_length.is_some() { first } else { second }))
}

impl Candidate {
    /// The bytes of its patch, unless they are more than `length_max`.
    fn length(
        &mut self,
        pair: Pair<'_>,
        packing: Effort,
        length_max: u64,
    ) -> io::Result<Option<u64>> {
        if self.measured.is_none() {
            self.measured = measure(pair, &self.segments, packing, length_max)?;
        }
        Ok(self.measured.as_ref().map(|it| it.length).filter(|it| *it <= length_max))
    }
}

/// Makes the patch of these segments, unless it has more than `length_max` bytes.
fn measure(
    pair: Pair<'_>,
    segments: &[Segment],
    packing: Effort,
    length_max: u64,
) -> io::Result<Option<Measured>> {
    let sources = repeats::sources(pair.old.len(), segments);
    let mut summing = Summing::new(pair.new, false, &|_| ());
    let out = Counted { kept: may_be_kept(pair, segments).then(Vec::new), left: length_max };
    let encoded = || {
        let mut encoder = Encoder::new(pair, &mut summing, segments, sources, packing, out)?;
        segments.iter().try_for_each(|it| encoder.segment(*it))?;
        encoder.finish()
    };
    match encoded() {
        Ok(patch) => Ok(Some(Measured { length: patch.written(), patch: kept(patch) })),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a patch is likely to be short enough to be kept: the beginning of a longer one would take memory in
/// vain.
fn may_be_kept(pair: Pair<'_>, segments: &[Segment]) -> bool {
    let matched: usize = segments.iter().map(|it| it.length).sum();
    (pair.new.len() - matched) / PACKED <= KEPT_MAX
}

/// A patch whose bytes were kept.
fn kept(patch: Unsealed<Counted>) -> Option<Unsealed<Vec<u8>>> {
    let (counted, patch) = patch.split();
    counted.kept.map(|kept| patch.onto(kept))
}

/// Counts the bytes of a patch, and keeps those of a short one.
struct Counted {
    /// All bytes, while they are at most [`KEPT_MAX`], if they are to be kept.
    kept: Option<Vec<u8>>,
    /// The bytes that it may still have.
    left: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(ErrorKind::FileTooLarge)?;
        self.kept = self.kept.take().filter(|it| it.len() + bytes.len() <= KEPT_MAX);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_with_too_many_literals_is_measured_without_being_kept() {
        for (length, is_kept) in [(KEPT_MAX * PACKED, true), ((KEPT_MAX + 1) * PACKED, false)] {
            let new = vec![7; length];
            let pair = Pair { old: &[], new: &new };
            let measured = measure(pair, &[], Effort::Fast, u64::MAX).expect("memory");
            assert_eq!(measured.expect("no bound").patch.is_some(), is_kept, "{length} literals");
        }
    }
}
