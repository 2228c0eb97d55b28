//! The XXH3-128 of a block, taken while the block is compared with another one.
//!
//! Comparing waits for memory, summing for the CPU. Done one after the other they take a quarter
//! more time than comparing alone; done at once, hardly more.
//!
//! The algorithm is that of the xxHash specification (Y. Collet, `xxhash_spec.md`, version 0.2.0,
//! XXH3, inputs of more than 240 bytes) for the one length that a whole block has. A test compares
//! it with the library that sums shorter blocks.

use crate::compare::word;
use crate::cpu::{Kernel, prefetch};
use crate::primes::{PRIMES_32, PRIMES_64};

/// The bytes of a block.
pub(crate) const SUM_BLOCK: usize = 16 << 10;

const LANES: usize = 8;
const STRIPE: usize = 8 * LANES;
const SECRET: usize = 192;
/// The stripes of a round, after which the lanes are scrambled.
const STRIPES: usize = (SECRET - STRIPE) / 8;
const ROUND: usize = STRIPES * STRIPE;
/// Where in the secret the last stripe's part begins.
const LAST: usize = SECRET - STRIPE - 7;
/// Where in the secret the parts for either half of the result begin.
const HALVES: [usize; 2] = [11, SECRET - STRIPE - 11];

const PRIME_MX1: u64 = 0x1656_6791_9E37_79F9;

/// The default secret, as little-endian words.
const DEFAULT_SECRET: [u64; SECRET / 8] = [
    0xBE4B_A423_396C_FEB8,
    0x1CAD_21F7_2C81_017C,
    0xDB97_9083_E96D_D4DE,
    0x1F67_B3B7_A4A4_4072,
    0x78E5_C0CC_4EE6_79CB,
    0x2172_FFCC_7DD0_5A82,
    0x8E24_43F7_7446_08B8,
    0x4C26_3A81_E690_35E0,
    0xCB00_C391_BB52_283C,
    0xA32E_531B_8B65_D088,
    0x4EF9_0DA2_9748_6471,
    0xD8AC_DEA9_46EF_1938,
    0x3F34_9CE3_3F76_FAA8,
    0x1D4F_0BC7_C7BB_DCF9,
    0x3159_B4CD_4BE0_518A,
    0x6473_78D9_C97E_9FC8,
    0xC3EB_D334_83AC_C5EA,
    0xEB63_13FA_FFA0_81C5,
    0x49DA_F0B7_51DD_0D17,
    0x9E68_D429_2655_16D3,
    0xFCA1_477D_58BE_162B,
    0xCE31_D07A_D1B8_F88F,
    0x2804_1695_8F3A_CB45,
    0x7E40_4BBB_CAFB_D7AF,
];

/// A block of the new content, and one of the old content that may be equal to it.
pub(super) struct Compared<'a> {
    /// The seed of the sum.
    pub seed: u64,
    pub old: &'a [u8; SUM_BLOCK],
    pub new: &'a [u8; SUM_BLOCK],
    /// The old and the new bytes that are compared next.
    pub next: [&'a [u8]; 2],
}

/// How many rounds before their turn old and new bytes are asked for. The CPU itself asks for none
/// behind the end of a page, and does not follow two contents well enough. Both as early would be
/// slower where both lie alike in their pages, as files in memory do: they would share the sets of
/// the cache.
const AHEAD: [usize; 2] = [2, 1];

impl Kernel for Compared<'_> {
    /// The sum, and whether the blocks are equal.
    type Output = (u128, bool);

    #[inline(always)]
    fn run(self) -> (u128, bool) {
        let secret = secret(self.seed);
        let [old, new] = [self.old, self.new].map(|it| it.as_chunks::<ROUND>().0);
        let [next_old, next_new] = self.next.map(|it| it.as_chunks::<ROUND>().0);
        let ahead = |at| [ahead(old, next_old, at + AHEAD[0]), ahead(new, next_new, at + AHEAD[1])];
        let mut lanes = Lanes::new();
        let last = new.len() - 1;
        for at in 0..last {
            lanes.round(&old[at], &new[at], &secret, 8 * (STRIPES - 1), ahead(at));
            lanes.scramble(&secret);
        }
        lanes.round(&old[last], &new[last], &secret, LAST, ahead(last));
        (lanes.sum(&secret), lanes.are_equal())
    }
}

/// Round `at` of a block and the next one, or another one where none follows.
#[inline(always)]
fn ahead<'a>(block: &'a [[u8; ROUND]], next: &'a [[u8; ROUND]], at: usize) -> &'a [u8; ROUND] {
    let following = || next.get(at - block.len()).unwrap_or(&block[0]);
    block.get(at).unwrap_or_else(following)
}

struct Lanes {
    sums: [u64; LANES],
    /// The bits in which the two contents differ.
    differences: [u64; LANES],
}

