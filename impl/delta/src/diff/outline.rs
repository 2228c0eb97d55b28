//! The first pass: bytes that stayed in place, shifted a little, or moved as a large piece.
//!
//! It runs along one alignment at the speed of memory comparison. At a difference it keeps the
//! alignment while half of a window stays equal. Otherwise it looks, in this order, for a small shift
//! nearby, for the same alignment behind a replaced stretch, for a larger shift, for a moved
//! piece. It prefers the same alignment if that goes on for long, and takes a shift otherwise only if the
//! shift is equal for longer. The second pass looks for the bytes that it leaves unmatched.

use std::io;

use super::coarse::{Coarse, Grain};
use super::near::Near;
use super::trial::Trials;
use crate::compare::{WINDOW, are_equal_words, common_prefix_in_block};
use crate::pair::Pair;
use crate::segment::{Place, Segment};
use crate::summing::Summing;
use crate::wire::packing::noise::begins_as_noise;

/// The reach of the first search for the next stretch: where every line has an insertion, it begins here.
const NEXT_REACH: usize = 64;
/// The reach of the search for a small shift.
const NEAR_REACH: usize = 512;
/// The reach of the search for a larger shift, or for the end of a replaced stretch.
const FAR_REACH: usize = 8 << 10;
/// The reach of the search for the end of pages that were rewritten in place.
const PAGES_REACH: usize = 64 << 10;
/// The page of a file system.
const PAGE: usize = 4 << 10;
/// Shorter equal runs between changes are compared again by the encoder.
const EXACT_MIN: usize = 4 << 10;
/// A byte that repeats this number of times may be a hole in a sparse file.
const HOLE_MIN: usize = PAGE;
/// The number of last segments whose alignments are tried in a hole.
const GO_BACK: usize = 4;
/// The equal bytes that prove a small shift.
const NEAR_EQUAL_MIN: usize = 20;
/// The equal bytes that prove a larger shift, which is found by chance more often. With 32, patches of 56
/// pairs were longer by 0.8%, with 128 by 1.4%.
const FAR_EQUAL_MIN: usize = 64;
/// A shorter equal end of both contents is as likely by chance as worth an operation.
const SUFFIX_MIN: usize = 32;
/// The equal bytes that pay for a small search; of noise, which is not packed, any number does.
const PAYING_MIN: usize = 32;
/// The longest insertion or deletion in bytes whose search is always worth its time.
const INSERTION_MAX: usize = 8;
/// The walk looks for no shift if the same alignment goes on behind a replaced stretch for this number of bytes.
/// If it goes on for fewer, a small shift must be equal for at least that number: the phrases of a page that was
/// rewritten with text occur nearby, too.
const SHIFTED_MIN: usize = 512;
/// The most strides that the search passes over between two samples where nothing resembles the old content.
const SKIP_STRIDES_MAX: usize = 64;
/// Behind a moved piece the walk first looks for the next one in this number of strides.
const HOP_STRIDES: usize = 6;
/// The walk fills a closer table at one hop for this number of bytes of the old content.
const HOPS_SHARE: usize = 8 << 10;
/// It hops at least this number of times before.
const HOPS_MIN: usize = 64;
/// The equal bytes that make a moved piece a long one, which pays in any case.
const LONG_MIN: usize = 1 << 10;
/// The bytes that either search may look at before any match has earned more.
const CREDIT_START: usize = 512 << 10;
/// The search for moved pieces may look at one byte of the new content in this number, if that is more.
const COARSE_SHARE: usize = 16;
/// The matched bytes that earn one byte of the search nearby.
const CREDIT_PRICE: usize = 8;
/// The matched bytes that earn one byte of the search for moved pieces.
const COARSE_PRICE: usize = 1;

