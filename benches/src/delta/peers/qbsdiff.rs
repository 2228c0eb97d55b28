//! The crate `qbsdiff`: suffix arrays and bzip2, small and slow.

use qbsdiff::{Bsdiff, Bspatch};

use crate::delta::meter::measure;
use crate::delta::pair::{Measured, Pair};
use crate::delta::peer_error::PeerError;
use crate::delta::row::Setting;

pub(super) fn run(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    let mut patch = Vec::new();
    let (encode, _) = measure(|| {
        patch.clear();
        Ok(Bsdiff::new(&pair.old, &pair.new).compression_level(9).compare(&mut patch)?)
    })?;
    let (apply, result) = measure(|| {
        let mut result = Vec::with_capacity(pair.new.len());
        Bspatch::new(&patch)?.apply(&pair.old, &mut result)?;
        Ok(result)
    })?;
    pair.check(&result)?;
    Ok(Measured {
        encode: Some(encode),
        apply: Some(apply),
        bytes_up: 0,
        bytes_down: patch.len() as u64,
    })
}
