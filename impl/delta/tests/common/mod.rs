//! What the tests share.
#![allow(dead_code, unreachable_pub)]

pub mod craft;
pub mod targets;

use steadfast_delta::{Effort, Options, PatchError, apply, apply_stream, diff};

pub const EFFORTS: [Effort; 3] = [Effort::Fast, Effort::Default, Effort::Small];

/// Bytes without any pattern, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Words in lines, the same for the same seed.
pub fn text(seed: u64, length: usize) -> Vec<u8> {
    let words: [&[u8]; 8] =
        [b"leader", b"log", b"append", b"the", b"of a", b"vector", b"\n", b"epoch"];
    let mut bytes: Vec<u8> = noise(seed, length)
        .into_iter()
        .flat_map(|it| [words[usize::from(it % 8)], b" "].concat())
        .collect();
    bytes.truncate(length);
    bytes
}

pub fn patch(old: &[u8], new: &[u8], effort: Effort) -> Vec<u8> {
    let mut patch = Vec::new();
    let options = Options { effort, ..Options::default() };
    let length = diff(old, new, options, &mut patch).expect("a vector can be written to");
    assert_eq!(length, patch.len() as u64);
    patch
}

/// Both ways to apply, which must agree.
pub fn applied(old: &[u8], patch: &[u8], limit: u64) -> Result<Vec<u8>, PatchError> {
    let fresh = apply(old, patch, limit).map(|it| it.to_vec());
    let mut streamed = Vec::new();
    let applied = apply_stream(old, patch, &mut streamed, limit);
    match (&fresh, applied) {
        (Ok(fresh), Ok(_)) => assert!(*fresh == streamed, "fresh and streamed differ"),
        (Err(fresh), Err(error)) => assert_eq!(fresh.to_string(), error.to_string()),
        (fresh, streamed) => panic!("{fresh:?} but {streamed:?}"),
    }
    fresh
}

/// Makes a patch with every effort and applies it in every way.
pub fn assert_round_trip(old: &[u8], new: &[u8]) {
    for effort in EFFORTS {
        let patch = patch(old, new, effort);
        let made = applied(old, &patch, new.len() as u64);
        assert!(made.expect("a patch of ours") == new, "{effort:?}");
    }
}