impl Lanes {
    #[inline(always)]
    fn new() -> Lanes {
        let [a, b, c] = PRIMES_32.map(u64::from);
        let [d, e, f, g, h] = PRIMES_64;
        Lanes { sums: [c, d, e, f, g, b, h, a], differences: [0; LANES] }
    }

    /// Adds a round, whose last stripe has its part of the secret at `last`, and asks for those
    /// `ahead`.
    #[inline(always)]
    fn round(
        &mut self,
        old: &[u8; ROUND],
        new: &[u8; ROUND],
        secret: &[u8; SECRET],
        last: usize,
        ahead: [&[u8; ROUND]; 2],
    ) {
        for stripe in 0..STRIPES {
            let at = stripe * STRIPE;
            ahead.iter().for_each(|it| prefetch(&it[at]));
            let part = if stripe < STRIPES - 1 { 8 * stripe } else { last };
            self.stripe(stripe_at(old, at), stripe_at(new, at), stripe_at(secret, part));
        }
    }

    #[inline(always)]
    fn stripe(&mut self, old: [u64; LANES], new: [u64; LANES], secret: [u64; LANES]) {
        for lane in 0..LANES {
            self.differences[lane] |= new[lane] ^ old[lane];
        }
        for lane in 0..LANES {
            let keyed = new[lane] ^ secret[lane];
            let product = (keyed & u64::from(u32::MAX)).wrapping_mul(keyed >> 32);
            self.sums[lane] = self.sums[lane].wrapping_add(new[lane ^ 1]).wrapping_add(product);
        }
    }

    #[inline(always)]
    fn scramble(&mut self, secret: &[u8; SECRET]) {
        for (lane, sum) in self.sums.iter_mut().enumerate() {
            let key = word(&secret[SECRET - STRIPE + 8 * lane..]);
            *sum = (*sum ^ *sum >> 47 ^ key).wrapping_mul(u64::from(PRIMES_32[0]));
        }
    }

    fn sum(&self, secret: &[u8; SECRET]) -> u128 {
        let length = SUM_BLOCK as u64;
        let low = self.merged(&secret[HALVES[0]..], length.wrapping_mul(PRIMES_64[0]));
        let high = self.merged(&secret[HALVES[1]..], !length.wrapping_mul(PRIMES_64[1]));
        u128::from(high) << 64 | u128::from(low)
    }

    fn merged(&self, secret: &[u8], start: u64) -> u64 {
        let mut merged = start;
        for (pair, secret) in self.sums.chunks_exact(2).zip(secret.chunks_exact(16)) {
            let (a, b) = (pair[0] ^ word(secret), pair[1] ^ word(&secret[8..]));
            let product = u128::from(a) * u128::from(b);
            merged = merged.wrapping_add(product as u64 ^ (product >> 64) as u64);
        }
        merged ^= merged >> 37;
        merged = merged.wrapping_mul(PRIME_MX1);
        merged ^ merged >> 32
    }

    fn are_equal(&self) -> bool {
        self.differences == [0; LANES]
    }
}

#[inline(always)]
fn stripe_at(bytes: &[u8], at: usize) -> [u64; LANES] {
    let bytes: &[u8; STRIPE] = bytes[at..at + STRIPE].try_into().expect("a stripe");
    std::array::from_fn(|lane| word(&bytes[8 * lane..]))
}

/// The secret of a seed.
fn secret(seed: u64) -> [u8; SECRET] {
    let mut secret = [0; SECRET];
    let (parts, _) = secret.as_chunks_mut::<8>();
    for (index, (part, default)) in parts.iter_mut().zip(DEFAULT_SECRET).enumerate() {
        let word = match index % 2 {
            0 => default.wrapping_add(seed),
            _ => default.wrapping_sub(seed),
        };
        *part = word.to_le_bytes();
    }
    secret
}

#[cfg(test)]
mod tests {
    use twox_hash::XxHash3_128;

    use super::*;
    use crate::cpu::Cpu;
    use crate::noise::noise;

    #[test]
    fn every_cpu_sums_as_the_library_does_and_sees_each_difference() {
        let bytes = noise(2 * SUM_BLOCK);
        let (block, next) = bytes.split_first_chunk().expect("there are two blocks");
        for cpu in Cpu::all() {
            let (short, some) = (&next[..ROUND - 1], &next[..ROUND]);
            let nexts = [[next, next], [some, short], [&[], some]];
            for (seed, next) in [0, 1, u64::MAX / 3].into_iter().zip(nexts) {
                let sum = XxHash3_128::oneshot_with_seed(seed, block);
                let equal = cpu.run(Compared { seed, old: block, new: block, next });
                assert_eq!(equal, (sum, true), "{cpu:?}");
                for at in [0, 7, 63, ROUND - 1, ROUND, 5 * ROUND + 77, SUM_BLOCK - 1] {
                    let mut old = *block;
                    old[at] ^= 0x10;
                    let other = cpu.run(Compared { seed, old: &old, new: block, next });
                    assert_eq!(other, (sum, false), "{cpu:?}, byte {at}");
                }
            }
        }
    }
}
