//! Which of several lists of segments makes the shortest patch.
//!
//! How well literals are packed decides whether a short piece is worth an operation, and only packing
//! tells that. So where passes disagree, patches are made and measured. The effort `small` also tries
//! the list of the default effort and packs no stream longer, so that its patches are no longer.

use std::io::{self, ErrorKind, Write};

use super::fill;
use super::fine;
use super::pair::Pair;
use super::repeats;
use super::segment::Segment;
use super::summing::Summing;
use crate::effort::Effort;
use crate::encode::Encoder;

/// The segments of the outline, with those that later passes find where these make the patch shorter,
/// and with the new pieces that repeat.
///
/// # Errors
/// There is no memory.
pub(crate) fn shortest(
    pair: Pair<'_>,
    outline: Vec<Segment>,
    effort: Effort,
) -> io::Result<Vec<Segment>> {
    if effort == Effort::Fast {
        return Ok(repeats::add(pair, outline, effort.repeats()));
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
        lists.iter_mut().flatten().for_each(|it| it.length = None);
    }
    let [plain, refined] = lists;
    Ok(shorter(pair, plain, refined, packing)?.map(|it| it.segments).unwrap_or_default())
}

/// The segments of the second pass, and those of the third one if it is worth its time.
fn passes(
    pair: Pair<'_>,
    outline: &[Segment],
    effort: Effort,
) -> io::Result<[Option<Candidate>; 2]> {
    let lists = match effort.search() {
        Some(search) => fill::fill(pair, outline, search),
        None => [Some(outline.to_vec()), None],
    };
    let candidate = |segments| {
        let segments = repeats::add(pair, segments, effort.repeats());
        Candidate { segments, length: None }
    };
    let mut refined = None;
    for base in bases(pair, outline, &lists, effort) {
        let other = fine::refine(pair, base, effort)?.map(candidate);
        refined = shorter(pair, refined, other, Effort::Default)?;
    }
    let [outline, filled] = lists.map(|it| it.map(candidate));
    let plain = match (effort, &refined) {
        // The refined list is the shortest one of the three nearly always.
        (Effort::Default, Some(_)) => filled.or(outline),
        _ => shorter(pair, outline, filled, Effort::Default)?,
    };
    Ok([plain, refined])
}

/// The lists between whose segments the third pass looks. What the second pass found hides pieces that
/// pay better and misses none that the third one finds, but to find all with the third takes longer.
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
#[derive(Clone)]
struct Candidate {
    segments: Vec<Segment>,
    /// The bytes of its patch, once that was measured.
    length: Option<u64>,
}

/// The candidate with the shorter patch as this effort packs it; the first of two that are as long.
fn shorter(
    pair: Pair<'_>,
    first: Option<Candidate>,
    second: Option<Candidate>,
    packing: Effort,
) -> io::Result<Option<Candidate>> {
    let (Some(first), Some(second)) = (&first, &second) else { return Ok(first.or(second)) };
    if first.segments == second.segments {
        return Ok(Some(first.clone()));
    }
    // The second was found by more work, and is mostly the shorter one.
    let length = match second.length {
        Some(length) => length,
        None => measure(pair, &second.segments, packing, u64::MAX)?.unwrap_or(u64::MAX),
    };
    let first_length = match first.length {
        Some(known) => Some(known).filter(|it| *it <= length),
        None => measure(pair, &first.segments, packing, length)?,
    };
    Ok(Some(match first_length {
        Some(length) => Candidate { length: Some(length), ..first.clone() },
        None => Candidate { length: Some(length), ..second.clone() },
    }))
}

/// The bytes of the patch of these segments, unless they are more than `length_max`.
fn measure(
    pair: Pair<'_>,
    segments: &[Segment],
    packing: Effort,
    length_max: u64,
) -> io::Result<Option<u64>> {
    let sources = repeats::sources(pair.old.len(), segments);
    let summing = Summing::new(pair.new, false, &|_| ());
    let out = Counted { left: length_max };
    let encoded = || {
        let mut encoder = Encoder::new(pair, summing, sources, packing, out)?;
        encoder.leave_old_blocks();
        segments.iter().try_for_each(|it| encoder.segment(*it))?;
        encoder.finish()
    };
    match encoded() {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts bytes instead of writing them.
struct Counted {
    left: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