/// The segments of the first pass, in the order of the new content and without overlap in it.
///
/// # Errors
/// zstd has no memory for a sample.
pub(crate) fn outline(pair: Pair<'_>, summing: &mut Summing<'_>) -> io::Result<Vec<Segment>> {
    let prefix = summing.equal_run(pair, Place { old: 0, new: 0 });
    let suffix = match summing.equal_suffix(pair, prefix) {
        ..SUFFIX_MIN => 0,
        suffix => suffix,
    };
    let end = pair.new.len() - suffix;
    let middle = Pair { old: pair.old, new: &pair.new[..end] };
    let mut walk = Walk::new(middle, summing);
    walk.run(prefix)?;
    let mut segments = walk.segments;
    if suffix > 0 {
        let old_start = pair.old.len() - suffix;
        let last = Segment { old_start, new_start: end, length: suffix, exact: true };
        push(&mut segments, last);
    }
    Ok(segments)
}

/// Appends a segment; one that goes on where the last one ended prolongs it.
pub(crate) fn push(segments: &mut Vec<Segment>, segment: Segment) {
    if segment.length == 0 {
        return;
    }
    match segments.last_mut() {
        Some(last) if last.is_continued_by(&segment) => last.length += segment.length,
        _ => segments.push(segment),
    }
}

struct Walk<'a, 'b> {
    pair: Pair<'a>,
    summing: &'a mut Summing<'b>,
    segments: Vec<Segment>,
    near: Near,
    coarse: Option<Coarse>,
    /// Whether the last piece was a moved one: then so is the next.
    is_hopping: bool,
    /// How often the next moved piece was looked for right behind the last one.
    hops: usize,
    /// Whether moved pieces pay.
    trials: Trials,
    /// The bytes that the search nearby and the one for moved pieces may still look at. Matches earn them, so
    /// that contents which differ everywhere do not spend their time here.
    near_credit: usize,
    coarse_credit: usize,
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(pair: Pair<'a>, summing: &'a mut Summing<'b>) -> Walk<'a, 'b> {
        Walk {
            pair,
            summing,
            segments: Vec::new(),
            near: Near::new(),
            coarse: None,
            is_hopping: false,
            hops: 0,
            trials: Trials::new(),
            near_credit: CREDIT_START,
            coarse_credit: CREDIT_START.max(pair.new.len() / COARSE_SHARE),
        }
    }

    fn run(&mut self, prefix: usize) -> io::Result<()> {
        let mut open = Segment { old_start: 0, new_start: 0, length: prefix, exact: true };
        loop {
            let place = self.follow(open);
            if self.is_hopping && self.trials.are_due(place.new) {
                self.trials.judge(self.pair, &self.segments, place.new)?;
            }
            let Some(next) = self.next(place) else { return Ok(()) };
            let next = self.pair.cover(&mut self.segments, next);
            let end = self.segments.last().map_or(0, Segment::new_end);
            let place = Place { new: end.min(place.new), ..place };
            let before = self.pair.equal_run_before(next, place.new);
            let start = Place { old: next.old - before, new: next.new - before };
            let more = self.pair.like_run_before(start, place.new).length;
            let (old_start, new_start) = (start.old - more, start.new - more);
            self.push(Segment { old_start, new_start, length: more, exact: false });
            let length = before + self.summing.equal_run(self.pair, next);
            open = Segment { old_start: start.old, new_start: start.new, length, exact: true };
        }
    }

    /// Keeps the alignment of `open` while half of a window is equal; where it ends.
    fn follow(&mut self, open: Segment) -> Place {
        self.push(open);
        let mut alike = Segment { length: 0, exact: false, ..open.behind() };
        while self.pair.window_likeness(alike.end()).is_some_and(|it| it * 2 >= WINDOW) {
            alike.length += WINDOW;
            let run = self.summing.equal_run(self.pair, alike.end());
            if run < EXACT_MIN {
                alike.length += run;
                continue;
            }
            self.push(alike);
            let exact = Segment { length: run, exact: true, ..alike.behind() };
            self.push(exact);
            alike = Segment { length: 0, exact: false, ..exact.behind() };
        }
        let alike = self.pair.trimmed(alike);
        self.push(alike);
        alike.end()
    }

