//! Multipliers of hashes: odd, and without a pattern in their bits.

/// Near the golden ratio of 2^64: Fibonacci hashing (Knuth, TAOCP volume 3, 6.4).
pub(crate) const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// The primes of 32 bits of XXH32 and XXH3.
pub(crate) const PRIMES_32: [u32; 3] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D];

/// The primes of 64 bits of XXH64 and XXH3.
pub(crate) const PRIMES_64: [u64; 5] = [
    0x9E37_79B1_85EB_CA87,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5,
];
