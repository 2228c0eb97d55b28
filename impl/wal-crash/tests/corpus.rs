//! The short, repeatable part of fuzzing: mutations of real batches, from a fixed seed.

use steadfast_wal_crash::fuzzing;

/// Marsaglia, Xorshift RNGs (2003), section 3.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn at(state: &mut u64, length: usize) -> usize {
    usize::try_from(next(state) % length as u64).expect("an index")
}

/// A batch of two records, as the decoder is to find it, checksums apart.
fn batch() -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..12].copy_from_slice(b"STDFSTWB\x02\0\0\0");
    bytes[12] = 2;
    bytes[48] = 1;
    bytes[64..66].copy_from_slice(&[0, 16]);
    bytes[72] = 2;
    bytes[80] = 4 + 3 + 4;
    bytes[96] = 3;
    bytes
}

fn checkpoint() -> Vec<u8> {
    let mut bytes = vec![0; 100];
    bytes[..12].copy_from_slice(b"STDFSTWC\x02\0\0\0");
    bytes[72] = 16;
    bytes
}

#[test]
fn mutated_batches_and_checkpoints_are_decoded_or_refused() {
    let mut state = 0x5eed;
    for seed in [batch(), checkpoint()] {
        fuzzing::decode(&seed);
        for _ in 0..50_000 {
            let mut bytes = seed.clone();
            for _ in 0..=at(&mut state, 4) {
                let place = at(&mut state, bytes.len().min(128));
                bytes[place] = next(&mut state).to_le_bytes()[0];
            }
            bytes.truncate(at(&mut state, bytes.len() + 1).max(76));
            fuzzing::decode(&bytes);
        }
    }
}

#[test]
fn logs_with_bytes_written_over_them_are_opened_or_refused() {
    let mut state = 0xf1fe;
    for _ in 0..5_000 {
        let length = 3 + at(&mut state, 40);
        let mut bytes: Vec<u8> = (0..length).map(|_| next(&mut state).to_le_bytes()[0]).collect();
        bytes[2] %= 16;
        fuzzing::open(&bytes);
    }
    for position in (0..16_u8).flat_map(|high| (0..=255).map(move |low| [2, low, high])) {
        fuzzing::open(&[position.as_slice(), &batch()].concat());
    }
}