    fn push(&mut self, segment: Segment) {
        self.near_credit += segment.length / CREDIT_PRICE;
        self.coarse_credit += segment.length / COARSE_PRICE;
        push(&mut self.segments, segment);
    }

    /// Where the contents are equal again behind `place`.
    fn next(&mut self, place: Place) -> Option<Place> {
        if place.new >= self.pair.new.len() {
            return None;
        }
        if let Some(next) = self.hop(place) {
            return Some(next);
        }
        let resumed = self.resume(place);
        let shifted_min = resumed.map_or(NEAR_EQUAL_MIN, |it| self.run_within(it, SHIFTED_MIN));
        let goes_on = resumed.filter(|_| shifted_min == SHIFTED_MIN);
        self.go_back(place)
            .or(goes_on)
            .or_else(|| self.search_near(place, NEXT_REACH, shifted_min))
            .or_else(|| self.search_near(place, NEAR_REACH, shifted_min))
            .or(resumed)
            .or_else(|| self.search_near(place, FAR_REACH, FAR_EQUAL_MIN))
            .or_else(|| self.search_coarse(place))
    }

    /// An earlier alignment, for a run of one byte: the bytes of a run look alike, so only alignments outside
    /// of it show the place.
    fn go_back(&self, place: Place) -> Option<Place> {
        let window = self.pair.new.get(place.new..place.new + HOLE_MIN)?;
        if window.iter().any(|it| *it != window[0]) {
            return None;
        }
        let last = self.segments.iter().rev().take(GO_BACK);
        let first = self.segments.first();
        let mut places = last.chain(first).filter_map(|it| it.at(place.new));
        places.find(|it| it.old != place.old && self.pair.are_equal(*it, HOLE_MIN))
    }

    /// The equal bytes from `place` on, a window at least and `limit` at most.
    fn run_within(&self, place: Place, limit: usize) -> usize {
        let (old, new) = (&self.pair.old[place.old..], &self.pair.new[place.new..]);
        let end = old.len().min(new.len()).min(limit);
        common_prefix_in_block(&old[..end], &new[..end])
    }

    fn search_near(&mut self, place: Place, reach: usize, equal_min: usize) -> Option<Place> {
        let credit = self.near_credit.checked_sub(reach)?;
        let found = self.near.search(self.pair, place, reach, equal_min);
        if reach > NEXT_REACH || !found.is_some_and(|it| self.pays(place, it)) {
            self.near_credit = credit;
        }
        found
    }

    /// Whether the equal bytes from `found` on are worth a small search: an insertion of some bytes
    /// always is; phrases of a log are not, they are packed.
    fn pays(&self, place: Place, found: Place) -> bool {
        let distances = [found.old - place.old, found.new - place.new];
        (distances[0] != distances[1] && distances.iter().all(|it| *it <= INSERTION_MAX))
            || self.run_within(found, PAYING_MIN) == PAYING_MIN
            || self.pair.new.get(found.new..).is_some_and(begins_as_noise)
    }

    /// The same alignment behind a stretch that was replaced, be it pages in place.
    fn resume(&mut self, place: Place) -> Option<Place> {
        let Pair { old, new } = self.pair;
        let reach = FAR_REACH.min(old.len() - place.old).min(new.len() - place.new);
        let windows = [&old[place.old..][..reach], &new[place.new..][..reach]];
        let [old, new] = windows.map(|it| it.chunks_exact(WINDOW).skip(1));
        if let Some(equal) = old.zip(new).position(|(old, new)| are_equal_words(old, new)) {
            return Some(place + (equal + 1) * WINDOW);
        }
        let behind_pages = (place.new + FAR_REACH).next_multiple_of(PAGE) - place.new;
        let pages = (behind_pages..PAGES_REACH).step_by(PAGE).filter(|_| place.old == place.new);
        let mut places = pages.map(|it| place + it).filter(|it| !self.is_hole(*it));
        places.find(|it| self.pair.are_equal(*it, WINDOW))
    }

