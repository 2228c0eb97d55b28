//! The limit: comparing both versions byte by byte, which is no delta at all.

use std::hint::black_box;

use crate::delta::meter::measure;
use crate::delta::pair::{Measured, Pair};
use crate::delta::peer_error::PeerError;
use crate::delta::row::Setting;

/// Compares pieces of 64 KiB at equal offsets, all of them, each up to its first difference.
pub(super) fn run(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    const PIECE: usize = 64 << 10;
    let (encode, _) = measure(|| {
        let pieces = pair.old.chunks(PIECE).zip(pair.new.chunks(PIECE));
        Ok(black_box(pieces.filter(|(old, new)| old == new).count()))
    })?;
    Ok(Measured { encode: Some(encode), apply: None, bytes_up: 0, bytes_down: 0 })
}
