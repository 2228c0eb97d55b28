//! Patches that are damaged, meant for something else, or meant to harm.

mod common;

use common::craft::{Craft, body, keeping_body, raw, stream, varint};
use common::{EFFORTS, applied, noise, patch, text};
use proptest::prelude::*;
use steadfast_delta::{Effort, InPlacePlan, PatchError, Verify, stats};

const LIMIT: u64 = 1 << 24;

/// Old, new and a patch with frames of every kind of stream.
fn rich() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let old = [text(1, 30_000), noise(2, 30_000)].concat();
    let mut new = [&old[20_000..50_000], &noise(3, 700), &old[..15_000]].concat();
    new.iter_mut().step_by(97).for_each(|it| *it = it.wrapping_add(3));
    new.extend(text(4, 4_000));
    let patch = patch(&old, &new, Effort::Default);
    (old, new, patch)
}

/// What goes wrong with a crafted patch for an old content of 1000 bytes.
fn complaint(patch: &[u8]) -> String {
    let old = noise(1, 1000);
    let error = applied(&old, patch, LIMIT).expect_err("it must be refused");
    let planned = InPlacePlan::new(&old, patch, Verify::Touched);
    planned.expect_err("it must be refused in place, too");
    error.to_string()
}

/// A crafted patch that makes `new_length` bytes in one frame of these streams.
fn crafted(new_length: u64, streams: &[(u8, Vec<u8>)]) -> Vec<u8> {
    Craft::new(1000, new_length).frame(&body(streams)).end()
}

fn assert_complains(about: &str, patch: &[u8]) {
    let complaint = complaint(patch);
    assert!(complaint.contains(about), "{complaint:?} says nothing of {about:?}");
}

#[test]
fn what_is_written_by_the_documentation_is_read() {
    let old = noise(1, 1000);
    let streams = [
        (0, raw(&[3, 0])),
        (1, raw(&[&varint(500)[..], &varint(500)].concat())),
        (2, raw(&[&varint(7 + 2 * 497)[..], &[1]].concat())),
        (3, raw(&[0, 0, 0, 5])),
        (4, raw(&[10, 40, 20, 30])),
        (5, raw(b"new")),
    ];
    let mut expected = [b"new", &old[500..1000], &old[503..1000]].concat();
    // The first, fourth, second and third changed byte, as the columns sort them.
    for (at, difference) in [(3, 10), (4, 20), (5, 30), (11, 40)] {
        expected[at] = expected[at].wrapping_add(difference);
    }
    let old = [&old[..], &[9, 9, 9]].concat();
    let patch = Craft::new(1003, 1003).frame(&body(&streams)).end();
    let mut made = applied(&old, &patch, LIMIT).expect("a right patch");
    assert_eq!(made.len(), 1003);
    made.truncate(expected.len());
    assert_eq!(made, expected);
}

/// The bytes of the literals and of the copy, and the copy's shift.
type Described = (u64, u64, Option<u64>);

/// Streams of an operation for each: literals, a copy, and its shift, for an old content of 1000 bytes.
fn operations(operations: &[Described], literals: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let all = |number: fn(&Described) -> Option<u64>| {
        raw(&operations.iter().filter_map(number).flat_map(varint).collect::<Vec<_>>())
    };
    let mut streams = vec![(0, all(|it| Some(it.0))), (1, all(|it| Some(it.1)))];
    if operations.iter().any(|it| it.2.is_some()) {
        streams.push((2, all(|it| it.2)));
    }
    if !literals.is_empty() {
        streams.push((5, raw(literals)));
    }
    streams
}

/// The number of a new alignment behind that of `last`.
fn shift(last: i64, alignment: i64) -> Option<u64> {
    let shift = alignment - last;
    Some(((shift << 1 ^ shift >> 63) as u64) + 7)
}

#[test]
fn kept_literals_are_copied_as_documented() {
    let old = noise(1, 1000);
    // Five literals, then three of these, from the second on; in the next frame all of them.
    let first = operations(&[(5, 3, shift(0, 1001 - 5))], b"fresh");
    let second = operations(&[(1, 5, shift(996, 1000 - 9))], b"-");
    let craft = Craft::of_version(2, 1000, 14);
    let patch = craft.frame(&keeping_body(&first)).frame(&body(&second)).end();
    assert_eq!(applied(&old, &patch, LIMIT).expect("a right patch"), b"freshres-fresh");
}

#[test]
fn copies_of_what_is_not_kept_are_refused() {
    let patch = |version, copy: (u64, i64), keeps: bool| {
        let streams = operations(&[(5, copy.0, shift(0, copy.1 - 5))], b"fresh");
        let body = if keeps { keeping_body(&streams) } else { body(&streams) };
        Craft::of_version(version, 1000, 5 + copy.0).frame(&body).end()
    };
    assert_complains("copy lies outside", &patch(2, (3, 1001), false));
    assert_complains("copy lies outside", &patch(2, (5, 1001), true));
    assert_complains("copy lies outside", &patch(2, (5, 998), true));
    assert_complains("copy lies outside", &patch(1, (3, 1001), false));
    assert_complains("streams that this version does not know", &patch(1, (3, 1001), true));
}