    /// Whether one byte repeats in the window at `place`: the alignment inside a hole proves nothing about the
    /// bytes before and behind it.
    fn is_hole(&self, place: Place) -> bool {
        let window = self.pair.new.get(place.new..place.new + WINDOW);
        window.is_some_and(|it| it.iter().all(|byte| *byte == it[0]))
    }

    /// A moved piece. Bytes that resemble nothing are searched in ever larger steps; a piece found is
    /// prolonged backward, so the steps lose only pieces that are shorter than they.
    fn search_coarse(&mut self, place: Place) -> Option<Place> {
        let (mut at, mut skip) = (place.new, 1);
        while let Some(stride) = self.affordable_strides(at, 1) {
            let found = match self.trials.doubts(at) {
                true => self.search_long(at, stride),
                false => self.search_moved(at, stride),
            };
            self.is_hopping = found.is_some();
            if found.is_some() {
                return found;
            }
            at += stride * skip;
            skip = (skip * 2).min(SKIP_STRIDES_MAX);
        }
        None
    }

    /// The next piece, if the last one moved.
    fn hop(&mut self, place: Place) -> Option<Place> {
        if !self.is_hopping || self.trials.doubts(place.new) {
            return None;
        }
        self.hops += 1;
        if self.hops == HOPS_MIN.max(self.pair.old.len() / HOPS_SHARE) {
            self.coarse = Some(Coarse::new(self.pair.old, Grain::SMALL));
        }
        let next = self.search_near(place, NEXT_REACH, NEAR_EQUAL_MIN).or_else(|| {
            let span = self.affordable_strides(place.new, HOP_STRIDES)?;
            self.search_moved(place.new, span)
        });
        self.is_hopping = next.is_some();
        next
    }

    /// The length in bytes of `strides` strides, if these follow in the new content and may be searched.
    fn affordable_strides(&self, at: usize, strides: usize) -> Option<usize> {
        let old = self.pair.old;
        let stride = self.coarse.as_ref().map_or(Grain::LARGE.stride_of(old), Coarse::stride);
        let span = strides * stride;
        let is_there = self.pair.new.len().saturating_sub(at) > span;
        (is_there && self.coarse_credit >= span).then_some(span)
    }

    /// A moved piece, one of whose samples lies in the next `span` bytes.
    fn search_moved(&mut self, at: usize, span: usize) -> Option<Place> {
        let coarse = self.coarse.get_or_insert_with(|| Coarse::new(self.pair.old, Grain::LARGE));
        let found = coarse.search(self.pair, at, span);
        self.coarse_credit -= found.map_or(span, |it| it.new - at);
        found
    }

