//! The finest level: short hashes of some 256 bytes each.

use twox_hash::XxHash3_64;

use super::cut::{GRAIN_LENGTH_MAX, first_grain};

const LENGTH_BITS: u32 = 10;

/// The length and the hash of a grain in eight bytes: 10 bits of length - 1, 54 bits of XXH3.
///
/// The hash is not cryptographic. Whoever uses it to find equal grains checks the whole result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grain(u64);

impl Grain {
    /// The grain that these bytes are, hashed under a salt.
    pub(crate) fn of(bytes: &[u8], salt: u64) -> Grain {
        debug_assert!((1..=GRAIN_LENGTH_MAX).contains(&bytes.len()));
        let hash = XxHash3_64::oneshot_with_seed(salt, bytes);
        Grain((hash << LENGTH_BITS) | (bytes.len() as u64 - 1))
    }

    pub(crate) const fn from_bits(bits: u64) -> Grain {
        Grain(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The length in bytes: 1 to [`GRAIN_LENGTH_MAX`].
    pub fn length(self) -> usize {
        let length = (self.0 & ((1 << LENGTH_BITS) - 1)) as usize;
        length + 1
    }
}

/// The grains of a chunk, hashed under a salt.
pub(crate) fn grains(chunk: &[u8], salt: u64) -> impl Iterator<Item = Grain> {
    grain_slices(chunk).map(move |grain| Grain::of(grain, salt))
}

/// The bytes of a chunk's grains.
pub(crate) fn grain_slices(chunk: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (grain, after) = rest.split_at(first_grain(rest));
            rest = after;
            grain
        })
    })
}