#[test]
fn more_kept_literals_than_a_decoder_has_room_for_are_refused() {
    const LITERALS: usize = 4 << 20;
    let frame = operations(&[(LITERALS as u64, 0, None)], &noise(2, LITERALS));
    let frame = keeping_body(&frame);
    for (frames, is_right) in [(16, true), (17, false)] {
        let craft = Craft::of_version(2, 1000, (frames * LITERALS) as u64);
        let patch = (0..frames).fold(craft, |craft, _| craft.frame(&frame)).end();
        match applied(&noise(1, 1000), &patch, 1 << 30) {
            Ok(made) => assert!(is_right && made.len() == frames * LITERALS),
            Err(error) => assert!(!is_right && error.to_string().contains("keeps too many")),
        }
    }
}

#[test]
fn columns_are_of_numbers_and_of_version_2() {
    for (number, complaint) in [(5, "columns of numbers"), (0, "unpack")] {
        let mut streams = operations(&[(5, 0, None)], b"fresh");
        let at = streams.iter().position(|it| it.0 == number).expect("it is there");
        streams[at].1 = stream(5, 3, Some(2), b"ab");
        let version = |it| Craft::of_version(it, 1000, 5).frame(&body(&streams)).end();
        assert_complains(complaint, &version(2));
        assert_complains("unknown packing", &version(1));
    }
}

