//! A short deterministic run of what the fuzzer runs without end against manifests and the
//! exchange.

mod common;
#[path = "common/remote_targets.rs"]
mod remote_targets;

use common::noise;
use remote_targets::{read_manifest, talk};
use steadfast_delta::manifest::{Depth, Manifest};

#[test]
fn no_manifest_panics() {
    let base = Manifest::of(&noise(1, 70_000), Depth::Grains).to_bytes();
    let base = &base[..base.len() - 8];
    read_manifest(base);
    for seed in 0..3000 {
        let mut input = base.to_vec();
        let dice = noise(seed, 6);
        // Most of what can be wrong is in front.
        let range = if dice[0].is_multiple_of(2) { 60 } else { input.len() };
        let at = (usize::from(dice[1]) << 8 | usize::from(dice[2])) % range;
        match dice[3] % 3 {
            0 => input[at] ^= 1 << (dice[4] % 8),
            1 => input[at] = dice[4],
            _ => input.truncate(at),
        }
        read_manifest(&input);
    }
}

#[test]
fn no_talk_panics_or_ends_in_another_content() {
    for seed in 0..400 {
        let mut input = noise(seed, 200);
        // Talks that go on longer meet more states.
        for (index, record) in input[2..].chunks_mut(4).enumerate() {
            if index != usize::try_from(seed).unwrap_or(0) % 9 {
                record[0] = 0;
            }
        }
        input[1] = [64, 64, 20, 8][usize::from(input[1] % 4)];
        talk(&input);
    }
}
