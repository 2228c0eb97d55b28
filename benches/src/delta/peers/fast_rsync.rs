//! The crate `fast_rsync`: the algorithm of rsync with vector instructions.

use fast_rsync::{Signature, SignatureOptions, apply, diff};

use super::{Measured, Pair, PeerError};
use crate::delta::meter::measure;
use crate::delta::row::Setting;

/// The block and hash sizes of its documentation's example.
const OPTIONS: SignatureOptions = SignatureOptions { block_size: 4096, crypto_hash_size: 8 };

/// In its favour the signature is known beforehand, except in the cold setting, where it travels.
pub(super) fn run(pair: &Pair, setting: Setting) -> Result<Measured, PeerError> {
    let (sign, signature) = measure(|| Ok(Signature::calculate(&pair.old, OPTIONS)))?;
    let index = signature.index();
    let (encode, delta) = measure(|| {
        let mut delta = Vec::new();
        diff(&index, &pair.new, &mut delta).map_err(failed)?;
        Ok(delta)
    })?;
    let (apply, result) = measure(|| {
        let mut result = Vec::with_capacity(pair.new.len());
        apply(&pair.old, &delta, &mut result).map_err(failed)?;
        Ok(result)
    })?;
    pair.check(&result)?;
    let is_cold = setting == Setting::Cold;
    Ok(Measured {
        encode: if is_cold { sign.and(encode) } else { encode },
        apply: Some(apply),
        bytes_up: if is_cold { signature.serialized().len() as u64 } else { 0 },
        bytes_down: delta.len() as u64,
    })
}

fn failed(error: impl std::fmt::Debug) -> PeerError {
    PeerError::Failed(format!("fast_rsync: {error:?}"))
}