#[test]
fn every_cut_is_noticed() {
    let (old, _, patch) = rich();
    for end in (0..patch.len()).step_by(7).chain([patch.len() - 1]) {
        let error = applied(&old, &patch[..end], LIMIT).expect_err("it is cut");
        assert!(matches!(error, PatchError::CutShort), "{end}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (old, _, patch) = rich();
    for at in 0..patch.len() {
        let mut flipped = patch.clone();
        flipped[at] ^= 1 << (at % 8);
        let error = applied(&old, &flipped, LIMIT).expect_err("it is damaged");
        assert!(
            matches!(
                error,
                PatchError::NotAPatch
                    | PatchError::OtherVersion { .. }
                    | PatchError::CutShort
                    | PatchError::DamagedFrame { .. }
                    | PatchError::DamagedTrailer
            ),
            "{at}: {error}"
        );
        assert!(stats(&flipped[..]).is_err(), "{at}");
    }
}

#[test]
fn bytes_behind_the_end_are_noticed() {
    let (old, _, patch) = rich();
    let longer = [&patch[..], &[0]].concat();
    let error = applied(&old, &longer, LIMIT).expect_err("it goes on");
    assert!(matches!(error, PatchError::TrailingBytes), "{error}");
}

#[test]
fn a_spliced_patch_is_noticed() {
    let content = noise(5, 6 << 20);
    let patch = patch(&content[..1], &content, Effort::Fast);
    let header = 4 + 1 + 1 + 4;
    let frame = 3 + 1 + 1 + 3 + 1 + 1 + 1 + 3 + (512 << 10) + 8;
    let mut swapped = patch.clone();
    let (first, second) = (header..header + frame, header + frame..header + 2 * frame);
    swapped[first.clone()].copy_from_slice(&patch[second.clone()]);
    swapped[second].copy_from_slice(&patch[first]);
    assert_ne!(swapped, patch);
    let error = applied(&content[..1], &swapped, LIMIT).expect_err("its frames are swapped");
    assert!(matches!(error, PatchError::DamagedFrame { frame: 0 }), "{error}");
}

#[test]
fn another_old_content_is_noticed() {
    let (mut old, _, patch) = rich();
    let error = applied(&old[1..], &patch, LIMIT).expect_err("it is shorter");
    assert!(matches!(error, PatchError::OtherOldLength { expected: 60_000, found: 59_999 }));
    old[30_000] ^= 1;
    let error = applied(&old, &patch, LIMIT).expect_err("a byte differs that is copied");
    assert!(matches!(error, PatchError::OtherOld), "{error}");
}

#[test]
fn more_than_the_caller_accepts_is_refused_before_it_is_made() {
    let (old, new, patch) = rich();
    let error = applied(&old, &patch, new.len() as u64 - 1).expect_err("too large");
    assert!(matches!(error, PatchError::TooLarge { .. }), "{error}");
    let vast = Craft::new(1000, 1 << 60).frame(&[0]).end();
    let error = applied(&noise(1, 1000), &vast, LIMIT).expect_err("too large");
    assert!(error.to_string().contains("at most 16777216 are accepted"), "{error}");
}

#[test]
fn what_is_no_patch_is_refused() {
    for other in [&b"BSDIFF40 and so on"[..], b"text", b"Sf\n", b"\n"] {
        assert_complains("not a Steadfast patch", other);
    }
    assert_complains("version 9", b"Sf\xCE\x94\x09\x00\x00");
    assert_complains("cut short", b"Sf\xCE");
    assert_complains("cut short", b"");
    assert_complains("flags 0x80", &Craft::new(1000, 0).trailer(&[0x80]));
}

#[test]
fn a_frame_with_lengths_out_of_bounds_is_refused() {
    let huge = varint(1 << 60);
    let header = Craft::new(1000, 5).end();
    let too_long = [&header[..8], &huge].concat();
    assert_complains("damaged in or before frame 0", &too_long);
    let streams = [(0, raw(&huge)), (1, raw(&[0])), (5, raw(b"new"))];
    assert_complains("more literals than there are", &crafted(3, &streams));
    let copy = |length: &[u8]| [(0, raw(&[0])), (1, raw(length)), (2, raw(&[0]))];
    assert_complains("outside the old content", &crafted(3, &copy(&huge)));
    assert_complains("outside the old content", &crafted(2000, &copy(&varint(1001))));
    assert_complains("more than the new content", &crafted(999, &copy(&varint(1000))));
    for shift in [7 + 2 * 1000, u64::MAX, 1 << 63, 7 + 1] {
        let streams = [(0, raw(&[0])), (1, raw(&[9])), (2, raw(&varint(shift)))];
        assert_complains("outside the old content", &crafted(9, &streams));
    }
    assert_complains("longer than its bound", &crafted(3, &[(5, stream(1 << 60, 0, None, b""))]));
    assert_complains("longer than its bound", &crafted(3, &[(5, stream(0, 0, None, b""))]));
    assert_complains("cut short", &crafted(3, &[(5, stream(9, 0, None, b"short"))]));
    assert_complains("cut short", &crafted(3, &[(5, stream(9, 1, Some(1 << 60), b"short"))]));
}

#[test]
fn a_frame_whose_streams_do_not_fit_is_refused() {
    let copied = |more: &[(u8, Vec<u8>)]| {
        let copy = [(0, raw(&[0])), (1, raw(&[100])), (2, raw(&[0]))];
        crafted(100, &[&copy[..], more].concat())
    };
    assert_complains("changes do not fit", &copied(&[(3, raw(&[0]))]));
    assert_complains("changes do not fit", &copied(&[(3, raw(&[100])), (4, raw(&[1]))]));
    assert_complains("changes do not fit", &copied(&[(3, raw(&[0])), (4, raw(&[1, 2]))]));
    assert_complains("a gap is cut", &copied(&[(3, raw(&[0x80])), (4, raw(&[1]))]));
    assert_complains("do not end together", &copied(&[(5, raw(b"unused"))]));
    assert_complains("does nothing", &crafted(9, &[(0, raw(&[0])), (1, raw(&[0]))]));
    assert_complains("makes nothing", &Craft::new(1000, 9).frame(&[0]).end());
    assert_complains("does not know", &Craft::new(1000, 9).frame(&[0x40]).end());
    assert_complains("is empty", &Craft::new(1000, 9).frame(&[]).end());
    assert_complains("follow its last stream", &Craft::new(1000, 9).frame(&[0, 0]).end());
    assert_complains("unknown packing", &crafted(3, &[(5, stream(3, 3, None, b"new"))]));
    let prefixed = [(0, stream(1, 2, Some(1), b"x")), (1, raw(&[9])), (2, raw(&[0]))];
    assert_complains("has a prefix", &crafted(9, &prefixed));
}

#[test]
fn a_bomb_is_unpacked_no_further_than_its_bound() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).expect("zstd");
    let streams = |length| {
        let literals = stream(length, 1, Some(bomb.len() as u64), &bomb);
        [(0, raw(&varint(length))), (1, raw(&[0])), (5, literals)]
    };
    assert_complains("does not unpack to its length", &crafted(4 << 20, &streams(4 << 20)));
    assert_complains("longer than its bound", &crafted(64 << 20 >> 3, &streams(8 << 20)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn bodies_of_any_bytes_are_refused_or_applied(
        streams in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 6),
        present in 0..64u8,
        new_length in 0..3000u64,
    ) {
        let chosen = (0..6u8).zip(streams).filter(|(number, _)| present >> number & 1 == 1);
        let streams: Vec<_> = chosen.map(|(number, bytes)| (number, raw(&bytes))).collect();
        let old = noise(1, 1000);
        let _ = applied(&old, &crafted(new_length, &streams), LIMIT);
    }

    #[test]
    fn a_patch_for_one_content_is_refused_by_another(seed in 0..50u64, effort in 0..3usize) {
        let (old, new) = (text(seed, 5000), text(seed + 1, 5000));
        let patch = patch(&old, &[&old[..], &new[..]].concat(), EFFORTS[effort]);
        let error = applied(&text(seed + 2, 5000), &patch, LIMIT).expect_err("another content");
        prop_assert!(matches!(error, PatchError::OtherOld), "{}", error);
    }
}
