//! Finding the pieces that the new content has in common with the old one.
//!
//! The constants of each pass stand at the head of its file. `TUNING.md` beside the crate's manifest has a
//! table for each file: the basis of each constant, and how patches and times change with half of it and with
//! its double.

use std::io::{self, Write};

pub(crate) mod coarse;
pub(crate) mod contest;
pub(crate) mod dense;
pub(crate) mod fill;
pub(crate) mod fine;
pub(crate) mod gaps;
pub(crate) mod lookups;
pub(crate) mod near;
pub(crate) mod outline;
mod price;
mod regular;
pub(crate) mod repeats;
pub(crate) mod sample;
pub(crate) mod search;
mod trial;

use crate::effort::Effort;
use crate::encode::{Encoder, Unsealed};
use crate::pair::Pair;
use crate::segment::Segment;
use crate::summing::{OBSERVED, Summing};

/// The outline goes through the new content, then the second pass and the encoder together.
const PASSES: u64 = 2;

/// Options of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to look for equal pieces.
    pub effort: Effort,
    /// Whether the patch carries a sum of the new content, which proves the result right where the patch
    /// is applied. Without one the patch is found faster and the caller must check the result's name.
    pub summed: bool,
    /// Whether the new content is summed a second time when all of it has been encoded, and the patch
    /// is refused with [`NewChanged`](crate::NewChanged) if the sums differ: for a content that another process may be
    /// writing to. Two equal readings, one after the other, prove that every byte had its value at
    /// the moment between them, unless it was changed and changed back (Afek et al., "Atomic snapshots
    /// of shared memory", J. ACM 40(4), 1993, section 3: the double collect). Says nothing of a
    /// content that is not `summed`.
    pub read_twice: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { effort: Effort::Default, summed: true, read_twice: false }
    }
}

/// Writes the patch that makes `new` from `old`, and returns its bytes.
///
/// # Errors
/// `out` cannot be written to, there is no memory, or the new content changed ([`NewChanged`](crate::NewChanged)).
pub fn diff(old: &[u8], new: &[u8], options: Options, out: impl Write) -> io::Result<u64> {
    diff_observed(old, new, options, out, &|_, _| ())
}

/// As [`diff`], and calls `observe` on the way with the work that is done and all work, in bytes of both passes.
///
/// # Errors
/// As [`diff`].
pub fn diff_observed(
    old: &[u8],
    new: &[u8],
    options: Options,
    mut out: impl Write,
    observe: &dyn Fn(u64, u64),
) -> io::Result<u64> {
    let pair = Pair { old, new };
    let length = new.len() as u64;
    let observe = |pass: u64, done: usize| observe(pass * length + done as u64, PASSES * length);
    let first = |done| observe(0, done);
    let summing = Summing::new(new, options.summed, &first);
    let mut summing = if options.read_twice { summing.twice() } else { summing };
    let outline = outline::outline(pair, &mut summing)?;
    let shortest = contest::shortest(pair, outline, options.effort)?;
    let unsealed = match shortest.patch {
        Some(patch) => {
            let (kept, patch) = patch.split();
            out.write_all(&kept)?;
            patch.onto(out)
        }
        None => encode(pair, &shortest.segments, &mut summing, options.effort, out, &observe)?,
    };
    let length = unsealed.seal(pair.old, summing)?;
    observe(1, pair.new.len());
    Ok(length)
}

fn encode<'a, W: Write>(
    pair: Pair<'a>,
    segments: &[Segment],
    summing: &mut Summing<'a>,
    effort: Effort,
    out: W,
    observe: &dyn Fn(u64, usize),
) -> io::Result<Unsealed<W>> {
    let sources = repeats::sources(pair.old.len(), segments);
    let mut encoder = Encoder::new(pair, summing, segments, sources, effort, out)?;
    let mut observed = 0;
    for segment in segments {
        if segment.new_end() >= observed {
            observe(1, segment.new_end());
            observed = segment.new_end() + OBSERVED;
        }
        encoder.segment(*segment)?;
    }
    encoder.finish()
}
