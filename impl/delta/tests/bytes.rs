//! How long patches of some kinds of changes are, and that more effort makes none longer.

mod common;

use common::{EFFORTS, applied, noise, patch, text};
use proptest::prelude::*;
use steadfast_delta::{Effort, InPlacePlan, Stats, Verify, apply_stream, stats};

/// The patches of all efforts: each is applied and none is longer than one of less effort.
fn lengths(name: &str, old: &[u8], new: &[u8]) -> [usize; 3] {
    let lengths = EFFORTS.map(|effort| {
        let patch = patch(old, new, effort);
        let mut streamed = Vec::new();
        apply_stream(old, &patch[..], &mut streamed, u64::MAX).expect("a patch of ours");
        assert!(streamed == new, "{name}, {effort:?}");
        assert!(applied(old, &patch, u64::MAX).expect("a patch of ours") == new, "{name}");
        patch.len()
    });
    assert!(lengths.is_sorted_by(|less, more| less >= more), "{name}: {lengths:?}");
    lengths
}

fn assert_at_most(most: usize, name: &str, old: &[u8], new: &[u8]) {
    let lengths = lengths(name, old, new);
    assert!(lengths[1] <= most, "{name}: {lengths:?}, at most {most}");
}

/// Lines of words, the frequent ones much more often, as in prose and in descriptions.
fn prose(seed: u64, count: usize) -> Vec<Vec<String>> {
    let dice = noise(seed, count * 32);
    let word = |it: &[u8]| {
        let rank = (usize::from(it[0]) * usize::from(it[1]) * usize::from(it[2])) >> 13;
        let letters = noise(rank as u64 + 1, 3 + rank % 7);
        letters.iter().map(|it| char::from(b'a' + it % 26)).collect()
    };
    let line =
        |it: &[u8]| it[3..].chunks_exact(3).take(2 + usize::from(it[0] % 8)).map(word).collect();
    dice.chunks_exact(32).map(line).collect()
}

/// The records of `length` bytes in another order.
fn shuffled(records: &[u8], length: usize) -> Vec<u8> {
    let mut records: Vec<&[u8]> = records.chunks_exact(length).collect();
    let dice = noise(99, records.len() * 8);
    for (at, dice) in dice.chunks_exact(8).enumerate().skip(1) {
        let dice = u64::from_le_bytes(dice.try_into().expect("eight bytes"));
        records.swap(at, dice as usize % (at + 1));
    }
    records.concat()
}

/// Rows of a table; no two have the same number.
fn rows(count: usize) -> Vec<Vec<String>> {
    let words = noise(5, count * 8);
    let rows = words.chunks_exact(8).enumerate().map(|(at, it)| {
        let name = format!("{:02x}{:02x}{:02x}{at}", it[0], it[1], it[2]);
        let state = ["open", "closed", "pending"][usize::from(it[3] % 3)];
        let amount = format!("{}.{:02}", u16::from_le_bytes([it[4], it[5]]), it[6] % 100);
        let row =
            [at.to_string(), name, format!("somebody number {}", it[7]), state.into(), amount];
        row.to_vec()
    });
    rows.collect()
}

fn table(rows: &[Vec<String>], end: &str) -> Vec<u8> {
    rows.iter().flat_map(|row| (row.join(",") + end).into_bytes()).collect()
}

#[test]
fn an_insertion_in_every_line_costs_hardly_anything() {
    let old = noise(1, 1 << 20);
    for every in [24, 40, 57, 100, 300] {
        let pieces = |it: &[u8]| [it, b"!"].concat();
        let new: Vec<u8> = old.chunks(every).flat_map(pieces).collect();
        assert_at_most(4 << 10, &format!("inserted every {every}"), &old, &new);
        assert_at_most(4 << 10, &format!("deleted every {every}"), &new, &old);
    }
}

#[test]
fn small_patches_of_regular_changes_have_no_exceptions_by_chance() {
    let old = noise(1, 1 << 20);
    for every in [40, 57, 100] {
        let pieces = |it: &[u8]| [it, b"!"].concat();
        let new: Vec<u8> = old.chunks(every).flat_map(pieces).collect();
        // One insertion in 256 equals the old byte in its place by chance. Each would take two bytes.
        let by_chance = old.len() / every / 256;
        for (name, old, new) in [("inserted", &old, &new), ("deleted", &new, &old)] {
            let [_, _, small] = lengths(&format!("{name} every {every}"), old, new);
            assert!(small < 150 + by_chance, "{name} every {every}: {small}");
        }
    }
}

