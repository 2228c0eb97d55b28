//! From a region of the old content and a patch to a stretch of the new one.

use std::ops::Range;

use steadfast_delta::apply;
use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_delta::remote::{Effect, Limits, Receiver};

use crate::transfer::Source;

/// The manifest of a region down to the grains; `None` if it cannot be read.
pub(super) fn region_manifest(old: &impl Source, region: &Range<u64>) -> Option<Manifest> {
    Some(Manifest::of(&read(old, region)?, Depth::Grains))
}

/// The stretch that the patch of a delta makes; `None` if it makes none of this length.
pub(super) fn of_delta(
    old: &impl Source,
    region: &Range<u64>,
    patch: &[u8],
    length: u64,
) -> Option<Vec<u8>> {
    let made = apply(&read(old, region)?, patch, length).ok()?;
    Some(made.to_vec())
}

/// The stretch that the message of an exchange makes; `None` if it makes none of this length.
pub(super) fn of_exchange(
    old: &impl Source,
    region: &Range<u64>,
    message: &[u8],
    length: u64,
) -> Option<Vec<u8>> {
    let bytes = read(old, region)?;
    let manifest = Manifest::of(&bytes, Depth::Grains);
    let limits = Limits { length_max: length, ..Limits::default() };
    let effects = Receiver::new(&bytes, &manifest, limits).receive(message).ok()?;
    let mut made = Vec::new();
    for effect in effects {
        match effect {
            Effect::Copy { offset, length } => {
                let start = usize::try_from(offset).ok()?;
                let end = start.checked_add(usize::try_from(length).ok()?)?;
                made.extend_from_slice(bytes.get(start..end)?);
            }
            Effect::Write(bytes) => made.extend_from_slice(&bytes),
            Effect::Restart => return None,
            Effect::Send(_) | Effect::Done(_) => {}
        }
    }
    Some(made)
}

fn read(old: &impl Source, region: &Range<u64>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(region.end - region.start).ok()?];
    old.read_exact_at(&mut bytes, region.start).ok()?;
    Some(bytes)
}
