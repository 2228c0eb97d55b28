//! The bytes of a patch, version 2. Version 1, which this crate reads as well, lacks the parts that are marked
//! as new below.
//!
//! All numbers are little-endian; a `varint` is an unsigned LEB128 of at most ten bytes. A patch
//! is a header, frames until all of the new content is described, a trailer, and nothing more.
//!
//! ```text
//! header   4  magic            53 66 CE 94, which is "SfΔ" in UTF-8
//!          1  version          1 or 2
//!          v  old length       bytes
//!          v  new length       bytes
//! frame    v  body length      at most BODY_MAX
//!             body
//!          8  check            XXH3-64 of the body
//! body     1  present          bit i: stream i is not empty; bit 6 is 0; bit 7: the literals are kept,
//!                              which is new in version 2
//!             streams          in the order below, those that are present
//! stream   v  length * 4 + packing: 0 raw, 1 zstd, 2 zstd behind the frame's skipped old bytes,
//!             3 zstd of columns, which is new in version 2; the length is that of the unpacked bytes, at least 1
//!          v  packed length    unless raw
//!             bytes
//! trailer  1  flags            bit 0: summed, bit 1: in place, which is: no copy moves,
//!                              bit 2: touched; the others are 0
//!         16  sum              of the new content (see `sum`), if summed
//!         16  touched sum      of the old blocks that have a byte which is not at its place in the
//!                              new content, as the same byte of a copy, if touched; else 0
//!          8  check            XXH3-64 of the trailer above
//! ```
//!
//! The seed of a check is the check before it; that of the first is XXH3-64 of the header with
//! seed 0. So a patch that is cut, spliced or flipped anywhere is known to be damaged.
//!
//! | # | stream | what it holds | bytes at most |
//! |---|---|---|---|
//! | 0 | literal lengths | per operation a varint: the new bytes that come from the literals | 1 MiB |
//! | 1 | copy lengths | per operation a varint: the old bytes that follow them | 1 MiB |
//! | 2 | shifts | per operation with a copy a varint: see below | 1 MiB |
//! | 3 | gaps | per changed byte of the copies a varint: unchanged bytes since the last | 4 MiB |
//! | 4 | differences | per changed byte, new minus old, modulo 256 | 4 MiB |
//! | 5 | literals | the new bytes that are in no copy | 4 MiB |
//!
//! The *alignment* of a copy is its old position minus its new one. A shift below 8 names one of
//! the eight latest different alignments of the patch (all 0 at first; 0 names the latest), which
//! becomes the latest; a shift `s` of 8 or more is a new one: the latest plus the number whose
//! zigzag code is `s - 7`. So a stretch that was replaced by one as long has the shift 0. Gaps
//! count on through the copies of a frame as if these were one; behind the last changed byte
//! there is no gap.
//!
//! The differences are sorted into three columns, one behind the other: those of changed bytes that
//! follow an unchanged one (or begin the frame), those whose gap is 0 behind one of these, and
//! those whose gap is 0 behind any other.
//!
//! The literals of a frame may be *kept*, up to 64 MiB in the whole patch. Copies are then also of these:
//! kept literals lie behind the end of the old content, in the order of their frames and beginning with
//! those of the copy's own frame and before. No copy is of both. So a new piece that occurs more than once
//! travels once, however far apart. Applied in place such a copy is a write, as literals are.
//!
//! In *columns* come, of a stream of varints, all first bytes, then the second bytes of those that have
//! one, and so on (see `columns`).
//!
//! The *skipped old bytes* of a frame are, for every operation with literals and with a copy of the old content that
//! begins behind the end of the copy before it in that frame, the old bytes between: of each such
//! stretch the first, twice as many as the literals and 64 more, up to 1 MiB in all. The literals
//! replaced these bytes and often resemble them, so they are the prefix for zstd.
//!
//! A decoder needs the memory of one frame and of the kept literals, and reads old bytes at random.

pub(crate) mod alignments;
pub(crate) mod columns;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod operations;
pub(crate) mod packing;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod source;
pub(crate) mod varint;