#[test]
fn what_is_kept_between_changes_is_found() {
    let old = noise(2, 1 << 20);
    for (kept, changed) in [(24, 24), (24, 48), (40, 24), (100, 100)] {
        let fresh = noise(3, old.len());
        let pieces = old.chunks(kept + changed).zip(fresh.chunks(kept + changed));
        let new: Vec<u8> = pieces
            .flat_map(|(old, new)| {
                let kept = kept.min(old.len());
                [&old[..kept], &new[kept..]].concat()
            })
            .collect();
        let fresh = old.len() / (kept + changed) * changed;
        assert_at_most(fresh + fresh / 16, &format!("{kept} kept, {changed} not"), &old, &new);
    }
}

#[test]
fn prose_with_indented_lines_stays_small() {
    let lines = prose(11, 60_000);
    let indented = |by: &str| -> Vec<u8> {
        lines.iter().flat_map(|it| format!("{by}{}\n", it.join(" ")).into_bytes()).collect()
    };
    let (old, new) = (indented(""), indented("    "));
    // With a price of an operation that is too high, short lines become literals: a byte for 32.
    assert_at_most(old.len() / 34, "indented", &old, &new);
    assert_at_most(old.len() / 34, "indented no more", &new, &old);
}

#[test]
fn records_in_another_order_cost_about_their_numbers() {
    for length in [48, 64, 100, 200] {
        let old = noise(4, (1 << 20) / length * length);
        let count = old.len() / length;
        let new = shuffled(&old, length);
        assert_at_most(count * 4, &format!("records of {length}"), &old, &new);
    }
}

#[test]
fn tables_and_lines_that_change_throughout_stay_small() {
    let all = rows(20_000);
    let old = table(&all, "\n");
    assert_at_most(old.len() / 60, "other line ends", &old, &table(&all, "\r\n"));
    let mut with_column = all.clone();
    with_column.iter_mut().for_each(|it| it.insert(3, String::new()));
    assert_at_most(old.len() / 60, "a column more", &old, &table(&with_column, "\n"));
    assert_at_most(old.len() / 60, "a column less", &table(&with_column, "\n"), &old);
    let mut sorted = all;
    sorted.sort_by(|a, b| a[1].cmp(&b[1]));
    // Rows of 45 bytes are about as short as are found: half of them.
    assert_at_most(old.len() / 4, "in another order", &old, &table(&sorted, "\n"));
}

fn stats_of(old: &[u8], new: &[u8], effort: Effort) -> Stats {
    stats(&patch(old, new, effort)[..]).expect("a patch of ours")
}

#[test]
fn a_new_piece_that_repeats_travels_once() {
    let old = noise(6, 3 << 20);
    for (length, times, distance) in [
        (300, 50, 900),
        (4000, 40, 0),
        (70_000, 9, 200_000),
        (1 << 20, 3, 0),
        (1 << 20, 3, 1 << 20),
    ] {
        let piece = noise(7, length);
        let new: Vec<u8> = (0..times)
            .flat_map(|it| [&old[it * distance..][..distance], &piece].concat())
            .collect();
        let name = format!("{length} bytes {times} times, {distance} apart");
        assert_at_most(length + length / 16 + 30 * times + 200, &name, &old, &new);
        let stats = stats_of(&old, &new, Effort::Default);
        assert_eq!(stats.repeated + stats.copied + stats.literals, new.len() as u64, "{name}");
        assert!(stats.repeated >= (length * (times - 1)) as u64, "{name}: {stats:?}");
    }
}

#[test]
fn a_new_piece_that_repeats_far_away_travels_once() {
    // Farther apart than a frame and than any window of the packing.
    let (piece, fresh) = (noise(8, 300_000), noise(9, 24 << 20));
    let new = [&piece[..], &fresh, &piece].concat();
    for effort in EFFORTS {
        let stats = stats_of(&[], &new, effort);
        assert!(stats.repeated >= 299_000, "{effort:?}: {stats:?}");
    }
    assert_at_most(fresh.len() + piece.len() + 4096, "far apart", &[], &new);
}

#[test]
fn a_patch_with_repeats_is_applied_in_place() {
    let old = noise(10, 400_000);
    let (piece, mut new) = (noise(11, 5000), old.clone());
    for at in [10_000, 100_000, 390_000] {
        new[at..at + 5000].copy_from_slice(&piece);
    }
    new.extend(&piece);
    let patch = patch(&old, &new, Effort::Default);
    assert!(patch.len() < 5400, "{}", patch.len());
    for verify in [Verify::Touched, Verify::Whole] {
        let plan = InPlacePlan::new(&old, &patch[..], verify).expect("no copy moves");
        assert_eq!(plan.written(), 20_000);
    }
}

#[test]
fn candidates_of_little_that_is_unmatched_are_not_crowded_out() {
    let old = text(12, 6 << 20);
    let mut new = old.clone();
    for at in (100_000..new.len() - 60_000).step_by(700_000) {
        let moved = old[new.len() - at..][..3000].to_vec();
        new.splice(at..at + 2000, moved);
    }
    lengths("pieces moved about in text", &old, &new);
}

