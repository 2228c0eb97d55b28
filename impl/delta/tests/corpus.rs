//! A short deterministic run of what the fuzzer runs without end.

mod common;

use common::targets::{apply_anything, read_journal, round_trip};
use common::{noise, patch, text};
use steadfast_delta::{Effort, InPlacePlan, Verify};

/// Inputs that begin like right ones and then go wrong in a way that a seed decides.
fn mutated(base: &[u8], number: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..number).map(move |seed| {
        let mut input = base.to_vec();
        let dice = noise(seed + 1, 13);
        for mutation in dice.chunks_exact(4).take(1 + usize::from(dice[12] % 3)) {
            let at = usize::from(mutation[0]) * 256 + usize::from(mutation[1]);
            let at = at % input.len().max(1);
            match mutation[2] % 4 {
                0 if !input.is_empty() => input[at] = mutation[3],
                1 if !input.is_empty() => input[at] ^= 1 << (mutation[3] % 8),
                2 => input.truncate(at),
                _ => input.insert(at.min(input.len()), mutation[3]),
            }
        }
        input
    })
}

/// The body of a frame with every stream, behind the three bytes that the target takes.
fn body() -> Vec<u8> {
    let streams = [
        vec![0x3F],
        vec![3 << 2, 3, 0, 2],
        vec![5 << 2, 0xF4, 3, 0xAC, 2, 20],
        vec![4 << 2, 0xEF, 0x0F, 0, 9],
        vec![3 << 2, 1, 0, 7],
        vec![3 << 2, 10, 40, 20],
        vec![5 << 2, b'h', b'e', b'l', b'l', b'o'],
    ];
    [vec![0x3D, 3, 1]].into_iter().chain(streams).flatten().collect()
}

/// The same with literals that are kept: the second copy takes its bytes from them.
fn keeping_body() -> Vec<u8> {
    let streams = [
        vec![0x80 | 0x27],
        vec![2 << 2, 5, 1],
        vec![2 << 2, 4, 5],
        // To 1001, and to 1000 from position 10.
        vec![4 << 2, 0xEF, 0x0F, 17, 0],
        vec![6 << 2, b'h', b'e', b'l', b'l', b'o', b'-'],
    ];
    [vec![15, 0, 1]].into_iter().chain(streams).flatten().collect()
}

#[test]
fn nothing_that_is_applied_panics_or_disagrees() {
    let (old, new) = (text(1, 3000), text(2, 3000));
    let patch = patch(&[], &[&old[..], &new[..]].concat(), Effort::Small);
    for base in [&b""[..], &patch, &body(), &keeping_body(), &noise(9, 300)] {
        mutated(base, 3000).for_each(|input| apply_anything(&input));
    }
}

#[test]
fn whatever_is_made_different_comes_back() {
    let halves = [text(3, 2000), noise(4, 500), text(3, 2100)].concat();
    for base in [&halves[..], &[7; 300], b"\x02\x80"] {
        mutated(base, 300).for_each(|input| round_trip(&input));
    }
}

#[test]
fn no_journal_panics() {
    let (old, mut new) = (noise(5, 3000), noise(5, 3000));
    new[1000..1010].fill(0);
    let patch = patch(&old, &new, Effort::Fast);
    let plan = InPlacePlan::new(&old, &patch[..], Verify::Whole);
    let mut journal = Vec::new();
    plan.expect("nothing moved").write_journal(&mut journal).expect("memory");
    read_journal(&journal);
    mutated(&journal, 3000).for_each(|input| read_journal(&input));
}
