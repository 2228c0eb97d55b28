//! Finding what the new content has in common with the old one.

use std::io::{self, Write};

pub(crate) mod coarse;
pub(crate) mod dense;
pub(crate) mod fill;
pub(crate) mod lookups;
pub(crate) mod near;
pub(crate) mod outline;
pub(crate) mod pair;
pub(crate) mod repeats;
pub(crate) mod sample;
pub(crate) mod segment;
pub(crate) mod summing;

use crate::effort::Effort;
use crate::encode::Encoder;
use pair::Pair;
use summing::Summing;

/// The outline goes through the new content, then the second pass and the encoder together.
const PASSES: u64 = 2;

/// New bytes between two observations.
const OBSERVED: usize = 1 << 20;

/// What an encoder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to look for what is equal.
    pub effort: Effort,
    /// Whether the patch carries a sum of the new content, so that whoever applies it knows that
    /// the result is right. Without one the patch is found faster and the caller must check the
    /// result's name.
    pub summed: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { effort: Effort::Default, summed: true }
    }
}

/// Writes the patch that makes `new` from `old`, and returns its bytes.
///
/// # Errors
/// `out` cannot be written to, or there is no memory.
pub fn diff(old: &[u8], new: &[u8], options: Options, out: impl Write) -> io::Result<u64> {
    diff_observed(old, new, options, out, &|_, _| ())
}

/// As [`diff`]; tells `observe` on the way how much of the work is done, and of how much.
///
/// # Errors
/// As [`diff`].
pub fn diff_observed(
    old: &[u8],
    new: &[u8],
    options: Options,
    out: impl Write,
    observe: &dyn Fn(u64, u64),
) -> io::Result<u64> {
    let pair = Pair { old, new };
    let length = new.len() as u64;
    let observe = |pass: u64, done: usize| observe(pass * length + done as u64, PASSES * length);
    let first = |done| observe(0, done);
    let mut summing = Summing::new(new, options.summed, &first);
    let segments = outline::outline(pair, &mut summing);
    let segments = match options.effort.search() {
        Some(search) => fill::fill(pair, segments, search),
        None => segments,
    };
    let segments = repeats::add(pair, segments, options.effort.repeats());
    let sources = repeats::sources(old.len(), &segments);
    let mut encoder = Encoder::new(pair, summing, sources, options.effort, out)?;
    let mut observed = 0;
    for segment in segments {
        if segment.new_end() >= observed {
            observe(1, segment.new_end());
            observed = segment.new_end() + OBSERVED;
        }
        encoder.segment(segment)?;
    }
    encoder.finish()
}
