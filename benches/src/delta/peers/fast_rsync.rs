//! The crate `fast_rsync`: the algorithm of rsync with vector instructions.

use fast_rsync::{IndexedSignature, Signature, SignatureOptions, apply, diff};

use crate::delta::meter::measure;
use crate::delta::pair::{Measured, Pair};
use crate::delta::peer_error::PeerError;
use crate::delta::row::Setting;

/// The block and hash sizes of its documentation's example.
const OPTIONS: SignatureOptions = SignatureOptions { block_size: 4096, crypto_hash_size: 8 };

/// Everything that stands between the two versions and the patch. In the local setting that begins
/// with the signature, as ours begins with nothing; in the cached one the signature is known
/// beforehand; in the cold one it travels.
pub(super) fn run(pair: &Pair, setting: Setting) -> Result<Measured, PeerError> {
    let (sign, signature) = measure(|| Ok(Signature::calculate(&pair.old, OPTIONS)))?;
    let (index, indexed) = measure(|| Ok(signature.index()))?;
    let rest = run_signed(pair, &indexed)?;
    let encode = rest.encode.map(|it| sign.and(index).and(it));
    Ok(match setting {
        Setting::Local => Measured { encode, ..rest },
        Setting::Cached => rest,
        Setting::Cold => Measured { encode, bytes_up: signature.serialized().len() as u64, ..rest },
    })
}

/// In the local setting with the signature of the old version known beforehand: less than ours is
/// asked for, told beside it.
pub(super) fn signed(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    run_signed(pair, &Signature::calculate(&pair.old, OPTIONS).index())
}

fn run_signed(pair: &Pair, index: &IndexedSignature<'_>) -> Result<Measured, PeerError> {
    let mut delta = Vec::new();
    let (encode, ()) = measure(|| {
        delta.clear();
        diff(index, &pair.new, &mut delta).map_err(failed)
    })?;
    let (apply, result) = measure(|| {
        let mut result = Vec::with_capacity(pair.new.len());
        apply(&pair.old, &delta, &mut result).map_err(failed)?;
        Ok(result)
    })?;
    pair.check(&result)?;
    Ok(Measured {
        encode: Some(encode),
        apply: Some(apply),
        bytes_up: 0,
        bytes_down: delta.len() as u64,
    })
}

fn failed(error: impl std::fmt::Debug) -> PeerError {
    PeerError::Failed(format!("fast_rsync: {error:?}"))
}
