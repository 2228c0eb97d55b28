//! What a fuzzer runs, and what the tests run on a short deterministic corpus.
#![allow(dead_code, unreachable_pub)]

use steadfast_delta::{Effort, InPlacePlan, Options, Verify, apply, apply_stream, diff, stats};

use super::craft::Craft;

/// More than any short input can make without copying the old content many times.
const LIMIT: u64 = 1 << 20;

/// Applies the input in every way: as a patch, and as the body of a frame whose checks are right,
/// so that also what lies behind them is reached.
pub fn apply_anything(input: &[u8]) {
    apply_in_every_way(&[], input);
    let Some((&[low, high, kind], body)) = input.split_first_chunk() else { return };
    let old: Vec<u8> = (0..1000u32).map(|it| (it * it % 251) as u8).collect();
    let new_length = u64::from(low) | u64::from(high) << 8;
    let sum = [kind; 16];
    let trailer = [&[kind % 8][..], &sum, &sum].concat();
    let length = 1 + 16 * (kind & 1) + 4 * (kind & 4);
    for version in 1..=2 {
        let patch = Craft::of_version(version, 1000, new_length).frame(body);
        apply_in_every_way(&old, &patch.trailer(&trailer[..usize::from(length)]));
    }
}

fn apply_in_every_way(old: &[u8], patch: &[u8]) {
    let fresh = apply(old, patch, LIMIT);
    let mut streamed = Vec::new();
    let applied = apply_stream(old, patch, &mut streamed, LIMIT);
    assert_eq!(fresh.is_ok(), applied.is_ok());
    let _ = stats(patch);
    if let Ok(fresh) = &fresh {
        assert!(**fresh == *streamed);
        stats(patch).expect("what can be applied has stats");
    }
    for verify in [Verify::Touched, Verify::Whole] {
        if let Ok(plan) = InPlacePlan::new(old, patch, verify) {
            let mut file = old.to_vec();
            plan.apply(&mut file).expect("memory");
            assert!(file == *fresh.as_ref().map_or(&file[..], |it| it));
            let mut journal = Vec::new();
            plan.write_journal(&mut journal).expect("memory");
            assert_eq!(InPlacePlan::read_journal(&journal[..]).expect("a journal of ours"), plan);
        }
    }
}

/// Makes a patch between two parts of the input and applies it.
pub fn round_trip(input: &[u8]) {
    let Some((&[effort, split], bytes)) = input.split_first_chunk() else { return };
    let (old, new) = bytes.split_at(bytes.len() * usize::from(split) / 256);
    let effort = [Effort::Fast, Effort::Default, Effort::Small][usize::from(effort % 3)];
    let mut patch = Vec::new();
    diff(old, new, Options { effort, ..Options::default() }, &mut patch).expect("a vector");
    assert!(*apply(old, &patch, u64::MAX).expect("a patch of ours") == *new);
}

/// Reads the input as a journal.
pub fn read_journal(input: &[u8]) {
    if let Ok(plan) = InPlacePlan::read_journal(input) {
        let mut journal = Vec::new();
        plan.write_journal(&mut journal).expect("memory");
        // A varint has several forms; only the shortest one is written.
        assert_eq!(InPlacePlan::read_journal(&journal[..]).expect("a journal of ours"), plan);
    }
}
