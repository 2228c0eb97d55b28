//! What was made different comes back the same.

mod common;

use std::ops::Range;

use common::{EFFORTS, applied, assert_round_trip, noise, patch, text};
use memmap2::MmapMut;
use proptest::prelude::*;
use steadfast_delta::{Effort, InPlacePlan, Options, Verify, apply_stream, diff, stats};

#[test]
fn contents_of_no_and_of_one_byte() {
    for old in [&b""[..], b"a", b"b", b"ab"] {
        for new in [&b""[..], b"a", b"b", b"ba", b"bab"] {
            assert_round_trip(old, new);
        }
    }
}

#[test]
fn one_side_empty() {
    let long = noise(1, 3 << 20);
    assert_round_trip(&[], &long);
    assert_round_trip(&long, &[]);
    assert_round_trip(&text(2, 300_000), &[]);
}

#[test]
fn frames_end_where_their_streams_are_full() {
    let old = noise(3, 9 << 20);
    let alternating: Vec<u8> = old.iter().enumerate().map(|(at, it)| it ^ (at % 2) as u8).collect();
    assert_round_trip(&old, &alternating);
    assert_round_trip(&old, &noise(4, 9 << 20));
    let pieces: Vec<u8> = old
        .chunks(80)
        .zip(noise(5, 1 << 20).chunks(9))
        .flat_map(|(a, b)| [b, a].concat())
        .collect();
    assert_round_trip(&old, &pieces);
}

#[test]
fn the_same_content_is_a_patch_of_at_most_64_bytes() {
    let content = noise(6, 5 << 20);
    for effort in EFFORTS {
        assert!(patch(&content, &content, effort).len() <= 64);
    }
}

#[test]
fn a_moved_piece_in_unrelated_contents_is_found() {
    let old = noise(7, 24 << 20);
    let mut new = noise(8, 24 << 20);
    new[5 << 20..7 << 20].copy_from_slice(&old[15 << 20..17 << 20]);
    for effort in EFFORTS {
        let patch = patch(&old, &new, effort);
        let stats = stats(&patch[..]).expect("a patch of ours");
        assert!(stats.copied >= 2 << 20, "{effort:?} copies {}", stats.copied);
        assert!(applied(&old, &patch, u64::MAX).expect("a patch of ours") == new);
    }
}

#[test]
fn shuffled_small_pieces_are_found_by_the_second_pass() {
    let old = noise(9, 1 << 20);
    let mut pieces: Vec<&[u8]> = old.chunks(300).collect();
    pieces.reverse();
    let new = pieces.concat();
    let literals = |effort| {
        let patch = patch(&old, &new, effort);
        assert!(applied(&old, &patch, u64::MAX).expect("a patch of ours") == new);
        stats(&patch[..]).expect("a patch of ours").literals
    };
    assert!(literals(Effort::Default) < new.len() as u64 / 20);
    assert!(literals(Effort::Small) < new.len() as u64 / 100);
}

#[test]
fn a_patch_without_a_sum_is_smaller_and_says_so() {
    let (old, new) = (text(1, 50_000), text(2, 50_000));
    let mut bare = Vec::new();
    let options = Options { effort: Effort::Default, summed: false, ..Options::default() };
    diff(&old, &new, options, &mut bare).expect("a vector can be written to");
    assert_eq!(bare.len() + 16, patch(&old, &new, Effort::Default).len());
    assert!(!stats(&bare[..]).expect("a patch of ours").summed);
    assert_eq!(applied(&old, &bare, u64::MAX).expect("a patch of ours"), new);
}

#[test]
fn contents_beyond_four_gibibytes() {
    const LENGTH: usize = (4 << 30) + (3 << 20);
    let zeros = || MmapMut::map_anon(LENGTH).expect("memory that is not touched costs nothing");
    let (mut old, mut new) = (zeros(), zeros());
    let (near_end, piece) = (LENGTH - (1 << 20), noise(10, 600_000));
    old[near_end..near_end + piece.len()].copy_from_slice(&piece);
    new[1 << 20..(1 << 20) + piece.len()].copy_from_slice(&piece);
    new[LENGTH - 1] = 1;
    let patch = patch(&old, &new, Effort::Default);
    assert!(patch.len() < 2000, "{}", patch.len());
    struct Compared<'a>(&'a [u8]);
    impl std::io::Write for Compared<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let (expected, rest) = self.0.split_at(bytes.len());
            assert!(expected == bytes);
            self.0 = rest;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut new = Compared(&new);
    apply_stream(&old[..], &patch[..], &mut new, u64::MAX).expect("a patch of ours");
    assert!(new.0.is_empty());
}

