//! Contents and what happens to them, from seeds.

use proptest::prelude::*;
use steadfast_delta::manifest::Kept;

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| word().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// Lines that are mostly alike, as in a log.
pub(crate) fn lines(seed: u64, length: usize) -> Vec<u8> {
    let numbers = noise(seed, length / 8);
    let mut text: Vec<u8> = numbers
        .iter()
        .flat_map(|n| format!("2026-11-23 info: request {} took {n} ms\n", n % 7).into_bytes())
        .collect();
    text.truncate(length);
    text
}

/// Something that happens to a content.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Insert { at: usize, length: usize },
    Delete { at: usize, length: usize },
    Overwrite { at: usize, length: usize },
    Rotate { at: usize },
}

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let any_edit =
        (0..4, any::<usize>(), 1_usize..100_000).prop_map(|(kind, at, length)| match kind {
            0 => Edit::Insert { at, length },
            1 => Edit::Delete { at, length },
            2 => Edit::Overwrite { at, length: length % 64 },
            _ => Edit::Rotate { at },
        });
    proptest::collection::vec(any_edit, 0..6)
}

/// The new content, and which runs of the old one are in it.
pub(crate) fn edit(old: &[u8], edits: &[Edit]) -> (Vec<u8>, Vec<Kept>) {
    // Pieces of the old content, or fresh bytes.
    let mut pieces: Vec<Result<(usize, usize), Vec<u8>>> = vec![Ok((0, old.len()))];
    let length = |piece: &Result<(usize, usize), Vec<u8>>| match piece {
        Ok((_, length)) => *length,
        Err(fresh) => fresh.len(),
    };
    for (seed, edit) in edits.iter().enumerate() {
        let whole: usize = pieces.iter().map(length).sum();
        let mut split = |at: usize| -> usize {
            let mut left = at;
            for index in 0..pieces.len() {
                let here = length(&pieces[index]);
                if left < here {
                    let (head, tail) = match &pieces[index] {
                        Ok((at, _)) => (Ok((*at, left)), Ok((at + left, here - left))),
                        Err(fresh) => (Err(fresh[..left].to_vec()), Err(fresh[left..].to_vec())),
                    };
                    pieces.splice(index..=index, [head, tail]);
                    return index + 1;
                }
                left -= here;
            }
            pieces.len()
        };
        let place = |at: usize| at % (whole + 1);
        let fresh = |length: usize| Err(noise(seed as u64 + 99, length));
        match *edit {
            Edit::Insert { at, length } => {
                let index = split(place(at));
                pieces.insert(index, fresh(length));
            }
            Edit::Delete { at, length } => {
                let (from, to) = (split(place(at)), split((place(at) + length).min(whole)));
                pieces.drain(from.min(to)..to);
            }
            Edit::Overwrite { at, length } => {
                let (from, to) = (split(place(at)), split((place(at) + length).min(whole)));
                pieces.splice(from.min(to)..to, [fresh(length)]);
            }
            Edit::Rotate { at } => {
                let index = split(place(at));
                pieces.rotate_left(index);
            }
        }
    }
    let (mut new, mut kept) = (Vec::new(), Vec::new());
    for piece in &pieces {
        match piece {
            Ok((at, length)) => {
                kept.push(Kept {
                    old_offset: *at as u64,
                    new_offset: new.len() as u64,
                    length: *length as u64,
                });
                new.extend_from_slice(&old[*at..at + length]);
            }
            Err(fresh) => new.extend_from_slice(fresh),
        }
    }
    (new, kept)
}
