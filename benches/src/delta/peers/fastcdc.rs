//! The crates `fastcdc` and `blake3`: content-defined chunks, each sent unless its hash is known.

use std::collections::HashMap;

use fastcdc::v2020::FastCDC;

use crate::delta::meter::measure;
use crate::delta::pair::{Measured, Pair};
use crate::delta::peer_error::PeerError;
use crate::delta::row::Setting;

const LENGTH_MIN: usize = 4 << 10;
const LENGTH_MEAN: usize = 16 << 10;
const LENGTH_MAX: usize = 64 << 10;
/// A chunk that is known travels as its number.
const REFERENCE_BYTES: u64 = 4;
const HASH_BYTES: u64 = 32;

/// Where a chunk is in the old version, by its hash.
type Known = HashMap<[u8; 32], (usize, usize)>;

/// A chunk of the new version.
enum Part {
    Known(usize, usize),
    Fresh(usize, usize),
}

pub(super) fn run(pair: &Pair, setting: Setting) -> Result<Measured, PeerError> {
    let (know, known) = measure(|| Ok(known(&pair.old)))?;
    let (encode, parts) = measure(|| Ok(parts(&pair.new, &known)))?;
    let (apply, result) = measure(|| {
        let mut result = Vec::with_capacity(pair.new.len());
        for part in &parts {
            match *part {
                Part::Known(at, length) => result.extend_from_slice(&pair.old[at..at + length]),
                Part::Fresh(at, length) => result.extend_from_slice(&pair.new[at..at + length]),
            }
        }
        Ok(result)
    })?;
    pair.check(&result)?;
    let bytes = parts.iter().map(|part| match part {
        Part::Known(..) => REFERENCE_BYTES,
        Part::Fresh(_, length) => REFERENCE_BYTES + *length as u64,
    });
    let is_cold = setting == Setting::Cold;
    Ok(Measured {
        encode: Some(if is_cold { know.and(encode) } else { encode }),
        apply: Some(apply),
        bytes_up: if is_cold { known.len() as u64 * HASH_BYTES } else { 0 },
        bytes_down: bytes.sum(),
    })
}

fn chunks(content: &[u8]) -> impl Iterator<Item = ([u8; 32], usize, usize)> {
    FastCDC::new(content, LENGTH_MIN, LENGTH_MEAN, LENGTH_MAX).map(|chunk| {
        let bytes = &content[chunk.offset..chunk.offset + chunk.length];
        (*blake3::hash(bytes).as_bytes(), chunk.offset, chunk.length)
    })
}

fn known(old: &[u8]) -> Known {
    chunks(old).map(|(hash, at, length)| (hash, (at, length))).collect()
}

fn parts(new: &[u8], known: &Known) -> Vec<Part> {
    let part = |(hash, at, length)| match known.get(&hash) {
        Some((at, length)) => Part::Known(*at, *length),
        None => Part::Fresh(at, length),
    };
    chunks(new).map(part).collect()
}