/// How a content is edited.
#[derive(Clone, Debug)]
enum Edit {
    Insert { at: usize, bytes: Vec<u8> },
    Delete { bytes: Range<usize> },
    Overwrite { at: usize, bytes: Vec<u8> },
    Move { bytes: Range<usize>, to: usize },
    Add { bytes: Range<usize>, each: usize, number: u8 },
}

fn edited(old: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut new = old.to_vec();
    let clip = |range: &Range<usize>, end: usize| range.start.min(end)..range.end.min(end);
    for edit in edits {
        let end = new.len();
        match edit {
            Edit::Insert { at, bytes } => {
                new.splice((*at).min(end)..(*at).min(end), bytes.iter().copied());
            }
            Edit::Delete { bytes } => drop(new.drain(clip(bytes, end))),
            Edit::Overwrite { at, bytes } => {
                let at = (*at).min(end);
                let length = bytes.len().min(end - at);
                new[at..at + length].copy_from_slice(&bytes[..length]);
            }
            Edit::Move { bytes, to } => {
                let moved: Vec<u8> = new.drain(clip(bytes, end)).collect();
                let to = (*to).min(new.len());
                new.splice(to..to, moved);
            }
            Edit::Add { bytes, each, number } => {
                for byte in new[clip(bytes, end)].iter_mut().step_by(*each) {
                    *byte = byte.wrapping_add(*number);
                }
            }
        }
    }
    new
}

fn ranges() -> impl Strategy<Value = Range<usize>> {
    (0..60_000usize, 0..9_000usize).prop_map(|(start, length)| start..start + length)
}

fn edits() -> impl Strategy<Value = Edit> {
    let few = prop_oneof![3 => 0..40usize, 1 => 0..9_000usize];
    let bytes = (any::<u64>(), few).prop_map(|(seed, length)| noise(seed, length));
    prop_oneof![
        (0..60_000usize, bytes.clone()).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        ranges().prop_map(|bytes| Edit::Delete { bytes }),
        (0..60_000usize, bytes).prop_map(|(at, bytes)| Edit::Overwrite { at, bytes }),
        (ranges(), 0..60_000usize).prop_map(|(bytes, to)| Edit::Move { bytes, to }),
        (ranges(), 1..90usize, any::<u8>()).prop_map(|(bytes, each, number)| Edit::Add {
            bytes,
            each,
            number
        }),
    ]
}

/// Contents that are hard on a matcher: without pattern, of words, of few bytes, periodic.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let lengths = || 0..60_000usize;
    prop_oneof![
        (any::<u64>(), lengths()).prop_map(|(seed, length)| noise(seed, length)),
        (any::<u64>(), lengths()).prop_map(|(seed, length)| text(seed, length)),
        (any::<u64>(), lengths())
            .prop_map(|(seed, length)| noise(seed, length).iter().map(|it| it / 128).collect()),
        (1..300usize, lengths(), any::<u64>())
            .prop_map(|(period, length, seed)| noise(seed, period).repeat(length / period + 1)),
        lengths().prop_map(|length| vec![0; length]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_content_comes_back(
        old in contents(),
        edits in prop::collection::vec(edits(), 0..8),
    ) {
        assert_round_trip(&old, &edited(&old, &edits));
    }

    #[test]
    fn any_content_comes_back_from_any_other(old in contents(), new in contents()) {
        assert_round_trip(&old, &new);
    }

    #[test]
    fn short_contents_of_few_bytes_come_back(
        old in prop::collection::vec(0..3u8, 0..200),
        new in prop::collection::vec(0..3u8, 0..200),
    ) {
        assert_round_trip(&old, &new);
    }

    #[test]
    fn what_stays_in_place_can_be_planned_in_place(
        old in contents(),
        at in 0..60_000usize,
        bytes in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let new = edited(&old, &[Edit::Overwrite { at, bytes }]);
        let patch = patch(&old, &new, Effort::Fast);
        if stats(&patch[..]).expect("a patch of ours").in_place {
            for verify in [Verify::Touched, Verify::Whole] {
                InPlacePlan::new(&old, &patch[..], verify).expect("ours");
            }
        }
    }
}

#[test]
fn pages_rewritten_with_text_do_not_lead_astray() {
    const PAGE: usize = 4 << 10;
    let (old, other) = (text(30, 1 << 20), text(31, 1 << 20));
    let mut new = old.clone();
    let rewritten = (PAGE..new.len() - PAGE).step_by(16 * PAGE);
    for at in rewritten.clone() {
        new[at..at + PAGE].copy_from_slice(&other[at..at + PAGE]);
    }
    let patch = patch(&old, &new, Effort::Fast);
    assert!(applied(&old, &patch, u64::MAX).expect("a patch of ours") == new);
    let stats = stats(&patch[..]).expect("a patch of ours");
    assert!(stats.operations <= 3 * rewritten.count() as u64, "{} operations", stats.operations);
}