    /// As [`Walk::search_moved`], but passes over short pieces.
    fn search_long(&mut self, mut at: usize, span: usize) -> Option<Place> {
        let end = at + span;
        while let Some(found) = self.search_moved(at, end - at) {
            if self.pair.are_equal(found, LONG_MIN) {
                return Some(found);
            }
            at = found.new + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    /// Phrases in any order: a rewritten page resembles all bytes nearby.
    fn text(seed: usize, length: usize) -> Vec<u8> {
        let phrases = noise(256 * 24);
        let order = noise(length + seed);
        let text = order[seed..].iter().flat_map(|it| &phrases[usize::from(*it) * 24..][..24]);
        text.take(length).copied().collect()
    }

    #[test]
    fn pages_that_were_rewritten_in_place_do_not_lead_astray() {
        let old = text(0, 64 * PAGE);
        for pages in 1..PAGES_REACH / PAGE - 1 {
            let mut new = old.clone();
            let at = 20 * PAGE;
            new[at..at + pages * PAGE].copy_from_slice(&text(7, pages * PAGE));
            *new.last_mut().expect("there is one") ^= 1;
            let pair = Pair { old: &old, new: &new };
            let segments = outline(pair, &mut Summing::new(&new, true, &|_| ())).expect("memory");
            assert!(segments.iter().all(|it| it.old_start == it.new_start), "{pages} pages");
            let matched: usize = segments.iter().map(|it| it.length).sum();
            assert!(matched >= old.len() - pages * PAGE - 1, "{pages} pages");
        }
    }

    #[test]
    fn holes_do_not_hide_that_all_between_them_is_shifted() {
        let noise = noise(16 * 13 * PAGE);
        let piece = |it: &[u8]| [it, &[0; 3 * PAGE]].concat();
        let old: Vec<u8> = noise.chunks(13 * PAGE).flat_map(piece).collect();
        let at = 2 * PAGE;
        let mut new = [&old[..at], &old[at + 100..]].concat();
        *new.last_mut().expect("there is one") ^= 1;
        let pair = Pair { old: &old, new: &new };
        let segments = outline(pair, &mut Summing::new(&new, true, &|_| ())).expect("memory");
        let matched: usize = segments.iter().map(|it| it.length).sum();
        assert!(matched >= new.len() - PAGE, "{matched} of {} bytes", new.len());
    }

    const LINE: usize = 112;

    /// Lines that begin with one of four phrases and end each on its own; either half is longer than a key.
    fn log(seed: usize, length: usize) -> Vec<u8> {
        const PHRASE: usize = 64;
        let own = noise(seed + length);
        let phrases = noise(4 * PHRASE);
        let lines = own[seed..].chunks_exact(LINE).flat_map(|own| {
            let start = usize::from(own[LINE - 1] % 4) * PHRASE;
            phrases[start..start + PHRASE].iter().chain(&own[PHRASE..]).copied()
        });
        lines.collect()
    }

    #[test]
    fn where_phrases_do_not_pay_only_long_pieces_are_looked_for() {
        const MIB: usize = 1 << 20;
        let (old, fresh) = (log(1, 16 * MIB), log(17 * MIB, 16 * MIB));
        let lengths = |new: &[u8]| {
            let mut summing = Summing::new(new, false, &|_| ());
            let segments = outline(Pair { old: &old, new }, &mut summing).expect("memory");
            segments.iter().map(|it| it.length).collect::<Vec<_>>()
        };
        let in_fresh: usize = lengths(&fresh).iter().sum();
        assert!(in_fresh < 3 * MIB, "{in_fresh} bytes of phrases");
        // Pieces of 256 KiB amid them, most of them where the search has given up.
        let piece = |at: usize| &old[at + 333..][..MIB / 4];
        let with_pieces =
            (0..8).flat_map(|it| [&fresh[it * 2 * MIB..][..2 * MIB - 777], piece(it * MIB)]);
        let with_pieces: Vec<u8> = with_pieces.flatten().copied().collect();
        let found = lengths(&with_pieces).into_iter().filter(|it| *it >= MIB / 4).count();
        assert_eq!(found, 8, "pieces");
        // Behind 2 MiB of fresh lines, the search finds lines in another order within 2 MiB.
        let lines: Vec<&[u8]> = old.chunks_exact(LINE).collect();
        let moved = (0..lines.len()).flat_map(|it| lines[it * 4099 % lines.len()]).copied();
        let moved: Vec<u8> = moved.collect();
        let found: usize = lengths(&[&fresh[..2 * MIB], &moved].concat()).iter().sum();
        assert!(found + 2 * MIB > moved.len(), "{found} of {} bytes", moved.len());
    }

    #[test]
    fn nothing_that_moved_is_looked_for_in_less_than_a_stride() {
        let old = noise(1 << 20);
        let stride = Grain::LARGE.stride_of(&old);
        for (rest, is_looked_for) in [(stride, false), (stride + 1, true)] {
            let new = noise(2 << 20).split_off((2 << 20) - rest);
            let mut summing = Summing::new(&new, false, &|_| ());
            let mut walk = Walk::new(Pair { old: &old, new: &new }, &mut summing);
            walk.run(0).expect("memory");
            assert_eq!(walk.coarse.is_some(), is_looked_for, "{rest} of {stride} bytes");
        }
    }
}