/// Lines of words in which the word `from` is renamed to `to` in some places.
fn renamed(seed: usize, lines: usize, to: &str) -> Vec<u8> {
    let dice = noise(30 + seed as u64, lines * 8);
    let words = ["collate", "symbol", "from", "under", "ignore", "script", "order", "weight"];
    let line = |(at, dice): (usize, &[u8])| {
        let word = |it: u8| match words[usize::from(it % 8)] {
            "from" if it.is_multiple_of(5) => to,
            word => word,
        };
        let (name, rest) = (at / 7 * 31 + usize::from(dice[0] % 4), usize::from(dice[1] % 3));
        let words: Vec<&str> = dice[2..4 + rest].iter().map(|it| word(*it)).collect();
        format!("<U{name:04X}> {};<U{:02X}> % {}\n", words.join(" "), dice[7], dice[6])
    };
    dice.chunks_exact(8).enumerate().flat_map(|it| line(it).into_bytes()).collect()
}

#[test]
fn more_effort_makes_no_patch_longer_where_words_are_renamed() {
    for seed in 0..12 {
        let lines = 2000 << (seed % 4);
        let old = renamed(seed, lines, "from");
        for to in ["from2", "fro", "of"] {
            lengths(&format!("{seed}: {to}"), &old, &renamed(seed, lines, to));
        }
    }
}

#[test]
fn more_effort_makes_no_patch_longer_where_packing_beats_copies() {
    // A sentence of the old content, between two samples of the first pass, is replaced itself and replaces
    // bytes in 40 places far away, where only the second pass finds it. Its estimate takes a copy to be shorter than
    // literals, but packed literals that repeat are shorter yet.
    const PLACES: usize = 40;
    let sentence = text(16, 180);
    for seed in 0..4 {
        let mut old = noise(40 + seed, 1 << 20);
        old[(1 << 19) + 1..][..sentence.len()].copy_from_slice(&sentence);
        let mut new = old.clone();
        new[(1 << 19) + 1..][..sentence.len()].copy_from_slice(&noise(50, sentence.len()));
        for place in 0..PLACES {
            let at = place * (new.len() / PLACES) + 997 * place % 20_011;
            new[at..at + sentence.len()].copy_from_slice(&sentence);
        }
        let [fast, ..] = lengths(&format!("{seed}: a sentence"), &old, &new);
        assert!(fast < PLACES * 12, "packed literals take {fast} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pieces_of_old_and_new_in_any_order_come_back(
        pieces in proptest::collection::vec((0usize..3, 0usize..60_000, 1usize..5000), 1..40),
    ) {
        let (old, fresh) = (noise(13, 70_000), noise(14, 70_000));
        let words = text(15, 70_000);
        let piece = |(kind, at, length): &(usize, usize, usize)| {
            let from = [&old, &fresh, &words][*kind];
            from[*at..*at + *length].to_vec()
        };
        let new: Vec<u8> = pieces.iter().flat_map(piece).collect();
        for effort in EFFORTS {
            let patch = patch(&old, &new, effort);
            prop_assert!(applied(&old, &patch, u64::MAX).expect("a patch of ours") == new);
        }
    }
}

#[test]
fn a_record_that_repeats_throughout_is_not_compared_to_the_end_for_each_anchor() {
    // To compare that far for each of them took half a minute.
    let (old, new) = (noise(20, 1 << 20), noise(21, 100).repeat(160_000));
    assert_at_most(8000, "a record", &old, &new);
}

#[test]
fn short_rows_in_another_order_are_copied() {
    for length in [12, 16, 24] {
        let old = noise(22, 600_000 / length * length);
        let new = shuffled(&old, length);
        // A row costs little more than the number that tells where it was.
        assert_at_most(new.len() / length * 4, &format!("rows of {length} bytes"), &old, &new);
    }
}

#[test]
fn a_field_that_moved_within_its_row_is_copied() {
    let rows = rows(20_000);
    let moved = |row: &Vec<String>| {
        let mut row = row.clone();
        row.rotate_left(2);
        row
    };
    let (old, new) = (table(&rows, "\n"), table(&rows.iter().map(moved).collect::<Vec<_>>(), "\n"));
    assert_at_most(new.len() / 8, "fields", &old, &new);
}

#[test]
fn bytes_that_were_replaced_by_noise_are_literals() {
    let (old, fresh) = (noise(23, 640_000), noise(24, 640_000));
    for length in [16, 32] {
        let mut new = old.clone();
        let pieces = new.chunks_exact_mut(length).zip(fresh.chunks_exact(length));
        pieces.step_by(2).for_each(|(new, fresh)| new.copy_from_slice(fresh));
        // As differences they would take a bit more for each byte.
        assert_at_most(new.len() / 2 + new.len() / 150, &format!("{length} bytes"), &old, &new);
    }
}
